"""On a disk that is full, or becomes full half way, every verb that writes leaves the keyring as it
was, or has done all; and does all once there is room."""

import itertools
import shutil
import subprocess

import pytest

from harness.cli.command import Result, environment
from harness.cli.keyring_fixture import Keyring, make_request, sign_by_openssl
from harness.lib import gaiter

pytestmark = pytest.mark.tls_only

# A tmpfs of its own at $1 with a copy of the keyring $2 and $3 free pages. What the verb leaves is
# copied to $4, and it is run once more with all the room that it needs.
SCRIPT = """
mount -t tmpfs -o size=1m none "$1" && cp -a "$2" "$1/keyring" || exit 77
head -c $(( ($(stat -f -c %a "$1") - $3) * 4096 )) /dev/zero > "$1/filler"
place=$1 left=$4
shift 4
"$@"; code=$?
cp -a "$place/keyring" "$left"
rm "$place/filler"
[ $code -eq 0 ] || "$@" 2>&1 || exit 99
exit $code
"""


@pytest.fixture
def made(tmp_path):
    """A keyring with something for every verb, and the files that they take in."""
    keyring = Keyring(tmp_path / "made")
    keyring.good("ca", "create", "house")
    keyring.good("create", "web", "--dns", "web.internal", "--default")
    for label in ("next", "spare"):
        keyring.good("create", label, "--dns", f"{label}.internal")
    keyring.good("rekey", "next")
    request = tmp_path / "soon.csr"
    keyring.good("request", "soon", "--dns", "soon.internal", "--out", request)
    _, ca = sign_by_openssl(tmp_path, request, "DNS:soon.internal")
    keyring.good("import", "other-ca", ca)
    make_request(tmp_path, "svc", "DNS:svc.internal")
    secret = tmp_path / "secret"
    secret.write_text("sesame\n")
    secret.chmod(0o600)
    elsewhere = Keyring(tmp_path / "elsewhere")
    elsewhere.good("create", "shared", "--dns", "shared.internal")
    elsewhere.good("enroll", "export", "b.internal", "--out", tmp_path / "enrolment")
    keyring.good("connect", "linked", "--from", elsewhere.path, "--entry", "shared")
    return keyring


VERBS = ["create new --dns new.internal", "ca create new-ca", "request more --dns more.internal",
         "receive soon answer.pem", "import new svc.key soon.pem", "default spare",
         "distrust house", "rename web shop", "rename spare shop", "delete spare",
         "delete web", "renew spare", "rekey spare", "rollover next", "revoke spare",
         "crl --ca house", "ocsp spare", "passwd --passphrase-file secret",
         "passwd --decrypt",
         "ticket-keys rotate", "connect new --from elsewhere --entry shared",
         "disconnect linked", "enroll import enrolment", "enroll export c.internal"]


def snapshot(path):
    return {file.relative_to(path): file.read_bytes()
            for file in path.rglob("*") if file.is_file()}


@pytest.mark.limit(300)  # to derive a key from a passphrase is slow by design
@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_leaves_all_or_nothing(made, tmp_path, verb):
    if "--decrypt" in verb:
        secret = tmp_path / "secret"
        made.good("passwd", "--passphrase-file", secret, "--for-services", secret)
    before = snapshot(made.path)
    place = tmp_path / "place"
    place.mkdir()
    words = verb.split()
    if words[0] == "import":
        words = ["import", "new", tmp_path / "both.pem"]
        key, certificate = tmp_path / "svc.key", tmp_path / "both.pem"
        signed = made.good("ca", "sign", tmp_path / "svc.csr").out
        certificate.write_text(signed + key.read_text())
    words = [tmp_path / word if (tmp_path / str(word)).exists() else word for word in words]
    for room in itertools.count():
        left = tmp_path / f"left-{room}"
        result = Result(subprocess.run(
            ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", place, made.path, str(room), left,
             gaiter.COMMAND, "keyring", "--keyring", place / "keyring", *words], cwd=tmp_path,
            env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=200, check=False))
        if result.code == 77:
            pytest.skip("no mount namespace here")
        assert result.code in (0, 2), (room, result.code, result.out, result.err)
        if result.code == 0:
            break
        assert "No space left" in result.err, (room, result.err)
        assert snapshot(left) == before, room
        shutil.rmtree(left)
    assert room < 40
    assert snapshot(left) != before
    Keyring(left).good("list")
