"""HAProxy, sealed on both sides: threads, splice between its two sockets, a master that starts
itself anew on SIGUSR2."""

import os
import signal
import time

import pytest

from harness.lib import processes as programs
from harness.lib.bulk import checksum, make_file
from harness.lib.ports import wait_listening

CONFIGURATION = """
global
  nbthread 2
defaults
  mode {mode}
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  option splice-auto
listen front
  bind 127.0.0.1:{front}
  server back localhost:{back}
"""


@pytest.fixture
def data(folder):
    return make_file(folder("www") + "/file", 5 << 20)


@pytest.fixture
def haproxy(processes, serve, reach, ports, place, write, data, side, pki):
    """Starts nginx and HAProxy before it; gives HAProxy's process, port, side, and the wire between
    the two."""
    def start(mode, *options):
        back, front = ports.free(), ports.free()
        proxy = side("proxy", {"server": pki.server}, {"ca": pki.ca})
        lighttpd = write("lighttpd.conf", f'server.document-root = "{place}/www"\n'
                         f'server.bind = "127.0.0.1"\nserver.port = {back}\n')
        serve(back, "lighttpd", "-D", "-f", lighttpd)
        inner = reach(back, data, side=proxy)
        conf = write("haproxy.cfg", CONFIGURATION.format(mode=mode, front=front, back=inner.port))
        server = serve(front, "haproxy", "-f", conf, *options, side=proxy)
        return server, front, proxy, inner
    return start


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_a_file_crosses_both_sealed_connections(haproxy, reach, client, place, data, mode):
    _, front, proxy, inner = haproxy(mode)
    outer = reach(front, data)
    base = f"http://localhost:{outer.port}/file"
    client("curl", "-sSf", "-o", place + "/got", "-o", place + "/again", base, base)
    assert checksum(place + "/got") == checksum(place + "/again") == checksum(data)
    outer.prove(connections=1)
    inner.prove()
    proxy.nothing_refused()


def test_the_master_starts_itself_anew(haproxy, reach, client, data):
    server, front, proxy, _ = haproxy("http", "-W")
    outer = reach(front, data)
    url = f"http://localhost:{outer.port}/file"
    assert checksum(client("curl", "-sSf", url).stdout) == checksum(data)
    before = set(programs.descendants(server.pid))
    server.send_signal(signal.SIGUSR2)
    deadline = time.monotonic() + 15
    while not set(programs.descendants(server.pid)) - before:
        assert time.monotonic() < deadline, "no new worker"
        time.sleep(0.05)
    wait_listening(front, server)
    assert checksum(client("curl", "-sSf", url).stdout) == checksum(data)
    outer.prove()
    proxy.nothing_refused()
    assert os.path.exists(f"/proc/{server.pid}")
