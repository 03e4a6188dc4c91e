"""What a server may do wrong to a client under Gaiter: the errno of connect(), blocking or not, and
of everything after it, and the line in the log."""

import os
import socket
import ssl
import time

import pytest

from harness.lib.peers import VERSIONS

from harness.security.conftest import SECRET, reset

pytestmark = pytest.mark.tls_only

CONNECTS = ["connect", "connect-nb"]
AFTER = (f"send:{SECRET}", "recv", "close")


def assert_refused(results, side, cause, errno):
    """connect() failed, and so did what a careless program tries after it; the log says why."""
    assert results["connect"] == [errno], results
    assert results["send"] != [str(len(SECRET))], results
    event, = side.refused(cause, errno)
    assert event["rule"].endswith(":outbound")
    return event


@pytest.mark.parametrize("connect", CONNECTS)
@pytest.mark.parametrize("greeting", [
    b"220 mail ready\r\n", b"\0" * 100, b"HTTP/1.0 400 Bad\r\n\r\n", b"\x15\x03\x01",
], ids=["smtp", "zeros", "http", "part"])
def test_a_plain_server_that_talks_first(raw_server, relay, dial, client_side, connect, greeting):
    heard = []

    def serve(connection):
        connection.sendall(greeting)
        connection.shutdown(socket.SHUT_WR)
        try:
            while data := connection.recv(1000):
                heard.append(data)
        except ConnectionResetError:
            pass

    _, port = raw_server(serve)
    results = dial(port, *AFTER, connect=connect)
    if greeting == b"\x15\x03\x01":  # the beginning of an alert, and no more
        assert results["connect"] == ["ECONNRESET"]
        client_side.refused("peer_closed", "ECONNRESET")
    else:
        assert_refused(results, client_side, "not_tls", "EPROTO")
    assert SECRET.encode() not in b"".join(heard)


@pytest.mark.parametrize("connect", CONNECTS)
def test_a_plain_server_that_answers_the_hello(raw_server, dial, client_side, connect):
    def serve(connection):
        connection.recv(1000)
        connection.sendall(b"-ERR unknown command\r\n")
        connection.recv(1000)

    _, port = raw_server(serve)
    assert_refused(dial(port, *AFTER, connect=connect), client_side, "not_tls", "EPROTO")


@pytest.mark.parametrize("connect", CONNECTS)
def test_a_silent_server_meets_the_deadline(raw_server, dial, client_side, connect):
    _, port = raw_server(lambda connection: connection.recv(1 << 16) and connection.recv(1 << 16))
    began = time.monotonic()
    results = dial(port, *AFTER, connect=connect, handshake_timeout=1)
    assert_refused(results, client_side, "deadline", "ETIMEDOUT")
    assert 0.9 < time.monotonic() - began < 10


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("connect", CONNECTS)
@pytest.mark.parametrize("server, cause, errno, alert", [
    ("stranger_server", "untrusted", "EKEYREJECTED", "unknown ca"),
    ("expired_server", "expired", "EKEYEXPIRED", "certificate expired"),
    ("future_server", "expired", "EKEYEXPIRED", "bad certificate|certificate expired"),
    ("misnamed_server", "wrong_name", "EKEYREJECTED", "bad certificate|certificate unknown"),
], ids=["untrusted", "expired", "future", "misnamed"])
def test_a_server_certificate_that_will_not_do(tls_server, relay, dial, client_side, pki, connect,
                                               server, cause, errno, alert, version):
    foreign, port = tls_server(getattr(pki, server), version=version)
    wire = relay(port, [SECRET.encode()])
    results = dial(wire.port, *AFTER, connect=connect)
    event = assert_refused(results, client_side, cause, errno)
    assert event.get("advice"), event.text
    foreign.join()
    error, = foreign.errors
    assert isinstance(error, ssl.SSLError), error
    reason = str(error).lower()
    assert any(word in reason for word in alert.split("|")), f"{reason!r} is no alert {alert}"
    wire.prove()


@pytest.mark.parametrize("server, verify, wanted", [
    ("misnamed_server", "chain", "ok"),
    ("misnamed_server", "none", "ok"),
    ("stranger_server", "chain", "EKEYREJECTED"),
    ("stranger_server", "none", "ok"),
    ("expired_server", "chain", "EKEYEXPIRED"),
    ("expired_server", "none", "ok"),
])
def test_verify_asks_for_as_much_as_it_says(tls_server, dial, pki, server, verify, wanted):
    _, port = tls_server(getattr(pki, server))
    assert dial(port, verify=verify)["connect"] == [wanted]


def test_server_name_of_the_policy_is_the_name_to_verify(tls_server, dial, pki):
    _, port = tls_server(pki.misnamed_server)
    assert dial(port, server_name="somewhere-else.example")["connect"] == ["ok"]
    _, port = tls_server(pki.server)
    assert dial(port, server_name="somewhere-else.example")["connect"] == ["EKEYREJECTED"]


