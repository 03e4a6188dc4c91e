"""gaiter keyring and other tools' requests, certificates and lists, both ways: certtool (GnuTLS),
keytool (Java), certutil (NSS) and openssl ca."""

import re

import pytest

from harness.cli.keyring_fixture import make_request, openssl, tool

# Java starts slowly on a busy machine.
pytestmark = [pytest.mark.tls_only, pytest.mark.limit(300)]


@pytest.fixture
def keyring(keyring):
    keyring.good("ca", "create", "house-ca")
    return keyring


def signed(keyring, request, out):
    keyring.good("ca", "sign", request, "--ca", "house-ca", "--out", out)
    return out


# ---- GnuTLS ----

def test_certtool_asks(keyring, tmp_path):
    key, request = tmp_path / "key", tmp_path / "request"
    (tmp_path / "template").write_text(
        'cn = svc\ndns_name = "svc.internal"\nip_address = "10.0.0.7"\n'
        'uri = "spiffe://prod/svc"\ntls_www_server\nsigning_key\n')
    tool("certtool", "--generate-privkey", "--key-type", "ecdsa", "--outfile", key)
    tool("certtool", "--generate-request", "--load-privkey", key, "--template",
         tmp_path / "template", "--outfile", request)
    out = signed(keyring, request, tmp_path / "c.pem")
    text = tool("certtool", "--certificate-info", "--infile", out)
    for words in ("DNSname: svc.internal", "IPAddress: 10.0.0.7", "URI: spiffe://prod/svc",
                  "TLS WWW Server"):
        assert words in text, text
    assert "TLS WWW Client" not in text
    text = tool("certtool", "--verify", "--load-ca-certificate", keyring.certificate("house-ca"),
                "--verify-hostname", "svc.internal", "--infile", out)
    assert "Verified. The certificate is trusted." in text


def test_certtool_answers(keyring, tmp_path):
    request, ca, key = tmp_path / "web.csr", tmp_path / "ca.pem", tmp_path / "ca.key"
    keyring.good("request", "web", "--dns", "web.example", "--out", request)
    assert "DNSname: web.example" in tool("certtool", "--crq-info", "--infile", request)
    (tmp_path / "ca.template").write_text('cn = "GnuTLS CA"\nca\ncert_signing_key\n')
    (tmp_path / "template").write_text("honor_crq_extensions\nexpiration_days = 20\n")
    tool("certtool", "--generate-privkey", "--key-type", "ecdsa", "--outfile", key)
    tool("certtool", "--generate-self-signed", "--load-privkey", key, "--template",
         tmp_path / "ca.template", "--outfile", ca)
    tool("certtool", "--generate-certificate", "--load-request", request, "--load-ca-certificate",
         ca, "--load-ca-privkey", key, "--template", tmp_path / "template", "--outfile",
         tmp_path / "web.pem")
    keyring.good("import", "gnutls-ca", ca)
    keyring.good("receive", "web", tmp_path / "web.pem")
    keyring.good("verify", "web", "--as", "server", "--name", "web.example")


def test_certtool_reads_a_revocation_list(keyring, tmp_path):
    keyring.good("create", "web", "--dns", "web")
    keyring.good("revoke", "web")
    keyring.good("crl", "--out", tmp_path / "crl.pem")
    text = tool("certtool", "--crl-info", "--infile", tmp_path / "crl.pem")
    assert "Revoked certificates (1)" in text and "CRL Number" in text
    text = tool("certtool", "--verify-crl", "--load-ca-certificate",
                keyring.certificate("house-ca"), "--infile", tmp_path / "crl.pem")
    assert "Verified" in text


# ---- Java ----

def test_keytool_asks_and_takes_the_answer(keyring, tmp_path):
    store, request = tmp_path / "store.p12", tmp_path / "request"
    words = ("-keystore", store, "-storepass", "changeit", "-storetype", "PKCS12")
    tool("keytool", "-genkeypair", "-alias", "svc", "-keyalg", "EC", "-groupname", "secp256r1",
         "-dname", "CN=svc,O=House", *words)
    tool("keytool", "-certreq", "-alias", "svc", "-file", request, "-ext",
         "SAN=dns:svc.internal,ip:10.0.0.8,uri:spiffe://prod/svc", *words)
    out = signed(keyring, request, tmp_path / "c.pem")
    tool("keytool", "-importcert", "-noprompt", "-trustcacerts", "-alias", "ca", "-file",
         keyring.certificate("house-ca"), *words)
    assert "installed in keystore" in tool("keytool", "-importcert", "-alias", "svc", "-file", out,
                                           *words)
    text = tool("keytool", "-list", "-v", "-alias", "svc", *words)
    assert "Certificate chain length: 2" in text
    for name in ("DNSName: svc.internal", "IPAddress: 10.0.0.8", "spiffe://prod/svc"):
        assert name in text
    assert "CN=svc, O=House" in text or "CN=svc,O=House" in text


