"""What goes in clear because no rule matches is said, once; and so it is if the program never listens
where `gaiter run --listen` was told."""

import os
import shutil
import subprocess
import time

import pytest

from harness.cli.command import run
from harness.lib import gaiter
from harness.lib.peers import PYTHON
from harness.lib.ports import wait_listening

pytestmark = pytest.mark.tls_only

# Listens on each port, twice.
LISTEN = """
import socket, sys
for port in 2 * sys.argv[1:]:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", int(port)))
        one.listen()
"""

# Connects to each port, where nobody need listen.
CONNECT = """
import socket, sys
for port in sys.argv[1:]:
    with socket.socket() as one:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", int(port)))
"""


@pytest.fixture
def listen(processes, server_side):
    """listen(*ports): what the log says of them."""
    def start(*ports, level="notice"):
        processes.run([PYTHON, "-I", "-c", LISTEN, *ports],
                      environment=server_side.environment(level=level))
        return server_side.log.events("in_clear")
    return start


def connect(processes, side, *ports):
    processes.run([PYTHON, "-I", "-c", CONNECT, *ports], environment=side.environment("notice"))
    return side.log.events("in_clear")


def test_listening_without_a_rule_is_said_once(listen, server_side, ports):
    protected, far, clear, other = sorted(ports.free() for _ in range(4))
    server_side.inbound(protected)
    server_side.inbound(far)
    first, second = listen(clear, protected, other)
    assert first.level == "notice" and first["local"] == f"127.0.0.1:{clear}"
    assert first["reason"] == f"in clear: no rule for connections accepted at port {clear}"
    assert f"{far}.conf:inbound" in first["advice"] and f"port {far};" in first["advice"]
    assert second["local"] == f"127.0.0.1:{other}"


def test_a_port_that_the_kernel_chose_is_named(listen, server_side, ports):
    server_side.inbound(ports.free())
    for event in listen(0):
        assert not event["local"].endswith(":0")
        assert event["local"].rpartition(":")[2] in event["reason"]


@pytest.mark.parametrize("text", ['unmatched = "pass";', 'unmatched = "block";'])
def test_who_says_it_hears_nothing_of_it(processes, server_side, ports, text):
    server_side.inbound(ports.free())
    server_side.policy.configuration(text)
    processes.run([PYTHON, "-I", "-c", LISTEN, ports.free()], check=False,
                  environment=server_side.environment("notice"))
    assert not server_side.log.events("in_clear")


def test_nor_who_takes_tls_off_for_a_port(listen, server_side, ports):
    port = ports.free()
    server_side.inbound(ports.free())
    server_side.inbound(port, tls="off")
    assert not listen(port)


def test_a_condition_that_does_not_hold_is_told_from_another_port(listen, server_side, ports):
    port = ports.free()
    server_side.policy.configuration(
        f'rules = ( {{ name = "mine"; direction = "inbound"; local_ports = {port}; '
        'program = "other"; } );\n')
    (event,) = listen(port)
    assert "rule mine is for port" in event["advice"] and "condition" in event["advice"]


def test_connecting_is_said_where_there_are_outbound_rules(processes, client_side, ports):
    protected, clear = ports.free(), ports.free()
    client_side.inbound(protected)
    assert not connect(processes, client_side, clear)
    client_side.outbound(protected)
    (event,) = connect(processes, client_side, clear, clear)
    assert event["reason"] == f"in clear: no rule for connections to port {clear}"
    assert event["remote"] == f"127.0.0.1:{clear}" and str(protected) in event["advice"]


def test_and_of_few_ports_only(processes, client_side, ports):
    client_side.outbound(ports.free())
    events = connect(processes, client_side, *(ports.free() for _ in range(12)))
    assert len(events) == 8
    assert [event for event in events if "others" in event["reason"]] == events[-1:]


