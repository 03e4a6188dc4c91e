"""Every policy that README and docs show is good, and every `gaiter` command is one."""

import functools
import os
import re

import pytest

from harness.cli.command import run
from harness.docs.examples import examples
from harness.lib import gaiter
from harness.lib.keyrings import write_keyring, write_ticket_keys
from harness.lib.pki import issue

pytestmark = pytest.mark.tls_only

POLICIES = [example for example in examples() if example.policy_file()]
COMMANDS = [(example.place, words) for example in examples() for words in example.commands()]
LABEL = re.compile(r'(?:\bcertificate|"[^"]+")\s*=\s*(\[[^]]*\]|"[^"]*")')

TRUST = re.compile(r'\btrust\s*=\s*(\[[^]]*\]|"[^"]*")')


def labels_of(text):
    """The labels of the keyring that a policy names."""
    return {label for labels in LABEL.findall(text)
            for label in re.findall(r'"([^"]+)"', labels)} - {"none", "default"}


def trusted_by(text):
    """The CAs of the keyring that a policy names."""
    return {label for labels in TRUST.findall(text) for label in re.findall(r'"([^"]+)"', labels)}


def test_there_are_examples():
    assert len(POLICIES) > 10 and len(COMMANDS) > 10


@pytest.mark.parametrize("example", POLICIES, ids=lambda example: example.place)
def test_a_policy_is_good(example, tmp_path):
    folder = tmp_path / "policy"
    path = folder / example.policy_file()
    path.parent.mkdir(parents=True)
    keyring = tmp_path / "keyring"
    path.write_text(example.text.replace("/etc/gaiter/keyring/", f"{keyring}/"))
    labels = labels_of(example.text) | {"host"}
    names = ["localhost", "redis.internal"]
    write_keyring(keyring,
                  {label: issue(label, names=[*names, label]) for label in sorted(labels)},
                  {label: issue(label, ca=True) for label in {"ca"} | trusted_by(example.text)})
    write_ticket_keys(keyring / "ticket.keys", os.urandom(48))
    result = run("check", folder, "--keyring", keyring)
    # What needs a newer OpenSSL may be shown all the same.
    errors = [line for line in result.out.splitlines()
              if not line.startswith(("warning: ", "note: ")) and "OpenSSL in use" not in line]
    assert result.code < 2 or not errors, "\n".join(errors)


@functools.cache
def help_of(verb):
    result = run(*verb, "--help")
    return result.out if f"Usage: gaiter {' '.join(verb)} " in result.out else ""


@pytest.mark.parametrize("place, words", COMMANDS,
                         ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_a_command_has_its_verb_and_options(place, words):
    own = words[:words.index("--")] if "--" in words else words
    if own[:2] == ["keyring", "--keyring"]:  # it may stand before the verb
        own = ["keyring", *own[3:]]
    text = help_of(tuple(own[:3])) or help_of(tuple(own[:2])) or help_of(tuple(own[:1]))
    assert text, f"{place}: there is no verb {' '.join(own[:2])}"
    options = [word.partition("=")[0] for word in own if word.startswith("-")]
    for option in options:
        assert re.search(rf"(^|[ ,]){re.escape(option)}\b", text, re.MULTILINE), \
            f"{place}: no option {option} in:\n{text}"


def test_each_verb_is_in_the_manual():
    with open(os.path.join(gaiter.REPOSITORY, "docs", "gaiter.1"), encoding="utf-8") as file:
        manual = file.read().replace("\\", "")
    for verb in re.findall(r"^  ([a-z-]+) +[A-Z]", run("--help").out, re.MULTILINE):
        assert re.search(rf"\.S[SY] gaiter {verb}\b", manual), verb
