"""Interleaved rounds: every variant once a round, so that they share the machine's moods."""

from .row import Failure, Outcome


def run_row(bench, row, rounds, seconds):
    """Measures a row: {variant: Outcome}. A variant that fails keeps its error, and stops."""
    seconds *= row.longer
    outcomes = {variant: Outcome() for variant in row.variants}
    counts = {}
    for variant in row.variants:
        sample = attempt(bench, row, variant, row.first_count, outcomes[variant], first=True)
        if sample:
            outcomes[variant].secured_by = sample.secured_by
            counts[variant] = max(1, round(sample.work * seconds / max(sample.seconds, 1e-3)))
            if row.once:
                outcomes[variant].samples.append(sample)
    for number in range(0 if row.once else rounds):
        turn = number % len(row.variants)  # each variant goes first in its turn
        for variant in row.variants[turn:] + row.variants[:turn]:
            if outcomes[variant].error:
                continue
            sample = attempt(bench, row, variant, counts[variant], outcomes[variant], first=False)
            if sample:
                outcomes[variant].samples.append(sample)
    return outcomes


def attempt(bench, row, variant, count, outcome, first):
    bench.commands = []
    try:
        return row.measure(bench, variant, count, first)
    except (Failure, OSError, ValueError) as error:
        outcome.error = f"{error}" or type(error).__name__
        return None
    finally:
        outcome.commands = bench.commands
