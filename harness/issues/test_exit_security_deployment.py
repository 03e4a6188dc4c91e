"""How programs end, and how a preloaded library is lost."""

import os
import shutil
import subprocess

import pytest

from harness.lib.gaiter import COMMAND


def test_speaks_in_destructors(same):
    """onload 79acca8a, ba5d9584, libvma 226017, 647577, libxlio 2679474, 2736737: hooks were
    called when the library had destroyed itself. Gaiter has no destructors."""
    same("speaks_in_destructors")


def test_exits_amid_threads(same):
    """openssl #6214, #25294, #23575, curl #1055: its clean-up at exit() against threads that go
    on. Gaiter's is never run."""
    same("exits_amid_threads")


def test_first_calls_at_once(same):
    """smc-tools 93c96c5: two threads' first socket() initialised at the same time."""
    same("first_calls_at_once")


@pytest.mark.tls_only
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a set-user-ID program")
@pytest.mark.parametrize("how", ["set-user-ID", "capability", "static"])
def test_what_cannot_be_preloaded_is_not_run(processes, ports, place, client_side, how):
    """cloudflare/sandbox #1, libvma #1064, #1091, AppScope #1188, #1449: the loader drops a preload
    for privileged programs without a word, and static ones have no loader."""
    program = os.path.join(place, "program")
    shutil.copy("/bin/busybox" if how == "static" else shutil.which("nc"), program)
    if how == "set-user-ID":
        shutil.chown(program, "nobody")
        os.chmod(program, 0o4755)
    if how == "capability":
        subprocess.run(["setcap", "cap_net_raw+ep", program], check=True)
    port = ports.free()
    client_side.outbound(port)
    words = [program, *(["nc"] if how == "static" else ["-N"]), "127.0.0.1", port]
    done = processes.run([COMMAND, "run", "--policy", client_side.policy.path, "--", *words],
                         check=False, user=None if how == "static" else "www-data",
                         environment={"GAITER_LOG": "info:/dev/null"})
    assert done.status != 0
    assert "gaiter" in done.errors and program in done.errors, done.description
