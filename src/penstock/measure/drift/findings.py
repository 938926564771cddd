"""What a person sees of a window: the sentence, the tables, the charts, the history.

Drift and what it rests on -> Evidence
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Evidence, Table
from penstock.measure import groups, metrics
from penstock.measure.bias import fairness
from penstock.measure.bias.by_group import Groups, Quantities, Scored, quantities
from penstock.measure.drift import charts
from penstock.measure.drift.alarm import SUPPORT_LIMIT, Loss, Sign, beyond
from penstock.measure.drift.changes import SEED, Changes, Found
from penstock.measure.drift.reference import Reference
from penstock.measure.drift.two_sample import RARE
from penstock.outcomes import Drift
from penstock.records import Estimate, Layout
from penstock.spec import BiasSpec, MonitorSpec

MOST_WINDOWS = 100
"""Windows in the history's charts, the latest (house choice)."""

WORDS = {
    "estimated": "by its own scores the model is expected to be worse",
    "realised": "by the labels that came the model is worse",
    "unknown": "nobody can say how good the model is here",
}


def sentence(drift: Drift, known: list[tuple[Loss, float]], margin: float) -> str:
    """What became of the window, with its numbers."""
    changed = _changed(drift)
    if drift.outcome == "steady":
        return f"Nothing changed that {drift.num_rows:,} rows can show. {_performance(drift)}"
    if drift.outcome == "drift":
        return (
            f"{changed} That does not matter so far: harm beyond {margin:.0%} of {drift.metric} is"
            f" not shown. {_performance(drift)}"
        )
    if drift.harm == "unknown":
        return (
            f"{changed} {drift.unsupported:.0%} of the rows are like hardly any that the model was"
            f" tested on (limit {SUPPORT_LIMIT:.0%}): {WORDS['unknown']}. Look at the columns that"
            " changed most: a unit, a missing column, a new source?"
        )
    loss, share = next((loss, share) for loss, share in known if loss.kind == drift.harm)
    shown = _harm(drift, loss, beyond(loss, margin, drift.budget * share))
    before = changed if drift.drifted else "The inputs are as before, but "
    words = WORDS[drift.harm]
    words = words if not drift.drifted else words[0].upper() + words[1:]
    return f"{before}{' ' if drift.drifted else ''}{words} ({shown}). {_performance(drift)}"


def _harm(drift: Drift, loss: Loss, signs: list[Sign]) -> str:
    """What the alarm rests on: where nothing drifted, the loss; else what is beyond the margin."""
    found = []
    if drift.drifted and "fall" in signs:
        share = loss.fall.value / loss.scale if loss.scale else math.nan
        found.append(f"{_by(drift)} worse by {share:.1%} of it than on the test rows")
    if not drift.drifted or "excess" in signs:
        above = f"loss {loss.excess.value:+.1%} above what the scores promise, "
        found.append(f"{above if math.isfinite(loss.excess.value) else ''}{_p(loss.p_value)}")
    return "; ".join(found)


def _by(drift: Drift) -> str:
    """The metric by which the window was held against the reference."""
    return metrics.of(drift.metric).later or drift.metric


def _changed(drift: Drift) -> str:
    names = ", ".join(drift.drifted[:5]) + (", ..." if len(drift.drifted) > 5 else "")
    return f"Changed: {names} ({_p(drift.drift_p_value)})." if names else "As before."


def _p(value: float | None) -> str:
    return f"p = {value:.2g}" if value and value >= 1e-4 else "p < 0.0001"


def _performance(drift: Drift) -> str:
    parts = [f"{_shown(drift.reference)} on the test rows"]
    if drift.estimated:
        parts.append(f"{_shown(drift.estimated)} estimated")
    if drift.realised:
        parts.append(f"{_shown(drift.realised)} realised on {drift.num_labelled:,} labels")
    return f"{drift.metric}: {', '.join(parts)}."


def _shown(estimate: Estimate) -> str:
    value = "unknown" if estimate.value is None else f"{estimate.value:.4g}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({estimate.low:.4g} to {estimate.high:.4g})"


