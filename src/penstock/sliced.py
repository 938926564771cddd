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
from penstock.measure import slice_tables, slices
from penstock.measure.bins import Cut, Said
from penstock.measure.slices import Sliced, Worst
from penstock.records import Column, Layout

ROLES = ("feature", "metadata", "group", "time")
"""Columns that make slices, beside what is read."""
MOST = {"bytes": 2_000, "text": 10_000}
"""Test rows that are looked at where that takes time: files, texts (house choice, measured on one
core: 1 s for small pictures and sounds, 70 s for photos of 9 million pixels; 2 s for texts of 300
words). A slice has two hundred rows in each half then."""
MOST_PAST = {"bytes": 500, "text": 2_500}
"""Training rows in which the worst slice is looked for, there (house choice)."""

RARE = 0.5
"""Training has met few rows of a slice where their share is smaller than so much of that in the
test (house choice)."""


def weak(
    train: pa.Table,
    test: pa.Table,
    layout: Layout,
    losses: NDArray[np.floating],
    others: dict[str, NDArray[np.floating]],
    seed: int,
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
    others : dict of str to float[n]
        The same of simpler models, by their names.
    seed : int
        Of the halves.
    """
    columns = {column.name: column for column in _columns(layout)}
    every = [one for column in columns.values() for one in _sliced(test[column.name], column)]
    found = slices.several(every)
    if not found:
        return Evidence()
    worst = slices.worst(found, losses, seed)
    tables = {"slices": slice_tables.table(found, losses)}
    if isinstance(worst, Check):
        return Evidence(checks=[worst], tables=tables)
    users = tasks.load(layout.task).USERS  # their training rows are examples of another kind
    past = None if users else _before(worst, train, columns)
    check = worst.check(_beside(worst, found, past, others), _remedy(worst, past))
    figures = {"slices": slice_tables.figure(worst.slices[0][0], losses)} if worst.low > 0 else {}
    return Evidence(checks=[check], tables=tables, figures=figures)


def _columns(layout: Layout) -> list[Column]:
    """What is read, and what stands beside it, of known modalities; no names of files."""
    read = {column.name for column in tasks.load(layout.task).inputs(layout)}
    names = {layout.named_by(c.name) for c in layout.columns if c.arrow_type == "binary"}
    return [
        column
        for column in layout.columns
        if (column.name in read or (column.role in ROLES and column.name != layout.target))
        and column.modality in plugins.modules("penstock.modalities")
        and column.name not in names
    ]


def _sliced(values: pa.ChunkedArray, column: Column) -> list[Sliced]:
    modality = modalities.load(column.modality)
    rows = contents.looked_at(len(values), MOST.get(modality.HOLDS, len(values)))
    seen = contents.views_of_rows(modality, values, rows)
    none = pc.is_null(values).take(pa.array(rows)).combine_chunks()
    found = []
    for view, those in seen.items():
        said = getattr(modality, "SAID", {}).get(view, Said())
        label = column.name if len(seen) == 1 or said.date else f"{column.name} {view}"
        cut = Cut.of(those, label, said, column.name if those.is_null().equals(none) else label)
        codes = np.full(len(values), -1)
        codes[rows] = cut.codes(those)
        found.append(Sliced(column.name, view, cut, codes, len(rows)))
    return found


def _before(worst: Worst, train: pa.Table, columns: dict[str, Column]) -> tuple[float, int]:
    """The share of training rows that are in the worst slice, and of how many rows it is."""
    known = [modalities.load(columns[one.column].modality) for one, _ in worst.slices]
    most = min(MOST_PAST.get(modality.HOLDS, train.num_rows) for modality in known)
    rows = contents.looked_at(train.num_rows, most)
    then = np.ones(len(rows), dtype=np.bool_)
    for modality, (one, code) in zip(known, worst.slices, strict=True):
        seen = contents.views_of_rows(modality, train[one.column], rows)
        then &= one.cut.codes(seen[one.view]) == code
    return float(then.mean()), len(rows)


def _beside(
    worst: Worst,
    found: list[Sliced],
    past: tuple[float, int] | None,
    others: dict[str, NDArray[np.floating]],
) -> str:
    """What else tells these rows apart, how often training met such ones, and whether the best
    simpler model finds them hard too."""
    said = []
    if same := slices.nearly_equal(worst, found):
        said.append(f"Nearly the same rows: {' or '.join(same)}.")
    if past is not None:
        then, num_rows = past
        said.append(
            f"Of {num_rows} training rows {then:.1%} are such, of the test rows {worst.share:.1%}."
        )
    means = {name: float(theirs.mean(dtype=np.float64)) for name, theirs in others.items()}
    best = min(means, key=means.__getitem__, default="")
    if best and np.isfinite(rise := worst.rise_of(others[best])):
        said.append(f"The {best.replace('_', ' ')} baseline's loss is {rise:+.0%} there.")
    return " ".join(said)


def _remedy(worst: Worst, past: tuple[float, int] | None) -> str:
    """More rows, where training has met few such ones."""
    if past is None:
        return "bring more rows of this slice, or treat its predictions with care"
    if past[0] < RARE * worst.share:
        return "bring more training rows of this slice: they are rarer there than in the test"
    return (
        "training has met such rows too: look at their labels, bring what tells them apart, or"
        " treat their predictions with care"
    )
