"""Metrics of predictions, with scikit-learn's names.

Every metric takes ``target`` (``int64[n]`` class codes or ``float[n]``) and ``scores``
(``float[n, classes]`` probabilities or ``float[n]``) and returns one float; nan where it is
not defined (for example ROC AUC on one class). Metrics of decisions also take ``decided``
(``int64[n]`` class codes); without it the most probable class is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from penstock import plugins

Array = NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """A metric's direction, range and sum.

    Attributes
    ----------
    better : {"higher", "lower"}
        Which direction is good.
    low, high : float
        Its range.
    function : callable
        ``(target, scores) -> float``, or ``(target, decided, classes) -> float``.
    reads : {"scores", "decisions"}
        Which of the two.
    serves : str
        What a network has to estimate well for it; empty: not said.
    later : str
        The metric by which windows of later rows are compared in its place; empty: itself.
    each : callable, optional
        ``(target, scores) -> float64[n]``, of which it is the mean: resamples then cost nothing.
    """

    better: Literal["higher", "lower"]
    low: float
    high: float
    function: Callable[..., float]
    reads: Literal["scores", "decisions"] = "scores"
    serves: str = ""
    each: Callable[..., Array] | None = None
    later: str = ""

    def over(
        self, target: Array, scores: Array, decided: Array | None = None
    ) -> Callable[[Array], float]:
        """The metric of some of these rows, by their numbers.

        Examples
        --------
        >>> right = Metric("higher", 0, 1, lambda t, s: float((t == s).mean()), each=np.equal)
        >>> right.over(np.array([1, 2]), np.array([1, 0]))(np.array([0, 0, 1, 1]))
        0.5
        """
        if self.each is not None:
            values = np.asarray(self.each(target, scores), dtype=np.float64)
            return lambda rows: float(values[rows].mean()) if len(rows) else float("nan")
        return lambda rows: self.measure(
            target[rows], scores[rows], None if decided is None else decided[rows]
        )

    def measure(self, target: Array, scores: Array, decided: Array | None = None) -> float:
        """The metric of these rows.

        Parameters
        ----------
        target, scores, decided
            As the module says; ``decided`` None: the most probable class.
        """
        if self.reads == "scores":
            return self.function(target, scores)
        decided = scores.argmax(axis=1) if decided is None else decided
        return self.function(target.astype(np.int64), decided, scores.shape[1])


def of(name: str) -> Metric:
    """The metric of this name; KeyError when there is none.

    Examples
    --------
    >>> of("rmse").measure(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    1.4142135623730951
    """
    return METRICS[name] if name in METRICS else _of_tasks()[name]


@cache
def _of_tasks() -> dict[str, Metric]:
    """Metrics that tasks bring along."""
    found: dict[str, Metric] = {}
    for task in plugins.modules("penstock.tasks"):
        found |= getattr(plugins.load("penstock.tasks", task), "METRICS", {})
    return found


def gain(name: str, mine: float, theirs: float) -> float:
    """How much better: a difference, or for errors the share of the other's error saved.

    Examples
    --------
    >>> gain("accuracy", 0.75, 0.5), gain("rmse", 1.0, 2.0)
    (0.25, 0.5)
    """
    if of(name).better == "higher":
        return mine - theirs
    if mine == theirs:
        return 0.0
    return (theirs - mine) / abs(theirs) if theirs else float("nan")


def _roc_auc(target: Array, scores: Array) -> float:
    """Area under the ROC curve; the mean of one class against the rest for more than two."""
    return _over_classes(_area, target, scores)


def _over_classes(
    measure: Callable[[NDArray[np.bool_], Array], float], target: Array, scores: Array
) -> float:
    """The second of two classes; of more, the mean over those for which it is defined."""
    if np.isnan(scores).any():  # these have no order
        return float("nan")
    codes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    each = np.array([measure(target == code, scores[:, code]) for code in codes])
    known = each[~np.isnan(each)]
    return float(known.mean()) if known.size else float("nan")


def _area(right: NDArray[np.bool_], score: Array) -> float:
    """Share of (positive, negative) pairs in the right order, ties half (Mann and Whitney)."""
    positives, negatives = _by_threshold(right, score)
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(negatives) - negatives / 2
    return float(np.dot(positives, below) / pairs)


def _average_precision(target: Array, scores: Array) -> float:
    """Sum over thresholds of the step in recall times the precision; mean over classes."""
    return _over_classes(_precision, target, scores)


def _precision(right: NDArray[np.bool_], score: Array) -> float:
    positives, negatives = (counts[::-1] for counts in _by_threshold(right, score))
    if positives.sum() == 0:
        return float("nan")
    found = np.cumsum(positives)
    precision = found / (found + np.cumsum(negatives))
    return float(np.dot(positives / positives.sum(), precision))


def _by_threshold(
    right: NDArray[np.bool_], score: Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of positives and negatives at each distinct score, in ascending order."""
    order = np.argsort(score, kind="stable")
    ordered, hits = score[order], right[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    totals = np.diff(np.r_[starts, len(ordered)])
    positives = np.add.reduceat(hits, starts)
    return positives, totals - positives


def _accuracy(target: Array, decided: Array, count: int) -> float:
    return float(np.mean(decided == target))


def _balanced_accuracy(target: Array, decided: Array, count: int) -> float:
    """Mean recall over the classes that are present."""
    totals = np.bincount(target, minlength=count)
    hits = np.bincount(target, weights=decided == target, minlength=count)
    return float(np.mean(hits[totals > 0] / totals[totals > 0]))


def _f1(target: Array, decided: Array, count: int) -> float:
    """F1 of the second of two classes; the mean over classes of more. 0 where undefined."""
    hits = np.bincount(target[decided == target], minlength=count)
    either = np.bincount(target, minlength=count) + np.bincount(decided, minlength=count)
    each = np.divide(2.0 * hits, either, out=np.zeros(count), where=either > 0)
    present = np.flatnonzero(either > 0)
    return float(each[1] if count == 2 else each[present].mean())


def _log_loss(target: Array, scores: Array) -> float:
    return float(np.mean(row_log_loss(target, scores)))


def _brier(target: Array, scores: Array) -> float:
    """Mean squared distance to the one-hot target, halved for two classes as in scikit-learn."""
    wanted = np.eye(scores.shape[1])[target.astype(np.int64)]
    each = np.square(scores - wanted).sum(axis=1)
    return float(each.mean() / (2 if scores.shape[1] == 2 else 1))


def row_log_loss(target: Array, scores: Array) -> NDArray[np.float64]:
    """Log-loss of each row in nats, ``float64[n]``; probabilities are clipped at 1e-7.

    Examples
    --------
    >>> row_log_loss(np.array([0]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    chosen = scores[np.arange(len(target)), target.astype(np.int64)].astype(np.float64)
    loss: NDArray[np.float64] = -np.log(np.clip(chosen, 1e-7, 1.0))
    return loss


def _rmse(target: Array, scores: Array) -> float:
    return float(np.sqrt(np.mean(np.square(target - scores, dtype=np.float64))))


def _mae(target: Array, scores: Array) -> float:
    return float(np.mean(np.abs(target - scores, dtype=np.float64)))


def _r2(target: Array, scores: Array) -> float:
    """1 - residual over total sum of squares; nan for a constant target."""
    total = np.square(target - np.mean(target, dtype=np.float64)).sum()
    if total == 0:
        return float("nan")
    return float(1.0 - np.square(target - scores, dtype=np.float64).sum() / total)


METRICS: dict[str, Metric] = {
    "roc_auc": Metric("higher", 0.0, 1.0, _roc_auc, serves="the order of the rows"),
    "average_precision": Metric(
        "higher", 0.0, 1.0, _average_precision, serves="the order of the rows"
    ),
    "accuracy": Metric(
        "higher", 0.0, 1.0, _accuracy, "decisions", serves="the most probable class"
    ),
    "balanced_accuracy": Metric(
        "higher",
        0.0,
        1.0,
        _balanced_accuracy,
        "decisions",
        serves="the class that is most over-represented beside its share",
    ),
    "f1": Metric("higher", 0.0, 1.0, _f1, "decisions", serves="few errors in the rarer class"),
    "log_loss": Metric(
        "lower", 0.0, float("inf"), _log_loss, serves="the probability of each class"
    ),
    "brier_score": Metric("lower", 0.0, 2.0, _brier, serves="the probability of each class"),
    "rmse": Metric("lower", 0.0, float("inf"), _rmse, serves="the mean"),
    "mae": Metric("lower", 0.0, float("inf"), _mae, serves="the median"),
    "r2": Metric("higher", float("-inf"), 1.0, _r2, serves="the mean"),
}