def test_it_is_said_by_default(processes, server_side, ports):
    server_side.inbound(ports.free())
    environment = server_side.environment()
    del environment["GAITER_LOG"]
    done = processes.run([PYTHON, "-I", "-c", LISTEN, ports.free()], environment=environment)
    assert "notice: in_clear" in done.description


# ---- gaiter run --listen ----

SERVE = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for number in range(int(sys.argv[2])):
    server.accept()
"""


@pytest.fixture
def asked(tmp_path):
    """asked(port, *command) runs it by gaiter run --listen: what it said of that."""
    def start(port, *command):
        done = run("run", "-q", "--keyring", tmp_path / "keyring", "--listen", port, "--", *command,
                   GAITER_LOG="warning")
        assert done.code == 0, done.err
        return [line for line in done.err.splitlines() if "not_listening" in line]
    return start


def test_a_program_that_never_listens_is_told_of(asked, ports):
    port = ports.free()
    (line,) = asked(port, "/bin/true")
    assert f"ports={port}" in line and "never listened anywhere" in line and "warning" in line


def test_nor_where_it_was_told_to(asked, ports):
    port, other = ports.free(), ports.free()
    (line,) = asked(port, PYTHON, "-I", "-c", SERVE, other, 0)
    assert f"ports={port}" in line and f"listens at port {other}" in line


def test_who_listens_there_hears_nothing(asked, ports):
    port, other = ports.free(), ports.free()
    assert not asked(port, PYTHON, "-I", "-c", LISTEN, other, port)
    assert not asked(f"{port - 1}-{port + 1}", PYTHON, "-I", "-c", LISTEN, port)
    # Its child may be the one.
    assert not asked(port, "sh", "-c", f"{PYTHON} -I -c '{SERVE}' {port} 0; exit 0")


def test_it_is_said_after_ten_seconds_of_serving_elsewhere(processes, tmp_path, ports):
    port, other = ports.free(), ports.free()
    server = processes.start([gaiter.COMMAND, "run", "-q", "--keyring", tmp_path / "keyring",
                              "--listen", port, "--", PYTHON, "-I", "-c", SERVE, other, 100])
    wait_listening(other, server)
    began = time.monotonic()
    while b"not_listening" not in server.stderr():
        assert time.monotonic() - began < 30
        subprocess.run(["socat", "-u", "/dev/null", f"TCP:127.0.0.1:{other}"], check=True)
        time.sleep(0.5)
    assert time.monotonic() - began > 9


# ---- a library that cannot be loaded ----

@pytest.fixture
def installed(tmp_path):
    """A copy of gaiter with its libraries where they are installed."""
    library = tmp_path / "lib" / "gaiter"
    library.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    shutil.copy(gaiter.COMMAND, tmp_path / "bin" / "gaiter")
    for path in (gaiter.LIBRARY, gaiter.CORE):
        shutil.copy(path, library)
    return tmp_path


def start_installed(installed, *before):
    return subprocess.run([*before, installed / "bin" / "gaiter", "run", "--strict", "--", "/bin/echo",
                           "started"], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_file_system_without_execution_is_told_of(installed):
    assert start_installed(installed).stdout == "started\n"
    library = installed / "lib" / "gaiter"
    script = f'mount --bind {library} {library} && mount -o remount,bind,noexec {library} && exec "$@"'
    done = start_installed(installed, "unshare", "-m", "sh", "-c", script, "sh")
    assert done.returncode == 2 and done.stdout == ""
    assert "libgaiter.so cannot be loaded" in done.stderr and "noexec" in done.stderr


@pytest.mark.parametrize("name", ["libgaiter.so", "libgaiter-core.so"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x7fELF\x01\x01\x01" + bytes(100)])
def test_a_file_that_is_no_library_is_told_of(installed, name, content):
    (installed / "lib" / "gaiter" / name).write_bytes(content)
    done = start_installed(installed)
    assert done.returncode == 2 and done.stdout == ""
    assert name in done.stderr and "not a library" in done.stderr
