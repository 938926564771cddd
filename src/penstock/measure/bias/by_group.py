"""What a model does to each group: rates, errors and losses, with their intervals.

Shares have Wilson's interval, means that of their standard error, the declared metric a
bootstrap over the rows of the group; all at 95%, each by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.measure import groups, metrics
from penstock.measure.intervals import bootstrap, mean_interval, wilson
from penstock.records import Estimate, Layout

MOST_RESAMPLED = 10_000
"""Rows of a group that the bootstrap draws from (house choice: a second a column)."""
NOTHING = Estimate(value=None)

Counts = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Hits and totals of each of k groups."""


@dataclass(frozen=True)
class Scored:
    """Rows with what the model made of them.

    Attributes
    ----------
    target : int64[n] or float64[n]
        Class codes or values.
    scores : float[n, classes] or float[n]
        Probabilities or values.
    decided : int64[n] or float[n]
        What the policy decided.
    losses : float64[n]
        Loss of each row.
    layout : Layout
        The classes and the task.
    metric : str
        The declared one.
    """

    target: NDArray[Any]
    scores: NDArray[Any]
    decided: NDArray[Any]
    losses: NDArray[np.float64]
    layout: Layout
    metric: str

    @property
    def num_classes(self) -> int:
        """0 for a regression."""
        return len(self.layout.classes)

    def of(self, which: NDArray[np.bool_]) -> Scored:
        """These rows alone."""
        return Scored(
            target=self.target[which],
            scores=self.scores[which],
            decided=self.decided[which],
            losses=self.losses[which],
            layout=self.layout,
            metric=self.metric,
        )

    def declared(self, rows: NDArray[np.int64]) -> float:
        """The declared metric of some rows; nan where it is not defined."""
        measure = metrics.of(self.metric).measure
        return float(measure(self.target[rows], self.scores[rows], self.decided[rows]))


@dataclass(frozen=True)
class Groups:
    """The groups of some rows.

    Attributes
    ----------
    name : str
        Of the column, or of several.
    names : list of str
        Of the k groups.
    codes : int64[n]
        Group of each row.
    named : bool[k]
        False for rows without a value, and for values that are no level of the training rows.
    """

    name: str
    names: list[str]
    codes: NDArray[np.int64]
    named: NDArray[np.bool_]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each group, ``int64[k]``."""
        return self.count(np.ones(len(self.codes), dtype=bool))

    def count(self, which: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of these rows are in each group, ``int64[k]``."""
        return np.bincount(self.codes[which], minlength=len(self.names)).astype(np.int64)

    def rates(self, target: NDArray[Any], decided: NDArray[Any]) -> dict[str, Counts]:
        """Of two classes, the second is positive: hits and totals of each rate."""
        positive, selected = target == 1, decided == 1
        num_true, num_selected = self.count(positive), self.count(selected)
        caught = self.count(positive & selected)
        return {
            "base_rate": (num_true, self.sizes),
            "selection_rate": (num_selected, self.sizes),
            "true_positive_rate": (caught, num_true),
            "false_positive_rate": (num_selected - caught, self.sizes - num_true),
            "precision": (caught, num_selected),
            "accuracy": (self.count(positive == selected), self.sizes),
        }

    @classmethod
    def of(cls, train: pa.ChunkedArray, test: pa.ChunkedArray, name: str) -> Groups:
        """Groups of test rows, as the training rows tell them apart.

        A level of the training rows is a group even where no test row has it. Rows without a
        value, and values that training rows had not or too many of, are groups if there are any.

        Examples
        --------
        >>> column = pa.chunked_array([["f", "m", None]])
        >>> Groups.of(column, column, "sex").names
        ['f', 'm', '(missing)']
        """
        grouping = groups.learn(train, name)
        codes, names = groups.codes(test, grouping), groups.names_of(grouping)
        named = np.arange(len(names)) < len(names) - 2
        learnt = np.bincount(groups.codes(train, grouping), minlength=len(names)) > 0
        kept = (learnt & named) | (np.bincount(codes, minlength=len(names)) > 0)
        place = np.cumsum(kept) - 1
        shown = [group for group, keep in zip(names, kept, strict=True) if keep]
        return cls(name, shown, place[codes], named[kept])

    @classmethod
    def crossed(cls, columns: list[Groups]) -> Groups:
        """Groups by several columns at once: those that have rows, the largest first."""
        every = np.stack([column.codes for column in columns], axis=1)
        pairs, codes = np.unique(every, axis=0, return_inverse=True)
        order = np.argsort(-np.bincount(codes.reshape(-1)), kind="stable")
        names = [
            ", ".join(column.names[code] for column, code in zip(columns, pair, strict=True))
            for pair in pairs[order]
        ]
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        named = np.ones(len(order), dtype=bool)
        for i, column in enumerate(columns):
            named &= column.named[pairs[order, i]]
        name = " and ".join(column.name for column in columns)
        return cls(name, names, place[codes.reshape(-1)], named)


