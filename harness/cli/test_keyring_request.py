"""gaiter keyring request and receive: certificates by a CA elsewhere."""

import pathlib
import subprocess

import pytest

from harness.cli.command import Result, environment
from harness.cli.keyring_fixture import Keyring, openssl, public_key, sign_by_openssl
from harness.lib import gaiter

pytestmark = pytest.mark.tls_only


def test_a_certificate_by_a_ca_elsewhere(keyring, tmp_path):
    request = tmp_path / "web.csr"
    keyring.good("request", "web", "--dns", "web.example", "--uri", "spiffe://x/y", "--key",
                 "rsa-2048", "--out", request)
    assert "DNS:web.example, URI:spiffe://x/y" in openssl("req", "-in", request, "-noout", "-text",
                                                          "-verify")
    key = keyring.path / "web" / "next-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    listed = keyring.entries()["web"]
    assert listed["pending"] and listed["names"] == ["dns:web.example", "uri:spiffe://x/y"]
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


@pytest.fixture
def with_system_ca(tmp_path):
    """Runs a verb in a mount namespace where the system trusts these CAs alone."""
    bundle = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        pytest.skip("this system has no bundle of CAs")

    def run_with(keyring, cas, *words):
        ours = tmp_path / "system.crt"
        ours.write_text("".join(ca.read_text() for ca in cas))
        ours.chmod(0o644)
        return Result(subprocess.run(
            ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"',
             "sh", ours, bundle, gaiter.COMMAND, "keyring", "--keyring", keyring.path, *words],
            env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=30, check=False))
    return run_with


def test_a_chain_is_completed_from_the_systems_cas(keyring, tmp_path, with_system_ca):
    request = tmp_path / "web.csr"
    keyring.good("request", "web", "--dns", "web.example", "--out", request)
    answer, ca = sign_by_openssl(tmp_path, request, "DNS:web.example")
    _, stranger = sign_by_openssl(tmp_path, request, "DNS:web.example", name="stranger")
    answer, _ = sign_by_openssl(tmp_path, request, "DNS:web.example")
    with_system_ca(keyring, [stranger], "receive", "web", answer).refused("nor trusted")
    result = with_system_ca(keyring, [stranger, ca], "receive", "web", answer)
    assert result.code == 0 and "CN=other CA, is one that the system trusts" in result.err
    assert keyring.entries()["web"]["issuer"] == "CN=other CA"
    # Nobody else is trusted for it from now on.
    keyring("verify", "web").refused("nor trusted")


def test_an_intermediate_is_taken_from_the_systems_cas(keyring, tmp_path, with_system_ca):
    request = tmp_path / "web.csr"
    authority = Keyring(tmp_path / "authority")
    authority.good("ca", "create", "root", "--path-length", "1")
    authority.good("ca", "create", "issuing", "--ca", "root")
    keyring.good("request", "web", "--dns", "web.example", "--out", request)
    answer = tmp_path / "answer.pem"
    answer.write_text(first_block(authority.good("ca", "sign", request, "--ca", "issuing").out))
    cas = [authority.certificate("root"), authority.certificate("issuing")]
    keyring("receive", "web", answer).refused("CN=issuing")
    result = with_system_ca(keyring, cas, "receive", "web", answer)
    assert result.code == 0 and "the system trusts" in result.err
    openssl("verify", "-CAfile", cas[0], "-untrusted", keyring.certificate("web"),
            keyring.certificate("web"))
    # The same for one who takes it as it is.
    keyring.good("delete", "web")
    keyring.good("request", "web", "--dns", "web.example", "--out", request)
    answer.write_text(first_block(authority.good("ca", "sign", request, "--ca", "issuing").out))
    with_system_ca(keyring, cas, "receive", "web", answer, "--any-ca")
    assert len(keyring.entries()["web"]["chain"]) == 1


def first_block(pem):
    end = "-----END CERTIFICATE-----\n"
    return pem[:pem.index(end) + len(end)]
