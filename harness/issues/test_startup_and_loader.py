"""What happens before main(), in the loader, and between two libraries that are both preloaded."""

import glob
import os
import re
import subprocess

import pytest

from harness.lib import peers
from harness.lib.gaiter import BUILD, COMMAND, LIBRARY, REPOSITORY

from harness.issues.conftest import HERE, SECRET

APART = os.path.join(HERE, "programs", "apart")
LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
ALLOCATORS = ["libjemalloc.so.2", "libmimalloc.so.2.0", "libtcmalloc.so.4",
              "libtcmalloc_minimal.so.4"]
STACKED = [*ALLOCATORS, "faketime/libfaketime.so.1", "faketime/libfaketimeMT.so.1",
           "fakechroot/libfakechroot.so", "libfakeroot/libfakeroot-sysv.so"]

pytestmark = pytest.mark.skipif(not os.path.isdir(LIBRARIES), reason="libraries of x86-64")


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """build(source, options) compiles a program of programs/apart, once."""
    place = tmp_path_factory.mktemp("apart")

    def make(source, *options):
        program = place / (source + "".join(options).replace("/", "_"))
        if not program.exists():
            compiler = "g++" if source.endswith(".cpp") else "gcc"
            subprocess.run([compiler, "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                            *options, "-o", program, os.path.join(APART, source)], check=True)
        return program
    return make


def both_preloaded(client_side, other, order):
    libraries = [other, LIBRARY] if order == "before" else [LIBRARY, other]
    return client_side.environment(LD_PRELOAD=":".join(map(str, libraries)))


@pytest.mark.tls_only
@pytest.mark.parametrize("other, order", [
    (other, order) for other in STACKED for order in ("before", "after")
    # It has connect: before Gaiter it is refused (harness/security/test_interposers.py).
    if "fakechroot" not in other or order == "after"])
def test_preloaded_together(processes, same_as_client, other, order):
    """jemalloc #443, fakechroot #21, libfaketime #130, #365, mimalloc #713: the allocator's start
    met a hook, which looked a function up, which allocated. Several threads' first calls, and
    forks, with both libraries in either order."""
    libraries = [LIBRARIES + other, LIBRARY]
    preload = ":".join(libraries if order == "before" else reversed(libraries))
    for case in ("first_calls_at_once", "closed_in_the_child"):
        same_as_client(case, LD_PRELOAD=preload)


def test_no_thread_with_tcmalloc(same_as_client):
    """proxychains-ng #119, #326: a thread that the library's constructor had started."""
    same_as_client("no_other_thread",
                   LD_PRELOAD=f"{LIBRARIES}libtcmalloc.so.4:{LIBRARY}")


def test_before_every_constructor(processes, echo, client_side, build):
    """proxychains-ng fa0f355, 8870140, f1e5f2b, torsocks d45e4f2, e4601e0: close() and accept4()
    were called before the library was ready."""
    done = processes.run([build("early.cpp"), echo.port], environment=client_side.environment())
    assert done.text == "echoed\n" * 3
    echo.prove(connections=3)


@pytest.mark.tls_only
@pytest.mark.parametrize("program", ["nc", "curl", "redis-cli", "ssh"])
def test_every_call_is_bound_to_the_library(processes, client_side, program):
    """ip2unix #33, onload fd87f7ea: link-time optimisation had removed hooks, and nobody saw it."""
    with open(os.path.join(REPOSITORY, "shim", "symbols.def"), encoding="ascii") as text:
        hooked = set(re.findall(r"^(?:HOOK\([^,]+,|UNBOUND\([^,]+,|ALIAS\()\s*(\w+)", text.read(),
                                re.MULTILINE))
    assert len(hooked) > 100
    done = processes.run([program, "-h"], check=False, environment=client_side.environment(
        LD_DEBUG="bindings", LD_BIND_NOW="1"))
    bound = re.findall(r"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `(\w+)'",
                       done.errors)
    bound = [(source, target, symbol) for source, target, symbol in bound
             if symbol in hooked and "libgaiter" not in source and "ld-linux" not in source]
    assert len(bound) > 10
    assert not [one for one in bound if one[1] != LIBRARY and one[0] != one[1]]


def test_another_library_counts_the_same_calls(processes, echo, client_side, build):
    """ip2unix 8e10ef2, e75161b: dlopen("libc") for the real functions passed other preloads by."""
    counting = build("counting.c", "-shared", "-fPIC")
    program = ("import socket, sys\n"
               "c = socket.create_connection(('localhost', int(sys.argv[1])))\n"
               "c.sendall(sys.argv[2].encode())\nprint(c.recv(100).decode())\n")
    done = processes.run([peers.PYTHON, "-I", "-c", program, echo.port, SECRET],
                         environment=both_preloaded(client_side, counting, "after"))
    assert done.text == SECRET + "\n"
    assert "counted both" in done.errors
    echo.prove(connections=1)


@pytest.mark.tls_only
def test_a_program_of_another_libc(processes, ports, place, client_side):
    """AppScope #143, #1408, PR 392: on musl constructors come in another order, and functions are
    missing. There Gaiter does not go, and the program must not go without it."""
    source = os.path.join(place, "other.c")
    with open(os.path.join(APART, "decoy.c"), encoding="ascii") as text, \
            open(source, "w", encoding="ascii") as out:
        out.write(re.sub(r"^DECOY.*\n", "", text.read(), flags=re.MULTILINE))
    program = os.path.join(place, "other")
    subprocess.run(["musl-gcc", "-o", program, source], check=True)
    port = ports.free()
    client_side.outbound(port)
    done = processes.run([program, port, SECRET], check=False,
                         environment=client_side.environment())
    assert done.status == 127  # its loader's
    done = processes.run([COMMAND, "run", "--policy", client_side.policy.path, "--", program, port,
                          SECRET], check=False)
    assert done.status != 0 and "gaiter" in done.errors, done.description


@pytest.mark.tls_only
def test_hooks_have_no_version(same_as_client):
    """samba 8ae180e, a80614f: a hook with a symbol version was not the one that programs asked for;
    socket_wrapper c777417: a variadic function declared as another."""
    names = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True,
                           check=True).stdout
    assert " T connect\n" in names and "@" not in names
    same_as_client("varying_arguments")


def test_fortified_calls(same):
    """umockdev #176, #177, daos PR 13200, llvm PR 206228: __recv_chk() and its kin went by."""
    same("fortified_calls")


@pytest.mark.tls_only
@pytest.mark.parametrize("part", ["shim", "engine", "keyring", "policy"])
def test_thread_locals_need_no_allocator(part):
    """deb.myguard #41: dynamic thread-locals allocated within free(), without end."""
    objects = glob.glob(os.path.join(BUILD, "obj", part, "*.o"))
    assert objects
    relocations = subprocess.run(["readelf", "-rW", *objects], capture_output=True, text=True,
                                 check=True).stdout
    assert not re.search("R_X86_64_(TLSGD|TLSLD|GOTPC32_TLSDESC)", relocations)


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_small_stacks(same_as_client, allocator):
    """The same, of the stack: threads of 64 KiB shake hands, with other allocators too."""
    same_as_client("small_stacks", LD_PRELOAD=f"{LIBRARIES}{allocator}:{LIBRARY}")


def test_small_stacks_of_libc(same):
    same("small_stacks")


def test_number_of_a_locked_stream(same):
    """AppScope PR 392: fileno() waited for a stream's lock."""
    same("number_of_a_locked_stream")


def test_names_of_openssl_in_the_program(processes, echo, client_side, build):
    """foundry-local PR 691, nodesource #1006, overte #432, o3de #20045, cpython #99951: a library's
    OpenSSL was bound to the one that the program exports."""
    done = processes.run([build("decoy.c", "-rdynamic", "-fno-builtin"), echo.port, SECRET],
                         environment=client_side.environment())
    assert done.text == SECRET + "\n"
    echo.prove(connections=1)


NODE = """
const net = require("net"), tls = require("tls"), crypto = require("crypto");
crypto.createHash("sha256").update("x").digest();
tls.createSecureContext();
const one = net.connect(Number(process.argv[1]), "localhost", () => one.write(process.argv[2]));
one.on("data", (data) => {
  console.log(data.toString(), crypto.randomBytes(3).length);
  one.end();
});
"""


def test_node_and_its_own_openssl(processes, echo, client_side):
    """The same in node, which exports its OpenSSL whole."""
    done = processes.run(["node", "-e", NODE, echo.port, SECRET],
                         environment=client_side.environment())
    assert done.text == SECRET + " 3\n"
    echo.prove(connections=1)


LIBC_TEXT = """
import re, socket, sys
connection = socket.create_connection(("localhost", int(sys.argv[1])))
connection.sendall(sys.argv[2].encode())
connection.recv(100)
writable_code = [line for line in open("/proc/self/maps") if "rwx" in line]
whole = open("/proc/self/smaps").read()
(text,) = re.findall(r" r-xp .*/libc\\.so\\.6\\n(?:[A-Z].*\\n)*", whole)
print(writable_code, re.search("Private_Dirty: *([0-9]+)", text)[1])
"""


def test_the_text_of_libc_is_as_it_was(processes, echo, client_side):
    """onload #135, #156: patching libc's code met SELinux, misaligned stacks, recursion."""
    done = processes.run([peers.PYTHON, "-I", "-c", LIBC_TEXT, echo.port, SECRET],
                         environment=client_side.environment())
    assert done.text == "[] 0\n"
    echo.prove(connections=1)


BY_HANDLE = """
import ctypes, socket, sys
connection = socket.create_connection(("localhost", int(sys.argv[1])))
libc = ctypes.CDLL(sys.argv[3])
assert libc.getpid() > 1 and libc.strlen(b"four") == 4
secret = sys.argv[2].encode()
print(libc.send(connection.fileno(), secret, len(secret), 0) == len(secret))
buffer = ctypes.create_string_buffer(100)
print(libc.recv(connection.fileno(), buffer, 100, 0) == len(secret), buffer.value.decode())
"""


@pytest.mark.parametrize("libc", ["libc.so.6", LIBRARIES + "libc.so.6"])
def test_functions_found_in_an_opened_libc(processes, echo, client_side, libc):
    """Pitfall 3, bypasses: who asks dlopen() for libc itself, as foreign function interfaces do,
    must find the hooks there."""
    done = processes.run([peers.PYTHON, "-I", "-c", BY_HANDLE, echo.port, SECRET, libc],
                         environment=client_side.environment())
    assert done.text == f"True\nTrue {SECRET}\n"
    echo.prove(connections=1)


def test_functions_that_are_looked_up(processes, echo, client_side, build):
    """Pitfall 3, bypasses: by whatever handle or version libc's send() is asked for, the hook
    answers; a library's own function of that name stays its own."""
    library = build("looking_up.c", "-shared", "-fPIC")
    program = build("looked_up.c", '-DVERSION="GLIBC_2.2.5"')
    done = processes.run([program, echo.port, SECRET, library],
                         environment=client_side.environment())
    assert done.text.splitlines() == [
        "the first echoed", "the next echoed", "a dependency's echoed", "a version echoed",
        "a dependency's version echoed", "no version not found", "a second name echoed",
        "by dlsym itself echoed", "the library's next echoed",
        "the library's next of its own echoed", "the library's version echoed",
        "the library's its own", "others 1 1"]
    echo.prove(connections=1)
