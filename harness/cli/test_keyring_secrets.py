"""No private key, and no passphrase, is ever in an argument, the environment, what is printed, or
in a file that others can read."""

import base64
import os
import stat
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization

from harness.cli.command import environment
from harness.cli.keyring_fixture import Keyring
from harness.lib import gaiter
from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only

PASSPHRASE = "Tr0ubador-and-three"


def texts_of(keyring):
    """Every way in which the keys of the keyring, of curve P-256, might show: the secret number, as
    it is and in hexadecimal, and its part of the PEM file's first line."""
    texts = set()
    for path in keyring.path.glob("*/key.pem"):
        pem = path.read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        secret = key.private_numbers().private_value.to_bytes(32, "big")
        line = pem.splitlines()[1]
        # PKCS#8 has it from byte 36 on, which is in base64 from character 48.
        assert secret[:12] == base64.b64decode(line)[36:48]
        texts |= {secret, secret.hex().encode(), line[48:64]}
    assert texts
    return texts


def loose_files(place):
    for folder, _, names in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)
            mode = stat.S_IMODE(os.lstat(path).st_mode)
            if stat.S_ISREG(os.lstat(path).st_mode) and mode & 0o077:
                yield path


def test_no_file_that_others_can_read_has_a_key(tmp_path):
    keyring = Keyring(tmp_path / "keyring")
    leaf = issue("leaf", names=["leaf"])
    source = tmp_path / "source.pem"
    source.write_bytes(leaf.pem)
    source.chmod(0o600)
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    umask = os.umask(0)
    try:
        keyring.good("create", "web", "--dns", "web")
        keyring.good("import", "leaf", source)
        keyring.good("default", "leaf")
        keyring.good("rename", "leaf", "other")
        keyring.good("export", "web", "--private-key", "--out", tmp_path / "web.key")
        keyring.good("export", "web", "--private-key", "--pkcs12", "--passphrase-file", secret,
                     "--out", tmp_path / "web.p12")
    finally:
        os.umask(umask)
    texts = texts_of(keyring)
    seen = 0
    for path in loose_files(tmp_path):
        seen += 1
        with open(path, "rb") as file:
            content = file.read()
        assert not [text for text in texts if text in content], path
        assert b"PRIVATE KEY" not in content, path
    assert seen > 5
    assert (tmp_path / "web.p12").stat().st_mode & 0o777 == 0o600


def test_nothing_that_is_printed_has_a_key(tmp_path):
    keyring = Keyring(tmp_path / "keyring")
    keyring.good("create", "web", "--dns", "web")
    texts = texts_of(keyring)
    out = b""
    for words in (["list"], ["list", "--json"], ["show", "web"], ["show", "web", "--json"],
                  ["audit"], ["export", "web"], ["export", "web", "--private-key"],
                  ["export", "gaiter-ca", "--format", "der"], ["import", "x", "/dev/null"],
                  ["import", "x", keyring.key("web")], ["match", keyring.certificate("web")]):
        done = subprocess.run(
            [gaiter.COMMAND, "keyring", "--keyring", str(keyring.path), *map(str, words)],
            env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
            check=False)
        out += done.stdout + done.stderr
    assert b"BEGIN CERTIFICATE" in out
    assert not [text for text in texts if text in out] and b"PRIVATE KEY---" not in out


@pytest.fixture
def strace(tmp_path):
    """Runs the command under strace, and gives the arguments and environments of all that was
    executed."""
    def run(*words):
        log = tmp_path / "strace"
        subprocess.run(
            ["strace", "-f", "-v", "-s", "100000", "-e", "trace=execve,execveat,sendto,connect",
             "-o", str(log), gaiter.COMMAND, *map(str, words)],
            env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            check=True)
        return log.read_text()
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("strace is not allowed here")
    return run


def test_no_argument_and_no_environment_has_a_passphrase(tmp_path, strace):
    keyring = tmp_path / "keyring"
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    strace("keyring", "--keyring", keyring, "create", "web", "--dns", "web")
    told = strace("keyring", "--keyring", keyring, "export", "web", "--private-key", "--pkcs12",
                  "--passphrase-file", secret, "--out", tmp_path / "web.p12")
    told += strace("keyring", "--keyring", keyring, "import", "again", tmp_path / "web.p12",
                   "--passphrase-file", secret)
    told += strace("keyring", "--keyring", keyring, "passwd", "--passphrase-file", secret,
                   "--for-services", secret)
    assert told.count("execve(") == 3  # nobody else was asked to help
    assert PASSPHRASE not in told and "PRIVATE KEY" not in told
