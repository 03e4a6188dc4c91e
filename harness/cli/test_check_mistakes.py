"""gaiter check: each kind of mistake in a policy, with its line and what would be right."""

import datetime
import time

import pytest

from harness.cli.command import run

pytestmark = pytest.mark.tls_only

RULE = 'rules = (\n  {{ direction = "{}"; {} }}\n);\n'


def inbound(setting):
    return RULE.format("inbound", "local_ports = 6379;\n    " + setting)


def outbound(setting):
    return RULE.format("outbound", "remote_ports = 6379;\n    " + setting)


@pytest.mark.parametrize("text, line, words", [
    # syntax
    ("rules = (\n  { tls = \"off\"; }\n;\n", 3, []),
    ('unmatched = "pass;\n', 1, []),
    # unknown words, and the nearest
    (inbound('tls = "requierd";'), 3, ['"requierd"', '"required"']),
    (inbound('min_verson = "TLSv1.3";'), 3, ["min_verson", "min_version"]),
    (inbound('client_auth = "opional";'), 3, ['"opional"', '"optional"']),
    (outbound('verify = "fulll";'), 3, ['"fulll"', '"full"']),
    ('unmached = "block";\n', 1, ["unmached", "unmatched"]),
    (RULE.format("inbuond", ""), 2, ['"inbuond"', '"inbound"']),
    # types
    (inbound('handshake_timeout = "ten";'), 3, ["handshake_timeout"]),
    (inbound("tls = true;"), 3, ["tls"]),
    (inbound('map_user = "yes";'), 3, ["map_user"]),
    ("rules = { };\n", 1, ["rules"]),
    # impossible values and ranges
    (RULE.format("inbound", 'local_ports = "7010-7000";'), 2, ["7010-7000"]),
    (RULE.format("inbound", "local_ports = 70000;"), 2, ["70000", "65535"]),
    (RULE.format("inbound", 'remote = "10.0.0.9-10.0.0.1";'), 2, ["10.0.0.9-10.0.0.1"]),
    (RULE.format("inbound", 'remote = "10.0.0.0/33";'), 2, ["10.0.0.0/33"]),
    (inbound("handshake_timeout = 0;"), 3, ["0"]),
    (inbound('tls = "optional"; until = "2027-02-30";'), 3, ["2027-02-30"]),
    (inbound('min_version = "TLSv1.3"; max_version = "TLSv1.2";'), 3, ["max_version"]),
    # what Gaiter does not speak
    (inbound('min_version = "TLSv1.1";'), 3, ["RFC 8996", "TLSv1.2"]),
    (inbound('suites = [ "TLS_RSA_WITH_AES_128_CBC_SHA" ];'), 3, ["TLS_RSA_WITH_AES_128_CBC_SHA"]),
    # authorisation that nobody has chosen
    (inbound('client_auth = "required";'), 3, ["allow", "any-trusted"]),
    (inbound('client_auth = "required"; allow = [ "name:x" ];'), 3, ["name:x"]),
    # settings of the other side
    (inbound('verify = "full";'), 3, ["verify"]),
    (outbound('client_auth = "none";'), 3, ["client_auth"]),
])
def test_the_line_the_word_and_what_is_right(policy, text, line, words):
    folder = policy(gaiter=text)
    result = run("check", folder)
    assert result.code == 2, result.out
    first = result.out.splitlines()[0]
    assert first.startswith(f"{folder}/gaiter.conf:{line}: "), first
    for word in words:
        assert word in first


def test_as_the_issue_shows_it(policy):
    folder = policy(_6379='inbound = {\n  tls = "requierd";\n};\n')
    result = run("check", folder)
    assert result.code == 2 and f"{folder}/6379.conf:2:" in result.out
    assert '"requierd"' in result.out and '"required"' in result.out


def findings(folder, *words):
    """What check prints, line by line, without the summary."""
    result = run("check", folder, *words)
    return result.code, [line for line in result.out.splitlines() if not line.endswith(" good")]


def test_a_rule_that_can_never_match(policy, redis_keyring):
    folder = policy(gaiter="""\
rules = (
  { name = "all"; direction = "inbound"; local_ports = "6000-6999"; tls = "off"; },
  { name = "one"; direction = "inbound"; local_ports = 6379; }
);
""")
    code, lines = findings(folder, "--keyring", redis_keyring)
    assert code == 1
    [line] = [line for line in lines if "never match" in line]
    assert line.startswith(f"warning: {folder}/gaiter.conf:3: ")
    assert '"one"' in line and f'"all" ({folder}/gaiter.conf:2)' in line


def test_a_port_protected_on_one_side_only(policy, redis_keyring):
    folder = policy(_6379='inbound = { };\noutbound = {\n  tls = "off";\n};\n')
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 1
    assert line.startswith(f"warning: {folder}/6379.conf:3: port 6379 is protected inbound")
    assert f"{folder}/6379.conf:1" in line

    policy(_6379="inbound = { };\n")
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 0
    assert line.startswith(f"note: {folder}/6379.conf:1: port 6379 is protected inbound")
    assert "outbound = { }" in line

    policy(gaiter='unmatched = "block";\n')
    assert findings(folder, "--keyring", redis_keyring) == (0, [])


