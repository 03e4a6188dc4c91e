"""gaiter policy convert: what stunnel.conf and an AT-TLS policy become."""

import re

import pytest

from harness.cli.command import run

pytestmark = pytest.mark.tls_only

STUNNEL = """\
; the gateway of the shop
setuid = stunnel4
pid = /run/stunnel.pid
CAfile = {ca}
options = NO_SSLv3

[redis]
accept = 0.0.0.0:6390
connect = 127.0.0.1:6379
cert = {cert}
key = {key}
verifyChain = yes
checkHost = batch.example
checkHost = web.example
ciphers = ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA
TIMEOUTbusy = 20
TIMEOUTidle = 3600

[web]
accept = 443
connect = 8080
cert = {cert}
key = {key}
sslVersionMin = TLSv1.3
sessionResume = no

[api]
sni = web:*.api.example
connect = 8080
cert = {cert}
key = {key}

[to-ldap]
client = yes
accept = 127.0.0.1:389
connect = ldap.example:636
verifyChain = yes
checkHost = ldap.example
curves = X25519:P-256

[to-peer]
client = yes
accept = 127.0.0.1:1389
connect = 10.0.0.9:2636
verifyPeer = yes
CAfile = {cert}
cert = {cert}
key = {key}
sslVersion = TLSv1

[blind]
client = yes
accept = 127.0.0.1:1390
connect = 10.0.0.9:2637

[mail]
client = yes
accept = 127.0.0.1:25
connect = mail.example:25
protocol = smtp
"""

AT_TLS = """\
# Redis on the shop's host, and what its batch jobs call
TTLSRule                      RedisIn
{
  LocalPortRangeRef           redisPort
  LocalAddr                   All
  RemoteAddrGroupRef          house
  Direction                   Inbound
  Priority                    200
  TTLSGroupActionRef          on
  TTLSEnvironmentActionRef    redisServer
}
TTLSRule  Health { Direction Inbound
  LocalPortRange 7999
  Priority 300
  TTLSGroupActionRef off }
TTLSRule                      BatchOut
{
  RemotePortRange             5000-5010
  RemoteAddr                  192.0.2.0/24
  Jobname                     BATCH*
  Direction                   Outbound
  Priority                    200
  TTLSGroupActionRef          on
  TTLSEnvironmentActionRef    client
  TTLSConnectionActionRef     batchConnection
}
TTLSRule                      OffByJob
{
  LocalPortRange              4000 4001
  Jobname                     TEST*
  Direction                   Both
  TTLSGroupActionRef          off
}
TTLSGroupAction on { TTLSEnabled On }
TTLSGroupAction off { TTLSEnabled Off }
PortRange redisPort { Port 6379 }
IpAddrGroup house
{
  IpAddrSet { Prefix 10.0.0.0/8 }
  IpAddrRef gateway
}
IpAddr gateway { Addr 192.0.2.1 }
TTLSEnvironmentAction redisServer
{
  HandshakeRole ServerWithClientAuth
  TTLSKeyRingParmsRef ring
  TTLSCipherParmsRef suites
  TTLSEnvironmentAdvancedParms
  {
    ClientAuthType SAFCheck
    TLSv1.1 On
    TLSv1.2 Off
    TLSv1.3 On
    CertificateLabel Redis Server # the new one
    HandshakeTimeout 20
  }
}
TTLSKeyRingParms ring { Keyring REDIS/ring1 }
TTLSCipherParms suites
{
  V3CipherSuites TLS_AES_256_GCM_SHA384
  V3CipherSuites4Char C030C02F009D
}
TTLSEnvironmentAction client
{
  HandshakeRole Client
  TTLSKeyRingParmsRef ring
  TTLSSignatureParms { ClientECurves 00290023 }
}
TTLSConnectionAction batchConnection
{
  TTLSConnectionAdvancedParms
  {
    HostReferenceIdDNS batch.example
    SecondaryMap On
  }
}
"""


def rules_of(policy):
    """name -> {key: value} of a converted policy."""
    rules = {}
    for body in re.findall(r"^  \{\n(.*?)^  \}", policy, re.MULTILINE | re.DOTALL):
        flat = re.sub(r"\n {6}|\n    (?=\])", "", body)
        settings = dict(re.findall(r"^    (\w+) = (.*);$", flat, re.MULTILINE))
        rules[settings.pop("name").strip('"')] = settings
    return rules


def notes_of(result, path):
    """line -> what was said of it on standard error."""
    notes = {}
    for line in result.err.splitlines():
        number, text = re.fullmatch(rf"gaiter: {re.escape(str(path))}:(\d+): (.*)", line).groups()
        notes.setdefault(int(number), []).append(text)
    return notes


def line_of(text, word):
    return 1 + [word in line for line in text.splitlines()].index(True)


