"""Tables of predictions, as a packaged model answers: what they say, and how far two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.errors import Mistake, NotServable
from penstock.records import Layout

PROBABILITY = "probability_"
"""How the columns of probabilities begin; then comes the class."""


@dataclass(frozen=True)
class Answers:
    """What a model said of each row.

    Attributes
    ----------
    scores : float64[n, classes] or float64[n]
        Probabilities, or values.
    decided : int64[n] or float64[n]
        Class codes, or the values.
    """

    scores: NDArray[Any]
    decided: NDArray[Any]

    def of(self, rows: NDArray[np.int64]) -> Answers:
        """Of these rows only."""
        return Answers(self.scores[rows], self.decided[rows])


def in_order(scores: NDArray[Any]) -> NDArray[np.int64]:
    """Positions by score: resamples then come nearly sorted, which is what metrics wait for.

    As they stand where scores have no order.
    """
    found: NDArray[np.int64]
    if scores.dtype.fields:
        found = np.arange(len(scores))
    else:
        found = np.argsort(scores[:, -1] if scores.ndim == 2 else scores, kind="stable")
    return found


def kept(values: NDArray[Any]) -> pa.Array:
    """An array as a column of as many rows: of numbers, of lists of one length, or of both.

    Examples
    --------
    >>> restored(pa.chunked_array([kept(np.array([[1, 2], [3, 4]]))])).tolist()
    [[1, 2], [3, 4]]
    """
    if values.dtype.names:
        each = [kept(values[name]) for name in values.dtype.names]
        return pa.StructArray.from_arrays(each, names=list(values.dtype.names))
    if values.ndim == 1:
        return pa.array(values)
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def restored(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """What :func:`kept` was given."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    found: NDArray[Any]
    if pa.types.is_struct(array.type):
        parts = {field.name: restored(array.field(field.name)) for field in array.type}
        kinds = [(name, part.dtype, part.shape[1:]) for name, part in parts.items()]
        found = np.empty(len(array), dtype=kinds)
        for name, part in parts.items():
            found[name] = part
        return found
    if pa.types.is_fixed_size_list(array.type):
        found = array.flatten().to_numpy(zero_copy_only=False)
        return found.reshape(len(array), array.type.list_size)
    found = array.to_numpy(zero_copy_only=False)
    return found


def answers_of(predictions: pa.Table, layout: Layout) -> Answers:
    """What a table of predictions says, in the terms of a layout.

    Parameters
    ----------
    predictions : pa.Table
        As :meth:`penstock.model.Model.predict` gives them.
    layout : Layout
        Its classes give the order.

    Raises
    ------
    NotServable
        When the table answers another question: other classes, or no numbers.

    Examples
    --------
    >>> layout = Layout(columns=[], target="y", task="regression")
    >>> answers_of(pa.table({"prediction": [1.5]}), layout).scores.tolist()
    [1.5]
    """
    names = [PROBABILITY + name for name in layout.classes]
    found = [name for name in predictions.column_names if name.startswith(PROBABILITY)]
    if "prediction" not in predictions.column_names or sorted(names) != sorted(found):
        rule = f"the model answers with {', '.join(['prediction', *names])}"
        raise NotServable(Mistake(rule, ", ".join(predictions.column_names)))
    answer = predictions["prediction"]
    try:
        if not names:
            values = _numbers(answer)
            return Answers(values, values)
        codes = pc.index_in(answer.cast(pa.string()), pa.array(layout.classes, pa.string()))
        scores = np.column_stack([_numbers(predictions[name]) for name in names])
    except pa.ArrowException as error:
        raise NotServable(Mistake("predictions are numbers and classes", str(error))) from error
    if codes.null_count:
        rule = f"each prediction is one of {', '.join(layout.classes)}"
        raise NotServable(Mistake(rule, f"{codes.null_count} are not"))
    return Answers(scores, codes.to_numpy().astype(np.int64))


def difference(expected: pa.Table, actual: pa.Table) -> float:
    """Largest absolute difference between two tables of predictions.

    Probabilities are compared as they are; values of a regression in units of the largest
    one, where that is more than 1, because float32 has seven digits whatever the unit (house
    choice). A label that differs counts as 1, and so does a score that is a number on one
    side only.

    Parameters
    ----------
    expected : pa.Table
        From the training run; columns that begin with ``_`` are not predictions.
    actual : pa.Table
        From the package, as many rows.

    Raises
    ------
    NotServable
        When a column is missing.

    Examples
    --------
    >>> difference(pa.table({"prediction": [200.0, 1.0]}), pa.table({"prediction": [200.0, 1.5]}))
    0.0025
    """
    largest = 0.0
    for name in expected.column_names:
        if name.startswith("_"):
            continue
        if name not in actual.column_names:
            found = ", ".join(actual.column_names)
            raise NotServable(Mistake(f"the packaged model answers with column {name!r}", found))
        largest = max(largest, _column_difference(expected[name], actual[name]))
    return largest


def _column_difference(expected: pa.ChunkedArray, actual: pa.ChunkedArray) -> float:
    if not pa.types.is_floating(expected.type):
        same = np.asarray(expected.to_pylist(), str) == np.asarray(actual.to_pylist(), str)
        return float(not same.all())
    left, right = _numbers(expected), _numbers(actual)
    numbers = np.isfinite(left)
    if not np.array_equal(numbers, np.isfinite(right)):
        return 1.0
    scale = max(1.0, np.abs(left[numbers]).max(initial=0.0))
    return float(np.abs(left[numbers] - right[numbers]).max(initial=0.0) / scale)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return values
