"""Rank correlation of what two networks attribute to the same numbers of the same rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.measure.intervals import Z95


def by_row(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
    """Spearman's correlation within each row, ``float64[n]``.

    Parameters
    ----------
    left, right : float[n, d]
        Signed attributions.

    Returns
    -------
    float64[n]
        1 where the left row is constant: it says nothing that any network would contradict. 0
        where the right one alone is. nan where a number is missing.

    Examples
    --------
    >>> by_row(np.array([[1.0, 2.0, 9.0]]), np.array([[-1.0, 5.0, 5.5]])).round(6).tolist()
    [1.0]
    >>> by_row(np.array([[0.0, 0.0]]), np.array([[1.0, 2.0]])).tolist()
    [1.0]
    """
    from scipy.stats import rankdata

    ranks = [rankdata(side, axis=1) for side in (left, right)]
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    sizes = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    same = np.divide((a * b).sum(axis=1), sizes, out=np.zeros(len(a)), where=sizes > 0)
    same = np.where(np.ptp(left, axis=1) == 0, 1.0, same)
    return np.where(np.isnan(left + right).any(axis=1), np.nan, same)


def mean_of_crossed(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean of ``float64[copies, rows]`` and its 95% interval over rows and copies alike.

    The variances of the two means add up (a two-way layout's, with its interaction counted in
    both, so that the interval is rather too wide than too narrow).

    Examples
    --------
    >>> mean_of_crossed(np.ones((2, 3)))
    (1.0, 1.0, 1.0)
    """
    mean = float(values.mean())
    variance = 0.0
    for axis in (0, 1):
        means = values.mean(axis=axis)
        if len(means) < 2:
            return mean, math.nan, math.nan
        variance += float(np.var(means, ddof=1)) / len(means)
    wide = Z95 * math.sqrt(variance)
    return mean, mean - wide, mean + wide


def agreement(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Spearman's correlation of two rankings; nan where there are fewer than three or one is flat.

    Examples
    --------
    >>> round(agreement(np.array([1, 2, 3]), np.array([10, 20, 30])), 6)
    1.0
    """
    from scipy.stats import spearmanr

    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return math.nan
    return float(spearmanr(left, right).statistic)
