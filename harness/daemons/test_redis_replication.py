"""Redis with a replica that is a client of its own under Gaiter, and a snapshot written by a forked
child, while clients write."""

import os
import time

import pytest


def options(port, place, *more):
    return ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", place,
            "--dbfilename", f"{port}.rdb", "--protected-mode", "no", *more]


def command(port, *words):
    return ["redis-cli", "-h", "localhost", "-p", port, *words]


def load(processes, client_side, port):
    return processes.start(["redis-benchmark", "-h", "localhost", "-p", port, "-c", "20", "-n",
                            "30000", "-d", "500", "-r", "5000", "-t", "set", "-q"],
                           environment=client_side.environment())


def ended_well(benchmark):
    assert benchmark.wait() == 0, benchmark.describe()
    assert b"rror" not in benchmark.output(), benchmark.describe()


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_replica_follows_a_busy_master(serve, reach, client, processes, client_side, ports, side,
                                         pki, place, secret, diskless):
    master, replica = ports.free(), ports.free()
    serve(master, *options(master, place, "--repl-diskless-sync", diskless,
                           "--repl-diskless-sync-delay", "0"))
    wire = reach(master, secret)
    client(*command(wire.port, "SET", "before", secret))
    follower = side("follower", {"server": pki.server}, {"ca": pki.ca})
    link = reach(master, secret, side=follower)
    benchmark = load(processes, client_side, wire.port)
    serve(replica, *options(replica, place, "--replicaof", "localhost", link.port), side=follower)
    ended_well(benchmark)
    client(*command(wire.port, "SET", "after", secret * 1000))
    assert client(*command(wire.port, "WAIT", "1", "20000")).text == "1\n"
    near = reach(replica, secret)
    assert client(*command(near.port, "GET", "before")).text == secret + "\n"
    assert client(*command(near.port, "GET", "after")).text == secret * 1000 + "\n"
    for one in (wire, near, link):
        one.prove(whole=False)
    follower.nothing_refused()


def test_a_snapshot_under_load(serve, reach, client, processes, client_side, ports, place, secret):
    port = ports.free()
    serve(port, *options(port, place))
    wire = reach(port, secret)
    client(*command(wire.port, "SET", "key", secret))
    benchmark = load(processes, client_side, wire.port)
    for number in range(3):
        assert "started" in client(*command(wire.port, "BGSAVE")).text
        while "rdb_bgsave_in_progress:1" in client(*command(wire.port, "INFO",
                                                            "persistence")).text:
            time.sleep(0.02)
    ended_well(benchmark)
    assert "rdb_last_bgsave_status:ok" in client(*command(wire.port, "INFO", "persistence")).text
    assert os.path.getsize(f"{place}/{port}.rdb") > 0
    assert client(*command(wire.port, "GET", "key")).text == secret + "\n"
    wire.prove(whole=False)
    client_side.nothing_refused()
