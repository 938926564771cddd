"""What one column, or two together, tell about the target with nothing else beside them.

Every score is out of fold: a row's score comes from other rows, so that a column with a level
for each row tells nothing.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

NUM_BINS = 64
"""Most bins of a numeric column, equally full (house choice, benchmarks/leakage.py)."""

ROWS_A_BIN = 50
"""Least rows that a bin of a column with many values should hold (house choice)."""

PRIOR_ROWS = 5.0
"""Rows of the overall mean that are mixed into each bin's mean (house choice)."""

Z95 = 1.959964


def fold_of(target: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """Fold of each row, ``int64[n]`` in [0, num_folds), balanced over the target's values.

    Examples
    --------
    >>> np.bincount(fold_of(np.array([0, 1, 0, 1]), 2, seed=0)).tolist()
    [2, 2]
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(target)), target))
    folds = np.empty(len(target), np.int64)
    folds[order] = np.arange(len(target)) % num_folds
    return folds


def binned(values: np.ndarray, categorical: bool, num_bins: int = NUM_BINS) -> np.ndarray:
    """Bins of a column of a :class:`penstock.measure.matrix.Matrix`.

    Parameters
    ----------
    values : float64[n]
        NaN is missing, and a bin of its own: 0.
    categorical : bool
        Codes; the most frequent ones come first. Codes beyond ``num_bins`` share a bin.
    num_bins : int
        Most bins, beside the one of the missing values.

    Returns
    -------
    int64[n]
        In [0, num_bins].

    Examples
    --------
    >>> binned(np.array([3.0, 1.0, np.nan, 1.0]), categorical=False).tolist()
    [2, 1, 0, 1]
    """
    bins = np.zeros(len(values), np.int64)
    known = ~np.isnan(values)
    if not known.any():
        return bins
    if categorical:
        bins[known] = np.minimum(values[known].astype(np.int64), num_bins - 1) + 1
        return bins
    distinct = np.unique(values[known])
    if len(distinct) > num_bins:
        num_filled = min(num_bins, max(known.sum() // ROWS_A_BIN, 8))
        quantiles = np.quantile(values[known], np.linspace(0, 1, num_filled + 1)[1:-1])
        distinct = np.unique(np.append(distinct[0], quantiles))
    bins[known] = np.searchsorted(distinct, values[known], side="right")
    return np.minimum(bins, num_bins)


def out_of_fold_mean(bins: np.ndarray, target: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Mean of the target in a row's bin, over the rows of the other folds.

    Parameters
    ----------
    bins, folds : int64[n]
        From :func:`binned` and :func:`fold_of`.
    target : float64[n]
        Values, or 0 and 1.

    Returns
    -------
    float64[n]
        In the target's unit, drawn to the overall mean by :data:`PRIOR_ROWS`.
    """
    num_folds, num_bins = int(folds.max()) + 1, int(bins.max()) + 1
    cell = folds * num_bins + bins
    shape = (num_folds, num_bins)
    counts = np.bincount(cell, minlength=num_folds * num_bins).reshape(shape)
    sums = np.bincount(cell, target, minlength=num_folds * num_bins).reshape(shape)
    other_counts = counts.sum(0) - counts
    other_sums = sums.sum(0) - sums
    overall = other_sums.sum(1, keepdims=True) / np.maximum(other_counts.sum(1, keepdims=True), 1)
    means = (other_sums + PRIOR_ROWS * overall) / (other_counts + PRIOR_ROWS)
    # the fold's own prior would tell its folds apart, and with them the target
    return np.asarray((means - overall)[folds, bins] + target.mean())


def area(scores: np.ndarray, target: np.ndarray) -> float:
    """ROC AUC: chance that a row of class 1 scores higher than one of class 0, ties half.

    0.5 is no skill, 1 is perfect (Mann and Whitney 1947).

    Examples
    --------
    >>> area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))
    0.75
    """
    num_ones = float(target.sum())
    num_zeros = len(target) - num_ones
    if not num_ones or not num_zeros:
        return 0.5
    ranks = rankdata(scores)[target.astype(bool)].sum()
    return float((ranks - num_ones * (num_ones + 1) / 2) / (num_ones * num_zeros))


def area_error(value: float, target: np.ndarray) -> float:
    """Standard error of a ROC AUC (Hanley and McNeil 1982, with their Q1 and Q2)."""
    num_ones = float(target.sum())
    num_zeros = len(target) - num_ones
    if min(num_ones, num_zeros) < 2:
        return 0.5
    first, second = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (num_ones - 1) * (first - value**2)
    variance += (num_zeros - 1) * (second - value**2)
    # a perfect score on few rows is not without error: rule of three
    floor = (1 / (3 * min(num_ones, num_zeros))) ** 2
    return math.sqrt(max(variance / (num_ones * num_zeros), floor))


def correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Pearson's correlation; 0 when a side is constant."""
    left, right = left - left.mean(), right - right.mean()
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / scale if scale > 1e-12 * len(left) else 0.0


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Ranks of the values as quantiles of the standard normal, ties alike, ``float64[n]``.

    A rescaled or otherwise monotone copy has the same scores; one huge value has no weight.
    """
    from scipy.special import ndtri

    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))


def distance_of(value: float) -> float:
    """Distance of two normal classes, in standard deviations, that has this ROC AUC."""
    from scipy.special import ndtri

    return float(math.sqrt(2) * ndtri(min(max(value, 1e-9), 1 - 1e-9)))
