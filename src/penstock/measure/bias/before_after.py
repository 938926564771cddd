"""What a mitigation does: every quantity before and after, also those that get worse."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.evidence import Table
from penstock.measure import metrics
from penstock.measure.bias import fairness
from penstock.measure.bias.by_group import Groups, Scored, shares
from penstock.spec import BiasSpec

SAME = 5e-4
"""A smaller change is none (house choice: half of the third decimal)."""


def compared(
    before: Scored, after: Scored, columns: list[Groups], spec: BiasSpec
) -> tuple[Table, str]:
    """Every quantity before and after, side by side, and one sentence that sums it up.

    Parameters
    ----------
    before, after : Scored
        The same rows, as the model without and with mitigation scores and decides them.
    columns : list of Groups
        Of every sensitive column, mitigated or not.
    spec : BiasSpec
        The mitigation, and the fewest rows of a group.
    """
    records = _changes("", _overall(before), _overall(after), after.metric)
    for by in columns:
        old, new = (fairness.summary(rows, by, spec.min_rows) for rows in (before, after))
        records += _changes(by.name, old, new, after.metric)
        if after.num_classes == 2:
            old, new = (_of_groups(rows, by) for rows in (before, after))
            records += _changes(by.name, old, new, after.metric)
    column = spec.column or columns[0].name
    words = {
        effect: ", ".join(
            f"{r['quantity']}{' by ' + r['column'] if r['column'] else ''}"
            f" {r['before']:.3f} to {r['after']:.3f}"
            for r in records
            if r["effect"] == effect
        )
        or "nothing"
        for effect in ("better", "worse")
    }
    told = f"Mitigation ({spec.mitigation} by {column}). Better: {words['better']}. Worse:"
    told += f" {words['worse']}."
    if spec.mitigation == "thresholds":
        told += f" The thresholds need {column} at prediction time."
    note = "The same test rows. Rates of a group have no better side by themselves."
    return Table.of("Before and after mitigation", records, note), told


def _overall(rows: Scored) -> dict[str, float | None]:
    """What a mitigation may cost."""
    found: dict[str, float | None] = {}
    if rows.num_classes:
        found["accuracy"] = float(np.mean(rows.decided == rows.target))
    found[rows.metric] = rows.declared(np.arange(len(rows.target)))
    found["log_loss" if rows.num_classes else "mean_loss"] = float(rows.losses.mean())
    return found


def _of_groups(rows: Scored, by: Groups) -> dict[str, float | None]:
    counts = by.rates(rows.target, rows.decided)
    return {
        f"{name} of {group}": estimate.value
        for name in ("selection_rate", *fairness.RATES)
        for group, estimate in zip(by.names, shares(*counts[name]), strict=True)
    }


def _changes(
    column: str, before: dict[str, float | None], after: dict[str, float | None], metric: str
) -> list[dict[str, Any]]:
    records = []
    for name, old in before.items():
        new = after[name]
        change = None if old is None or new is None else new - old
        record = {"column": column, "quantity": name, "before": old, "after": new}
        records.append(record | {"change": change, "effect": _effect(name, change, metric)})
    return records


def _effect(name: str, change: float | None, metric: str) -> str:
    """Whether a change is for the better; empty where a quantity has no better side.

    Examples
    --------
    >>> _effect("demographic_parity_ratio", 0.2, "rmse"), _effect("worst_group_rmse", 1.0, "rmse")
    ('better', 'worse')
    """
    lower = {"log_loss", "mean_loss", "worst_group_rise", "demographic_parity_difference",
             "equalized_odds_difference"}  # fmt: skip
    higher = {"accuracy", "demographic_parity_ratio"}
    own = higher if metrics.of(metric).better == "higher" else lower
    own |= {metric, f"worst_group_{metric}"}
    if change is None or name not in lower | higher:
        return ""
    if abs(change) < SAME:
        return "same"
    return "better" if (change > 0) == (name in higher) else "worse"
