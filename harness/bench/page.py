"""report.html: the table and the plot on one page, with the commands to repeat each figure."""

import base64
from html import escape

from .report import duration, number, verdict
from .row import GAITER, compare

STYLE = """body { font: 15px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse } td, th { padding: .1em .8em; text-align: right }
td:first-child, th:first-child { text-align: left } tr.row td { padding-top: 1em; font-weight: bold;
text-align: left } .missed { color: #b00 } pre { overflow-x: auto; background: #f4f4f4;
padding: .6em; font-size: 12px } img { max-width: 100% }"""


def write_page(path, machine, rounds, seconds, results, plot):
    """`results` is [(row, outcomes)]; `plot` the PNG's path, or None."""
    about = "".join(f"<tr><td>{escape(name)}</td><td style='text-align:left'>{escape(value)}</td>"
                    "</tr>" for name, value in machine.items())
    picture = ""
    if plot:
        data = base64.b64encode(plot.read_bytes()).decode()
        picture = f'<img alt="throughput against own TLS" src="data:image/png;base64,{data}">'
    rows = "".join(part for row, outcomes in results for part in table_rows(row, outcomes))
    path.write_text(f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Gaiter: benchmarks</title><style>{STYLE}</style>
<h1>Gaiter: benchmarks</h1>
<table>{about}</table>
<p>Medians of {rounds} interleaved rounds of about {seconds:g} s. CPU: user and system time of all
processes involved for one unit of work. The last columns: Gaiter against that line.</p>
{picture}
<table><tr><th></th><th>median</th><th>least</th><th>most</th><th>CPU</th><th>Gaiter</th>
<th>its CPU</th><th>bar</th></tr>{rows}</table>
<h2>Commands</h2>
{"".join(commands(row, outcomes) for row, outcomes in results)}
</html>
""")


def table_rows(row, outcomes):
    note = f" ({row.note})" if row.note else ""
    yield (f"<tr class='row'><td colspan='8'>{escape(row.name + note)}: {escape(row.unit)}, "
           f"CPU per {escape(row.cpu_per)}</td></tr>")
    for variant, outcome in outcomes.items():
        if outcome.error:
            yield (f"<tr><td>{escape(variant)}</td><td colspan='7' class='missed'>"
                   f"{escape(outcome.error)}</td></tr>")
            continue
        values = outcome.values()
        cells = [number(outcome.median()), number(min(values)), number(max(values)),
                 duration(outcome.cpu_seconds()), *against(row, variant, outcome, outcomes)]
        yield (f"<tr><td>{escape(variant)}</td>"
               + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")


def against(row, variant, outcome, outcomes):
    gaiter = outcomes.get(GAITER)
    if variant == GAITER or gaiter is None or gaiter.error:
        return "", "", ""
    value, cpu = compare(row, gaiter, outcome)
    shown = f"x {value:.2f}" if row.higher_is_better else f"{value:+.1f}"
    return shown, f"x {cpu:.2f}", verdict(row, variant, value)


def commands(row, outcomes):
    text = "\n".join(f"# {variant}\n" + "\n".join(outcome.commands)
                     for variant, outcome in outcomes.items() if outcome.commands)
    return f"<h3>{escape(row.name)}</h3><pre>{escape(text)}</pre>"
