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
    assert "nothing to complain of" in keyring.good("audit").out
    keyring.good("renew", "web")   # by the new one
    keyring.good("verify", "web")
    keyring.good("create", "new", "--dns", "new.internal")
    for label in ("web", "new"):
        verified(keyring.certificate("house-ca"), keyring.certificate(label))


def former_keys(keyring, label):
    return sorted((keyring.path / label).glob("previous-key-*.pem"))


def test_revocation_lists_are_by_all_keys_that_the_ca_had(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    for label in ("first", "bad"):
        keyring.good("create", label, "--dns", f"{label}.internal")
    keyring.good("revoke", "bad")
    old_keys = [keyring.key("house-ca").read_bytes()]
    for label in ("second", "third"):
        keyring.good("rekey", "house-ca")
        keyring.good("rollover", "house-ca")  # which signs the lists anew
        keyring.good("create", label, "--dns", f"{label}.internal")
        for good in ("first", label):
            keyring.good("verify", good)
        keyring("verify", "bad").refused("was revoked by CN=house-ca")
        assert sorted(path.read_bytes() for path in former_keys(keyring, "house-ca")) == \
            sorted(old_keys)
        old_keys.append(keyring.key("house-ca").read_bytes())
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in former_keys(keyring, "house-ca"))

    both = tmp_path / "ca-and-crl.pem"
    crl = tmp_path / "house-ca.crl"
    keyring.good("revoke", "second")  # by a key that is not in use any more
    done = keyring.good("crl", "--ca", "house-ca", "--out", crl)
    assert "2 that it had before" in done.err
    assert crl.read_text().count("BEGIN X509 CRL") == 3
    both.write_bytes(keyring.certificate("house-ca").read_bytes() + crl.read_bytes())
    words = ("verify", "-crl_check_all", "-CAfile", both)
    for label in ("first", "third"):
        assert "OK" in openssl(*words, keyring.certificate(label))
    for label in ("bad", "second"):
        assert "certificate revoked" in openssl(*words, keyring.certificate(label), code=2)


def test_an_ocsp_response_is_by_the_key_that_signed(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    ca, out = tmp_path / "ca.pem", tmp_path / "web.der"
    ca.write_bytes(keyring.certificate("house-ca").read_bytes())
    keyring.good("rekey", "house-ca")
    keyring.good("rollover", "house-ca")
    assert "good" in keyring.good("ocsp", "web", "--out", out).out
    text = openssl("ocsp", "-respin", out, "-issuer", ca, "-cert", keyring.certificate("web"),
                   "-CAfile", ca, "-no_nonce")
    assert "Response verify OK" in text and "certificate.pem: good" in text
    for path in former_keys(keyring, "house-ca"):
        path.unlink()
    keyring("ocsp", "web").refused("former key", "gaiter keyring renew web")


def test_a_list_needs_the_former_key(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    keyring.good("rekey", "house-ca")
    keyring.good("rollover", "house-ca")
    [former] = former_keys(keyring, "house-ca")
    former.write_bytes(keyring.key("web").read_bytes())
    keyring("crl", "--ca", "house-ca").refused(former.name, "is not the key")
    former.unlink()
    keyring.good("crl", "--ca", "house-ca")
    keyring("verify", "web").refused("no revocation list", "CN=web", "renew")
    keyring.good("renew", "web")
    keyring.good("verify", "web")


def test_former_keys_go_with_their_certificates(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    for label in ("house-ca", "web"):
        keyring.good("rekey", label)
        keyring.good("rollover", label)
    assert len(former_keys(keyring, "house-ca")) == 1 and not former_keys(keyring, "web")
    new, _ = keyring.certificate("house-ca").read_text().split("-----BEGIN", 2)[1:]
    keyring.certificate("house-ca").write_text("-----BEGIN" + new)
    keyring.good("renew", "house-ca")
    assert not former_keys(keyring, "house-ca")


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
