"""gaiter keyring trust, distrust, connect, disconnect, rename, delete, match, audit; what list and
show say of the policy."""

import json
import subprocess

import pytest

from harness.cli.command import run
from harness.cli.keyring_fixture import Keyring, make_request, openssl
from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only


def put(keyring, label, identity, place, *words, key=True):
    file = place / f"{label}.in"
    file.write_bytes(identity.chain_pem + (identity.key_pem if key else b""))
    keyring.good("import", label, file, *words)


def policy_for(keyring, *rules):
    return f'keyring = "{keyring.path}"; rules = ( {", ".join(rules)} );'


def rule(name, certificate=None):
    label = f' certificate = "{certificate}";' if certificate else ""
    return f'{{ name = "{name}"; direction = "inbound"; local_ports = (1);{label} }}'


def with_policy(keyring, policy, *words):
    return run("keyring", "--keyring", keyring.path, *words, GAITER_POLICY_TEXT=policy)


# ---- what the policy uses ----

def test_list_and_show_name_the_rules(keyring, tmp_path):
    put(keyring, "web", issue("web", names=["web"]), tmp_path)
    put(keyring, "other", issue("other", names=["other"]), tmp_path)
    keyring.good("default", "other")
    policy = policy_for(keyring, rule("shop", "web"), rule("rest"))
    listed = json.loads(with_policy(keyring, policy, "list", "--json").out)
    assert {entry["label"]: entry["used_by"] for entry in listed} == {
        "web": ["shop"], "other": ["rest"]}
    [row] = [line for line in with_policy(keyring, policy, "list").out.splitlines()
             if line.startswith("web ")]
    assert row.endswith("shop")
    assert "shop" in with_policy(keyring, policy, "show", "web").out
    # The policy of another keyring says nothing of this one.
    elsewhere = Keyring(tmp_path / "elsewhere")
    put(elsewhere, "web", issue("web", names=["web"]), tmp_path)
    assert json.loads(with_policy(elsewhere, policy, "show", "web", "--json").out)["used_by"] == []
    # An entry that waits for its certificate is in the list, too.
    keyring.good("request", "soon", "--dns", "soon.internal", "--dns", "also.internal")
    policy = policy_for(keyring, rule("shop", "web"), rule("future", "soon"))
    [row] = [line for line in with_policy(keyring, policy, "list").out.splitlines()
             if line.startswith("soon ")]
    assert row.endswith("future")
    for words in ("personal, requested", "CN=soon", "soon.internal, also.internal", "EC P-256"):
        assert words in row
    waiting = json.loads(with_policy(keyring, policy, "list", "--json").out)[-1]
    assert waiting["pending"] and waiting["used_by"] == ["future"]
    with_policy(keyring, policy, "delete", "soon").refused("future", "--force")
    broken = with_policy(keyring, "rules = ( {", "list")
    assert broken.code == 0 and "cannot tell" in broken.err and "?" in broken.out


def test_delete_is_refused_while_a_rule_uses_the_entry(keyring, tmp_path):
    put(keyring, "web", issue("web", names=["web"]), tmp_path)
    put(keyring, "spare", issue("spare", names=["spare"]), tmp_path)
    keyring.good("default", "spare")
    policy = policy_for(keyring, rule("shop", "web"), rule("rest"))
    with_policy(keyring, policy, "delete", "web").refused("web", "shop", "--force")
    with_policy(keyring, policy, "delete", "spare").refused("rest", "--force")
    with_policy(keyring, "rules = ( {", "delete", "web").refused("--force")
    assert set(keyring.entries()) == {"spare", "web"}
    assert with_policy(keyring, policy, "delete", "web", "--force").code == 0
    keyring.good("delete", "spare")
    assert keyring.entries() == {}
    keyring("delete", "web").refused("web", code=1)


# ---- entries ----

def test_distrust_and_trust(keyring, tmp_path):
    put(keyring, "ca", issue("Some CA", ca=True), tmp_path, key=False)
    keyring.good("distrust", "ca")
    assert not keyring.entries()["ca"]["trusted"]
    assert "distrusted" in keyring.good("list").out
    keyring.good("trust", "ca")
    assert keyring.entries()["ca"]["trusted"]
    keyring("trust", "ac").refused("ac", "ca", code=1)


def test_rename(keyring, tmp_path):
    put(keyring, "web", issue("web", names=["web"]), tmp_path)
    keyring.good("default", "web")
    keyring.good("rename", "web", "shop")
    assert keyring.entries()["shop"]["default"]
    keyring("rename", "web", "x").refused("web", "shop", code=1)
    keyring("rename", "shop", "../x").refused("../x")
    policy = policy_for(keyring, rule("front", "shop"))
    renamed = with_policy(keyring, policy, "rename", "shop", "store")
    assert renamed.code == 0 and "front" in renamed.err


