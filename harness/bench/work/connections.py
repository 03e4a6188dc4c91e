"""New connections per second, one after the other, a byte each way on each of them.

The server serves one at a time, so the two ends' work is measured, not their overlap.
"""

from functools import partial

from ..routes import open_route
from ..row import GAITER, OWN_TLS, STUNNEL, VARIANTS, Failure, Row, Sample
from .streams import traffic


def measure(sessions, foreign_client, bench, variant, count, first):
    with open_route(bench, variant, traffic(bench), first, foreign_client=foreign_client,
                    resume=sessions == "resumed") as route:
        output, cpu = route.run("connect", sessions, count)
        seconds, *told = output.split()
        if told:
            check_sessions(sessions, ["yes" if told[-1] == "resumed" else "no"])
        check_sessions(sessions, [connection.get("resumed") for connection in route.secured()])
        return Sample(value=count / float(seconds), cpu_seconds=cpu / count,
                      work=count, seconds=float(seconds), secured_by=route.secured_by())


def check_sessions(sessions, resumed):
    """Fails unless the connections were what the row says; some are made before it begins."""
    if sessions == "full" and "yes" in resumed:
        raise Failure(f"{resumed.count('yes')} of {len(resumed)} connections were resumed")
    if sessions == "resumed" and resumed and resumed.count("yes") < len(resumed) // 2:
        raise Failure(f"only {resumed.count('yes')} of {len(resumed)} connections were resumed")


def row(name, sessions, foreign_client=False, **more):
    return Row(name, "connections/s", "connection", partial(measure, sessions, foreign_client),
               first_count=100, **more)


ROWS = [
    row("new connections, full", "full", bars={OWN_TLS: 1.05, STUNNEL: 1.0}, variants=VARIANTS),
    row("new connections, resumed", "resumed", bars={OWN_TLS: 1.1, STUNNEL: 1.0},
        variants=VARIANTS),
    row("new connections, full, client OpenSSL", "full", foreign_client=True,
        variants=(OWN_TLS, GAITER), note="Gaiter: the server only"),
    row("new connections, resumed, client OpenSSL", "resumed", foreign_client=True, quick=False,
        variants=(OWN_TLS, GAITER), note="Gaiter: the server only"),
]
