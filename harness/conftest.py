"""Fixtures that every end-to-end test uses. See CONTRIBUTING.md for how to run one test."""

import contextlib
import faulthandler
import os
import shutil
import signal
import sys
import tempfile

import pytest

from harness.lib import gaiter, peers, processes as programs
from harness.lib.pki import Pki
from harness.lib.ports import Ports, wait_listening
from harness.lib.relay import Relay

LIMIT = 60  # seconds a test may take unless it is marked limit(SECONDS)


def pytest_addoption(parser):
    parser.addoption("--plain", action="store_true",
                     help="run the programs without Gaiter: tells a fault of a program, or of a "
                          "test, from one of Gaiter")


def stand_alone(config):
    """What a test finds must not depend on who runs it: on their umask, their home, or on variables
    that some program heeds. What is for the tests themselves stays."""
    os.umask(0o022)
    kept = {name: value for name, value in os.environ.items()
            if name.startswith(("HARNESS_", "PYTEST_")) or name.endswith("_SEED")}
    os.environ.clear()
    tempfile.tempdir = None  # TMPDIR is gone: asked anew
    home = tempfile.mkdtemp(prefix="gaiter-home-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ.update(programs.BASE_ENVIRONMENT, HOME=home, **kept)


def pytest_configure(config):
    stand_alone(config)
    config.addinivalue_line("markers", f"limit(seconds): a test may run so long (default {LIMIT})")
    config.addinivalue_line("markers", "tls_only: has no meaning with --plain")
    programs.adopt_orphans()


def spread_long_ones(items):
    """Those that may run long go evenly into the first half: none begins when all others have
    ended, and no worker gets many in a row."""
    long = [item for item in items if item.get_closest_marker("limit")]
    short = [item for item in items if not item.get_closest_marker("limit")]
    between = max(1, len(short) // 2 // max(1, len(long)))
    items[:] = []
    while long or short:
        items += long[:1] + short[:between]
        del long[:1], short[:between]


def pytest_collection_modifyitems(config, items):
    spread_long_ones(items)
    if config.getoption("--plain"):
        skip = pytest.mark.skip(reason="has no meaning without Gaiter")
        for item in items:
            if item.get_closest_marker("tls_only"):
                item.add_marker(skip)


class TooSlow(BaseException):
    """Not an Exception: no handler of a test may swallow it."""


@pytest.fixture(autouse=True)
def watchdog(request):
    """Ends a test that hangs, and says where each of its programs stood."""
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else LIMIT

    def expired(_signal, _frame):
        where = "\n".join(programs.stacks(pid) for pid in programs.descendants(os.getpid()))
        faulthandler.dump_traceback(file=sys.__stderr__)
        raise TooSlow(f"longer than {seconds} s\n{where}")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows, with a failure, what the programs printed and what Gaiter logged."""
    outcome = yield
    report = outcome.get_result()
    place = getattr(item, "funcargs", {}).get("place")
    if report.when != "call" or not report.failed or place is None or not os.path.isdir(place):
        return
    for name in sorted(os.listdir(place)):
        if name.endswith((".out", ".err", ".log")):
            with open(os.path.join(place, name), "rb") as text:
                content = text.read()[-3000:].decode("utf-8", "replace")
            if content:
                shown = (c if c.isprintable() or c in "\n\t" else "." for c in content)
                report.sections.append((name, "".join(shown)))


@pytest.fixture
def place():
    """A directory of the test's own, short in name and open to servers that drop privileges."""
    path = tempfile.mkdtemp(prefix="gaiter-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def pki():
    return Pki()


@pytest.fixture
def ca(place, pki):
    """The file of the trusted CA, for peers that want one."""
    path = os.path.join(place, "ca.pem")
    with open(path, "wb") as out:
        out.write(pki.ca.certificate_pem)
    return path


@pytest.fixture
def ports():
    reserved = Ports()
    yield reserved
    reserved.release()


@pytest.fixture
def cleanup():
    """A stack of what must be ended; unwound after the programs have ended."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def processes(place, cleanup):
    started = programs.Processes(place)
    yield started
    started.stop()
    strays = programs.end_strays()
    assert not strays, f"left running: {strays}"


@pytest.fixture
def relay(request, ports, cleanup):
    """relay(target, secrets, ...) starts a Relay on a port of its own."""
    def start(target, secrets=(), **options):
        one = Relay(ports.free(), target, secrets, **options)
        if request.config.getoption("--plain"):
            one.prove = lambda **_: None
        cleanup.callback(one.stop)
        return one
    return start


@pytest.fixture
def side(request, place):
    """side(name, identities, trusted, ...) makes one end under Gaiter."""
    plain = request.config.getoption("--plain")
    if not plain and not os.path.exists(gaiter.LIBRARY):
        pytest.fail(f"{gaiter.LIBRARY} is not built: make")

    def make(name, identities=None, trusted=None, **options):
        return gaiter.Side(place, name, identities, trusted, plain=plain, **options)
    return make


@pytest.fixture
def server_side(side, pki):
    """A server's end with a good certificate, that trusts the harness's CA."""
    return side("server", {"server": pki.server}, {"ca": pki.ca})


@pytest.fixture
def client_side(side, pki):
    """A client's end with a certificate, that trusts the harness's CA."""
    return side("client", {"client": pki.client}, {"ca": pki.ca})


@pytest.fixture
def server_side_of(side, pki):
    """server_side_of(user) is the side of a daemon that becomes this user before it listens."""
    return lambda user: side(user, {"server": pki.server}, {"ca": pki.ca}, owner=user)


@pytest.fixture
def relay_to_echo(processes, ports, relay, server_side, client_side):
    """relay_to_echo(secret) starts an echo server under Gaiter and a relay to it, which clients at
    `client_side` protect their connections to."""
    def start(secret):
        port = ports.free()
        server_side.inbound(port)
        server = processes.start(peers.echo_server(port), environment=server_side.environment())
        wait_listening(port, server)
        wire = relay(port, [secret.encode()])
        client_side.outbound(wire.port)
        return wire
    return start
