"""One connection between two blocking programs (programs/traffic.c): bulk and ping-pong."""

from functools import partial

from ..routes import Program, open_route
from ..row import OWN_TLS, Row, Sample


def traffic(bench):
    """The same program twice: over plain sockets, and over SSL_read and SSL_write."""
    def server(binary, port):
        return [bench.binary(binary), "server", str(port)]

    def client(binary, port, kind, size, count):
        return [bench.binary(binary), "client", kind, str(port), str(size), str(count)]

    return Program(partial(server, "traffic"), partial(client, "traffic"),
                   partial(server, "traffic-openssl"), partial(client, "traffic-openssl"),
                   bench.tls_environment())


def measure_bulk(size, bench, variant, count, first):
    with open_route(bench, variant, traffic(bench), first) as route:
        output, cpu = route.run("bulk", size, count)
        seconds = float(output.split()[0])
        return Sample(value=size * count * 8 / seconds / 1e9,
                      cpu_seconds=cpu / (size * count) * 2**30,
                      work=count, seconds=seconds, secured_by=route.secured_by())


def measure_ping(size, bench, variant, count, first):
    with open_route(bench, variant, traffic(bench), first) as route:
        output, cpu = route.run("ping", size, count)
        seconds = float(output.split()[0])
        return Sample(value=count / seconds, cpu_seconds=cpu / count,
                      work=count, seconds=seconds, secured_by=route.secured_by())


ROWS = [
    Row("bulk 64 KiB writes", "Gbit/s", "GiB", partial(measure_bulk, 64 << 10), first_count=4000,
        bars={OWN_TLS: 1.5}),
    Row("bulk 16 KiB writes", "Gbit/s", "GiB", partial(measure_bulk, 16 << 10), first_count=8000,
        quick=False),
    Row("bulk 1 KiB writes", "Gbit/s", "GiB", partial(measure_bulk, 1 << 10), first_count=40000,
        quick=False),
    Row("ping-pong 64 B", "round trips/s", "round trip", partial(measure_ping, 64),
        first_count=3000),
]
