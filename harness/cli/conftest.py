"""Policies and keyrings for the tests of the command."""

import pytest

from harness.cli.command import run


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
    path = tmp_path / "keyring"
    assert run("keyring", "create", "redis", "--default", "--keyring", path).code == 0
    return path
