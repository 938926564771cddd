"""Tell a person what a run found, in one HTML file.

Decision, records -> str

The HTML needs no script and loads nothing: its own security policy forbids both. A stage is
shown by one generic mechanism, so a stage that is added later is shown without a line here.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from penstock import fingerprint
from penstock.adapters import charts
from penstock.adapters.markdown import UNPRINTABLE
from penstock.adapters.summary import (
    SEVERITY,
    SYMBOLS,
    VERDICTS,
    Grid,
    estimates,
    grid_of,
    is_safe,
    scores_of,
    sentence,
    urgent_first,
)
from penstock.adapters.wording import (
    duration,
    estimated,
    heading,
    limit,
    measured,
    number,
)
from penstock.evidence import Check, Evidence
from penstock.outcomes import Decision
from penstock.records import Fitted, Layout, Record, Snapshot, Split
from penstock.spec import Gates, Pipeline

LIBRARIES = ("penstock", *fingerprint.NUMERIC_LIBRARIES, "mlflow", "prefect")
"""What a run's numbers may depend on, and so what the report names with its version."""


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
        sentence=sentence(decision, blocking),
        blocking=blocking,
        warned=warned,
        example=Check(
            name="", stage="", value=3, low=2, high=4, limit=1, better="higher", burden="prove"
        ),
        facts=_facts(records, decision, pipeline),
        data=_data_line(records, pipeline),
        scores=scores_of(records, decision),
        declared=_declared_metric(records, pipeline),
        links=[(label, url, is_safe(url)) for label, url in (links or {}).items()],
        sections=_sections(decision, records),
        spec=yaml.safe_dump(pipeline.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        versions=_versions(),
        fingerprints=decision.fingerprints,
        written=datetime.now(UTC),
    )
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", page)


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
    checks = urgent_first(check for check in decision.checks if check.stage == name)
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


def _counts(checks: list[Check]) -> list[tuple[str, int]]:
    """How many checks had each outcome, the most urgent first."""
    found = [(word, sum(check.outcome == word for check in checks)) for word in SEVERITY]
    return [(word, count) for word, count in found if count]


def _facts(
    records: Mapping[str, Record], decision: Decision, pipeline: Pipeline
) -> list[tuple[str, str, str]]:
    """The few numbers on top: label, number, small print."""
    facts = []
    declared = _declared_metric(records, pipeline)
    estimate = estimates(records, decision).get(declared)
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
        f"{len(last.layout.columns)} columns" + _num_features(last.layout),
        f"target {last.layout.target} ({task})",
        f"SHA-256 {snapshots[0].rows.blob.sha256[:12]}",
    ]
    return " · ".join(parts)


def _num_features(layout: Layout) -> str:
    """Nothing of what users took: what its columns tell of is found with its examples."""
    return f", {len(layout.features)} of them features" if layout.features else ""


def _declared_metric(records: Mapping[str, Record], pipeline: Pipeline) -> str:
    fitted = next((r for r in records.values() if isinstance(r, Fitted)), None)
    return fitted.metric if fitted else pipeline.objective.metric


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
