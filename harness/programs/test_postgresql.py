"""PostgreSQL: a process for each connection, psql, and both behind or before stunnel."""

import glob
import os
import shutil
import signal
import subprocess
import time

import pytest

from harness.lib.peers import VERSIONS, stunnel
from harness.lib.ports import wait_listening
from harness.lib.processes import BASE_ENVIRONMENT

SECRET = os.urandom(32).hex()


def program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    assert found, f"{name} is not installed"
    return found[-1]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database cluster, made once and copied for each test."""
    base = tmp_path_factory.mktemp("postgresql")
    path = os.path.join("/tmp", f"gaiter-{os.path.basename(base)}-{os.getpid()}")
    os.mkdir(path, 0o700)
    shutil.chown(path, "postgres", "postgres")
    subprocess.run([program("initdb"), "-D", path, "-A", "trust", "-U", "postgres", "-N",
                    "--no-instructions", "-E", "UTF8", "--locale=C"], check=True, cwd="/",
                   env=BASE_ENVIRONMENT, user="postgres", group="postgres", extra_groups=[],
                   stdout=subprocess.DEVNULL, timeout=60)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(processes, ports, place, template):
    """Starts PostgreSQL with ssl=off, as any installation may be, and gives its port."""
    def postgresql(environment=None, port=None):
        data = os.path.join(place, "data")
        subprocess.run(["cp", "-a", template, data], check=True)
        port = port or ports.free()
        server = processes.start(
            [program("postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c",
             "unix_socket_directories=", "-c", "ssl=off", "-c", "fsync=off", "-c",
             "shared_buffers=16MB", "-c", "dynamic_shared_memory_type=posix", "-c",
             "max_connections=20"], environment=environment, user="postgres", cwd="/")
        wait_listening(port, server)
        server.wait_output(b"ready to accept connections")
        ended.append(server)
        return port

    ended = []
    yield postgresql
    for server in ended:  # "fast": SIGTERM would wait for the clients
        server.stop(first=signal.SIGINT)


@pytest.fixture
def protected(start, ports, side, pki):
    port = ports.free()
    one = side("server", {"server": pki.server}, {"ca": pki.ca}, owner="postgres")

    def with_policy(**settings):
        one.inbound(port, **settings)
        start(one.environment(), port)
        return port, one
    return with_policy


def psql(port, *commands):
    """psql's own TLS and GSSAPI stay off: it is to believe that the connection is clear."""
    words = [word for command in commands for word in ("-c", command)]
    target = f"host=localhost port={port} user=postgres dbname=postgres sslmode=disable " \
             "gssencmode=disable"
    return [program("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", target, *words]


@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_queries_and_rows_are_sealed(protected, relay, processes, client_side, client_auth):
    port, server_side = protected(client_auth=client_auth)
    wire = relay(port, [SECRET.encode(), b"create table", b"select value"])
    client_side.outbound(wire.port,
                         **({"certificate": "client"} if client_auth == "required" else {}))
    under = client_side.environment()
    processes.run(psql(wire.port, "create table t (value text)",
                       f"insert into t values ('{SECRET}')"), environment=under)
    done = processes.run(psql(wire.port, "select value from t"), environment=under)
    assert done.text == SECRET + "\n"
    wire.prove(connections=2)
    client_side.secured(2, version="TLSv1.3")
    server_side.secured(2, version="TLSv1.3")
    server_side.nothing_refused()


def test_a_large_result_and_a_large_copy(protected, relay, processes, place, client_side):
    port, _ = protected()
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    under = client_side.environment()
    rows = 100_000
    query = f"select '{SECRET}' || i from generate_series(1, {rows}) i"
    done = processes.run(psql(wire.port, query), environment=under)
    assert done.text.split() == [f"{SECRET}{i}" for i in range(1, rows + 1)]
    source = os.path.join(place, "rows")
    with open(source, "wb") as out:
        out.write(done.stdout)
    count = processes.run(psql(wire.port, "create table t (value text)", "copy t from stdin",
                               "select count(*), count(distinct value) from t"),
                          stdin=source, environment=under)
    assert count.text == f"{rows}|{rows}\n"
    wire.prove(connections=2)


def test_notifications_and_cancellation_reach_through(protected, processes, client_side):
    """Cancelling is a connection of its own, which must be sealed as well."""
    port, server_side = protected()
    client_side.outbound(port)
    under = client_side.environment()
    done = processes.run(psql(port, "listen news", f"notify news, '{SECRET}'"), environment=under)
    assert SECRET in done.text
    sleeper = processes.start(psql(port, "select pg_sleep(50)"), environment=under)
    busy = "select count(*) from pg_stat_activity where query = 'select pg_sleep(50)'"
    while processes.run(psql(port, busy), environment=under).text != "1\n":
        time.sleep(0.1)
    sleeper.send_signal(signal.SIGINT)
    sleeper.wait(15)
    assert b"canceling statement due to user request" in sleeper.stderr()
    server_side.nothing_refused()


def test_twelve_clients_at_once(protected, processes, client_side):
    port, server_side = protected()
    client_side.outbound(port)
    clients = [processes.start(psql(port, *[f"select repeat('{SECRET}', 3000)"] * 5),
                               environment=client_side.environment()) for _ in range(12)]
    for client in clients:
        assert client.wait(40) == 0, client.describe()
        assert client.stdout() == (SECRET * 3000 + "\n").encode() * 5
    server_side.secured(12)


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_psql_through_stunnel_to_a_server_under_gaiter(protected, relay, processes, ports, place,
                                                       ca, pki, version):
    port, server_side = protected(client_auth="required")
    wire = relay(port, [SECRET.encode()])
    clear = ports.free()
    tunnel = processes.start(stunnel(place, "client", clear, wire.port, client=True, ca=ca,
                                     version=version, check_host="localhost",
                                     identity=pki.client.files(place, "client")))
    wait_listening(clear, tunnel)
    done = processes.run(psql(clear, f"select '{SECRET}'"))
    assert done.text == SECRET + "\n"
    wire.prove(connections=1)
    server_side.secured(1, version=f"TLSv{version}")


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
def test_psql_under_gaiter_to_a_server_behind_stunnel(start, relay, processes, ports, place, ca,
                                                      pki, client_side, version):
    port = ports.free()
    tunnel = processes.start(stunnel(place, "server", port, start(), client=False, ca=ca,
                                     version=version, identity=pki.server.files(place, "server")))
    wait_listening(port, tunnel)
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port, certificate="client")
    done = processes.run(psql(wire.port, f"select '{SECRET}'"),
                         environment=client_side.environment())
    assert done.text == SECRET + "\n"
    wire.prove(connections=1)
    client_side.secured(1, version=f"TLSv{version}")


