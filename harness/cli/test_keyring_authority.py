"""gaiter keyring: revoke, crl, ocsp and enroll; checked with openssl, and with two hosts."""

import os
import re

import pytest

from harness.cli.keyring_fixture import Keyring, make_request, openssl, serial_of
from harness.lib import gaiter, hosts

pytestmark = pytest.mark.tls_only


# ---- revoke, crl ----

def test_a_revoked_certificate_is_refused_by_openssl(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    ca = keyring.certificate("house-ca")
    for label in ("good", "bad"):
        keyring.good("create", label, "--dns", label)
    crl = tmp_path / "crl.pem"
    keyring.good("crl", "--out", crl, "--days", "3")
    text = openssl("crl", "-in", crl, "-noout", "-text", "-CAfile", ca)
    assert "verify OK" in text and "No Revoked Certificates" in text
    assert re.search(r"CRL Number: *\n *1\n", text) and "Authority Key Identifier" in text

    assert "list number 2" in keyring.good("revoke", "bad", "--reason", "keyCompromise").out
    keyring("verify", "bad").refused("was revoked by CN=house-ca")
    keyring.good("verify", "good")
    keyring.good("crl", "--ca", "house-ca", "--out", crl)
    text = openssl("crl", "-in", crl, "-noout", "-text", "-CAfile", ca)
    assert re.search(r"CRL Number: *\n *3\n", text) and "Key Compromise" in text
    assert serial_of(keyring.certificate("bad")) in text
    both = tmp_path / "ca-and-crl.pem"
    both.write_bytes(ca.read_bytes() + crl.read_bytes())
    words = ("verify", "-crl_check", "-CAfile", both)
    assert "OK" in openssl(*words, keyring.certificate("good"))
    assert "certificate revoked" in openssl(*words, keyring.certificate("bad"), code=2)
    keyring("revoke", "bad").refused("revoked already")
    [line] = (keyring.path / "house-ca" / "revoked").read_text().splitlines()
    assert re.fullmatch(r"[0-9A-F]+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ keyCompromise CN=bad", line)


def test_revoking_by_file_and_by_serial_number(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    request = make_request(tmp_path, "svc", "DNS:svc.internal")
    keyring.good("ca", "sign", request, "--out", tmp_path / "c.pem")
    keyring.good("revoke", "--file", tmp_path / "c.pem", "--reason", "superseded")
    keyring.good("revoke", "--serial", "2f:01", "--ca", "house-ca")
    text = openssl("crl", "-in", keyring.path / "house-ca" / "crl.pem", "-noout", "-text")
    assert serial_of(tmp_path / "c.pem") in text and "2F01" in text and "Superseded" in text
    keyring("revoke").refused("--file or --serial")
    keyring("revoke", "--serial", "2F02").refused("--ca")
    keyring("revoke", "--serial", "xyz", "--ca", "house-ca").refused("2F01")
    keyring("revoke", "house-ca").refused("self-signed", "nobody can revoke it")
    keyring("revoke", "nosuch").refused("nosuch", code=1)
    keyring("revoke", "--file", tmp_path / "c.pem", "--reason", "mood").refused("keyCompromise")
    (keyring.path / "house-ca" / "revoked").write_text("2F01 today\n")
    keyring("crl").refused("revoked:1", "SERIAL TIME REASON SUBJECT")


# ---- ocsp ----

def test_an_ocsp_response_that_openssl_accepts(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    out = tmp_path / "web.der"
    ca, web = keyring.certificate("house-ca"), keyring.certificate("web")

    def asked():
        return openssl("ocsp", "-respin", out, "-issuer", ca, "-cert", web, "-CAfile", ca,
                       "-no_nonce")
    assert "good" in keyring.good("ocsp", "web", "--days", "3", "--out", out).out
    text = asked()
    assert "Response verify OK" in text and "certificate.pem: good" in text
    assert (keyring.path / "web" / "ocsp.der").read_bytes() == out.read_bytes()
    keyring.good("revoke", "web", "--reason", "superseded")
    assert "revoked" in keyring.good("ocsp", "web", "--out", out).out
    text = asked()
    assert "certificate.pem: revoked" in text and "superseded" in text
    keyring("ocsp", "house-ca").refused("self-signed")
    keyring.good("renew", "web")  # what was said of the old certificate goes
    assert not (keyring.path / "web" / "ocsp.der").exists()


def test_an_ocsp_response_from_elsewhere(keyring, tmp_path):
    keyring.good("ca", "create", "house-ca")
    for label in ("web", "other"):
        keyring.good("create", label, "--dns", label)
    ca, key, web = (keyring.certificate("house-ca"), keyring.key("house-ca"),
                    keyring.certificate("web"))
    (tmp_path / "index").write_text(
        f"V\t401231235959Z\t\t{serial_of(web)}\tunknown\t/CN=web\n")
    (tmp_path / "index.attr").write_text("unique_subject = no\n")
    response, query = tmp_path / "r.der", tmp_path / "q.der"
    openssl("ocsp", "-issuer", ca, "-cert", web, "-reqout", query, "-no_nonce")

    def respond(signer, signer_key):
        openssl("ocsp", "-index", tmp_path / "index", "-CA", ca, "-rsigner", signer, "-rkey",
                signer_key, "-reqin", query, "-respout", response, "-ndays", "2")
    respond(ca, key)
    assert "good" in keyring.good("ocsp", "web", "--import", response).out
    keyring("ocsp", "other", "--import", response).refused("says nothing about CN=other")
    respond(keyring.certificate("other"), keyring.key("other"))
    keyring("ocsp", "web", "--import", response).refused("not signed by CN=house-ca")
    response.write_bytes(b"nonsense")
    keyring("ocsp", "web", "--import", response).refused("no OCSP response in DER")


# ---- enroll ----

@pytest.fixture
def other(tmp_path):
    return Keyring(tmp_path / "other")


def test_an_enrolment_brings_a_host_in(keyring, other, tmp_path):
    file = tmp_path / "b.enrolment"
    text = keyring.good("enroll", "export", "b.internal", "--ip", "10.77.0.2", "--uri",
                        "spiffe://prod/b", "--email", "ops@b.internal", "--out", file).out
    assert "SECRET" in text and "gaiter keyring enroll import b.enrolment" in text
    assert file.stat().st_mode & 0o777 == 0o600
    here = keyring.entries()
    assert here["localhost"]["default"] and here["gaiter-ca"]["private_key"]
    assert here["b.internal"]["usage"] == "site" and not here["b.internal"]["trusted"]
    other.good("enroll", "import", file)
    there = other.entries()
    assert there["b.internal"]["default"] and there["b.internal"]["private_key"]
    assert there["b.internal"]["names"] == [
        "dns:b.internal", "ip:10.77.0.2", "uri:spiffe://prod/b", "email:ops@b.internal"]
    assert there["gaiter-ca"]["trusted"] and not there["gaiter-ca"]["private_key"]
    assert not keyring.key("b.internal").exists()
    for one, name in ((keyring, "localhost"), (other, "b.internal")):
        for ca in (keyring, other):
            openssl("verify", "-CAfile", ca.certificate("gaiter-ca"), "-verify_hostname", name,
                    one.certificate(name))
    keyring("enroll", "export", "b.internal").refused("b.internal", "already")
    other("enroll", "import", file).refused("b.internal", "already")
    keyring.good("revoke", "b.internal")


def test_a_host_that_has_a_ca_of_that_name_keeps_it(keyring, other, tmp_path):
    other.good("create", "localhost")
    own = other.certificate("gaiter-ca").read_bytes()
    keyring.good("enroll", "export", "b.internal", "--out", tmp_path / "file")
    assert "trusts gaiter-ca-2 now" in other.good("enroll", "import", tmp_path / "file").out
    assert other.certificate("gaiter-ca").read_bytes() == own
    assert other.certificate("gaiter-ca-2").read_bytes() == keyring.certificate(
        "gaiter-ca").read_bytes()


def test_a_passphrase_protects_the_key(keyring, other, tmp_path):
    secret, wrong, file = tmp_path / "secret", tmp_path / "wrong", tmp_path / "file"
    secret.write_text("long and good\n")
    wrong.write_text("another\n")
    keyring.good("enroll", "export", "b", "--passphrase-file", secret, "--out", file)
    assert "BEGIN ENCRYPTED PRIVATE KEY" in file.read_text()
    assert "BEGIN PRIVATE KEY" not in file.read_text()
    other("enroll", "import", file, "--passphrase-file", wrong).refused("another passphrase")
    assert other.entries() == {} if other.path.exists() else True
    other.good("enroll", "import", file, "--passphrase-file", secret)
    assert other.entries()["b"]["private_key"]


def test_an_enrolment_that_is_wrong_is_refused(keyring, other, tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    keyring.good("enroll", "export", "b", "--out", good, "--hours", "1")
    text = good.read_text()

    def refused(changed, *words):
        assert changed != text
        bad.write_text(changed)
        other("enroll", "import", bad).refused(*words)
    refused(re.sub(r"expires: \d+", "expires: 2001", text), "was good until 2001")
    refused(text.replace("expires: ", "expired: "), "until when")
    refused("x" + text, "is no enrolment", "enroll export HOST")
    refused(text[:len(text) // 2], "bad")
    refused(text.replace("trusted CA:", "trusted:"), "whom to trust")
    refused(text.replace("host: b", "host: ../b"), "no label")
    other_key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    refused(re.sub(r"-----BEGIN PRIVATE.*END PRIVATE KEY-----\n", other_key, text, flags=re.S),
            "do not fit")
    other("enroll", "import", tmp_path / "none").refused("none")
    keyring("enroll", "export", "a b").refused("no label")
    keyring("enroll", "export").refused("HOST")


# ---- two hosts, with the commands of docs/keyring.md ----

def documented(heading):
    """The commands under a heading of docs/keyring.md: host -> lines, in their order."""
    with open(os.path.join(gaiter.REPOSITORY, "docs", "keyring.md"), encoding="utf-8") as guide:
        section = guide.read().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"On `([a-z.]+)`:\n\n```\n(.*?)```", section, flags=re.S)
    return [(host, block.replace("\\\n", "").splitlines()) for host, block in found]


@pytest.mark.limit(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_two_hosts_as_documented(place, processes):
    blocks = documented("Two hosts that trust each other")
    assert [host for host, _ in blocks] == ["a.internal", "b.internal"]
    serving, using = blocks[0][1], blocks[1][1]
    one, other = hosts.two_hosts(place, processes)
    for host in (one, other):
        host.shell(f"mkdir bin && ln -s {gaiter.COMMAND} bin/gaiter")

    export, copy, serve = serving
    take_in, use = using
    processes.run(one.shell_command(export))
    # Instead of ssh, which no test needs: the same file at the same place.
    assert copy == "scp b.internal.enrolment b.internal:"
    carried = one.shell("cat b.internal.enrolment")
    other.shell(f"umask 077; printf '%s' '{carried}' > b.internal.enrolment")
    processes.run(other.shell_command(take_in))
    server = processes.start(one.shell_command(serve), name="server")
    server.wait_output(b"listening on")
    capture = processes.start(one.command("tcpdump", "-i", "cable", "-U", "-w", "-", "tcp"),
                              name="capture")
    capture.wait_output(b"listening on cable")
    client = processes.run(other.shell_command(f"echo a plain secret | {use}"))
    assert b"a plain secret" in client.stdout, client.description
    assert b"a plain secret" not in capture.stdout()
    # Whoever has no certificate of that CA is not served.
    stranger = other.run("sh", "-c", f"echo a plain secret | nc -w 3 {one.address} 7000",
                         check=False)
    assert "a plain secret" not in stranger.stdout
