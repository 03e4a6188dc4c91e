"""Who is let in, of those whom trust vouches for: allow and deny, pins, and programs that have
both kinds of peers. A peer that is genuine but not wanted is told access_denied."""

import hashlib
import os
import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from harness.lib import peers
from harness.lib.inline import pinged
from harness.lib.peers import VERSIONS
from harness.lib.ports import wait_listening

from harness.programs.test_redis import start_redis
from harness.security.conftest import ended

pytestmark = pytest.mark.tls_only

RESET = "ECONNRESET"


def pin(identity):
    key = identity.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "sha256:" + hashlib.sha256(key).hexdigest()


def visit(port, context):
    """A TLS client that speaks first; a refusal may only show when the answer is due."""
    with peers.connect(port, context) as connection:
        connection.sendall(b"x")
        return connection.recv(100)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rules", [
    {"allow": ["dns:batch.apps.internal"]},
    {"allow": ["dns:*.apps.internal"]},
    {"allow": ["dns:nobody.example", "spiffe://prod/*"]},
    {"allow": ["subject:CN=batch"]},
    {"allow": "any-trusted", "deny": ["dns:web.apps.internal"]},
], ids=["dns", "dns-glob", "spiffe", "subject", "not-denied"])
def test_an_allowed_client(serve, pki, ca, place, server_side, version, rules):
    server, port = serve("recv", "send:welcome", "close", client_auth="required", **rules)
    context = peers.client_context(ca, version, pki.batch.files(place, "batch"))
    assert visit(port, context) == b"welcome"
    assert ended(server)["recv"] != [RESET]
    server_side.nothing_refused()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rules, needed", [
    ({"allow": ["dns:web.apps.internal", "spiffe://test/*"]}, "dns:batch.apps.internal"),
    ({"allow": ["dns:*.internal"]}, "dns:batch.apps.internal"),
    ({"allow": ["subject:CN=Batch"]}, "dns:batch.apps.internal"),
    ({"allow": "any-trusted", "deny": ["uri:spiffe://prod/*"]}, "deny"),
    ({"allow": ["dns:batch.apps.internal"], "deny": ["issuer:CN=Harness CA"]}, "deny"),
], ids=["others", "one-label", "case", "denied", "deny-wins"])
def test_a_client_that_is_not_allowed(serve, pki, ca, place, server_side, version, rules, needed):
    server, port = serve("recv", "send:secret", "close", client_auth="required", **rules)
    context = peers.client_context(ca, version, pki.batch.files(place, "batch"))
    with pytest.raises(ssl.SSLError, match="access denied"):
        visit(port, context)
    assert set(ended(server)["recv"]) == {RESET}
    event, = server_side.refused("not_allowed", RESET)
    assert "dns:batch.apps.internal, uri:spiffe://prod/batch, subject:CN=batch" in event["reason"]
    assert needed in event["advice"]


def test_gnutls_is_told_so_too(serve, pki, ca, place, processes, server_side):
    _, port = serve("recv", "close", client_auth="required", allow=["dns:nobody.example"])
    refused = processes.run(peers.gnutls_client(port, ca, "1.2", pki.batch.files(place, "batch")),
                            check=False)
    assert "Access was denied" in refused.text + refused.errors
    server_side.refused("not_allowed", RESET)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_is_denied(dial, tls_server, pki, client_side, version):
    _, port = tls_server(pki.server, version=version)
    results = dial(port, "send:x", deny=["dns:server.harness"])
    assert results["connect"] == ["EKEYREJECTED"]
    event, = client_side.refused("not_allowed", "EKEYREJECTED")
    assert 'denied by "dns:server.harness"' in event["reason"]


@pytest.mark.parametrize("verify", ["full", "chain", "pinned"])
def test_pins(dial, tls_server, pki, client_side, verify):
    _, port = tls_server(pki.server)
    assert dial(port, "send:x", "close", verify=verify, pins=[pin(pki.client), pin(pki.server)]
                )["connect"] == ["ok"]
    _, port = tls_server(pki.server)
    assert dial(port, "send:x", verify=verify, pins=[pin(pki.client)]
                )["connect"] == ["EKEYREJECTED"]
    event, = client_side.refused("untrusted", "EKEYREJECTED")
    assert pin(pki.server) in event["advice"]


