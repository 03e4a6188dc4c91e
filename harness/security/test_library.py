"""What libgaiter.so shows to, and wants from, the program that it is loaded into."""

import os
import re
import subprocess

import pytest

from harness.lib.gaiter import BUILD, LIBRARY

pytestmark = pytest.mark.tls_only


def tool(*command):
    return subprocess.run([*command, LIBRARY], check=True, capture_output=True, text=True,
                          timeout=30).stdout


def test_it_exports_its_hooks_and_nothing_else():
    exported = {line.split()[-1].partition("@")[0]
                for line in tool("nm", "-D", "--defined-only").splitlines()}
    with open(os.path.join(BUILD, "exports.map"), encoding="ascii") as text:
        hooks = set(re.findall(r"^\s*(\w+);", text.read(), re.MULTILINE))
    assert {"connect", "recv", "send", "close", "epoll_wait", "__recv_chk"} <= hooks
    assert exported == hooks


def test_it_brings_its_own_tls_and_runtime():
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", tool("readelf", "-d"))
    assert needed, "readelf shows no library at all"
    for foreign in ("libssl", "libcrypto", "libstdc++", "libgcc_s", "libIPSec", "libconfig"):
        assert not [name for name in needed if name.startswith(foreign)], needed


def test_it_has_no_text_relocations_and_no_executable_stack():
    assert "TEXTREL" not in tool("readelf", "-d")
    stack = re.search(r"GNU_STACK(.*\n.*)", tool("readelf", "-lW"))
    assert " RWE " not in stack[0]