@pytest.fixture
def stunnel(tmp_path, pki):
    """The text of STUNNEL with the names of real files, and its path."""
    cert, key = pki.server.files(tmp_path, "shop")
    ca = tmp_path / "house-ca.pem"
    ca.write_bytes(pki.ca.certificate_pem)
    path = tmp_path / "stunnel.conf"
    path.write_text(STUNNEL.format(ca=ca, cert=cert, key=key))
    return path


@pytest.fixture
def at_tls(tmp_path):
    path = tmp_path / "ttls.policy"
    path.write_text(AT_TLS)
    return path


def test_services_of_stunnel_become_rules(stunnel, tmp_path):
    result = run("policy", "convert", stunnel)
    assert result.code == 1
    rules = rules_of(result.out)
    assert list(rules) == ["redis", "web", "to-ldap", "to-peer", "blind"]
    assert rules["redis"] == {
        "direction": '"inbound"', "local_ports": "6379", "certificate": '"shop"',
        "client_auth": '"required"', "trust": '"house-ca"',
        "allow": '[ "dns:batch.example", "dns:web.example" ]',
        "suites": '["TLS_AES_256_GCM_SHA384","TLS_CHACHA20_POLY1305_SHA256",'
                  '"TLS_AES_128_GCM_SHA256","TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]',
        "handshake_timeout": "20"}
    assert rules["web"] == {
        "direction": '"inbound"', "local_ports": "8080", "certificate": '"shop"',
        "sni": '{ "*.api.example" = "shop"; }', "min_version": '"TLSv1.3"',
        "session": "{ cache = 0; tickets = 0; }"}
    assert rules["to-ldap"] == {
        "direction": '"outbound"', "remote_ports": "636", "server_name": '"ldap.example"',
        "trust": '"house-ca"', "verify": '"full"', "groups": '[ "X25519", "P-256" ]'}
    peer = rules["to-peer"]
    assert re.fullmatch(r'\[ "fingerprint:[0-9a-f]{64}" \]', peer.pop("allow"))
    assert peer == {"direction": '"outbound"', "remote": '"10.0.0.9"', "remote_ports": "2636",
                    "certificate": '"shop"', "trust": '"shop-2"', "verify": '"chain"'}
    assert rules["blind"]["verify"] == '"none"'


def test_what_stunnel_has_and_gaiter_has_not_is_named(stunnel):
    result = run("policy", "convert", stunnel)
    text = stunnel.read_text()
    notes = notes_of(result, stunnel)
    for word, said in (("TIMEOUTidle", "TIMEOUTidle"), ("ciphers =", "AES128-SHA"),
                       ("sslVersion = TLSv1", "RFC 8996"), ("[blind]", "verifies no server"),
                       ("protocol = smtp", "left out, keep stunnel"),
                       ("connect = ldap.example:636", "every host")):
        assert said in " ".join(notes.pop(line_of(text, word)))
    assert not notes
    for line in result.err.splitlines():
        assert line.removeprefix("gaiter: ") in result.out  # and stands in the policy
    assert "# Not needed: setuid (line 2), pid (line 3)." in result.out


