"""What the preload costs programs that have no connection to protect."""

import time

from ..process import run
from ..row import GAITER, PLAIN, Row, Sample

SCRIPT = 100  # commands


def preload(bench, variant):
    return bench.gaiter_environment(bench.free_port()) if variant == GAITER else {}


def measure_exec(bench, variant, count, first):
    environment = preload(bench, variant)
    assignments = [f"{name}={value}" for name, value in environment.items()]
    output, cpu = run(bench, [bench.binary("spawn"), str(count), *assignments, "/bin/true"])
    _, median = map(float, output.split())
    return Sample(value=median, cpu_seconds=cpu / count, work=count, seconds=count * median / 1e6)


def measure_script(bench, variant, count, first):
    environment = preload(bench, variant)
    begin = time.monotonic()
    _, cpu = run(bench, ["sh", "-c", "; ".join(["/bin/true"] * count)], environment)
    seconds = time.monotonic() - begin
    return Sample(value=seconds * 1e3 * SCRIPT / count, cpu_seconds=cpu, work=count,
                  seconds=seconds)


def measure_foreign_read(bench, variant, count, first):
    output, cpu = run(bench, [bench.binary("foreign_reads"), str(count)], preload(bench, variant))
    least, median = map(float, output.split())
    return Sample(value=least, cpu_seconds=cpu / count, work=count, seconds=count * median / 1e9)


ROWS = [
    Row("exec of /bin/true", "us", "exec", measure_exec, first_count=200,
        variants=(PLAIN, GAITER), higher_is_better=False, bars={PLAIN: 500}),
    Row(f"shell script of {SCRIPT} commands", "ms", "script", measure_script, first_count=SCRIPT,
        variants=(PLAIN, GAITER), higher_is_better=False, quick=False),
    Row("read(2) of /dev/zero", "ns", "call", measure_foreign_read, first_count=500_000,
        variants=(PLAIN, GAITER), higher_is_better=False, bars={PLAIN: 2}),
]
