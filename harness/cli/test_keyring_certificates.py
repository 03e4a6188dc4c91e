"""gaiter keyring: making, asking for and renewing certificates; checked with openssl."""

import json
import re
import time

import pytest

from harness.cli.keyring_fixture import Keyring, make_request, openssl

pytestmark = pytest.mark.tls_only


@pytest.fixture
def keyring(tmp_path):
    return Keyring(tmp_path / "keyring")


def text_of(path):
    return openssl("x509", "-in", path, "-noout", "-text")


def public_key(path):
    return openssl("x509", "-in", path, "-noout", "-pubkey")


def serial_of(path):
    return openssl("x509", "-in", path, "-noout", "-serial")


def verified(ca, certificate, *words):
    assert "OK" in openssl("verify", "-x509_strict", "-CAfile", ca, *words, certificate)


# ---- create, ca create ----

@pytest.mark.parametrize("word, printed", [
    ("ec-p256", "NIST CURVE: P-256"), ("ec-p384", "NIST CURVE: P-384"),
    ("rsa-2048", "Public-Key: (2048 bit)"), ("rsa-4096", "Public-Key: (4096 bit)"),
    ("ed25519", "ED25519 Public-Key")])
def test_kinds_of_keys(keyring, word, printed):
    began = time.monotonic()
    keyring.good("ca", "create", "house-ca", "--key", word)
    keyring.good("create", "web", "--dns", "web.internal", "--key", word)
    assert time.monotonic() - began < 50
    assert printed in text_of(keyring.certificate("web"))
    verified(keyring.certificate("house-ca"), keyring.certificate("web"),
             "-verify_hostname", "web.internal", "-purpose", "sslserver")
    assert keyring.key("web").stat().st_mode & 0o777 == 0o600


def test_all_kinds_of_names(keyring):
    keyring.good("create", "web", "--dns", "a.internal", "--dns", "*.b.internal",
                 "--ip", "10.0.0.1", "--ip", "fd00::1", "--uri", "spiffe://prod/web",
                 "--email", "ops@b.internal")
    assert keyring.entries()["web"]["names"] == [
        "dns:a.internal", "dns:*.b.internal", "ip:10.0.0.1", "ip:fd00::1",
        "uri:spiffe://prod/web", "email:ops@b.internal"]
    for option, bad in (("--dns", "a b"), ("--dns", "*.*.c"), ("--ip", "10.0.0"),
                        ("--uri", "nowhere"), ("--email", "nobody")):
        keyring("create", "other", option, bad).refused(bad)


def test_for_a_server_or_a_client_alone(keyring):
    keyring.good("create", "s", "--dns", "s", "--server")
    keyring.good("create", "c", "--dns", "c", "--client")
    assert "TLS Web Server Authentication\n" in text_of(keyring.certificate("s"))
    assert "TLS Web Client Authentication\n" in text_of(keyring.certificate("c"))
    keyring("verify", "c", "--as", "server").refused("extended key usage")
    keyring("create", "x", "--server", "--client").refused("--server")


def test_a_ca_keeps_to_its_limits(keyring):
    keyring.good("ca", "create", "root", "--path-length", "1", "--permit", "internal",
                 "--permit", "10.0.0.0/8", "--exclude", "secret.internal")
    text = text_of(keyring.certificate("root"))
    for words in ("CA:TRUE, pathlen:1", "DNS:internal", "IP:10.0.0.0/255.0.0.0",
                  "DNS:secret.internal", "Certificate Sign, CRL Sign"):
        assert words in text, words
    keyring.good("ca", "create", "below", "--ca", "root")
    keyring("ca", "create", "deeper", "--ca", "below").refused("path length")
    keyring.good("create", "web", "--ca", "below", "--dns", "web.internal", "--ip", "10.1.2.3")
    openssl("verify", "-CAfile", keyring.certificate("root"), "-untrusted",
            keyring.certificate("web"), keyring.certificate("web"))
    for name in ("web.example", "a.secret.internal"):
        keyring("create", "no", "--ca", "below", "--dns", name).refused("name constraints", name)
    keyring("create", "no", "--ca", "below", "--ip", "192.168.0.1").refused("name constraints")
    keyring("ca", "create", "no", "--permit", "10.0.0.0/99").refused("ip:10.0.0.0/8")
    keyring("ca", "create", "no", "--permit", "a b").refused("dns:example.org")
    keyring("create", "no", "--ca", "web").refused("web", "not a CA")


