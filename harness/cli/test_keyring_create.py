"""gaiter keyring create and ca create; checked with openssl."""

import time

import pytest

from harness.cli.keyring_fixture import make_request, openssl, text_of, verified

pytestmark = pytest.mark.tls_only


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


@pytest.mark.parametrize("name, word", [
    ("*.internal", "two, as in *.apps.internal"), ("my_service.internal", "underscore"),
    ("*.my_service.internal", "underscore"), ("10.0.0.1", "--ip"), ("*.a-.internal", "hyphen"),
])
def test_names_that_nobody_accepts_are_not_made(keyring, tmp_path, name, word):
    """The judge is OpenSSL's matcher, which Gaiter verifies names with."""
    for verb in ("create", "request"):
        keyring(verb, "web", "--dns", name).refused(name, word)
    keyring.good("ca", "create", "house-ca")
    request = make_request(tmp_path, "svc", f"DNS:{name}")
    keyring("ca", "sign", request, "--ca", "house-ca").refused(name, word)


def test_an_address_as_a_common_name_is_not_signed(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    request = make_request(tmp_path, "10.0.0.1", None)
    keyring("ca", "sign", request).refused("10.0.0.1", "IP:")