def test_an_address_is_verified_as_an_address(tls_server, dial, pki, client_side):
    _, port = tls_server(pki.server)
    assert dial(port, name="127.0.0.1")["connect"] == ["ok"]
    _, port = tls_server(pki.misnamed_server)
    assert dial(port, name="127.0.0.1")["connect"] == ["EKEYREJECTED"]
    client_side.refused("wrong_name", "EKEYREJECTED")


@pytest.mark.parametrize("connect", CONNECTS)
def test_a_server_that_wants_a_certificate_tls_1_2(tls_server, dial, client_side, pki, ca, connect):
    """Before the handshake is over, and so at connect()."""
    _, port = tls_server(pki.server, version="1.2", client_ca=ca)
    results = dial(port, *AFTER, connect=connect)
    assert results["connect"] in (["ENOKEY"], ["EPROTO"]), results
    event, = client_side.log.wait("refused")
    assert event["cause"] in ("no_certificate", "peer_refused"), event.text


def test_a_server_that_wants_a_certificate_tls_1_3(tls_server, dial, client_side, pki, ca):
    """TLS 1.3 tells the client after its handshake is over: so at the next read. The log has the
    alert."""
    _, port = tls_server(pki.server, client_ca=ca)
    results = dial(port, "recv", "recv", "close")
    assert results["connect"] == ["ok"]
    assert all(result in ("ENOKEY", "ECONNRESET") for result in results["recv"]), results
    assert "certificate" in client_side.log.wait("broken")[0].text


def test_min_version_refuses_tls_1_2(tls_server, dial, client_side, pki):
    _, port = tls_server(pki.server, version="1.2")
    event = assert_refused(dial(port, *AFTER, min_version="TLSv1.3"), client_side, "peer_refused",
                           "EPROTO")
    assert "protocol_version" in event["reason"], event.text


@pytest.mark.parametrize("connect", CONNECTS)
@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_server_that_goes_away_in_mid_handshake(raw_server, dial, client_side, connect, how):
    def serve(connection):
        connection.recv(1000)
        reset(connection) if how == "reset" else connection.close()

    _, port = raw_server(serve)
    results = dial(port, *AFTER, connect=connect)
    # A reset in the middle is the reset that plain TCP would report; so is an early end.
    assert_refused(results, client_side, "peer_closed", "ECONNRESET")


@pytest.mark.parametrize("data", [
    b"\x16\x03\x03\x01\x00" + os.urandom(256),
    b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
    b"\x17\x03\x03\x00\x20" + os.urandom(32),
    b"\x16\x03\x03\xff\xff" + os.urandom(300),
], ids=["nonsense", "empty-hello", "data-first", "too-long"])
def test_garbage_in_tls_records(raw_server, dial, client_side, data):
    def serve(connection):
        connection.recv(1000)
        connection.sendall(data)
        connection.recv(1000)

    _, port = raw_server(serve)
    results = dial(port, *AFTER)
    assert results["connect"] == ["EPROTO"]
    event, = client_side.log.wait("refused")
    assert event["cause"] in ("protocol", "not_tls"), event.text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("truncation, end", [("error", "ECONNRESET"), ("eof", "eof")])
def test_fin_without_close_notify(tls_server, dial, client_side, pki, version, truncation, end):
    def serve(connection):
        connection.sendall(b"hello")
        socket.socket.shutdown(connection, socket.SHUT_WR)
        time.sleep(0.5)

    _, port = tls_server(pki.server, serve, version)
    results = dial(port, "recv-all", "recv", truncation=truncation)
    assert results["recv-all"] == [f"5 bytes b'hello' then {end}"]
    assert results["recv"] == [end]
    if truncation == "error":
        event, = client_side.log.wait("broken")
        assert event["cause"] == "truncated", event.text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_flipped_bit_ends_the_connection(tls_server, relay, dial, client_side, pki, version):
    harm = []

    def serve(connection):
        connection.sendall(b"good")
        assert connection.recv(100) == b"more"
        harm.append(True)
        connection.sendall(SECRET.encode())
        connection.recv(100)

    def flip(upward, _index, record):
        if not upward and harm:
            middle = len(record) // 2
            return record[:middle] + bytes([record[middle] ^ 64]) + record[middle + 1:]
        return record

    foreign, port = tls_server(pki.server, serve, version)
    wire = relay(port, [SECRET.encode()], mutate=flip)
    results = dial(wire.port, "recv", "send:more", "recv", "recv", "close")
    assert results["recv"] == ["b'good'", "ECONNRESET", "ECONNRESET"]
    event, = client_side.log.wait("broken")
    assert "authentic" in event["reason"], event.text
    foreign.join()
    assert "bad record mac" in str(foreign.errors[0]).lower()
    wire.prove()


@pytest.mark.parametrize("connect", CONNECTS)
def test_a_refused_tcp_connection_is_just_refused(ports, dial, client_side, connect):
    """What plain TCP reports is reported as it is, and is no refusal of Gaiter's."""
    assert dial(ports.free(), connect=connect)["connect"] == ["ECONNREFUSED"]
    client_side.nothing_refused()
