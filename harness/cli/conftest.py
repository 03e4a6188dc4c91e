"""Policies and keyrings for the tests of the command."""

import pytest

from harness.cli.keyring_fixture import Keyring


@pytest.fixture
def policy(tmp_path):
    """policy(name=text, ...) writes policy files; "_6379" becomes 6379.conf."""
    folder = tmp_path / "policy"
    folder.mkdir()

    def write(**files):
        for name, text in files.items():
            (folder / f"{name.lstrip('_')}.conf").write_text(text)
        return folder
    return write


@pytest.fixture
def keyring(tmp_path):
    """A keyring of the test's own, not made yet."""
    return Keyring(tmp_path / "keyring")


@pytest.fixture
def redis_keyring(keyring):
    """The path of a keyring whose default entry is `redis`."""
    keyring.good("create", "redis", "--default")
    return keyring.path