Quantities = dict[str, list[Estimate]]
"""By name: an estimate for each group."""


def quantities(
    rows: Scored,
    by: Groups,
    seed: int,
    of: Callable[[Scored, Groups], Quantities] | None = None,
) -> Quantities:
    """Everything that is shown of each group, in the order in which it is shown.

    Two classes: base rate, selection rate, true and false positive rate, precision, accuracy,
    calibration (mean probability of the second class less its share). More: accuracy. Numbers:
    mean of target, prediction and residual (prediction less target). All: the declared metric
    and the mean loss. ``of`` is what the task compares instead of all but the last two.
    """
    found = of_rows(rows, by) if of is None else of(rows, by)
    if rows.metric not in found:
        found[rows.metric] = declared(rows, by, seed)
    found["mean_loss"] = means(rows.losses, by)
    return found


def of_rows(rows: Scored, by: Groups) -> Quantities:
    """What decisions and scores themselves are compared by."""
    found: Quantities = {}
    if rows.num_classes == 2:
        found |= {
            name: shares(*counts) for name, counts in by.rates(rows.target, rows.decided).items()
        }
        found["calibration"] = means(rows.scores[:, 1] - rows.target, by)
    elif rows.num_classes:
        found["accuracy"] = shares(by.count(rows.decided == rows.target), by.sizes)
    else:
        found["mean_target"] = means(rows.target, by)
        found["mean_prediction"] = means(rows.scores, by)
        found["mean_residual"] = means(rows.scores - rows.target, by)
    return found


def selection_of_classes(rows: Scored, by: Groups) -> list[dict[str, Any]]:
    """For each group and class: the share that the class is decided for, and its true share."""
    records = []
    for code, label in enumerate(rows.layout.classes):
        decided = shares(by.count(rows.decided == code), by.sizes)
        true = shares(by.count(rows.target == code), by.sizes)
        for group, one, other in zip(by.names, decided, true, strict=True):
            record = {"group": group, "class": label, "selection_rate": one.value}
            records.append(record | {"low": one.low, "high": one.high, "base_rate": other.value})
    return sorted(records, key=lambda record: by.names.index(str(record["group"])))


def shares(hits: NDArray[np.int64], totals: NDArray[np.int64]) -> list[Estimate]:
    """Shares with Wilson's interval; nothing where there are no rows."""
    found = []
    for hit, total in zip(hits.tolist(), totals.tolist(), strict=True):
        low, high = wilson(hit, total)
        found.append(Estimate(value=hit / total, low=low, high=high) if total else NOTHING)
    return found


def means(values: NDArray[Any], by: Groups) -> list[Estimate]:
    """Means with the interval of their standard error; nothing where there are no rows."""
    found = []
    for code in range(len(by.names)):
        mine = values[by.codes == code].astype(np.float64)
        low, high = mean_interval(mine)
        value = float(mine.mean()) if len(mine) else None
        found.append(Estimate(value=value, low=low, high=high))
    return found


def declared(rows: Scored, by: Groups, seed: int) -> list[Estimate]:
    """The declared metric; bootstrap over the rows of each group.

    Of a group of more than :data:`MOST_RESAMPLED` rows, so many are resampled, and the interval
    is narrowed by the root of their share (Bickel, Götze and van Zwet, 1997).
    """
    rng = np.random.default_rng(seed)
    if rows.scores.ndim == 2:  # resamples then come nearly sorted, which is what metrics wait for
        order = np.argsort(rows.scores[:, -1], kind="stable")
    else:
        order = np.arange(len(rows.target))
    found = []
    for code in range(len(by.names)):
        mine = order[by.codes[order] == code]
        if len(mine) < 2:
            found.append(NOTHING)
            continue
        some, value = mine, rows.declared(mine)
        if len(mine) > MOST_RESAMPLED:
            some = mine[np.sort(rng.choice(len(mine), MOST_RESAMPLED, replace=False))]

        def measure(drawn: NDArray[np.int64], some: NDArray[np.int64] = some) -> NDArray[Any]:
            return np.array([rows.declared(some[drawn])])

        ends = np.array(bootstrap(measure, len(some), seed)).reshape(2)
        narrow = np.sqrt(len(some) / len(mine))
        low, high = value + (ends - rows.declared(some)) * narrow
        found.append(Estimate(value=value, low=float(low), high=float(high)))
    return found
