"""Programs that Gaiter cannot be in, started by programs that it is in: they have no TCP, unless the
policy says otherwise; and whatever starts them, what Gaiter can be in is protected."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness.lib.peers import PYTHON

from harness.security.conftest import SECRET

pytestmark = pytest.mark.tls_only

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
NOBODY = "nobody"

# What child.c says where all is denied that leads to TCP, and nothing else.
DENIED = ["inet EACCES", "inet6 EACCES", "mptcp EACCES", "smc EACCES", "uring EACCES",
          "pidfd EACCES", "x32 -13", "i386 -13", "socketcall -13", "udp done", "unix done"]

# A client of Gaiter's kind of program: says in one word how far it came.
PROTECTED = """
import socket, sys
try:
    one = socket.create_connection(("localhost", int(sys.argv[1])), timeout=20)
    one.sendall(sys.argv[2].encode())
    print("echoed" if one.recv(1) else "closed")
except OSError as error:
    print(error.strerror)
"""


def compiled(path, *options, source):
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                    "-o", path, *options, os.path.join(PROGRAMS, source)], check=True)
    return str(path)


@pytest.fixture(scope="session")
def folder():
    """Open to all users."""
    with tempfile.TemporaryDirectory(prefix="gaiter-children-") as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


@pytest.fixture(scope="session")
def static(folder):
    return compiled(folder / "static", "-static", source="child.c")


@pytest.fixture(scope="session")
def starter(folder):
    return compiled(folder / "starter", source="starter.c")


@pytest.fixture
def under(processes, relay_to_echo, client_side):
    """under(words, ...) runs a program under Gaiter, which protects connections to wire.port; the
    port and the secret come after the words."""
    class Run:
        wire = relay_to_echo(SECRET)

        def __call__(self, *words, port=None, user=None, **more):
            port = self.wire.port if port is None else port
            return processes.run([*words, port, SECRET], check=False, user=user,
                                 environment=client_side.environment(**more))

        def nothing_crossed(self):
            self.wire.settle()
            assert not self.wire.connections
    return Run()


def denied(done):
    assert done.text.splitlines() == DENIED, done.description


def one_line(side, program):
    (line,) = side.log.events("without_tcp")
    assert line.level == "notice" and line["program"] == str(program)
    assert "statically linked" in line["reason"] and "trusted_children" in line["advice"]


# ---- who starts it, and how ----

WAYS = ["execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve", "path-fd",
        "execveat", "syscall", "vfork", "spawn", "spawnp"]


@pytest.mark.parametrize("way", WAYS)
def test_a_static_program_has_no_tcp(under, client_side, starter, static, way):
    denied(under(starter, way, static))
    under.nothing_crossed()
    one_line(client_side, static)


@pytest.mark.parametrize("way", ["clean-" + way for way in ("execve", "vfork", "spawn", "system",
                                                            "popen", "wordexp")])
def test_nor_one_without_an_environment(under, client_side, starter, static, way):
    denied(under(starter, way, static))
    under.nothing_crossed()
    one_line(client_side, static)


@pytest.mark.parametrize("way", ["execvp", "execlp", "execvpe", "spawnp"])
def test_nor_one_that_is_looked_for(under, starter, static, way):
    path = f"/nowhere:{os.path.dirname(static)}:{os.environ['PATH']}"
    denied(under(starter, way, os.path.basename(static), PATH=path))
    under.nothing_crossed()


def test_nor_one_in_the_folder_of_its_file_actions(under, starter, static, place):
    """A program of that name that Gaiter can be in lies where the starter is."""
    shutil.copy("/bin/true", os.path.join(place, "static"))
    denied(under(starter, "spawn-in", os.path.dirname(static), "./static"))
    under.nothing_crossed()


def test_what_gaiter_can_be_in_starts_there_too(under, starter, place):
    os.symlink(PYTHON, os.path.join(place, "client"))
    done = under(starter, "spawn-in", place, "./client", "-I", "-c", PROTECTED)
    assert done.text == "echoed\n", done.description
    under.wire.prove(connections=1)


STARTERS = {
    "sh": ["sh", "-c", '"$@"; exit', "sh"],
    "bash": ["bash", "-c", '"$@"; exit', "bash"],
    "env": ["env", "-i"],
    "xargs": ["sh", "-c", 'program=$1; shift; echo "$@" | xargs "$program"', "sh"],
    "python": [PYTHON, "-I", "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"],
    "python-spawn": [PYTHON, "-I", "-c", "import subprocess, sys; "
                     "subprocess.run(sys.argv[1:], close_fds=False)"],
    "perl": ["perl", "-e", "system { $ARGV[0] } @ARGV"],
    "node": ["node", "-e", "require('child_process').spawnSync(process.argv[1], "
             "process.argv.slice(2), {stdio: 'inherit'})"],
    "timeout": ["timeout", "20"],
    "busybox": ["sh", "-c", 'busybox env "$@"', "sh"],
}


@pytest.mark.parametrize("name", STARTERS)
def test_whoever_starts_it(under, static, name):
    denied(under(*STARTERS[name], static))
    under.nothing_crossed()


@pytest.mark.parametrize("interpreter", ["{static}", "/usr/bin/env {static}"])
def test_through_an_interpreter(under, static, starter, place, interpreter):
    script = os.path.join(place, "script")
    with open(script, "w", encoding="ascii") as text:
        text.write(f"#!{interpreter.format(static=static)}\n")
    os.chmod(script, 0o755)
    done = under(starter, "execve", script)
    denied(done)
    under.nothing_crossed()


# ---- other reasons why Gaiter cannot be in it ----

def test_another_libc(under, starter, folder):
    path = str(folder / "musl")
    if not os.path.exists(path):
        with open(folder / "musl.c", "w", encoding="ascii") as text:
            text.write('#include <errno.h>\n#include <stdio.h>\n#include <sys/socket.h>\n'
                       'int main(void) { int fd = socket(AF_INET, SOCK_STREAM, 0); '
                       'puts(fd < 0 && errno == EACCES ? "denied" : "TCP"); return 0; }\n')
        subprocess.run(["musl-gcc", "-o", path, folder / "musl.c"], check=True)
    # Its loader would end it for a preload that it cannot use.
    for way in ("execve", "spawn", "vfork", "clean-execvp", "clean-fexecve"):
        assert under(starter, way, path).text == "denied\n", way


# socket(AF_INET, SOCK_STREAM, 0) by socketcall(2); exits with the errno.
NARROW = """
.globl _start
_start:
  movl $102, %eax
  movl $1, %ebx
  movl $words, %ecx
  int $0x80
  negl %eax
  movl %eax, %ebx
  movl $1, %eax
  int $0x80
