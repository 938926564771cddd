"""Rows whose label a model that never saw them does not believe.

Confident learning (Northcutt, Jiang and Chuang, 2021): a class is believed of a row where its
probability reaches what it has, in the mean, in the rows that bear its label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Table

SHOWN_ROWS = 24


@dataclass(frozen=True)
class Suspects:
    """Rows that look mislabelled, the surest first.

    Attributes
    ----------
    rows : int64[k]
        Their numbers.
    given, believed : int64[k]
        Class codes: the label, and what the model takes it for.
    margin : float64[k]
        Probability of the latter less that of the former.
    """

    rows: NDArray[np.int64]
    given: NDArray[np.int64]
    believed: NDArray[np.int64]
    margin: NDArray[np.float64]


def suspects(scores: NDArray[np.floating], given: NDArray[np.int64]) -> Suspects:
    """Find them.

    Parameters
    ----------
    scores : float[n, classes]
        Probabilities of a model that did not learn from these rows.
    given : int64[n]
        Class codes.

    Examples
    --------
    >>> scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]])
    >>> suspects(scores, np.array([0, 0, 1, 1, 1])).rows.tolist()
    [4]
    """
    every = np.arange(len(given))
    one = np.eye(scores.shape[1])[given]
    counts = one.sum(axis=0)
    usual = np.where(counts > 0, (one * scores).sum(axis=0) / np.maximum(counts, 1), np.inf)
    sure = np.where(scores >= usual, scores, -1.0)
    believed = sure.argmax(axis=1)
    margin = (scores[every, believed] - scores[every, given]).astype(np.float64)
    rows = np.flatnonzero((sure.max(axis=1) >= 0) & (believed != given) & (margin > 0))
    rows = rows[np.argsort(-margin[rows], kind="stable")]
    return Suspects(rows, given[rows], believed[rows], margin[rows])


def table(found: Suspects, classes: list[str], num_rows: int) -> Table:
    """How many rows of each label are taken for which other one."""
    pairs, counts = np.unique(
        np.stack([found.given, found.believed], axis=1), axis=0, return_counts=True
    )
    records = [
        {"label": classes[pair[0]], "looks like": classes[pair[1]], "rows": int(count)}
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]
    records.sort(key=lambda record: -int(record["rows"]))
    note = (
        f"{len(found.rows)} of {num_rows} test rows: their label is less probable than another"
        " class that is as probable as it usually is in rows of its own (confident learning:"
        " Northcutt, Jiang and Chuang, 2021). A label may be wrong there, or the model."
    )
    return Table.of("Suspected label errors", records, note)


def rows_table(
    found: Suspects, classes: list[str], names: Mapping[str, Sequence[str | None]] | None = None
) -> Table:
    """The surest of them one by one, with columns of names of their files where they are known."""
    records: list[dict[str, Any]] = [
        {"row": row, "label": classes[given], "looks like": classes[believed], "margin": margin}
        for row, given, believed, margin in zip(
            found.rows[:SHOWN_ROWS].tolist(),
            found.given.tolist(),
            found.believed.tolist(),
            found.margin.round(4).tolist(),
            strict=False,
        )
    ]
    for name, values in (names or {}).items():
        for record, value in zip(records, values, strict=False):
            record[name] = value
    note = "Rows are counted from 0 in the test part; margin: how much more probable."
    return Table.of("The test rows whose label is believed least", records, note)
