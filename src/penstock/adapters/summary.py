"""What a report says in every form: the verdict, the metrics, a table as text.

Decision, records -> sentences, rows of text
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from penstock.adapters.wording import bracketed, column, decimals, estimated, fixed
from penstock.evidence import Check, Table
from penstock.outcomes import Decision
from penstock.records import Estimate, Record, Scorecard

SYMBOLS = {
    "pass": "✓", "note": "i", "warn": "!", "insufficient": "?", "refuse": "✕", "unjudged": "·",
}  # fmt: skip

SEVERITY = ("refuse", "insufficient", "warn", "note", "unjudged", "pass")
"""Outcomes, the most urgent first."""

VERDICTS = {
    "registered": ("✓", "Registered"),
    "kept_champion": ("↺", "Champion kept"),
    "awaiting_approval": ("…", "Awaiting approval"),
    "refused": ("✕", "Refused"),
}


@dataclass(frozen=True)
class Scores:
    """Rows of the table of metrics: name, model, and one cell a baseline."""

    columns: list[str]
    rows: list[tuple[str, tuple[str, str], list[str]]]

    def plain(self) -> list[list[str]]:
        """The rows as plain text."""
        return [[name, bracketed(*estimate), *others] for name, estimate, others in self.rows]


@dataclass(frozen=True)
class Grid:
    """A table as text, with the columns that hold numbers (set flush right)."""

    title: str
    note: str
    columns: list[tuple[str, bool]]
    rows: list[list[str]]


def sentence(decision: Decision, blocking: list[Check]) -> str:
    """The verdict in one sentence."""
    version = f" v{decision.version}" if decision.version else ""
    if decision.verdict == "registered":
        return f"{decision.model}{version} is the champion."
    if decision.verdict == "kept_champion":
        return f"{decision.model}: the champion{version} stays in use."
    if decision.verdict == "awaiting_approval":
        return f"{decision.model}{version} is the challenger and waits for a person's yes."
    names = list(dict.fromkeys(check.name.replace("_", " ") for check in blocking))
    gates = f" Stopped by: {', '.join(names)}." if names else ""
    return f"{decision.model} was not registered.{gates}"


def urgent_first(checks: Iterable[Check]) -> list[Check]:
    """The checks by their outcome, as :data:`SEVERITY` has it."""
    return sorted(checks, key=lambda check: SEVERITY.index(check.outcome))


def estimates(records: Mapping[str, Record], decision: Decision) -> dict[str, Estimate]:
    """The model's metrics, with intervals where it was evaluated in this run."""
    card = next((r for r in records.values() if isinstance(r, Scorecard)), None)
    if card:
        return card.metrics
    return {name: Estimate(value=value) for name, value in decision.metrics.items()}


def scores_of(records: Mapping[str, Record], decision: Decision) -> Scores | None:
    """The metrics with intervals beside those of the baselines."""
    metrics = estimates(records, decision)
    card = next((r for r in records.values() if isinstance(r, Scorecard)), None)
    baselines = card.baselines if card else {}
    rows = []
    for name, estimate in metrics.items():
        others = [scores.get(name) for scores in baselines.values()]
        places = decimals([estimate.value, *others])
        cells = [fixed(value, places) for value in others]
        rows.append((name, estimated(estimate, places), cells))
    return Scores(["model", *baselines], rows) if rows else None


def grid_of(table: Table) -> Grid:
    """A table as text, column by column."""
    columns = []
    shown = []
    for n, name in enumerate(table.columns):
        values = [row[n] if n < len(row) else None for row in table.rows]
        numeric, texts = column(values)
        columns.append((name, numeric))
        shown.append(texts)
    rows = [list(row) for row in zip(*shown, strict=True)]
    return Grid(table.title, table.note, columns, rows)


def is_safe(url: str) -> bool:
    """Whether a click on this address opens a page and runs nothing."""
    return urlsplit(url.strip()).scheme.lower() in ("", "http", "https")
