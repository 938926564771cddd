"""What changed in a window: column by column, in the predictions, in all columns together.

Reference, Found -> Changes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.measure import sketches
from penstock.measure.drift import alarm, column_tests, two_sample
from penstock.measure.drift.column_tests import ViewTest
from penstock.measure.drift.reference import Reference
from penstock.measure.drift.two_sample import TwoSample
from penstock.measure.predictions import Answers

SEED = 0
"""Of draws, folds and samples: equal windows, equal answers."""
PREDICTIONS, TOGETHER = "predictions", "all columns together"

ViewsOf = Callable[[str, pa.ChunkedArray], dict[str, pa.Array]]
"""What a modality compares a column by."""


@dataclass(frozen=True)
class Found:
    """What a window holds, typed and scored.

    Attributes
    ----------
    window : str
        Its name.
    columns : pa.Table
        Typed, of every column that is there.
    absent : list of str
        Columns that the model reads and that are not there.
    unread : dict of str to int
        Values that could not be read, by column.
    answers : Answers
        Scores and decisions.
    labelled : bool[n]
        Rows whose truth is known.
    target : int64[k] or float64[k]
        Of those.
    foreign : int
        Labels that are no class of the model.
    signal : float64[n], optional
        One number a row that stands for its scores; by default the scores themselves.
    """

    window: str
    columns: pa.Table
    absent: list[str]
    unread: dict[str, int]
    answers: Answers
    labelled: NDArray[np.bool_]
    target: NDArray[Any]
    foreign: int
    signal: NDArray[np.float64] | None = None

    @property
    def num_rows(self) -> int:
        """Of the window."""
        return len(self.answers.decided)

    @cached_property
    def known(self) -> Answers:
        """What was said of the labelled rows."""
        return self.answers.of(np.flatnonzero(self.labelled))


@dataclass(frozen=True)
class Changes:
    """What changed in a window.

    Attributes
    ----------
    tests : list of ViewTest
        Of every view of every column, and of the predictions.
    adjusted : dict of str to float
        P-values of the family: columns, predictions, all columns together.
    together : TwoSample or None
        The classifier; None where there is no sample or too few rows.
    unsupported : float
        Share of rows that are like hardly any of the reference's.
    """

    tests: list[ViewTest]
    adjusted: dict[str, float]
    together: TwoSample | None
    unsupported: float


def changes(reference: Reference, found: Found, views_of: ViewsOf) -> Changes:
    """Hold a window against the reference, by everything that both can be compared by."""
    views = {
        name: views_of(reference.modalities[name], found.columns[name])
        for name in found.columns.column_names
        if name in reference.columns
    }
    tests = [
        test
        for name, each in views.items()
        for view, values in each.items()
        if (test := column_tests.compare(name, view, reference.columns[name][view], values))
    ]
    tests += _prediction_tests(reference, found)
    family: dict[str, float] = {}
    for name in dict.fromkeys(test.column for test in tests):
        mine = [test.p_value for test in tests if test.column == name]
        family[name] = min(1.0, len(mine) * min(mine))
    together = _together(reference, views, found.num_rows)
    if together is not None:
        family[TOGETHER] = together.p_value
    outside = _outside(reference, views, found.num_rows)
    unsupported = max(outside, together.unsupported if together else 0.0)
    return Changes(tests, alarm.holm(family), together, unsupported)


def _prediction_tests(reference: Reference, rows: Found) -> list[ViewTest]:
    """Predictions against those of the test rows: how sure, and which."""
    answers = rows.answers
    if "prediction" in reference.scores:
        sketch = sketches.read(reference.scores["prediction"])
        values = answers.scores if rows.signal is None else rows.signal
        found = [column_tests.compare(PREDICTIONS, "value", sketch, pa.array(values))]
        return [test for test in found if test]
    sure = answers.scores[np.arange(len(answers.decided)), answers.decided]
    sketch = sketches.read(reference.scores["confidence"])
    names = reference.scores["classes"]
    decided = sketches.Levels(
        levels=names,
        counts=reference.scores["decided"],
        other=0,
        missing=0,
        num_distinct=len(names),
    )
    said = pa.array(names, pa.string()).take(pa.array(answers.decided))
    found = [
        column_tests.compare(PREDICTIONS, "confidence", sketch, pa.array(sure, pa.float64())),
        column_tests.compare(PREDICTIONS, "decided", decided, said),
    ]
    return [test for test in found if test]


def _together(reference: Reference, views: two_sample.Views, num_rows: int) -> TwoSample | None:
    """The classifier, on the sample and as many rows of the window as it can take."""
    if reference.sample is None:
        return None
    rows = np.arange(num_rows)
    if num_rows > two_sample.MAX_ROWS:
        rows = np.sort(np.random.default_rng(SEED).permutation(num_rows)[: two_sample.MAX_ROWS])
    then: two_sample.Views = {}
    now: two_sample.Views = {}
    for name in reference.sample.column_names:
        here = views.get(name, {})
        now[name] = {view: values.take(pa.array(rows)) for view, values in here.items()}
        kept = reference.sample[name]
        then[name] = {view: pc.struct_field(kept, view).combine_chunks() for view in here}
    before, codes = two_sample.matrix(then, reference.columns)
    after, _ = two_sample.matrix(now, reference.columns)
    return two_sample.tell_apart(before, after, codes, SEED)


def _outside(reference: Reference, views: two_sample.Views, num_rows: int) -> float:
    """Share of rows with a value that no row of the reference had or reached, above chance."""
    beyond, calm = np.zeros(num_rows, dtype=bool), 1.0
    for name, each in views.items():
        for view, values in each.items():
            sketch = reference.columns[name][view]
            if len(values) != num_rows:
                continue  # of media, a part is looked at
            beyond |= column_tests.outside(sketch, values)
            if not sketch.missing:
                beyond |= pc.is_null(values).to_numpy(zero_copy_only=False)
            calm *= 1 - column_tests.outside_chance(sketch)
    return max(0.0, float(beyond.mean()) - (1 - calm))