def test_a_converted_policy_is_good_after_the_imports_that_it_names(stunnel, tmp_path):
    converted = run("policy", "convert", stunnel).out
    policy = tmp_path / "gaiter.conf"
    policy.write_text(converted)
    keyring = tmp_path / "keyring"
    commands = re.findall(r"^#   gaiter (keyring import .*)$", converted, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        imported = run(*command.split(), "--keyring", keyring)
        assert imported.code == 0, imported.err
    result = run("check", policy, "--keyring", keyring, "--json")
    assert result.code < 2, result.out


def test_statements_of_at_tls_become_rules(at_tls):
    result = run("policy", "convert", at_tls)
    assert result.code == 1
    rules = rules_of(result.out)
    assert list(rules) == ["Health", "BatchOut", "RedisIn"]  # by priority, then by name
    assert rules["Health"] == {"direction": '"inbound"', "local_ports": "7999", "tls": '"off"'}
    assert rules["RedisIn"] == {
        "direction": '"inbound"', "remote": '("10.0.0.0/8", "192.0.2.1")', "local_ports": "6379",
        "certificate": '"Redis-Server"', "client_auth": '"required"', "allow": '"any-trusted"',
        "map_user": "true", "min_version": '"TLSv1.3"',
        "trust": '"ring1-ca"', "suites": '[ "TLS_AES_256_GCM_SHA384" ]',
        "handshake_timeout": "20"}
    assert rules["BatchOut"] == {
        "direction": '"outbound"', "remote": '"192.0.2.0/24"', "remote_ports": '"5000-5010"',
        "trust": '"ring1-ca"', "server_name": '"batch.example"', "verify": '"full"',
        "max_version": '"TLSv1.2"', "groups": '[ "X25519", "P-256" ]'}
    assert '    # program = "batch*";' in result.out


def test_what_at_tls_has_and_gaiter_has_not_is_named(at_tls):
    notes = notes_of(run("policy", "convert", at_tls), at_tls)
    for word, said in (("BATCH*", "names of z/OS"), ("SecondaryMap", "SecondaryMap"),
                       ("Keyring REDIS", "export"), ("SAFCheck", "user.map"),
                       ("TLSv1.1", "RFC 8996"), ("C030C02F009D", "009D"),
                       ("TEST*", "names of z/OS"),
                       ("TTLSRule                      OffByJob", "left out")):
        assert said in " ".join(notes.pop(line_of(AT_TLS, word))), word
    assert not notes


def test_a_converted_at_tls_policy_is_good(at_tls, tmp_path):
    policy = tmp_path / "gaiter.conf"
    policy.write_text(run("policy", "convert", at_tls).out)
    keyring = tmp_path / "keyring"
    assert run("keyring", "create", "Redis-Server", "--keyring", keyring).code == 0
    assert run("keyring", "ca", "create", "ring1-ca", "--keyring", keyring).code == 0
    (tmp_path / "user.map").write_text("")
    result = run("check", policy, "--keyring", keyring)
    assert result.code < 2, result.out


@pytest.mark.parametrize("text, line, said", [
    ("TTLSRule a\n{\n Direction Inbound\n TTLSGroupActionRef onn\n}\nTTLSGroupAction on { }\n",
     4, "did you mean on?"),
    ("TTLSRule a\n{\n TTLSGroupAction { TTLSEnabled On }\n}\n", 1, "Inbound, Outbound or Both"),
    ("TTLSRule a\n{\n Direction Inbound\n", 2, "{ without its }"),
    ("TTLSRule a { Direction Inbound }\n}\n", 2, "} without its {"),
    ("TTLSRule a { Direction Inbound }\n", 1, "TTLSGroupActionRef"),
    ("[redis]\nconnect 6379\n", 2, "OPTION = VALUE"),
    ("[redis\n", 1, "expected ]"),
])
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, text, line, said):
    path = tmp_path / "foreign"
    path.write_text(text)
    run("policy", "convert", path).refused(f"{path}:{line}: ", said)


def test_files_that_are_neither(tmp_path):
    path = tmp_path / "nginx.conf"
    path.write_text("server {\n  listen 443;\n}\n")
    run("policy", "convert", path).refused("--from")
    run("policy", "convert", tmp_path / "none").refused("cannot read", "none")
    run("policy", "convert", path, "--from", "apache").refused("--from")


def test_the_format_can_be_said(tmp_path):
    path = tmp_path / "inetd.conf"
    path.write_text("# nothing tells\nconnect = 6379\ncert = /etc/x.pem\n")
    result = run("policy", "convert", "--from", "stunnel", path)
    assert result.code == 0, result.err
    assert rules_of(result.out)["inetd"]["local_ports"] == "6379"


def converted(tmp_path, text, name="foreign.conf"):
    path = tmp_path / name
    path.write_text(text)
    result = run("policy", "convert", path)
    return result, rules_of(result.out)


def test_what_of_stunnel_cannot_be_carried_over_blocks(tmp_path):
    """Less is never asked for than stunnel did."""
    unreadable = f"{tmp_path}/nothing.pem"
    text = "[{name}]\naccept = 1\nconnect = 127.0.0.1:{port}\ncert = /x.pem\n{more}\n"
    services = [("peer", 2, f"verifyPeer = yes\nCAfile = {unreadable}"),
                ("old-peer", 3, f"verify = 4\nCAfile = {unreadable}"),
                ("both", 4, f"verify = 3\nCAfile = {unreadable}"),
                ("path", 5, f"verifyChain = yes\nrequireCert = yes\nCApath = {unreadable}"),
                ("nobody", 6, "verifyChain = yes\nrequireCert = yes")]
    for client in ("", "client = yes\n"):
        whole = "".join(text.format(name=name, port=port, more=client + more)
                        for name, port, more in services)
        result, rules = converted(tmp_path, whole)
        assert [rules[name]["tls"] for name, _, _ in services] == ['"block"'] * 5
        assert result.out.count("BLOCKED until you decide") == 5
        assert "any certificate of a trusted CA will do" not in result.out


