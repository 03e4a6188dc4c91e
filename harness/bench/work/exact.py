"""What does not depend on the machine's mood: instructions (callgrind) and system calls (strace).

The server runs under the tool, the client beside it as ever; the cost of one unit of work is the
difference between a long and a short run, so that starting up and handshaking cancel out.
"""

import shutil
from functools import partial

from ..process import found
from ..routes import Program, open_route
from ..row import GAITER, OWN_TLS, PLAIN, Failure, Row, Sample
from .streams import traffic

SHORT, LONG = 100, 1100  # ping-pongs
BULK_SHORT, BULK_LONG = 16, 416  # writes of 64 KiB


def under(bench, tool, words):
    """The program with its servers run by `tool`."""
    if shutil.which(tool) is None:
        raise Failure(f"{tool} is not installed")
    own = traffic(bench)

    def wrap(server):
        return lambda port: [tool, *words, *server(port)]
    return Program(wrap(own.server), own.client, wrap(own.tls_server), own.tls_client,
                   own.tls_environment)


def count_once(bench, variant, tool, words, read, kind, size, count):
    """What `read` finds in the tool's output after a run of `count`."""
    out = bench.scratch / f"{tool}.{variant.replace(' ', '-')}.{count}"
    program = under(bench, tool, [word.format(out=out) for word in words])
    with open_route(bench, variant, program, first=False) as route:
        route.run(kind, size, count)
    return read(out.read_text())


def instructions(text):
    return int(found(r"^(?:summary|totals): (\d+)", text)[0])


def system_calls(text):
    """Of `strace -c`: the total's column of calls."""
    return int(found(r"^\s*100\.00\s+\S+\s+\S+\s+(\d+).*total$", text)[0])


def measure(tool, words, read, kind, size, short, long, scale, bench, variant, count, first):
    values = [count_once(bench, variant, tool, words, read, kind, size, n) for n in (short, long)]
    value = (values[1] - values[0]) / (long - short) / scale
    return Sample(value=value, cpu_seconds=1, work=1, seconds=1)


CALLGRIND = ("valgrind", ("--tool=callgrind", "--callgrind-out-file={out}", "-q"), instructions)
# -I2: ends when told to, with what it counted.
STRACE = ("strace", ("-I2", "-c", "-f", "-o", "{out}"), system_calls)


def row(name, unit, tool, *what, **more):
    return Row(name, unit, "run", partial(measure, *tool, *what), first_count=1,
               higher_is_better=False, once=True, quick=False, note="exact; of the server", **more)


ROWS = [
    row("instructions, echo of 64 B", "instructions", CALLGRIND, "ping", 64, SHORT, LONG, 1,
        variants=(PLAIN, OWN_TLS, GAITER)),
    row("instructions, bulk", "instructions/KiB", CALLGRIND, "bulk", 1 << 16, BULK_SHORT, BULK_LONG,
        64, variants=(PLAIN, OWN_TLS, GAITER)),
    row("system calls, echo of 64 B", "calls", STRACE, "ping", 64, SHORT, LONG, 1,
        variants=(PLAIN, OWN_TLS, GAITER), bars={PLAIN: 0.01}),
]
