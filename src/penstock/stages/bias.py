"""Compare what the model does to the groups of each sensitive column.

Deep learning amplifies bias: a network finds the old decisions in its rows, and repeats them
more sharply than they were made. A good mean over all rows says nothing of it, so every rate
is measured by group, and a group too small to be measured is never called fair.

Fitted, Scorecard, train rows, test rows -> Findings
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from penstock import tasks
from penstock.errors import BadInput, Mistake
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.measure.bias import before_after, fairness
from penstock.measure.bias.by_group import (
    Groups,
    Quantities,
    Scored,
    quantities,
    selection_of_classes,
    shares,
)
from penstock.measure.predictions import restored
from penstock.model import Model
from penstock.ports import Progress, Store
from penstock.records import Estimate, Findings, Fitted, Layout, Policy, Rows, Scorecard
from penstock.spec import BiasSpec
from penstock.tables.typed import noting

INTERVALS = (
    "Intervals: 95%; Wilson for shares, standard error for means, bootstrap over the group's rows"
    " for the declared metric."
)
MOST_CROSSED = 100
"""Most intersections with numbers, the largest ones (house choice: seconds)."""
RATES = {"true_positive_rate": "true positive rate", "false_positive_rate": "false positive rate"}


def bias(
    fitted: Fitted,
    scorecard: Scorecard,
    train: Rows,
    test: Rows,
    sensitive: list[str],
    spec: BiasSpec,
    plain_fitted: Fitted | None,
    plain_policy: Policy | None,
    seed: int,
    store: Store,
    progress: Progress,
) -> Findings:
    """Measure every sensitive column by group, on the test rows.

    Parameters
    ----------
    fitted : Fitted
        The model that is judged; its declared metric is shown by group.
    scorecard : Scorecard
        Its predictions and decisions on the test rows.
    train, test : Rows
        The groups are those of the training rows, applied to the test rows.
    sensitive : list of str
        Columns whose groups are compared; they need not be features.
    spec : BiasSpec
        The gated quantity and the fewest rows of a group.
    plain_fitted, plain_policy : Fitted and Policy, or None
        The model and its decisions before mitigation; None when there is none.
    seed : int
        Of resamples and of the permutation tests.
    store, progress
        Where rows are; who is told.

    Raises
    ------
    BadInput
        When a sensitive column is not in the rows or cannot make groups, or the criterion is
        not one of the task's.
    """
    task, predictions = tasks.load(fitted.layout.task), store.table(scorecard.predictions)
    exposed = task.exposure(predictions, lambda: Model.of(fitted, store), seed)
    if not sensitive:
        named = Evidence(notes=["No sensitive columns are named."])
        return Findings(evidence=named.joined(exposed))
    criterion = fairness.criterion_of(spec, fitted.layout)
    sensitive = list(dict.fromkeys(sensitive))
    rows = _scored(fitted, predictions)
    columns = _groups(fitted.layout, store, train, test, sensitive)
    before = _before(plain_fitted, plain_policy, rows, store, test) if plain_fitted else None
    checks: list[Check] = []
    tables: dict[str, Table] = {}
    figures: dict[str, Figure] = {}
    for done, by in enumerate(columns):
        progress(done, len(columns), by.name)
        checks += fairness.Judging(rows, by, criterion, spec.min_rows, seed).checks()
        found = quantities(rows, by, seed, task.quantities)
        tables |= _tables(rows, by, found, spec)
        figures |= _figures(rows, by, found, before)
    tables["gaps"] = _gaps(rows, columns, criterion, spec)
    if len(columns) > 1:
        tables["intersections"] = _intersections(rows, columns, spec, seed)
    notes = [_gated(criterion, spec)]
    if before is not None:
        tables["mitigation"], told = before_after.compared(before, rows, columns, spec)
        notes.append(told)
    progress(len(columns), len(columns), "done")
    evidence = Evidence(checks=checks, tables=tables, figures=figures, notes=notes)
    return Findings(evidence=evidence.joined(exposed))


def _scored(fitted: Fitted, predictions: pa.Table) -> Scored:
    """The scorecard's rows as arrays."""
    layout = fitted.layout
    scores = tasks.load(layout.task).answers(predictions, layout).scores
    target, decided = (restored(predictions[name]) for name in ("_target", "_decided"))
    losses = predictions["_row_loss"].to_numpy().astype(np.float64)
    return Scored(target, scores, decided, losses, layout, fitted.metric)