def test_an_exception_whose_day_has_come(policy, redis_keyring):
    yesterday = datetime.datetime.utcnow().date() - datetime.timedelta(days=1)
    text = 'inbound = {\n  tls = "optional";\n  until = "%s";\n};\noutbound = { };\n'
    folder = policy(_6379=text % yesterday)
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 1 and line.startswith(f"warning: {folder}/6379.conf:3: until")
    assert str(yesterday) in line
    policy(_6379=text % (yesterday + datetime.timedelta(days=9)))
    assert findings(folder, "--keyring", redis_keyring) == (0, [])


def test_monitoring_without_an_end_is_noted(policy, redis_keyring):
    folder = policy(_6379='inbound = {\n  mode = "monitor";\n};\noutbound = { };\n')
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 0 and line.startswith(f"note: {folder}/6379.conf:2: ") and "until" in line


def test_a_required_group_that_this_openssl_has_not(policy, redis_keyring):
    old = "OpenSSL 3.0" in run("version").out
    folder = policy(_6379='inbound = {\n  groups = [ "X25519MLKEM768!", "X25519" ];\n};\n'
                          'outbound = { };\n')
    code, lines = findings(folder, "--keyring", redis_keyring)
    assert code == (2 if old else 0)
    if old:
        assert lines[0].startswith(f"{folder}/6379.conf:2: ") and "X25519MLKEM768" in lines[0]
    policy(_6379='inbound = { groups = [ "X25519MLKEM768", "X25519" ]; };\noutbound = { };\n')
    assert findings(folder, "--keyring", redis_keyring) == (0, [])


def test_ticket_keys(policy, redis_keyring, tmp_path):
    file = tmp_path / "ticket.keys"
    folder = policy(_6379=f'inbound = {{\n  session = {{ ticket_keys = "{file}"; }};\n}};\n'
                          'outbound = { };\n')

    def finds(content=None, mode=0o600):
        if content is not None:
            file.write_text(content)
            file.chmod(mode)
        code, lines = findings(folder, "--keyring", redis_keyring)
        assert all(f"{folder}/6379.conf:2: " in line for line in lines)
        return code, *lines

    def key(days):
        return f"{'0a' * 16} {'1b' * 32} {int(time.time()) - days * 86400}\n"

    code, line = finds()
    assert code == 2 and str(file) in line and "No such file" in line
    assert finds(key(0)) == (0,)
    assert finds(key(0) + key(30)) == (0,)  # the newest counts
    code, line = finds(key(8))
    assert code == 1 and "8 days" in line and "rotate" in line
    code, line = finds("0a0b 1c 5\n")
    assert code == 2 and f"{file}:1: " in line and "hexadecimal" in line
    code, line = finds("")
    assert code == 2 and "no key" in line
    code, line = finds(key(0) * 4)
    assert code == 2 and "more than 3 keys" in line
    code, line = finds("#" * 5_000_000)
    assert code == 2 and str(file) in line
    code, line = finds(key(0), 0o640)
    assert code == 2 and "chmod" in line
    policy(_6379=f'inbound = {{ session = {{ ticket_keys = "{file}"; tickets = 0; }}; }};\n'
                 'outbound = { };\n')
    assert finds() == (0,)  # nobody reads them


def test_fips_is_no_validated_module(policy, redis_keyring):
    folder = policy(_6379='inbound = {\n  profile = "fips";\n};\noutbound = { };\n')
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 0 and line.startswith(f"note: {folder}/6379.conf:2: ")
    assert "not a validated module" in line


def test_a_user_map(policy, redis_keyring):
    folder = policy(_6379='inbound = {\n  client_auth = "required";\n  allow = "any-trusted";\n'
                          '  map_user = true;\n};\noutbound = { };\n')
    users = folder / "user.map"

    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 2 and str(users) in line  # it is not there

    users.write_text("# who, as whom\ndns:*.apps.example  nobody\nnmae:x  root\n")
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 2 and line.startswith(f"{users}:3: ") and "expected patterns" in line

    users.write_text("dns:*.apps.example  nobody-of-this-name\n")
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 1 and line.startswith(f"warning: {users}: ")
    assert '"nobody-of-this-name"' in line and "/etc/passwd" in line

    users.write_text("# nobody yet\n")
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 1 and "maps nobody" in line

    users.write_text("dns:*.apps.example  nobody\n")
    assert findings(folder, "--keyring", redis_keyring) == (0, [])
    users.chmod(0o666)
    code, [line] = findings(folder, "--keyring", redis_keyring)
    assert code == 2 and f"chmod go-w {users}" in line


def test_loose_permissions(policy):
    folder = policy(_6379="inbound = { };\n")
    (folder / "6379.conf").chmod(0o666)
    code, [line] = findings(folder)
    assert code == 2 and f"chmod go-w {folder}/6379.conf" in line
    (folder / "6379.conf").chmod(0o644)
    folder.chmod(0o777)
    code, [line] = findings(folder)
    assert code == 2 and f"chmod go-w {folder}" in line
