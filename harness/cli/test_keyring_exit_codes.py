"""The exit codes of every verb of `gaiter keyring`, as its --help has them."""

import pytest

from harness.cli.command import run
from harness.cli.keyring_fixture import Keyring
from harness.cli.test_help import VERBS

pytestmark = pytest.mark.tls_only

# What a verb needs to be well formed beside LABEL; FILE is one that is there.
MORE = {"import": ["FILE"], "connect": ["--from", "KEYRING", "--entry", "nosuch"],
        "rename": ["other"], "receive": ["FILE"], "match": ["FILE"], "ca sign": ["FILE"],
        "enroll export": ["b.internal"], "enroll import": ["FILE"],
        "passwd": ["--passphrase-file", "FILE"]}
# These make a keyring, or an entry, where there is none.
MAKERS = {"create", "ca create", "request", "import", "enroll export", "enroll import", "connect",
          "ticket-keys rotate"}
# These do not speak of an entry that is there.
NO_LABEL = {"list", "match", "audit", "passwd", "ca sign", "crl", "expiring", "bundle"}
ALL = sorted({" ".join(verb[1:]) for verb in VERBS if verb[0] == "keyring"}
             - {"", "ca", "enroll", "ticket-keys"})


@pytest.fixture
def keyring(keyring):
    keyring.good("create", "web", "--dns", "web.internal")
    return keyring


def words_for(verb, keyring, label="nosuch"):
    takes = "LABEL" in run("keyring", *verb.split(), "--help").out.partition("Options:")[0]
    file = keyring.path.parent / "file"
    file.write_bytes(keyring.certificate("web").read_bytes())
    file.chmod(0o600)
    more = [{"FILE": file, "KEYRING": keyring.path}.get(word, word) for word in MORE.get(verb, [])]
    return [*verb.split(), *([label] if takes else []), *more]


@pytest.mark.parametrize("verb", ALL)
def test_an_unknown_option_exits_with_2(keyring, verb):
    keyring(*words_for(verb, keyring), "--nosuch").refused("--nosuch")


@pytest.mark.parametrize("verb", sorted(set(ALL) - MAKERS))
def test_no_keyring_exits_with_1(keyring, verb, tmp_path):
    none = Keyring(tmp_path / "none")
    code = 2 if verb in ("needs-renewal", "expiring") else 1
    none(*words_for(verb, keyring)).refused(str(none.path), code=code)
    assert not none.path.exists()


@pytest.mark.parametrize("verb", sorted(set(ALL) - MAKERS - NO_LABEL))
def test_no_such_label_exits_with_1(keyring, verb):
    keyring(*words_for(verb, keyring)).refused(
        "nosuch", "nearest: ", code=2 if verb == "needs-renewal" else 1)
    assert set(keyring.entries()) == {"gaiter-ca", "web"}


@pytest.mark.parametrize("verb", ALL)
def test_a_keyring_that_others_can_change_exits_with_2(keyring, verb):
    words = words_for(verb, keyring, label="new")
    keyring.path.chmod(0o777)
    keyring(*words).refused("chmod go-w", code=255 if verb == "needs-renewal" else 2)