def test_days_and_what_they_may_be(keyring):
    keyring.good("ca", "create", "house-ca", "--days", "20")
    keyring.good("create", "web", "--days", "300")  # not beyond its signer
    entries = keyring.entries()
    assert entries["house-ca"]["days_left"] in (19, 20)
    assert entries["web"]["not_after"] == entries["house-ca"]["not_after"]
    keyring("ca", "create", "other", "--days", "0").refused("--days")


# ---- ca sign ----

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


# ---- request, receive ----

def sign_by_openssl(place, request, names, days="30", name="other"):
    """A CA of openssl's answers the request; gives the answer's and the CA's path."""
    ca, key = place / f"{name}-ca.pem", place / f"{name}-ca.key"
    if not ca.exists():
        openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-keyout", key, "-out", ca, "-subj", f"/CN={name} CA", "-days", "60")
    out = place / "answer.pem"
    (place / "names").write_text(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-days", days,
            "-extfile", place / "names", "-out", out)
    return out, ca


def test_a_certificate_by_a_ca_elsewhere(keyring, tmp_path):
    request = tmp_path / "web.csr"
    keyring.good("request", "web", "--dns", "web.example", "--uri", "spiffe://x/y", "--key",
                 "rsa-2048", "--out", request)
    assert "DNS:web.example, URI:spiffe://x/y" in openssl("req", "-in", request, "-noout", "-text",
                                                          "-verify")
    key = keyring.path / "web" / "next-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "web" not in keyring.entries()  # nobody takes it for an identity
    keyring("show", "web").refused("no certificate yet", "receive")
    assert keyring.good("request", "web").out == request.read_text()  # the same again

    answer, ca = sign_by_openssl(tmp_path, request, "DNS:web.example")
    keyring("receive", "web", answer).refused("import its CA first", "--any-ca")
    keyring.good("import", "other-ca", ca)
    result = keyring.good("receive", "web", answer)
    assert "uri:spiffe://x/y" in result.err  # which the CA left out
    entry = keyring.entries()["web"]
    assert entry["private_key"] and entry["usage"] == "personal" and "other CA" in entry["origin"]
    assert not key.exists() and keyring.key("web").stat().st_mode & 0o777 == 0o600
    keyring.good("verify", "web", "--as", "server", "--name", "web.example")


def test_a_wrong_answer_is_refused(keyring, tmp_path):
    first, second = tmp_path / "1.csr", tmp_path / "2.csr"
    keyring.good("request", "one", "--dns", "one", "--out", first)
    keyring.good("request", "two", "--dns", "two", "--out", second)
    answer, ca = sign_by_openssl(tmp_path, second, "DNS:two")
    keyring.good("import", "other-ca", ca)
    keyring("receive", "one", answer, "--any-ca").refused("not for \"one\"", "CN=two", "SHA-256")
    impostor, _ = sign_by_openssl(tmp_path, first, "DNS:one", name="impostor")
    keyring("receive", "one", impostor).refused("CN=impostor CA", "nor trusted")
    late, _ = sign_by_openssl(tmp_path, first, "DNS:one", days="-1")
    keyring("receive", "one", late).refused("expired")
    keyring("receive", "one", first).refused("1.csr")
    keyring("receive", "nosuch", answer).refused("nosuch", code=1)
    keyring.good("receive", "one", sign_by_openssl(tmp_path, first, "DNS:one")[0])


