"""A keyring that cannot be used: refused with EACCES and one line in the log, never clear."""

import os
import shutil

import pytest

from harness.lib import keyrings
from harness.lib.peers import talk, talked
from harness.lib.ports import wait_listening

from harness.security.conftest import SECRET, assert_serves_nobody

pytestmark = pytest.mark.tls_only


def mismatch(side, label, pki):
    path = keyrings.key_path(side.keyring, label)
    with open(path, "wb") as out:
        out.write(pki.stranger_ca.key_pem)


def readable_by_group(side, label, _pki):
    os.chmod(keyrings.key_path(side.keyring, label), 0o640)


def readable_by_others(side, label, _pki):
    os.chmod(keyrings.key_path(side.keyring, label), 0o604)


def no_key(side, label, _pki):
    os.unlink(keyrings.key_path(side.keyring, label))


def no_label(side, label, _pki):
    shutil.rmtree(os.path.join(side.keyring, label))


def garbage_certificate(side, label, _pki):
    with open(os.path.join(side.keyring, label, "certificate.pem"), "wb") as out:
        out.write(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def garbage_key(side, label, _pki):
    with open(keyrings.key_path(side.keyring, label), "wb") as out:
        out.write(b"not a key\n")


def writable_keyring(side, _label, _pki):
    os.chmod(side.keyring, 0o777)


def no_keyring(side, _label, _pki):
    shutil.rmtree(side.keyring)


FAULTS = [mismatch, readable_by_group, readable_by_others, no_key, no_label, garbage_certificate,
          garbage_key, writable_keyring, no_keyring]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_server_without_a_usable_key_serves_nobody(processes, ports, server_side, pki, fault):
    fault(server_side, "server", pki)
    port = ports.free()
    server_side.inbound(port, certificate="server")
    server = processes.start(talk(f"listen:{port}", "accept", "recv", f"send:{SECRET}", "close"),
                             environment=server_side.environment())
    assert_serves_nobody(server, port)
    event, = server_side.refused("local", "EACCES")
    if fault is not no_keyring and fault is not writable_keyring:
        assert "server" in event["reason"], f"the label is not named: {event.text}"


@pytest.mark.parametrize("connect", ["connect", "connect-nb"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_client_without_a_usable_key_connects_nowhere(raw_server, relay, processes, client_side,
                                                        pki, fault, connect):
    fault(client_side, "client", pki)
    _, port = raw_server(lambda connection: connection.recv(1000))
    wire = relay(port)
    client_side.outbound(wire.port, certificate="client")
    done = processes.run(talk(f"{connect}:localhost:{wire.port}", f"send:{SECRET}", "close"),
                         environment=client_side.environment())
    results = talked(done)
    assert results[connect] == ["EACCES"], results
    client_side.refused("local", "EACCES")
    assert wire.crossed() == (0, 0), "a byte left"


def test_a_server_without_a_default_certificate_serves_nobody(processes, ports, side, pki):
    one = side("server", {}, {"ca": pki.ca})
    port = ports.free()
    one.inbound(port)
    server = processes.start(talk(f"listen:{port}", "accept", "recv"),
                             environment=one.environment())
    assert_serves_nobody(server, port)
    one.refused("local", "EACCES")


def test_the_log_holds_no_key(processes, ports, server_side, client_side, pki, relay):
    port = ports.free()
    server_side.inbound(port)
    server = processes.start(talk(f"listen:{port}", "accept", "recv", "close"),
                             environment=server_side.environment("debug"))
    wait_listening(port, server)
    client_side.outbound(port)
    processes.run(talk(f"connect:localhost:{port}", f"send:{SECRET}", "recv"),
                  environment=client_side.environment("debug"))
    text = server_side.log.text() + client_side.log.text()
    assert SECRET not in text
    for line in pki.server.key_pem.decode().splitlines() + pki.client.key_pem.decode().splitlines():
        assert line not in text