def test_connect_and_disconnect(keyring, tmp_path):
    root = Keyring(tmp_path / "root")
    put(root, "web", issue("web", names=["web"]), tmp_path)
    keyring.good("connect", "shop", "--from", root.path, "--entry", "web")
    entry = keyring.entries()["shop"]
    assert entry["connected"] == str(root.path / "web") and entry["private_key"]
    assert "connected" in keyring.good("list").out
    put(root, "web", issue("renewed", names=["web"]), tmp_path, "--replace")
    assert keyring.entries()["shop"]["subject"] == "CN=renewed"
    keyring("connect", "x", "--from", root.path).refused('"x"', "web", code=1)
    keyring("connect", "x", "--from", tmp_path / "none").refused("none", code=1)
    policy = policy_for(keyring, rule("front", "shop"))
    with_policy(keyring, policy, "disconnect", "shop").refused("front", "--force")
    keyring.good("disconnect", "shop")
    assert keyring.entries() == {} and set(root.entries()) == {"web"}
    root("disconnect", "web").refused("not connected", "delete")


# ---- match ----

def test_match_finds_the_key(keyring, tmp_path):
    one = issue("one", names=["one"])
    put(keyring, "one", one, tmp_path)
    put(keyring, "two", issue("two", names=["two"], kind="rsa"), tmp_path)
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(one.certificate_pem)
    assert keyring.good("match", certificate).out == "one\n"
    assert json.loads(keyring.good("match", certificate, "--json").out)["labels"] == ["one"]
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(issue("stranger").certificate_pem)
    keyring("match", stranger).refused("no key", "stranger.pem", code=1)
    keyring("match", make_request(tmp_path, "new", "DNS:new")).refused("no key", code=1)
    keyring("match", tmp_path / "none").refused("none")
    junk = tmp_path / "junk"
    junk.write_text("junk")
    keyring("match", junk).refused("junk", "PEM")


# ---- audit ----

def findings(keyring, code):
    result = keyring("audit", "--json")
    assert result.code == code, result.out + result.err
    return [(found["severity"], found["label"], found["message"])
            for found in json.loads(result.out)["findings"]]


def has(found, severity, label, word):
    return any(one[0] == severity and one[1] == label and word in one[2] for one in found)


def test_audit_is_content_with_a_good_keyring(keyring):
    keyring.good("create", "web", "--dns", "web.internal")
    assert findings(keyring, 0) == []
    assert "nothing to complain of" in keyring.good("audit").out


def test_audit_finds_what_is_wrong(keyring, tmp_path):
    ca = issue("Some CA", ca=True)
    put(keyring, "old", issue("old", ca, ["old"], days=(-30, -1)), tmp_path)
    put(keyring, "soon", issue("soon", ca, ["soon"], days=(-30, 5)), tmp_path)
    put(keyring, "nameless", issue("nameless", ca), tmp_path)
    put(keyring, "long", issue("long", ca, ["long"], days=(-1, 3000)), tmp_path)
    good = issue("good", ca, ["good"])
    put(keyring, "good", good, tmp_path)
    put(keyring, "good2", good, tmp_path)
    found = findings(keyring, 2)
    assert has(found, "error", "old", "expired")
    assert has(found, "warning", "soon", "expires in")
    assert has(found, "warning", "nameless", "subjectAltName")
    assert has(found, "warning", "long", "3001 days")
    assert has(found, "warning", "good2", "same certificate as good")
    assert has(found, "warning", "good", "neither in its chain nor in the keyring")
    text = keyring("audit")
    assert text.code == 2 and "error: old: " in text.out and "warning: soon: " in text.out


