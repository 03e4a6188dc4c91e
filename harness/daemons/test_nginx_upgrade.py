"""nginx as it is administered: reloaded, and replaced by a new binary, while clients are served."""

import os
import signal
import time

import pytest

from harness.lib import processes as programs
from harness.lib.ports import wait_listening

CONFIGURATION = """
user www-data;
worker_processes 2;
pid {place}/nginx.pid;
error_log {place}/nginx-error.log info;
events {{ worker_connections 256; }}
http {{
  access_log off;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "{text}"; }}
  }}
}}
"""


def wait_until(what, words):
    deadline = time.monotonic() + 20
    while not (result := what()):
        assert time.monotonic() < deadline, words
        time.sleep(0.05)
    return result


@pytest.fixture
def master(place):
    """master() is the process that nginx.pid names: it tells apart the old and the new one."""
    def pid():
        try:
            with open(place + "/nginx.pid", encoding="ascii") as text:
                return int(text.read())
        except (OSError, ValueError):  # between two of them
            return None
    return pid


@pytest.fixture
def nginx(processes, server_side, ports, place, write, secret, master):
    """A daemon, for only such a one changes its binary; gives its port."""
    port = ports.free()
    conf = write("nginx.conf", CONFIGURATION.format(place=place, port=port, text=secret))
    server_side.inbound(port)
    processes.run(["/usr/sbin/nginx", "-e", "stderr", "-c", conf],
                  environment=server_side.environment())
    wait_listening(port)
    wait_until(master, "no process number")
    yield port
    os.kill(master(), signal.SIGTERM)


@pytest.fixture
def load(processes, client_side):
    def start(port):
        return processes.start(["wrk", "-t", "1", "-c", "8", "-d", "4s",
                                f"http://localhost:{port}/"], environment=client_side.environment())
    return start


def served(load):
    """wrk counts a connection that an old worker closed between two requests as a read error, on
    plain TCP too."""
    assert load.wait() == 0, load.describe()
    assert b"Non-2xx" not in load.stdout(), load.describe()


def test_a_reload_changes_what_is_served(nginx, master, reach, client, load, place, write, secret):
    wire = reach(nginx, secret, "reloaded text")
    url = f"http://localhost:{wire.port}/"
    busy = load(wire.port)
    assert client("curl", "-sSf", url).text == secret
    write("nginx.conf", CONFIGURATION.format(place=place, port=nginx, text="reloaded text"))
    os.kill(master(), signal.SIGHUP)
    wait_until(lambda: client("curl", "-sSf", url).text == "reloaded text", "not reloaded")
    served(busy)
    wire.prove(whole=False)


def test_a_new_binary_takes_over_the_listener(nginx, master, reach, client, load, secret):
    """USR2 starts the new binary, which inherits the listener; QUIT ends the old one."""
    wire = reach(nginx, secret)
    url = f"http://localhost:{wire.port}/"
    busy = load(wire.port)
    assert client("curl", "-sSf", url).text == secret
    old = master()
    os.kill(old, signal.SIGUSR2)
    wait_until(lambda: master() not in (old, None) and len(programs.descendants(master())) == 2,
               "no new workers")
    os.kill(old, signal.SIGQUIT)
    wait_until(lambda: old not in programs.descendants(os.getpid()), "the old one goes on")
    served(busy)
    for _ in range(5):
        assert client("curl", "-sSf", url).text == secret
    wire.prove(whole=False)