def evidence_of(
    drift: Drift,
    reference: Reference,
    layout: Layout,
    found: Found,
    changes: Changes,
    known: list[tuple[Loss, float]],
    spec: MonitorSpec,
    history: Sequence[dict[str, Any]],
    by_group: dict[str, Table],
) -> Evidence:
    """Tables, charts and notes of one window."""
    past = [line for line in history if line.get("window") != drift.window]
    lines = [*past, drift.answer()][-MOST_WINDOWS:]
    return Evidence(
        tables={
            "decision": _decision(drift, known, spec),
            "performance": _metrics(drift),
            "columns": _columns(changes, drift),
            **by_group,
            "history": _history(lines),
        },
        figures=charts.history(lines) | charts.pictures(changes.tests, drift),
        notes=_notes(drift, layout, spec, found, reference),
    )


def _decision(drift: Drift, known: list[tuple[Loss, float]], spec: MonitorSpec) -> Table:
    """Every question that was asked, and the line that it had to cross."""
    records: list[dict[str, Any]] = [
        {
            "question": "Did inputs or predictions change?",
            "value": drift.drift_p_value,
            "as": "p-value, adjusted",
            "limit": f"at most {spec.budget:g}",
            "answer": "yes" if drift.drifted else "not shown",
        }
    ]
    for loss, share in known:
        level = spec.budget * share
        signs = beyond(loss, spec.margin, level)
        if not drift.drifted:
            records.append({
                "question": f"Is the {loss.kind} loss above the reference's?",
                "value": loss.p_value, "as": "p-value", "limit": f"at most {level:g}",
                "answer": "yes" if loss.p_value <= level else "not shown",
            })  # fmt: skip
            continue
        records.append({
            "question": f"How much worse is {_by(drift)} ({loss.kind}) than the reference's?",
            "value": loss.fall.value / loss.scale if loss.scale else None, "as": "share of it",
            "limit": f"over {spec.margin:g}, shown at {level:g}",
            "answer": "yes" if "fall" in signs else "not shown",
        })  # fmt: skip
        if math.isfinite(loss.excess.value):
            records.append({
                "question": "How far is the loss above what the scores promise?",
                "value": loss.excess.value, "as": "share of the test rows' loss",
                "limit": f"over {spec.margin:g}, shown at {level:g}",
                "answer": "yes" if "excess" in signs else "not shown",
            })  # fmt: skip
    records.append({
        "question": "Are rows like hardly any that the model was tested on?",
        "value": drift.unsupported, "as": "share of rows",
        "limit": f"over {SUPPORT_LIMIT:g}, where inputs changed",
        "answer": "yes" if (drift.unsupported or 0) > SUPPORT_LIMIT and drift.drifted else "no",
    })  # fmt: skip
    note = (
        f"Of windows that nothing happened to, {spec.budget:g} may raise an alarm, and no more"
        " than that drift. Where labels are there for half of the rows they decide alone."
    )
    return Table.of(f"How the decision was made: {drift.outcome}", records, note)


def _metrics(drift: Drift) -> Table:
    named = {
        f"{drift.metric}, test rows of the training": drift.reference,
        f"{drift.metric}, this window, estimated without labels": drift.estimated,
        f"{drift.metric}, this window, realised": drift.realised,
        "ROC AUC of a classifier that tells the window from the reference": drift.separation,
    }
    records = [
        {"what": name, "value": e.value, "low": e.low, "high": e.high}
        for name, e in named.items()
        if e is not None
    ]
    return Table.of(f"{drift.metric}, then and now", records, "low and high: 95% interval.")


def _columns(changes: Changes, drift: Drift) -> Table:
    adjusted = changes.adjusted
    ordered = sorted(changes.tests, key=lambda test: (adjusted[test.column], -test.distance))
    records = [
        {
            "column": test.name,
            "outcome": "changed" if test.column in drift.drifted else "as before",
            "p-value": adjusted[test.column],
            "distance": test.distance,
            "PSI": test.psi,
            "shift (SD)": test.shift,
            "missing then": test.missing_before,
            "missing now": test.missing_now,
            "outside": test.outside,
        }
        for test in ordered
    ]
    note = (
        "p-values are adjusted for all that was looked at (Holm). distance: Jensen-Shannon, 0 to"
        " 1. PSI: population stability index; above 0.2 is often called a large change. outside:"
        " share of rows beyond every value, or of a level, that the reference has."
    )
    return Table.of("What changed, column by column", records, note)


