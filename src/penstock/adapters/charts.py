"""Charts for a page and for a tracking server: inline SVG, PNG, and a gauge for a check.

Figure -> str, bytes

Text stays text, colours are CSS variables with a fallback (a page may be light or dark), and
equal figures give equal bytes.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from hashlib import sha256
from xml.etree import ElementTree

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties

from penstock.adapters.axes import INK, MUTED, RULE, UNPRINTABLE, shorten
from penstock.adapters.drawing import PALETTE, STYLE, draw
from penstock.adapters.wording import NO_LIMIT
from penstock.evidence import Check, Figure
from penstock.measure.judging import held

_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule"} | {
    colour: f"c{n}" for n, colour in enumerate(PALETTE, start=1)
}


_SETTINGS = threading.Lock()  # matplotlib's settings belong to the process


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
    with _SETTINGS, matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # the browser has the glyphs that matplotlib's own font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = draw(figure)
        FigureCanvasSVG(drawing).print_svg(page, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(page.getvalue())  # noqa: S314 - written a line ago
    return _for_a_page(root, figure, name)


def png(figure: Figure) -> bytes:
    """Draw a figure with its title as a PNG on white, twice :data:`WIDTH` wide."""
    page = io.BytesIO()
    with _SETTINGS, matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = draw(figure)
        _head(drawing, shorten(figure.title, 54))
        drawing.set_facecolor("white")
        drawing.set_dpi(144)
        FigureCanvasAgg(drawing).print_png(page, metadata={"Software": None})
    return page.getvalue()


def _head(drawing: Drawing, title: str) -> None:
    """Write the title above the legend, for which the layout leaves room, or above the axes."""
    if drawing.legends:
        drawing.legends[0].set_title(title, prop=FontProperties(size=12))
        drawing.legends[0].set_alignment("left")
    else:
        drawing.suptitle(title, x=0.02, ha="left", fontsize=12)


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
        if check.burden in ("prove", "disprove") and counted is not None:
            end = at(counted)
            parts.append(f'<line class="cap" x1="{end}" x2="{end}" y1="6" y2="16"/>')
    if limit is not None:
        parts.append(f'<line class="limit" x1="{at(limit)}" x2="{at(limit)}" y1="1" y2="21"/>')
    parts.append(f'<circle class="value" cx="{at(check.value)}" cy="11" r="4"/>')
    return f'<svg class="gauge" viewBox="0 0 160 22" aria-hidden="true">{"".join(parts)}</svg>'


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
    label = UNPRINTABLE.sub(" ", f"{figure.title}. {figure.note}".strip(" ."))
    root.attrib |= {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "chart",
        "role": "img",
        "aria-label": label,
        "style": "font-family: var(--sans, sans-serif); stroke-linejoin: round",
    }
    title = ElementTree.Element("title")
    title.text = UNPRINTABLE.sub(" ", figure.title)
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
