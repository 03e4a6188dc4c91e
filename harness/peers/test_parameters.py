"""What a policy says of the protocol, shown to foreign peers: certificates by kind of key and by
name, profiles, application protocols, session tickets, key updates, the engine."""

import os
import ssl
import time

import pytest

from harness.lib import peers
from harness.lib.keyrings import write_ticket_keys
from harness.lib.ports import wait_listening

pytestmark = pytest.mark.tls_only

RESET = "ECONNRESET"


def context_of(ca, version="1.3", name_is_verified=True):
    context = peers.client_context(ca, version)
    context.check_hostname = name_is_verified
    return context


def greet(connection):
    connection.sendall(b"hello")
    assert connection.recv(100) == b"hello"


def connect_to(port, name, context):
    """A connection that asks for `name`, and the common name of the certificate that is shown."""
    raw = peers.socket.create_connection(("127.0.0.1", port), timeout=20)
    connection = context.wrap_socket(raw, server_hostname=name)
    subject = dict(pair for part in connection.getpeercert()["subject"] for pair in part)
    return connection, subject["commonName"]


@pytest.fixture
def two_keys(side, pki):
    return side("two-keys", {"ecdsa": pki.server, "rsa": pki.rsa_server}, {"ca": pki.ca})


# ---- certificates ----

@pytest.mark.parametrize("version", peers.VERSIONS)
@pytest.mark.parametrize("signature, key", [
    ("ecdsa_secp256r1_sha256", "ECDSA"), ("rsa_pss_rsae_sha256", "RSA-PSS"),
])
def test_each_client_gets_the_key_that_it_can_use(echo, two_keys, processes, ca, version,
                                                  signature, key):
    _, port = echo(side=two_keys, certificate=["ecdsa", "rsa"])
    client = processes.start(
        peers.openssl_client(port, ca, version, extra=("-sigalgs", signature)), stdin="pipe")
    client.wait_output(b"Peer signature type: " + key.encode())
    client.close_stdin()
    assert client.wait(10) == 0, client.describe()


def test_two_certificates_for_two_names(echo, two_keys, ca):
    _, port = echo(side=two_keys, certificate="ecdsa",
                   sni={'"rsa.harness"': "rsa", '"*.localhost"': "rsa"})
    context = context_of(ca, name_is_verified=False)
    for name, shown in [("rsa.harness", "rsa.harness"), ("RSA.Harness", "rsa.harness"),
                        ("a.localhost", "rsa.harness"), ("a.b.localhost", "server.harness"),
                        ("localhost", "server.harness"), ("server.harness", "server.harness")]:
        connection, actual = connect_to(port, name, context)
        with connection:
            greet(connection)
        assert actual == shown, name


def test_a_name_without_certificate_may_be_refused(echo, two_keys, ca):
    _, port = echo(side=two_keys, certificate="ecdsa", sni={'"rsa.harness"': "rsa"},
                   sni_unmatched="refuse")
    context = context_of(ca, name_is_verified=False)
    connection, _ = connect_to(port, "rsa.harness", context)
    connection.close()
    with pytest.raises(ssl.SSLError, match="unrecognized name"):
        connect_to(port, "server.harness", context)
    event, = two_keys.refused("not_allowed", RESET)
    assert "server.harness" in event["reason"]


# ---- protocol ----

def test_modern_refuses_tls12(echo, server_side, ca):
    _, port = echo(profile="modern")
    with peers.connect(port, context_of(ca, "1.3")) as connection:
        greet(connection)
    with pytest.raises(ssl.SSLError, match="protocol version"):
        peers.connect(port, context_of(ca, "1.2"))
    server_side.refused("protocol", RESET)


def test_max_version(echo, ca):
    _, port = echo(max_version="TLSv1.2")
    context = ssl.create_default_context(cafile=ca)
    with peers.connect(port, context) as connection:
        greet(connection)
        assert connection.version() == "TLSv1.2"


@pytest.mark.parametrize("version, chacha, aes", [
    ("1.3", ("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
     ("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256")),
    ("1.2", ("-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"),
     ("-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256")),
])
def test_fips_has_aes_and_nist_groups_only(echo, server_side, processes, ca, version, chacha, aes):
    _, port = echo(profile="fips")
    refused = processes.run(peers.openssl_client(port, ca, version, extra=chacha), check=False)
    assert "handshake failure" in refused.text + refused.errors
    refused = processes.run(peers.openssl_client(port, ca, version, extra=("-groups", "X25519")),
                            check=False)
    assert "handshake failure" in refused.text + refused.errors
    accepted = processes.run(peers.openssl_client(port, ca, version, extra=aes))
    assert "AES128-GCM" in accepted.text or "AES_128_GCM" in accepted.text
    # Of two that are alike the second is counted only.
    server_side.refused("protocol", RESET)


def test_suites_and_groups_of_the_policys_own(echo, processes, ca):
    _, port = echo(suites=["TLS_CHACHA20_POLY1305_SHA256"], min_version="TLSv1.3",
                   groups=["X25519MLKEM768", "P-384"])
    done = processes.run(peers.openssl_client(port, ca, "1.3"))
    assert "TLS_CHACHA20_POLY1305_SHA256" in done.text
    assert "P-384" in done.text or "secp384r1" in done.text


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO >= (3, 5), reason="this OpenSSL has the group")
def test_a_group_that_is_required_and_missing(processes, ports, server_side):
    port = ports.free()
    server_side.inbound(port, groups=["X25519MLKEM768!", "P-256"])
    server = processes.start(peers.echo_server(port, "threads"),
                             environment=server_side.environment())
    event, = server_side.refused("local", "EACCES")
    assert "X25519MLKEM768" in event["reason"] and '"!"' in event["advice"]
    assert server.wait(20) != 0


