"""Every scenario of lib/talkers/parity/ gives the same under Gaiter as on plain TCP.

With --plain both runs are plain: a scenario that differs from itself can tell nothing.
"""

import glob
import os
import re

import pytest

from harness.lib import peers

SCRIPT = os.path.join(peers.TALKERS, "parity")


def _scenarios():
    for path in sorted(glob.glob(os.path.join(SCRIPT, "*.py"))):
        with open(path, encoding="ascii") as text:
            yield from re.findall(r"^@scenario\ndef (\w+)", text.read(), re.MULTILINE)


SCENARIOS = list(_scenarios())


def play(processes, port, place, scenario, role, server_environment, client_environment):
    """What the subject, being server or client by `role`, printed."""
    os.mkdir(place)
    for name in ("to-peer", "to-subject"):
        os.mkfifo(os.path.join(place, name))
    parts = {"server": "subject" if role == "server" else "peer",
             "client": "subject" if role == "client" else "peer"}

    def start(which, environment):
        return processes.start(
            [peers.PYTHON, "-I", SCRIPT, scenario, parts[which], which, port, place],
            environment=environment, name=f"{which}-{parts[which]}")

    server = start("server", server_environment)
    client = start("client", client_environment)
    assert client.wait(40) == 0, client.describe()
    assert server.wait(20) == 0, server.describe()
    return (server if role == "server" else client).stdout().decode()


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_as_plain(processes, ports, place, server_side, client_side, scenario, role):
    port = ports.free()
    plain = play(processes, port, place + "/plain", scenario, role, None, None)
    assert plain.strip()
    port = ports.free()
    server_side.inbound(port)
    client_side.outbound(port)
    sealed = play(processes, port, place + "/sealed", scenario, role, server_side.environment(),
                  client_side.environment())
    assert sealed == plain
    server_side.secured(1)
    client_side.secured(1)
