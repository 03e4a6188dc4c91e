"""Whom a client talks to: names are known from look-ups, and one address may have several. The peer
is the one that is meant, or none."""

import os
import subprocess

import pytest

from harness.lib import peers
from harness.lib.peers import PYTHON
from harness.lib.pki import issue

pytestmark = [
    pytest.mark.tls_only,
    pytest.mark.skipif(os.geteuid() != 0, reason="an /etc/hosts of the test's own needs root")]

HERE = os.path.dirname(os.path.abspath(__file__))
A, B, EVIL, WEB = "a.apps.internal", "b.apps.internal", "evil.test", "web.internal"
HOSTS = f"127.0.0.1 localhost {A} {B} {EVIL}\n127.0.0.5 {WEB}\n" + "".join(
    f"127.2.{number // 200}.{number % 200 + 1} h{number}.internal\n" for number in range(300))

BEGIN = """
import os, socket, sys, threading
port = int(sys.argv[1])
def look(name):
    return socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
def connect(address):
    with socket.socket() as s:
        try:
            s.connect(address)
            print("connected", flush=True)
        except OSError as error:
            print(error.strerror, flush=True)
"""
REFUSED = "Key was rejected by service"


@pytest.fixture
def client(processes, client_side, place):
    """client(port, script or argv, **policy): what it prints, where /etc/hosts has the names."""
    hosts = os.path.join(place, "hosts")
    with open(hosts, "w", encoding="ascii") as out:
        out.write(HOSTS)

    def run(port, what, **policy):
        client_side.outbound(port, **policy)
        argv = [PYTHON, "-c", BEGIN + what, str(port)] if isinstance(what, str) else what
        return processes.run(
            ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts,
             *argv], environment=client_side.environment(), check=False).text.splitlines()
    return run


@pytest.fixture
def server(tls_server, pki):
    """server(*names): the port of a TLS server whose certificate is for these."""
    def start(*names):
        return tls_server(issue("server", pki.ca, names=names), serve=peers.echo)[1]
    return start


TWO = f"first = look({A!r}); look({{other!r}}); connect(first)"


def test_a_certificate_for_one_of_two_names_is_not_enough(server, client, client_side):
    for good in (A, EVIL):
        port = server(good)
        assert client(port, TWO.format(other=EVIL)) == [REFUSED]
    for event in client_side.refused("ambiguous_name", "EKEYREJECTED", count=2):
        assert A in event["reason"] and EVIL in event["reason"]
        assert "server_name" in event["advice"]
        assert "interchangeable = [" in event["advice"]


def test_a_certificate_for_every_name_is(server, client, client_side):
    assert client(server("*.apps.internal"), TWO.format(other=B)) == ["connected"]
    assert client(server(A, EVIL), TWO.format(other=EVIL)) == ["connected"]
    client_side.nothing_refused()


def test_the_policy_says_which_name_it_is(server, client):
    assert client(server(A), TWO.format(other=EVIL), server_name=A) == ["connected"]
    assert client(server(EVIL), TWO.format(other=EVIL), server_name=A) == [REFUSED]


def test_interchangeable_names_count_as_the_last_one(server, client, client_side):
    here = ["*.apps.internal"]
    assert client(server(B), TWO.format(other=B), interchangeable=here) == ["connected"]
    client_side.secured(1, peer=B)
    assert client(server(A), TWO.format(other=B), interchangeable=here) == [REFUSED]
    # The others do not count among them.
    three = f"look({A!r}); look({EVIL!r}); connect(look({B!r}))"
    assert client(server(B), three, interchangeable=here) == [REFUSED]
    assert client(server(B, EVIL), three, interchangeable=here) == ["connected"]