def _groups(
    layout: Layout, store: Store, train: Rows, test: Rows, sensitive: list[str]
) -> list[Groups]:
    """The groups of each column, or every mistake in their names."""
    known = [column.name for column in layout.columns]
    mistakes = [
        Mistake("data.sensitive names columns of the data", name, "data.sensitive",
                f"use some of: {', '.join(known)}")
        for name in sensitive if name not in known
    ]  # fmt: skip
    if mistakes:
        raise BadInput(mistakes)
    seen, new = store.table(train, sensitive), store.table(test, sensitive)
    found = []
    for name in sensitive:
        rule = "a sensitive column holds names, numbers or times"
        with noting(mistakes, rule, name, "take it out of data.sensitive"):
            found.append(Groups.of(seen[name], new[name], name))
    if mistakes:
        raise BadInput(mistakes)
    return found


def _before(
    fitted: Fitted, policy: Policy | None, rows: Scored, store: Store, test: Rows
) -> Scored:
    """The same test rows, as the model before mitigation scores and decides them."""
    model = Model.of(fitted, store, policy)
    table = store.table(test)
    scores = model.scores(table)
    losses = tasks.load(fitted.layout.task).row_losses(scores, rows.target).astype(np.float64)
    decided = model.decided(table, scores)
    return Scored(rows.target, scores, decided, losses, rows.layout, rows.metric)


def _gated(criterion: str, spec: BiasSpec) -> str:
    said = "bias.criterion: auto" if spec.criterion == "auto" else "bias.criterion"
    return (
        f"{criterion} is gated ({said}); other quantities are notes. A gap fails its gate only if"
        " it is beyond the limit and chance alone does not explain it: of the pairs of groups for"
        " which that is so, the check shows the widest."
    )


def _tables(rows: Scored, by: Groups, found: Quantities, spec: BiasSpec) -> dict[str, Table]:
    values, intervals = [], []
    for i, (group, size) in enumerate(zip(by.names, by.sizes.tolist(), strict=True)):
        record: dict[str, Any] = {by.name: group, "rows": size}
        record |= {name: estimates[i].value for name, estimates in found.items()}
        values.append(record | {"judged": "yes" if size >= spec.min_rows else "insufficient"})
        intervals += [
            {by.name: group, "quantity": name} | estimates[i].model_dump()
            for name, estimates in found.items()
        ]
    tables = {
        f"groups: {by.name}": Table.of(f"Groups of {by.name}", values, _reading(rows)),
        f"intervals: {by.name}": Table.of(f"Intervals by {by.name}", intervals, INTERVALS),
    }
    if rows.num_classes > 2:
        records = selection_of_classes(rows, by)
        title = f"How often each class is decided, by {by.name}"
        tables[f"classes: {by.name}"] = Table.of(title, records, INTERVALS)
    return tables


def _reading(rows: Scored) -> str:
    if rows.num_classes == 2:
        label = rows.layout.classes[1]
        return (
            f"Positive and selected: {label!r}. calibration is the mean probability of it less its"
            " share; mean_loss is the log-loss in nats."
        )
    if rows.num_classes:
        return "mean_loss is the log-loss in nats."
    if tasks.load(rows.layout.task).TARGET == "number":
        return "mean_residual is prediction less target; mean_loss is the mean squared error."
    return "mean_loss is the mean loss of the group's rows."


