"""What libgaiter.so and its core show to, and want from, the program that they are loaded into."""

import os
import re
import subprocess

import pytest

from harness.lib.gaiter import BUILD, CORE, LIBRARY, REPOSITORY

pytestmark = pytest.mark.tls_only


def tool(library, *command):
    return subprocess.run([*command, library], check=True, capture_output=True, text=True,
                          timeout=30).stdout


def exports(library):
    return {line.split()[-1].partition("@")[0]
            for line in tool(library, "nm", "-D", "--defined-only").splitlines()}


def test_it_exports_its_hooks_and_nothing_else():
    with open(os.path.join(BUILD, "exports.map"), encoding="ascii") as text:
        hooks = set(re.findall(r"^\s*(\w+);", text.read(), re.MULTILINE))
    assert {"connect", "recv", "send", "close", "epoll_wait", "__recv_chk"} <= hooks
    assert exports(LIBRARY) == hooks


def test_the_table_in_the_manual_is_that_of_the_library():
    table = subprocess.run(["awk", "-f", "shim/symbols_table.awk", "shim/symbols.def"], check=True,
                           capture_output=True, text=True, cwd=REPOSITORY, timeout=30).stdout
    with open(os.path.join(REPOSITORY, "docs", "symbols.md"), encoding="ascii") as text:
        assert text.read() == table, "make docs/symbols.md"
    rows = "\n".join(line for line in table.splitlines() if line.startswith("| `"))
    assert exports(LIBRARY) <= set(re.findall(r"`(\w+)`", rows))


def test_the_core_exports_one_table_that_the_front_knows_by_name():
    (table,) = exports(CORE)
    assert re.fullmatch(r"gaiter_core_[0-9a-f]{16}", table)
    with open(LIBRARY, "rb") as front:
        assert table.encode() + b"\0" in front.read()


@pytest.mark.parametrize("library", [LIBRARY, CORE])
def test_it_brings_its_own_tls_and_runtime(library):
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", tool(library, "readelf", "-d"))
    assert needed, "readelf shows no library at all"
    for foreign in ("libssl", "libcrypto", "libstdc++", "libgcc_s", "libIPSec", "libconfig"):
        assert not [name for name in needed if name.startswith(foreign)], needed


@pytest.mark.parametrize("library", [LIBRARY, CORE])
def test_it_has_no_text_relocations_and_no_executable_stack(library):
    assert "TEXTREL" not in tool(library, "readelf", "-d")
    stack = re.search(r"GNU_STACK(.*\n.*)", tool(library, "readelf", "-lW"))
    assert " RWE " not in stack[0]