def test_keytool_answers(keyring, tmp_path):
    store, request = tmp_path / "store.p12", tmp_path / "web.csr"
    words = ("-keystore", store, "-storepass", "changeit", "-storetype", "PKCS12")
    tool("keytool", "-genkeypair", "-alias", "ca", "-keyalg", "EC", "-groupname", "secp256r1",
         "-dname", "CN=Java CA", "-ext", "bc:c=ca:true", "-ext", "ku:c=keyCertSign", *words)
    tool("keytool", "-exportcert", "-rfc", "-alias", "ca", "-file", tmp_path / "ca.pem", *words)
    keyring.good("request", "web", "--dns", "web.example", "--out", request)
    # Text stands before the PEM block of what keytool prints.
    assert "web.example" in tool("keytool", "-printcertreq", "-file", request)
    tool("keytool", "-gencert", "-alias", "ca", "-infile", request, "-outfile",
         tmp_path / "web.pem", "-rfc", "-ext", "SAN=dns:web.example", *words)
    keyring.good("import", "java-ca", tmp_path / "ca.pem")
    keyring.good("receive", "web", tmp_path / "web.pem")
    keyring.good("verify", "web", "--name", "web.example")


# ---- NSS ----

def test_certutil_asks_and_takes_the_answer(keyring, tmp_path):
    place, request = tmp_path / "nss", tmp_path / "request"
    place.mkdir()
    (tmp_path / "noise").write_bytes(bytes(range(64)))
    database = ("-d", f"sql:{place}")
    tool("certutil", "-N", "--empty-password", *database)
    tool("certutil", "-R", "-a", "-k", "ec", "-q", "nistp256", "-s", "CN=svc", "-8",
         "svc.internal,*.svc.internal", "-z", tmp_path / "noise", "-o", request, *database)
    out = signed(keyring, request, tmp_path / "c.pem")
    assert "DNS:svc.internal, DNS:*.svc.internal" in openssl("x509", "-in", out, "-noout", "-text")
    tool("certutil", "-A", "-n", "house", "-t", "C,,", "-a", "-i", keyring.certificate("house-ca"),
         *database)
    tool("certutil", "-A", "-n", "svc", "-t", "u,u,u", "-a", "-i", out, *database)
    assert "certificate is valid" in tool("certutil", "-V", "-n", "svc", "-u", "V", *database)
    keyring.good("revoke", "--file", out)
    keyring.good("crl", "--out", tmp_path / "crl.pem")
    openssl("crl", "-in", tmp_path / "crl.pem", "-outform", "DER", "-out", tmp_path / "crl.der")
    tool("crlutil", "-I", "-i", tmp_path / "crl.der", "-t", "1", *database)
    assert "revoked" in tool("certutil", "-V", "-n", "svc", "-u", "V", *database, code=255)


# ---- openssl ca ----

def test_openssl_ca_answers(keyring, tmp_path):
    request = tmp_path / "web.csr"
    keyring.good("request", "web", "--dns", "web.example", "--ip", "10.0.0.3", "--out", request)
    openssl("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", tmp_path / "ca.key", "-out",
            tmp_path / "ca.pem", "-subj", "/CN=openssl CA")
    (tmp_path / "index").write_text("")
    (tmp_path / "conf").write_text(
        f"[ca]\ndefault_ca = one\n[one]\ndatabase = {tmp_path}/index\nnew_certs_dir = {tmp_path}\n"
        f"certificate = {tmp_path}/ca.pem\nprivate_key = {tmp_path}/ca.key\nrand_serial = yes\n"
        "default_md = sha256\ndefault_days = 9\npolicy = any\ncopy_extensions = copy\n"
        "[any]\ncommonName = supplied\n")
    openssl("ca", "-batch", "-config", tmp_path / "conf", "-in", request, "-out",
            tmp_path / "web.pem")
    assert re.match(r"Certificate:", (tmp_path / "web.pem").read_text())  # text before the block
    keyring.good("import", "openssl-ca", tmp_path / "ca.pem")
    keyring.good("receive", "web", tmp_path / "web.pem")
    keyring.good("verify", "web", "--as", "server", "--name", "10.0.0.3")


def test_openssl_verifies_a_chain_of_cas(keyring, tmp_path):
    keyring.good("ca", "create", "root", "--path-length", "1", "--key", "rsa-2048")
    keyring.good("ca", "create", "below", "--ca", "root", "--key", "ed25519")
    request = make_request(tmp_path, "svc", "DNS:svc.internal")
    out = tmp_path / "c.pem"
    keyring.good("ca", "sign", request, "--ca", "below", "--out", out)
    assert out.read_text().count("BEGIN CERTIFICATE") == 2
    assert "OK" in openssl("verify", "-x509_strict", "-CAfile", keyring.certificate("root"),
                           "-untrusted", out, "-verify_hostname", "svc.internal", out)
