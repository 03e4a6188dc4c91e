"""What a daemon's test is made of: the daemon, the recorded way to it, its clients."""

import os
import shutil
import time

import pytest

from harness.lib.gaiter import REPOSITORY
from harness.lib.ports import wait_listening


@pytest.fixture
def write(place):
    """write(name, text) makes a file of the test's directory and gives its path."""
    def file(name, text, mode=0o644):
        path = os.path.join(place, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path
    return file


@pytest.fixture
def folder(place):
    """folder(name, owner) makes a directory of the test's, which may be another user's."""
    def make(name, owner=None):
        path = os.path.join(place, name)
        os.makedirs(path)
        if owner:
            shutil.chown(path, owner)
        return path
    return make


@pytest.fixture
def unpacked():
    """unpacked(package) is where `make test-deps` put one that cannot be installed with others."""
    def path(package):
        root = os.path.join(REPOSITORY, "build", "unpacked", package)
        if not os.path.isdir(root):
            pytest.fail(f"{root} is not there: make test-deps")
        return root
    return path


@pytest.fixture
def serve(processes, server_side):
    """serve(port, command, ...) starts a daemon under Gaiter and waits until it listens."""
    def start(port, *command, side=None, **options):
        side = side or server_side
        side.inbound(port)
        environment = side.environment(**options.pop("environment", {}))
        daemon = processes.start(command, environment=environment, **options)
        wait_listening(port, daemon, timeout=80)
        return daemon
    return start


@pytest.fixture
def reach(relay, client_side):
    """reach(port, secrets) is the recorded way to a daemon: the clients' port, and the proof."""
    def way(port, *secrets, side=None):
        wire = relay(port, [secret.encode() if isinstance(secret, str) else secret
                            for secret in secrets])
        (side or client_side).outbound(wire.port)
        return wire
    return way


@pytest.fixture
def client(processes, client_side):
    """client(command, ...) runs a client under Gaiter to its end."""
    def run(*command, environment=(), **options):
        return processes.run(command, environment=client_side.environment(**dict(environment)),
                             **options)
    return run


@pytest.fixture
def secret():
    """A word that must not be seen on the wire."""
    return os.urandom(24).hex()


@pytest.fixture
def await_delivery(place, secret):
    """await_delivery() returns once the long message of secrets lies in the place's mail/box."""
    def wait(patience=20):
        box = place + "/mail/box"
        deadline = time.monotonic() + patience
        while not os.path.exists(box) or open(box, encoding="ascii").read().count(secret) < 15_000:
            assert time.monotonic() < deadline, "not delivered"
            time.sleep(0.05)
    return wait
