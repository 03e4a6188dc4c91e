"""`trust` says which CAs of the keyring vouch for the peers of a rule. Others do not, whatever they
sign: not an intermediate of the same name as one of the right CA's either."""

import ssl

import pytest

from harness.cli.command import run
from harness.lib import peers
from harness.lib.keyrings import write_entry, write_ticket_keys
from harness.lib.peers import VERSIONS, talk
from harness.lib.pki import HERE, issue

from harness.security.conftest import SECRET, assert_serves_nobody, ended

pytestmark = pytest.mark.tls_only

RESET = "ECONNRESET"


@pytest.fixture
def partner():
    return issue("Partner Root", ca=True)


def visit(port, context):
    with peers.connect(port, context) as connection:
        connection.sendall(b"x")
        return connection.recv(100)


def below(root, name, *names):
    """Under an intermediate that every root may call so."""
    return issue(name, issue("Issuing CA", root, ca=True), (name, *names))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trust", ["ca", ["ca"], ["ca", "other"]])
def test_an_intruder_below_another_trusted_root(serve, pki, place, ca, server_side, partner,
                                                version, trust):
    write_entry(server_side.keyring, "partner", "ca", partner)
    write_entry(server_side.keyring, "other", "ca", pki.stranger_ca)
    intruder = below(partner, "app1.internal").files(place, "intruder")
    wanted = {"client_auth": "required", "allow": ["issuer:CN=Issuing CA"]}
    # A name is no wall: without `trust` this peer passes.
    server, port = serve("recv", "send:welcome", "close", **wanted)
    assert visit(port, peers.client_context(ca, version, intruder)) == b"welcome"
    ended(server)

    server, port = serve("recv", f"send:{SECRET}", "close", trust=trust, **wanted)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        visit(port, peers.client_context(ca, version, intruder))
    assert set(ended(server)["recv"]) == {RESET}
    server_side.refused("untrusted", RESET)

    server, port = serve("recv", "send:welcome", "close", trust=trust, **wanted)
    own = below(pki.ca, "app1.internal").files(place, "own")
    assert visit(port, peers.client_context(ca, version, own)) == b"welcome"
    ended(server)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_of_another_partner(dial, tls_server, pki, client_side, partner, version):
    write_entry(client_side.keyring, "partner", "ca", partner)
    fake = below(partner, "localhost", *HERE)
    _, port = tls_server(fake, version=version)
    assert dial(port, "send:x", "close", trust="partner")["connect"] == ["ok"]
    _, port = tls_server(fake, version=version)
    assert dial(port, f"send:{SECRET}", trust="ca")["connect"] == ["EKEYREJECTED"]
    client_side.refused("untrusted", "EKEYREJECTED")
    _, port = tls_server(pki.server, version=version)
    assert dial(port, "send:x", "close", trust="ca")["connect"] == ["ok"]


def test_a_site_alone(dial, tls_server, pki, client_side):
    write_entry(client_side.keyring, "shop", "site", pki.stranger_server)
    _, port = tls_server(pki.stranger_server)
    assert dial(port, "send:x", "close", trust="shop")["connect"] == ["ok"]
    _, port = tls_server(pki.server)
    assert dial(port, f"send:{SECRET}", trust="shop")["connect"] == ["EKEYREJECTED"]


def test_a_session_of_one_rule_is_none_of_another(serve, pki, place, ca, server_side, partner):
    """The rule's trust changes under a client that has a session."""
    write_entry(server_side.keyring, "partner", "ca", partner)
    context = peers.client_context(ca, "1.3", below(partner, "app1").files(place, "app1"))
    settings = {"client_auth": "required", "session": {"ticket_keys": f"{place}/ticket.keys"}}
    write_ticket_keys(f"{place}/ticket.keys", b"k" * 48)
    server, port = serve("recv", "send:welcome", "close", **settings)
    with peers.connect(port, context) as connection:
        connection.sendall(b"x")
        assert connection.recv(100) == b"welcome"
        session = connection.session
    ended(server)
    server, port = serve("recv", f"send:{SECRET}", "close", trust="ca", **settings)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        with peers.connect(port, context, session) as connection:
            connection.sendall(b"x")
            connection.recv(100)
    assert set(ended(server)["recv"]) == {RESET}


@pytest.mark.parametrize("trust, said", [("no-such", "no entry"), ("server", "vouches for nobody")])
def test_a_label_that_vouches_for_nobody(processes, ports, server_side, trust, said):
    port = ports.free()
    server_side.inbound(port, client_auth="required", trust=trust)
    server = processes.start(talk(f"listen:{port}", "accept", f"send:{SECRET}", "close"),
                             environment=server_side.environment())
    assert_serves_nobody(server, port)
    assert said in server_side.log.text()
    checked = run("check", server_side.policy.path)
    assert checked.code == 2 and said in checked.out
    explained = run("explain", "inbound", "--local", f"127.0.0.1:{port}",
                    "--policy", server_side.policy.path)
    assert ["trust", f'"{trust}"'] in [line.split()[:2] for line in explained.out.splitlines()]
