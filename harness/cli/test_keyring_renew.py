"""gaiter keyring renew, rekey, rollover, needs-renewal and expiring."""

import json

import pytest

from harness.cli.keyring_fixture import (
    openssl, public_key, sign_by_openssl, text_of, verified)

pytestmark = pytest.mark.tls_only


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


def test_a_revocation_list_is_by_the_new_ca_key(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    keyring.good("rekey", "house-ca")
    keyring.good("rollover", "house-ca")
    keyring.good("crl", "--ca", "house-ca")
    keyring("verify", "web").refused("no revocation list", "CN=web", "renew")
    keyring.good("renew", "web")
    keyring.good("verify", "web")


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
