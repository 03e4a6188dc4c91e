"""What all measurements share: programs, certificates, policies, ports, the commands run."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from .process import as_shell, is_listening
from .row import Failure

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
LIBRARY = ROOT / "build/libgaiter.so"
COMMAND = ROOT / "build/gaiter"


@dataclass(frozen=True)
class Tls:
    """What a row wants to be negotiated, and more settings of Gaiter's policy."""

    version: str = "TLSv1.3"
    suite: str = "TLS_AES_256_GCM_SHA384"  # as OpenSSL calls it
    iana: str = ""  # as RFC 8446 calls it, if that is another name
    settings: tuple[str, ...] = ()

    def policy(self):
        return (f'min_version = "{self.version}"; max_version = "{self.version}"; '
                f'suites = ["{self.iana or self.suite}"]; {" ".join(self.settings)}')


USUAL = Tls()
SUITE = USUAL.suite

BINARIES = {
    "traffic": ("traffic.c", "transport_plain.c"),
    "traffic-openssl": ("traffic.c", "transport_openssl.c", "-lssl", "-lcrypto"),
    "many": ("many.c", "transport_plain.c"),
    "many-openssl": ("many.c", "transport_openssl.c", "-lssl", "-lcrypto"),
    "spawn": ("spawn.c",),
    "foreign_reads": ("foreign_reads.c",),
}


class Bench:
    def __init__(self, directory, verbose):
        self.directory = directory
        self.scratch = directory / "run"  # policies, configurations and logs of the last run
        self.verbose = verbose
        self.commands = []  # as shell lines, those of the measurement going on
        self.certificate = directory / "server.pem"
        self.key = directory / "server-key.pem"
        self.ca = directory / "ca.pem"
        self.keyring = directory / "keyring"
        self._ports = count(21000)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        self._build()
        self._make_certificates()
        self._keyring_error = self._make_keyring()

    def show(self, command, environment):
        self.commands.append(as_shell(command, environment))
        if self.verbose:
            print("  $", self.commands[-1], flush=True)

    def binary(self, name):
        return str(self.directory / name)

    def free_port(self):
        """Below the ephemeral range, so that no client's own port is in the way."""
        return next(port for port in self._ports if not is_listening(port))

    def tls_environment(self, tls=USUAL):
        """For traffic-openssl and many-openssl, both ends."""
        return {"TLS_CERTIFICATE": str(self.certificate), "TLS_KEY": str(self.key),
                "TLS_CA": str(self.ca), "TLS_SUITE": tls.suite}

    def gaiter_environment(self, port, log=None, tls=USUAL, owner=""):
        """The preload with a policy that protects `port` at both ends; `log`: a file's path.

        `owner`: the user that has to read the keyring, if it is another.
        """
        if not LIBRARY.exists():
            raise Failure("build/libgaiter.so is missing")
        if self._keyring_error:
            raise Failure(self._keyring_error)
        policy = self.scratch / f"policy-{port}{owner and '-'}{owner}"
        policy.mkdir(parents=True, exist_ok=True)
        keyring = policy / "keyring" if owner else self.keyring
        if owner:
            shutil.copytree(self.keyring, keyring, dirs_exist_ok=True)
            for path in (keyring, *keyring.rglob("*")):
                shutil.chown(path, owner)
            if log:
                log.touch(mode=0o666)
                log.chmod(0o666)
        (policy / "gaiter.conf").write_text(f'keyring = "{keyring}";\n')
        (policy / f"{port}.conf").write_text(
            f'inbound = {{ tls = "required"; {tls.policy()} }};\n'
            f'outbound = {{ tls = "required"; verify = "full"; server_name = "localhost"; '
            f'{tls.policy()} }};\n')
        environment = {"LD_PRELOAD": str(LIBRARY), "GAITER_POLICY": str(policy)}
        return environment | ({"GAITER_LOG": f"info:{log}"} if log else {})

    def _build(self):
        for name, sources in BINARIES.items():
            files = [str(PROGRAMS / word) if word.endswith(".c") else word for word in sources]
            subprocess.run(["gcc", "-O2", "-o", self.binary(name), *files], check=True)

    def _make_certificates(self):
        """A CA and a P-256 certificate for localhost, the same in every variant."""
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, cwd=self.directory,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        mask = os.umask(0o077)
        openssl("req", "-x509", *new, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "365",
                "-subj", "/CN=bench CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        openssl("req", *new, "-keyout", "server-key.pem", "-out", "server.csr",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext", "extendedKeyUsage=serverAuth")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
                "-CAcreateserial", "-copy_extensions", "copy", "-days", "365", "-out", "server.pem")
        os.umask(mask)

    def _make_keyring(self):
        """The same CA and certificate as labelled entries; gives the error's text, or ""."""
        if not COMMAND.exists():
            return "build/gaiter is missing"
        shutil.rmtree(self.keyring, ignore_errors=True)
        for words in (("import", "localhost", "--cert", self.certificate, "--key", self.key),
                      ("import", "bench-ca", "--cert", self.ca, "--usage", "ca"),
                      ("default", "localhost")):
            command = [COMMAND, "keyring", "--keyring", self.keyring, *words]
            answer = subprocess.run(command, capture_output=True, text=True)
            if answer.returncode != 0:
                return f"{as_shell(command, {})}: {answer.stdout}{answer.stderr}".strip()
        return ""
