"""gaiter keyring ca sign: requests of other tools, and what no CA should sign."""

import pytest

from harness.cli.keyring_fixture import make_request, openssl, public_key, text_of, verified

pytestmark = pytest.mark.tls_only


def test_a_foreign_request_is_signed(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    request = make_request(
        tmp_path, "svc", "DNS:svc.internal,DNS:*.svc.internal,IP:10.0.0.9,IP:fd00::9,"
        "URI:spiffe://prod/svc,email:ops@svc.internal,otherName:1.2.3.4;UTF8:other")
    out = tmp_path / "c.pem"
    keyring.good("ca", "sign", request, "--ca", "house-ca", "--out", out)
    verified(keyring.certificate("house-ca"), out, "-verify_hostname", "svc.internal")
    verified(keyring.certificate("house-ca"), out, "-verify_ip", "fd00::9")
    names = openssl("x509", "-in", out, "-noout", "-ext", "subjectAltName")
    for name in ("DNS:svc.internal", "DNS:*.svc.internal", "IP Address:10.0.0.9",
                 "URI:spiffe://prod/svc", "email:ops@svc.internal", "othername"):
        assert name in names, names
    assert public_key(out) == openssl("req", "-in", request, "-noout", "-pubkey")
    assert out.stat().st_mode & 0o777 == 0o644


def test_what_it_is_for_is_kept_or_said(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    asked = make_request(tmp_path, "c", "DNS:c", "-addext", "extendedKeyUsage=clientAuth")
    out = tmp_path / "c.pem"
    keyring.good("ca", "sign", asked, "--out", out)
    assert "TLS Web Server" not in text_of(out)
    keyring.good("ca", "sign", asked, "--server", "--out", out)
    assert "TLS Web Client" not in text_of(out)
    code = make_request(tmp_path, "code", "DNS:c", "-addext", "extendedKeyUsage=codeSigning")
    keyring("ca", "sign", code).refused("Code Signing", "--server")
    staple = make_request(tmp_path, "s", "DNS:s", "-addext", "tlsfeature=status_request")
    keyring.good("ca", "sign", staple, "--out", out)
    assert "status_request" in text_of(out)


def test_a_request_without_names_gets_its_common_name(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    request = make_request(tmp_path, "web.internal", None)
    result = keyring.good("ca", "sign", request, "--out", tmp_path / "c.pem")
    assert "dns:web.internal" in result.err
    verified(keyring.certificate("house-ca"), tmp_path / "c.pem", "-verify_hostname",
             "web.internal")


def test_all_that_is_signed_is_shown(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    section = tmp_path / "names.cnf"
    section.write_text("[req]\ndistinguished_name=d\n[d]\n[who]\nO=Example\nCN=admin\n")
    request = make_request(
        tmp_path, "svc", "DNS:svc.internal,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:admin@corp,"
        "RID:1.2.3.4,dirName:who", "-addext", "tlsfeature=status_request", "-config", section)
    said = keyring.good("ca", "sign", request, "--out", tmp_path / "c.pem").err
    for word in ("CN=svc", "dns:svc.internal", "other:1.3.6.1.4.1.311.20.2.3=admin@corp",
                 "registered:1.2.3.4", "directory:CN=admin,O=Example", "as server and client",
                 "must staple", "EC P-256"):
        assert word in said, said


@pytest.mark.parametrize("subject, names, word", [
    ("/CN=a\u202elanretni", "DNS:a.internal", "not seen"),
    ("/CN=a\u200b.internal", "DNS:a.internal", "not seen"),
    ("/CN=a", "DNS:a.internal,otherName:1.2.3.4;UTF8:x\u2066y", "cannot be shown, number 2"),
    ("/CN=a", "otherName:1.2.3.4;INTEGER:5", "cannot be shown, number 1"),
], ids=["direction", "zero-width", "in-a-name", "no-text"])
def test_what_cannot_be_shown_is_not_signed(keyring, tmp_path, subject, names, word):
    keyring.good("ca", "create", "house-ca")
    request = tmp_path / "r.csr"
    openssl("req", "-new", "-nodes", "-utf8", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-keyout", tmp_path / "r.key", "-out", request, "-subj",
            subject, "-addext", f"subjectAltName={names}")
    result = keyring("ca", "sign", request, "--out", tmp_path / "no.pem")
    result.refused(word)
    assert not (tmp_path / "no.pem").exists()
    assert not any(c in result.err for c in "\u202e\u200b\u2066"), result.err


def test_what_no_ca_should_sign(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca", "--permit", "internal")
    good = make_request(tmp_path, "good", "DNS:good.internal")

    def refused(request, *words, code=2):
        keyring("ca", "sign", request, "--out", tmp_path / "no.pem").refused(*words, code=code)
        assert not (tmp_path / "no.pem").exists()

    refused(make_request(tmp_path, "far", "DNS:far.example"), "name constraints", "far.example")
    refused(make_request(tmp_path, "ca", "DNS:ca.internal", "-addext",
                         "basicConstraints=critical,CA:TRUE"), "CA itself", "ca create")
    refused(make_request(tmp_path, "weak", "DNS:weak.internal", key=("-newkey", "rsa:1024")),
            "weak RSA key of 1024 bits")
    refused(make_request(tmp_path, "curve", "DNS:x.internal", key=(
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1")), "secp256k1")
    refused(tmp_path / "none.csr", "none.csr", "No such file")
    refused(keyring.certificate("house-ca"), "is a certificate, not")
    der = bytearray(tool_der(good, tmp_path).read_bytes())
    der[-1] ^= 1
    (tmp_path / "bent.csr").write_bytes(bytes(der))
    refused(tmp_path / "bent.csr", "its own key did not sign")
    (tmp_path / "half.csr").write_bytes(good.read_bytes()[:200])
    refused(tmp_path / "half.csr", "no well-formed certificate signing request")
    keyring("ca", "sign", good, "--ca", "nosuch").refused("nosuch", code=1)
    keyring.good("ca", "create", "second")
    keyring("ca", "sign", good).refused("house-ca and second", "--ca")


def tool_der(request, place):
    openssl("req", "-in", request, "-outform", "DER", "-out", place / "request.der")
    return place / "request.der"


def test_a_request_in_der_and_by_a_pipe(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    der = tool_der(make_request(tmp_path, "a", "DNS:a.internal"), tmp_path)
    assert "BEGIN CERTIFICATE" in keyring.good("ca", "sign", der).out


def test_as_the_documents_show_it(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    request = make_request(tmp_path, "svc", "DNS:svc.internal")
    keyring.good("ca", "sign", request, "--ca", "house-ca", "--out", tmp_path / "c.pem")
    (tmp_path / "ca.pem").write_text(keyring.good("export", "house-ca").out)
    assert "c.pem: OK" in openssl("verify", "-CAfile", tmp_path / "ca.pem", "-verify_hostname",
                                  "svc.internal", tmp_path / "c.pem")
    assert keyring("needs-renewal", "nosuch").code == 2