def test_a_parallel_query(protected, relay, processes, client_side):
    """Its workers are forked while the connection is open; the leader sends their rows."""
    port, server_side = protected()
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    eager = ["set max_parallel_workers_per_gather = 2", "set parallel_setup_cost = 0",
             "set parallel_tuple_cost = 0", "set min_parallel_table_scan_size = 0",
             "set debug_parallel_query = on" if "16" in program("psql") else
             "set force_parallel_mode = on"]
    query = "select value from t where n % 2 = 0"
    done = processes.run(
        psql(wire.port, "create table t (n int, value text)",
             f"insert into t select i, '{SECRET}' from generate_series(1, 40000) i", "analyze t",
             *eager, f"explain analyze {query}", query), environment=client_side.environment())
    assert "Workers Launched: 2" in done.text, done.text[:2000]
    assert done.text.count(SECRET + "\n") == 20_000
    wire.prove(connections=1)
    server_side.nothing_refused()


def test_a_listener_is_woken_by_another_session(protected, relay, processes, client_side):
    """The back end sends between two queries of the client."""
    port, _ = protected()
    wire = relay(port, [SECRET.encode()])
    client_side.outbound(wire.port)
    under = client_side.environment()
    listener = processes.start(psql(wire.port), stdin="pipe", environment=under)
    listener.write(b"listen news; select 'listens';\n")
    listener.wait_output(b"listens")
    processes.run(psql(wire.port, f"notify news, '{SECRET}'"), environment=under)
    listener.write(b"select 'woken';\n")
    listener.close_stdin()
    assert listener.wait() == 0, listener.describe()
    assert SECRET in listener.stdout().decode()
    wire.prove(connections=2)


@pytest.mark.parametrize("name, welcome", [("client", True), ("batch", False)])
def test_only_whom_the_rule_allows(protected, processes, side, pki, name, welcome):
    port, server = protected(client_auth="required", allow="dns:client.harness")
    client = side("client", {name: getattr(pki, name)}, {"ca": pki.ca})
    client.outbound(port, certificate=name)
    answer = processes.run(psql(port, "select 6 * 7"), environment=client.environment(),
                           check=False)
    assert (answer.text == "42\n") == welcome
    if not welcome:
        assert server.log.refused()[0]["cause"] == "not_allowed"
