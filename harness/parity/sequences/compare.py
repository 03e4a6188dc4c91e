"""Plays sequences on plain TCP and under Gaiter, finds where they differ, and shrinks that.

python3 -m harness.parity.sequences.compare [--seed N] [--count N]: as many as wanted, by hand.
"""

import argparse
import glob
import os
import random
import subprocess
import sys
import tempfile

from harness.lib.gaiter import Side
from harness.lib.pki import Pki
from harness.lib.ports import Ports
from harness.lib.processes import BASE_ENVIRONMENT

from .generate import as_script, sequences

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = os.path.join(HERE, "kept")
BATCH = 200  # sequences a run


def build(directory):
    program = os.path.join(directory, "sequences")
    subprocess.run(
        ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o",
         program, *glob.glob(os.path.join(HERE, "*.c")), "-lpthread"], check=True)
    return program


class Players:
    """The program with a port on plain TCP, and with a port and a policy under Gaiter."""

    def __init__(self, program, place, ports, pki):
        self.program, self.ports = program, ports
        self.plain_port, port = ports.free(), ports.free()
        self.side = Side(place, "both", {"server": pki.server}, {"ca": pki.ca})
        self.side.inbound(port)
        self.side.outbound(port, verify="chain")
        self.sealed_port = port
        self.patience = "20"  # seconds an operation may take

    def plain(self, named):
        return self._play(named, self.plain_port, {})

    def sealed(self, named):
        return self._play(named, self.sealed_port, self.side.environment("warning"))

    def _play(self, named, port, environment):
        """{name: lines printed}; a sequence that was not reached has none."""
        done = subprocess.run([self.program, str(port)], input=as_script(named), text=True,
                              capture_output=True, timeout=300, check=False,
                              env={**BASE_ENVIRONMENT, "PATIENCE": self.patience,
                                   **environment})
        played, current = {}, []
        for line in done.stdout.splitlines():
            if line.startswith("sequence "):
                current = played.setdefault(line[9:], [])
            else:
                current.append(line)
        return played

    def differ(self, lines):
        """How the two play one sequence, if not alike; twice, since machines stumble."""
        for _ in range(2):
            plain, sealed = self.plain([("0", lines)]), self.sealed([("0", lines)])
            if plain == sealed:
                return None
        return plain.get("0"), sealed.get("0")

    def differences(self, named):
        """[(name, lines)] of those that differ, again and again."""
        plain, sealed = self.plain(named), self.sealed(named)
        return [(name, lines) for name, lines in named
                if plain.get(name) != sealed.get(name) and self.differ(lines)]

    def shrink(self, lines):
        """The same difference with as few lines as leaving one out at a time finds."""
        self.patience = "2"  # many an operation loses what ends it
        at = 0
        while at < len(lines):
            fewer = lines[:at] + lines[at + 1:]
            if fewer and self.differ(fewer):
                lines = fewer
            else:
                at += 1
        self.patience = "20"
        return lines


def describe(name, lines, results):
    plain, sealed = results
    shown = [f"sequence {name}: {len(lines)} lines"]
    for number in range(max(len(plain or ()), len(sealed or ()))):
        pair = [(one[number] if one and number < len(one) else "-") for one in (plain, sealed)]
        mark = "  " if pair[0] == pair[1] else "! "
        shown.append(f"{mark}{pair[0]}" + ("" if pair[0] == pair[1] else f"   Gaiter: {pair[1]}"))
    return "\n".join(shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--keep", action="store_true", help="write what differs into kept/")
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}, {wanted.count} sequences", flush=True)
    found = 0
    with tempfile.TemporaryDirectory() as place:
        players = Players(build(place), place, Ports(), Pki())
        for seed in range(wanted.seed, wanted.seed + wanted.count, BATCH):
            for name, lines in players.differences(sequences(seed, BATCH)):
                found += 1
                lines = players.shrink(lines)
                print(describe(name, lines, players.differ(lines) or (None, None)), flush=True)
                if wanted.keep:
                    with open(os.path.join(KEPT, f"{name}.txt"), "w", encoding="ascii") as kept:
                        kept.writelines(line + "\n" for line in lines)
    print(f"{found} of {wanted.count} differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
