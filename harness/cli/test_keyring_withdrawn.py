"""Certificates that were withdrawn: the command says so, and gives a lost key no new one; lists of
other CAs are taken in."""

import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from harness.cli.command import run
from harness.lib.keyrings import write_crl
from harness.lib.pki import issue, revoke

pytestmark = pytest.mark.tls_only


@pytest.fixture
def house(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal", "--default")
    return keyring


@pytest.fixture
def company(keyring, tmp_path):
    """A CA elsewhere, imported as `company-ca`."""
    one = issue("Company CA", ca=True)
    (tmp_path / "company.pem").write_bytes(one.certificate_pem)
    keyring.good("import", "company-ca", tmp_path / "company.pem")
    return one


def listed(keyring, label):
    return next(one for one in json.loads(keyring.good("list", "--json").out)
                if one["label"] == label)


def test_a_lost_key_gets_no_new_certificate(house):
    house.good("revoke", "web", "--reason", "keyCompromise")
    house("renew", "web").refused("keyCompromise", "gaiter keyring rekey web")
    house.good("rekey", "web")
    house.good("rollover", "web")
    assert listed(house, "web")["revoked"] == ""
    house.good("renew", "web")


@pytest.mark.parametrize("reason", ["superseded", "unspecified"])
def test_a_key_that_is_not_lost_may_go_on(house, reason):
    house.good("revoke", "web", "--reason", reason)
    assert listed(house, "web")["revoked"] == reason
    house.good("renew", "web")
    assert listed(house, "web")["revoked"] == ""


def test_every_view_says_so(house, policy):
    where = policy(_443='inbound = { certificate = "web"; };\n')
    assert "revoked" not in house.good("list").out
    house.good("revoke", "web", "--reason", "keyCompromise")
    line = next(one for one in house.good("list").out.splitlines() if one.startswith("web "))
    assert " revoked " in line
    assert "keyCompromise" in house.good("show", "web").out
    assert json.loads(house.good("show", "web", "--json").out)["revoked"] == "keyCompromise"
    audit = house("audit")
    assert audit.code == 2 and "was revoked on" in audit.out and "rekey" in audit.out
    checked = run("check", where, "--keyring", house.path)
    assert checked.code == 2 and 'certificate "web" was revoked on' in checked.out


@pytest.mark.parametrize("encoding", ["pem", "der"])
def test_the_list_of_another_ca(keyring, company, tmp_path, encoding):
    partner = issue("partner", company, ("partner.example",))
    (tmp_path / "partner.pem").write_bytes(partner.certificate_pem)
    keyring.good("import", "partner", "--usage", "site", tmp_path / "partner.pem")
    pem = revoke(company, partner)
    file = tmp_path / "company.crl"
    file.write_bytes(pem if encoding == "pem" else x509.load_pem_x509_crl(pem).public_bytes(
        serialization.Encoding.DER))
    said = keyring.good("crl", "company-ca", "--import", file).out
    assert "CN=Company CA" in said and "1 revoked" in said
    assert listed(keyring, "partner")["revoked"] == "unspecified"
    assert "was revoked" in keyring("audit").out
    # Once more, and by the other way to name it.
    keyring.good("crl", "--ca", "company-ca", "--import", file)


def numbered(company, number, days=(-1, 30)):
    now = datetime.datetime.utcnow().replace(microsecond=0)
    builder = (x509.CertificateRevocationListBuilder().issuer_name(company.certificate.subject)
               .last_update(now + datetime.timedelta(days=days[0]))
               .next_update(now + datetime.timedelta(days=days[1]))
               .add_extension(x509.CRLNumber(number), critical=False))
    return builder.sign(company.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_list_that_will_not_do(house, company, tmp_path):
    file = tmp_path / "list"

    def refused(content, *said, label="company-ca"):
        file.write_bytes(content)
        house("crl", label, "--import", file).refused(*said)
    refused(b"nonsense", "list")
    refused(company.certificate_pem, "only CRLs")
    refused(revoke(issue("Company CA", ca=True)), "signed by no CA of")  # by that name
    refused(revoke(issue("Other CA", ca=True)), "signed by no CA of")
    refused(revoke(company, days=(-9, -1)), "out of date")
    refused(revoke(company), "no CA's entry", label="web")
    refused(revoke(company), "is here", label="house-ca")
    file.write_bytes(numbered(company, 7))
    house.good("crl", "company-ca", "--import", file)
    refused(numbered(company, 6), "newer list")
    file.write_bytes(numbered(company, 8))
    assert "number 8" in house.good("crl", "company-ca", "--import", file).out
    assert (house.path / "company-ca" / "crl.pem").read_bytes().count(b"BEGIN X509 CRL") == 1


def test_check_sees_that_a_list_is_missing(house, company, policy):
    where = policy(_443='inbound = { client_auth = "required"; allow = "any-trusted"; '
                        'certificate = "web"; revocation = "hard"; };\n')
    words = ["check", where, "--keyring", house.path]
    assert "no current revocation list of CN=Company CA" in run(*words).out
    write_crl(house.path, "company-ca", revoke(company, days=(-9, -1)))
    assert "no current revocation list of CN=Company CA" in run(*words).out
    write_crl(house.path, "company-ca", revoke(company))
    assert "list of CN=Company CA" not in run(*words).out
    assert "list of CN=house-ca" in run(*words).out
    policy(_443='inbound = { client_auth = "required"; allow = "any-trusted"; trust = "company-ca"; '
                'certificate = "web"; revocation = "hard"; };\n')
    assert "revocation list" not in run(*words).out