def test_a_pinned_ca_stands_for_what_it_issues_if_the_chain_is_verified(dial, tls_server, pki):
    _, port = tls_server(pki.server)
    assert dial(port, "send:x", "close", pins=[pin(pki.ca)])["connect"] == ["ok"]
    _, port = tls_server(pki.server)
    assert dial(port, "send:x", verify="pinned", pins=[pin(pki.ca)]
                )["connect"] == ["EKEYREJECTED"]


def test_a_pin_needs_no_trust(dial, tls_server, pki):
    _, port = tls_server(pki.stranger_server)
    results = dial(port, "send:x", "close", verify="pinned", pins=[pin(pki.stranger_server)])
    assert results["connect"] == ["ok"]


@pytest.mark.parametrize("line, cause", [
    ("subject:CN=batch root", None),
    ("subject:CN=other root", "no local user"),
    ("dns:*.apps.internal no-such-user", "not in /etc/passwd"),
], ids=["mapped", "unmapped", "no-user"])
def test_a_client_must_stand_for_a_local_user(serve, pki, ca, place, server_side, line, cause):
    with open(os.path.join(server_side.policy.path, "user.map"), "w", encoding="ascii") as out:
        out.write(line + "\n")
    server, port = serve("recv", "send:welcome", "close", client_auth="required", map_user=True)
    context = peers.client_context(ca, "1.3", pki.batch.files(place, "batch"))
    if cause is None:
        assert visit(port, context) == b"welcome"
        event, = server_side.secured()
        assert event["user"] == "root"
    else:
        with pytest.raises(ssl.SSLError, match="access denied"):
            visit(port, context)
        event, = server_side.refused("not_allowed", RESET)
        assert cause in event["reason"]
    ended(server)


# ---- real programs with peers of both kinds ----

@pytest.fixture
def callers(side, pki):
    """Two clients' ends with certificates of the same CA: one to be let in, one not."""
    return (side("batch", {"batch": pki.batch}, {"ca": pki.ca}),
            side("other", {"other": pki.client}, {"ca": pki.ca}))


def test_redis(processes, ports, server_side, callers):
    port = ports.free()
    server_side.inbound(port, client_auth="required", allow=["spiffe://prod/batch"])
    wait_listening(port, start_redis(processes, port, server_side.environment()))
    results = []
    for one, label in zip(callers, ("batch", "other")):
        one.outbound(port, certificate=label)
        results.append(processes.run(["redis-cli", "-h", "localhost", "-p", port, "PING"],
                                     environment=one.environment(), check=False))
    allowed, refused = results
    assert allowed.text == "PONG\n"
    assert "PONG" not in refused.text
    event, = server_side.refused("not_allowed", RESET)
    assert "dns:client.harness" in event["reason"]


def test_redis_and_an_expired_client(processes, ports, place, server_side, ca, pki):
    port = ports.free()
    server_side.inbound(port, client_auth="required", allow="any-trusted")
    wait_listening(port, start_redis(processes, port, server_side.environment()))
    assert pinged(port, ca=ca, identity=pki.client.files(place, "good")) == b"+PONG"
    assert pinged(port, ca=ca, identity=pki.expired_client.files(place, "expired")) is None
    server_side.refused("expired", RESET)


def test_nginx(processes, ports, place, server_side, callers):
    port = ports.free()
    with open(f"{place}/nginx.conf", "w", encoding="ascii") as out:
        out.write(f"daemon off; pid {place}/nginx.pid; error_log {place}/nginx.err;\n"
                  "worker_processes 2; events {}\n"
                  f"http {{ access_log off; server {{ listen 127.0.0.1:{port};\n"
                  'location / { return 200 "through"; } } }\n')
    server_side.inbound(port, client_auth="required", deny=["dns:client.harness"])
    server = processes.start(["nginx", "-p", place, "-c", f"{place}/nginx.conf"],
                             environment=server_side.environment())
    wait_listening(port, server)
    answers = []
    for one, label in zip(callers, ("batch", "other")):
        one.outbound(port, certificate=label)
        answers.append(processes.run(
            ["curl", "-q", "-sS", "--ipv4", "--noproxy", "*", f"http://localhost:{port}/"],
            environment=one.environment(), check=False))
    allowed, refused = answers
    assert allowed.text == "through"
    assert "through" not in refused.text and refused.status != 0
    server_side.refused("not_allowed", RESET)
