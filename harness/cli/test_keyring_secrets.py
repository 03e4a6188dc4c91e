"""No private key, and no passphrase, is ever in an argument, the environment, what is printed, or
in a file that others can read."""

import base64
import os
import re
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
    for path in keyring.path.glob("*/*key.pem"):
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
    """Runs the command under strace. Gives what it printed, and the arguments and environments of
    all that was executed."""
    def run(*words):
        log = tmp_path / "strace"
        done = subprocess.run(
            ["strace", "-f", "-v", "-s", "100000", "-e", "trace=execve,execveat,sendto,connect",
             "-o", str(log), gaiter.COMMAND, *map(str, words)],
            env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr, log.read_bytes()
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("strace is not allowed here")
    return run


# A life of a keyring: every verb that touches a private key. > is a file to be written, @ one that
# is there.
LIFE = ["ca create house", "create web --dns web.internal", "create spare --dns spare.internal",
        "audit --json", "renew web", "rekey web", "rollover web",
        "request soon --dns soon.internal --out >soon.csr", "ca sign @soon.csr --out >soon.pem",
        "receive soon @soon.pem", "request web --out >web.csr", "rename spare other",
        "default web", "export web --private-key --out >web.key",
        "export web --private-key --format pkcs12 --passphrase-file @secret --out >web.p12",
        "import again @web.p12 --passphrase-file @secret", "revoke other", "crl --ca house",
        "ocsp web", "verify web", "match @soon.pem", "list --json", "show web",
        "bundle --out >ca.pem", "ticket-keys rotate",
        "enroll export b.internal --out >b.enrolment",
        "enroll export c.internal --passphrase-file @secret --out >c.enrolment",
        "rekey house", "rollover house",
        "passwd --passphrase-file @secret --for-services @secret", "renew web",
        "passwd --decrypt"]
LIFE_SECRETS = ["web.key", "web.p12", "b.enrolment", "c.enrolment", "secret"]


def test_no_verb_tells_a_secret(tmp_path, strace):
    keyring = Keyring(tmp_path / "keyring")
    (tmp_path / "secret").write_text(PASSPHRASE)
    (tmp_path / "secret").chmod(0o600)
    told, texts, executed = b"", set(), 0
    umask = os.umask(0)
    try:
        for line in LIFE:
            words = [tmp_path / word[1:] if word[0] in ">@" else word for word in line.split()]
            printed, trace = strace("keyring", "--keyring", keyring.path, *words)
            told += printed + trace
            executed += 1
            if not line.startswith("passwd") and "ENCRYPTED" not in keyring.key(
                    "house").read_text():
                texts |= texts_of(keyring)
    finally:
        os.umask(umask)
    assert told.count(b"execve(") == executed  # nobody else was asked to help
    assert not [text for text in texts if text in told]
    assert PASSPHRASE.encode() not in told and b"PRIVATE KEY---" not in told
    loose = {os.path.basename(path) for path in loose_files(tmp_path)}
    assert loose and not loose & {"key.pem", "next-key.pem", "ticket.keys", *LIFE_SECRETS}
    for path in loose_files(tmp_path):
        if path.endswith("/strace"):
            continue
        with open(path, "rb") as file:
            content = file.read()
        assert not [text for text in texts if text in content], path
        assert b"PRIVATE KEY" not in content, path
    for name in LIFE_SECRETS:
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name


def test_every_verb_with_a_key_is_in_that_life():
    listed = subprocess.run([gaiter.COMMAND, "keyring", "--help"], capture_output=True, text=True,
                            env=environment(), check=True).stdout.partition("Verbs:")[2]
    verbs = set(re.findall(r"^  ([a-z][a-z-]*) +[A-Z]", listed, re.MULTILINE))
    assert verbs - {line.split()[0] for line in LIFE} == {
        "trust", "distrust", "connect", "disconnect", "delete", "needs-renewal", "expiring"}
