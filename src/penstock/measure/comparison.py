"""Two ways to train, compared over the folds of a cross-validation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FEWEST_FOLDS = 3
"""Fewest folds in which both are defined (house choice: fewer say nothing of their spread)."""


def corrected_interval(
    differences: NDArray[np.float64], test_per_train: float, level: float
) -> tuple[float, float, float]:
    """Mean of paired differences over folds, and its interval.

    The folds' training rows overlap, so their differences are not independent: the variance of
    the mean is ``(1 / folds + test_per_train) * variance``, with Student's t of ``folds - 1``
    degrees (Nadeau and Bengio, 2003, "Inference for the generalization error"). It covers the
    draw of the rows and, where each fold has its own seed, the luck of the training.

    Parameters
    ----------
    differences : float64[folds]
        nan where a fold does not define it.
    test_per_train : float
        Rows of a fold over the rows that its network was trained on.
    level : float
        Confidence in (0, 1), two-sided.

    Returns
    -------
    mean, low, high : float
        nan where fewer than :data:`FEWEST_FOLDS` folds define it.

    Examples
    --------
    >>> [round(x, 3) for x in corrected_interval(np.array([1.0, 2.0, 3.0]), 0.5, 0.95)]
    [2.0, -1.928, 5.928]
    """
    from scipy import stats

    known = differences[np.isfinite(differences)]
    count = len(known)
    if count < FEWEST_FOLDS:
        return float("nan"), float("nan"), float("nan")
    mean = float(known.mean())
    error = math.sqrt((1 / count + test_per_train) * float(known.var(ddof=1)))
    wide = float(stats.t.ppf(0.5 + level / 2, count - 1)) * error
    return mean, mean - wide, mean + wide


def gain(better: str, chosen: float, other: float, *, bounded: bool) -> float:
    """How much better ``other`` is: a share of the chosen one's error, or metric units.

    Parameters
    ----------
    better : {"higher", "lower"}
        Direction of the metric.
    chosen, other : float
        The metric of each.
    bounded : bool
        Keyword only. True: units of the metric; False: a share of ``chosen``.

    Examples
    --------
    >>> gain("lower", 2.0, 1.5, bounded=False), gain("higher", 0.5, 0.75, bounded=True)
    (0.25, 0.25)
    """
    difference = other - chosen if better == "higher" else chosen - other
    if bounded:
        return difference
    return difference / chosen if chosen > 0 else (0.0 if difference == 0 else float("nan"))
