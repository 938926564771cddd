"""How good a model is on rows whose truth is not known yet, and on those where it is.

Without labels: a calibrated probability says how often a row like this comes true, so it says
what any metric would be, on average over the labels that may come (confidence-based performance
estimation; Garg et al., 2022; NannyML's CBPE). That holds as long as rows of one score are what
they were; where the inputs drifted, the reference's rows count by their weight in the new world.

With labels: each row's loss less the loss that its own scores led to expect. Harder rows raise
both alike; only a model that is worse *for such rows* raises the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.measure import metrics
from penstock.measure.intervals import Z95
from penstock.measure.predictions import Answers, in_order
from penstock.records import Estimate

PRIOR_ROWS = 20.0
"""Rows that vouch for a stated probability before any is counted (house choice)."""
NUM_DRAWS = 200
"""Sets of labels that are drawn (house choice: a standard error good to a twentieth)."""
MOST_ROWS = 5_000
"""Rows that metrics are drawn on; of more, a sample, and the error is scaled (house choice)."""
SMALLEST = 1e-7
"""Of probabilities in a logarithm, as in the log-loss itself."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Measured:
    """A metric with its standard error.

    Attributes
    ----------
    value, error : float
        nan where it is not defined.
    """

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """At 95%."""
        return self.value - Z95 * self.error, self.value + Z95 * self.error

    @property
    def estimate(self) -> Estimate | None:
        """As a record holds it; None where it is not defined."""
        if not np.isfinite(self.value):
            return None
        low, high = self.interval
        return Estimate(value=self.value, low=low, high=high)


UNKNOWN = Measured(float("nan"), float("nan"))


@dataclass(frozen=True)
class Curve:
    """How often a stated probability comes true, bin by bin.

    Of two classes: the second one's probability; of more, the decided one's. In each bin what is
    rarer, that it comes true or that it does not, is as many times as frequent as stated: so a
    probability next to 0 or 1 stays there.

    Attributes
    ----------
    edges : float64[k - 1]
        Ascending inner edges of the bins.
    factor : float64[k]
        How many times as frequent as stated.
    high : bool[k]
        Bins above one half: the factor is on the probability that it does not come true.
    """

    edges: NDArray[np.float64]
    factor: NDArray[np.float64]
    high: NDArray[np.bool_]

    @classmethod
    def of(cls, bins: dict[str, Any]) -> Curve:
        """From the bins of a profile.

        Examples
        --------
        >>> bins = {"edges": [0.5], "rows": [80, 0], "stated": [16.0, 0.0], "true": [26, 0]}
        >>> Curve.of(bins).factor.tolist()
        [1.5, 1.0]
        """
        edges = np.asarray(bins["edges"], np.float64)
        flat = cls(edges, np.ones(len(edges) + 1), np.r_[edges, 1.0] > 0.5)
        true, stated, rows = (np.asarray(bins[k], np.float64) for k in ("true", "stated", "rows"))
        return flat._moved(true, stated, rows)

    def weighted(self, rows: Answers, target: Array, weights: Array) -> Curve:
        """By rows whose truth is known, as they weigh in another window.

        Rows are worth their effective number (Kish, 1965); this curve is the prior.
        """
        stated, true = stated_and_true(rows, target)
        place = np.searchsorted(self.edges, stated, side="left")
        worth = weights * (weights.sum() / np.square(weights).sum())
        count = len(self.factor)
        totals = [
            np.bincount(place, weights=worth * values, minlength=count)
            for values in (true, stated, np.ones(len(stated)))
        ]
        return self._moved(*totals)

    def _moved(self, true: Array, stated: Array, rows: Array) -> Curve:
        """The curve after so many rows: it counts as :data:`PRIOR_ROWS` of them itself."""
        found = np.where(self.high, rows - true, true)
        said = np.where(self.high, rows - stated, stated)
        usual = np.divide(said, rows, out=np.full(len(rows), 0.5), where=rows > 0)
        factor = (found + PRIOR_ROWS * usual * self.factor) / np.maximum(
            said + PRIOR_ROWS * usual, SMALLEST
        )
        return Curve(self.edges, np.where(said > 0, factor, self.factor), self.high)

    def truth(self, rows: Answers) -> NDArray[np.float64]:
        """Probability of each class to be the true one, ``float64[n, classes]``."""
        scores = np.asarray(rows.scores, np.float64)
        if scores.shape[1] == 2:
            second = self._mended(scores[:, 1])
            return np.column_stack([1.0 - second, second])
        each = np.arange(len(scores))
        decided = scores[each, rows.decided]
        mended = self._mended(decided)
        rest = np.divide(1.0 - mended, 1.0 - decided, out=np.ones_like(decided), where=decided < 1)
        found = scores * rest[:, None]
        found[each, rows.decided] = mended
        total: NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
        return total

    def _mended(self, stated: Array) -> NDArray[np.float64]:
        place = np.searchsorted(self.edges, stated, side="left")
        factor, high = self.factor[place], self.high[place]
        rarer = np.where(high, 1.0 - stated, stated) * factor
        return np.clip(np.where(high, 1.0 - rarer, rarer), 0.0, 1.0)


