"""Redis: redis-server, redis-cli and redis-benchmark, also against Redis's own TLS."""

import os
import re

import pytest

from harness.lib.peers import VERSIONS
from harness.lib.ports import wait_listening

SECRET = os.urandom(32).hex().encode()


def start_redis(processes, port, environment=None, *more):
    server = processes.start(
        ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no",
         "--protected-mode", "no", *more], environment=environment)
    return server


def cli(port, *command):
    return ["redis-cli", "-h", "localhost", "-p", port, *command]


def benchmark(port, *options):
    return ["redis-benchmark", "-h", "localhost", "-p", port, "--csv", *options]


def benchmarked(completed):
    """Tests that ran, by name. redis-benchmark exits with 0 even after errors: so look."""
    assert "rror" not in completed.text + completed.errors, completed.description
    return re.findall(r'^"([A-Z_]+)"', completed.text, re.MULTILINE)


@pytest.fixture
def redis(processes, ports, server_side):
    """redis(*options, **policy) starts redis-server under Gaiter and gives its port."""
    def start(*more, **settings):
        port = ports.free()
        server_side.inbound(port, **settings)
        server = start_redis(processes, port, server_side.environment(), *more)
        wait_listening(port, server)
        return port
    return start


@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_commands_and_answers_are_sealed(redis, relay, processes, server_side, client_side,
                                         client_auth):
    wire = relay(redis(client_auth=client_auth), [SECRET])
    certificate = {"certificate": "client"} if client_auth == "required" else {}
    client_side.outbound(wire.port, **certificate)
    under = client_side.environment()
    assert processes.run(cli(wire.port, "PING"), environment=under).text == "PONG\n"
    processes.run(cli(wire.port, "SET", "key", SECRET.decode()), environment=under)
    assert processes.run(cli(wire.port, "GET", "key"), environment=under).stdout.strip() == SECRET
    wire.prove(connections=3)
    client_side.secured(3, version="TLSv1.3", rule=f"{wire.port}.conf:outbound")
    server_side.secured(3, version="TLSv1.3")
    for event in client_side.secured(3):
        assert event["peer"] == "localhost"  # the name that was verified
    if client_auth == "required":
        assert all("client.harness" in event["peer"] for event in server_side.secured(3))


def test_a_mebibyte_value_goes_and_comes_back(redis, relay, processes, place, client_side):
    value = os.urandom(1 << 19).hex().encode()
    path = os.path.join(place, "value")
    with open(path, "wb") as out:
        out.write(value)
    wire = relay(redis(), [value])
    client_side.outbound(wire.port)
    under = client_side.environment()
    processes.run(cli(wire.port, "-x", "SET", "big"), environment=under, stdin=path)
    got = processes.run(cli(wire.port, "GET", "big"), environment=under)
    assert got.stdout == value + b"\n"
    wire.prove(connections=2)


def test_fifty_pipelining_clients(redis, relay, processes, server_side, client_side):
    wire = relay(redis(), [b"x" * 64, b"*3\r\n$3\r\nSET\r\n", b"key:__rand_int__", b"$64\r\nxxxx"])
    client_side.outbound(wire.port)
    done = processes.run(benchmark(wire.port, "-c", "50", "-P", "16", "-n", "20000", "-d", "64",
                                   "-t", "set,get"), environment=client_side.environment())
    assert benchmarked(done) == ["SET", "GET"]
    wire.prove(whole=False)
    # Of 2 x 50: redis-benchmark ends when the requests are done, be every client ready or not.
    server_side.secured(50, version="TLSv1.3")
    client_side.nothing_refused()


def test_fifty_clients_with_mebibyte_values(redis, processes, client_side):
    port = redis()
    client_side.outbound(port)
    done = processes.run(benchmark(port, "-c", "50", "-n", "100", "-d", str(1 << 20), "-t",
                                   "set,get"), environment=client_side.environment(), timeout=50)
    assert benchmarked(done) == ["SET", "GET"]
    client_side.nothing_refused()


def test_redis_with_threads_that_read_and_write(redis, processes, client_side):
    port = redis("--io-threads", "4", "--io-threads-do-reads", "yes")
    client_side.outbound(port)
    done = processes.run(benchmark(port, "-c", "50", "-P", "16", "-n", "20000", "-d", "3000",
                                   "--threads", "2", "-t", "set,get"),
                         environment=client_side.environment(), timeout=50)
    assert benchmarked(done) == ["SET", "GET"]


@pytest.mark.tls_only
def test_native_tls_clients_of_a_server_under_gaiter(redis, relay, processes, place, ca, pki,
                                                     server_side):
    wire = relay(redis(client_auth="required"), [SECRET])
    certificate, key = pki.client.files(place, "client")
    tls = ("--tls", "--cacert", ca, "--cert", certificate, "--key", key)
    processes.run(cli(wire.port, *tls, "SET", "key", SECRET.decode()))
    assert processes.run(cli(wire.port, *tls, "GET", "key")).stdout.strip() == SECRET
    done = processes.run(benchmark(wire.port, *tls, "-c", "50", "-P", "16", "-n", "5000", "-t",
                                   "set,get"))
    assert benchmarked(done) == ["SET", "GET"]
    wire.prove(whole=False)
    server_side.secured(2, version="TLSv1.3")


@pytest.mark.tls_only
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("client_auth", ["no", "yes"])
def test_clients_under_gaiter_of_a_native_tls_server(relay, processes, ports, place, ca, pki,
                                                     client_side, version, client_auth):
    port = ports.free()
    certificate, key = pki.server.files(place, "server")
    server = start_redis(processes, 0, None, "--tls-port", port, "--tls-cert-file", certificate,
                         "--tls-key-file", key, "--tls-ca-cert-file", ca,
                         "--tls-protocols", f"TLSv{version}", "--tls-auth-clients", client_auth)
    wait_listening(port, server)
    wire = relay(port, [SECRET])
    client_side.outbound(wire.port, **({"certificate": "client"} if client_auth == "yes" else {}))
    under = client_side.environment()
    processes.run(cli(wire.port, "SET", "key", SECRET.decode()), environment=under)
    assert processes.run(cli(wire.port, "GET", "key"), environment=under).stdout.strip() == SECRET
    done = processes.run(benchmark(wire.port, "-c", "20", "-P", "16", "-n", "5000", "-d", "5000",
                                   "-t", "set,get"), environment=under)
    assert benchmarked(done) == ["SET", "GET"]
    wire.prove(whole=False)
    client_side.secured(2, version=f"TLSv{version}")
    client_side.nothing_refused()
