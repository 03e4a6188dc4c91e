"""What the tests of `gaiter keyring` share: a keyring of the test's own, and foreign tools."""

import json
import subprocess

from harness.cli.command import run


class Keyring:
    """keyring("create", "redis", ...) runs a verb on the keyring at `path`."""

    def __init__(self, path):
        self.path = path

    def __call__(self, *words):
        return run("keyring", "--keyring", self.path, *words)

    def good(self, *words):
        result = self(*words)
        assert result.code == 0, result.err
        return result

    def entries(self):
        return {entry["label"]: entry
                for entry in json.loads(self.good("list", "--json").out)}

    def certificate(self, label):
        return self.path / label / "certificate.pem"

    def key(self, label):
        return self.path / label / "key.pem"


def tool(*words, code=0, **options):
    """Runs a foreign tool, and gives all that it printed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=250, check=False, **options)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def openssl(*words, **options):
    return tool("openssl", *words, **options)


def make_request(place, name, names, *words, key=("-newkey", "ec", "-pkeyopt",
                                                  "ec_paramgen_curve:P-256")):
    """A key and a request by openssl; gives the request's path."""
    path = place / f"{name}.csr"
    more = ("-addext", f"subjectAltName={names}") if names else ()
    openssl("req", "-new", "-nodes", *key, "-keyout", place / f"{name}.key", "-out", path,
            "-subj", f"/CN={name}", *more, *words)
    return path


def text_of(path):
    return openssl("x509", "-in", path, "-noout", "-text")


def public_key(path):
    return openssl("x509", "-in", path, "-noout", "-pubkey")


def serial_of(path):
    return openssl("x509", "-in", path, "-noout", "-serial").strip().partition("=")[2]


def verified(ca, certificate, *words):
    assert "OK" in openssl("verify", "-x509_strict", "-CAfile", ca, *words, certificate)


def sign_by_openssl(place, request, names, days="30", name="other"):
    """A CA of openssl's answers the request; gives the answer's and the CA's path."""
    ca, key = place / f"{name}-ca.pem", place / f"{name}-ca.key"
    if not ca.exists():
        openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-keyout", key, "-out", ca, "-subj", f"/CN={name} CA", "-days", "60")
    out = place / "answer.pem"
    (place / "names").write_text(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-days", days,
            "-extfile", place / "names", "-out", out)
    return out, ca
