"""Programs are ended with all that they started, and a hanging one says where it hangs."""

import os
import time

import pytest

from harness.lib import peers, ports as tcp
from harness.lib.processes import Processes, descendants, end_strays


def test_a_program_ends_with_its_children(place):
    started = Processes(place)
    shell = started.start(["sh", "-c", "sleep 100 & sleep 100"])
    while len(descendants(shell.pid)) < 2:
        time.sleep(0.01)
    family = descendants(shell.pid)
    started.stop()
    assert not [pid for pid in family if pid in descendants(os.getpid())]


def test_an_orphan_is_found_and_ended(place):
    started = Processes(place)
    started.run(["sh", "-c", "setsid sleep 100 & exit 0"])
    assert [name for name in end_strays(patience=0.1) if "sleep 100" in name]
    assert not descendants(os.getpid())


def test_a_program_that_does_not_end_is_reported_with_its_command(place):
    started = Processes(place)
    with pytest.raises(AssertionError, match="still running after 0.2 s: sleep 100"):
        started.run(["sleep", "100"], timeout=0.2)


def test_the_environment_of_a_program_is_not_that_of_the_tests(place, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setenv("LD_PRELOAD", "")
    assert "SSL_CERT_FILE" not in Processes(place).run(["env"]).text


def test_ports_are_not_given_twice_and_listeners_are_seen_without_connecting(place, ports):
    port = ports.free()
    assert port not in {ports.free() for _ in range(50)}
    assert not tcp.listening(port)
    started = Processes(place)
    server = started.start(peers.talk(f"listen:{port}", "accept"))
    tcp.wait_listening(port, server)
    assert server.stdout() == b"listen ok\n"  # and has accepted nobody
    started.stop()


@pytest.mark.parametrize("model", ["threads", "fork", "epoll", "edge"])
def test_the_echo_server_echoes(processes, ports, model):
    port = ports.free()
    server = processes.start(peers.echo_server(port, model))
    tcp.wait_listening(port, server)
    done = processes.run(peers.talk(f"connect:127.0.0.1:{port}", "send:hello", "expect:5",
                                    "shutdown", "recv"))
    assert peers.talked(done) == {"connect": ["ok"], "send": ["5"], "expect": ["b'hello'"],
                                  "shutdown": ["ok"], "recv": ["eof"]}
    server.wait_output(b"closed\n")
