"""memcached (libevent, worker threads) with pymemcache."""

import os

import pytest

from harness.lib.peers import PYTHON, VERSIONS, stunnel
from harness.lib.ports import wait_listening

SECRET = os.urandom(400_000).hex().encode()

# Stores and fetches many small values and a large one over one connection, and says so.
CLIENT = """
import ssl, sys
from pymemcache.client.base import Client
port, value, ca, cert, key, version = sys.argv[1:7]
tls = None
if ca:
    tls = ssl.create_default_context(cafile=ca)
    tls.load_cert_chain(cert, key)
    tls.minimum_version = tls.maximum_version = getattr(ssl.TLSVersion, version)
value = open(value, "rb").read()
client = Client(("localhost", int(port)), tls_context=tls, timeout=20)
names = {f"key{i}": value[i:i + 500] for i in range(500)}
assert client.set_many(names, noreply=False) == []
assert client.get_many(list(names)) == names
client.set("big", value, noreply=False)
assert client.get("big") == value
print("all kept")
"""


def client(port, value, ca="", cert="", key="", version=""):
    return [PYTHON, "-c", CLIENT, port, value, ca, cert, key, version]


@pytest.fixture
def value(place):
    path = os.path.join(place, "value")
    with open(path, "wb") as out:
        out.write(SECRET)
    return path


@pytest.fixture
def start(processes, ports):
    def memcached(environment=None, port=None):
        port = port or ports.free()
        server = processes.start(["memcached", "-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "4"],
                                 environment=environment, user="nobody")
        wait_listening(port, server)
        return port
    return memcached


@pytest.fixture
def protected(start, ports, side, pki):
    """memcached under Gaiter: its port and its side."""
    port = ports.free()
    one = side("server", {"server": pki.server}, {"ca": pki.ca}, owner="nobody")
    one.inbound(port, client_auth="required")
    start(one.environment(), port)
    return port, one


def test_values_are_sealed(protected, relay, processes, client_side, value):
    port, server_side = protected
    wire = relay(port, [SECRET])
    client_side.outbound(wire.port, certificate="client")
    done = processes.run(client(wire.port, value), environment=client_side.environment())
    assert done.text == "all kept\n"
    wire.prove(connections=1)
    client_side.secured(1, version="TLSv1.3")
    server_side.secured(1, version="TLSv1.3")


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_a_tls_client_of_a_server_under_gaiter(protected, relay, processes, place, ca, pki, value,
                                               version):
    port, server_side = protected
    wire = relay(port, [SECRET])
    identity = pki.client.files(place, "client")
    done = processes.run(client(wire.port, value, ca, *identity,
                                "TLSv" + version.replace(".", "_")))
    assert done.text == "all kept\n"
    wire.prove(connections=1)
    server_side.secured(1, version=f"TLSv{version}")


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_under_gaiter_of_memcached_behind_stunnel(start, relay, processes, ports, place,
                                                           ca, pki, client_side, value, version):
    port = ports.free()
    tunnel = processes.start(stunnel(place, "server", port, start(), client=False, version=version,
                                     identity=pki.server.files(place, "server"), ca=ca))
    wait_listening(port, tunnel)
    wire = relay(port, [SECRET])
    client_side.outbound(wire.port, certificate="client")
    done = processes.run(client(wire.port, value), environment=client_side.environment())
    assert done.text == "all kept\n"
    wire.prove(connections=1)
    client_side.secured(1, version=f"TLSv{version}")
