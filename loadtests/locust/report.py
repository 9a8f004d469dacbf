"""The report of a run: Markdown, and one HTML file with plots that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import median

from loadtests.generator import percentile
from loadtests.locust.plots import plot
from loadtests.locust.recorder import PERCENTILES, SEND, Line
from loadtests.locust.results import Guide, Points, Results

FOLDER = Path(".chat4all/load")
MEMORY_PARTS = 6
Rows = Sequence[Sequence[str]]


def write(results: Results, out: str = "") -> tuple[Path, Path]:
    """Write both files and return them. ``out``: their path without an ending; empty: a name by date and shape."""
    stamp = results.date.removesuffix(" UTC").replace(":", "").replace(" ", "-")
    base = Path(out) if out else FOLDER / f"{stamp}-{results.shape}"
    base.parent.mkdir(parents=True, exist_ok=True)
    markdown_file, page_file = base.with_name(f"{base.name}.md"), base.with_name(f"{base.name}.html")
    markdown_file.write_text(markdown(results), encoding="utf-8")
    page_file.write_text(page(results), encoding="utf-8")
    return markdown_file, page_file


def facts(results: Results) -> Rows:
    """Return the commands to run it again."""
    return [
        ("command", f"`{results.command}`"),
        ("shape", f"{results.shape}: {results.about}"),
        ("date", results.date),
        ("commit", f"`{results.commit}`"),
        ("machine", results.machine),
        ("load average at the end", results.load_at_the_end),
        ("settings", results.settings),
    ]


def sections(results: Results) -> list[tuple[str, Sequence[str], Rows]]:
    """Return the tables: title, head, rows."""
    measured = [line for line in results.lines if line.stage in results.measured_stages]
    found: list[tuple[str, Sequence[str], Rows]] = [
        ("Messages, by stage", _head("stage"), [_cells(line, line.stage) for line in measured if line.kind == SEND]),
        (
            "Everything else, by stage",
            _head("stage", "request"),
            [_cells(line, line.stage, line.kind) for line in measured if line.kind != SEND],
        ),
        ("From acceptance to the last state, ms", ("messages", "p50", "p95", "p99", "most"), [_to_end(results)]),
    ]
    if results.shape == "baseline":
        found.insert(0, ("Beside the claim of the user's document", ("", "claimed", "here"), beside(results)))
    if results.memory_mib:
        parts = [f"median of part {number} of {MEMORY_PARTS}" for number in range(1, MEMORY_PARTS + 1)]
        found.append(("Memory, MiB", ("process", "at first", *parts, "at last", "most"), _memory(results)))
    if results.errors:
        rows = [(kind, str(count)) for kind, count in results.errors.items()]
        found.append(("Errors", ("what", "times"), rows))
    return found


def beside(results: Results) -> Rows:
    """Return the claim and the measurement, line by line."""
    guide, lines = Guide(), results.sends()
    errors, count = sum(line.errors for line in lines), sum(line.count for line in lines)
    per_minute = sum(line.per_second * line.count for line in lines) / max(1, count) * 60
    p95 = max((line.percentiles_ms[PERCENTILES.index(95.0)] for line in lines), default=float("nan"))
    return [
        ("users", f"{guide.users}", f"{results.users}"),
        ("messages a minute", f"{guide.per_minute:g}", f"{per_minute:.0f}"),
        ("errors", f"{guide.errors}", f"{errors}"),
        ("p95 of `POST /v1/messages`, ms", f"{guide.p95_ms:g}", f"{p95:.2f}"),
        ("ledger", "not told", "balanced" if results.balance.is_balanced else "VOID"),
    ]


def plots(results: Results) -> list[tuple[str, str]]:
    """Return title and figure of each plot."""
    percentiles: dict[str, Points] = {"p50": results.p50_ms, "p95": results.p95_ms, "p99": results.p99_ms}
    queue: dict[str, Points] = {"deliveries in hand": results.in_flight, "deliveries waiting": results.waiting}
    return [
        ("Throughput", plot({"messages answered": results.throughput}, "messages a second")),
        ("Latency from the scheduled time", plot(percentiles, "ms")),
        ("Lag", plot({"records not yet committed": results.lag}, "records")),
        ("Queue", plot(queue, "deliveries")),
        ("Delay of the mirror", plot({"age of the newest mirrored record": results.mirror_delay}, "seconds")),
        ("Memory", plot(results.memory_mib, "MiB resident")),
    ]


def markdown(results: Results) -> str:
    """Return the report as Markdown."""
    verdict = "balanced" if results.balance.is_balanced else "**VOID**"
    parts = [f"# Load test: {results.shape}", f"Ledger: {verdict}.", _table(("", ""), facts(results))]
    if results.limit_broken:
        parts.append(f"A limit was broken at {results.limit_broken}.")
    for title, head, rows in sections(results):
        parts += [f"## {title}", _table(head, rows) if rows else "None."]
    parts += ["## Ledger", f"```\n{results.balance}\n```"]
    if results.repeated:
        parts.append(f"{results.repeated} requests were asked again with the same idempotency key.")
    parts.append(
        "Latencies count from the time at which a request was due, so a late answer delays what follows on record "
        "(no coordinated omission). Percentiles are from HDR histograms with three digits."
    )
    return "\n\n".join(parts) + "\n"


def page(results: Results) -> str:
    """Return the report as one HTML file."""
    verdict = "balanced" if results.balance.is_balanced else "VOID"
    body = [f"<h1>Load test: {escape(results.shape)}</h1>", f'<p class="{verdict}">Ledger: {verdict}</p>']
    body.append(f'<div class="facts">{_html_table(("", ""), facts(results))}</div>')
    if results.limit_broken:
        body.append(f"<p>A limit was broken at {escape(results.limit_broken)}.</p>")
    for title, head, rows in sections(results):
        body += [f"<h2>{escape(title)}</h2>", _html_table(head, rows) if rows else "<p>None.</p>"]
    body += [f"<h2>{escape(title)}</h2>{figure}" for title, figure in plots(results)]
    body.append(f"<h2>Ledger</h2><pre>{escape(str(results.balance))}</pre>")
    title = f"Load test: {escape(results.shape)}, {escape(results.date)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>{_STYLE}{"".join(body)}</html>\n'
    )


def _head(*first: str) -> Sequence[str]:
    return (*first, "requests", "a second", "errors", "mean ms", *(f"p{p:g} ms" for p in PERCENTILES), "most ms")


def _cells(line: Line, *first: str) -> Sequence[str]:
    times = (f"{ms:.1f}" for ms in (line.mean_ms, *line.percentiles_ms, line.most_ms))
    return (*first, f"{line.count:,}", f"{line.per_second:.1f}", str(line.errors), *times)


def _to_end(results: Results) -> Sequence[str]:
    found = results.to_end_ms
    times = [percentile(found, share) for share in (0.5, 0.95, 0.99, 1.0)]
    return (f"{len(found):,}", *(f"{ms:,.0f}" for ms in times))


def _memory(results: Results) -> Rows:
    found = []
    for name, points in sorted(results.memory_mib.items()):
        values = [value for _, value in points]
        shown = (values[0], *medians(values, MEMORY_PARTS), values[-1], max(values))
        found.append((name, *(f"{value:.0f}" for value in shown)))
    return found


def medians(values: Sequence[float], parts: int) -> list[float]:
    """Return the median of each of so many parts of equal length; of few values some parts share one."""
    bounds = [round(n * len(values) / parts) for n in range(parts + 1)]
    last_one = len(values) - 1
    return [median(values[first:last] or [values[min(first, last_one)]]) for first, last in pairwise(bounds)]


def _table(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _html_table(head: Sequence[str], rows: Rows) -> str:
    def cells(kind: str, row: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{kind}>{escape(cell.strip('`'))}</{kind}>" for cell in row) + "</tr>"

    top = cells("th", head) if any(head) else ""
    return f"<table>{top}{''.join(cells('td', row) for row in rows)}</table>"


_STYLE = """<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem;color:#1f2937;background:#fff}
table{border-collapse:collapse;font-size:13px;margin:.5rem 0}
td,th{border:1px solid #e5e7eb;padding:3px 8px;text-align:right}
td:first-child,th:first-child,.facts td{text-align:left}
figure{margin:0}figcaption{font-size:12px;color:#6b7280}svg{width:100%;height:auto}
svg text{font-size:11px;fill:#6b7280}.grid{stroke:#e5e7eb}
.legend span{margin-right:1rem;font-size:12px}.legend i{display:inline-block;width:10px;height:10px;margin-right:4px}
.balanced{color:#059669;font-weight:600}.VOID{color:#dc2626;font-weight:700}.none{color:#9ca3af}
pre{white-space:pre-wrap;font-size:12px}
</style>"""
