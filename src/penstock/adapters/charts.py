"""Draw a figure: inline SVG for the report, PNG for the tracking server.

Figure -> str, bytes

Text stays text, colours are CSS variables with a fallback (a page may be light or dark), and
equal figures give equal bytes. Nothing here touches matplotlib's ``pyplot``.
"""

from __future__ import annotations

import io
import math
import re
import threading
import warnings
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from penstock.evidence import Check, Figure, Series
from penstock.measure.judging import held

WIDTH = 360
"""Width of a chart in its own units: as a telephone's, so that its text keeps its size there."""

MAX_CATEGORIES = 40
"""Most categories of one chart (house choice: what fits on one page of paper)."""

LOG_RATIO = 100
"""An axis becomes logarithmic when its values span this factor and crowd at the low end."""

NO_LIMIT = 1e9
"""A gate's limit at or beyond this size stands for no limit at all."""

INK, MUTED, RULE = "#1b2733", "#5b6773", "#d9dee4"
# Okabe and Ito's hues, darkened until each reaches 3:1 against white (WCAG 2.2, 1.4.11).
PALETTE = (
    "#0b6cb0", "#c8610a", "#0d8266", "#9c3f88", "#8a6d00", "#5a4fbf", "#b23a3a", "#46708a",
)  # fmt: skip

