"""The wire proof sees what it must see, and nothing that is not there."""

import os
import socket
import ssl
import time

import pytest

from harness.lib import peers
from harness.lib.relay import Relay
from harness.lib.wire import PlaintextSearch, Secrets, TlsRecords

SECRET = os.urandom(24).hex().encode()


@pytest.fixture
def tls_echo(place, ports, pki, cleanup):
    """A TLS echo server of Python's ssl; gives its port."""
    port = ports.free()
    context = peers.server_context(pki.server.files(place, "server"))
    server = peers.Server(port, peers.echo, context)
    cleanup.callback(server.stop)
    return port


@pytest.fixture
def recording(ports, cleanup):
    def start(target, secrets=(SECRET,), **options):
        one = Relay(ports.free(), target, secrets, **options)
        cleanup.callback(one.stop)
        return one
    return start


def exchange(connection, data):
    connection.sendall(data)
    received = b""
    while len(received) < len(data):
        received += connection.recv(65536)
    return received


def test_tls_traffic_passes_the_wire_proof(tls_echo, recording, ca):
    relay = recording(tls_echo)
    with peers.connect(relay.port, peers.client_context(ca)) as connection:
        assert exchange(connection, SECRET * 1000) == SECRET * 1000
        connection.unwrap()
    proof = relay.prove(connections=1)
    assert proof.bytes > 2 * len(SECRET) * 1000
    assert relay.connections[0].upward.records.counts[23] >= 3


def test_plain_traffic_is_found_and_is_not_tls(ports, recording, cleanup):
    port = ports.free()
    server = peers.Server(port, peers.echo)
    cleanup.callback(server.stop)
    relay = recording(port)
    with socket.create_connection(("127.0.0.1", relay.port)) as connection:
        assert exchange(connection, b"SET key " + SECRET) == b"SET key " + SECRET
    assert repr(SECRET[:8]) in relay.found()
    with pytest.raises(AssertionError, match="plaintext"):
        relay.prove()


@pytest.mark.parametrize("length, seen", [(7, False), (8, True)])
@pytest.mark.parametrize("cut", [0, 1, 5, 8, 100])
def test_a_window_of_eight_bytes_is_found_across_chunks(length, seen, cut):
    search = PlaintextSearch(Secrets([SECRET]))
    noise = bytes(range(200, 256)) * 50
    stream = noise + SECRET[11:11 + length] + noise
    middle = len(noise) + cut
    search.feed(stream[:middle])
    search.feed(stream[middle:])
    assert (search.found is not None) == seen


def test_search_of_ciphertext_is_quick_and_finds_one_planted_window():
    megabytes = 64
    secret = os.urandom(1 << 20).hex().encode()
    search = PlaintextSearch(Secrets([secret]))
    began = time.monotonic()
    for _ in range(megabytes * 4):
        search.feed(os.urandom(1 << 18))
    assert search.found is None
    assert time.monotonic() - began < 20
    search.feed(b"\0" * 1000 + secret[777_777:777_785] + b"\0")
    assert "plaintext" in search.found


def record(kind, body, version=b"\x03\x03"):
    return bytes([kind]) + version + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize("size", [1, 2, 5, 6, 1000])
def test_records_are_parsed_in_pieces_of_any_size(size):
    stream = record(22, b"hello" * 40, b"\x03\x01") + record(20, b"\1") + record(23, b"x" * 300)
    records = TlsRecords()
    for at in range(0, len(stream), size):
        records.feed(stream[at:at + size])
    assert records.fault is None
    assert records.at_boundary
    assert records.counts == {20: 1, 21: 0, 22: 1, 23: 1}
    assert records.first_fragment == (b"hello" * 40)[:64]


@pytest.mark.parametrize("stream", [
    b"PING\r\n",
    record(23, b"x"),                                   # no handshake before
    record(22, b"x") + record(24, b"x"),                # heartbeat
    record(22, b"x") + record(23, b"x", b"\x03\x04"),   # a version that no record carries
    record(22, b"x") + b"\x17\x03\x03\xff\xff",         # too long
    record(22, b"x") + record(21, b""),                 # empty alert
    record(22, b"x") + record(23, b"x") + b"+OK\r\n",
], ids=["text", "data-first", "heartbeat", "version", "long", "empty-alert", "text-after"])
def test_what_is_no_tls_record_is_a_fault(stream):
    records = TlsRecords()
    records.feed(stream)
    assert records.fault is not None


def test_a_flipped_bit_reaches_the_other_end(tls_echo, recording, ca):
    def flip(upward, index, data):
        if upward and data[0] == 23 and index >= 3:
            return data[:-1] + bytes([data[-1] ^ 1])
        return data

    relay = recording(tls_echo, mutate=flip)
    with peers.connect(relay.port, peers.client_context(ca)) as connection:
        with pytest.raises(OSError, match="bad record mac"):
            for _ in range(4):
                exchange(connection, SECRET)
    relay.prove()


def test_a_record_can_be_dropped(tls_echo, recording, ca):
    relay = recording(tls_echo, mutate=lambda upward, index, data:
                      b"" if upward and index == 3 else data)
    with peers.connect(relay.port, peers.client_context(ca)) as connection:
        connection.sendall(SECRET)  # record 3, after hello, change_cipher_spec and Finished
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(100)


def test_a_reset_passes_the_relay(ports, recording, cleanup):
    port = ports.free()
    errors = []

    def serve(connection):
        try:
            connection.recv(100)
            connection.recv(100)
        except OSError as error:
            errors.append(error)

    server = peers.Server(port, serve)
    cleanup.callback(server.stop)
    relay = recording(port)
    connection = socket.create_connection(("127.0.0.1", relay.port))
    connection.sendall(b"x")
    time.sleep(0.1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    server.join()
    assert isinstance(errors[0], ConnectionResetError)


def test_a_half_close_passes_the_relay(ports, recording, cleanup):
    port = ports.free()

    def serve(connection):
        data = b""
        while piece := connection.recv(100):
            data += piece
        connection.sendall(data.upper())

    server = peers.Server(port, serve)
    cleanup.callback(server.stop)
    relay = recording(port)
    with socket.create_connection(("127.0.0.1", relay.port)) as connection:
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b"HELLO"
        assert connection.recv(100) == b""


@pytest.mark.parametrize("version", peers.VERSIONS)
def test_a_foreign_peer_minds_a_missing_close_notify(place, ports, pki, cleanup, ca, version):
    port = ports.free()
    context = peers.server_context(pki.server.files(place, "server"), version)

    def serve(connection):
        connection.sendall(b"x")
        socket.socket.shutdown(connection, socket.SHUT_WR)
        connection.recv(10)

    server = peers.Server(port, serve, context)
    cleanup.callback(server.stop)
    with peers.connect(port, peers.client_context(ca, version)) as connection:
        assert connection.recv(10) == b"x"
        with pytest.raises(ssl.SSLError, match="unexpected eof"):
            connection.recv(10)
