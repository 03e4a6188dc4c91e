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
