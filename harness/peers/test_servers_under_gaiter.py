"""Foreign TLS clients against a server under Gaiter."""

import os
import socket
import ssl

import pytest

from harness.lib import peers
from harness.lib.peers import VERSIONS
from harness.lib.ports import wait_listening

from harness.peers.conftest import SECRET

pytestmark = pytest.mark.tls_only

LINE = (SECRET + "\n").encode()


def by_openssl(processes, port, ca, version, identity, **_):
    converse(processes.start(peers.openssl_client(port, ca, version, identity), stdin="pipe"))


def by_gnutls(processes, port, ca, version, identity, **_):
    converse(processes.start(peers.gnutls_client(port, ca, version, identity), stdin="pipe"))


def converse(client):
    """A line there and back through the standard streams of a TLS client."""
    client.write(LINE)
    client.wait_output(SECRET.encode())
    client.close_stdin()
    assert client.wait(10) == 0, client.describe()


def by_stunnel(processes, port, ca, version, identity, place, ports, **_):
    clear = ports.free()
    tunnel = processes.start(peers.stunnel(place, "client", clear, port, client=True, ca=ca,
                                           version=version, identity=identity,
                                           check_host="localhost"))
    wait_listening(clear, tunnel)
    with socket.create_connection(("127.0.0.1", clear), timeout=20) as connection:
        connection.sendall(LINE)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            assert stream.read() == LINE


def by_python(port, ca, version, identity, **_):
    with peers.connect(port, peers.client_context(ca, version, identity)) as connection:
        connection.sendall(LINE)
        assert connection.recv(1000) == LINE
        connection.unwrap()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_auth", ["none", "optional", "required"])
@pytest.mark.parametrize("client, model", [
    (by_openssl, "edge"), (by_gnutls, "threads"), (by_stunnel, "epoll"), (by_python, "fork"),
], ids=["openssl", "gnutls", "stunnel", "python"])
def test_a_line_there_and_back(echo, relay, processes, ports, place, ca, client_files, server_side,
                               client, model, version, client_auth):
    server, port = echo(model, client_auth=client_auth)
    wire = relay(port, [LINE])
    identity = client_files if client_auth == "required" else None
    client(processes=processes, port=wire.port, ca=ca, version=version, identity=identity,
           place=place, ports=ports)
    server.wait_output(b"closed\n")
    wire.prove(connections=1)
    event, = server_side.secured(1, version=f"TLSv{version}", resumed="no")
    assert ("client.harness" in event["peer"]) == (client_auth == "required")
    server_side.nothing_refused()


@pytest.mark.parametrize("label", ["rsa_server", "chained_server"])
@pytest.mark.parametrize("version", VERSIONS)
def test_rsa_certificates_and_chains(echo, side, processes, ca, pki, label, version):
    one = side("other", {"first": pki.server, "other": getattr(pki, label)}, {"ca": pki.ca})
    _, port = echo(side=one, certificate="other")
    by_openssl(processes, port, ca, version, None)
    by_gnutls(processes, port, ca, version, None)


