"""gaiter keyring verify, bundle and ticket-keys: what clients and peers make of a keyring."""

import json
import re

import pytest

from harness.cli.keyring_fixture import verified

pytestmark = pytest.mark.tls_only


def test_verify_says_what_a_peer_would_say(keyring):
    keyring.good("ca", "create", "house-ca")
    keyring.good("create", "web", "--dns", "web.internal")
    out = keyring.good("verify", "web", "--as", "server", "--name", "web.internal").out
    assert re.search(r"CN=web, .*\n +CN=house-ca, ", out)
    keyring("verify", "web", "--name", "other.internal").refused(
        "not for other.internal", "dns:web.internal")
    keyring("verify", "web", "--name", "10.0.0.1").refused("not for 10.0.0.1")
    said = json.loads(keyring.good("verify", "web", "--json").out)
    assert said["accepted"] and [link["subject"] for link in said["chain"]] == [
        "CN=web", "CN=house-ca"]
    refused = keyring("verify", "web", "--name", "other.internal", "--json")
    said = json.loads(refused.out)
    assert refused.code == 2 and not said["accepted"] and "not for other.internal" in said["reason"]
    keyring.good("create", "alone", "--self-signed")
    keyring("verify", "alone").refused("self-signed, and not trusted")
    keyring("verify", "web", "--as", "friend").refused("server,client")
    keyring("verify", "wbe").refused("web", code=1)


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
