"""Certificates that were withdrawn: CRLs in the keyring, and OCSP responses that are stapled."""

import pathlib
import ssl

import pytest
from cryptography.x509.ocsp import OCSPCertStatus

from harness.cli.keyring_fixture import Keyring
from harness.lib import peers
from harness.lib.keyrings import write_crl, write_ocsp
from harness.lib.peers import VERSIONS
from harness.lib.pki import ocsp_response, revoke
from harness.lib.ports import wait_listening

from harness.security.conftest import ended

pytestmark = pytest.mark.tls_only

RESET = "ECONNRESET"


def visit(port, context):
    with peers.connect(port, context) as connection:
        connection.sendall(b"x")
        return connection.recv(100)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("revocation", ["soft", "hard"])
def test_a_revoked_client(serve, pki, ca, place, server_side, version, revocation):
    write_crl(server_side.keyring, "ca", revoke(pki.ca, pki.client))
    server, port = serve("recv", "send:secret", "close", client_auth="required",
                         revocation=revocation)
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        visit(port, peers.client_context(ca, version, pki.client.files(place, "client")))
    assert set(ended(server)["recv"]) == {RESET}
    server_side.refused("revoked", RESET)


@pytest.mark.parametrize("revocation", ["off", "soft", "hard"])
def test_a_client_that_is_not_revoked(serve, pki, ca, place, server_side, revocation):
    write_crl(server_side.keyring, "ca", revoke(pki.ca, pki.batch))
    server, port = serve("recv", "send:welcome", "close", client_auth="required",
                         revocation=revocation)
    context = peers.client_context(ca, "1.3", pki.client.files(place, "client"))
    assert visit(port, context) == b"welcome"
    ended(server)


@pytest.mark.parametrize("crl", ["none", "old"])
@pytest.mark.parametrize("revocation", ["soft", "hard"])
def test_without_a_current_crl(serve, pki, ca, place, server_side, crl, revocation):
    if crl == "old":
        write_crl(server_side.keyring, "ca", revoke(pki.ca, days=(-30, -1)))
    server, port = serve("recv", "send:welcome", "close", client_auth="required",
                         revocation=revocation)
    context = peers.client_context(ca, "1.3", pki.client.files(place, "client"))
    if revocation == "soft":
        assert visit(port, context) == b"welcome"
    else:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            visit(port, context)
        event, = server_side.refused("not_allowed", RESET)
        assert "CRL" in event["reason"] and "revocation" in event["advice"]
    ended(server)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_revoked_server(dial, tls_server, pki, client_side, version):
    write_crl(client_side.keyring, "ca", revoke(pki.ca, pki.server))
    _, port = tls_server(pki.server, version=version)
    assert dial(port, "send:x")["connect"] == ["EKEYREVOKED"]
    client_side.refused("revoked", "EKEYREVOKED")


def test_over_a_rollover_of_the_ca(serve, ca, server_side):
    """Certificates that the old key signed have a list all along, and can still be revoked."""
    keyring = Keyring(pathlib.Path(server_side.keyring))
    keyring.good("ca", "create", "house")
    for label in ("early", "stolen"):
        keyring.good("create", label, "--client", "--dns", label, "--ca", "house")
    keyring.good("crl", "--ca", "house")

    def served(label):
        files = keyring.certificate(label), keyring.key(label)
        server, port = serve("recv", "send:welcome", "close", client_auth="required",
                             revocation="hard")
        try:
            return visit(port, peers.client_context(ca, "1.3", files)) == b"welcome"
        except ssl.SSLError as error:
            assert "certificate revoked" in str(error)
            return False
        finally:
            ended(server)

    assert served("early") and served("stolen")
    keyring.good("revoke", "stolen", "--reason", "keyCompromise")
    keyring.good("rekey", "house")
    keyring.good("rollover", "house")
    keyring.good("create", "late", "--client", "--dns", "late", "--ca", "house")
    assert served("early") and served("late") and not served("stolen")
    keyring.good("revoke", "early")
    assert served("late") and not served("early") and not served("stolen")


# ---- OCSP ----

@pytest.fixture
def stapling_server(processes, ports, place, pki):
    """stapling_server(DER or None, version) starts openssl s_server; gives its port."""
    def start(response, version="1.3"):
        port = ports.free()
        extra = ["-rev"]
        if response is not None:
            path = f"{place}/{port}.ocsp"
            with open(path, "wb") as out:
                out.write(response)
            extra += ["-status_file", path]
        server = processes.start(
            peers.openssl_server(port, pki.server.files(place, "stapler"), version, extra=extra))
        wait_listening(port, server)
        return port
    return start


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_response_is_what_must_staple_wants(dial, stapling_server, pki, version):
    port = stapling_server(ocsp_response(pki.server), version)
    assert dial(port, "send:x\n", "recv", "close", must_staple=True)["connect"] == ["ok"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("response, cause, errno, words", [
    (lambda pki: None, "not_allowed", "EKEYREJECTED", "without an OCSP response"),
    (lambda pki: ocsp_response(pki.server, OCSPCertStatus.REVOKED), "revoked", "EKEYREVOKED",
     "revoked"),
    (lambda pki: ocsp_response(pki.server, OCSPCertStatus.UNKNOWN), "not_allowed", "EKEYREJECTED",
     "does not know it"),
    (lambda pki: ocsp_response(pki.server, days=(-9, -2)), "not_allowed", "EKEYREJECTED",
     "has run out"),
    (lambda pki: ocsp_response(pki.client), "not_allowed", "EKEYREJECTED",
     "another certificate"),
    (lambda pki: ocsp_response(pki.server, signer=pki.server), "not_allowed", "EKEYREJECTED",
     "not signed by its issuer"),
    (lambda pki: ocsp_response(pki.server, signer=pki.stranger_ca), "not_allowed",
     "EKEYREJECTED", "not signed by its issuer"),
], ids=["none", "revoked", "unknown", "old", "of-another", "by-itself", "by-a-stranger"])
def test_no_good_response(dial, stapling_server, client_side, pki, version, response, cause, errno,
                          words):
    port = stapling_server(response(pki), version)
    assert dial(port, "send:x", must_staple=True)["connect"] == [errno]
    event, = client_side.refused(cause, errno)
    assert words in event["reason"], event.text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_staples_what_its_keyring_has(serve, pki, ca, processes, server_side, version):
    write_ocsp(server_side.keyring, "server", ocsp_response(pki.server))
    for setting, shown in [({}, "OCSP Response Status: successful"),
                           ({"ocsp": "off"}, "OCSP response: no response sent")]:
        _, port = serve("recv", "close", **setting)
        client = processes.run(peers.openssl_client(port, ca, version, extra=("-status",)),
                               check=False)
        assert shown in client.text, client.description
