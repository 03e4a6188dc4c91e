"""socat: a select loop, half-closes, a hundred mebibytes both ways; its own OpenSSL as a peer."""

import os

import pytest

from harness.lib.bulk import checksum, make_file
from harness.lib.peers import VERSIONS
from harness.lib.ports import wait_listening

# Waits this long for the other direction after one has ended, and moves large blocks.
SOCAT = ["socat", "-t", "60", "-b", "65536"]


def protected(processes, ports, server_side, source, **settings):
    port = ports.free()
    server_side.inbound(port, **settings)
    server = processes.start([*SOCAT, f"TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr", "STDIO"],
                             stdin=source, environment=server_side.environment())
    wait_listening(port, server)
    return server, port


@pytest.fixture
def files(place):
    return os.path.join(place, "up"), os.path.join(place, "down")


@pytest.mark.limit(120)
def test_a_hundred_mebibytes_both_ways_at_once(relay, processes, ports, files, server_side,
                                               client_side):
    up, down = files
    secrets = [make_file(up), make_file(down)]
    server, port = protected(processes, ports, server_side, down)
    wire = relay(port, secrets)
    client_side.outbound(wire.port)
    client = processes.start([*SOCAT, f"TCP4:localhost:{wire.port}", "STDIO"], stdin=up,
                             environment=client_side.environment())
    assert client.wait(100) == 0, client.describe()
    assert server.wait(10) == 0, server.describe()
    assert checksum(server.out_path) == checksum(secrets[0])
    assert checksum(client.out_path) == checksum(secrets[1])
    wire.prove(connections=1)
    client_side.secured(1, version="TLSv1.3")
    client_side.nothing_refused()
    server_side.nothing_refused()


def test_a_forking_server_serves_each_client_in_a_child(relay, processes, ports, server_side,
                                                        client_side):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([*SOCAT, f"TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork",
                              "SYSTEM:tr a-z A-Z"], environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [b"hidden message of client"])
    client_side.outbound(wire.port)
    for number in range(3):
        text = f"hidden message of client {number}\n"
        source = os.path.join(processes.place, f"text{number}")
        with open(source, "w", encoding="ascii") as out:
            out.write(text)
        done = processes.run([*SOCAT, f"TCP4:localhost:{wire.port}", "STDIO"], stdin=source,
                             environment=client_side.environment())
        assert done.text == text.upper()
    wire.prove(connections=3)
    assert len({event.pid for event in server_side.secured(3)}) in (0, 3)


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_socat_with_its_own_tls_and_a_server_under_gaiter(processes, ports, place, files, ca, pki,
                                                          server_side, version):
    up, down = files
    secrets = [make_file(up, 5 << 20), make_file(down, 5 << 20)]
    server, port = protected(processes, ports, server_side, down, client_auth="required")
    certificate, key = pki.client.files(place, "client")
    client = processes.run(
        [*SOCAT, f"OPENSSL:localhost:{port},pf=ip4,cafile={ca},cert={certificate},key={key},"
         f"openssl-min-proto-version=TLS{version},openssl-max-proto-version=TLS{version}",
         "STDIO"], stdin=up)
    assert server.wait(10) == 0, server.describe()
    assert client.stdout == secrets[1]
    assert server.stdout() == secrets[0]
    server_side.secured(1, version=f"TLSv{version}")


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_under_gaiter_and_socat_with_its_own_tls(processes, ports, place, files, ca, pki,
                                                          client_side, version):
    up, down = files
    secrets = [make_file(up, 5 << 20), make_file(down, 5 << 20)]
    port = ports.free()
    certificate, key = pki.server.files(place, "server")
    server = processes.start(
        [*SOCAT, f"OPENSSL-LISTEN:{port},pf=ip4,reuseaddr,cafile={ca},cert={certificate},"
         f"key={key},openssl-min-proto-version=TLS{version},"
         f"openssl-max-proto-version=TLS{version}", "STDIO"], stdin=down)
    wait_listening(port, server)
    client_side.outbound(port, certificate="client")
    client = processes.run([*SOCAT, f"TCP4:localhost:{port}", "STDIO"], stdin=up,
                           environment=client_side.environment())
    assert server.wait(10) == 0, server.describe()
    assert client.stdout == secrets[1]
    assert server.stdout() == secrets[0]
    client_side.secured(1, version=f"TLSv{version}")
