"""The report of a run as Markdown, and as rows of Prefect's table artifacts.

Decision, records -> str

A page of Markdown is read from top to bottom: it is short, and the HTML report holds the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from penstock.adapters.markdown import escaped, pipes
from penstock.adapters.summary import (
    SYMBOLS,
    VERDICTS,
    grid_of,
    is_safe,
    scores_of,
    sentence,
    urgent_first,
)
from penstock.adapters.wording import bracketed, heading, limit, measured
from penstock.evidence import Check, Table
from penstock.outcomes import Decision
from penstock.records import Record

SHOWN = {
    "register": ("contest", "contest_by_group"),
    "bias": ("mitigation", "groups", "gaps"),
    "decide": ("before_after",),
    "objective": ("losses",),
    "explain": ("columns",),
}
"""Stages, the most telling first, and those of their tables that stand here (house choice)."""

LONGEST_TABLE = 20
"""Most rows of a table (house choice)."""

URL_SIGNS = "/:?#=&%@+,;~.-_[]!$'()*"
"""What stays as it is in an address; a blank or an angle would end the link."""


def markdown(
    decision: Decision, records: Mapping[str, Record], links: Mapping[str, str] | None = None
) -> str:
    """Write a compact report for a Markdown artifact.

    Parameters
    ----------
    decision, records, links
        As for :func:`penstock.adapters.report.render`.

    Returns
    -------
    str
        GitHub-flavoured Markdown; every value from data is escaped for Markdown and HTML.
    """
    parts = [brief(decision, records, links)]
    for stage, names in SHOWN.items():
        found = records[stage].evidence.tables if stage in records else {}
        shown = [_table(t) for key, t in found.items() if key.partition(":")[0] in names]
        parts += [f"## {heading(stage)}", *shown] if shown else []
    if decision.checks:
        rows = [
            [
                f"{SYMBOLS[c.outcome]} {c.outcome}",
                c.label,
                bracketed(*measured(c)),
                limit(c),
                c.why,
            ]
            for c in urgent_first(decision.checks)
        ]
        parts += ["## Checks", pipes(["outcome", "check", "value", "limit", "why"], rows)]
    return "\n\n".join(parts) + "\n"


def brief(
    decision: Decision, records: Mapping[str, Record], links: Mapping[str, str] | None = None
) -> str:
    """The verdict, why, what to do about it, and the metrics, as Markdown.

    Parameters
    ----------
    decision, records, links
        As for :func:`penstock.adapters.report.render`.
    """
    refusing = [c for c in decision.checks if c.blocks]
    blocking = refusing if decision.verdict == "refused" else []
    symbol, word = VERDICTS[decision.verdict]
    parts = [f"# {symbol} {word}", escaped(sentence(decision, blocking))]
    if decision.why:
        parts.append(escaped(decision.why))
    places = [
        f"[{escaped(label)}](<{quote(url, safe=URL_SIGNS)}>)"
        for label, url in (links or {}).items()
        if is_safe(url)
    ]
    if places:
        parts.append(" · ".join(places))
    if blocking:
        parts.append("## What to do")
        parts.append("\n".join(_todo(check) for check in blocking))
    scores = scores_of(records, decision)
    if scores:
        parts += ["## How good it is", pipes(["metric", *scores.columns], scores.plain())]
        parts.append("In brackets: 95% interval.")
    return "\n\n".join(parts)


def checks_table(checks: Iterable[Check]) -> list[dict[str, str]]:
    """The checks as rows of a table artifact, the most urgent first."""
    return [
        {
            "outcome": f"{SYMBOLS[check.outcome]} {check.outcome}",
            "check": check.label,
            "value": bracketed(*measured(check)),
            "limit": limit(check),
            "why": check.why,
            "remedy": check.remedy if check.outcome != "pass" else "",
        }
        for check in urgent_first(checks)
    ]


def metrics_table(decision: Decision, records: Mapping[str, Record]) -> list[dict[str, str]]:
    """The metrics of the model and of the baselines as rows of a table artifact."""
    scores = scores_of(records, decision)
    if scores is None:
        return []
    return [dict(zip(["metric", *scores.columns], row, strict=True)) for row in scores.plain()]


def _table(table: Table) -> str:
    """A table of evidence as Markdown, cut where it grows long."""
    shown = grid_of(table)
    parts = [f"**{escaped(table.title)}**"]
    if shown.rows:
        parts.append(pipes([name for name, _ in shown.columns], shown.rows[:LONGEST_TABLE]))
    left = len(shown.rows) - LONGEST_TABLE
    more = f"{left} more rows stand in the HTML report." if left > 0 else ""
    if told := f"{table.note} {more}".strip():
        parts.append(escaped(told))
    return "\n\n".join(parts)


def _todo(check: Check) -> str:
    text = f"- **{escaped(check.label)}**: {escaped(check.why)}"
    return f"{text} *To do:* {escaped(check.remedy)}" if check.remedy else text
