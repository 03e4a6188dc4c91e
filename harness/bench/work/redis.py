"""redis-benchmark against redis-server: 1, 50 and 500 clients, alone and pipelined."""

import csv
from functools import partial

from ..bench import SUITE
from ..routes import Program, open_route
from ..row import GAITER, OWN_TLS, PLAIN, STUNNEL, VARIANTS, Row, Sample

PLAIN_SERVER = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning")


def redis(bench):
    def server(port):
        return ["redis-server", *PLAIN_SERVER, "--port", str(port)]

    def tls_server(port):
        return ["redis-server", *PLAIN_SERVER, "--port", "0", "--tls-port", str(port),
                "--tls-cert-file", str(bench.certificate), "--tls-key-file", str(bench.key),
                "--tls-ca-cert-file", str(bench.ca), "--tls-auth-clients", "no",
                "--tls-protocols", "TLSv1.3", "--tls-ciphersuites", SUITE]

    def client(port, command, clients, pipeline, count):
        return ["redis-benchmark", "-p", str(port), "-t", command, "-c", str(clients), "-P",
                str(pipeline), "-n", str(count), "--csv"]

    def tls_client(port, *arguments):
        return client(port, *arguments) + ["--tls", "--cacert", str(bench.ca),
                                           "--sni", "localhost", "--tls-ciphersuites", SUITE]

    return Program(server, client, tls_server, tls_client)


def measure(command, clients, pipeline, bench, variant, count, first):
    with open_route(bench, variant, redis(bench), first) as route:
        if command == "get":
            route.run("set", 1, 1, 1)  # or there would be nothing to get
        output, cpu = route.run(command, clients, pipeline, count)
        rate = float(next(csv.DictReader(output.splitlines()))["rps"])
        return Sample(value=rate, cpu_seconds=cpu / count, work=count, seconds=count / rate,
                      secured_by=route.secured_by())


def row(command, clients, pipeline, **more):
    return Row(f"redis {command.upper()} -c {clients} -P {pipeline}", "requests/s", "request",
               partial(measure, command, clients, pipeline),
               first_count=400 * min(clients, 50) * pipeline, longer=2,
               note="with the handshakes", **more)


FEW = (PLAIN, OWN_TLS, GAITER)
ROWS = [
    row("get", 50, 1, bars={OWN_TLS: 1.05, STUNNEL: 1.0}, variants=VARIANTS),
    row("get", 50, 16, bars={OWN_TLS: 1.05, STUNNEL: 1.0}),
    row("get", 1, 1, quick=False, variants=FEW),
    row("get", 500, 1, quick=False, variants=FEW),
    row("set", 50, 1, bars={OWN_TLS: 1.05}, quick=False, variants=FEW),
    row("set", 50, 16, bars={OWN_TLS: 1.05}, quick=False, variants=FEW),
]
