"""nc (OpenBSD's): a poll loop, half-closes with -N, and a hundred mebibytes both ways.

nc stops sending when its peer has closed the other direction, on plain TCP too. So the test of both
directions at once lets neither end close, and the tests of -N send one way.
"""

import os
import time

import pytest

from harness.lib.bulk import checksum, make_file
from harness.lib.peers import VERSIONS, openssl_client, openssl_server
from harness.lib.ports import wait_listening


@pytest.fixture
def listening_nc(processes, ports, server_side):
    """nc -l under Gaiter; gives the process and its port."""
    def start(*options, source=None, **settings):
        port = ports.free()
        server_side.inbound(port, **settings)
        server = processes.start(["nc", *options, "-l", "127.0.0.1", port], stdin=source,
                                 environment=server_side.environment())
        wait_listening(port, server)
        return server, port
    return start


@pytest.fixture
def files(place):
    return os.path.join(place, "up"), os.path.join(place, "down")


def wait_size(process, size, timeout):
    """Waits until `process` has written `size` bytes; a size that stands still is a hang."""
    deadline = time.monotonic() + timeout
    while (got := os.path.getsize(process.out_path)) < size:
        assert time.monotonic() < deadline, f"{got} of {size} bytes: {process.argv}"
        time.sleep(0.05)


@pytest.mark.limit(120)
def test_a_hundred_mebibytes_both_ways_at_once(listening_nc, relay, processes, files, server_side,
                                               client_side):
    up, down = files
    secrets = [make_file(up), make_file(down)]
    server, port = listening_nc(source=down, client_auth="required")
    wire = relay(port, secrets)
    client_side.outbound(wire.port, certificate="client")
    client = processes.start(["nc", "127.0.0.1", wire.port], stdin=up,
                             environment=client_side.environment())
    wait_size(client, len(secrets[1]), 90)
    wait_size(server, len(secrets[0]), 30)
    assert checksum(server.out_path) == checksum(secrets[0])
    assert checksum(client.out_path) == checksum(secrets[1])
    wire.prove(connections=1)
    client_side.secured(1, version="TLSv1.3")
    server_side.secured(1)
    client_side.nothing_refused()
    server_side.nothing_refused()


def test_the_client_sends_and_closes(listening_nc, relay, processes, files, client_side,
                                     server_side):
    secret = make_file(files[0], 5 << 20)
    server, port = listening_nc()
    wire = relay(port, [secret])
    client_side.outbound(wire.port)
    processes.run(["nc", "-N", "localhost", wire.port], stdin=files[0],
                  environment=client_side.environment())
    assert server.wait(10) == 0, server.describe()
    assert checksum(server.out_path) == checksum(secret)
    wire.prove(connections=1)
    server_side.nothing_refused()


def test_the_server_sends_and_closes(listening_nc, relay, processes, files, client_side):
    secret = make_file(files[1], 5 << 20)
    server, port = listening_nc("-N", source=files[1])
    wire = relay(port, [secret])
    client_side.outbound(wire.port)
    client = processes.run(["nc", "-d", "localhost", wire.port],
                           environment=client_side.environment())
    assert server.wait(10) == 0, server.describe()
    assert checksum(client.stdout) == checksum(secret)
    wire.prove(connections=1)
    client_side.nothing_refused()


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_openssl_sends_a_file_to_nc(listening_nc, processes, files, ca, version):
    secret = make_file(files[0], 5 << 20)
    server, port = listening_nc()
    processes.run(openssl_client(port, ca, version, extra=("-quiet", "-no_ign_eof")),
                  stdin=files[0])
    assert server.wait(10) == 0, server.describe()
    assert checksum(server.out_path) == checksum(secret)


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_nc_receives_a_file_from_openssl(processes, ports, place, files, pki, client_side, version):
    """s_server is given the file when the handshake is over: with data to send before, it takes
    the client's Finished for data and waits for more in a blocking read."""
    secret = make_file(files[1], 5 << 20)
    port = ports.free()
    feed = os.path.join(place, "feed")
    os.mkfifo(feed)
    keep = os.open(feed, os.O_RDWR)
    server = processes.start(openssl_server(port, pki.server.files(place, "server"), version,
                                            extra=("-quiet", "-naccept", "1")), stdin=feed)
    wait_listening(port, server)
    client_side.outbound(port)
    client = processes.start(["nc", "-d", "localhost", port],
                             environment=client_side.environment())
    client_side.secured(1)
    with open(feed, "wb") as pipe:
        os.close(keep)
        pipe.write(secret)
    assert client.wait(20) == 0, client.describe()
    assert checksum(client.out_path) == checksum(secret)
