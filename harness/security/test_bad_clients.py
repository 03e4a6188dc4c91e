"""What a client may do wrong to a server under Gaiter: the errno that the program sees, and the
line in the log. The program sees ECONNRESET, as from any peer that went away."""

import os
import socket
import ssl
import time

import pytest

from harness.lib import peers
from harness.lib.peers import VERSIONS, talk
from harness.lib.ports import wait_listening
from harness.lib.quiet import growth_while_quiet

from harness.security.conftest import SECRET, client_hello, ended, raw_connection, reset, rest

pytestmark = pytest.mark.tls_only

RESET = "ECONNRESET"


def assert_refused(server, side, cause):
    """The server's first recv() and all that followed failed alike, and the log says why."""
    results = ended(server)
    assert results["accept"] == ["ok"]
    assert set(results["recv"]) == {RESET}, results
    assert all(result == RESET for result in results.get("send", [])), results
    event, = side.refused(cause, RESET)
    assert event["local"].startswith("127.0.0.1:") and event["remote"].startswith("127.0.0.1:")
    assert event["rule"].endswith(":inbound")
    return event


def assert_only_an_alert(data):
    """A refused peer may get one alert record, never a byte of what the program sends."""
    assert data == b"" or (data[0] == 21 and len(data) == 7), data


def test_a_plain_client_gets_nothing(serve, server_side):
    server, port = serve("recv", f"send:{SECRET}", "recv", "close")
    with raw_connection(port) as connection:
        connection.sendall(b"PING\r\n")
        assert_only_an_alert(rest(connection))
    event = assert_refused(server, server_side, "not_tls")
    assert event.get("advice"), event.text


def test_what_came_before_a_reset_is_not_read(processes, ports, place, server_side):
    """By the time that the program accepts, the kernel does not know the peer's address any more,
    but has its bytes still."""
    port = ports.free()
    gone = os.path.join(place, "gone")
    server_side.inbound(port)
    server = processes.start(talk(f"listen:{port}", f"wait:{gone}", "accept", "recv", "recv"),
                             environment=server_side.environment())
    server.wait_output(b"listen ok")
    connection = raw_connection(port)
    connection.sendall(SECRET.encode())
    reset(connection)
    with open(gone, "wb"):
        pass
    results = ended(server)
    assert results["accept"] == ["ok"] and set(results["recv"]) == {RESET}, results
    assert len(server_side.log.refused()) == 1


@pytest.mark.parametrize("data, causes", [
    (b"\0" * 500, ["not_tls"]),
    (b"\xff" * 500, ["not_tls"]),
    (b"\x16\x03\x01\x02\x00" + os.urandom(512), ["protocol"]),  # a handshake record of nonsense
    (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", ["protocol"]),   # an empty ClientHello
    (b"\x17\x03\x03\x00\x10" + os.urandom(16), ["protocol", "not_tls"]),
    (b"\x16\x03\x01\xff\xff" + os.urandom(700), ["protocol", "not_tls"]),
    (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\0" * 37, ["protocol", "not_tls"]),
], ids=["zeros", "ones", "nonsense", "empty-hello", "data-first", "too-long", "ssl2"])
def test_garbage(serve, server_side, data, causes):
    server, port = serve("recv", "recv", "close")
    with raw_connection(port) as connection:
        connection.sendall(data)
        assert_only_an_alert(rest(connection))
    results = ended(server)
    assert set(results["recv"]) == {RESET}
    events = server_side.log.wait("refused")
    # A first record that no client sends is "not TLS" or "bad TLS": as one likes.
    assert events[0]["cause"] in causes, events[0].text
    assert events[0]["errno"] == RESET


@pytest.mark.parametrize("sent", [0, 1, 5, 100], ids=["nothing", "one-byte", "header", "half"])
def test_a_silent_client_meets_the_deadline(serve, server_side, sent):
    server, port = serve("recv", "recv", "close", handshake_timeout=1)
    began = time.monotonic()
    with raw_connection(port) as connection:
        connection.sendall(client_hello()[:sent])
        assert_only_an_alert(rest(connection))
    assert_refused(server, server_side, "deadline")
    assert 0.9 < time.monotonic() - began < 10


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_stops_after_its_hello_meets_the_deadline(serve, server_side, version):
    server, port = serve("recv", "recv", "close", handshake_timeout=1)
    with raw_connection(port) as connection:
        connection.sendall(client_hello(version))
        assert rest(connection)[0] == 22
    assert_refused(server, server_side, "deadline")


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("sent", [40, None], ids=["half-a-hello", "hello"])
def test_a_client_that_goes_away_in_mid_handshake(serve, server_side, how, sent):
    server, port = serve("recv", "recv", "close")
    connection = raw_connection(port)
    hello = client_hello()
    connection.sendall(hello[:sent])
    if sent is None:
        connection.recv(65536)
    else:
        time.sleep(0.1)
    if how == "reset":
        reset(connection)
    else:
        connection.close()
    assert_refused(server, server_side, "peer_closed")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client, cause, alert", [
    (None, "no_certificate", {"1.3": "certificate required", "1.2": "handshake failure"}),
    ("stranger_client", "untrusted", "unknown ca"),
    ("expired_client", "expired", "certificate expired"),
], ids=["missing", "untrusted", "expired"])
def test_a_client_certificate_that_will_not_do(serve, server_side, place, ca, pki, version, client,
                                               cause, alert):
    server, port = serve("recv", "recv", "close", client_auth="required")
    identity = getattr(pki, client).files(place, "bad-client") if client else None
    alert = alert[version] if isinstance(alert, dict) else alert
    with pytest.raises(ssl.SSLError, match=alert):
        with peers.connect(port, peers.client_context(ca, version, identity)) as connection:
            connection.sendall(SECRET.encode())  # TLS 1.3 tells the client only at its next read
            connection.recv(100)
    assert_refused(server, server_side, cause)


