"""PostgreSQL with pgbench, memcached with memcslap: programs of which one has TLS, one a client
that has none."""

import atexit
import functools
import glob
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from ..process import found
from ..routes import Program, open_route
from ..row import ENDS, GAITER, OWN_TLS, PLAIN, STUNNEL, Failure, Row, Sample


def installed(name):
    paths = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    if not paths:
        raise Failure(f"{name} is not installed")
    return paths[-1]


def as_postgres(command):
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


@functools.cache
def cluster(bench):
    """A place of postgres's own with a database cluster, for all rounds."""
    place = Path(tempfile.mkdtemp(prefix="gaiter-bench-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for name in ("certificate", "key"):
        shutil.copy(getattr(bench, name), place / name)
        (place / name).chmod(0o600)
        shutil.chown(place / name, "postgres", "postgres")
    shutil.chown(place, "postgres", "postgres")
    subprocess.run(as_postgres([installed("initdb"), "-D", str(place / "data"), "-A", "trust", "-U",
                                "postgres", "-N", "--no-instructions", "-E", "UTF8",
                                "--locale=C"]),
                   check=True, cwd="/", stdout=subprocess.DEVNULL)
    return place


def postgresql(bench):
    place = cluster(bench)

    def server(port, *settings):
        words = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c",
                 "fsync=off", "-c", "max_connections=30"]
        return as_postgres([installed("postgres"), "-D", str(place / "data"), "-p", str(port),
                            *words, *(word for one in settings for word in ("-c", one))])

    def tls_server(port):
        return server(port, "ssl=on", f"ssl_cert_file={place}/certificate",
                      f"ssl_key_file={place}/key",
                      "ssl_min_protocol_version=TLSv1.3")

    def client(mode, port, *words):
        target = f"host=localhost hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres " \
                 f"sslmode={mode} gssencmode=disable sslrootcert={bench.ca}"
        return [installed("pgbench"), "--no-vacuum", *map(str, words), target]

    return Program(server, partial(client, "disable"), tls_server,
                   partial(client, "verify-full"), owner="postgres",
                   says="ready to accept connections")


def measure_pgbench(bench, variant, count, first):
    with open_route(bench, variant, postgresql(bench), first) as route:
        if first:
            route.run("-i", "-q")
        output, cpu = route.run("-S", "-M", "prepared", "-c", "4", "-j", "1", "-t", count // 4)
        rate = float(found(r"tps = ([\d.]+) \(without", output)[0])
        return Sample(value=rate, cpu_seconds=cpu / count, work=count, seconds=count / rate,
                      secured_by=route.secured_by())


def memcached(bench):
    def server(port):
        return ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(port), "-U", "0"]

    def client(port, count):
        return ["memcslap", f"--servers=127.0.0.1:{port}", "--concurrency=4", "--test=get",
                f"--execute-number={count // 4}", "--initial-load=100"]

    return Program(server, client, None, None, owner="nobody")


def measure_memcached(bench, variant, count, first):
    with open_route(bench, variant, memcached(bench), first) as route:
        output, cpu = route.run(count)
        seconds = float(found(r"^Time to get .*threads: +([\d.]+) seconds", output)[0])
        return Sample(value=count / seconds, cpu_seconds=cpu / count, work=count,
                      seconds=seconds, secured_by=route.secured_by())


ROWS = [
    Row("pgbench, select only, 4 clients", "transactions/s", "transaction", measure_pgbench,
        first_count=400, bars={OWN_TLS: 1.0}, variants=ENDS, longer=2,
        note="TLS 1.3 with PostgreSQL's own choice of suite"),
    Row("memcached get, 4 clients", "requests/s", "request", measure_memcached, first_count=2000,
        variants=(PLAIN, GAITER, STUNNEL), quick=False, note="the client has no TLS of its own"),
]
