"""What is measured (Row) and what came of it (Sample, Outcome)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

PLAIN, OWN_TLS, GAITER = ENDS = ("plain", "own TLS", "Gaiter")
TUNNELS = STUNNEL, NGINX, HAPROXY, HITCH = ("stunnel", "nginx stream", "HAProxy", "hitch")
VARIANTS = ENDS + TUNNELS


class Failure(Exception):
    """A measurement that could not be made; the table shows why."""


@dataclass
class Sample:
    """One run: `value` in the row's unit, CPU seconds of all processes for one unit of work."""

    value: float
    cpu_seconds: float
    work: int  # how much was done, counted as Row.first_count is
    seconds: float
    secured_by: str = ""  # protocol and suite, of the first run only
    latency: tuple[float, ...] = ()  # 50th, 99th, 99.9th percentile in microseconds


@dataclass(frozen=True)
class Row:
    """One kind of work. `measure(bench, variant, count, first)` gives a Sample of one run."""

    name: str
    unit: str
    cpu_per: str  # the unit of work that CPU time is given for
    measure: Callable
    first_count: int  # size of the first run, which is not counted: later runs are sized by it
    variants: tuple[str, ...] = ENDS + (STUNNEL,)
    higher_is_better: bool = True
    # Gaiter against a variant: the least ratio, or where less is better the greatest difference;
    # for Gaiter itself, its own figure.
    bars: dict[str, float] = field(default_factory=dict)
    note: str = ""
    quick: bool = True
    longer: float = 1  # times as long as other rows, so that what is done once weighs less
    once: bool = False  # no rounds: the figure is exact, or measured by turns itself


@dataclass
class Outcome:
    """All runs of one variant of a row."""

    samples: list[Sample] = field(default_factory=list)
    secured_by: str = ""
    error: str = ""
    commands: list[str] = field(default_factory=list)  # of the last run

    def values(self):
        return [sample.value for sample in self.samples]

    def median(self):
        return median(self.values())

    def cpu_seconds(self):
        return median(sample.cpu_seconds for sample in self.samples)

    def latency(self):
        return [median(times) for times in zip(*(sample.latency for sample in self.samples))]


def compare(row, gaiter, other):
    """Gaiter against another variant, round by round: (times as fast or difference, CPU ratio).

    Rounds are interleaved, so each pair had the same neighbours.
    """
    pairs = list(zip(gaiter.samples, other.samples))
    if row.higher_is_better:
        value = median(a.value / b.value for a, b in pairs)
    else:
        value = median(a.value - b.value for a, b in pairs)
    return value, median(a.cpu_seconds / b.cpu_seconds for a, b in pairs)


def meets(row, variant, value):
    """True or False against the row's bar for the variant, None if it has none."""
    if variant not in row.bars:
        return None
    return value >= row.bars[variant] if row.higher_is_better else value <= row.bars[variant]
