"""fork, vfork, exec, daemon: what they do to state that two processes share or borrow."""

import os
import socket

import pytest

from harness.lib import peers
from harness.lib.gaiter import LIBRARY
from harness.lib.inline import wait_until
from harness.lib.ports import wait_listening

from harness.issues.conftest import SECRET

# Talks before and after each way in which Python starts programs (vfork among them).
SUBPROCESSES = """
import os, socket, subprocess, sys
connection = socket.create_connection(("localhost", int(sys.argv[1])))
def talk():
    connection.sendall(sys.argv[2].encode())
    got = b""
    while len(got) < len(sys.argv[2]):
        got += connection.recv(100)
    print(got.decode())
talk()
for options in ({"close_fds": True}, {"close_fds": False}, {"start_new_session": True},
                {"pass_fds": (2,)}, {"preexec_fn": os.getpid}):
    subprocess.run(["true"], check=True, stdin=subprocess.DEVNULL, **options)
    talk()
os.posix_spawn("/bin/true", ["true"], os.environ, file_actions=[
    (os.POSIX_SPAWN_CLOSE, connection.fileno())])
os.wait()
talk()
"""


def test_subprocesses_of_python(processes, echo, client_side):
    """libuv #22, mirrord #3154, #2653, shadow PR 1291, #3123: between vfork and exec, a child
    changed the state of the library, which was the parent's."""
    done = processes.run([peers.PYTHON, "-I", "-c", SUBPROCESSES, echo.port, SECRET],
                         environment=client_side.environment())
    assert done.text.splitlines() == [SECRET] * 7
    echo.prove(connections=1)


def test_closed_between_vfork_and_exec(same):
    """The same, and onload 3c1251c4: an emulated vfork() misaligned the child's stack."""
    same("closed_between_vfork_and_exec")


def test_closed_in_the_child(same):
    """ip2unix #16: a child's close() undid the parent's socket."""
    same("closed_in_the_child")


def test_handler_amid_forks(same):
    """socket_wrapper 3547fdf, 0f8e90d, 13a6aca: a deadlock in the handler of SIGCHLD while the
    next child was forked."""
    same("handler_amid_forks")


def test_goes_to_the_background(same):
    """libvma 559589, 632654, 922411: descriptors of the library's own, state that daemon() left
    behind."""
    same("goes_to_the_background")


def test_first_calls_in_the_child(same):
    """FDio/archived-vsap #3: nginx's children waited for a lock that a thread of the parent had
    held while it looked a function up."""
    same("first_calls_in_the_child")


APPLICATION = """
async def application(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": SECRET})
"""


def test_uvicorn_inherits_its_listener(processes, ports, relay, place, server_side, client_side):
    """mirrord #864: uvicorn's workers get the listener by fork and exec; there it was unknown, and
    served in the clear."""
    with open(os.path.join(place, "application.py"), "w", encoding="ascii") as module:
        module.write(APPLICATION.replace("SECRET", repr(SECRET.encode())))
    port = ports.free()
    server_side.inbound(port)
    server = processes.start([peers.PYTHON, "-m", "uvicorn", "--workers", "2", "--port", port,
                              "application:application"], environment=server_side.environment())
    server.wait_output(b"Application startup complete", times=2)
    wire = relay(port, [SECRET.encode(), b"HTTP/1.1 200"])
    client_side.outbound(wire.port)
    for _ in range(3):
        done = processes.run(["curl", "-sS", "--http1.1", f"http://localhost:{wire.port}/"],
                             environment=client_side.environment())
        assert done.text == SECRET
    wire.prove(connections=3)


@pytest.mark.tls_only
@pytest.mark.skipif(os.geteuid() != 0, reason="mount namespaces are root's")
@pytest.mark.parametrize("clean", [[], ["env", "-i", "PATH=/usr/bin:/bin"]])
def test_preloaded_by_the_system(processes, echo, place, client_side, clean):
    """AppScope #1515, pseudo: /etc/ld.so.preload, where every program has the library, and env -i,
    which takes all that an environment could say."""
    listed = os.path.join(place, "ld.so.preload")
    with open(listed, "w", encoding="ascii") as out:
        out.write(LIBRARY + "\n")
    # The policy has to be where it is looked for without a word from the environment.
    environment = client_side.environment()
    folder = environment.pop("GAITER_POLICY")
    del environment["LD_PRELOAD"]
    script = (f"mount -t tmpfs -o mode=0755 none /mnt && cp -a /etc/. /mnt/ && "
              f"mount --move /mnt /etc && rm -rf /etc/gaiter && cp -r {folder} /etc/gaiter && "
              f"touch /etc/ld.so.preload && mount --bind {listed} /etc/ld.so.preload && "
              f"exec {' '.join(clean)} sh -c 'echo {SECRET} | nc -N localhost {echo.port}'")
    done = processes.run(["unshare", "--mount", "sh", "-c", script], environment=environment)
    assert done.text == SECRET + "\n"
    echo.prove(connections=1)


NGINX = """
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log;
worker_processes 2;
events {{ worker_connections 64; }}
http {{
  access_log off;
  server {{ listen 127.0.0.1:{port} reuseport; location / {{ return 200 "{secret}"; }} }}
}}
"""


def workers(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return len(children.read().split())


def proportional_memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
        return sum(int(line.split()[1]) for line in text if line.startswith("Pss:"))


@pytest.mark.limit(110)
def test_nginx_reloads_in_a_loop(processes, ports, relay, place, server_side, client_side):
    """FDio/vpp #3547, #3463, #3189: nginx's reload crashed, leaked what each session had, and did
    not go with SO_REUSEPORT."""
    port = ports.free()
    conf = os.path.join(place, "nginx.conf")
    with open(conf, "w", encoding="ascii") as out:
        out.write(NGINX.format(place=place, port=port, secret=SECRET))
    server_side.inbound(port)
    master = processes.start(["nginx", "-c", conf, "-p", place, "-e", f"{place}/error.log"],
                             environment=server_side.environment())
    wait_listening(port, master)
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    environment = client_side.environment()
    seen = []
    for round_ in range(12):
        master.send_signal(1)
        urls = [f"http://localhost:{wire.port}/{number}" for number in range(8)]
        done = processes.run(["curl", "-sS", "-H", "Connection: close", *urls],
                             environment=environment)
        assert done.text == SECRET * 8
        if round_ in (3, 11):
            wait_until(lambda: workers(master.pid) == 2)  # the master has a channel to each
            with socket.create_connection(("127.0.0.1", port)):
                pass  # a stranger, whose connection must leave nothing either
            seen.append((len(os.listdir(f"/proc/{master.pid}/fd")),
                         proportional_memory(master.pid)))
    (descriptors, memory), (descriptors_later, memory_later) = seen
    assert abs(descriptors_later - descriptors) <= 4  # the channels to workers that come and go
    assert memory_later < memory * 1.5 + 2000
    wire.prove(connections=96)
