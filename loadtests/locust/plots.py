"""Line plots as SVG, without a library and without a script. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 860, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 34
COLOURS = ("#2563eb", "#d97706", "#dc2626", "#059669", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f", "#6b7280", "#b45309")
MOST_POINTS = 400


def plot(series: Mapping[str, Points], unit: str) -> str:
    """Return a figure with a line for each series and a legend; x is seconds since the start."""
    shown = {name: thinned(points) for name, points in series.items() if points}
    if not shown:
        return '<p class="none">nothing was measured</p>'
    longest = max(at for points in shown.values() for at, _ in points) or 1.0
    ticks = ticks_to(max(value for points in shown.values() for _, value in points))
    highest = ticks[-1]

    def x(at: float) -> float:
        return LEFT + at / longest * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / highest * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(unit)} over time">']
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>')
    for tick in ticks_to(longest):
        if tick <= longest:
            parts.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{number(tick)} s</text>')
    for colour, (_, points) in zip(_colours(len(shown)), shown.items(), strict=True):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>')
    parts.append("</svg>")
    labels = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for colour, name in zip(_colours(len(shown)), shown, strict=True)
    )
    return f"<figure><figcaption>{escape(unit)}</figcaption>{''.join(parts)}<p class='legend'>{labels}</p></figure>"


def thinned(points: Points) -> list[tuple[float, float]]:
    """Return at most ``MOST_POINTS`` points; of neighbours the highest is kept, so that no peak is lost."""
    step = -(-len(points) // MOST_POINTS)
    return [max(points[n : n + step], key=lambda point: point[1]) for n in range(0, len(points), step)]


def ticks_to(highest: float) -> list[float]:
    """Return four to eight round numbers from 0 to at least ``highest``."""
    if highest <= 0:
        return [0.0, 1.0]
    unit = 10.0 ** floor(log10(highest))
    step = next(unit * share for share in (0.2, 0.5, 1.0, 2.0) if highest / (unit * share) <= 6)
    return [n * step for n in range(int(-(-highest // step)) + 1)]


def number(value: float) -> str:
    """Return a number for an axis."""
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _colours(count: int) -> list[str]:
    return [COLOURS[n % len(COLOURS)] for n in range(count)]
