"""Slices of the test rows by what every column holds, whatever kind of column it is.

A model aces its test rows on the whole and fails in the dark, on long texts, at night. Which rows
those are, the views say that each modality has of a value; nothing here knows what they mean.

test rows, their losses -> Evidence
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock import contents, modalities, plugins, tasks
from penstock.evidence import Check, Evidence
from penstock.measure import slices
from penstock.measure.bins import Cut, Said
from penstock.measure.slices import Sliced, Worst
from penstock.records import Column, Layout

ROLES = ("feature", "metadata", "group", "time")
"""Columns that make slices, beside what is read."""
MOST = {"bytes": 2_000, "text": 20_000}
"""Test rows that are looked at where that takes time: files, texts (house choice, measured on one
core: 1 s for small pictures and sounds, 70 s for photos of 9 million pixels; 4 s for texts of 300
words). A slice has two hundred rows in each half then."""
MOST_PAST = {"bytes": 500, "text": 5_000}
"""Training rows in which the worst slice is looked for, there (house choice)."""


def weak(
    train: pa.Table, test: pa.Table, layout: Layout, losses: NDArray[np.floating], seed: int
) -> Evidence:
    """The check ``weak_slice``, the table of slices, and the worst view as a picture.

    Parameters
    ----------
    train, test : pa.Table
        Raw rows. Slices are cut at quantiles of test rows, which makes them large enough to
        measure where test rows differ from training rows, and reads no training file.
    layout : Layout
        Its columns.
    losses : float[n]
        Loss of each test row.
    seed : int
        Of the halves.
    """
    found: dict[int, tuple[Column, str]] = {}
    sliced = []
    for column in _columns(layout):
        for view, one in _sliced(test[column.name], column):
            found[id(one)] = column, view
            sliced.append(one)
    sliced = slices.several(sliced)
    if not sliced:
        return Evidence()
    worst = slices.worst(sliced, losses, seed)
    tables = {"slices": slices.table(sliced, losses)}
    if isinstance(worst, Check):
        return Evidence(checks=[worst], tables=tables)
    column, view = found[id(worst.sliced)]
    check = worst.check(_before(worst, train[column.name], column, view))
    figures = {"slices": slices.figure(worst.sliced, losses)} if worst.low > 0 else {}
    return Evidence(checks=[check], tables=tables, figures=figures)


def _columns(layout: Layout) -> list[Column]:
    """What is read, and what stands beside it, of known modalities; no names of files."""
    read = {column.name for column in tasks.load(layout.task).inputs(layout)}
    names = {layout.named_by(column.name) for column in layout.columns}
    return [
        column
        for column in layout.columns
        if (column.name in read or (column.role in ROLES and column.name != layout.target))
        and column.modality in plugins.modules("penstock.modalities")
        and column.name not in names
    ]


def _sliced(values: pa.ChunkedArray, column: Column) -> list[tuple[str, Sliced]]:
    modality = modalities.load(column.modality)
    rows = contents.looked_at(len(values), MOST.get(modality.HOLDS, len(values)))
    seen = contents.seen(values, column, rows)
    none = pc.is_null(values).take(pa.array(rows)).combine_chunks()
    found = []
    for view, those in seen.items():
        said = getattr(modality, "SAID", {}).get(view, Said())
        label = column.name if len(seen) == 1 or said.date else f"{column.name} {view}"
        cut = Cut.of(those, label, said, column.name if those.is_null().equals(none) else label)
        codes = np.full(len(values), -1)
        codes[rows] = cut.codes(those)
        found.append((view, Sliced(cut, codes, len(rows))))
    return found


def _before(worst: Worst, values: pa.ChunkedArray, column: Column, view: str) -> str:
    """How often training rows are in the slice, beside test rows."""
    most = MOST_PAST.get(modalities.load(column.modality).HOLDS, len(values))
    rows = contents.looked_at(len(values), most)
    then = worst.sliced.cut.codes(contents.seen(values, column, rows)[view])
    past = float(np.mean(then == worst.code))
    now = float(np.sum(worst.sliced.codes == worst.code)) / worst.sliced.looked_at
    return f" Of {len(rows)} training rows {past:.1%} are such, of the test rows {now:.1%}."
