"""gaiter keyring passwd, and what the other verbs do with encrypted keys."""

import pytest

from harness.cli.command import run
from harness.cli.keyring_fixture import openssl, public_key, sign_by_openssl

# To derive a key from a passphrase is slow by design.
pytestmark = [pytest.mark.tls_only, pytest.mark.limit(300)]

ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----"


def with_passphrase(keyring, place, passphrase, *words):
    """Runs a verb as a service does that has this passphrase as its credential."""
    credentials = place / "credentials"
    credentials.mkdir(exist_ok=True)
    credential = credentials / "gaiter-passphrase"
    credential.unlink(missing_ok=True)
    credential.write_text(passphrase)
    credential.chmod(0o400)
    return run("keyring", "--keyring", keyring.path, *words,
               CREDENTIALS_DIRECTORY=str(credentials))


def snapshot(keyring):
    return {path.relative_to(keyring.path): path.read_bytes()
            for path in keyring.path.rglob("*") if path.is_file()}


@pytest.fixture
def secret(tmp_path):
    def write(name, text):
        file = tmp_path / name
        file.write_text(text + "\n")
        file.chmod(0o600)
        return file
    return write


def test_passwd_encrypts_for_services(keyring, secret):
    keyring.good("create", "web", "--dns", "web")
    file = secret("secret", "sesame")
    keyring("passwd").refused("--passphrase-file")
    out = keyring.good("passwd", "--passphrase-file", file, "--for-services", file).out
    assert "2 private keys" in out and str(file) in out
    for label in ("web", "gaiter-ca"):
        assert keyring.key(label).read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    keyring.good("create", "second", "--dns", "second")  # the CA's key is found by the file
    assert "ENCRYPTED" in keyring.key("second").read_text()
    keyring.good("passwd", "--decrypt")
    assert "ENCRYPTED" not in keyring.key("web").read_text()


def test_a_former_key_of_a_ca_is_encrypted_too(keyring, secret):
    keyring.good("ca", "create", "house")
    keyring.good("crl")
    file = secret("secret", "sesame")
    keyring.good("passwd", "--passphrase-file", file, "--for-services", file)
    keyring.good("rekey", "house")
    keyring.good("rollover", "house")
    [former] = (keyring.path / "house").glob("previous-key-*.pem")
    assert former.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert keyring.good("crl").out.count("BEGIN X509 CRL") == 2
    assert "2 private keys" in keyring.good("passwd", "--decrypt").out
    assert former.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert former.stat().st_mode & 0o777 == 0o600
    assert keyring.good("crl").out.count("BEGIN X509 CRL") == 2


def test_passwd_changes_the_passphrase(keyring, secret, tmp_path):
    keyring.good("create", "web", "--dns", "web")
    old, new = secret("old", "sesame"), secret("new", "open")
    out = keyring.good("passwd", "--passphrase-file", old).out
    assert "LoadCredential=gaiter-passphrase:" in out
    keyring("passwd", "--passphrase-file", new, "--old-passphrase-file", new).refused(
        "another passphrase")
    keyring.good("passwd", "--passphrase-file", new, "--old-passphrase-file", old)
    keyring("export", "web", "--private-key", "--out", tmp_path / "out").refused("encrypted")
    done = with_passphrase(keyring, tmp_path, "open", "export", "web", "--private-key", "--out",
                           tmp_path / "out")
    assert done.code == 0, done.err


def test_passwd_refuses_a_file_that_others_can_read(keyring, secret):
    keyring.good("create", "web", "--dns", "web")
    file = secret("secret", "sesame")
    file.chmod(0o644)
    keyring("passwd", "--for-services", file).refused(str(file), "chmod 600")
    assert "ENCRYPTED" not in keyring.key("web").read_text()


@pytest.fixture
def locked(keyring, secret):
    """A CA and an entry under the passphrase "sesame", which no file names."""
    keyring.good("ca", "create", "house")
    keyring.good("create", "web", "--dns", "web.internal")
    keyring.good("passwd", "--passphrase-file", secret("locked", "sesame"))
    return keyring


def fits(certificate, key):
    return public_key(certificate) == openssl("pkey", "-in", key, "-passin", "pass:sesame",
                                              "-pubout")


def test_an_encrypted_key_is_renewed_and_replaced(locked, tmp_path):
    def good(*words):
        done = with_passphrase(locked, tmp_path, "sesame", *words)
        assert done.code == 0, done.err
        return done

    key = locked.key("web").read_bytes()
    good("renew", "web", "--days", "50")
    assert locked.key("web").read_bytes() == key and fits(locked.certificate("web"),
                                                          locked.key("web"))
    good("rekey", "web")
    following = locked.path / "web" / "next-key.pem"
    assert following.read_text().startswith(ENCRYPTED)
    assert following.stat().st_mode & 0o777 == 0o600
    assert fits(locked.path / "web" / "next-certificate.pem", following)
    new = following.read_bytes()
    good("rollover", "web")
    assert locked.key("web").read_bytes() == new and not following.exists()
    assert locked.key("web").stat().st_mode & 0o777 == 0o600
    assert fits(locked.certificate("web"), locked.key("web"))
    good("verify", "web", "--as", "server", "--name", "web.internal")


def test_an_encrypted_key_waits_for_its_certificate(locked, tmp_path):
    request = tmp_path / "new.csr"
    good = with_passphrase(locked, tmp_path, "sesame", "request", "new", "--dns", "new.internal",
                           "--out", request)
    assert good.code == 0, good.err
    waiting = locked.path / "new" / "next-key.pem"
    assert waiting.read_text().startswith(ENCRYPTED)
    answer, ca = sign_by_openssl(tmp_path, request, "DNS:new.internal")
    locked.good("import", "other-ca", ca)
    before = snapshot(locked)
    with_passphrase(locked, tmp_path, "wrong", "receive", "new", answer).refused("passphrase")
    locked("receive", "new", answer).refused("passphrase")
    assert snapshot(locked) == before
    done = with_passphrase(locked, tmp_path, "sesame", "receive", "new", answer)
    assert done.code == 0, done.err
    assert locked.key("new").read_text().startswith(ENCRYPTED)
    assert fits(locked.certificate("new"), locked.key("new"))


def test_with_a_wrong_passphrase_nothing_changes(locked, secret, tmp_path):
    done = with_passphrase(locked, tmp_path, "sesame", "rekey", "web")
    assert done.code == 0, done.err
    # An entry that needs no passphrase comes first: not even that changes.
    clear = tmp_path / "clear"
    openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-subj", "/CN=a", "-addext", "subjectAltName=DNS:a", "-keyout", clear, "-out",
            tmp_path / "clear.pem")
    done = with_passphrase(locked, tmp_path, "sesame", "import", "a", tmp_path / "clear.pem", clear)
    assert done.code == 0, done.err
    locked.key("a").write_bytes(clear.read_bytes())
    before = snapshot(locked)
    new, wrong = secret("new", "open"), secret("wrong", "simsim")
    for words in (["renew", "web"], ["renew", "house"], ["rekey", "web", "--again"],
                  ["rollover", "web"], ["request", "web"], ["create", "more", "--dns", "more"],
                  ["passwd", "--decrypt"], ["passwd", "--passphrase-file", new]):
        with_passphrase(locked, tmp_path, "wrong", *words).refused("passphrase")
        locked(*words).refused("passphrase")  # nobody to ask
        assert snapshot(locked) == before, words
    locked("passwd", "--passphrase-file", new, "--old-passphrase-file", wrong).refused(
        "another passphrase")
    assert snapshot(locked) == before
