"""gaiter policy show and diff."""

import json

import pytest

from harness.cli.command import run

pytestmark = pytest.mark.tls_only

RULES = """\
keyring = "/etc/gaiter/keyring";
rules = (
  { name = "health checks"; direction = "inbound"; local_ports = 7999; tls = "off"; },
  { name = "shards"; direction = "inbound"; local_ports = "7000-7998"; certificate = "shard"; }
);
"""
OUTBOUND = 'outbound = {\n  server_name = "db.internal";\n};\n'


def columns(text):
    """Each line of a table as header -> cell."""
    header, *lines = text.split("\n\n")[0].splitlines()
    names = header.split()
    starts = [header.index(name) for name in names]
    return [{name: line[start:end].strip() for name, start, end
             in zip(names, starts, [*starts[1:], None])} for line in lines]


def test_show(policy):
    folder = policy(gaiter=RULES, _5432=OUTBOUND)
    result = run("policy", "show", folder)
    assert result.code == 0, result.err
    assert columns(result.out) == [
        {"RULE": "health checks", "DIRECTION": "inbound", "LOCAL": "port 7999", "REMOTE": "any",
         "TLS": "off", "CERTIFICATE": "none", "PEER": "in clear",
         "WRITTEN": f"{folder}/gaiter.conf:3"},
        {"RULE": "shards", "DIRECTION": "inbound", "LOCAL": "port 7000-7998", "REMOTE": "any",
         "TLS": "required", "CERTIFICATE": "shard", "PEER": "anybody",
         "WRITTEN": f"{folder}/gaiter.conf:4"},
        {"RULE": "5432.conf:outbound", "DIRECTION": "outbound", "LOCAL": "any",
         "REMOTE": "port 5432", "TLS": "required", "CERTIFICATE": "none",
         "PEER": "verify full as db.internal", "WRITTEN": f"{folder}/5432.conf:1"}]
    assert "without a rule: in clear\nkeyring: /etc/gaiter/keyring\n" in result.out


def test_show_as_json(policy):
    folder = policy(gaiter=RULES, _5432=OUTBOUND)
    report = json.loads(run("policy", "show", folder, "--json").out)
    assert report["unmatched"] == "pass" and report["keyring"] == "/etc/gaiter/keyring"
    assert report["files"] == [f"{folder}/gaiter.conf", f"{folder}/5432.conf"]
    rule = report["rules"][2]
    assert rule["conditions"] == {"remote_ports": "5432"} and rule["line"] == 1
    assert {"key": "server_name", "value": '"db.internal"',
            "origin": f"{folder}/5432.conf:2"} in rule["settings"]


def test_show_without_rules():
    result = run("policy", "show", GAITER_POLICY_TEXT='unmatched = "block";')
    assert result.code == 0 and result.out.startswith("without a rule: refused\n")


def test_show_a_policy_with_an_error(policy):
    folder = policy(gaiter='unmached = "block";\n')
    run("policy", "show", folder).refused("gaiter.conf:1:", "unmatched")


@pytest.fixture
def two(tmp_path):
    """two(before, after) writes gaiter.conf twice and gives the paths."""
    def write(*texts):
        paths = []
        for name, text in zip("ab", texts):
            paths.append(tmp_path / name / "gaiter.conf")
            paths[-1].parent.mkdir()
            paths[-1].write_text(text)
        return paths
    return write


def test_the_same_policy_written_differently(two):
    other = RULES.replace('"7000-7998"', '[ "7000-7998" ]') \
        .replace('tls = "off"', 'tls = "off" /* plain */')
    result = run("policy", "diff", *two(RULES, other))
    assert (result.code, result.out, result.err) == (0, "", "")


def test_diff(two):
    before, after = two(RULES, """\
unmatched = "block";
keyring = "/etc/gaiter/keyring";
rules = (
  { name = "shards"; direction = "inbound"; local_ports = "7000-7999"; certificate = "new"; },
  { name = "web"; direction = "outbound"; remote_ports = 443; }
);
""")
    result = run("policy", "diff", before, after)
    assert result.code == 1
    assert result.out == f"""\
~ unmatched: pass -> block
- health checks ({before}:3)
~ shards ({after}:4)
    local_ports: 7000-7998 -> 7000-7999
    certificate: "shard" -> "new"
+ web ({after}:5)
"""
    report = json.loads(run("policy", "diff", before, after, "--json").out)
    assert report["globals"] == [{"key": "unmatched", "before": "pass", "after": "block"}]
    assert [(rule["change"], rule["name"]) for rule in report["rules"]] == [
        ("removed", "health checks"), ("changed", "shards"), ("added", "web")]


def test_the_order_is_a_difference(two):
    first, second = RULES.index("  { name = \"h"), RULES.index("  { name = \"s")
    turned = (RULES[:first] + RULES[second:RULES.rindex("\n)")] + ",\n"
              + RULES[first:second].rstrip(",\n") + "\n);\n")
    result = run("policy", "diff", *two(RULES, turned))
    assert result.code == 1 and result.out.startswith("^ shards ")


def test_diff_with_trouble(two, tmp_path):
    good, bad = two(RULES, "rules = ();;\n")
    run("policy", "diff", good, bad).refused(f"{bad}:1:")
    run("policy", "diff", good, tmp_path / "none").refused("none")
    run("policy", "diff", good).refused("B")
