"""`make bench`. BENCH=quick for a short run, BENCH_ONLY=words for the rows with one in their name.

python3 -m harness.bench [--verbose]: also prints every command.
"""

import argparse
import os
import sys
import time

from . import machine, report
from .bench import ROOT, Bench
from .page import write_page
from .runner import run_row
from .work import connections, databases, exact, many, overhead, redis, streams, web

ROWS = (streams.ROWS + redis.ROWS + web.ROWS + databases.ROWS + connections.ROWS + many.ROWS
        + overhead.ROWS + exact.ROWS)
OUTPUT = ROOT / "build/bench"


def main():
    parser = argparse.ArgumentParser(prog="harness.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true", help="print every command")
    arguments = parser.parse_args()
    quick = os.environ.get("BENCH") == "quick"
    rounds, seconds = (5, 0.3) if quick else (7, 0.4)
    rows = chosen(quick, os.environ.get("BENCH_ONLY", ""))
    if not rows:
        print("BENCH_ONLY: no such row; there are:", *(row.name for row in ROWS), sep="\n  ")
        return 2

    sys.stdout.reconfigure(line_buffering=True)
    begin = time.monotonic()
    bench = Bench(OUTPUT, arguments.verbose)
    about = machine.describe()
    report.print_heading(about, rounds, seconds)
    results = []
    for row in rows:
        outcomes = run_row(bench, row, rounds, seconds)
        report.print_row(row, outcomes)
        results.append((row, outcomes))
        report.write_json(OUTPUT / "results.json", about, rounds, seconds, results)
    print(f"\n{time.monotonic() - begin:.0f} s; samples and commands: "
          f"{(OUTPUT / 'results.json').relative_to(ROOT)}")
    plot = OUTPUT / "results.png"
    drawn = report.write_plot(plot, results)
    write_page(OUTPUT / "report.html", about, rounds, seconds, results, plot if drawn else None)
    print(f"with plots: {(OUTPUT / 'report.html').relative_to(ROOT)}")
    return 0


def chosen(quick, only):
    """`only` is a comma-separated list of pieces of names; it overrules `quick`."""
    if only:
        pieces = [piece.strip().lower() for piece in only.split(",")]
        return [row for row in ROWS if any(piece in row.name.lower() for piece in pieces)]
    return [row for row in ROWS if row.quick or not quick]


if __name__ == "__main__":
    sys.exit(main())
