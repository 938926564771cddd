"""The threshold from which on the second of two classes is decided.

Every possible threshold is looked at, at once: sorted by probability, the decisions that it
makes are cumulative sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.measure.intervals import mean_interval
from penstock.measure.policy.temperature import MIN_ROWS

NUM_FOLDS = 5
"""Folds over which a threshold has to show what it gains (house choice)."""
NUM_DRAWS = 1000
"""Bootstrap draws of the gain (house choice: each is eight numbers, whatever the rows)."""

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Quality = Callable[[Any, Any, Any, Any], Any]
"""``(true positives, false positives, positives, negatives)``, numbers or arrays of one shape,
to how good those decisions are: more is better."""


def _share(part: Any, whole: Any) -> Any:
    """Part over whole; 0 where the whole is none."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def accuracy(tp: Any, fp: Any, positives: Any, negatives: Any) -> Any:
    """Share of right decisions.

    Examples
    --------
    >>> float(accuracy(3, 1, 4, 6))
    0.8
    """
    return _share(tp + negatives - fp, positives + negatives)


def balanced_accuracy(tp: Any, fp: Any, positives: Any, negatives: Any) -> Any:
    """Mean recall of the classes that are present.

    Examples
    --------
    >>> float(balanced_accuracy(3, 3, 4, 6))
    0.625
    """
    present = (np.asarray(positives) > 0).astype(float) + (np.asarray(negatives) > 0)
    return _share(_share(tp, positives) + _share(negatives - fp, negatives), present)


def f1(tp: Any, fp: Any, positives: Any, negatives: Any) -> Any:
    """``2 tp / (2 tp + fp + fn)``; 0 where nothing is positive and nothing decided so.

    Examples
    --------
    >>> float(f1(3, 3, 4, 6))
    0.6
    """
    return _share(2 * tp, tp + fp + positives)


QUALITIES: dict[str, Quality] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
}
"""The metrics of decisions, from counts; scikit-learn's names."""


def thrift(costs: list[list[float]]) -> Quality:
    """How little a row costs on average: minus the mean cost.

    Parameters
    ----------
    costs : list of list of float
        2 by 2: a row a true class, a column a decided class.

    Examples
    --------
    >>> float(thrift([[0.0, 1.0], [4.0, 0.0]])(1, 2, 2, 6))
    -0.75
    """
    (right_no, alarm), (miss, right_yes) = costs

    def quality(tp: Any, fp: Any, positives: Any, negatives: Any) -> Any:
        paid = right_no * (negatives - fp) + alarm * fp + miss * (positives - tp) + right_yes * tp
        return -_share(paid, positives + negatives)

    return quality


@dataclass(frozen=True)
class Cuts:
    """All thresholds between neighbouring scores, ascending.

    Attributes
    ----------
    threshold : float64[k]
        Half way between two distinct scores; at 0 all rows are decided positive, and the last
        one lies above every score.
    tp, fp : float64[k]
        Positives and negatives at or above the threshold.
    positives, negatives : int
        Of all rows.
    """

    threshold: NDArray[np.float64]
    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    positives: int
    negatives: int

    @classmethod
    def of(cls, chance: Floats, positive: Bools) -> Cuts:
        """The cuts of these rows.

        Parameters
        ----------
        chance : float[n]
            Probability of the second class.
        positive : bool[n]
            Whether it is the true one.

        Examples
        --------
        >>> cuts = Cuts.of(np.array([0.2, 0.6, 0.6]), np.array([False, True, False]))
        >>> cuts.threshold.round(3).tolist(), cuts.tp.tolist(), cuts.fp.tolist()
        ([0.0, 0.4, 0.8], [1.0, 1.0, 0.0], [2.0, 1.0, 0.0])
        """
        values, where = np.unique(chance.astype(np.float64), return_inverse=True)
        every = np.bincount(where, minlength=len(values))
        hits = np.bincount(where, weights=positive, minlength=len(values))
        ends = np.r_[0.0, values, 1.0]
        threshold = (ends[:-1] + ends[1:]) / 2
        threshold[0] = 0.0
        if threshold[-1] <= values[-1]:  # a score of 1 has nothing half way above it
            threshold[-1] = np.nextafter(1.0, 2.0)
        total, found = int(hits.sum()), np.r_[0.0, np.cumsum(hits)]
        tp = total - found
        fp = len(chance) - np.r_[0.0, np.cumsum(every)] - tp
        return cls(threshold, tp, fp, total, len(chance) - total)

    def quality(self, measure: Quality) -> NDArray[np.float64]:
        """How good each threshold is, ``float64[k]``."""
        found: NDArray[np.float64] = measure(self.tp, self.fp, self.positives, self.negatives)
        return found

    def best(self, measure: Quality, usual: float) -> float:
        """The best threshold; of equally good ones that nearest to ``usual``."""
        quality = self.quality(measure)
        top = self.threshold[quality >= quality.max() - 1e-12]
        return float(top[np.abs(top - usual).argmin()])

    def thinned(self, most: int) -> Cuts:
        """At most so many of them, at even steps of the rows' order, both ends kept."""
        if len(self.threshold) <= most:
            return self
        kept = np.linspace(0, len(self.threshold) - 1, most).round().astype(np.int64)
        parts = (self.threshold[kept], self.tp[kept], self.fp[kept])
        return Cuts(*parts, self.positives, self.negatives)


