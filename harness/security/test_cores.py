"""A core file of a protected program has neither its private key nor what its records are sealed
with: not amid a handshake, not behind it, and not when the connection has ended."""

import os
import re
import shutil
import ssl
import subprocess

import pytest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from harness.lib import peers
from harness.lib.inline import wait_until
from harness.lib.peers import talk
from harness.lib.ports import wait_listening
from harness.security.conftest import raw_connection

pytestmark = [pytest.mark.tls_only,
              pytest.mark.skipif(shutil.which("gcore") is None, reason="needs gdb")]


@pytest.fixture
def core_of(place):
    """core_of(process): the bytes of its core file, as the kernel would write it."""
    def take(process):
        path = os.path.join(place, "core")
        done = subprocess.run(["gcore", "-o", path, str(process.pid)], check=False,
                              capture_output=True, timeout=60)
        name = f"{path}.{process.pid}"
        assert os.path.exists(name), done
        with open(name, "rb") as file:
            content = file.read()
        os.unlink(name)
        return content
    return take


def private_numbers(identity):
    """A key's secret number, in both orders of its bytes."""
    number = identity.key.private_numbers().private_value
    length = (identity.key.key_size + 7) // 8
    return {f"private key, {order}": number.to_bytes(length, order) for order in ("big", "little")}


def secrets_in(path):
    with open(path, encoding="ascii") as log:
        return re.findall(r"^(\w+TRAFFIC_SECRET\w*) \w+ (\w+)$", log.read(), re.M)


def keys_of(path):
    """The secrets that a peer writes into its key log, and the keys that follow from them."""
    wait_until(lambda: len(secrets_in(path)) == 4)
    found = {}
    for name, secret in secrets_in(path):
        found[name] = bytes.fromhex(secret)
        info = b"\x00\x20\x09tls13 key\x00"
        found[name + " key"] = HKDFExpand(hashes.SHA384(), 32, info).derive(found[name])
    return found


def assert_absent(secrets, core):
    assert [name for name, secret in secrets.items() if secret in core] == []


@pytest.fixture
def serve(processes, ports, server_side):
    """A server of talk.py that goes on when it is told to by a line."""
    def start(*steps):
        port = ports.free()
        server_side.inbound(port)
        server = processes.start(talk(f"listen:{port}", "accept", *steps),
                                 environment=server_side.environment())
        wait_listening(port, server)
        return server, port
    return start


def test_the_search_finds_what_is_there(processes, core_of):
    text = os.urandom(16)
    program = processes.start([peers.PYTHON, "-I", "-c", f"""
import time
held = bytes.fromhex("{text.hex()}")
print("held", flush=True)
time.sleep(60)
"""])
    program.wait_output(b"held")
    assert text in core_of(program)


def test_neither_behind_the_handshake_nor_at_the_end(serve, core_of, pki, place):
    server, port = serve("expect:5", "expect:5", "recv-all", "sleep:60")
    context = peers.client_context(pki.ca.files(place, "authority")[0])
    context.keylog_filename = os.path.join(place, "secrets")
    with peers.connect(port, context) as connection:
        connection.sendall(b"hello")
        server.wait_output(b"expect ")
        secrets = keys_of(context.keylog_filename) | private_numbers(pki.server)
        assert_absent(secrets, core_of(server))
        connection.sendall(b"again")
        server.wait_output(b"expect ", times=2)
    server.wait_output(b"recv-all ")
    assert_absent(secrets, core_of(server))


def test_not_amid_a_handshake(serve, core_of, pki, place):
    """The server has sent its Finished: it holds all of the secrets, in OpenSSL's objects."""
    server, port = serve("recv-all")
    context = peers.client_context(pki.ca.files(place, "authority")[0])
    context.keylog_filename = os.path.join(place, "secrets")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with raw_connection(port) as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    connection.sendall(outgoing.read())
                incoming.write(connection.recv(1 << 16))
        assert_absent(keys_of(context.keylog_filename) | private_numbers(pki.server),
                      core_of(server))

def test_nor_in_a_client_with_a_certificate(processes, ports, place, cleanup, client_side, core_of,
                                            pki):
    """Whose OpenSSL object lives on, in wait for tickets."""
    context = peers.server_context(pki.server.files(place, "server"),
                                   client_ca=pki.ca.files(place, "authority")[0])
    context.keylog_filename = os.path.join(place, "secrets")
    context.num_tickets = 0
    port = ports.free()
    cleanup.callback(peers.Server(port, peers.echo, context).stop)
    client_side.outbound(port, certificate="client")
    client = processes.start(talk(f"connect:localhost:{port}", "send:hello", "sleep:60"),
                             environment=client_side.environment())
    client.wait_output(b"send ")
    assert_absent(keys_of(context.keylog_filename) | private_numbers(pki.client), core_of(client))
