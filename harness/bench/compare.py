"""`make bench-compare A=before.json B=after.json`: two runs of `make bench`, row by row.

Machines differ from hour to hour, so what is compared is what each run found out about itself:
Gaiter against the program's own TLS and against plain.
"""

import json
import sys

from .row import OWN_TLS, PLAIN


def main():
    if len(sys.argv) != 3:
        print("usage: python3 -m harness.bench.compare BEFORE.json AFTER.json", file=sys.stderr)
        return 2
    before, after = (load(path) for path in sys.argv[1:])
    print(f"{'Gaiter against':<56}{'before':>9}{'after':>9}{'change':>9}")
    for name in before:
        for against in (OWN_TLS, PLAIN):
            pair = [run.get(name, {}).get(against) for run in (before, after)]
            if None not in pair:
                print_line(f"{name}: {against}", *pair)
    return 0


def load(path):
    """{row: {variant: (Gaiter's figure against it, whether that is a ratio)}}"""
    with open(path) as file:
        rows = json.load(file)["rows"]
    return {row["name"]: {variant: (found["value"], row["higher_is_better"])
                          for variant, found in row["gaiter_against"].items()} for row in rows}


def print_line(name, before, after):
    (old, ratio), (new, _) = before, after
    if ratio:
        shown = f"x {old:.2f}", f"x {new:.2f}", f"{(new / old - 1) * 100:+.0f} %"
    else:
        shown = f"{old:+.1f}", f"{new:+.1f}", f"{new - old:+.1f}"
    print(f"{name:<56}" + "".join(f"{text:>9}" for text in shown))


if __name__ == "__main__":
    sys.exit(main())