_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule"} | {
    colour: f"c{n}" for n, colour in enumerate(PALETTE, start=1)
}
_STYLE: Any = {
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
_SETTINGS = threading.Lock()  # matplotlib's settings belong to the process
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")


def svg(figure: Figure, name: str = "") -> str:
    """Draw a figure as one ``<svg>`` element for an HTML page.

    Parameters
    ----------
    figure : Figure
        What to draw. Its note is the page's business (a ``figcaption``).
    name : str
        Where it stands on the page: two equal figures there need two names, since element
        ids are made from name and content.

    Returns
    -------
    str
        Markup in which every text of the figure is escaped. No width and no height: the
        page decides, the ``viewBox`` keeps the shape.
    """
    page = io.StringIO()
    with _SETTINGS, matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # the browser has the glyphs that matplotlib's own font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = _draw(figure)
        FigureCanvasSVG(drawing).print_svg(page, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(page.getvalue())  # noqa: S314 - written a line ago
    return _for_a_page(root, figure, name)


def png(figure: Figure) -> bytes:
    """Draw a figure with its title as a PNG on white, twice :data:`WIDTH` wide."""
    page = io.BytesIO()
    with _SETTINGS, matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = _draw(figure)
        drawing.suptitle(_shorten(figure.title, 54), x=0.02, ha="left", fontsize=12)
        drawing.set_facecolor("white")
        drawing.set_dpi(144)
        FigureCanvasAgg(drawing).print_png(page, metadata={"Software": None})
    return page.getvalue()


def interval(check: Check) -> str:
    """Draw a check's value and interval against its limit as a small ``<svg>``.

    The side of the limit that passes is shaded; a cap marks the end of the interval that is
    held against the limit. Empty when there is nothing to compare.
    """
    limit = None if check.limit is None or abs(check.limit) >= NO_LIMIT else check.limit
    known = [v for v in (check.value, check.low, check.high, limit) if v is not None]
    if check.value is None or len(known) < 2:
        return ""
    span = max(known) - min(known) or abs(known[0]) or 1.0
    start = min(known) - 0.15 * span

    def at(value: float) -> float:
        return round(160 * (value - start) / (1.3 * span), 1)

    higher = check.better == "higher"
    parts = ['<line class="axis" x1="0" x2="160" y1="11" y2="11"/>']
    if limit is not None:
        left, right = (at(limit), 160) if higher else (0, at(limit))
        parts.append(f'<rect class="side" x="{left}" y="2" width="{right - left:g}" height="18"/>')
    if check.low is not None and check.high is not None:
        low, high = at(check.low), at(check.high)
        parts.append(f'<line class="span" x1="{low}" x2="{high}" y1="11" y2="11"/>')
        counted = held(check)
        if check.burden != "value" and counted is not None:
            end = at(counted)
            parts.append(f'<line class="cap" x1="{end}" x2="{end}" y1="6" y2="16"/>')
    if limit is not None:
        parts.append(f'<line class="limit" x1="{at(limit)}" x2="{at(limit)}" y1="1" y2="21"/>')
    parts.append(f'<circle class="value" cx="{at(check.value)}" cy="11" r="4"/>')
    return f'<svg class="gauge" viewBox="0 0 160 22" aria-hidden="true">{"".join(parts)}</svg>'


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


def _draw(figure: Figure) -> Drawing:
    every = _categories(figure)
    categories = every[:MAX_CATEGORIES]
    sideways = figure.horizontal or _needs_room(figure, categories)
    placed = _place(figure, categories, sideways)
    height = _height(figure, len(categories), sideways)
    drawing = Drawing(figsize=(WIDTH / 72, height / 72), layout="constrained", facecolor="none")
    axes = drawing.subplots()
    axes.set_facecolor("none")
    for style, series in placed:
        _DRAW[style](axes, series)
    _scales(axes, figure, categories, sideways)
    _name_axes(axes, figure, sideways)
    _write_values(axes, placed)
    _mark(axes, figure)
    if len(every) > len(categories):
        told = f"The first {len(categories)} of {len(every)} are shown."
        axes.set_xlabel(f"{axes.get_xlabel()}\n{told}".strip(), fontsize=10.5)
    _legend(drawing, axes)
    if not any(np.isfinite(series.value).any() for _, series in placed):
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center")
    return drawing


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


def _height(figure: Figure, num_categories: int, sideways: bool) -> float:
    if not (sideways and num_categories):
        return 240
    bars = max(1, sum(series.style in ("bars", "points") for series in figure.series))
    return 70 + num_categories * (10 + 12 * min(bars, 6))


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
        label = _shorten(series.name, 44)
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
    step: Any = "post" if drawstyle == "steps-post" else None
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
    _line(axes, series, drawstyle="steps-post")


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


def _scales(axes: Axes, figure: Figure, categories: list[str], sideways: bool) -> None:
    along, across = (axes.yaxis, axes.xaxis) if sideways else (axes.xaxis, axes.yaxis)
    x = [float(v) for s in figure.series for v in s.x if not isinstance(v, str)]
    y = [v for s in figure.series for values in (s.y, s.low, s.high) for v in values]
    solid = any(series.style == "bars" for series in figure.series)
    _scale(across, [] if solid else [v for v in y if v is not None], whole=False)
    across.grid(True, lw=0.8)
    axes.set_axisbelow(True)
    if categories:
        every = 1 if sideways else max(1, math.ceil(_crowding(categories)))
        shown = range(0, len(categories), every)
        along.set_ticks(list(shown), labels=[_shorten(categories[n], 26) for n in shown])
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
    return sum(min(len(name), 26) * 6.0 + 10 for name in categories) / (WIDTH - 60)


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
    ['0.3', '−2', '30k', '1.5M', '1e-05']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = value / (1e3 if unit == "k" else size)
            return f"{scaled:g}{unit}".replace("-", "−", 1)
    text = f"{value:g}"
    return f"−{text[1:]}" if text.startswith("-") else text


def _name_axes(axes: Axes, figure: Figure, sideways: bool) -> None:
    """The vertical axis is named above it: no turned text, no width lost."""
    below, above = (figure.y, figure.x) if sideways else (figure.x, figure.y)
    axes.set_xlabel(_shorten(below, 60), fontsize=10.5)
    axes.set_title(_shorten(above, 60), loc="left", fontsize=10.5, color=MUTED, pad=7)


def _write_values(axes: Axes, placed: list[tuple[str, _Placed]]) -> None:
    """Write the number at the end of each bar, where there are few."""
    bars = [series for style, series in placed if style == "bars"]
    if len(bars) != 1 or len(placed) != 1 or len(bars[0].at) > 10:
        return
    series = bars[0]
    room: Any = {"x" if series.sideways else "y": 0.14}
    axes.margins(**room)
    for at, value, low, high in zip(series.at, series.value, series.low, series.high, strict=True):
        if not np.isfinite(value):
            continue
        up = value >= 0
        end = np.nanmax([value, high]) if up else np.nanmin([value, low])
        offset = 4 if up else -4
        side: dict[str, Any] = {"ha": "left" if up else "right", "va": "center"}
        if not series.sideways:
            side = {"ha": "center", "va": "bottom" if up else "top"}
        axes.annotate(
            tick(float(f"{value:.4g}")), series.turned(at, end), fontsize=10,
            xytext=series.turned(0, offset), textcoords="offset points", **side,
        )  # fmt: skip


def _mark(axes: Axes, figure: Figure) -> None:
    for at, _ in figure.marks:
        axes.axvline(at, color=MUTED, lw=1, ls=":")
    left, right = sorted(axes.get_xlim())
    for n, (at, text) in enumerate(figure.marks):
        leftward = at > left + 0.6 * (right - left)
        axes.annotate(
            _shorten(text, 30), (at, 1), xycoords=("data", "axes fraction"), fontsize=10,
            xytext=(-4 if leftward else 4, -2 - 12 * (n % 4)), textcoords="offset points",
            ha="right" if leftward else "left", va="top", color=MUTED,
        )  # fmt: skip


def _legend(drawing: Drawing, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) < 2:
        return
    fitting = int((WIDTH - 10) // (max(map(len, labels)) * 6 + 34))
    drawing.legend(
        handles, labels, loc="outside upper left", ncols=max(1, min(fitting, len(labels))),
        frameon=False, fontsize=10.5, handlelength=1.6, columnspacing=1.4, borderpad=0.2,
    )  # fmt: skip


def _shorten(text: str, length: int) -> str:
    """Printable text of at most ``length`` characters, cut in the middle: both ends tell.

    Examples
    --------
    >>> _shorten("a very long name indeed", 11)
    'a ver…ndeed'
    """
    text = _UNPRINTABLE.sub(" ", text).strip()
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def _for_a_page(root: ElementTree.Element, figure: Figure, name: str) -> str:
    """Leave only what a page needs, with colours, fonts and ids that suit it."""
    content = f"{name}\n{figure!r}"
    prefix = f"f{sha256(content.encode('utf-8', 'replace')).hexdigest()[:10]}-"
    for parent in root.iter():
        for child in list(parent):
            unseen = child.get("style") == "fill: none"
            if unseen or child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        element.attrib.clear()
        if attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]
        element.attrib.update({k: _suit(k, v, prefix) for k, v in attributes.items()})
    _drop_idle_ids(root)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    label = _UNPRINTABLE.sub(" ", f"{figure.title}. {figure.note}".strip(" ."))
    root.attrib |= {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "chart",
        "role": "img",
        "aria-label": label,
        "style": "font-family: var(--sans, sans-serif); stroke-linejoin: round",
    }
    title = ElementTree.Element("title")
    title.text = _UNPRINTABLE.sub(" ", figure.title)
    root.insert(0, title)
    return re.sub(r">\s+<", "><", ElementTree.tostring(root, encoding="unicode"))


def _suit(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == "href":
        return value.replace("#", f"#{prefix}", 1)
    if key == "clip-path":
        return value.replace("url(#", f"url(#{prefix}")
    if key == "style":
        value = re.sub(r"font: ([\d.]+px)[^;]*", r"font-size: \1", value)
        value = re.sub(r"font-family: [^;]*;? ?", "", value)
        return re.sub(r"#[0-9a-f]{6}", lambda found: _variable(found[0]), value)
    return re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", value)


def _variable(colour: str) -> str:
    name = _VARIABLES.get(colour)
    return f"var(--{name}, {colour})" if name else colour


def _drop_idle_ids(root: ElementTree.Element) -> None:
    cited = set(
        re.findall(r"#([\w-]+)", " ".join(v for e in root.iter() for v in e.attrib.values()))
    )
    for element in root.iter():
        if element.get("id") not in cited:
            element.attrib.pop("id", None)
