"""Keyrings with strange things in them: each is told by its path and what is wrong, nothing hangs,
and the keyring is left as it was."""

import os
import shutil

import pytest

from harness.cli.keyring_fixture import Keyring

pytestmark = pytest.mark.tls_only


@pytest.fixture
def keyring(tmp_path):
    one = Keyring(tmp_path / "keyring")
    one.good("ca", "create", "house")
    one.good("create", "web", "--dns", "web.internal")
    return one


def put(content):
    def write(path):
        path.write_bytes(content)
        path.chmod(0o600)
    return write


def listed(folder):
    return sorted((str(path), path.is_file() and not path.is_symlink() and path.read_bytes())
                  for path in folder.rglob("*"))


STRANGE = {
    "empty": (put(b""), ""),
    "directory": (os.mkdir, "not a regular file"),
    "link": (lambda path: path.symlink_to("/etc/hostname"), "symbolic link"),
    "dangling": (lambda path: path.symlink_to("/nowhere"), "symbolic link"),
    "fifo": (os.mkfifo, "not a regular file"),
    "huge": (put(b"a" * 3_000_000), "1 MiB"),
    "zeros": (put(bytes(100)), ""),
    "binary": (put(bytes(range(128, 256))), ""),
}


@pytest.mark.parametrize("name", ["web/certificate.pem", "web/entry.conf", "web/key.pem",
                                  "house/revoked", "house/crl.pem", "keyring.conf"])
@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_file(keyring, name, kind):
    make, words = STRANGE[kind]
    path = keyring.path / name
    path.unlink(missing_ok=True)
    make(path)
    before = listed(keyring.path)
    if (kind, name) != ("empty", "house/revoked"):  # nothing is revoked: that is fine
        verb = ("crl", "--ca", "house") if "house" in name else ("renew", "web")
        keyring(*verb).refused(str(path), words)
    keyring("audit")
    keyring("list")
    if kind == "empty" and name.endswith(".pem"):
        keyring(*verb).refused(f"{path} is empty")
    assert kind == "empty" or listed(keyring.path) == before


@pytest.mark.parametrize("name", ["certificate.pem", "entry.conf"])
def test_a_file_that_is_missing(keyring, name):
    (keyring.path / "web" / name).unlink()
    keyring("renew", "web").refused(f"{keyring.path}/web is no whole entry, it has no {name}",
                                    "remove the directory")


def test_a_personal_entry_without_a_key(keyring):
    keyring.key("web").unlink()
    audit = keyring("audit")
    assert audit.code == 2 and "error: web: has no private key (key.pem)" in audit.out


def test_what_is_no_entry_is_ignored_and_told(keyring):
    for name in (b"a\nb", b"$(id)", b"\xff", b"a b"):
        shutil.copytree(os.fsencode(keyring.path / "web"), os.fsencode(keyring.path) + b"/" + name)
    (keyring.path / "linked").symlink_to("web")
    (keyring.path / ".git").mkdir()
    (keyring.path / "README").write_text("ours\n")
    assert set(keyring.entries()) == {"house", "web"}
    audit = keyring("audit")
    assert audit.code == 1 and len(audit.out.splitlines()) == 5
    for words in ('"a\\x0ab" is no label', '"$(id)" is no label', '"\\xff" is no label',
                  '"linked" is a symbolic link', "gaiter keyring connect"):
        assert words in audit.out
    keyring.good("renew", "web")
    assert (keyring.path / "README").read_text() == "ours\n"


def test_a_folder_in_an_entry_stops_a_change(keyring):
    (keyring.path / "web" / "backup").mkdir()
    before = listed(keyring.path)
    keyring("renew", "web").refused("web/backup is not a regular file: move it out of the entry")
    assert listed(keyring.path) == before


def test_a_copy_without_the_lock_file_is_a_keyring(keyring, tmp_path):
    copy = Keyring(tmp_path / "copy")
    shutil.copytree(keyring.path, copy.path)
    (copy.path / ".keyring.lock").unlink()
    copy.good("create", "more", "--dns", "more.internal")
    assert set(copy.entries()) == {"house", "web", "more"}
