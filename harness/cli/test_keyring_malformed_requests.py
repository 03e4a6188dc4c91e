"""gaiter keyring ca sign and enroll import of broken files: each gets one line that names it and
exit code 2, or was good after all; none ends in a signal, and nothing is left of it."""

import os
import random

import pytest

from harness.cli.keyring_fixture import Keyring, make_request, openssl

pytestmark = pytest.mark.tls_only

SEED = int(os.environ.get("MALFORMED_SEED", random.randrange(1 << 32)))


@pytest.fixture
def keyring(keyring):
    keyring.good("ca", "create", "house")
    return keyring


def truncated(content, chance, count):
    # The last line end of PEM may be missing.
    return [content[:end] for end in chance.sample(range(1, len(content) - 40), count)] + [b""]


def changed(content, chance, count):
    for _ in range(count):
        bytes_now = bytearray(content)
        for _ in range(chance.choice((1, 1, 3, 30))):
            bytes_now[chance.randrange(len(bytes_now))] = chance.randrange(256)
        yield bytes(bytes_now)


def test_broken_requests(keyring, tmp_path):
    print("seed", SEED)
    chance = random.Random(SEED)
    pem = make_request(tmp_path, "svc", "DNS:svc.internal,IP:10.0.0.9")
    der = tmp_path / "svc.der"
    openssl("req", "-in", pem, "-outform", "DER", "-out", der)
    file, out = tmp_path / "broken.csr", tmp_path / "out.pem"
    for good in (pem, der):
        for content in truncated(good.read_bytes(), chance, 12):
            file.write_bytes(content)
            keyring("ca", "sign", file, "--out", out).refused(str(file))
        for content in changed(good.read_bytes(), chance, 12):
            file.write_bytes(content)
            result = keyring("ca", "sign", file, "--out", out)
            # A change in the text before or between is none of the request.
            assert result.code in (0, 2), (SEED, result.code, result.err)
            assert len(result.err.splitlines()) == 1
            assert out.exists() == (result.code == 0)
            out.unlink(missing_ok=True)
    assert set(keyring.entries()) == {"house"}


def test_broken_enrolments(keyring, tmp_path):
    print("seed", SEED)
    chance = random.Random(SEED)
    good = tmp_path / "good"
    keyring.good("enroll", "export", "b.internal", "--out", good)
    file = tmp_path / "broken"
    for content in truncated(good.read_bytes(), chance, 25):
        file.write_bytes(content)
        other = Keyring(tmp_path / "other")
        other("enroll", "import", file).refused(str(file))
    for number, content in enumerate(changed(good.read_bytes(), chance, 25)):
        file.write_bytes(content)
        other = Keyring(tmp_path / f"other-{number}")
        result = other("enroll", "import", file)
        assert result.code in (0, 2), (SEED, result.code, result.err)
        if result.code == 2:
            result.refused()
            assert not other.path.exists() or other.entries() == {}
