"""Tell a person what a run found: one HTML file, or a page of Markdown.

Decision, records -> str

The HTML needs no script and loads nothing: its own security policy forbids both. A stage is
shown by one generic mechanism, so a stage that is added later is shown without a line here.
"""

from __future__ import annotations

import html
import math
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from penstock import fingerprint
from penstock.adapters import charts
from penstock.evidence import Check, Evidence, Table
from penstock.measure.judging import blocks
from penstock.records import Decision, Estimate, Fitted, Record, Scorecard, Snapshot, Split
from penstock.spec import Gates, Pipeline

LIBRARIES = ("penstock", *fingerprint.NUMERIC_LIBRARIES, "mlflow", "prefect")
"""What a run's numbers may depend on, and so what the report names with its version."""

MAX_CELL = 300
"""Most characters of one table cell."""

GROUPED_FROM = 10_000
"""Numbers from here on are written with separators; a year is not."""

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
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


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
    blocking = [c for c in decision.checks if blocks(c, pipeline.gates.of(c.name))]
    warned = [c for c in decision.checks if c.outcome == "warn"]
    page = _template().render(
        decision=decision,
        pipeline=pipeline,
        verdict=VERDICTS[decision.verdict],
        sentence=_sentence(decision, blocking),
        blocking=blocking,
        warned=warned,
        counts=_counts(decision.checks),
        facts=_facts(records, decision, pipeline),
        data=_data_line(records, pipeline),
        scores=_scores(records, decision),
        declared=_declared_metric(records, pipeline),
        links=[(label, url, _is_safe(url)) for label, url in (links or {}).items()],
        sections=_sections(decision, records),
        spec=yaml.safe_dump(pipeline.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        versions=_versions(),
        fingerprints=decision.fingerprints,
        written=datetime.now(UTC),
    )
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", page)


def markdown(decision: Decision, records: Mapping[str, Record]) -> str:
    """Write a compact report for a Markdown artifact.

    Parameters
    ----------
    decision, records
        As for :func:`render`.

    Returns
    -------
    str
        GitHub-flavoured Markdown; every value from data is escaped for Markdown and HTML.
    """
    refusing = [c for c in decision.checks if c.outcome in ("refuse", "insufficient")]
    blocking = refusing if decision.verdict == "refused" else []
    symbol, word = VERDICTS[decision.verdict]
    parts = [f"# {symbol} {word}", _escape(_sentence(decision, blocking))]
    if decision.why:
        parts.append(_escape(decision.why))
    if blocking:
        parts.append("## What to do")
        parts.append("\n".join(_todo(check) for check in blocking))
    scores = _scores(records, decision)
    if scores:
        parts += ["## How good it is", _pipes(["metric", *scores.columns], scores.plain())]
        parts.append("In brackets: 95% interval.")
    if decision.checks:
        rows = [
            [
                f"{SYMBOLS[c.outcome]} {c.outcome}",
                c.label,
                _bracketed(*_measured(c)),
                limit(c),
                c.why,
            ]
            for c in _urgent_first(decision.checks)
        ]
        parts += ["## Checks", _pipes(["outcome", "check", "value", "limit", "why"], rows)]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True)
class _Scores:
    """Rows of the table of metrics: name, model, and one cell a baseline."""

    columns: list[str]
    rows: list[tuple[str, tuple[str, str], list[str]]]

    def plain(self) -> list[list[str]]:
        """The rows as plain text."""
        return [[name, _bracketed(*estimate), *others] for name, estimate, others in self.rows]


@dataclass(frozen=True)
class _Grid:
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
    grids: list[_Grid]


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("penstock", "adapters"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "heading": _heading,
        "gauge": lambda check: Markup(charts.interval(check)),  # noqa: S704 - numbers only
        "measured": _measured,
        "limit": limit,
        "about": _about,
        "symbol": SYMBOLS.__getitem__,
    }
    return environment.get_template("report.html.jinja")


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
        grids=[_grid(table) for table in evidence.tables.values()],
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
        value, span = _estimate(estimate)
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
        places = _decimals([estimate.value, *others])
        cells = [_fixed(value, places) for value in others]
        rows.append((name, _estimate(estimate, places), cells))
    return _Scores(["model", *baselines], rows) if rows else None


def _estimate(estimate: Estimate, places: int | None = None) -> tuple[str, str]:
    """Value and interval as text, with equally many decimals."""
    places = _decimals([estimate.value]) if places is None else places
    if estimate.low is None or estimate.high is None:
        return _fixed(estimate.value, places), ""
    span = f"{_fixed(estimate.low, places)} to {_fixed(estimate.high, places)}"
    return _fixed(estimate.value, places), span


def _measured(check: Check) -> tuple[str, str]:
    """A check's value and interval as text."""
    if not check.enough or check.value is None:
        return "not measured", ""
    if check.low is None or check.high is None:
        return number(check.value), ""
    estimate = Estimate(value=check.value, low=check.low, high=check.high)
    return _estimate(estimate, _decimals([check.value, check.low, check.high]))