def test_a_session_is_for_the_names_that_were_verified(server, client, client_side):
    port = server(A)
    script = f"""
look({A!r})
for name in (None, None, {EVIL!r}):
    if name: look(name)
    with socket.socket() as s:
        try:
            s.connect(("127.0.0.1", port)); s.sendall(b"x"); s.recv(1); print("connected")
        except OSError as error:
            print(error.strerror)
"""
    assert client(port, script) == ["connected", "connected", REFUSED]
    client_side.refused("ambiguous_name", "EKEYREJECTED")


def test_nothing_is_forgotten(server, client):
    port = server(A)
    kept = f"kept = look({A!r})\n"
    many = "for i in range(300): look(f'h{i}.internal')\n"
    threads = """
for i in range(300):
    t = threading.Thread(target=look, args=("web.internal",)); t.start(); t.join()
"""
    for between in (many, threads):
        assert client(port, kept + between + "connect(kept)") == ["connected"]


def test_a_number_is_no_name(tls_server, pki, client):
    port = tls_server(issue("server", pki.ca, names=[A]))[1]
    idiom = f"connect(look(socket.gethostbyname({A!r})))"
    assert client(port, idiom) == ["connected"]
    literals = f"look({A!r}); look('127.1'); look('0x7f.1'); connect(look('127.0.0.1'))"
    assert client(port, literals) == ["connected"]
    # And without a name it is the address that is verified.
    assert client(port, "connect(look('127.1'))") == [REFUSED]
    port = tls_server(issue("server", pki.ca, names=["127.0.0.1"]))[1]
    assert client(port, "connect(look('127.1'))") == ["connected"]


CHILD = """
ends = os.pipe()
if os.fork() == 0:
    {before}
    os.write(ends[1], look({name!r})[0].encode())
    os._exit(0)
address = (os.read(ends[0], 100).decode(), port); os.wait()
"""


def test_a_forked_resolver(server, client):
    port = server(A)
    script = CHILD.format(before="", name=A)
    assert client(port, script + "connect(address)") == ["connected"]
    assert client(port, CHILD.format(before="", name=EVIL) + "connect(address)") == [REFUSED]
    # A sibling knows it, too.
    sibling = "\nif os.fork() == 0: connect(address); os._exit(0)\nos.wait()"
    assert client(port, script + sibling) == ["connected"]


@pytest.mark.parametrize("before", ["os.setuid(65534)", "os.setresuid(65534, 65534, 65534)",
                                    "os.chroot('/')"])
def test_who_gave_up_rights_has_no_say(server, client, before):
    """Such a child can neither add a name, which would be refused for, nor give one."""
    evil = CHILD.format(before=before, name=EVIL)
    port = server(A)
    assert client(port, f"kept = look({A!r})" + evil + "connect(kept)") == ["connected"]
    port = server(EVIL)
    assert client(port, evil + "connect(address)") == [REFUSED]


def test_who_gave_up_rights_still_knows(server, client):
    port = server(A)
    script = f"kept = look({A!r}); os.setuid(65534); connect(kept)"
    assert client(port, script) in (["connected"], ["Permission denied"])
    script = f"""
kept = look({A!r})
if os.fork() == 0: os.chroot("/"); connect(kept); os._exit(0)
os.wait()
"""
    assert client(port, script) == ["connected"]


@pytest.fixture(scope="module")
def same_memory(tmp_path_factory):
    program = tmp_path_factory.mktemp("names") / "same_memory"
    subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", program,
                    os.path.join(HERE, "programs", "same_memory.c")], check=True)
    return str(program)


def test_the_memory_of_a_look_up_tells_which_it_was(server, client, same_memory):
    port = server(A)
    assert client(port, [same_memory, A, EVIL, str(port)]) == ["connected"]
    assert client(port, [same_memory, EVIL, A, str(port)]) == []  # and no other


def test_freed_memory_tells_nothing(server, client, client_side, same_memory):
    port = server(A)
    assert client(port, [same_memory, A, EVIL, str(port), "free"]) == []
    client_side.refused("wrong_name", "EKEYREJECTED")  # localhost: what lies there now
