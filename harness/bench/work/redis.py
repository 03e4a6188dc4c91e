"""redis-benchmark against redis-server: 50 clients, alone and pipelined."""

import csv
from functools import partial

from ..bench import SUITE
from ..routes import Program, open_route
from ..row import OWN_TLS, Row, Sample

PLAIN_SERVER = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning")


def redis(bench):
    def server(port):
        return ["redis-server", *PLAIN_SERVER, "--port", str(port)]

    def tls_server(port):
        return ["redis-server", *PLAIN_SERVER, "--port", "0", "--tls-port", str(port),
                "--tls-cert-file", str(bench.certificate), "--tls-key-file", str(bench.key),
                "--tls-ca-cert-file", str(bench.ca), "--tls-auth-clients", "no",
                "--tls-protocols", "TLSv1.3", "--tls-ciphersuites", SUITE]

    def client(port, command, pipeline, count):
        return ["redis-benchmark", "-p", str(port), "-t", command, "-c", "50", "-P", str(pipeline),
                "-n", str(count), "--csv"]

    def tls_client(port, *arguments):
        return client(port, *arguments) + ["--tls", "--cacert", str(bench.ca),
                                           "--sni", "localhost", "--tls-ciphersuites", SUITE]

    return Program(server, client, tls_server, tls_client)


def measure(command, pipeline, bench, variant, count, first):
    with open_route(bench, variant, redis(bench), first) as route:
        if command == "get":
            route.run("set", 1, 1)  # or there would be nothing to get
        output, cpu = route.run(command, pipeline, count)
        rate = float(next(csv.DictReader(output.splitlines()))["rps"])
        return Sample(value=rate, cpu_seconds=cpu / count, work=count, seconds=count / rate,
                      secured_by=route.secured_by())


def row(command, pipeline, **more):
    return Row(f"redis {command.upper()} -c 50 -P {pipeline}", "requests/s", "request",
               partial(measure, command, pipeline), first_count=20000 * pipeline, longer=2,
               note="with the 50 handshakes", **more)


ROWS = [
    row("get", 1, bars={OWN_TLS: 1.0}),
    row("get", 16, bars={OWN_TLS: 1.0}),
    row("set", 1, quick=False),
    row("set", 16, quick=False),
]
