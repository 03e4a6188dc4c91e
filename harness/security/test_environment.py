"""Variables of the environment that configure TLS elsewhere have no power over Gaiter."""

import os
import signal

import pytest

from harness.lib.peers import PYTHON, echo_server, talk, talked
from harness.lib.ports import wait_listening

from harness.security.conftest import SECRET

pytestmark = pytest.mark.tls_only

WEAK = """openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
MinProtocol = TLSv1
CipherString = ALL:eNULL:@SECLEVEL=0
VerifyMode = None
"""

NO_PROVIDER = """openssl_conf = init
[init]
providers = none
[none]
"""


@pytest.fixture
def echo_port(processes, ports, server_side):
    """echo_port(environment) starts an echo server under Gaiter with these variables."""
    def start(**variables):
        port = ports.free()
        server_side.inbound(port)
        server = processes.start(echo_server(port),
                                 environment=server_side.environment(**variables))
        wait_listening(port, server)
        return port
    return start


def exchange(processes, client_side, port, **variables):
    client_side.outbound(port)
    done = processes.run(
        talk(f"connect:localhost:{port}", f"send:{SECRET}", f"expect:{len(SECRET)}"),
        environment=client_side.environment(**variables))
    return talked(done)


@pytest.mark.parametrize("text", ["}{ nonsense\n[[[\n", WEAK, NO_PROVIDER],
                         ids=["nonsense", "weak", "no-provider"])
def test_openssl_conf_is_not_read(echo_port, processes, place, ca, server_side, client_side, text):
    path = os.path.join(place, "openssl.cnf")
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    port = echo_port(OPENSSL_CONF=path)
    assert exchange(processes, client_side, port, OPENSSL_CONF=path)["expect"] == \
        [repr(SECRET.encode())]
    server_side.secured(1, version="TLSv1.3")
    old = processes.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca,
                         "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], check=False)
    assert old.status != 0, old.description


def test_sslkeylogfile_is_not_obeyed(echo_port, processes, place, client_side):
    path = os.path.join(place, "keys")
    port = echo_port(SSLKEYLOGFILE=path)
    assert exchange(processes, client_side, port, SSLKEYLOGFILE=path)["connect"] == ["ok"]
    assert not os.path.exists(path)


def test_ssl_cert_file_trusts_nobody(dial, tls_server, place, pki, client_side):
    bundle, folder = os.path.join(place, "bundle.pem"), os.path.join(place, "certs")
    os.mkdir(folder)
    for path in (bundle, os.path.join(folder, "ca.pem")):
        with open(path, "wb") as out:
            out.write(pki.stranger_ca.certificate_pem)
    _, port = tls_server(pki.stranger_server)
    results = dial(port, environment={"SSL_CERT_FILE": bundle, "SSL_CERT_DIR": folder})
    assert results["connect"] == ["EKEYREJECTED"]
    client_side.refused("untrusted", "EKEYREJECTED")


def test_openssl_modules_and_engines_are_not_loaded(echo_port, processes, place, client_side):
    variables = {"OPENSSL_MODULES": place, "OPENSSL_ENGINES": place, "OPENSSL_ia32cap": "~0x0"}
    port = echo_port(**variables)
    assert exchange(processes, client_side, port, **variables)["expect"] == [repr(SECRET.encode())]


@pytest.mark.parametrize("policy", ["/nowhere/at/all", "/dev/null/x"],
                         ids=["missing", "not-a-directory"])
def test_gaiter_policy_that_points_nowhere_lets_nothing_leave(raw_server, relay, processes,
                                                              client_side, policy):
    _, port = raw_server(lambda connection: connection.recv(100))
    wire = relay(port)
    environment = client_side.environment()
    environment["GAITER_POLICY"] = policy
    done = processes.run(talk(f"connect:localhost:{wire.port}", f"send:{SECRET}"),
                         environment=environment)
    assert talked(done)["connect"] == ["EACCES"]
    assert wire.crossed() == (0, 0)
    assert "cannot be opened" in client_side.log.text()


@pytest.mark.parametrize("setting", ["", "nonsense", "info:", "info:relative/path",
                                     "info:/nowhere/at/all", "debug:stderr", "warning:syslog"])
def test_gaiter_log_may_say_anything(echo_port, processes, client_side, setting):
    port = echo_port(GAITER_LOG=setting)
    assert exchange(processes, client_side, port, GAITER_LOG=setting)["expect"] == \
        [repr(SECRET.encode())]


def test_an_empty_environment_works(echo_port, processes, client_side):
    """No PATH, no HOME, no LANG: nothing but the preload and the policy."""
    port = echo_port()
    client_side.outbound(port)
    words = [f"{key}={value}" for key, value in client_side.environment().items()]
    done = processes.run(["/usr/bin/env", "-i", *words,
                          *talk(f"connect:localhost:{port}", f"send:{SECRET}",
                                f"expect:{len(SECRET)}")])
    assert talked(done)["expect"] == [repr(SECRET.encode())]


def test_a_program_that_cleans_its_environment_keeps_its_policy(processes, ports, relay,
                                                                server_side, client_side):
    """As exim and Dovecot do, before their first socket."""
    port = ports.free()
    server_side.inbound(port)
    clean = "import ctypes, runpy, sys; ctypes.CDLL(None).clearenv(); sys.argv[:1] = []; " \
            "runpy.run_path(sys.argv[0], run_name='__main__')"

    def cleaned(command):
        return [*command[:2], "-c", clean, *command[2:]]

    server = processes.start(cleaned(echo_server(port)), environment=server_side.environment())
    wait_listening(port, server)
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    done = processes.run(cleaned(talk(f"connect:localhost:{wire.port}", f"send:{SECRET}",
                                      f"expect:{len(SECRET)}")),
                         environment=client_side.environment())
    assert talked(done)["expect"] == [repr(SECRET.encode())]
    wire.prove(connections=1)
    server_side.secured(1)
    client_side.secured(1)


# Standard error is a pipe that nobody reads any more, and the program has SIGPIPE as it was.
NOBODY_READS = """
import errno, os, signal, socket, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
read, write = os.pipe()
os.dup2(write, 2)
os.close(read)
os.close(write)
for _ in range(2):
    try:
        socket.create_connection(("localhost", int(sys.argv[1])))
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)
os.kill(os.getpid(), signal.SIGPIPE)
"""


def test_a_log_that_nobody_reads_ends_no_program(processes, ports, client_side):
    port = ports.free()
    client_side.outbound(port, tls="block")
    program = processes.start([PYTHON, "-I", "-c", NOBODY_READS, port],
                              environment=client_side.environment(GAITER_LOG="info"))
    assert program.wait() == -signal.SIGPIPE  # its own, which is not blocked
    assert program.stdout() == b"EACCES\nEACCES\n"
