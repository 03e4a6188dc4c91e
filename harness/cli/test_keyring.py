"""gaiter keyring: list, show, create, import, default; checked with openssl."""

import json
import os
import subprocess

import pytest

from harness.cli.command import run
from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keyring"


@pytest.fixture
def keyring(path):
    """keyring("create", "redis", ...) runs a verb on the test's keyring."""
    return lambda *words: run("keyring", "--keyring", path, *words)


def entries(keyring):
    result = keyring("list", "--json")
    assert result.code == 0, result.err
    return {entry["label"]: entry for entry in json.loads(result.out)}


def good(result):
    assert result.code == 0, result.err
    assert result.err == ""
    return result.out


def openssl(*words):
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=True).stdout


# ---- create ----

def test_create_is_signed_by_a_ca_of_the_keyring(keyring, path):
    out = good(keyring("create", "redis", "--dns", "redis.internal", "--dns", "r", "--ip",
                       "10.0.0.5", "--ip", "fd00::5"))
    assert "gaiter-ca" in out and str(path) in out
    all_entries = entries(keyring)
    assert set(all_entries) == {"gaiter-ca", "redis"}
    assert all_entries["redis"]["names"] == [
        "dns:redis.internal", "dns:r", "ip:10.0.0.5", "ip:fd00::5"]
    assert all_entries["redis"]["subject"] == "CN=redis"
    assert all_entries["redis"]["key_type"] == "EC P-256"
    assert all_entries["redis"]["days_left"] in (396, 397)
    assert all_entries["gaiter-ca"]["ca"] and all_entries["gaiter-ca"]["usage"] == "ca"
    openssl("verify", "-CAfile", path / "gaiter-ca" / "certificate.pem", "-verify_hostname",
            "redis.internal", path / "redis" / "certificate.pem")
    assert (path / "redis" / "key.pem").stat().st_mode & 0o777 == 0o600

    good(keyring("create", "second"))  # by the same CA
    assert set(entries(keyring)) == {"gaiter-ca", "redis", "second"}


def test_create_without_names_is_for_this_host(keyring):
    good(keyring("create", "here"))
    names = entries(keyring)["here"]["names"]
    assert "dns:localhost" in names and "ip:127.0.0.1" in names and "ip:::1" in names


def test_create_by_options(keyring):
    good(keyring("ca", "create", "house-ca", "--cn", "House CA", "--days", "100"))
    good(keyring("create", "web", "--ca", "house-ca", "--cn", "Web", "--days", "9", "--default"))
    good(keyring("create", "alone", "--self-signed"))
    all_entries = entries(keyring)
    assert all_entries["house-ca"]["subject"] == "CN=House CA"
    assert all_entries["house-ca"]["days_left"] in (99, 100)
    assert all_entries["web"]["issuer"] == "CN=House CA" and all_entries["web"]["default"]
    assert all_entries["alone"]["issuer"] == all_entries["alone"]["subject"]
    assert "gaiter-ca" not in all_entries


def test_two_cas_are_a_question(keyring):
    good(keyring("ca", "create", "one"))
    good(keyring("ca", "create", "two"))
    keyring("create", "web").refused("one", "two", "--ca")


def test_create_refuses(keyring, path):
    keyring("create", "../evil").refused("evil")
    assert not path.exists()
    good(keyring("create", "redis"))
    keyring("create", "redis").refused("redis", "already")
    keyring("create", "web", "--ca", "nosuch").refused("nosuch", code=1)
    keyring("create", "web", "--ip", "10.0.0.256").refused("10.0.0.256")
    keyring("create", "web", "--days", "0").refused("--days")
    keyring("create", "web", "--self-signed", "--ca", "gaiter-ca").refused("--self-signed")
    keyring("create").refused("LABEL", "gaiter keyring create --help")


# ---- import ----

@pytest.fixture
def file_of(tmp_path):
    def write(name, content):
        file = tmp_path / name
        file.write_bytes(content)
        return file
    return write


def test_import_finds_the_usage(keyring, file_of):
    ca = issue("Test CA", ca=True)
    leaf = issue("web", issuer=ca, names=["web.internal"], kind="rsa")
    certificate, key = file_of("c.pem", leaf.certificate_pem), file_of("k.pem", leaf.key_pem)
    good(keyring("import", "web", "--cert", certificate, "--key", key))
    good(keyring("import", "both", "--cert", file_of("both.pem", leaf.pem)))
    good(keyring("import", "house", "--cert", file_of("ca.pem", ca.certificate_pem)))
    good(keyring("import", "peer", "--cert", certificate))
    found = {label: entry["usage"] for label, entry in entries(keyring).items()}
    assert found == {"web": "personal", "both": "personal", "house": "ca", "peer": "site"}
    assert entries(keyring)["web"]["key_type"] == "RSA 2048"
    assert entries(keyring)["web"]["private_key"] and not entries(keyring)["peer"]["private_key"]


