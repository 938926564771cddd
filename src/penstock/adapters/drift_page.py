"""Tell a person what became of a window: one HTML file, or a page of Markdown.

Drift -> str
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup

from penstock.adapters import charts
from penstock.adapters.markdown import UNPRINTABLE, escaped, pipes
from penstock.adapters.report import template
from penstock.adapters.summary import grid_of, is_safe
from penstock.adapters.wording import bracketed, estimated
from penstock.outcomes import Drift
from penstock.records import Estimate

WORDS = {
    "steady": ("✓", "Steady", "registered"),
    "drift": ("i", "Drift that does not matter", "kept_champion"),
    "alarm": ("✕", "Alarm", "refused"),
}
"""By outcome: sign, heading, and the verdict whose colours it has."""

SHOWN_IN_MARKDOWN = ("decision", "performance", "columns", "history")


def render(drift: Drift, links: Mapping[str, str] | None = None) -> str:
    """Write the report of a window as one self-contained HTML file.

    Parameters
    ----------
    drift : Drift
        With its evidence.
    links : mapping of str to str, optional
        Label to address; one that is neither ``http(s)`` nor relative is shown as text.

    Returns
    -------
    str
        HTML without script; every value from data is escaped.
    """
    symbol, word, tone = WORDS[drift.outcome]
    evidence = drift.evidence
    page = template("window.html.jinja").render(
        drift=drift,
        symbol=symbol,
        word=word,
        tone=tone,
        facts=_facts(drift),
        links=[(label, url, is_safe(url)) for label, url in (links or {}).items()],
        notes=[note for note in evidence.notes if note != drift.why],
        figures=[
            # svg() escapes every text of the figure
            (figure.title, figure.note, Markup(charts.svg(figure, key)))  # noqa: S704
            for key, figure in evidence.figures.items()
        ],
        grids=[grid_of(table) for table in evidence.tables.values()],
        written=datetime.now(UTC),
    )
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", page)


def markdown(drift: Drift) -> str:
    """A compact report for a Markdown artifact; every value from data is escaped."""
    symbol, word, _ = WORDS[drift.outcome]
    name = f"{drift.model} version {drift.version}, window {drift.window}"
    parts = [f"# {symbol} {word}", escaped(name), escaped(drift.why)]
    tables = drift.evidence.tables
    for table in (tables[key] for key in SHOWN_IN_MARKDOWN if key in tables):
        grid = grid_of(table)
        parts += [f"## {escaped(grid.title)}", pipes([n for n, _ in grid.columns], grid.rows)]
    return "\n\n".join(parts) + "\n"


def _facts(drift: Drift) -> list[tuple[str, str, str]]:
    """The few numbers on top: label, number, small print."""
    labels = f"{drift.num_labelled:,} with labels"
    facts = [("rows", f"{drift.num_rows:,}", labels)]
    named = {
        f"{drift.metric}, at training": drift.reference,
        f"{drift.metric}, estimated": drift.estimated,
        f"{drift.metric}, realised": drift.realised,
        "told apart (ROC AUC)": drift.separation,
    }
    for label, estimate in named.items():
        if isinstance(estimate, Estimate) and estimate.value is not None:
            value, span = estimated(estimate)
            facts.append((label, value, f"95% interval {span}" if span else ""))
    facts.append(("changed", f"{len(drift.drifted)}", bracketed(", ".join(drift.drifted[:3]), "")))
    return facts
