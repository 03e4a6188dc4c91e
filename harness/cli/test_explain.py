"""gaiter explain: the rule for a connection, why not another, and what it means."""

import json
import os
import pwd
import re

import pytest

from harness.cli.command import run

pytestmark = pytest.mark.tls_only

RULES = """\
defaults = { inbound = { handshake_timeout = 5; }; };
rules = (
  { name = "health checks"; direction = "inbound"; local_ports = 7999; tls = "off"; },
  { name = "shards"; direction = "inbound"; local_ports = "7000-7998"; },
  { name = "to the shards"; direction = "outbound"; remote_ports = ( 6379, "7000-7999" ); }
);
"""
INBOUND = ["inbound", "--local", "127.0.0.1:6379", "--remote", "10.0.0.1:5555"]


@pytest.fixture
def folder(policy):
    return policy(_6379='inbound = {\n  certificate = "redis";\n};\n', gaiter=RULES)


def explained(*words, code=0):
    result = run("explain", *words, "--json")
    assert result.code == code, result.err
    return json.loads(result.out)


def settings_of(report):
    return {one["key"]: (one["value"], one["origin"]) for one in report["settings"]}


def test_the_rule_and_its_settings(folder, redis_keyring):
    result = run("explain", *INBOUND, "--policy", folder, "--keyring", redis_keyring)
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == f'rule "6379.conf:inbound" ({folder}/6379.conf:1)'
    words = [line.split() for line in lines]
    assert ["tls", '"required"', "default"] in words
    assert ["certificate", '"redis"', f"{folder}/6379.conf:2"] in words
    assert ["handshake_timeout", "5", f"{folder}/gaiter.conf:1"] in words
    [certificate] = [line for line in lines if line.startswith("  redis ")]
    assert re.search("CN=redis, 39[67] days left", certificate)


def test_why_each_earlier_rule_is_not_the_one(folder, redis_keyring):
    report = explained(*INBOUND, "--policy", folder, "--keyring", redis_keyring)
    assert report["rule"] == {"name": "6379.conf:inbound", "file": f"{folder}/6379.conf", "line": 1}
    assert report["earlier"] == [
        {"name": "health checks", "file": f"{folder}/gaiter.conf", "line": 3,
         "condition": "local_ports", "reason": "local_ports: 6379 is not 7999"},
        {"name": "shards", "file": f"{folder}/gaiter.conf", "line": 4,
         "condition": "local_ports", "reason": "local_ports: 6379 is not in 7000-7998"},
        {"name": "to the shards", "file": f"{folder}/gaiter.conf", "line": 5,
         "condition": "direction", "reason": "direction: inbound is not outbound"}]
    [certificate] = report["certificates"]
    assert certificate["label"] == "redis" and certificate["subject"] == "CN=redis"
    assert certificate["days_left"] in (396, 397) and certificate["expired"] is False


def test_the_first_rule_that_matches(folder):
    report = explained("inbound", "--local", "[::1]:7999", "--policy", folder)
    assert report["rule"]["name"] == "health checks" and report["earlier"] == []
    assert settings_of(report)["tls"] == ('"off"', f"{folder}/gaiter.conf:3")
    assert report["certificates"] == []
    report = explained("outbound", "--remote", "10.0.0.1:7001", "--policy", folder)
    assert report["rule"]["name"] == "to the shards"
    assert settings_of(report)["verify"] == ('"full"', "default")


def test_no_rule(folder, policy):
    words = ["outbound", "--remote", "10.0.0.1:80", "--policy", folder]
    result = run("explain", *words)
    assert result.code == 1
    assert "no rule is for this connection: it is in clear" in result.out
    assert explained(*words, code=1)["unmatched"] == "pass"
    policy(gaiter='unmatched = "block";\n')
    assert "it is refused" in run("explain", *words).out


def test_a_certificate_that_is_not_there(folder, tmp_path):
    report = explained(*INBOUND, "--policy", folder, "--keyring", tmp_path / "none")
    [certificate] = report["certificates"]
    assert certificate["label"] == "redis" and "none" in certificate["error"]


def test_the_policy_of_the_environment(folder):
    result = run("explain", *INBOUND, GAITER_POLICY=str(folder), GAITER_POLICY_TEXT="")
    assert "6379.conf:inbound" in result.out


def test_a_policy_with_an_error(policy):
    folder = policy(_6379='inbound = {\n  tls = "requierd";\n};\n')
    run("explain", *INBOUND, "--policy", folder).refused(f"{folder}/6379.conf:2:", '"required"')


@pytest.mark.parametrize("words, said", [
    (["inbound", "--remote", "10.0.0.1:5555"], "--local"),
    (["outbound", "--local", "10.0.0.1:5555"], "--remote"),
    (["inbound", "--local", "10.0.0.1"], "10.0.0.1:"),
    (["inbound", "--local", "10.0.0.300:1"], "127.0.0.1:6379"),
    (["inbound", "--local", "::1:6379"], "[::1]:6379"),
    (["inbound", "--local", "[::1]:0"], "65535"),
    (["inbound", "--local", "[::1]:1", "--user", "nobody-of-this-name"], "no such user"),
    (["inbound", "--local", "[::1]:1", "--group", "no-such-group"], "no such group"),
    (["sideways", "--local", "[::1]:1"], "inbound"),
    ([], "DIRECTION"),
])
def test_wrong_usage_is_told(folder, words, said):
    run("explain", *words, "--policy", folder).refused(said)


def test_a_user_may_be_a_number(folder):
    for user in ("nobody", pwd.getpwnam("nobody").pw_uid, 4_000_000_000, os.geteuid()):
        assert explained(*INBOUND, "--policy", folder, "--user", user)["rule"]


@pytest.mark.parametrize("says, now", [
    ('tls = "block"; mode = "monitor"', ("block", "enforce")),
    ('tls = "required"; mode = "monitor"', ("required", "enforce")),
    ('tls = "off"', ("required", "enforce")),
    ('tls = "optional"', ("required", "enforce"))])
def test_what_a_rule_says_once_its_day_has_come(policy, redis_keyring, says, now):
    where = policy(_6379=f'inbound = {{ certificate = "redis"; {says}; until = "2026-01-31"; }};\n')
    words = [*INBOUND, "--policy", where, "--keyring", redis_keyring]
    assert explained(*words)["rule"]["now"] == {"tls": now[0], "mode": now[1]}
    line = run("explain", *words).out.splitlines()[1]
    assert line == f'its `until` has come: tls = "{now[0]}", mode = "{now[1]}"'