def test_each_service_of_stunnel_trusts_its_own_cas(tmp_path, pki):
    (tmp_path / "one.pem").write_bytes(pki.ca.certificate_pem)
    (tmp_path / "cas").mkdir()
    (tmp_path / "cas" / "two.pem").write_bytes(pki.stranger_ca.certificate_pem)
    (tmp_path / "cas" / "three.pem").write_bytes(pki.ca.certificate_pem)
    _, rules = converted(tmp_path, f"""
[a]
client = yes
connect = 127.0.0.1:1
verifyChain = yes
CAfile = {tmp_path}/one.pem
[b]
client = yes
connect = 127.0.0.1:2
verifyChain = yes
CApath = {tmp_path}/cas
""")
    assert rules["a"]["trust"] == '"one"'
    assert rules["b"]["trust"] == '("three", "two")'
    assert "tls" not in rules["a"] and "tls" not in rules["b"]


def test_arguments_of_a_program_that_stunnel_starts(tmp_path):
    text = "[vnc]\naccept = 5900\nexec = /usr/bin/x11vnc\nexecArgs = x11vnc -inetd{more}\n" \
           "cert = /x.pem\n"
    result, _ = converted(tmp_path, text.format(more=""))
    assert "'EXEC:/usr/bin/x11vnc -inetd'" in result.out and "Not needed" not in result.out
    result, _ = converted(tmp_path, text.format(more=" -a,b"))
    assert "into a script" in result.err


def test_no_tickets_of_stunnel(tmp_path):
    _, rules = converted(tmp_path, "[a]\naccept = 1\nconnect = 2\ncert = /x.pem\n"
                                   "options = NO_TICKET\n")
    assert rules["a"]["session"] == "{ tickets = 0; }"


TTLS = """\
TTLSRule One { Direction Inbound
  LocalPortRange 990
  TTLSGroupActionRef on
  TTLSEnvironmentActionRef server }
TTLSGroupAction on { TTLSEnabled On }
TTLSEnvironmentAction server
{
  HandshakeRole ServerWithClientAuth
  TTLSKeyRingParms { Keyring FTPRING }
  TTLSEnvironmentAdvancedParms { ClientAuthType Required
    CertificateLabel FTP
    %s }
  TTLSGskAdvancedParms { %s }
  TTLSGskLdapParms { %s }
  TTLSCipherParms { %s }
}
"""
TLS12 = "V3CipherSuites4Char C030C02F"
TLS13 = "V3CipherSuites TLS_AES_256_GCM_SHA384"


@pytest.mark.parametrize("versions, suites, wanted", [
    ("", TLS12, {"max_version": '"TLSv1.2"'}),
    ("TLSv1.3 On", TLS12, {"max_version": '"TLSv1.2"'}),
    ("TLSv1.3 On", f"{TLS13}\n{TLS12}", {}),
    ("TLSv1.3 On", TLS13, {"min_version": '"TLSv1.3"'}),
    ("TLSv1.2 On\nTLSv1.3 Off", TLS12, {"max_version": '"TLSv1.2"'}),
    ("", TLS13, {"tls": '"block"'}),
    ("TLSv1.2 Off", "", {"tls": '"block"'})])
def test_versions_of_at_tls_are_what_check_accepts(tmp_path, versions, suites, wanted):
    result, rules = converted(tmp_path, TTLS % (versions, "", "", suites), "ttls.policy")
    for key in ("tls", "min_version", "max_version"):
        assert rules["One"].get(key) == wanted.get(key)
    keyring = tmp_path / "keyring"
    assert run("keyring", "ca", "create", "FTPRING-ca", "--keyring", keyring).code == 0
    assert run("keyring", "create", "FTP", "--keyring", keyring).code == 0
    (tmp_path / "gaiter.conf").write_text(result.out)
    checked = run("check", tmp_path / "gaiter.conf", "--keyring", keyring)
    assert checked.code < 2, checked.out


def test_more_words_of_at_tls(tmp_path):
    _, rules = converted(tmp_path, TTLS % (
        "", "GSK_SESSION_TICKET_SERVER_ENABLE Off", "GSK_CRL_SECURITY_LEVEL High", TLS12), "t.policy")
    assert rules["One"]["session"] == "{ tickets = 0; }"
    assert rules["One"]["revocation"] == '"hard"'
    assert rules["One"]["trust"] == '"FTPRING-ca"'
    _, rules = converted(tmp_path, TTLS % ("", "GSK_SESSION_TICKET_SERVER_COUNT 2", "", TLS12),
                         "t.policy")
    assert rules["One"]["session"] == "{ tickets = 2; }"


def test_an_application_controlled_rule_keeps_its_settings(tmp_path):
    result, rules = converted(tmp_path, TTLS % ("ApplicationControlled On", "", "", TLS12),
                              "t.policy")
    assert rules["One"]["tls"] == '"block"'
    assert rules["One"]["certificate"] == '"FTP"' and rules["One"]["trust"] == '"FTPRING-ca"'
    assert rules["One"]["client_auth"] == '"required"' and "suites" in rules["One"]
    assert "gaiter keyring import FTPRING-ca" in result.out