@pytest.mark.parametrize("key", ["ec-p256", "ec-p384", "rsa-2048", "ed25519"])
def test_audit_knows_which_key_fits(keyring, tmp_path, key):
    keyring.good("ca", "create", "house")
    for label in ("web", "other"):
        keyring.good("create", label, "--dns", f"{label}.internal", "--key", key)
    assert "nothing to complain of" in keyring.good("audit").out
    other = keyring.key("other").read_bytes()
    keyring.key("web").write_bytes(other)
    audit = keyring("audit")
    assert audit.code == 2 and "web/key.pem does not belong to" in audit.out
    # As openssl wrote it before PKCS#8, and one that is cut off.
    keyring.key("web").write_bytes(other[:len(other) // 2] + b"\n")
    assert "web/key.pem holds a malformed" in keyring("audit").out
    if key != "ed25519":
        old = openssl("pkey", "-in", keyring.key("other"), "-traditional")
        keyring.key("other").write_text(old)
        lines = keyring("audit").out.splitlines()
        assert len(lines) == 1 and "other" not in lines[0], lines


def test_audit_warns_with_exit_1(keyring, tmp_path):
    put(keyring, "ca", issue("Some CA", ca=True, days=(-1, 9)), tmp_path, key=False)
    assert has(findings(keyring, 1), "warning", "ca", "expires in")


def test_audit_finds_weak_keys_and_digests(keyring, tmp_path):
    for name, words in {"short": ["-newkey", "rsa:1024"],
                        "sha1": ["-newkey", "rsa:2048"]}.items():
        subprocess.run(["openssl", "req", "-x509", "-nodes", *words, "-keyout",
                        tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem", "-subj",
                        f"/CN={name}", "-addext", "subjectAltName=DNS:x"], check=True,
                       capture_output=True)
    keyring.good("import", "short", tmp_path / "short.pem", tmp_path / "short.key")
    request = make_request(tmp_path, "leaf", "DNS:leaf")
    subprocess.run(["openssl", "x509", "-req", "-sha1", "-in", request, "-CA",
                    tmp_path / "sha1.pem", "-CAkey", tmp_path / "sha1.key", "-CAcreateserial",
                    "-out", tmp_path / "leaf.pem"], check=True, capture_output=True)
    keyring.good("import", "leaf", tmp_path / "leaf.pem", tmp_path / "leaf.key")
    found = findings(keyring, 2)
    assert has(found, "error", "short", "RSA 1024")
    assert has(found, "error", "leaf", "SHA-1")


def test_audit_judges_the_chain_of_an_entry(keyring, tmp_path):
    """Peers do: an expired certificate above a good one, a weak key, a forged signature."""
    old = issue("Old CA", ca=True, days=(-30, -1))
    leaf = issue("web", old, ["web.internal"])
    (tmp_path / "web.pem").write_bytes(leaf.certificate_pem + old.certificate_pem)
    (tmp_path / "web.key").write_bytes(leaf.key_pem)
    keyring.good("import", "web", tmp_path / "web.pem", tmp_path / "web.key")
    assert has(findings(keyring, 2), "error", "web", "CN=Old CA expired")


def test_audit_tells_of_cas_of_one_name(keyring, tmp_path):
    make_namesakes(tmp_path)
    for name in ("first", "second"):
        keyring.good("import", name, tmp_path / f"{name}.pem")
    assert has(findings(keyring, 1), "warning", "second", "same name as first")


def make_namesakes(place):
    """A CA and its successor under the same name with another key, without key identifiers, and a
    certificate of each."""
    config = place / "plain.cnf"
    config.write_text("[req]\ndistinguished_name=d\nx509_extensions=ca\n[d]\n"
                      "[ca]\nbasicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=none\n"
                      "authorityKeyIdentifier=none\n"
                      "[leaf]\nsubjectAltName=DNS:web.internal\nsubjectKeyIdentifier=none\n"
                      "authorityKeyIdentifier=none\n")
    for name in ("first", "second"):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *key, "-config", config, "-subj", "/CN=Same CA", "-days", "30",
                "-keyout", place / f"{name}.key", "-out", place / f"{name}.pem")
        openssl("req", *key, "-config", config, "-subj", "/CN=web", "-keyout",
                place / f"{name}-web.key", "-out", place / "csr")
        openssl("x509", "-req", "-in", place / "csr", "-CA", place / f"{name}.pem", "-CAkey",
                place / f"{name}.key", "-CAcreateserial", "-days", "20", "-extfile", config,
                "-extensions", "leaf", "-out", place / f"{name}-web.pem")


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_both_cas_of_one_name_are_tried(keyring, tmp_path, order):
    make_namesakes(tmp_path)
    for name in order:
        keyring.good("import", name, tmp_path / f"{name}.pem")
    for name in order:
        keyring.good("import", f"{name}-web", tmp_path / f"{name}-web.pem",
                     tmp_path / f"{name}-web.key")
        keyring.good("verify", f"{name}-web", "--as", "server", "--name", "web.internal")


def test_audit_and_list_go_on_after_a_bad_entry(keyring, tmp_path):
    put(keyring, "good", issue("good", names=["good"]), tmp_path)
    put(keyring, "bad", issue("bad", names=["bad"]), tmp_path)
    keyring.key("bad").chmod(0o644)
    (keyring.path / "good" / "backup.txt").write_bytes(keyring.key("good").read_bytes())
    found = findings(keyring, 2)
    assert has(found, "error", "bad", "chmod 600")
    assert has(found, "error", "good", "backup.txt")
    keyring.certificate("bad").write_text("nonsense")
    listed = keyring("list")
    assert listed.code == 2 and "CN=good" in listed.out and "bad/certificate.pem" in listed.err