@pytest.mark.parametrize("version", peers.VERSIONS)
def test_alpn(echo, server_side, ca, version):
    _, port = echo(alpn=["h2", "redis"])
    for offered, chosen in [(["redis"], "redis"), (["http/1.1", "redis", "h2"], "h2"), ([], None)]:
        context = context_of(ca, version)
        if offered:
            context.set_alpn_protocols(offered)
        with peers.connect(port, context) as connection:
            greet(connection)
            assert connection.selected_alpn_protocol() == chosen
    context = context_of(ca, version)
    context.set_alpn_protocols(["http/1.1"])
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        peers.connect(port, context)
    server_side.refused("protocol", RESET)


# ---- sessions ----

class Restarted:
    """An echo server that is restarted on its port, each time with the policy of the moment."""

    def __init__(self, processes, port, one):
        self._processes, self.port, self._side = processes, port, one
        self._server = None

    def restart(self, **settings):
        if self._server is not None:
            self._server.stop()
        self._side.inbound(self.port, **settings)
        self._server = self._processes.start(peers.echo_server(self.port, "threads"),
                                             environment=self._side.environment())
        wait_listening(self.port, self._server)


@pytest.fixture
def restarted(processes, ports, server_side):
    return Restarted(processes, ports.free(), server_side)


def visit(port, context, session=None):
    """Whether the session was resumed, and the one to go on with."""
    with peers.connect(port, context, session=session) as connection:
        greet(connection)
        return connection.session_reused, connection.session


def keys_file(place, *keys):
    path = os.path.join(place, "shared.keys")
    write_ticket_keys(path, *keys)
    return {"session": {"ticket_keys": path}}


@pytest.mark.parametrize("version", peers.VERSIONS)
def test_tickets_are_shared_by_a_file_of_keys(restarted, place, ca, version):
    old, new, newer = (os.urandom(48) for _ in range(3))
    context = context_of(ca, version)
    restarted.restart(**keys_file(place, old))
    resumed, session = visit(restarted.port, context)
    assert not resumed
    restarted.restart(**keys_file(place, old))  # another process
    assert visit(restarted.port, context, session)[0]
    restarted.restart(**keys_file(place, new, old))  # rotated
    resumed, renewed = visit(restarted.port, context, session)
    assert resumed
    restarted.restart(**keys_file(place, newer, new))
    assert visit(restarted.port, context, renewed)[0]
    assert not visit(restarted.port, context, session)[0]


@pytest.mark.parametrize("version", peers.VERSIONS)
def test_another_process_without_the_keys_resumes_nothing(restarted, ca, version):
    context = context_of(ca, version)
    restarted.restart()
    _, session = visit(restarted.port, context)
    assert visit(restarted.port, context, session)[0]
    restarted.restart()
    assert not visit(restarted.port, context, session)[0]


@pytest.mark.parametrize("version", peers.VERSIONS)
def test_a_session_made_under_other_rules_is_not_resumed(restarted, place, ca, pki, version):
    keys = keys_file(place, os.urandom(48))
    before = {"client_auth": "required", "allow": ["dns:batch.apps.internal"], **keys}
    context = peers.client_context(ca, version, pki.batch.files(place, "batch"))
    restarted.restart(**before)
    _, session = visit(restarted.port, context)
    restarted.restart(**before)
    assert visit(restarted.port, context, session)[0]
    restarted.restart(**{**before, "allow": ["dns:*.apps.internal"]})
    assert not visit(restarted.port, context, session)[0]
    restarted.restart(**{**before, "deny": ["dns:batch.apps.internal"]})
    with pytest.raises(ssl.SSLError, match="access denied"):
        visit(restarted.port, context, session)


def test_no_tickets_no_resumption(restarted, ca):
    restarted.restart(session={"tickets": 0})
    context = context_of(ca, "1.2")
    _, session = visit(restarted.port, context)
    assert not visit(restarted.port, context, session)[0]


@pytest.mark.parametrize("tickets", [0, 1, 3])
def test_as_many_tickets_as_the_policy_says(echo, processes, ca, tickets):
    _, port = echo(session={"tickets": tickets})
    client = processes.start(peers.openssl_client(port, ca, "1.3", extra=("-msg",)), stdin="pipe")
    client.write(b"hello\n")
    client.wait_output(b"\nhello")
    client.close_stdin()
    assert client.wait(10) == 0, client.describe()
    assert client.stdout().count(b"NewSessionTicket") == tickets


# ---- records ----

@pytest.mark.parametrize("rekey", [{"bytes": 16384}, {"seconds": 1}])
def test_keys_are_changed_as_often_as_the_policy_says(echo, processes, ca, rekey):
    _, port = echo(rekey=rekey)
    client = processes.start(peers.openssl_client(port, ca, "1.3", extra=("-msg",)), stdin="pipe")
    while b"KeyUpdate" not in client.stdout():
        client.write(b"hello\n")
        time.sleep(0.1)
    client.write(b"bye\n")  # both ends have new keys
    client.wait_output(b"\nbye")
    client.close_stdin()
    assert client.wait(10) == 0, client.describe()


@pytest.mark.parametrize("setting", [{"engine": "openssl"}, {"accelerator": "off"}])
def test_the_engine_is_the_policys_choice(echo, server_side, ca, setting):
    _, port = echo(**setting)
    with peers.connect(port, context_of(ca)) as connection:
        greet(connection)
    event, = server_side.secured()
    assert event["aead"] == "openssl"