def _gaps(rows: Scored, columns: list[Groups], criterion: str, spec: BiasSpec) -> Table:
    records = [
        {"column": by.name, "quantity": name, "value": value}
        for by in columns
        for name, value in fairness.summary(rows, by, spec.min_rows).items()
    ]
    note = (
        f"Over groups with at least {spec.min_rows} test rows, whether or not chance explains"
        f" them; {criterion} is gated."
    )
    return Table.of("Gaps between groups", records, note)


def _intersections(rows: Scored, columns: list[Groups], spec: BiasSpec, seed: int) -> Table:
    """Groups by all columns at once; those with too few rows are listed without numbers."""
    by = Groups.crossed(columns)
    sizes = by.sizes
    num_judged = min(int((sizes >= spec.min_rows).sum()), MOST_CROSSED)
    large = by.codes < num_judged  # groups stand by size
    kept = Groups(by.name, by.names[:num_judged], by.codes[large], by.named[:num_judged])
    of = tasks.load(rows.layout.task).quantities
    found = quantities(rows.of(large), kept, seed, of) if num_judged else {}
    records = []
    for i, (group, size) in enumerate(zip(by.names, sizes.tolist(), strict=True)):
        record: dict[str, Any] = {by.name: group, "rows": size}
        judged = "yes" if i < num_judged else "not shown"
        record["judged"] = judged if size >= spec.min_rows else "insufficient"
        for name, estimates in found.items():
            shown = estimates[i] if i < num_judged else Estimate(value=None)
            record[name] = shown.value
            if name in ("selection_rate", "mean_loss", rows.metric):
                record |= {f"{name} low": shown.low, f"{name} high": shown.high}
        records.append(record)
    note = f"Groups with fewer than {spec.min_rows} test rows are insufficient. {INTERVALS}"
    return Table.of(f"Groups by {by.name}", records, note)


def _figures(
    rows: Scored, by: Groups, found: Quantities, before: Scored | None
) -> dict[str, Figure]:
    figures = {}
    if rows.num_classes == 2:
        label = rows.layout.classes[1]
        selected = {"selected": found["selection_rate"], "true share": found["base_rate"]}
        figures[f"selection: {by.name}"] = _bars(
            f"Share decided {label!r}, by {by.name}", "share of rows", by, selected,
            "Lines are 95% intervals. Where the selected share differs more between groups than"
            " the true share, the model widens what is in the rows.",
        )  # fmt: skip
        errors = {words: found[name] for name, words in RATES.items()}
        figures[f"errors: {by.name}"] = _bars(
            f"Right and wrong selections, by {by.name}", "share", by, errors,
            "Of rows that are positive, and of rows that are not; lines are 95% intervals.",
        )  # fmt: skip
    elif "mean_residual" in found:
        figures[f"residual: {by.name}"] = _bars(
            f"Mean residual, by {by.name}", f"prediction less {rows.layout.target}", by,
            {"mean residual": found["mean_residual"]},
            "Above 0: predicted too high. Lines are 95% intervals.",
        )  # fmt: skip
    figures[f"loss: {by.name}"] = _bars(
        f"Mean loss, by {by.name}", "mean loss", by, {"mean loss": found["mean_loss"]},
        f"Of all rows: {rows.losses.mean():.4g}. Lines are 95% intervals.",
    )  # fmt: skip
    if before is not None and rows.num_classes == 2:
        earlier = shares(*by.rates(before.target, before.decided)["selection_rate"])
        both = {"before": earlier, "after": found["selection_rate"]}
        figures[f"mitigation: {by.name}"] = _bars(
            f"Share decided {rows.layout.classes[1]!r} before and after mitigation, by {by.name}",
            "share of rows", by, both, "Lines are 95% intervals.",
        )  # fmt: skip
    return figures


def _bars(
    title: str, unit: str, by: Groups, estimates: dict[str, list[Estimate]], note: str
) -> Figure:
    series = [
        Series(
            name=name, style="bars", x=list(by.names), y=[e.value for e in each],
            low=[e.low for e in each], high=[e.high for e in each],
        )
        for name, each in estimates.items()
    ]  # fmt: skip
    return Figure(title=title, x=by.name, y=unit, series=series, note=note)
