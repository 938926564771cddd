"""Metrics of predictions, with scikit-learn's names.

Every metric takes ``target`` (``int64[n]`` class codes or ``float[n]``) and ``scores``
(``float[n, classes]`` probabilities or ``float[n]``) and returns one float; nan where it is
not defined (for example ROC AUC on one class).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Metric:
    """A metric's direction, range and sum.

    Attributes
    ----------
    better : {"higher", "lower"}
        Which direction is good.
    low, high : float
        Its range.
    measure : callable
        ``(target, scores) -> float``.
    """

    better: str
    low: float
    high: float
    measure: Callable[[Array, Array], float]


def of(name: str) -> Metric:
    """The metric of this name; KeyError when there is none.

    Examples
    --------
    >>> of("rmse").measure(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    1.4142135623730951
    """
    return METRICS[name]


def is_better(name: str, value: float, than: float) -> bool:
    """Whether ``value`` is strictly better than ``than``."""
    return value > than if of(name).better == "higher" else value < than


def _roc_auc(target: Array, scores: Array) -> float:
    from sklearn.metrics import roc_auc_score

    present = np.unique(target)
    if present.size < scores.shape[1]:
        return float("nan")
    if scores.shape[1] == 2:
        return float(roc_auc_score(target, scores[:, 1]))
    return float(roc_auc_score(target, scores, multi_class="ovr", average="macro"))


def _average_precision(target: Array, scores: Array) -> float:
    from sklearn.metrics import average_precision_score

    if scores.shape[1] == 2:
        if not np.any(target == 1):
            return float("nan")
        return float(average_precision_score(target, scores[:, 1]))
    columns = [code for code in range(scores.shape[1]) if np.any(target == code)]
    each = [average_precision_score(target == code, scores[:, code]) for code in columns]
    return float(np.mean(each))


def _accuracy(target: Array, scores: Array) -> float:
    return float(np.mean(scores.argmax(axis=1) == target))


def _balanced_accuracy(target: Array, scores: Array) -> float:
    """Mean recall over the classes that are present."""
    right = scores.argmax(axis=1) == target
    totals = np.bincount(target.astype(np.int64), minlength=scores.shape[1])
    hits = np.bincount(target.astype(np.int64), weights=right, minlength=scores.shape[1])
    return float(np.mean(hits[totals > 0] / totals[totals > 0]))


def _f1(target: Array, scores: Array) -> float:
    """F1 of the second of two classes; macro average of more."""
    from sklearn.metrics import f1_score

    average = "binary" if scores.shape[1] == 2 else "macro"
    return float(f1_score(target, scores.argmax(axis=1), average=average, zero_division=0.0))


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
    "roc_auc": Metric("higher", 0.0, 1.0, _roc_auc),
    "average_precision": Metric("higher", 0.0, 1.0, _average_precision),
    "accuracy": Metric("higher", 0.0, 1.0, _accuracy),
    "balanced_accuracy": Metric("higher", 0.0, 1.0, _balanced_accuracy),
    "f1": Metric("higher", 0.0, 1.0, _f1),
    "log_loss": Metric("lower", 0.0, float("inf"), _log_loss),
    "brier_score": Metric("lower", 0.0, 2.0, _brier),
    "rmse": Metric("lower", 0.0, float("inf"), _rmse),
    "mae": Metric("lower", 0.0, float("inf"), _mae),
    "r2": Metric("higher", float("-inf"), 1.0, _r2),
}
