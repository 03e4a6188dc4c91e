"""What policy/GRAMMAR.md says of matching, once more and as plainly as can be: the reference that
Gaiter's matcher is compared with. A rule is a dict of conditions as a policy writes them."""

import ipaddress
import re


def number(text):
    """An address as (is IPv6, number); what is IPv4-mapped is IPv4."""
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return address.version == 6, int(address)


def in_addresses(written, text):
    if written == "any":
        return True
    if text is None or number(text)[1] == 0:
        return False  # not bound yet
    if written == "loopback":
        return any(in_addresses(network, text) for network in ("127.0.0.0/8", "::1"))
    if "/" in written:
        network = ipaddress.ip_network(written)
        first, last = str(network[0]), str(network[-1])
    else:
        first, _, last = written.partition("-")
    low, high, value = number(first), number(last or first), number(text)
    return low[0] == value[0] and low <= value <= high


def in_ports(written, port):
    first, _, last = str(written).partition("-")
    return port != 0 and int(first) <= port <= int(last or first)


def glob(pattern, text):
    parts = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    words = re.split(r"(\*\*+|\*|\?)", pattern)
    return re.fullmatch("".join(parts.get(word[:2], re.escape(word)) for word in words), text,
                        re.DOTALL)


def runs(pattern, program):
    return glob(pattern, program if "/" in pattern else program.rsplit("/", 1)[-1])


TESTS = {"local": in_addresses, "remote": in_addresses, "local_ports": in_ports,
         "remote_ports": in_ports, "program": runs, "user": int.__eq__, "group": int.__eq__,
         "unit": glob}


def matches(rule, connection):
    """`connection` has the rule's keys, and direction; remote is None at listen(2)."""
    if rule["direction"] not in ("both", connection["direction"]):
        return False
    listening = connection["remote"] is None
    for key, test in TESTS.items():
        if key not in rule or (listening and key in ("remote", "remote_ports")):
            continue
        value = connection[key]
        if listening and key == "local" and (value is None or number(value)[1] == 0):
            continue  # any of the host's
        if not any(test(written, value) for written in rule[key]):
            return False
    return True


def first(rules, connection):
    """The rule that decides, or None."""
    ordered = sorted(rules, key=lambda rule: -rule.get("priority", 0))  # stable
    return next((rule for rule in ordered if matches(rule, connection)), None)
