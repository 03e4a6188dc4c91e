"""Servers under policies that change."""

import pytest

from harness.lib.ports import wait_listening
from harness.programs.test_nginx import start as nginx, www  # noqa: F401
from harness.programs.test_postgresql import start as postgresql, template  # noqa: F401
from harness.programs.test_redis import start_redis


@pytest.fixture
def redis(processes, server_side):
    """redis(port) starts redis-server under Gaiter with the policy as it is."""
    def start(port, *more):
        server = start_redis(processes, port, server_side.environment(), *more)
        wait_listening(port, server)
        return server
    return start