.data
words: .long 2, 1, 0
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="i386's calls are x86-64's")
def test_another_width(under, starter, folder):
    source, path = folder / "narrow.s", folder / "narrow"
    source.write_text(NARROW)
    subprocess.run(["as", "--32", "-o", folder / "narrow.o", source], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-o", path, folder / "narrow.o"], check=True)
    for way in ("spawn", "vfork", "execve"):
        assert under(starter, way, path).status == 13


@pytest.fixture
def setuid(folder):
    """A client of libc's that becomes another user."""
    path = compiled(folder / "setuid", source="child.c")
    shutil.chown(path, "games", "games")
    os.chmod(path, 0o4755)
    return path


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@as_root
@pytest.mark.parametrize("way", ["execve", "vfork", "spawn", "clean-execve"])
def test_a_program_that_gains_rights_is_refused(under, client_side, starter, setuid, way):
    """A filter would take them from it."""
    done = under(starter, way, setuid, user=NOBODY)
    assert done.status == 126 and "EACCES" in done.text + "EACCES" * (way == "vfork")
    (line,) = client_side.log.refused()
    assert line["cause"] == "child" and line["errno"] == "EACCES" and "setuid" in line["reason"]
    under.nothing_crossed()


@as_root
@pytest.mark.parametrize("way", ["execve", "vfork", "spawn"])
def test_root_may_filter_it_without_loss(under, starter, setuid, way):
    denied(under(starter, way, setuid))
    under.nothing_crossed()


@as_root
def test_capabilities_of_a_file(under, client_side, starter, folder):
    path = compiled(folder / "capable", source="child.c")
    subprocess.run(["setcap", "cap_net_bind_service+ep", path], check=True)
    assert under(starter, "execve", path, user=NOBODY).text == "execve EACCES\n"
    (line,) = client_side.log.refused()
    assert "capabilities" in line["reason"]


TWO_USERS = """
import os, sys
os.seteuid(65534)
os.execv(sys.argv[1], sys.argv[1:])
"""


@as_root
def test_two_users_at_once(under, client_side, starter):
    """ld.so ignores preloads then, too."""
    done = under(PYTHON, "-I", "-c", TWO_USERS, starter, "execve", PYTHON, "-I", "-c", PROTECTED)
    assert "PermissionError" in done.description
    (line,) = client_side.log.refused()
    assert "two users" in line["reason"]
    under.nothing_crossed()


# ---- what it inherits ----

INHERITED = """
import os, socket, sys
kind, program, port, secret = sys.argv[1:]
if kind == "connected":
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    one = socket.create_connection(server.getsockname())
    other, _ = server.accept()
else:
    one = socket.socket()
if kind == "listening":
    one.bind(("127.0.0.1", 0))
    one.listen()
if kind == "ruled":
    one.bind(("127.0.0.1", int(port)))
    one.listen()
one.set_inheritable(True)
sys.stdout.flush()
if os.fork() == 0:
    try:
        os.execv(program, [program, port, secret, str(one.fileno())])
    except OSError as error:
        print(error.strerror, flush=True)
    os._exit(1)
os.wait()
if kind == "connected":
    one.close()
    print(other.recv(1000).decode())
"""


def test_a_clear_connection_leads_nowhere_else(under, static):
    done = under(PYTHON, "-I", "-c", INHERITED, "connected", static)
    assert done.text.splitlines() == ["write done", "disconnect EACCES", "elsewhere EACCES",
                                      "fastopen EACCES", SECRET], done.description
    under.nothing_crossed()


@pytest.mark.parametrize("kind", ["unconnected", "ruled"])
def test_a_socket_that_a_rule_could_match_is_not_inherited(under, client_side, ports, static, kind):
    port = ports.free() if kind == "ruled" else None
    if port:
        client_side.inbound(port)
    done = under(PYTHON, "-I", "-c", INHERITED, kind, static, port=port)
    assert done.text == "Permission denied\n", done.description
    (line,) = client_side.log.refused()
    assert "inherit" in line["reason"]
    under.nothing_crossed()


def test_a_listener_without_a_rule_is(under, static):
    done = under(PYTHON, "-I", "-c", INHERITED, "listening", static)
    assert "elsewhere EACCES" in done.text, done.description


# ---- what the policy says ----

@pytest.mark.parametrize("way", ["execve", "vfork", "spawn", "clean-system"])
def test_a_trusted_one_passes(under, client_side, server_side, starter, static, way):
    client_side.policy.configuration(f'trusted_children = [ "/bin/other", "{static}" ];\n')
    done = under(starter, way, static)
    assert done.text.startswith("inet done\n"), done.description
    server_side.refused("not_tls", "ECONNRESET")  # it spoke in clear, as it was trusted to


def test_all_may_pass(under, client_side, starter, static):
    client_side.policy.configuration('children = "pass";\n')
    assert under(starter, "vfork", static).text.startswith("inet done\n")


@pytest.mark.parametrize("way", ["execve", "spawn"])
def test_all_may_be_refused(under, client_side, starter, static, way):
    client_side.policy.configuration('children = "refuse";\n')
    done = under(starter, way, static)
    assert (done.status, done.text) == (126, f"{way} EACCES\n")
    (line,) = client_side.log.refused()
    assert line["cause"] == "child" and line["program"] == static
    under.nothing_crossed()


# ---- who needs no network, and who is started by it ----

def test_without_need_of_tcp_nothing_is_noticed(under, client_side, processes):
    words = ["sh", "-c", 'busybox seq 3 | busybox sort -r; busybox ls -d / && ldconfig -p | head -1']
    done = under(*words)
    plain = processes.run(words)
    assert done.text == plain.text and "3\n2\n1\n/\n" in done.text
    assert not client_side.log.refused()


def test_its_descendants_have_none_either(under):
    done = under("sh", "-c", f'busybox sh -c \'{PYTHON} -I -c "$0" "$@"\' "$@"', "sh", PROTECTED)
    assert done.text == "Permission denied\n", done.description
    under.nothing_crossed()


@pytest.mark.parametrize("way", ["system", "popen", "wordexp", "execve", "spawn"])
def test_a_cleaned_environment_takes_no_protection_off(under, starter, place, way):
    script = os.path.join(place, "client")
    with open(script, "w", encoding="ascii") as text:
        text.write(f"#!{PYTHON} -I\n{PROTECTED}")
    os.chmod(script, 0o755)
    assert under(starter, f"clean-{way}", script).text.strip() == "echoed"
    under.wire.prove(connections=1)