def stated_and_true(rows: Answers, target: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The probability that is held against the truth, and whether it came true."""
    if rows.scores.shape[1] == 2:
        return rows.scores[:, 1], target == 1
    return rows.scores[np.arange(len(target)), rows.decided], target == rows.decided


def expected_losses(scores: Array, truth: Array) -> NDArray[np.float64]:
    """Log-loss that each row's scores lead to expect, in nats, ``float64[n]``.

    Examples
    --------
    >>> half = np.array([[0.5, 0.5]])
    >>> expected_losses(half, half).round(4).tolist()
    [0.6931]
    """
    logs = np.log(np.clip(np.asarray(scores, np.float64), SMALLEST, 1.0))
    losses: NDArray[np.float64] = -(truth * logs).sum(axis=1)
    return losses


def estimated(metric: str, rows: Answers, truth: Array, seed: int) -> Measured:
    """What a metric of classes would be, over the labels that may come.

    Labels and rows are drawn together: the error holds both the luck of the labels and that of
    the rows.

    Parameters
    ----------
    metric : str
        Its name.
    rows : Answers
        ``n`` scores and decisions.
    truth : float64[n, classes]
        From :meth:`Curve.truth`.
    seed : int
        Of the draws.
    """
    rng = np.random.default_rng(seed)
    some, scale = _some(rows, rng)
    chosen, measure = rows.of(some), metrics.of(metric).measure
    steps = np.cumsum(truth[some], axis=1)[:, :-1]
    values, spread = np.empty(NUM_DRAWS), np.empty(NUM_DRAWS)
    for i in range(NUM_DRAWS):
        target = (rng.random((len(some), 1)) > steps).sum(axis=1)
        values[i] = measure(target, chosen.scores, chosen.decided)
        drawn = np.sort(rng.integers(len(some), size=len(some)))
        part = chosen.of(drawn)
        spread[i] = measure(target[drawn], part.scores, part.decided)
    if np.isfinite(values).mean() < 0.5 or np.isfinite(spread).mean() < 0.5:
        return UNKNOWN
    return Measured(float(np.nanmean(values)), float(np.nanstd(spread)) * scale)


def realised(metric: str, rows: Answers, target: Array, seed: int) -> Measured:
    """A metric of rows whose truth is known; its error by the bootstrap over rows."""
    measure = metrics.of(metric).measure
    value = float(measure(target, rows.scores, rows.decided))
    rng = np.random.default_rng(seed)
    some, scale = _some(rows, rng)
    chosen, truth = rows.of(some), target[some]
    spread = np.empty(NUM_DRAWS)
    for i in range(NUM_DRAWS):
        drawn = np.sort(rng.integers(len(some), size=len(some)))
        part = chosen.of(drawn)
        spread[i] = measure(truth[drawn], part.scores, part.decided)
    if not np.isfinite(value) or np.isfinite(spread).mean() < 0.5:
        return UNKNOWN
    return Measured(value, float(np.nanstd(spread)) * scale)


def _some(rows: Answers, rng: np.random.Generator) -> tuple[NDArray[np.int64], float]:
    """Rows that are drawn from, nearly in the order of their score; how much that adds to errors.

    Metrics sort by score: rows that come sorted cost them little.
    """
    total = len(rows.decided)
    some = np.arange(total)
    if total > MOST_ROWS:
        some = rng.choice(total, MOST_ROWS, replace=False)
    return some[in_order(rows.scores[some])], float(np.sqrt(len(some) / total))