def test_import_replaces_only_when_told(keyring, file_of):
    old, new = issue("old", names=["a"]), issue("new", names=["a"])
    good(keyring("import", "web", "--cert", file_of("old.pem", old.pem)))
    keyring("import", "web", "--cert", file_of("new.pem", new.pem)).refused("web", "already")
    good(keyring("import", "web", "--cert", file_of("new.pem", new.pem), "--replace"))
    assert entries(keyring)["web"]["subject"] == "CN=new"


def test_import_refuses(keyring, file_of, tmp_path):
    one, other = issue("one", names=["a"]), issue("other", names=["a"])
    certificate = file_of("c.pem", one.certificate_pem)
    words = ["import", "web", "--cert", certificate]
    keyring(*words, "--key", file_of("k.pem", other.key_pem)).refused("key")
    keyring(*words, "--key", tmp_path / "none").refused(str(tmp_path / "none"))
    keyring(*words, "--usage", "personal").refused("key")
    keyring(*words, "--usage", "friend").refused("personal,ca,site")
    keyring("import", "web", "--cert", file_of("no.pem", b"nonsense")).refused("no.pem", "PEM")
    keyring("import", "web", "--cert", file_of("big.pem", b"x" * ((1 << 20) + 1))).refused("1 MiB")
    keyring("import", "web").refused("no file")
    assert entries(keyring) == {}


# ---- list, show, default ----

def test_list_and_show_for_a_person(keyring):
    good(keyring("create", "redis", "--dns", "a.example", "--dns", "b.example", "--dns", "c",
                 "--default"))
    header, *rows = good(keyring("list")).splitlines()
    assert header.split()[:3] == ["LABEL", "USAGE", "DEFAULT"]
    [row] = [row for row in rows if row.startswith("redis ")]
    for word in ("personal", "yes", "CN=redis", "a.example, b.example (+1)", "EC P-256", "39"):
        assert word in row
    text = good(keyring("show", "redis"))
    for word in ("redis (the default)", "dns:c", "signed by gaiter-ca", "days left", "SHA-256"):
        assert word in text
    assert "PRIVATE" not in text


def test_show_as_json_agrees_with_openssl(keyring, path):
    good(keyring("create", "redis"))
    entry = json.loads(good(keyring("show", "redis", "--json")))
    certificate = path / "redis" / "certificate.pem"
    fingerprint = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256")
    assert entry["sha256"].upper() == fingerprint.split("=")[1].strip().replace(":", "")
    assert entry["serial"] in openssl("x509", "-in", certificate, "-noout", "-serial")


def test_hostile_names_cannot_steer_the_terminal(keyring, file_of):
    evil = issue("evil \x1b[31m \u009b2J \u202e name", names=["a"])
    good(keyring("import", "evil", "--cert", file_of("evil.pem", evil.pem)))
    for out in (good(keyring("list")), good(keyring("show", "evil"))):
        assert "\x1b" not in out and "\u009b" not in out
    assert "\x1b" not in entries(keyring)["evil"]["subject"]


def test_default(keyring, path):
    for label in ("one", "two"):
        good(keyring("create", label))
    assert "two" in good(keyring("default", "two"))
    assert [label for label, entry in entries(keyring).items() if entry["default"]] == ["two"]
    good(keyring("default", "one"))
    assert [label for label, entry in entries(keyring).items() if entry["default"]] == ["one"]
    keyring("default", "oen").refused("oen", "one", code=1)


def test_what_is_not_there_is_exit_1(keyring, path):
    for words in (["list"], ["show", "redis"], ["default", "redis"]):
        keyring(*words).refused(str(path), code=1)
    good(keyring("create", "redis"))
    keyring("show", "rdis").refused("rdis", "redis", code=1)


def test_the_option_may_stand_before_the_verb(keyring, path):
    good(keyring("create", "redis"))
    assert "redis" in good(run("keyring", "--keyring", path, "list"))


def test_a_keyring_that_others_can_write_is_refused(keyring, path):
    good(keyring("create", "redis"))
    os.chmod(path, 0o777)
    keyring("list").refused(str(path))
