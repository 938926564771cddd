"""The axes of a chart: ticks, names, marks and legend, with texts that fit.

Figure, matplotlib Axes -> matplotlib Axes
"""

from __future__ import annotations

import math
import re
import textwrap
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from penstock.evidence import Figure

WIDTH = 360
"""Width of a chart in its own units: as a telephone's, so that its text keeps its size there."""

LOG_RATIO = 100
"""An axis becomes logarithmic when its values span this factor and crowd at the low end."""

LINE = 24
"""Characters of one line of a category's name beside its bar."""

INK, MUTED, RULE = "#1b2733", "#5b6773", "#d9dee4"

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")


def scales(axes: Axes, figure: Figure, categories: list[str], sideways: bool) -> None:
    """Ticks, bounds and grid of both axes."""
    along, across = (axes.yaxis, axes.xaxis) if sideways else (axes.xaxis, axes.yaxis)
    x = [float(v) for s in figure.series for v in s.x if not isinstance(v, str)]
    y = [v for s in figure.series for values in (s.y, s.low, s.high) for v in values]
    solid = any(series.style == "bars" for series in figure.series)
    _scale(across, [] if solid else [v for v in y if v is not None], whole=False)
    across.grid(True, lw=0.8)
    if solid and not any(y):  # nothing but zeros: they stand at the start, not in the middle
        (axes.set_xlim if sideways else axes.set_ylim)(0, 1)
    axes.set_axisbelow(True)
    if categories:
        every = 1 if sideways else max(1, math.ceil(_crowding(categories)))
        shown = range(0, len(categories), every)
        name = _two_lines if sideways else partial(shorten, length=LINE)
        along.set_ticks(list(shown), labels=[name(categories[n]) for n in shown])
        edges = (-0.6, len(categories) - 0.4)
        (axes.set_ylim if sideways else axes.set_xlim)(edges)
    else:
        whole = all(v == round(v) for v in x)
        _scale(along, [] if solid else [*x, *(at for at, _ in figure.marks)], whole)
    if sideways:
        axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", length=0, labelsize=10.5)


def _crowding(categories: list[str]) -> float:
    """How many times over the names fill the width below an upright chart."""
    return sum(min(len(name), LINE) * 6.3 + 10 for name in categories) / (WIDTH - 60)


def _scale(axis: Any, values: list[float], whole: bool) -> None:
    """Few round ticks; logarithmic when equal steps would hide most of the values."""
    if _is_log_like(values):
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    else:
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10], integer=whole))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def _is_log_like(values: list[float]) -> bool:
    if len(values) < 3 or min(values) <= 0 or max(values) < LOG_RATIO * min(values):
        return False
    return bool(np.median(values) < min(values) + 0.15 * (max(values) - min(values)))


def tick(value: float) -> str:
    """A number as an axis shows it.

    Examples
    --------
    >>> [tick(value) for value in (0.30000000000000004, -2, 30_000, 1.5e6, 0.00001)]
    ['0.3', '−2', '30k', '1.5M', '1e−05']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = value / (1e3 if unit == "k" else size)
            return f"{scaled:g}{unit}".replace("-", "−")
    return f"{value:g}".replace("-", "−")


def name_axes(axes: Axes, figure: Figure, sideways: bool) -> None:
    """The vertical axis is named above it: no turned text, no width lost."""
    turned = sideways and not figure.horizontal  # by _needs_room: the labels turn too
    below, above = (figure.y, figure.x) if turned else (figure.x, figure.y)
    axes.set_xlabel(shorten(below, 60), fontsize=10.5)
    axes.set_title(shorten(above, 60), loc="left", fontsize=10.5, color=MUTED, pad=7)


def mark(axes: Axes, figure: Figure) -> None:
    """A dotted line and its text at each mark."""
    for at, _ in figure.marks:
        axes.axvline(at, color=MUTED, lw=1, ls=":")
    left, right = sorted(axes.get_xlim())
    for n, (at, text) in enumerate(figure.marks):
        leftward = at > left + 0.6 * (right - left)
        axes.annotate(
            shorten(text, 30), (at, 1), xycoords=("data", "axes fraction"), fontsize=10,
            xytext=(-4 if leftward else 4, -2 - 12 * (n % 4)), textcoords="offset points",
            ha="right" if leftward else "left", va="top", color=MUTED,
        )  # fmt: skip


def legend(drawing: Drawing, axes: Axes) -> None:
    """Names of the series above the axes, where there are several."""
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) < 2:
        return
    drawing.legend(
        handles, labels, loc="outside upper left", ncols=legend_columns(labels),
        frameon=False, fontsize=10.5, handlelength=1.6, columnspacing=1.4, borderpad=0.2,
    )  # fmt: skip


def legend_columns(names: list[str]) -> int:
    """How many names of series stand side by side."""
    longest = max((min(len(name), 44) for name in names), default=0)
    fitting = int((WIDTH - 10) // (longest * 6.3 + 36))
    return max(1, min(fitting, len(names)))


def _two_lines(text: str) -> str:
    """A name broken into at most two lines.

    Examples
    --------
    >>> _two_lines("Self-employed, not incorporated")
    'Self-employed, not\\nincorporated'
    """
    return "\n".join(textwrap.wrap(shorten(text, 2 * LINE - 4), LINE)[:2])


def shorten(text: str, length: int) -> str:
    """Printable text of at most ``length`` characters, cut in the middle: both ends tell.

    Examples
    --------
    >>> shorten("a very long name indeed", 11)
    'a ver…ndeed'
    """
    text = UNPRINTABLE.sub(" ", text).strip()
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"