def test_a_request_of_an_entry_keeps_its_names(keyring, tmp_path):
    keyring.good("create", "web", "--dns", "a.internal", "--dns", "b.internal", "--ip", "10.0.0.1")
    request = tmp_path / "web.csr"
    keyring.good("request", "web", "--out", request)
    text = openssl("req", "-in", request, "-noout", "-text")
    assert "DNS:a.internal, DNS:b.internal, IP Address:10.0.0.1" in text
    assert openssl("req", "-in", request, "-noout", "-pubkey") == public_key(
        keyring.certificate("web"))
    answer, ca = sign_by_openssl(tmp_path, request, "DNS:a.internal,DNS:b.internal,IP:10.0.0.1")
    keyring.good("import", "other-ca", ca)
    keyring.good("receive", "web", answer)
    assert keyring.entries()["web"]["issuer"] == "CN=other CA"


# ---- renew, rekey, rollover ----

def test_renew_keeps_all_but_the_dates(keyring):
    keyring.good("ca", "create", "house-ca", "--days", "100")
    keyring.good("create", "web", "--dns", "a.internal", "--ip", "10.0.0.1", "--client",
                 "--days", "10")
    before = keyring.entries()["web"]
    old_key, old = public_key(keyring.certificate("web")), keyring.key("web").read_bytes()
    keyring.good("renew", "web", "--days", "50")
    after = keyring.entries()["web"]
    assert after["days_left"] in (49, 50) and after["serial"] != before["serial"]
    for same in ("subject", "issuer", "names", "key_type", "origin"):
        assert after[same] == before[same]
    assert public_key(keyring.certificate("web")) == old_key
    assert keyring.key("web").read_bytes() == old
    assert "TLS Web Client Authentication\n" in text_of(keyring.certificate("web"))
    keyring.good("verify", "web", "--as", "client")
    keyring.good("renew", "house-ca")
    keyring.good("verify", "web")
    keyring.good("create", "alone", "--self-signed", "--days", "5")
    keyring.good("renew", "alone")
    assert keyring.entries()["alone"]["days_left"] in (4, 5)


def test_renew_needs_who_signed_it(keyring, tmp_path):
    request = tmp_path / "web.csr"
    keyring.good("request", "web", "--dns", "web", "--out", request)
    answer, ca = sign_by_openssl(tmp_path, request, "DNS:web")
    keyring.good("receive", "web", answer, "--any-ca")
    keyring("renew", "web").refused("CN=other CA", "gaiter keyring request")
    assert "switches to it" in keyring.good("rekey", "web").out
    keyring("rollover", "web").refused("no certificate yet")
    keyring.good("request", "web", "--out", request)
    answer, ca = sign_by_openssl(tmp_path, request, "DNS:web")
    old_key = public_key(keyring.certificate("web"))
    assert "rollover" in keyring.good("receive", "web", answer, "--any-ca").out
    assert public_key(keyring.certificate("web")) == old_key
    keyring.good("rollover", "web")
    assert public_key(keyring.certificate("web")) == public_key(answer)


def test_a_new_key_takes_over_in_one_step(keyring):
    keyring.good("create", "web", "--dns", "a.internal")
    keyring("rollover", "web").refused("no next key", "rekey")
    old = keyring.certificate("web").read_text()
    keyring.good("rekey", "web", "--key", "ed25519")
    assert keyring.certificate("web").read_text() == old
    keyring("rekey", "web").refused("--again", "rollover")
    keyring.good("rekey", "web", "--key", "ec-p384", "--again")
    keyring.good("rollover", "web")
    entry = keyring.entries()["web"]
    assert entry["key_type"] == "EC P-384" and entry["names"] == ["dns:a.internal"]
    keyring.good("verify", "web", "--name", "a.internal")
    folder = keyring.path / "web"
    assert (folder / "previous.pem").read_text() == old
    assert sorted(path.name for path in folder.iterdir()) == [
        "certificate.pem", "entry.conf", "key.pem", "previous.pem"]
    assert public_key(keyring.certificate("web")) == openssl("pkey", "-in", keyring.key("web"),
                                                             "-pubout")


