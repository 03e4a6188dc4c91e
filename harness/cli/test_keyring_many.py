"""A keyring of thousands of entries is listed by a few system calls an entry, and no private key
is opened for it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections import Counter

import pytest

from harness.cli.command import environment
from harness.cli.keyring_fixture import Keyring
from harness.lib import gaiter

pytestmark = pytest.mark.tls_only

MANY = 10_000
# What one entry costs: three files are opened, checked, read, closed.
CALLS_AN_ENTRY = 20


@pytest.fixture
def copied(tmp_path):
    """Gives a function that makes a keyring of so many entries, all like one."""
    # In memory, if that can be: a disk takes long for tens of thousands of files.
    memory = "/dev/shm"
    place = pathlib.Path(tempfile.mkdtemp(dir=memory if os.path.isdir(memory) else tmp_path))
    keyring = Keyring(place / "keyring")
    keyring.good("ca", "create", "house")
    keyring.good("create", "web", "--dns", "web.internal", "--ca", "house")
    files = {path.name: path.read_bytes() for path in (keyring.path / "web").iterdir()}

    def make(count):
        many = Keyring(place / f"of-{count}")
        many.path.mkdir(mode=0o755)
        (many.path / "keyring.conf").write_text("format = 1\ndefault = e7\n")
        for number in range(count):
            entry = many.path / f"e{number}"
            entry.mkdir(mode=0o755)
            for name, content in files.items():
                path = entry / name
                path.write_bytes(content)
                path.chmod(0o600 if name == "key.pem" else 0o644)
        return many

    yield make
    shutil.rmtree(place)


def test_ten_thousand_entries_are_listed(copied):
    many = copied(MANY)
    header, *rows = many.good("list").out.splitlines()
    assert header.startswith("LABEL") and len(rows) == MANY
    for row in rows:
        assert all(word in row for word in ("personal", "web.internal", "EC P-256", "CN=house"))
    assert [row.split()[0] for row in rows if " yes " in row] == ["e7"]
    entries = json.loads(many.good("list", "--json").out)
    assert {entry["label"] for entry in entries} == {f"e{number}" for number in range(MANY)}
    assert many.good("expiring", "--within", "1").out == ""
    due = many("expiring", "--within", "1000")
    assert due.code == 1 and len(due.out.splitlines()) == MANY + 1


def calls(keyring, trace, *words):
    subprocess.run(["strace", "-f", "-qq", "-o", trace, gaiter.COMMAND, "keyring", "--keyring",
                    keyring.path, *words], env=environment(), stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, timeout=60, check=False)
    return trace.read_text().splitlines()


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("expiring", "--within", "1000")],
                         ids=" ".join)
def test_an_entry_costs_a_few_system_calls(copied, tmp_path, words):
    few, more = (calls(copied(count), tmp_path / f"trace-{count}", *words) for count in (20, 120))
    assert len(more) - len(few) <= 100 * CALLS_AN_ENTRY, Counter(
        line.split("(")[0].split()[-1] for line in more).most_common(9)
    assert not [line for line in more if "open" in line and "key.pem" in line]