SUITES = [
    ("1.3", "TLS_AES_128_GCM_SHA256", "server"),
    ("1.3", "TLS_AES_256_GCM_SHA384", "server"),
    ("1.3", "TLS_CHACHA20_POLY1305_SHA256", "server"),
    ("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "server"),
    ("1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", "server"),
    ("1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", "server"),
    ("1.2", "ECDHE-RSA-AES128-GCM-SHA256", "rsa_server"),
    ("1.2", "ECDHE-RSA-AES256-GCM-SHA384", "rsa_server"),
    ("1.2", "ECDHE-RSA-CHACHA20-POLY1305", "rsa_server"),
]


@pytest.mark.parametrize("version, suite, certificate", SUITES, ids=[row[1] for row in SUITES])
def test_every_suite(echo, side, relay, processes, ca, pki, version, suite, certificate):
    one = side("other", {"server": getattr(pki, certificate)}, {"ca": pki.ca})
    _, port = echo(side=one)
    wire = relay(port, [LINE])
    option = "-ciphersuites" if version == "1.3" else "-cipher"
    client = processes.start(peers.openssl_client(wire.port, ca, version, extra=(option, suite)),
                             stdin="pipe")
    converse(client)
    assert suite.encode() in client.stdout()
    one.secured(1, version=f"TLSv{version}")
    wire.prove(connections=1)


@pytest.mark.parametrize("version", VERSIONS)
def test_openssl_resumes_a_session(echo, processes, place, ca, server_side, version):
    _, port = echo()
    session = os.path.join(place, "session")
    for option, word in (("-sess_out", b"New, TLS"), ("-sess_in", b"Reused, TLS")):
        client = processes.start(peers.openssl_client(port, ca, version, extra=(option, session)),
                                 stdin="pipe")
        converse(client)
        assert word in client.stdout(), client.describe()
    events = server_side.secured(2, version=f"TLSv{version}")
    assert [event["resumed"] for event in events] == ["no", "yes"]


@pytest.mark.parametrize("version", VERSIONS)
def test_gnutls_resumes_a_session(echo, processes, ca, server_side, version):
    _, port = echo()
    client = processes.start(
        peers.gnutls_client(port, ca, version, extra=("--inline-commands",)), stdin="pipe")
    client.write(LINE)
    client.wait_output(SECRET.encode())
    client.write(b"^resume^\n")
    client.wait_output(b"This is a resumed session")
    client.write(b"again" + LINE)
    client.wait_output(b"again" + SECRET.encode())
    client.close_stdin()
    assert client.wait(10) == 0, client.describe()
    events = server_side.secured(2, version=f"TLSv{version}")
    assert [event["resumed"] for event in events] == ["no", "yes"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_python_resumes_a_session(echo, ca, client_files, server_side, version, client_auth):
    _, port = echo(client_auth=client_auth)
    identity = client_files if client_auth == "required" else None
    context = peers.client_context(ca, version, identity)
    session = None
    for resumed in (False, True):
        with peers.connect(port, context, session) as connection:
            connection.sendall(LINE)
            assert connection.recv(1000) == LINE
            assert connection.session_reused == resumed
            session = connection.session
            connection.unwrap()
    first, second = server_side.secured(2)
    assert (first["resumed"], second["resumed"]) == ("no", "yes")
    if client_auth == "required":
        assert "client.harness" in second["peer"]


def test_key_updates_from_openssl(echo, relay, processes, ca):
    """`k` updates the client's keys, `K` asks for the server's as well."""
    _, port = echo("edge")
    wire = relay(port, [LINE])
    client = processes.start(peers.openssl_client(wire.port, ca, "1.3"), stdin="pipe")
    for number, command in enumerate((b"", b"k\n", b"K\n", b"K\n", b"k\n")):
        client.write(command)
        client.wait_output(b"KEYUPDATE\n", times=number)
        line = f"{number}{SECRET}"
        client.write(line.encode() + b"\n")
        client.wait_output(line.encode())
    client.close_stdin()
    assert client.wait(10) == 0, client.describe()
    wire.prove(connections=1)


def test_key_updates_from_gnutls(echo, processes, ca):
    _, port = echo("threads")
    client = processes.start(peers.gnutls_client(port, ca, "1.3", extra=("--inline-commands",)),
                             stdin="pipe")
    client.wait_output(b"Simple Client Mode")
    for number in range(3):
        line = f"{number}{SECRET}"
        client.write(line.encode() + b"\n")
        client.wait_output(line.encode())
        client.write(b"^rekey^\n")
    client.close_stdin()
    assert client.wait(10) == 0, client.describe()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_closes_says_close_notify(processes, ports, ca, server_side, version):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(peers.talk(f"listen:{port}", "accept", "recv", "send:bye", "close",
                                        "sleep:30"), environment=server_side.environment())
    wait_listening(port, server)
    with peers.connect(port, peers.client_context(ca, version)) as connection:
        connection.sendall(LINE)
        assert connection.recv(100) == b"bye"
        assert connection.recv(100) == b""  # would raise SSLEOFError without close_notify


def test_a_server_that_exits_with_an_open_connection_says_close_notify(processes, ports, ca,
                                                                       server_side):
    """On plain TCP an exit ends a connection in order; it must not look like truncation."""
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(peers.talk(f"listen:{port}", "accept", "recv", "send:bye", "exit"),
                             environment=server_side.environment())
    wait_listening(port, server)
    with peers.connect(port, peers.client_context(ca)) as connection:
        connection.sendall(LINE)
        assert connection.recv(100) == b"bye"
        assert connection.recv(100) == b""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_s_close_notify_is_end_of_file(echo, ca, version):
    server, port = echo()
    with peers.connect(port, peers.client_context(ca, version)) as connection:
        connection.sendall(LINE)
        assert connection.recv(1000) == LINE
        connection.unwrap()
    server.wait_output(b"closed\n")


def test_a_server_may_answer_after_the_client_s_close_notify(processes, ports, ca, server_side):
    """Half-close: the client has ended its direction, the server's goes on."""
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(
        peers.talk(f"listen:{port}", "accept", "recv-all", "sleep:0.2", "send:late", "close"),
        environment=server_side.environment())
    wait_listening(port, server)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        tls = peers.client_context(ca).wrap_bio(incoming, outgoing, server_hostname="localhost")

        def until(call, *arguments):
            while True:
                try:
                    result = call(*arguments)
                    raw.sendall(outgoing.read())
                    return result
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))

        until(tls.do_handshake)
        tls.write(LINE)
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()  # sends close_notify; there is none from the server yet
        raw.sendall(outgoing.read())
        late = b""
        while not late:
            incoming.write(raw.recv(65536))
            # After its own close_notify OpenSSL reads no more data: look at the record's length.
            late = incoming.read()
        assert late[0] == 23
    assert b"41 bytes" in server.wait_output(b"then eof")


@pytest.mark.parametrize("model", ["threads", "epoll", "edge", "fork"])
def test_a_megabyte_in_each_model_of_server(echo, relay, ca, model):
    _, port = echo(model)
    data = os.urandom(1 << 19).hex().encode()
    wire = relay(port, [data])
    with peers.connect(wire.port, peers.client_context(ca)) as connection:
        got = b""
        for at in range(0, len(data), 50_000):
            piece = data[at:at + 50_000]
            connection.sendall(piece)
            want = len(got) + len(piece)
            while len(got) < want:
                got += connection.recv(65536)
        connection.unwrap()
    assert got == data
    wire.prove(connections=1)
