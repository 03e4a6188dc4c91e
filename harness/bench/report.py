"""The table, results.json and the plot."""

import json
import textwrap
from dataclasses import asdict

from .row import GAITER, OWN_TLS, VARIANTS, compare, meets

HEADER = f"{'':<14}{'median':>9}  {'least - most':<18}{'CPU':>9} | {'Gaiter':>8}{'its CPU':>9}"


def print_heading(machine, rounds, seconds):
    for name, value in machine.items():
        print(textwrap.fill(f"{name:>14}: {value}", 98, subsequent_indent=16 * " "))
    print(f"""
Medians of {rounds} interleaved rounds of about {seconds:g} s. CPU: user and system time of all
processes involved for one unit of work. Right of the bar, Gaiter against that line, round by
round: how many times as much it does (or how much longer it takes), and its CPU time over that
line's. TLS: what openssl s_client negotiates with the server's end, or Gaiter's log says.
""")
    print(HEADER)


def print_row(row, outcomes):
    """One line a variant: its medians, then how Gaiter compares with it."""
    note = f" ({row.note})" if row.note else ""
    print(f"\n{row.name}{note}: {row.unit}, CPU per {row.cpu_per}")
    for variant, outcome in outcomes.items():
        print(f"  {variant:<12}{line(row, variant, outcome, outcomes.get(GAITER))}", flush=True)
    print_latencies(outcomes)
    print_suites(outcomes)


def print_latencies(outcomes):
    """Median, 99th and 99.9th percentile of a round trip."""
    for variant, outcome in outcomes.items():
        if outcome.samples and outcome.samples[0].latency:
            shown = ", ".join(f"{time:.1f}" for time in outcome.latency())
            print(f"  latency {variant}: p50, p99, p99.9 = {shown} us")


def print_suites(outcomes):
    secured = {variant: outcome.secured_by for variant, outcome in outcomes.items()
               if outcome.secured_by}
    by_suite = {}
    for variant, text in secured.items():
        by_suite.setdefault(text, []).append(variant)
    for text, variants in by_suite.items():
        print(f"  TLS: {text} ({', '.join(variants)})")


def line(row, variant, outcome, gaiter):
    if outcome.error:
        return f"FAILED: {outcome.error}"
    values = outcome.values()
    spread = f"{number(min(values))} - {number(max(values))}"
    text = f"{number(outcome.median()):>9}  {spread:<18}{duration(outcome.cpu_seconds()):>9}"
    if variant == GAITER and variant in row.bars:  # the bar is for the figure itself
        return f"{text} | {'':>17}  {verdict(row, variant, outcome.median())}"
    if variant == GAITER or gaiter is None or gaiter.error:
        return text
    value, cpu = compare(row, gaiter, outcome)
    shown = f"x {value:.2f}" if row.higher_is_better else f"{value:+.1f}"
    return f"{text} | {shown:>8}{f'x {cpu:.2f}':>9}  {verdict(row, variant, value)}".rstrip()


def verdict(row, variant, value):
    met = meets(row, variant, value)
    if met is None:
        return ""
    sign = ">=" if row.higher_is_better else "<="
    return f"bar {sign} {row.bars[variant]:g}: {'met' if met else 'MISSED'}"


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def duration(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def write_json(path, machine, rounds, seconds, results):
    """Everything measured, and the commands to repeat it. `results` is [(row, outcomes)]."""
    rows = []
    for row, outcomes in results:
        variants = {}
        for variant, outcome in outcomes.items():
            variants[variant] = asdict(outcome)
            if outcome.samples:
                variants[variant]["median"] = outcome.median()
                variants[variant]["median_cpu_seconds"] = outcome.cpu_seconds()
        rows.append({"name": row.name, "unit": row.unit, "cpu_per": row.cpu_per,
                     "higher_is_better": row.higher_is_better, "bars": row.bars,
                     "variants": variants, "gaiter_against": comparisons(row, outcomes)})
    document = {"machine": machine, "rounds": rounds, "seconds": seconds, "rows": rows}
    path.write_text(json.dumps(document, indent=1) + "\n")


def comparisons(row, outcomes):
    gaiter = outcomes.get(GAITER)
    if gaiter is None or gaiter.error:
        return {}
    found = {}
    for variant, outcome in outcomes.items():
        if variant != GAITER and not outcome.error:
            value, cpu = compare(row, gaiter, outcome)
            found[variant] = {"value": value, "cpu": cpu, "met": meets(row, variant, value)}
    return found


def write_plot(path, results):
    """Every throughput against the program's own TLS, as bars; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = [(row, outcomes) for row, outcomes in results
             if row.higher_is_better and OWN_TLS in outcomes and not outcomes[OWN_TLS].error]
    if not drawn:
        return False
    palette = "#999999", "#4477aa", "#228833", "#cc6677", "#ddaa33", "#aa3377", "#66ccee"
    colours = dict(zip(VARIANTS, palette))
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.8 * len(drawn)))
    for place, (row, outcomes) in enumerate(drawn):
        shown = [(v, o) for v, o in outcomes.items() if not o.error]
        height = 0.8 / len(shown)
        for step, (variant, outcome) in enumerate(shown):
            ratio = outcome.median() / outcomes[OWN_TLS].median()
            middle = place - 0.4 + (step + 0.5) * height
            axes.barh(middle, ratio, height, color=colours[variant])
            axes.text(ratio, middle, f" {number(outcome.median())}", va="center", fontsize=7)
    axes.set_yticks(range(len(drawn)), [f"{row.name}\n{row.unit}" for row, _ in drawn], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.5)
    axes.set_xlabel("times the program's own TLS")
    axes.legend([pyplot.Rectangle((0, 0), 1, 1, color=colours[v]) for v in VARIANTS], VARIANTS,
                fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    return True