def test_what_an_old_ca_key_signed_stays_trusted(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    keyring.good("rekey", "house-ca")
    keyring.good("rollover", "house-ca")
    keyring.good("verify", "web")  # by the old key
    keyring.good("renew", "web")   # by the new one
    keyring.good("verify", "web")
    keyring.good("create", "new", "--dns", "new.internal")
    for label in ("web", "new"):
        verified(keyring.certificate("house-ca"), keyring.certificate(label))


# ---- needs-renewal, expiring, verify ----

def test_needs_renewal_by_exit_code(keyring):
    assert keyring("needs-renewal", "nosuch").code == 2
    keyring.good("create", "web", "--days", "30")
    assert keyring("needs-renewal", "nosuch").code == 2
    assert keyring("needs-renewal", "web").code == 1
    assert keyring("needs-renewal", "web", "--threshold", "31d").code == 0
    assert keyring("needs-renewal", "web", "--threshold", "31").code == 0
    assert keyring("needs-renewal", "web", "--threshold", "29d").code == 1
    assert keyring("needs-renewal", "web", "--threshold", "1%").code == 1
    for bad in ("0%", "100%", "x", "-1", "5w"):
        keyring("needs-renewal", "web", f"--threshold={bad}").refused("66%", "30d", code=255)
    keyring.certificate("web").write_text("nonsense")
    assert keyring("needs-renewal", "web").code == 255


def test_expiring(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "soon", "--days", "5")
    keyring.good("create", "later", "--days", "50")
    result = keyring("expiring")
    assert result.code == 1 and "soon" in result.out and "later" not in result.out
    result = keyring("expiring", "--within", "60", "--json")
    assert result.code == 1
    assert [entry["label"] for entry in json.loads(result.out)] == ["later", "soon"]
    result = keyring("expiring", "--within", "2")
    assert result.code == 0 and result.out == ""


def test_verify_says_what_a_peer_would_say(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    out = keyring.good("verify", "web", "--as", "server", "--name", "web.internal").out
    assert re.search(r"CN=web, .*\n +CN=house-ca, ", out)
    keyring("verify", "web", "--name", "other.internal").refused(
        "not for other.internal", "dns:web.internal")
    keyring("verify", "web", "--name", "10.0.0.1").refused("not for 10.0.0.1")
    keyring.good("create", "alone", "--self-signed")
    keyring("verify", "alone").refused("self-signed, and not trusted")
    keyring("verify", "web", "--as", "friend").refused("server,client")
    keyring("verify", "wbe").refused("web", code=1)


# ---- bundle, ticket keys ----

def test_a_bundle_for_clients(keyring, tmp_path):
    keyring("bundle").refused(str(keyring.path), code=1)
    for ca in ("one", "two"):
        keyring.good("ca", "create", ca)
    keyring.good("create", "web", "--ca", "two", "--dns", "web.internal")
    out = tmp_path / "ca.pem"
    text = keyring.good("bundle", "--out", out).out
    for word in ("one, two", "curl --cacert", "keytool -importcert", "certutil -addstore",
                 "Firefox"):
        assert word in text
    verified(out, keyring.certificate("web"), "-verify_hostname", "web.internal")
    assert keyring.good("bundle").out == out.read_text()


def test_ticket_keys(keyring):
    for count in (1, 2, 3, 3):
        assert f"{count} are in use" in keyring.good("ticket-keys", "rotate").out
    path = keyring.path / "ticket.keys"
    assert path.stat().st_mode & 0o777 == 0o600
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(r"[0-9a-f]{32} [0-9a-f]{64} \d+", line)


# ---- as the documents show it ----

def test_shown(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    request = make_request(tmp_path, "svc", "DNS:svc.internal")
    keyring.good("ca", "sign", request, "--ca", "house-ca", "--out", tmp_path / "c.pem")
    (tmp_path / "ca.pem").write_text(keyring.good("export", "house-ca").out)
    assert "c.pem: OK" in openssl("verify", "-CAfile", tmp_path / "ca.pem", "-verify_hostname",
                                  "svc.internal", tmp_path / "c.pem")
    assert keyring("needs-renewal", "nosuch").code == 2