def _bracketed(value: str, span: str) -> str:
    return f"{value} [{span}]" if span else value


def limit(check: Check) -> str:
    """A check's limit with its direction, and the end of the interval that counts.

    Examples
    --------
    >>> limit(Check(name="c", stage="s", better="higher", limit=0.5, burden="prove"))
    '≥ 0.5 (lower end counts)'
    """
    if check.limit is None:
        return "no limit"
    if abs(check.limit) >= charts.NO_LIMIT:
        return "no limit"
    sign = "≥" if check.better == "higher" else "≤"
    if check.burden == "value":
        return f"{sign} {number(check.limit)}"
    end = "lower" if (check.burden == "prove") == (check.better == "higher") else "upper"
    return f"{sign} {number(check.limit)} ({end} end counts)"


def _heading(name: str) -> str:
    """A name as a heading: words, the first one with a capital."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _about(check: Check) -> str:
    """What the check's gate is about, in the spec's own words."""
    field = Gates.model_fields.get(check.name)
    return (field.description or "") if field else ""


def _grid(table: Table) -> _Grid:
    columns = []
    shown = []
    for n, name in enumerate(table.columns):
        values = [row[n] if n < len(row) else None for row in table.rows]
        numeric = any(map(_is_number, values)) and all(v is None or _is_number(v) for v in values)
        places = _decimals(values) if numeric else 0
        columns.append((name, numeric))
        group = numeric and any(abs(v or 0) >= GROUPED_FROM for v in values)
        shown.append([_fixed(v, places, group=group) if numeric else cell(v) for v in values])
    rows = [list(row) for row in zip(*shown, strict=True)]
    return _Grid(table.title, table.note, columns, rows)


def cell(value: Any) -> str:
    """A JSON value as a table shows it.

    Examples
    --------
    >>> [cell(value) for value in (None, True, 0.25, ["a", 1], {"a": 1})]
    ['–', 'yes', '0.25', 'a, 1', 'a: 1']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or _is_number(value):
        return number(value)
    if isinstance(value, dict):
        text = ", ".join(f"{key}: {cell(inner)}" for key, inner in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(cell, value))
    else:
        text = str(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def number(value: float | None) -> str:
    """A number for a person: four significant digits, a true minus sign, a dash for none.

    Examples
    --------
    >>> [number(value) for value in (None, 32561, 1994, 0.92981, -0.5, 0.0000012, 12345.678)]
    ['–', '32,561', '1994', '0.9298', '−0.5', '1.2e−06', '12,346']
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e15:
        return _fixed(value, 0)
    if 1e-4 <= abs(value) < 1e15:
        places = max(0, 3 - math.floor(math.log10(abs(value))))
        return _fixed(float(f"{value:.4g}") if abs(value) < 1e4 else value, places, trim=True)
    return f"{value:.3g}".replace("-", "−")


def duration(seconds: float) -> str:
    """A wall-clock time for a person.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.01, 3.14, 75, 7300)]
    ['< 0.1 s', '3.1 s', '1 min 15 s', '2 h 1 min']
    """
    if seconds < 0.1:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _decimals(values: Iterable[Any]) -> int:
    """Decimals that suit all of these numbers, so that they line up in a column."""
    known = [abs(v) for v in values if _is_number(v) and math.isfinite(v) and v]
    if all(v == round(v) for v in known):
        return 0
    largest = math.floor(math.log10(max(known)))
    smallest = math.floor(math.log10(min(known)))
    enough = min(4, 3 - largest) if largest >= -2 else 1 - largest
    return min(6, max(0, enough, -smallest))


def _fixed(value: float | None, places: int, trim: bool = False, group: bool = False) -> str:
    """A number with so many decimals; thousands are set apart from 10,000 on, or on wish."""
    if value is None or not math.isfinite(value):
        return "–"
    group = group or abs(value) >= GROUPED_FROM
    text = f"{value:,.{places}f}" if group else f"{value:.{places}f}"
    if trim and "." in text:
        text = text.rstrip("0").rstrip(".")
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0.,") else f"−{text[1:]}"
    return text


def _versions() -> dict[str, str]:
    """Python and the installed libraries that a number may depend on."""
    installed = {}
    for name in LIBRARIES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # an optional one: nothing to say
            continue
    return {"python": platform.python_version(), **installed}


def _is_safe(url: str) -> bool:
    """Whether a click on this address opens a page and runs nothing."""
    return urlsplit(url.strip()).scheme.lower() in ("", "http", "https")


def _escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    flat = " ".join(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text).split())
    return re.sub(r"([\\`*_{}\[\]|~#!])", r"\\\1", html.escape(flat, quote=False))


def _pipes(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns)]
    escaped = [[_escape(text) for text in row] for row in rows]
    head = [_escape(text) for text in lines[0]]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, lines[1], *escaped])


def _todo(check: Check) -> str:
    text = f"- **{_escape(check.label)}**: {_escape(check.why)}"
    return f"{text} *To do:* {_escape(check.remedy)}" if check.remedy else text
