"""An echo server under Gaiter, and what a peer needs to speak to it."""

import os

import pytest

from harness.lib import peers
from harness.lib.ports import wait_listening

SECRET = os.urandom(20).hex()


@pytest.fixture
def echo(processes, ports, server_side):
    """echo(model, **policy) starts an echo server under Gaiter; gives the process and port."""
    def start(model="threads", side=None, **settings):
        one = side or server_side
        port = ports.free()
        one.inbound(port, **settings)
        server = processes.start(peers.echo_server(port, model), environment=one.environment())
        wait_listening(port, server)
        return server, port
    return start


@pytest.fixture
def server_files(place, pki):
    return pki.server.files(place, "foreign-server")


@pytest.fixture
def client_files(place, pki):
    return pki.client.files(place, "foreign-client")
