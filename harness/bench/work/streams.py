"""Blocking programs on one connection or a few (programs/traffic.c): bulk and ping-pong."""

from functools import partial

from ..bench import USUAL, Tls
from ..routes import Program, open_route
from ..row import ENDS, GAITER, OWN_TLS, PLAIN, STUNNEL, VARIANTS, Row, Sample


def traffic(bench, tls=USUAL, server_words=()):
    """The same program twice: over plain sockets, and over SSL_read and SSL_write."""
    def server(binary, port):
        return [bench.binary(binary), "server", str(port), *server_words]

    def client(binary, port, kind, size, count, *more):
        return [bench.binary(binary), "client", kind, str(port), str(size), str(count),
                *map(str, more)]

    return Program(partial(server, "traffic"), partial(client, "traffic"),
                   partial(server, "traffic-openssl"), partial(client, "traffic-openssl"),
                   bench.tls_environment(tls))


def measure_bulk(size, streams, tls, foreign_client, congestion, bench, variant, count, first):
    program = traffic(bench, tls, ["fork"] if streams > 1 else [])
    with open_route(bench, variant, program, first, foreign_client, tls=tls) as route:
        output, cpu = route.run("bulk", size, count, streams, *congestion)
        seconds = float(output.split()[0])
        return Sample(value=size * count * 8 / seconds / 1e9,
                      cpu_seconds=cpu / (size * count) * 2**30,
                      work=count, seconds=seconds, secured_by=route.secured_by())


def measure_ping(size, bench, variant, count, first):
    with open_route(bench, variant, traffic(bench), first) as route:
        output, cpu = route.run("ping", size, count)
        seconds, *percentiles = output.split()[:4]
        return Sample(value=count / float(seconds), cpu_seconds=cpu / count, work=count,
                      seconds=float(seconds), secured_by=route.secured_by(),
                      latency=tuple(map(float, percentiles)))


def bulk(name, size, streams=1, tls=USUAL, foreign_client=False, congestion=(), **more):
    return Row(f"bulk {name}", "Gbit/s", "GiB",
               partial(measure_bulk, size, streams, tls, foreign_client, congestion),
               first_count=(256 << 20) // max(size, 8 << 10), **more)


def ping(size, **more):
    return Row(f"ping-pong {size} B", "round trips/s", "round trip", partial(measure_ping, size),
               first_count=3000, **more)


AES_128 = Tls(suite="TLS_AES_128_GCM_SHA256")
CHACHA = Tls(suite="TLS_CHACHA20_POLY1305_SHA256")
TLS_1_2 = Tls("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384",
              "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")
BY_OPENSSL = Tls(settings=('engine = "openssl";',))
BARE = (PLAIN, OWN_TLS, GAITER)
FEW = (OWN_TLS, GAITER)

ROWS = [
    bulk("64 KiB writes", 64 << 10, bars={OWN_TLS: 2.0, PLAIN: 0.85, STUNNEL: 1.0},
         variants=VARIANTS),
    bulk("64 KiB writes, TCP cubic", 64 << 10, congestion=("cubic",), quick=False, variants=BARE,
         bars={OWN_TLS: 2.0}, note="Linux's own congestion control, whatever the system's is"),
    bulk("64 KiB writes, openssl back end", 64 << 10, tls=BY_OPENSSL, bars={OWN_TLS: 1.3},
         variants=FEW, quick=False),
    bulk("64 KiB writes, client OpenSSL", 64 << 10, foreign_client=True, quick=False, variants=FEW,
         note="Gaiter: the server only"),
    bulk("64 KiB writes, 8 streams", 64 << 10, streams=8, quick=False, variants=BARE),
    bulk("1 MiB writes", 1 << 20, quick=False, variants=BARE),
    bulk("16 KiB writes", 16 << 10, quick=False, variants=BARE),
    bulk("1 KiB writes", 1 << 10, quick=False, variants=BARE),
    bulk("64 KiB writes, AES-128-GCM", 64 << 10, tls=AES_128, quick=False, variants=FEW),
    bulk("64 KiB writes, ChaCha20", 64 << 10, tls=CHACHA, quick=False, variants=FEW),
    bulk("64 KiB writes, TLS 1.2", 64 << 10, tls=TLS_1_2, quick=False, variants=FEW),
    ping(64, bars={STUNNEL: 1.0}, variants=VARIANTS),
    ping(4096, quick=False, variants=ENDS),
]
