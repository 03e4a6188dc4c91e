"""Many connections at once (programs/many.c): what idle ones cost, and what arriving ones do."""

from functools import partial
from statistics import median

from ..routes import Program, open_route
from ..row import ENDS, GAITER, PLAIN, Row, Sample
from .streams import traffic

IDLE, ACTIVE = 10_000, 100
TURNS, ROUNDS = 15, 100  # of echoes on each active connection
ARRIVALS = 200


def many(bench):
    def server(binary, port):
        return [bench.binary(binary), "server", str(port)]

    def client(binary, port, *words):
        return [bench.binary(binary), "client", str(port), *map(str, words)]

    return Program(partial(server, "many"), partial(client, "many"),
                   partial(server, "many-openssl"), partial(client, "many-openssl"),
                   bench.tls_environment())


def with_traffic(bench):
    """The echo of programs/many.c with the clients of programs/traffic.c."""
    server, client = many(bench), traffic(bench)
    return Program(server.server, client.client, server.tls_server, client.tls_client,
                   client.tls_environment)


def measure_arrivals(bench, variant, count, first):
    with open_route(bench, variant, with_traffic(bench), first) as route:
        route.beside("arrive", "full", ARRIVALS)
        output, cpu = route.run("ping", 64, count)
        seconds, *latency = map(float, output.split()[:4])
        return Sample(value=latency[1], cpu_seconds=cpu / count, work=count, seconds=seconds,
                      secured_by=route.secured_by(), latency=tuple(latency))


def measure_memory(end, count, bench, variant, _, first):
    """What each of `count` connections adds to a process's resident memory, once it is drained."""
    with open_route(bench, variant, many(bench), first) as route:
        route.talk(1, 1, 0).hear()  # what is made once is made now
        server = route.resident_bytes()
        client = route.talk(count, 1, 0)
        before, after = map(float, client.hear().split())
        grown = route.resident_bytes() - server if end == "server" else after - before
        return Sample(value=grown / count, cpu_seconds=route.cpu_seconds() / count, work=1,
                      seconds=1, secured_by=route.secured_by())


def measure_fork(bench, variant, count, first):
    with open_route(bench, variant, many(bench), first) as route:
        output, cpu = route.run(IDLE, ACTIVE, 0)
        *_, fork = map(float, output.split())
        return Sample(value=fork, cpu_seconds=cpu, work=1, seconds=1,
                      secured_by=route.secured_by())


def measure_active(bench, variant, count, first):
    """Two pairs of server and client, with and without the idle ones, that echo by turns."""
    with open_route(bench, variant, many(bench), first) as crowded, \
            open_route(bench, variant, many(bench), False) as quiet:
        among = crowded.talk(IDLE + ACTIVE, ACTIVE, ROUNDS)
        alone = quiet.talk(ACTIVE, ACTIVE, ROUNDS)
        for client in (among, alone):
            client.hear()  # all are open
        before = crowded.cpu_seconds()
        pairs = [(float(alone.ask()), float(among.ask())) for _ in range(TURNS)]
        cpu = crowded.cpu_seconds() - before
        return Sample(value=median(quick / slow for quick, slow in pairs),
                      cpu_seconds=cpu / (TURNS * ROUNDS * ACTIVE), work=1, seconds=1,
                      secured_by=crowded.secured_by())


def memory(end, count, **more):
    return Row(f"memory of an idle connection, {end}, {count:,} open", "bytes",
               "connection opened", partial(measure_memory, end, count), first_count=1,
               higher_is_better=False, once=True, quick=False, **more)


ROWS = [
    Row(f"99th percentile of an echo while {ARRIVALS} connections arrive each second", "us",
        "round trip", measure_arrivals, first_count=2000, variants=ENDS, higher_is_better=False,
        longer=2, quick=False),
    memory("client", IDLE, variants=ENDS, bars={GAITER: 1024}),
    memory("server", IDLE, variants=ENDS, bars={GAITER: 1024}),
    memory("server", 1000, variants=ENDS),
    memory("server", 100, variants=ENDS),
    Row(f"{ACTIVE} active among {IDLE:,} idle connections", "times as fast as alone", "echo",
        measure_active, first_count=1, variants=ENDS, bars={GAITER: 0.97}, once=True, quick=False,
        note=f"median of {TURNS} turns"),
    Row(f"fork with {IDLE:,} connections", "us", "run", measure_fork, first_count=1,
        variants=(PLAIN, GAITER), once=True, higher_is_better=False, bars={PLAIN: 2000},
        quick=False, note="median of 15"),
]