def _history(lines: Sequence[dict[str, Any]]) -> Table:
    keys = ("reference", "estimated", "realised")
    records = [
        {
            "window": line["window"],
            "version": line["version"],
            "outcome": line["outcome"],
            "harm": line["harm"],
            "rows": line["num_rows"],
            "labels": line["num_labelled"],
            **{key: (line.get(key) or {}).get("value") for key in keys},
            "separation": (line.get("separation") or {}).get("value"),
            "changed": ", ".join(line["drifted"][:5]),
        }
        for line in reversed(lines)
    ]
    return Table.of("Windows so far, the latest first", records)


def _notes(
    drift: Drift, layout: Layout, spec: MonitorSpec, found: Found, reference: Reference
) -> list[str]:
    notes = [drift.why]
    if found.absent:
        notes.append(f"Absent, and therefore missing in each row: {', '.join(found.absent)}.")
    if found.unread:
        counts = ", ".join(f"{name} {count}" for name, count in found.unread.items())
        notes.append(f"Values that could not be read, and count as missing: {counts}.")
    if found.foreign:
        notes.append(f"{found.foreign} labels are no class of the model and were left out.")
    if not layout.classes:
        notes.append(
            "Performance without labels is not estimable for a number: nothing in a predicted value"
            " says how wrong it is. Drift of inputs and predictions is tested, and errors once"
            " labels come."
        )
    if 0 < drift.num_labelled < spec.min_labels:
        notes.append(
            f"{drift.num_labelled} labels are fewer than monitor.min_labels ({spec.min_labels}):"
            " they do not speak for themselves yet."
        )
    if reference.sample is None:
        notes.append(
            "No rows travel with the model (profile.sample_rows: 0), so no classifier compares all"
            " columns together."
        )
    elif drift.separation is None:
        notes.append("Too few rows for the classifier that compares all columns together.")
    else:
        notes.append(
            f"Without support: rows beyond what the reference holds, or in the region that holds"
            f" {RARE:.0%} of it."
        )
    return notes


def groups_of(
    reference: Reference,
    layout: Layout,
    found: Found,
    losses: NDArray[np.float64],
    spec: BiasSpec,
    of: Callable[[Scored, Groups], Quantities] | None = None,
) -> dict[str, Table]:
    """Realised quantities of each group, and the gaps between groups, where labels came.

    ``of`` is what the task compares between groups.
    """
    names = [name for name in reference.groups if name in found.columns.column_names]
    if len(losses) < 2 or not names:
        return {}
    known = found.known
    rows = Scored(found.target, known.scores, known.decided, losses, layout, reference.metric)
    tables, gaps = {}, []
    for name in names:
        grouping = reference.grouping(name)
        every = groups.names_of(grouping)
        codes = groups.codes(found.columns[name], grouping)[found.labelled]
        named = np.array([group not in (groups.OTHER, groups.MISSING) for group in every])
        by = Groups(name, every, codes, named)
        tables[f"groups: {name}"] = _group_table(reference, rows, by, of)
        gaps += [
            {"column": name, "quantity": quantity, "value": value}
            for quantity, value in fairness.summary(rows, by, spec.min_rows).items()
        ]
    note = f"Over groups of at least {spec.min_rows} labelled rows."
    return tables | {"gaps": Table.of("Gaps between groups, realised", gaps, note)}


def _group_table(reference: Reference, rows: Scored, by: Groups, of: Any) -> Table:
    found = quantities(rows, by, SEED, of)
    before = reference.groups[by.name]["groups"]
    records = []
    for i, group in enumerate(by.names):
        if not by.sizes[i]:
            continue
        declared = found[rows.metric][i]
        record: dict[str, Any] = {by.name: group, "labels": int(by.sizes[i])}
        record |= {rows.metric: declared.value, "low": declared.low, "high": declared.high}
        record["test rows"] = (before.get(group) or {}).get("metric")
        record |= {n: each[i].value for n, each in found.items() if n != rows.metric}
        records.append(record)
    note = f"low and high: 95% interval of {rows.metric}; test rows: its value at the training."
    return Table.of(f"Groups of {by.name}, realised", records, note)