@dataclass(frozen=True)
class Tuned:
    """A threshold and what it gains over the usual one.

    Attributes
    ----------
    threshold : float
        The best one on all rows.
    gain, low, high : float
        What thresholds chosen on four fifths of the rows gain on the rest, with the 95%
        interval; nan where nothing was tuned.
    """

    threshold: float
    gain: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether it gains more than chance does."""
        return self.low > 0


def tuned(chance: Floats, positive: Bools, measure: Quality, usual: float, seed: int) -> Tuned:
    """The best threshold, and whether tuning is worth it.

    The best threshold of the rows at hand looks better than it is. So the gain is measured on
    rows that it was not chosen on: in each of :data:`NUM_FOLDS` folds the threshold of the
    others decides, and the pooled decisions are held against those of the usual threshold in a
    paired bootstrap.

    Parameters
    ----------
    chance : float[n]
        Probability of the second class.
    positive : bool[n]
        Whether it is the true one.
    measure : Quality
        What is to be large.
    usual : float
        The threshold without tuning.
    seed : int
        Of folds and bootstrap.

    Returns
    -------
    Tuned
        The usual threshold, without an interval, for fewer than :data:`MIN_ROWS` rows or fewer
        than two folds' worth of rows of either class.
    """
    hits = int(positive.sum())
    if len(chance) < MIN_ROWS or min(hits, len(chance) - hits) < 2 * NUM_FOLDS:
        return Tuned(usual, *[float("nan")] * 3)
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(chance)) % NUM_FOLDS
    limit = np.empty(len(chance))
    for number in range(NUM_FOLDS):
        rest = fold != number
        limit[~rest] = Cuts.of(chance[rest], positive[rest]).best(measure, usual)
    gain, low, high = paired_gain(chance >= limit, chance >= usual, positive, measure, rng)
    return Tuned(Cuts.of(chance, positive).best(measure, usual), gain, low, high)


def paired_gain(
    mine: Bools, theirs: Bools, positive: Bools, measure: Quality, rng: np.random.Generator
) -> tuple[float, float, float]:
    """How much better some decisions are than others on the same rows, with the 95% interval.

    Rows differ in three things only: the truth and the two decisions. So a bootstrap over rows
    draws eight counts.

    Parameters
    ----------
    mine, theirs, positive : bool[n]
        Two sets of decisions, and the truth.
    measure : Quality
        What is to be large.
    rng : Generator
        Draws.

    Examples
    --------
    >>> truth = np.arange(100) < 50
    >>> paired_gain(truth, ~truth, truth, accuracy, np.random.default_rng(0))
    (1.0, 1.0, 1.0)
    """
    kind = mine.astype(np.int64) + 2 * theirs + 4 * positive
    counts = np.bincount(kind, minlength=8)
    draws = rng.multinomial(len(kind), counts / len(kind), size=NUM_DRAWS)

    def gain(cells: NDArray[Any]) -> Any:
        miss, hit = cells[..., :4], cells[..., 4:]
        positives, negatives = hit.sum(axis=-1), miss.sum(axis=-1)
        ours = measure(hit[..., [1, 3]].sum(-1), miss[..., [1, 3]].sum(-1), positives, negatives)
        other = measure(hit[..., 2:].sum(-1), miss[..., 2:].sum(-1), positives, negatives)
        return ours - other

    low, high = np.quantile(gain(draws), [0.025, 0.975])
    return float(gain(counts)), float(low), float(high)


def balanced_gain(
    target: NDArray[np.int64], mine: NDArray[np.int64], theirs: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Balanced accuracy of some decisions less that of others, with its 95% interval over rows.

    Parameters
    ----------
    target, mine, theirs : int64[n]
        Class codes: the truth and two sets of decisions.

    Examples
    --------
    >>> truth = np.arange(90) % 3
    >>> balanced_gain(truth, truth, np.zeros(90, dtype=np.int64))[0].__round__(4)
    0.6667
    """
    counts = np.bincount(target)
    worth = len(target) / (np.count_nonzero(counts) * counts[target])
    gain = worth * ((mine == target).astype(np.float64) - (theirs == target))
    return float(gain.mean()), *mean_interval(gain)
