"""A client under Gaiter against foreign TLS servers."""

import os

import pytest

from harness.lib import peers
from harness.lib.peers import VERSIONS, talk, talked
from harness.lib.ports import wait_listening

from harness.peers.conftest import SECRET
from harness.peers.test_servers_under_gaiter import SUITES

pytestmark = pytest.mark.tls_only

LINE = SECRET + "\n"
TALK = [f"send:{SECRET}\\n", f"expect:{len(LINE)}", "shutdown", "recv", "close"]
ECHOED = repr(LINE.encode())
REVERSED = repr((SECRET[::-1] + "\n").encode())


class Foreign:
    """Starts foreign servers; each method gives a port that echoes lines."""

    def __init__(self, processes, ports, place, cleanup, identity, ca):
        self.processes = processes
        self.ports = ports
        self.place = place
        self.cleanup = cleanup
        self.identity = identity
        self.ca = ca

    def started(self, port, command):
        wait_listening(port, self.processes.start(command))
        return port

    def openssl(self, version, client_ca=None):
        port = self.ports.free()
        return self.started(port, peers.openssl_server(port, self.identity, version, client_ca))

    def gnutls(self, version, client_ca=None):
        port = self.ports.free()
        return self.started(port, peers.gnutls_server(port, self.identity, version, client_ca))

    def stunnel(self, version, client_ca=None):
        port, clear = self.ports.free(), self.ports.free()
        self.cleanup.callback(peers.Server(clear, peers.echo).stop)
        return self.started(port, peers.stunnel(
            self.place, "server", port, clear, client=False, version=version,
            identity=self.identity, ca=client_ca))

    def python(self, version, client_ca=None):
        port = self.ports.free()
        context = peers.server_context(self.identity, version, client_ca)
        self.cleanup.callback(peers.Server(port, peers.echo, context).stop)
        return port


@pytest.fixture
def foreign(processes, ports, place, cleanup, server_files, ca):
    return Foreign(processes, ports, place, cleanup, server_files, ca)


def answer(server):
    return REVERSED if server == "openssl" else ECHOED


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_auth", ["none", "required"])
@pytest.mark.parametrize("connect", ["connect", "connect-nb"])
@pytest.mark.parametrize("server", ["openssl", "gnutls", "stunnel", "python"])
def test_a_line_there_and_back(foreign, relay, processes, ca, client_side, server, version,
                               client_auth, connect):
    required = client_auth == "required"
    port = getattr(foreign, server)(version, ca if required else None)
    wire = relay(port, [LINE.encode(), SECRET[::-1].encode()])
    client_side.outbound(wire.port, **({"certificate": "client"} if required else {}))
    done = processes.run(talk(f"{connect}:localhost:{wire.port}", *TALK),
                         environment=client_side.environment())
    assert talked(done) == {connect: ["ok"], "send": [str(len(LINE))], "expect": [answer(server)],
                            "shutdown": ["ok"], "recv": ["eof"], "close": ["ok"]}
    wire.prove(connections=1)
    event, = client_side.secured(1, version=f"TLSv{version}", resumed="no",
                                 rule=f"{wire.port}.conf:outbound")
    assert event["peer"] == "localhost"  # the name that was verified
    client_side.nothing_refused()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_auth", ["none", "required"])
@pytest.mark.parametrize("server", ["openssl", "gnutls", "stunnel", "python"])
def test_a_session_is_resumed_within_a_process(foreign, processes, ca, client_side, server,
                                               version, client_auth):
    required = client_auth == "required"
    port = getattr(foreign, server)(version, ca if required else None)
    client_side.outbound(port, **({"certificate": "client"} if required else {}))
    steps = [f"connect:localhost:{port}", *TALK]
    done = processes.run(talk(*steps, *steps), environment=client_side.environment())
    assert talked(done)["expect"] == [answer(server)] * 2
    events = client_side.secured(2, version=f"TLSv{version}")
    assert [event["resumed"] for event in events] == ["no", "yes"]


@pytest.mark.parametrize("version, suite, certificate", SUITES, ids=[row[1] for row in SUITES])
def test_every_suite(processes, ports, place, pki, relay, client_side, version, suite, certificate):
    port = ports.free()
    identity = getattr(pki, certificate).files(place, "server")
    option = "-ciphersuites" if version == "1.3" else "-cipher"
    server = processes.start(peers.openssl_server(port, identity, version,
                                                  extra=("-rev", option, suite)))
    wait_listening(port, server)
    wire = relay(port, [LINE.encode(), SECRET[::-1].encode()])
    client_side.outbound(wire.port)
    done = processes.run(talk(f"connect:localhost:{wire.port}", *TALK),
                         environment=client_side.environment())
    assert talked(done)["expect"] == [REVERSED]
    client_side.secured(1, version=f"TLSv{version}")
    wire.prove(connections=1)


