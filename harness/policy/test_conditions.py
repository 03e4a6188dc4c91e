"""Rules that ask who a process is, until when they hold, and who is which in TLS."""

import datetime
import os
import pwd

import pytest

from harness.lib.inline import Inline, pinged, wait_until
from harness.lib.peers import PYTHON, talk
from harness.lib.ports import wait_listening
from harness.programs.test_redis import cli, start_redis

pytestmark = pytest.mark.tls_only

PING = """
import os, socket, sys
port = int(sys.argv[1])
{first}
try:
    with socket.create_connection(("localhost", port)) as one:
        one.sendall(b"PING\\r\\n")
        print(one.recv(100).decode().strip())
except OSError as error:
    print(os.strerror(error.errno))
"""


def day(offset):
    return str(datetime.datetime.utcnow().date() + datetime.timedelta(days=offset))


def rules(side, *texts):
    lines = ",\n".join(f"  {{ {text}; }}" for text in texts)
    side.policy.configuration(f"rules = (\n{lines}\n);\n")


def test_an_exception_holds_before_its_day_and_not_after(redis, ports, server_side, ca):
    before, after = ports.free(), ports.free()
    server_side.inbound(before, tls="off", until=day(2))
    server_side.inbound(after, tls="off", until=day(-1))
    redis(before)
    redis(after)
    assert pinged(before) == b"+PONG"
    for _ in range(2):
        assert pinged(after) is None
        assert pinged(after, ca=ca) == b"+PONG"
    assert server_side.log.text().count("its exception has ended") == 1


@pytest.mark.parametrize("exception", [{"tls": "optional"}, {"mode": "monitor"}])
def test_what_else_may_end(redis, ports, server_side, ca, exception):
    before, after = ports.free(), ports.free()
    server_side.inbound(before, until=day(2), **exception)
    server_side.inbound(after, until=day(0), **exception)
    redis(before)
    redis(after)
    assert pinged(before) == b"+PONG"
    assert pinged(after) is None
    assert pinged(after, ca=ca) == b"+PONG"


def test_what_is_blocked_on_trial_is_blocked_when_the_trial_ends(redis, processes, ports,
                                                                 server_side):
    before, after = ports.free(), ports.free()
    server_side.inbound(before, tls="block", mode="monitor", until=day(2))
    server_side.inbound(after, tls="block", mode="monitor", until=day(-1))
    redis(before)
    assert pinged(before) == b"+PONG"
    done = processes.run(talk(f"listen:{after}"), environment=server_side.environment())
    assert done.text == "listen EACCES\n"


def test_a_program_is_known_by_its_name_and_by_its_path(processes, ports, client_side):
    port = ports.free()
    wait_listening(port, start_redis(processes, port))
    rules(client_side,
          f'direction = "outbound"; remote_ports = {port}; program = "/usr/bin/redis-cl?"; '
          'tls = "off"',
          f'direction = "outbound"; remote_ports = {port}; program = "python3*"; tls = "block"')
    under = client_side.environment()
    assert processes.run(cli(port, "PING"), environment=under).text == "PONG\n"
    done = processes.run([PYTHON, "-I", "-c", PING.format(first=""), port], environment=under)
    assert done.text == "Permission denied\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user")
@pytest.mark.parametrize("condition", ['user = "nobody"', 'group = "nogroup"'])
def test_a_user_is_the_one_of_the_moment(processes, ports, client_side, condition):
    """What a process was at its start does not count: it gave up its rights."""
    port = ports.free()
    wait_listening(port, start_redis(processes, port))
    rules(client_side, f'direction = "outbound"; remote_ports = {port}; {condition}; tls = "block"')
    nobody = pwd.getpwnam("nobody")
    drop = f"os.setgroups([]); os.setgid({nobody.pw_gid}); os.setuid({nobody.pw_uid})"
    answers = [processes.run([PYTHON, "-I", "-c", PING.format(first=first), port],
                             environment=client_side.environment()).text
               for first in ("", drop)]
    assert answers == ["+PONG\n", "Permission denied\n"]


DAEMON = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.setgroups([])
os.setgid({group})
os.setuid({user})
while True:
    connection = listener.accept()[0]
    try:
        if connection.recv(100):
            connection.sendall(b"+PONG\\r\\n")
    except OSError:
        pass
    connection.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
@pytest.mark.parametrize("condition", ['user = "nobody"', 'group = "nogroup"'])
def test_a_daemon_that_gave_up_its_rights_accepts_as_who_it_is_then(processes, ports, server_side,
                                                                    ca, condition):
    """It listens as root, for whom there is another rule; the keys of both are root's."""
    port = ports.free()
    nobody = pwd.getpwnam("nobody")
    text = DAEMON.format(user=nobody.pw_uid, group=nobody.pw_gid)
    rules(server_side,
          f'name = "given-up"; direction = "inbound"; local_ports = {port}; {condition}; '
          'certificate = "server"',
          f'name = "root"; direction = "inbound"; local_ports = {port}; tls = "off"')
    server = processes.start([PYTHON, "-I", "-c", text, port],
                             environment=server_side.environment())
    wait_listening(port, server)
    assert pinged(port, ca=ca) == b"+PONG"
    assert pinged(port) is None
    server_side.secured(1, rule="given-up")


