"""A session is resumed no longer than what its full handshake verified: the dates of the whole chain,
revocation lists, OCSP responses, and the session's own lifetime, which resuming does not extend.
The clock of the program under Gaiter is set forward, for nobody else."""

import os

import pytest

from harness.lib import peers
from harness.lib.gaiter import LIBRARY
from harness.lib.inline import wait_until
from harness.lib.keyrings import write_crl
from harness.lib.peers import VERSIONS
from harness.lib.pki import HERE, issue, ocsp_response, revoke
from harness.lib.ports import wait_listening

pytestmark = pytest.mark.tls_only

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
WEEK = 7 * 24 * 3600
HOUR = 1 / 24  # in days; the peers' own tickets are good for two


class Clock:
    """The clock of programs with its environment."""

    def __init__(self, place):
        self._path = os.path.join(place, "clock")
        self.set(0)

    def set(self, seconds):
        """So much ahead of the true time."""
        with open(self._path + ".new", "w", encoding="ascii") as out:
            out.write(f"+{seconds}\n")
        os.rename(self._path + ".new", self._path)

    def environment(self, side):
        return side.environment(LD_PRELOAD=f"{LIBRARY}:{FAKETIME}", FAKETIME_NO_CACHE="1",
                                FAKETIME_TIMESTAMP_FILE=self._path, NO_FAKE_STAT="1",
                                FAKETIME_DONT_FAKE_MONOTONIC="1")


# A line from outside for each connection. (time.sleep() fails under libfaketime.)
CLIENT = """
import socket, sys
for line in sys.stdin:
    try:
        with socket.create_connection(("localhost", int(sys.argv[1]))) as connection:
            connection.sendall(b"ab\\n")
            print("answered", connection.recv(100), flush=True)
    except OSError as error:
        print("refused", error.errno, flush=True)
"""


@pytest.fixture
def clock(place):
    return Clock(place)


def short_lived(pki, name, *names):
    """Good for a year, below an intermediate that ends in an hour."""
    return issue(name, issue("Passing CA", pki.ca, ca=True, days=(-1, HOUR)), (name, *names))


# What is verified; the rule's settings; how it goes on: (the clock, how a connection fares), ...
CASES = {
    "all-is-good": (None, {"lifetime": WEEK}, [(1800, "resumed"), (5000, "resumed")]),
    "intermediate": ("intermediate", {"lifetime": WEEK}, [(1800, "resumed"), (5000, "refused")]),
    "crl-hard": ("crl", {"lifetime": WEEK, "revocation": "hard"},
                 [(1800, "resumed"), (5000, "refused")]),
    "crl-soft": ("crl", {"lifetime": WEEK, "revocation": "soft"},
                 [(1800, "resumed"), (5000, "full")]),
    "lifetime": (None, {"lifetime": 3600},
                 [(1500, "resumed"), (3000, "resumed"), (4500, "full"), (6000, "resumed")]),
}


def settings_of(keyring, pki, case):
    verified, settings, steps = CASES[case]
    settings = dict(settings)
    if verified == "crl":
        write_crl(keyring, "ca", revoke(pki.ca, pki.batch, days=(-1, HOUR)))
    settings["session"] = {"lifetime": settings.pop("lifetime")}
    return verified, settings, steps


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_a_server(processes, ports, place, pki, ca, server_side, clock, version, case):
    verified, settings, steps = settings_of(server_side.keyring, pki, case)
    client = short_lived(pki, "client") if verified == "intermediate" else pki.client
    port = ports.free()
    server_side.inbound(port, client_auth="required", **settings)
    server = processes.start(peers.echo_server(port), environment=clock.environment(server_side))
    wait_listening(port, server)
    context = peers.client_context(ca, version, client.files(place, "client"))

    def visit(session):
        try:
            with peers.connect(port, context, session) as connection:
                connection.sendall(b"x")
                if connection.recv(10) != b"x":
                    return "refused", session
                return "resumed" if connection.session_reused else "full", connection.session
        except OSError:
            return "refused", session

    fared, session = visit(None)
    assert fared == "full"
    for ahead, expected in steps:
        clock.set(ahead)
        fared, session = visit(session)
        assert fared == expected, f"{ahead} s ahead: {server_side.log.text()}"
        if expected == "refused":
            assert visit(None)[0] == "refused"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", [*CASES, "ocsp"])
def test_a_client(processes, ports, place, pki, client_side, clock, version, case):
    extra = ["-rev"]
    if case == "ocsp":
        verified, steps = "ocsp", [(1800, "resumed"), (5000, "refused")]
        settings = {"session": {"lifetime": WEEK}, "must_staple": True}
        with open(f"{place}/response", "wb") as out:
            out.write(ocsp_response(pki.server, days=(-1, HOUR)))
        extra += ["-status_file", f"{place}/response"]
    else:
        verified, settings, steps = settings_of(client_side.keyring, pki, case)
    shown = short_lived(pki, "server", *HERE) if verified == "intermediate" else pki.server
    port = ports.free()
    server = processes.start(
        peers.openssl_server(port, shown.files(place, "shown"), version, extra=extra))
    wait_listening(port, server)
    client_side.outbound(port, **settings)
    client = processes.start([peers.PYTHON, "-I", "-c", CLIENT, port], stdin="pipe",
                             environment=clock.environment(client_side))

    def connect(turn):
        client.write(b"again\n")
        wait_until(lambda: client.stdout().count(b"\n") == turn, timeout=20)
        return client.stdout().splitlines()[-1]

    assert connect(1).startswith(b"answered")
    client_side.secured(1, resumed="no")
    for turn, (ahead, expected) in enumerate(steps, 2):
        clock.set(ahead)
        answer = connect(turn)
        if expected == "refused":
            assert answer.startswith(b"refused") and client_side.log.refused()
            continue
        assert answer.startswith(b"answered")
        event = client_side.log.wait("secured", turn)[-1]
        assert event.get("resumed") == ("yes" if expected == "resumed" else "no"), f"{ahead} s"
    client.close_stdin()
    assert client.wait(20) == 0