@pytest.mark.parametrize("client, cause", [("stranger_client", "untrusted"),
                                           ("expired_client", "expired")])
def test_an_optional_certificate_must_be_good_all_the_same(serve, server_side, place, ca, pki,
                                                           client, cause):
    server, port = serve("recv", "recv", "close", client_auth="optional")
    identity = getattr(pki, client).files(place, "bad-client")
    with pytest.raises(ssl.SSLError):
        with peers.connect(port, peers.client_context(ca, "1.3", identity)) as connection:
            connection.recv(100)
    assert_refused(server, server_side, cause)


@pytest.mark.parametrize("options", [
    ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"),
    ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),
    ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"),
], ids=["tls1.1", "cbc", "rsa-key-exchange", "dhe"])
def test_old_tls_is_refused(serve, server_side, processes, ca, options):
    server, port = serve("recv", "recv", "close")
    done = processes.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca,
                          *options], check=False)
    assert done.status != 0 and "alert" in done.errors, done.description
    assert_refused(server, server_side, "protocol")


def test_min_version_refuses_tls_1_2(serve, server_side, ca):
    server, port = serve("recv", "recv", "close", min_version="TLSv1.3")
    with pytest.raises(ssl.SSLError, match="protocol version"):
        peers.connect(port, peers.client_context(ca, "1.2"))
    assert_refused(server, server_side, "protocol")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_refuses_our_certificate(serve, server_side, place, pki, version):
    server, port = serve("recv", "recv", "close")
    stranger = os.path.join(place, "stranger.pem")
    with open(stranger, "wb") as out:
        out.write(pki.stranger_ca.certificate_pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        peers.connect(port, peers.client_context(stranger, version))
    event = assert_refused(server, server_side, "peer_refused")
    assert "unknown_ca" in event["reason"] or "unknown ca" in event["reason"], event.text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("truncation, end", [("error", RESET), ("eof", "eof")])
def test_fin_without_close_notify(serve, server_side, ca, version, truncation, end):
    server, port = serve("recv-all", "recv", "close", truncation=truncation)
    with peers.connect(port, peers.client_context(ca, version)) as connection:
        connection.sendall(b"hello")
        socket.socket.shutdown(connection, socket.SHUT_WR)  # of the socket below: no close_notify
        results = ended(server)
    assert results["recv-all"] == [f"5 bytes b'hello' then {end}"]
    assert results["recv"] == [end]
    if truncation == "error":
        event, = server_side.log.wait("broken")
        assert event["cause"] == "truncated", event.text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_flipped_bit_ends_the_connection(serve, relay, server_side, ca, version):
    server, port = serve("recv", "recv", "recv", "close")
    data_records = []

    def flip(upward, _index, record):
        if upward and record[0] == 23 and data_records:
            middle = len(record) // 2
            return record[:middle] + bytes([record[middle] ^ 4]) + record[middle + 1:]
        return record

    wire = relay(port, [SECRET.encode()], mutate=flip)
    with peers.connect(wire.port, peers.client_context(ca, version)) as connection:
        connection.sendall(b"good")
        server.wait_output(b"b'good'")
        data_records.append(True)
        connection.sendall(SECRET.encode())
        with pytest.raises(ssl.SSLError, match="bad record mac"):
            connection.recv(100)
    results = ended(server)
    assert results["recv"] == ["b'good'", RESET, RESET]
    event, = server_side.log.wait("broken")
    assert "authentic" in event["reason"], event.text
    wire.prove()


def test_a_reset_of_an_open_connection(serve, ca):
    server, port = serve("recv", "recv", "recv", "close")
    connection = peers.connect(port, peers.client_context(ca))
    connection.sendall(b"good")
    server.wait_output(b"b'good'")
    reset(connection)
    assert ended(server)["recv"][:2] == ["b'good'", RESET]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("model", ["epoll", "edge", "threads"])
def test_three_hundred_stalled_handshakes_do_not_disturb_an_open_connection(
        processes, ports, server_side, ca, model):
    port = ports.free()
    server_side.inbound(port, handshake_timeout=60)
    server = processes.start(peers.echo_server(port, model), environment=server_side.environment())
    wait_listening(port, server)
    context = peers.client_context(ca)
    hello = client_hello()
    stalled = []
    with peers.connect(port, context) as established:
        def round_trip(connection):
            connection.sendall(SECRET.encode())
            assert connection.recv(1000) == SECRET.encode()

        round_trip(established)
        for number in range(300):
            one = raw_connection(port)
            one.sendall((b"", hello[:number % 200], hello)[number % 3])
            stalled.append(one)
            if number % 10 == 0:
                round_trip(established)
        used = growth_while_quiet(lambda: cpu_seconds(server.pid), 1)
        assert used < 0.3, "busy while all that it has is stalled"
        for _ in range(20):
            round_trip(established)
        with peers.connect(port, context) as late:
            round_trip(late)
            late.unwrap()
        established.unwrap()
    for one in stalled:
        one.close()
