"""Who may change a directory on the way to the keyring, or a link, could lead a program to keys and
CAs of his own. Such a way is refused, for all files that decide: and the log is not written there."""

import os

import pytest

from harness.cli.command import run
from harness.lib.keyrings import write_keyring, write_ticket_keys
from harness.lib.peers import talk
from harness.security.conftest import SECRET, assert_serves_nobody

pytestmark = [pytest.mark.tls_only,
              pytest.mark.skipif(os.geteuid() != 0, reason="files of another user")]

NOBODY = 65534


@pytest.fixture
def home(place):
    """A directory of another user's."""
    path = os.path.join(place, "home")
    os.mkdir(path, 0o755)
    os.chown(path, NOBODY, NOBODY)
    return path


@pytest.fixture
def serves_nobody(processes, ports, server_side):
    """serves_nobody(**policy): a server under such a rule is refused; its port."""
    def start(**settings):
        port = ports.free()
        server_side.inbound(port, **settings)
        server = processes.start(talk(f"listen:{port}", "accept", f"send:{SECRET}", "close"),
                                 environment=server_side.environment())
        assert_serves_nobody(server, port)
        return port
    return start


def test_another_keyring_in_its_place(dial, tls_server, place, pki, client_side, home):
    """The keyring is root's and good; the user whose home it lies in exchanges it."""
    os.rename(client_side.keyring, os.path.join(home, "keyring"))
    stranger = os.path.join(home, "other")
    write_keyring(stranger, {}, {"ca": pki.stranger_ca})
    os.rename(os.path.join(home, "keyring"), os.path.join(home, "old"))
    os.symlink(stranger, os.path.join(home, "keyring"))
    with open(os.path.join(client_side.policy.path, "gaiter.conf"), "w", encoding="ascii") as out:
        out.write(f'keyring = "{home}/keyring";\n')
    _, port = tls_server(pki.stranger_server)
    assert dial(port, f"send:{SECRET}")["connect"] == ["EACCES"]
    event, = client_side.log.refused()
    assert f"{home} belongs to user {NOBODY}" in event.text
    checked = run("check", client_side.policy.path)
    assert checked.code == 2 and f"{home} belongs to user {NOBODY}" in checked.out + checked.err


def test_ticket_keys_that_somebody_else_leads_to(serves_nobody, home, server_side):
    write_ticket_keys(os.path.join(home, "ticket.keys"), os.urandom(48))
    serves_nobody(session={"ticket_keys": f"{home}/ticket.keys"})
    assert f"{home} belongs to user {NOBODY}" in server_side.log.text()


def test_a_user_map_that_somebody_else_leads_to(serves_nobody, home, server_side):
    with open(os.path.join(home, "user.map"), "w", encoding="ascii") as out:
        out.write("subject:CN=batch root\n")
    serves_nobody(client_auth="required", map_user=True, map_file=f"{home}/user.map")
    assert f"{home}: belongs to user {NOBODY}" in server_side.log.text()


@pytest.mark.parametrize("way", ["directory", "link", "file"])
def test_a_log_that_somebody_else_leads_to(dial, tls_server, place, pki, client_side, home, way):
    """The victim's file gets not one byte; the lines go where they go without a log file."""
    victim = os.path.join(place, "victim")
    with open(victim, "w", encoding="ascii"):
        pass
    log = os.path.join(home, "gaiter.log")
    if way == "directory":
        pass  # somebody could have put a link there
    elif way == "link":
        os.chown(home, 0, 0)
        os.symlink(victim, log)
        os.chown(log, NOBODY, NOBODY, follow_symlinks=False)
    else:
        os.chown(home, 0, 0)
        os.chmod(home, 0o1777)
        with open(log, "w", encoding="ascii"):
            pass
        os.chown(log, NOBODY, NOBODY)
    _, port = tls_server(pki.server)
    results = dial(port, "send:x", "close", environment={"GAITER_LOG": f"info:{log}"})
    assert results["connect"] == ["ok"]
    assert os.path.getsize(victim) == 0
    assert not os.path.exists(log) or os.path.getsize(log) == 0
