"""Tell a person what a run found: one HTML file, or a page of Markdown.

Decision, records -> str

The HTML needs no script and loads nothing: its own security policy forbids both. A stage is
shown by one generic mechanism, so a stage that is added later is shown without a line here.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any
from urllib.parse import quote, urlsplit

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from penstock import fingerprint
from penstock.adapters import charts
from penstock.adapters.markdown import UNPRINTABLE, escaped, pipes
from penstock.adapters.wording import (
    bracketed,
    column,
    decimals,
    duration,
    estimated,
    fixed,
    heading,
    limit,
    measured,
    number,
)
from penstock.evidence import Check, Evidence, Table
from penstock.outcomes import Decision
from penstock.records import Estimate, Fitted, Record, Scorecard, Snapshot, Split
from penstock.spec import Gates, Pipeline

LIBRARIES = ("penstock", *fingerprint.NUMERIC_LIBRARIES, "mlflow", "prefect")
"""What a run's numbers may depend on, and so what the report names with its version."""


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


SHOWN = {
    "register": ("contest", "contest_by_group"),
    "bias": ("mitigation", "groups", "gaps"),
    "decide": ("before_after",),
    "objective": ("losses",),
    "explain": ("columns",),
}
"""Stages, the most telling first, and those of their tables that stand in the Markdown: a page of
Markdown is read from top to bottom, and the HTML report holds them all (house choice)."""

LONGEST_TABLE = 20
"""Most rows of a table in the Markdown (house choice)."""

URL_SIGNS = "/:?#=&%@+,;~.-_[]!$'()*"
"""What stays as it is in an address; a blank or an angle would end the link."""


def render(
    decision: Decision,
    records: Mapping[str, Record],
    pipeline: Pipeline,
    links: Mapping[str, str] | None = None,
) -> str:
    """Write the report of a run as one self-contained HTML file.

    Parameters
    ----------
    decision : Decision
        What became of the model, with all judged checks.
    records : mapping of str to Record
        Stage name to what it made, in the order of the story. Any stage may be absent: a run
        that is refused early has few.
    pipeline : Pipeline
        The spec that ran.
    links : mapping of str to str, optional
        Label to address (the MLflow run, the Prefect run). An address that is not
        ``http(s)`` or relative is shown as text.

    Returns
    -------
    str
        HTML; encodes to UTF-8 without error. Every value from data is escaped.
    """
    blocking = [c for c in decision.checks if c.blocks]
    warned = [c for c in decision.checks if c.outcome == "warn"]
    page = template("report.html.jinja").render(
        decision=decision,
        pipeline=pipeline,
        verdict=VERDICTS[decision.verdict],
        sentence=_sentence(decision, blocking),
        blocking=blocking,
        warned=warned,
        example=Check(
            name="", stage="", value=3, low=2, high=4, limit=1, better="higher", burden="prove"
        ),
        facts=_facts(records, decision, pipeline),
        data=_data_line(records, pipeline),
        scores=_scores(records, decision),
        declared=_declared_metric(records, pipeline),
        links=[(label, url, is_safe(url)) for label, url in (links or {}).items()],
        sections=_sections(decision, records),
        spec=yaml.safe_dump(pipeline.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        versions=_versions(),
        fingerprints=decision.fingerprints,
        written=datetime.now(UTC),
    )
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", page)


def markdown(
    decision: Decision, records: Mapping[str, Record], links: Mapping[str, str] | None = None
) -> str:
    """Write a compact report for a Markdown artifact.

    Parameters
    ----------
    decision, records, links
        As for :func:`render`.

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
            for c in _urgent_first(decision.checks)
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
        As for :func:`render`.
    """
    refusing = [c for c in decision.checks if c.blocks]
    blocking = refusing if decision.verdict == "refused" else []
    symbol, word = VERDICTS[decision.verdict]
    parts = [f"# {symbol} {word}", escaped(_sentence(decision, blocking))]
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
    scores = _scores(records, decision)
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
        for check in _urgent_first(checks)
    ]


def metrics_table(decision: Decision, records: Mapping[str, Record]) -> list[dict[str, str]]:
    """The metrics of the model and of the baselines as rows of a table artifact."""
    scores = _scores(records, decision)
    if scores is None:
        return []
    return [dict(zip(["metric", *scores.columns], row, strict=True)) for row in scores.plain()]


@dataclass(frozen=True)
class _Scores:
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


@dataclass(frozen=True)
class _Section:
    """What the page shows of one stage."""

    name: str
    anchor: str
    outcome: str
    seconds: str
    cached: bool
    checks: list[Check]
    evidence: Evidence
    figures: list[tuple[str, str, Markup]]
    grids: list[Grid]


