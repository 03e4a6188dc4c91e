"""Thousands of random policies and connections: Gaiter's matcher against the model."""

import os
import random
import subprocess

import pytest

from harness.lib.gaiter import BUILD
from harness.lib.policies import write_value
from harness.policy import model

MATCH = os.path.join(BUILD, "tests", "match_policy")
SEED = int(os.environ.get("HARNESS_SEED") or random.SystemRandom().randrange(1 << 32))
POLICIES, CONNECTIONS = 200, 60  # of each of the batches

ADDRESSES = ["10.0.0.1", "10.0.0.7", "10.1.2.3", "127.0.0.1", "127.9.9.9", "192.0.2.255",
             "255.255.255.255", "::1", "2001:db8::1", "2001:db8:0:1::", "fe80::1",
             "::ffff:10.0.0.7", "::ffff:127.0.0.1", "::2", "ffff::", "::fffe:ffff:ffff"]
WRITTEN = ADDRESSES + [
    "10.0.0.0/8", "10.0.0.0/29", "0.0.0.0/0", "::/0", "2001:db8::/32", "2001:db8::/64",
    "10.0.0.2-10.0.0.9", "2001:db8::-2001:db8::ffff", "::1-2001:db8::", "loopback", "any",
    "::ffff:10.0.0.0/104", "::/1", "192.0.2.128/25"]
PORTS = [1, 2, 79, 80, 81, 443, 6379, 32767, 32768, 65534, 65535]
WRITTEN_PORTS = PORTS + ["1-65535", "80-443", "2-79", "32768-65535", "443-443", "1-32767"]
PROGRAMS = ["/usr/bin/redis-server", "/usr/sbin/nginx", "/opt/a/b/nginx", "/usr/bin/redis-cli"]
PATTERNS = ["nginx", "redis-*", "/usr/bin/*", "/usr/*", "/**", "/opt/**/nginx", "redis-???",
            "*n*x*", "/usr/*/nginx", "/opt/**", "**/nginx", "*"]
UNITS = ["redis.service", "nginx.service", "user@0.service"]
UNIT_PATTERNS = ["redis.service", "*.service", "user@?.service", "nginx.*"]


def some(choose, values, most=3):
    return choose.sample(values, choose.randint(1, most))


def random_rule(choose, index):
    rule = {"name": f"rule-{index}", "direction": choose.choice(["inbound", "outbound", "both"])}
    written = {"local": WRITTEN, "remote": WRITTEN, "local_ports": WRITTEN_PORTS,
               "remote_ports": WRITTEN_PORTS, "program": PATTERNS, "user": [0, 5, 6],
               "group": [0, 7], "unit": UNIT_PATTERNS}
    for key, values in written.items():
        if choose.random() < 0.25:
            rule[key] = some(choose, values, min(3, len(values)))
    if choose.random() < 0.2:
        rule["priority"] = choose.randint(-2, 2)
    return rule


def random_connection(choose):
    listening = choose.random() < 0.15
    unbound = choose.random() < 0.2
    local = choose.choice(["0.0.0.0", "::", None]) if unbound else choose.choice(ADDRESSES)
    if listening and local is None:
        local = "::"
    no_port = local is None or (unbound and not listening)
    return {"direction": "inbound" if listening else choose.choice(["inbound", "outbound"]),
            "local": local, "remote": None if listening else choose.choice(ADDRESSES),
            "local_ports": 0 if no_port else choose.choice(PORTS),
            "remote_ports": 0 if listening else choose.choice(PORTS),
            "program": choose.choice(PROGRAMS), "user": choose.choice([0, 5, 9]),
            "group": choose.choice([0, 7, 9]), "unit": choose.choice(UNITS + [""])}


def line(connection):
    keys = ("direction", "local", "local_ports", "remote", "remote_ports", "program", "user",
            "group", "unit")
    return " ".join(str(connection[key]) if connection[key] not in (None, "") else "-"
                    for key in keys)


def policy_text(rules):
    groups = []
    for rule in rules:
        settings = " ".join(f"{key} = {write_value(value)};" for key, value in rule.items())
        groups.append(f"  {{ {settings} }}")
    return "rules = (\n" + ",\n".join(groups) + "\n);\n"


@pytest.mark.limit(240)
@pytest.mark.parametrize("batch", range(10))
def test_the_matcher_agrees_with_the_model(tmp_path, batch):
    for number in range(POLICIES):
        choose = random.Random(f"{SEED} {batch} {number}")
        rules = [random_rule(choose, index) for index in range(choose.randint(1, 12))]
        connections = [random_connection(choose) for _ in range(CONNECTIONS)]
        path = tmp_path / "policy"
        path.write_text(policy_text(rules))
        done = subprocess.run([MATCH, path], input="\n".join(map(line, connections)) + "\n",
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"seed {SEED}: {done.stderr}\n{policy_text(rules)}"
        found = done.stdout.splitlines()
        for connection, got in zip(connections, found, strict=True):
            rule = model.first(rules, connection)
            wanted = rule["name"] if rule else "-"
            assert got == wanted, f"seed {SEED}: {connection}\n{policy_text(rules)}"
