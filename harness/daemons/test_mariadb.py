"""MariaDB: a thread for each connection, and its pool of threads; the mariadb client."""

import pytest

from harness.lib.bulk import checksum


@pytest.fixture
def mariadb(serve, ports, place, folder, server_side_of):
    def start(*options):
        port = ports.free()
        serve(port, "mariadbd", "--no-defaults", "--user=nobody", f"--port={port}",
              "--bind-address=127.0.0.1", f"--datadir={folder('data', 'nobody')}",
              f"--socket={place}/data/socket", f"--pid-file={place}/data/pid", "--tmpdir=/tmp",
              "--skip-grant-tables", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
              "--innodb-flush-method=nosync", "--max-allowed-packet=64M", *options,
              side=server_side_of("nobody"))
        return port
    return start


def words(port, *statements):
    return ["mariadb", "--no-defaults", "-h", "localhost", "--protocol=tcp", "-P", port, "-B",
            "-N", "--skip-ssl", "--max-allowed-packet=64M", "-e", ";".join(statements)]


@pytest.mark.parametrize("threads", ["one-thread-per-connection", "pool-of-threads"])
def test_rows_of_many_clients_at_once(mariadb, reach, client, processes, client_side, secret,
                                      threads):
    port = mariadb(f"--thread-handling={threads}")
    wire = reach(port, secret)
    client(*words(wire.port, "create database d", "use d", "create table t (n int, v text)",
                  f"insert into t select seq, '{secret}' from seq_1_to_20000"))
    clients = [processes.start(words(wire.port, "select v from d.t", "select count(*) from d.t"),
                               environment=client_side.environment()) for _ in range(6)]
    for one in clients:
        assert one.wait() == 0, one.describe()
        assert one.stdout().decode() == (secret + "\n") * 20_000 + "20000\n"
    wire.prove(connections=7)
    client_side.nothing_refused()


def test_a_value_of_sixteen_mebibytes(mariadb, reach, client, secret):
    """The protocol's packets end at 16 MiB: such a value takes two."""
    wire = reach(mariadb(), secret)
    size = 17 << 20
    got = client(*words(wire.port, f"select rpad('', {size}, '{secret}')"))
    assert checksum(got.stdout) == checksum((secret * size)[:size].encode() + b"\n")
    wire.prove(connections=1)
