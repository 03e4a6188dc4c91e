"""What is trusted as it is (`site`) must be the peer itself: it vouches for nobody else, also when it
says that it is a CA, as `openssl req -x509` makes it say."""

import ssl

import pytest

from harness.lib import peers
from harness.lib.keyrings import write_crl, write_entry
from harness.lib.peers import VERSIONS
from harness.lib.pki import HERE, Identity, issue, revoke

from harness.security.conftest import ended

pytestmark = pytest.mark.tls_only

RESET = "ECONNRESET"
PARTNER = ("partner.example", *HERE)


@pytest.fixture
def partner():
    """A peer whose own certificate says CA:TRUE."""
    return issue("partner.example", names=PARTNER, ca=True)


def below(issuer, name, *names):
    """A certificate that `issuer` signed, shown with and without its issuer."""
    return issue(name, issuer, (name, *names))


def visit(port, context):
    with peers.connect(port, context) as connection:
        connection.sendall(b"x")
        return connection.recv(100)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_signed_by_a_site(dial, tls_server, partner, client_side, version):
    write_entry(client_side.keyring, "partner", "site", partner)
    fake = below(partner, "localhost", *HERE)
    between = issue("between", partner, ca=True)
    for shown in (fake, Identity(fake.key, fake.certificate), below(between, "localhost", *HERE)):
        _, port = tls_server(shown, version=version)
        assert dial(port, "send:password")["connect"] == ["EKEYREJECTED"]
        client_side.refused("untrusted", "EKEYREJECTED")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_site_itself_as_server(dial, tls_server, partner, client_side, version):
    write_entry(client_side.keyring, "partner", "site", partner)
    _, port = tls_server(partner, version=version)
    assert dial(port, "send:x", "close")["connect"] == ["ok"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_signed_by_a_site(serve, place, ca, partner, server_side, version):
    write_entry(server_side.keyring, "partner", "site", partner)
    admin = below(partner, "admin.apps.internal")
    server, port = serve("recv", "send:secret", "close", client_auth="required",
                         allow=["dns:admin.apps.internal"])
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        visit(port, peers.client_context(ca, version, admin.files(place, "admin")))
    assert set(ended(server)["recv"]) == {RESET}
    server_side.refused("untrusted", RESET)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_site_itself_as_client(serve, place, ca, partner, server_side, version):
    write_entry(server_side.keyring, "partner", "site", partner)
    server, port = serve("recv", "send:welcome", "close", client_auth="required",
                         allow=["dns:partner.example"])
    context = peers.client_context(ca, version, partner.files(place, "partner"))
    assert visit(port, context) == b"welcome"
    ended(server)


def test_a_site_under_a_trusted_ca_is_revoked_by_that(serve, pki, place, ca, server_side):
    """Its being a site takes nothing from what the CA says of it."""
    write_entry(server_side.keyring, "partner", "site", pki.client)
    write_crl(server_side.keyring, "ca", revoke(pki.ca, pki.client))
    server, port = serve("recv", "send:secret", "close", client_auth="required")
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        visit(port, peers.client_context(ca, "1.3", pki.client.files(place, "client")))
    assert set(ended(server)["recv"]) == {RESET}
    server_side.refused("revoked", RESET)