def test_a_chain_with_an_intermediate(processes, ports, place, pki, client_side):
    port = ports.free()
    identity = pki.chained_server.files(place, "chained")
    server = processes.start(peers.openssl_server(port, identity, "1.3"))
    wait_listening(port, server)
    client_side.outbound(port)
    done = processes.run(talk(f"connect:localhost:{port}", *TALK),
                         environment=client_side.environment())
    assert talked(done)["expect"] == [REVERSED]


def test_key_updates_from_openssl(processes, ports, server_files, relay, client_side):
    port = ports.free()
    # s_server tells of a KeyUpdate by printf(3) into a file: without stdbuf at its end only.
    server = processes.start(["stdbuf", "-oL",
                              *peers.openssl_server(port, server_files, "1.3", extra=())],
                             stdin="pipe")
    wait_listening(port, server)
    wire = relay(port, [LINE.encode()])
    client_side.outbound(wire.port)
    rounds = 4
    steps = []
    for number in range(rounds):
        steps += [f"send:{number}{SECRET}\\n", f"expect:{1 + len(LINE)}"]
    client = processes.start(talk(f"connect:localhost:{wire.port}", *steps, "close"),
                             environment=client_side.environment())
    for number in range(rounds):
        line = f"{number}{LINE}".encode()
        server.wait_output(line)
        server.write(b"K\n" if number % 2 else b"k\n")
        server.wait_output(b"SSL_do_handshake -> 1\n", times=number + 1)
        server.write(line)
        client.wait_output(repr(line).encode())
    assert client.wait(10) == 0
    wire.prove(connections=1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_closes_says_close_notify(processes, ports, cleanup, server_files,
                                                client_side, version):
    port = ports.free()
    server = peers.Server(port, peers.echo, peers.server_context(server_files, version))
    cleanup.callback(server.stop)
    client_side.outbound(port)
    processes.run(talk(f"connect:localhost:{port}", "send:hello", "expect:5", "close"),
                  environment=client_side.environment())
    server.join()
    # The server's own close_notify may meet a closed socket; anything else is a truncation.
    assert all(isinstance(error, (BrokenPipeError, ConnectionResetError))
               for error in server.errors), server.errors


def test_a_client_that_exits_with_an_open_connection_says_close_notify(processes, ports, cleanup,
                                                                       server_files, client_side):
    """On plain TCP an exit ends a connection in order; it must not look like truncation."""
    port = ports.free()
    server = peers.Server(port, peers.echo, peers.server_context(server_files))
    cleanup.callback(server.stop)
    client_side.outbound(port)
    processes.run(talk(f"connect:localhost:{port}", "send:hello", "expect:5", "exit"),
                  environment=client_side.environment())
    server.join()
    assert all(isinstance(error, (BrokenPipeError, ConnectionResetError))
               for error in server.errors), server.errors


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_s_close_notify_is_end_of_file(processes, ports, cleanup, server_files,
                                                client_side, version):
    port = ports.free()

    def serve(connection):
        connection.sendall(b"all there is")
        connection.unwrap()

    server = peers.Server(port, serve, peers.server_context(server_files, version))
    cleanup.callback(server.stop)
    client_side.outbound(port)
    done = processes.run(talk(f"connect:localhost:{port}", "recv-all", "recv", "close"),
                         environment=client_side.environment())
    assert talked(done)["recv-all"] == ["12 bytes b'all there is' then eof"]
    assert talked(done)["recv"] == ["eof"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_half_closed_client_still_reads(processes, ports, cleanup, server_files, client_side,
                                          version):
    port = ports.free()

    def serve(connection):
        received = b""
        while data := connection.recv(1000):
            received += data
        connection.sendall(received.upper())
        connection.unwrap()

    server = peers.Server(port, serve, peers.server_context(server_files, version))
    cleanup.callback(server.stop)
    client_side.outbound(port)
    done = processes.run(talk(f"connect:localhost:{port}", "send:hello", "shutdown", "recv-all"),
                         environment=client_side.environment())
    assert talked(done)["recv-all"] == ["5 bytes b'HELLO' then eof"]


@pytest.mark.parametrize("version", VERSIONS)
def test_ten_megabytes_from_openssl(processes, ports, place, server_files, relay, client_side,
                                    version):
    port = ports.free()
    data = os.urandom(5 << 20).hex().encode()
    path = os.path.join(place, "bulk")
    with open(path, "wb") as out:
        out.write(data)
    server = processes.start(peers.openssl_server(port, server_files, version, extra=("-HTTP",)),
                             cwd=place)
    wait_listening(port, server)
    wire = relay(port, [data])
    client_side.outbound(wire.port, truncation="eof")
    done = processes.run(talk(f"connect:localhost:{wire.port}", "send:GET /bulk HTTP/1.0\\n\\n",
                              "recv-all"), environment=client_side.environment())
    assert talked(done)["recv-all"][0].startswith(f"{len(data)} bytes")
    wire.prove()
