"""--help, version, and what is said about verbs that do not exist."""

import json
import os
import re
import shutil
import subprocess

import pytest

from harness.cli.command import environment, run
from harness.lib import gaiter

pytestmark = pytest.mark.tls_only


def verbs_below(verb):
    """Every verb that the lists of verbs in --help lead to, as words."""
    listed = run(*verb, "--help").out.partition("\nVerbs:\n")[2]
    found = []
    for name in re.findall(r"^  ([a-z][a-z-]*) +[A-Z]", listed, re.MULTILINE):
        found += [verb + [name], *verbs_below(verb + [name])]
    return found


VERBS = verbs_below([])
MANUAL = os.path.join(gaiter.REPOSITORY, "docs", "gaiter.1")


def options_of(text):
    return set(re.findall(r"--[a-z][a-z-]+", text))


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_each_verb_explains_itself(verb):
    result = run(*verb, "--help")
    assert result.code == 0 and result.err == ""
    for word in ("Usage: gaiter " + " ".join(verb), "Example", "Exit codes: "):
        assert word in result.out
    assert max(len(line) for line in result.out.splitlines()) <= 100


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_manual_has_every_option(verb):
    with open(MANUAL, encoding="utf-8") as file:
        manual = file.read().replace("\\-", "-")
    missing = options_of(run(*verb, "--help").out) - options_of(manual)
    assert not missing


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_the_manual_is_good_roff():
    formatted = subprocess.run(["man", "--warnings", "-l", MANUAL], capture_output=True, text=True,
                               env=environment(MANWIDTH="80", LC_ALL="C.UTF-8"))
    assert formatted.returncode == 0 and formatted.stderr == "", formatted.stderr


def test_help_lists_the_verbs():
    for verb in ("run", "check", "keyring", "version", "keyring list", "keyring import"):
        assert verb.split() in VERBS


def test_no_verb_gets_help_and_exit_2():
    for words in ([], ["keyring"]):
        result = run(*words)
        assert result.code == 2 and "Usage: " in result.err and result.out == ""


def test_a_wrong_verb_gets_the_nearest():
    run("rnu").refused('"rnu"', "run")
    run("keyring", "lsit").refused('"lsit"', "list", "gaiter keyring --help")
    run("--nosuch").refused("--nosuch")


def test_version():
    result = run("version")
    assert result.code == 0 and result.out == run("--version").out
    assert re.search(r"^gaiter \d+\.\d+\.\d+$", result.out, re.MULTILINE)
    assert re.search(r"^OpenSSL 3\.", result.out, re.MULTILINE)
    report = json.loads(run("version", "--json").out)
    assert set(report["back_ends"]) == {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"}
    for cipher, back_end in report["back_ends"].items():
        assert re.search(rf"^{cipher} +{re.escape(back_end)}$", result.out, re.MULTILINE)


def test_output_that_cannot_be_written_is_an_error():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([gaiter.COMMAND, "version"], stdout=full, stderr=subprocess.PIPE,
                              env=environment(), text=True)
    assert done.returncode == 2 and "cannot write" in done.stderr
