"""Where is the model weak? Its loss by level of each category column.

The worst of many slices looks bad by chance, so the one that looks worst on half of the test
rows is measured on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.evidence import Check, Table
from penstock.measure.intervals import mean_interval
from penstock.records import Layout

MIN_ROWS = 50
"""Fewer rows in a slice say `insufficient` (house choice)."""
MOST_DISTINCT = 0.5
"""Levels by row from which a column is no grouping (house choice)."""
MAX_LEVELS = 20
"""Most levels shown a column, the most frequent ones (house choice)."""


@dataclass(frozen=True)
class Slices:
    """The table, and the check on the worst slice; both empty without a category column."""

    table: Table | None
    checks: list[Check]


def by_level(table: pa.Table, layout: Layout, losses: NDArray[np.floating], seed: int) -> Slices:
    """Mean loss in each slice.

    Parameters
    ----------
    table : pa.Table
        Test rows.
    layout : Layout
        Its category columns, sensitive ones too, are sliced.
    losses : float[n]
        Loss of each row.
    seed : int
        Of the halves.
    """
    names = [
        column.name
        for column in layout.columns
        if column.modality == "category" and column.role in ("feature", "metadata")
    ]
    masks = {(name, level): mask for name in names for level, mask in _levels(table[name]).items()}
    if not masks:
        return Slices(None, [])
    overall = float(losses.mean())
    records: list[dict[str, Any]] = []
    for (name, level), mask in masks.items():
        low, high = mean_interval(losses[mask])
        enough = int(mask.sum()) >= MIN_ROWS
        record = {"column": name, "level": level, "rows": int(mask.sum())}
        record |= {"loss": float(losses[mask].mean()), "low": low, "high": high}
        record["against all"] = f"{losses[mask].mean() / overall - 1:+.0%}" if overall else ""
        records.append(record if enough else {**record, "against all": "insufficient"})
    records.sort(key=lambda record: (record["against all"] == "insufficient", -record["loss"]))
    note = f"The mean loss of all test rows is {overall:.4f}. Intervals: 95%."
    checks = _worst(masks, losses, seed)
    return Slices(Table.of("Loss by slice", records, note), checks)


def _levels(column: pa.ChunkedArray) -> dict[str, NDArray[np.bool_]]:
    text = column.cast(pa.string())
    counts = pc.value_counts(text.drop_null())
    if len(counts) > MOST_DISTINCT * len(text):
        return {}  # it names rows, not groups
    order = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:MAX_LEVELS]
    levels = counts.field("values").take(pa.array(order)).to_pylist()
    masks = {level: pc.equal(text, level).fill_null(False).to_numpy() for level in levels}
    if text.null_count:
        masks["(missing)"] = pc.is_null(text).to_numpy()
    return masks


def _worst(
    masks: dict[tuple[str, str], NDArray[np.bool_]], losses: NDArray[np.floating], seed: int
) -> list[Check]:
    """The slice that looks worst on one half of the rows, measured on the other half."""
    first = np.random.default_rng(seed).random(len(losses)) < 0.5
    large = [
        key
        for key, mask in masks.items()
        if (mask & first).sum() >= MIN_ROWS and (mask & ~first).sum() >= MIN_ROWS
    ]
    overall = float(losses[~first].mean()) if (~first).any() else 0.0
    if not large or overall <= 0:
        return [
            Check(
                name="weak_slice",
                stage="evaluate",
                enough=False,
                burden="disprove",
                why=f"No slice has {MIN_ROWS} test rows in each half.",
                remedy="bring more test rows",
            )
        ]
    name, level = max(large, key=lambda key: float(losses[masks[key] & first].mean()))
    held_out = losses[masks[name, level] & ~first]
    low, high = mean_interval(held_out)
    rise = float(held_out.mean()) / overall - 1
    return [
        Check(
            name="weak_slice",
            stage="evaluate",
            subject=f"{name} = {level}",
            value=rise,
            low=low / overall - 1,
            high=high / overall - 1,
            burden="disprove",
            why=f"Where {name} is {level}, the loss is {rise:+.0%} against all rows, measured on"
            f" {len(held_out)} rows that did not choose it.",
            remedy="bring more rows of this slice, or treat its predictions with care",
        )
    ]
