"""Draw a figure with matplotlib's objects; ``pyplot`` and its global state are not touched.

Figure -> matplotlib Figure
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from penstock.adapters.axes import (
    INK,
    LINE,
    MUTED,
    RULE,
    WIDTH,
    legend,
    legend_columns,
    mark,
    name_axes,
    scales,
    shorten,
    tick,
)
from penstock.evidence import Figure, Series

MAX_CATEGORIES = 40
"""Most categories of one chart (house choice: what fits on one page of paper)."""


# Okabe and Ito's hues, darkened until each reaches 3:1 against white (WCAG 2.2, 1.4.11).
PALETTE = (
    "#0b6cb0", "#c8610a", "#0d8266", "#9c3f88", "#8a6d00", "#5a4fbf", "#b23a3a", "#46708a",
)  # fmt: skip


STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "penstock",
    "text.parse_math": False,  # a dollar in a column name is a dollar
    "font.size": 11.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": RULE,
}


def draw(figure: Figure) -> Drawing:
    """Draw a figure without its title and note, on a transparent ground.

    Parameters
    ----------
    figure : Figure
        Any mixture of styles. A text on the horizontal axis of any series makes that axis
        categorical; bars whose names would not fit side by side run to the right. ``x``
        labels the axis below and ``y`` the upright one, horizontal bars or not. A step is
        centred on its ``x``, as the middle of a histogram's bin.

    Returns
    -------
    matplotlib Figure
        :data:`WIDTH` points wide, as high as its content asks. :data:`STYLE` has to be in
        force here and while it is written out.
    """
    figure = _with_a_place(figure)
    every = _categories(figure)
    categories = every[:MAX_CATEGORIES]
    sideways = figure.horizontal or _needs_room(figure, categories)
    placed = _place(figure, categories, sideways)
    height = _height(figure, categories, sideways)
    drawing = Drawing(figsize=(WIDTH / 72, height / 72), layout="constrained", facecolor="none")
    axes = drawing.subplots()
    axes.set_facecolor("none")
    for style, series in placed:
        _DRAW[style](axes, series)
    scales(axes, figure, categories, sideways)
    name_axes(axes, figure, sideways)
    _write_values(axes, placed)
    mark(axes, figure)
    if len(every) > len(categories):
        told = f"The first {len(categories)} of {len(every)} are shown."
        axes.set_xlabel(f"{axes.get_xlabel()}\n{told}".strip(), fontsize=10.5)
    legend(drawing, axes)
    if not any(np.isfinite(series.value).any() for _, series in placed):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center")
    return drawing


@dataclass(frozen=True)
class _Placed:
    """A series on its axes: ``float64[n]`` positions and values, NaN where there is none."""

    at: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    label: str
    sideways: bool
    width: float

    def turned(self, at: Any, value: Any) -> tuple[Any, Any]:
        """(x, y) on the page."""
        return (value, at) if self.sideways else (at, value)


def _with_a_place(figure: Figure) -> Figure:
    """The figure without what no axis can hold: an ``x`` or a mark that is not finite."""
    series = []
    for one in figure.series:
        kept = [n for n, x in enumerate(one.x) if isinstance(x, str) or math.isfinite(x)]
        lists: dict[str, list[Any]] = {"x": one.x, "y": one.y, "low": one.low, "high": one.high}
        update = {key: [values[n] for n in kept] for key, values in lists.items() if values}
        series.append(one.model_copy(update=update))
    marks = [mark for mark in figure.marks if math.isfinite(mark[0])]
    return figure.model_copy(update={"series": series, "marks": marks})


def _categories(figure: Figure) -> list[str]:
    """Category names in order of appearance; empty when every x is a number."""
    values = [x for series in figure.series for x in series.x]
    if not any(isinstance(x, str) for x in values):
        return []
    return list(dict.fromkeys(map(_category, values)))


def _category(x: float | str) -> str:
    return x if isinstance(x, str) else tick(x)


def _needs_room(figure: Figure, categories: list[str]) -> bool:
    """Whether the names of upright bars would not fit side by side."""
    drawn = {series.style for series in figure.series}
    longest = max((len(name) for name in categories), default=0)
    return drawn <= {"bars", "points"} and longest * 6.5 * len(categories) > WIDTH - 60


def _height(figure: Figure, categories: list[str], sideways: bool) -> float:
    rows = math.ceil(len(figure.series) / legend_columns([s.name for s in figure.series]))
    above = 15 * rows if len(figure.series) > 1 else 0
    if not (sideways and categories):
        return 225 + above
    bars = max(1, sum(series.style in ("bars", "points") for series in figure.series))
    lines = 2 if max(map(len, categories)) > LINE else 1
    return 55 + above + len(categories) * max(10 + 12 * min(bars, 6), 4 + 13 * lines)


def _place(figure: Figure, categories: list[str], sideways: bool) -> list[tuple[str, _Placed]]:
    """Turn names into positions, and stand bars of one category side by side."""
    index = {name: float(n) for n, name in enumerate(categories)}
    num_dashed = sum(series.style == "dashed" for series in figure.series)
    colours = _colours(figure.series, num_dashed)
    placed: list[tuple[str, _Placed]] = []
    for series, colour in zip(figure.series, colours, strict=True):
        if categories:
            shown = [n for n, x in enumerate(series.x) if _category(x) in index]
            at = np.array([index[_category(series.x[n])] for n in shown], dtype=float)
        else:
            shown = list(range(len(series.x)))
            at = np.array(series.x, dtype=float)
        shift, width = _beside(figure, series, bool(categories))
        values = (series.y, series.low, series.high)
        y, low, high = (_floats(v, len(series.x))[shown] for v in values)
        label = shorten(series.name, 44)
        placed.append(
            (series.style, _Placed(at + shift, y, low, high, colour, label, sideways, width))
        )
    return placed


def _colours(series: list[Series], num_dashed: int) -> list[str]:
    """The palette in turn; a single dashed line is a reference and stays grey."""
    colours, turn = [], 0
    for one in series:
        if one.style == "dashed" and num_dashed == 1 and len(series) > 1:
            colours.append(MUTED)
        else:
            colours.append(PALETTE[turn % len(PALETTE)])
            turn += 1
    return colours


def _beside(figure: Figure, series: Series, categorical: bool) -> tuple[float, float]:
    """Shift and width of one series among its like at the same positions."""
    if series.style not in ("bars", "points") or (series.style == "points" and not categorical):
        return 0.0, 1.0
    like = [other for other in figure.series if other.style == series.style]
    step = 1.0
    if not categorical:
        positions = np.unique(np.array([x for other in like for x in other.x], dtype=float))
        step = float(np.diff(positions).min()) if len(positions) > 1 else 1.0
    width = step * (0.72 if categorical else 0.9) / len(like)
    rank = next(n for n, other in enumerate(like) if other is series)
    return (rank - (len(like) - 1) / 2) * width, width


def _floats(values: list[Any], length: int) -> np.ndarray:
    if not values:
        return np.full(length, np.nan)
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _line(axes: Axes, series: _Placed, linestyle: str = "-", drawstyle: str = "default") -> None:
    band = axes.fill_betweenx if series.sideways else axes.fill_between
    step: Any = "mid" if drawstyle == "steps-mid" else None
    if np.isfinite(series.low).any():
        band(series.at, series.low, series.high, step=step, color=series.colour, alpha=0.18, lw=0)
    how: Any = {"color": series.colour, "ls": linestyle, "ds": drawstyle, "lw": 1.8}
    axes.plot(*series.turned(series.at, series.value), label=series.label, **how)
    alone = _alone(series.value)
    if alone.any():  # a line through one point shows nothing
        at, value = series.at[alone], series.value[alone]
        axes.plot(*series.turned(at, value), "o", ms=5, color=series.colour)


def _alone(value: np.ndarray) -> np.ndarray:
    """Which finite values have no finite neighbour."""
    finite = np.concatenate([[False], np.isfinite(value), [False]])
    return finite[1:-1] & ~finite[:-2] & ~finite[2:]


def _dashed(axes: Axes, series: _Placed) -> None:
    _line(axes, series, linestyle="--")


def _step(axes: Axes, series: _Placed) -> None:
    _line(axes, series, drawstyle="steps-mid")


def _points(axes: Axes, series: _Placed) -> None:
    _whiskers(axes, series, series.colour)
    size = 6 if len(series.at) <= 50 else 3.5
    how: Any = {"color": series.colour, "ms": size, "alpha": 0.9 if len(series.at) <= 50 else 0.6}
    axes.plot(*series.turned(series.at, series.value), "o", label=series.label, mew=0, **how)


def _bars(axes: Axes, series: _Placed) -> None:
    draw = axes.barh if series.sideways else axes.bar
    value = np.nan_to_num(series.value)
    draw(series.at, value, series.width * 0.92, color=series.colour, alpha=0.85, label=series.label)
    _whiskers(axes, series, INK)


def _whiskers(axes: Axes, series: _Placed, colour: str) -> None:
    draw = axes.hlines if series.sideways else axes.vlines
    known = np.isfinite(series.low) & np.isfinite(series.high)
    if known.any():
        draw(series.at[known], series.low[known], series.high[known], color=colour, lw=1.6)


_DRAW = {"line": _line, "dashed": _dashed, "step": _step, "points": _points, "bars": _bars}


def _write_values(axes: Axes, placed: list[tuple[str, _Placed]]) -> None:
    """Write the number at the end of each bar, where there are few."""
    bars = [series for style, series in placed if style == "bars"]
    if len(bars) != 1 or len(placed) != 1 or len(bars[0].at) > 12:
        return
    series = bars[0]
    texts = [tick(float(f"{value:.4g}")) for value in series.value]
    if not series.sideways and sum(len(text) * 6.5 + 4 for text in texts) > WIDTH - 60:
        return
    room: Any = {"x" if series.sideways else "y": _room(axes, series, texts)}
    axes.margins(**room)
    up_to, down_to = np.fmax(series.value, series.high), np.fmin(series.value, series.low)
    for n in np.flatnonzero(np.isfinite(series.value)):
        up = series.value[n] >= 0
        end = up_to[n] if up else down_to[n]
        offset = 4 if up else -4
        side: dict[str, Any] = {"ha": "left" if up else "right", "va": "center"}
        if not series.sideways:
            side = {"ha": "center", "va": "bottom" if up else "top"}
        axes.annotate(
            texts[n], series.turned(series.at[n], end), fontsize=10,
            xytext=series.turned(0, offset), textcoords="offset points", **side,
        )  # fmt: skip


def _room(axes: Axes, series: _Placed, texts: list[str]) -> float:
    """How much of the data's span is left free at either end, so that the texts fit there."""
    if not series.sideways:
        return 0.14
    names = max((len(label.get_text()) for label in axes.get_yticklabels()), default=0)
    wide = max(80.0, WIDTH - 30 - 6.0 * min(names, LINE))
    text = min(0.4 * wide, 6.0 * max(map(len, texts), default=0) + 8)
    return max(0.14, text / (wide - 2 * text))