def template(name: str) -> Any:
    """A page of this folder; autoescape is on."""
    environment = Environment(
        loader=PackageLoader("penstock", "adapters"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "heading": heading,
        "gauge": lambda check: Markup(charts.interval(check)),  # noqa: S704 - numbers only
        "measured": measured,
        "limit": limit,
        "about": _about,
        "symbol": SYMBOLS.__getitem__,
    }
    return environment.get_template(name)


def _sections(decision: Decision, records: Mapping[str, Record]) -> list[_Section]:
    """One section a stage: those with a record, then those that only left checks or a time."""
    spoken = {check.stage: None for check in decision.checks}
    names = list(dict.fromkeys([*records, *decision.timings, *spoken]))
    return [_section(name, decision, records.get(name)) for name in names]


def _section(name: str, decision: Decision, record: Record | None) -> _Section:
    checks = _urgent_first(check for check in decision.checks if check.stage == name)
    evidence = record.evidence if record else Evidence()
    seconds = decision.timings.get(name, record.seconds if record else None)
    return _Section(
        name=name,
        anchor="stage-" + re.sub(r"\W+", "-", name),
        outcome=checks[0].outcome if checks else "",
        seconds="" if seconds is None else duration(seconds),
        cached=name in decision.cached,
        checks=checks,
        evidence=evidence,
        figures=[
            # svg() escapes every text of the figure
            (figure.title, figure.note, Markup(charts.svg(figure, f"{name}/{key}")))  # noqa: S704
            for key, figure in evidence.figures.items()
        ],
        grids=[grid_of(table) for table in evidence.tables.values()],
    )


def _urgent_first(checks: Iterable[Check]) -> list[Check]:
    return sorted(checks, key=lambda check: SEVERITY.index(check.outcome))


def _counts(checks: list[Check]) -> list[tuple[str, int]]:
    """How many checks had each outcome, the most urgent first."""
    found = [(word, sum(check.outcome == word for check in checks)) for word in SEVERITY]
    return [(word, count) for word, count in found if count]


def _sentence(decision: Decision, blocking: list[Check]) -> str:
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


def _facts(
    records: Mapping[str, Record], decision: Decision, pipeline: Pipeline
) -> list[tuple[str, str, str]]:
    """The few numbers on top: label, number, small print."""
    facts = []
    declared = _declared_metric(records, pipeline)
    estimate = _estimates(records, decision).get(declared)
    if estimate:
        value, span = estimated(estimate)
        facts.append((declared, value, f"95% interval {span}" if span else ""))
    split = next((r for r in records.values() if isinstance(r, Split)), None)
    if split:
        sizes = (split.train.num_rows, split.valid.num_rows, split.test.num_rows)
        parts = f"{sizes[0]:,} train, {sizes[1]:,} valid, {sizes[2]:,} test"
        facts.append(("rows", f"{sum(sizes):,}", parts))
    checks = _counts(decision.checks)
    if checks:
        told = ", ".join(f"{count} {word}" for word, count in checks)
        facts.append(("checks", number(len(decision.checks)), told))
    if decision.timings:
        cached = f"{len(decision.cached)} of {len(decision.timings)} stages reused"
        facts.append(("time", duration(sum(decision.timings.values())), cached))
    return facts


def _data_line(records: Mapping[str, Record], pipeline: Pipeline) -> str:
    """The data in one line; the last snapshot is the clean one."""
    snapshots = [record for record in records.values() if isinstance(record, Snapshot)]
    if not snapshots:
        return f"{pipeline.data.source}, target {pipeline.data.target}"
    last = snapshots[-1]
    classes = len(last.layout.classes)
    task = f"{last.layout.task} into {classes} classes" if classes else last.layout.task
    parts = [
        last.source,
        f"{number(last.rows.num_rows)} rows",
        f"{len(last.layout.columns)} columns, {len(last.layout.features)} of them features",
        f"target {last.layout.target} ({task})",
        f"SHA-256 {snapshots[0].rows.blob.sha256[:12]}",
    ]
    return " · ".join(parts)


def _declared_metric(records: Mapping[str, Record], pipeline: Pipeline) -> str:
    fitted = next((r for r in records.values() if isinstance(r, Fitted)), None)
    return fitted.metric if fitted else pipeline.objective.metric


def _estimates(records: Mapping[str, Record], decision: Decision) -> dict[str, Estimate]:
    card = next((r for r in records.values() if isinstance(r, Scorecard)), None)
    if card:
        return card.metrics
    return {name: Estimate(value=value) for name, value in decision.metrics.items()}


def _scores(records: Mapping[str, Record], decision: Decision) -> _Scores | None:
    """The metrics with intervals beside those of the baselines."""
    metrics = _estimates(records, decision)
    card = next((r for r in records.values() if isinstance(r, Scorecard)), None)
    baselines = card.baselines if card else {}
    rows = []
    for name, estimate in metrics.items():
        others = [scores.get(name) for scores in baselines.values()]
        places = decimals([estimate.value, *others])
        cells = [fixed(value, places) for value in others]
        rows.append((name, estimated(estimate, places), cells))
    return _Scores(["model", *baselines], rows) if rows else None


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


def _about(check: Check) -> str:
    """What the check's gate is about, in the spec's own words."""
    field = Gates.model_fields.get(check.name)
    return (field.description or "") if field else ""


def _versions() -> dict[str, str]:
    """Python and the installed libraries that a number may depend on."""
    installed = {}
    for name in LIBRARIES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # an optional one: nothing to say
            continue
    return {"python": platform.python_version(), **installed}


def is_safe(url: str) -> bool:
    """Whether a click on this address opens a page and runs nothing."""
    return urlsplit(url.strip()).scheme.lower() in ("", "http", "https")


def _todo(check: Check) -> str:
    text = f"- **{escaped(check.label)}**: {escaped(check.why)}"
    return f"{text} *To do:* {escaped(check.remedy)}" if check.remedy else text
