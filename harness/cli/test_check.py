"""gaiter check: every mistake with its place, and what is wrong with the certificates."""

import json
import re

import pytest

from harness.cli.command import run
from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only


def imported(keyring, tmp_path, label, identity):
    certificate, key = identity.files(tmp_path, label)
    result = run("keyring", "import", label, "--cert", certificate, "--key", key,
                 "--keyring", keyring)
    assert result.code == 0, result.err


def test_a_good_policy(policy, redis_keyring):
    folder = policy(_6379="inbound = {};\noutbound = {};\n")
    result = run("check", folder, "--keyring", redis_keyring)
    assert (result.code, result.out) == (0, f"{folder}: 2 rules, good\n"), result.err


def test_every_mistake_is_told(policy):
    folder = policy(_6379='inbound = {\n  tls = "requierd";\n  min_verson = "TLSv1.3";\n};\n',
                    gaiter='unmached = "block";\n')
    result = run("check", folder)
    assert result.code == 2
    assert len(result.out.splitlines()) == 3, result.out
    assert f"{folder}/6379.conf:2:" in result.out and '"required"' in result.out
    assert f"{folder}/6379.conf:3:" in result.out
    assert f"{folder}/gaiter.conf:1:" in result.out and "unmatched" in result.out


def test_a_policy_that_is_not_there(tmp_path):
    result = run("check", tmp_path / "none")
    assert result.code == 2 and str(tmp_path / "none") in result.out


def test_the_environment_is_checked_by_default(policy, redis_keyring):
    folder = policy(_6379="inbound = {};\n")
    result = run("check", "--keyring", redis_keyring, GAITER_POLICY=str(folder),
                 GAITER_POLICY_TEXT="")
    assert result.code == 0 and result.out.endswith(f"{folder}: 1 rule, good\n")
    result = run("check", "--keyring", redis_keyring, GAITER_POLICY_TEXT='unmatched = "blok";')
    assert result.code == 2 and "GAITER_POLICY_TEXT:1:" in result.out


def test_nothing_protected_is_a_warning():
    result = run("check")
    assert result.code == 1 and "nothing is protected" in result.out


def test_a_label_that_is_not_there(policy, redis_keyring):
    folder = policy(_6379='inbound = {\n  certificate = "rdis";\n};\n')
    result = run("check", folder, "--keyring", redis_keyring)
    assert result.code == 2
    assert "6379.conf:2:" in result.out and "rdis" in result.out and "redis" in result.out


def test_no_keyring(policy, tmp_path):
    words = ["--keyring", tmp_path / "none"]
    folder = policy(_6379="inbound = {};\n")
    result = run("check", folder, *words)
    assert result.code == 1 and "does not exist" in result.out
    policy(_6379='inbound = { certificate = "redis"; };\n')
    assert run("check", folder, *words).code == 2
    policy(_6379='inbound = { tls = "off"; };\n')
    assert run("check", folder, *words).code == 0


def test_an_insecure_key(policy, redis_keyring):
    (redis_keyring / "redis" / "key.pem").chmod(0o640)
    result = run("check", policy(_6379="inbound = {};\n"), "--keyring", redis_keyring)
    assert result.code == 2 and "key.pem" in result.out


def test_certificates_that_expire(policy, redis_keyring, tmp_path):
    folder = policy(_6379='inbound = { certificate = "old"; };\n')
    imported(redis_keyring, tmp_path, "old", issue("old", names=["localhost"], days=(-9, -2)))
    result = run("check", folder, "--keyring", redis_keyring)
    assert result.code == 2 and '"old" expired on ' in result.out

    policy(_6379='inbound = { certificate = "soon"; };\n')
    imported(redis_keyring, tmp_path, "soon", issue("soon", names=["localhost"], days=(-9, 8)))
    result = run("check", folder, "--keyring", redis_keyring)
    assert result.code == 1
    assert re.search('^warning: .*"soon" expires in ', result.out, re.MULTILINE)

    policy(_6379='inbound = { certificate = "later"; };\n')
    imported(redis_keyring, tmp_path, "later", issue("later", names=["localhost"], days=(-9, 32)))
    assert run("check", folder, "--keyring", redis_keyring).code == 0
    assert run("check", folder, "--keyring", redis_keyring, "--expires-within", "33").code == 1


def test_trusting_nobody_is_a_warning(policy, tmp_path):
    keyring = tmp_path / "lonely"
    assert run("keyring", "create", "me", "--self-signed", "--keyring", keyring).code == 0
    result = run("check", policy(_6379="outbound = {};\n"), "--keyring", keyring)
    assert result.code == 1 and "trusts no CA" in result.out
    policy(_6379='outbound = { verify = "none"; };\n')
    assert run("check", tmp_path / "policy", "--keyring", keyring).code == 0


def test_json(policy, redis_keyring):
    folder = policy(_6379='inbound = {\n  tls = "requierd";\n};\n')
    result = run("check", folder, "--json", "--keyring", redis_keyring)
    assert result.code == 2
    report = json.loads(result.out)
    assert report["policy"] == str(folder)
    [finding] = report["findings"]
    assert finding["severity"] == "error" and finding["line"] == 2
    assert finding["file"] == f"{folder}/6379.conf" and "required" in finding["message"]

    policy(_6379="inbound = {};\noutbound = {};\n")
    report = json.loads(run("check", folder, "--json", "--keyring", redis_keyring).out)
    assert report == {"policy": str(folder), "rules": 2, "findings": []}


@pytest.mark.parametrize("words", [["a", "b"], ["--jsn"], [""]])
def test_wrong_usage_is_told(words):
    run("check", *words).refused("gaiter check --help")