def unified_cgroup():
    """Where version 2 of cgroups(7) is mounted."""
    with open("/proc/mounts", encoding="ascii") as mounts:
        return next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)


@pytest.fixture
def unit():
    """The directory of a cgroup that is named as systemd names a service's."""
    path = os.path.join(unified_cgroup() or "/nowhere", f"gaiter-harness-{os.getpid()}.service")
    try:
        os.mkdir(path)
    except OSError as error:
        pytest.skip(f"no cgroup can be made: {error}")
    yield path
    wait_until(lambda: not open(os.path.join(path, "cgroup.procs"), encoding="ascii").read())
    os.rmdir(path)


def test_a_unit_is_the_one_that_the_cgroup_tells(processes, ports, client_side, unit):
    port = ports.free()
    wait_listening(port, start_redis(processes, port))
    rules(client_side,
          f'direction = "outbound"; remote_ports = {port}; unit = "{os.path.basename(unit)}"; '
          'tls = "block"',
          f'direction = "outbound"; remote_ports = {port}; unit = "gaiter-other-*.service"; '
          'tls = "required"')
    ping = [PYTHON, "-I", "-c", PING.format(first=""), port]
    inside = ["/bin/sh", "-c", f'echo $$ > {unit}/cgroup.procs && exec "$@"', "sh", *ping]
    under = client_side.environment()
    assert processes.run(ping, environment=under).text == "+PONG\n"
    assert processes.run(inside, environment=under).text == "Permission denied\n"


SANDBOX = """
import os, socket, sys
port = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
{first}
with socket.create_connection((b"127.0.0.1", port)) as one:
    one.sendall(b"PING\\r\\n")
    print(one.recv(100).decode().strip())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
@pytest.mark.parametrize("first", ["os.setgid(65534); os.setuid(65534)", "os.chroot(sys.argv[3])"])
def test_a_client_certificate_is_there_after_the_rights_to_read_it_are_gone(
        processes, redis, ports, place, server_side, client_side, first):
    port, own = ports.free(), ports.free()
    server_side.inbound(port, client_auth="required", allow="any-trusted")
    redis(port)
    client_side.outbound(port, certificate="client", verify="chain")
    client_side.inbound(own, tls="off")
    empty = os.path.join(place, "empty")
    os.mkdir(empty)
    done = processes.run([PYTHON, "-I", "-c", SANDBOX.format(first=first), port, own, empty],
                         environment=client_side.environment())
    assert done.text == "+PONG\n"
    server_side.secured(1, peer="client.harness")


def test_roles_may_be_crossed(processes, redis, ports, server_side, client_side):
    """Who accepts may be TLS's client, and who connects its server."""
    port = ports.free()
    server_side.inbound(port, role="client", verify="chain")
    redis(port)
    client_side.outbound(port, role="server", certificate="client")
    under = client_side.environment()
    assert processes.run(cli(port, "PING"), environment=under).text == "PONG\n"
    server_side.secured(1, peer="client.harness")
    client_side.secured(1)


def test_the_name_that_was_looked_up_can_be_part_of_the_name_to_expect(processes, redis, ports,
                                                                       side, pki, server_side):
    port = ports.free()
    server_side.inbound(port)
    redis(port)
    client = side("client", {}, {"ca": pki.ca})
    client.outbound(port, server_name="%h")
    assert processes.run(cli(port, "PING"), environment=client.environment()).text == "PONG\n"
    client.outbound(port, server_name="%h.elsewhere")
    assert processes.run(cli(port, "PING"), environment=client.environment(),
                         check=False).text != "PONG\n"
    client.refused("wrong_name", "EKEYREJECTED")


def test_one_keyring_for_each_user(processes, ports, place, side, pki, ca):
    """%u in the keyring's path is the user's name."""
    port = ports.free()
    one = side("server", {"server": pki.server}, {"ca": pki.ca})
    one.policy.text(port, "inbound = { };\n")
    user = pwd.getpwuid(os.geteuid()).pw_name
    os.rename(one.keyring, os.path.join(place, f"{user}.ring"))
    with open(os.path.join(one.policy.path, "gaiter.conf"), "w", encoding="ascii") as out:
        out.write(f'keyring = "{place}/%u.ring";\n')
    wait_listening(port, start_redis(processes, port, one.environment()))
    with Inline(port, ca=ca) as client:
        assert client.ask() == b"+PONG"
