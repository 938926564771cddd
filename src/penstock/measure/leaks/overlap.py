"""What the parts of a split share that they should not, and whether they look alike.

Row numbers, group numbers, times and matrices in; numbers with intervals out.
"""

from __future__ import annotations

import math

import numpy as np

from penstock.measure import boosting
from penstock.measure.leaks import alone as one
from penstock.records import Estimate

MAX_ROWS = 10_000
"""Rows that the classifier of the parts is trained on (house choice: about two seconds)."""
NUM_FOLDS = 3


def equal_rows(
    train: np.ndarray,
    test: np.ndarray,
    train_groups: np.ndarray | None = None,
    test_groups: np.ndarray | None = None,
) -> tuple[Estimate, float]:
    """Share of test rows that stand in train, above chance.

    Chance is the share of train rows that have an equal one within train: where few different
    rows exist, equal rows on both sides are no leak.

    Parameters
    ----------
    train, test : int64[n], int64[m]
        Numbers that equal rows share.
    train_groups, test_groups : int64[n], int64[m], optional
        Numbers of the groups that the rows came in: whole groups were drawn, so they are what
        the interval counts.

    Returns
    -------
    Estimate, float
        In [0, 1] with a 95% interval (Newcombe 1998, method 10, around Wilson's intervals or
        those of a ratio of group totals), and the chance level.

    Examples
    --------
    >>> estimate, chance = equal_rows(np.array([1, 2, 3, 3]), np.array([1, 2, 3, 9]))
    >>> estimate.value, chance
    (0.25, 0.5)
    """
    _, inverse, counts = np.unique(train, return_inverse=True, return_counts=True)
    repeated, seen = counts[inverse] > 1, np.isin(test, train)
    chance, share = float(repeated.mean()), float(seen.mean())
    low, high = share_interval(seen, test_groups)
    chance_low, chance_high = share_interval(repeated, train_groups)
    gap = share - chance
    reach_down = math.hypot(share - low, chance_high - chance)
    reach_up = math.hypot(high - share, chance - chance_low)
    return (
        Estimate(
            value=max(gap, 0.0), low=max(gap - reach_down, 0.0), high=max(gap + reach_up, 0.0)
        ),
        chance,
    )


def share_interval(hits: np.ndarray, groups: np.ndarray | None = None) -> tuple[float, float]:
    """95% interval of a share of rows; of rows that came in groups, never narrower than alone.

    Parameters
    ----------
    hits : bool[n]
        The rows that count.
    groups : int64[n], optional
        Group of each row: the share is a ratio of group totals, whose variance is linearised
        (Cochran 1977, section 6.3).

    Examples
    --------
    >>> hits = np.repeat([True, False], 100)
    >>> [round(end, 2) for end in share_interval(hits)]
    [0.43, 0.57]
    >>> [round(end, 2) for end in share_interval(hits, np.arange(200) // 50)]
    [0.0, 1.0]
    """
    low, high = wilson(int(hits.sum()), len(hits))
    if groups is None:
        return low, high
    _, inverse = np.unique(groups, return_inverse=True)
    sizes = np.bincount(inverse)
    if len(sizes) < 2:
        return 0.0, 1.0
    share = float(hits.mean())
    rests = np.bincount(inverse, hits) - share * sizes
    variance = float(rests @ rests) * len(sizes) / (len(sizes) - 1) / len(hits) ** 2
    from scipy.stats import t

    reach = float(t.ppf(0.975, len(sizes) - 1)) * math.sqrt(variance)
    return max(min(low, share - reach), 0.0), min(max(high, share + reach), 1.0)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927).

    Examples
    --------
    >>> [round(end, 4) for end in wilson(0, 10)]
    [0.0, 0.2775]
    """
    share, z2 = hits / total, one.Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    reach = one.Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    reach /= 1 + z2 / total
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def shared_groups(parts: list[np.ndarray]) -> np.ndarray:
    """Group numbers that stand in more than one part.

    Examples
    --------
    >>> shared_groups([np.array([1, 1, 2]), np.array([3]), np.array([2])]).tolist()
    [2]
    """
    each = np.concatenate([np.unique(part) for part in parts])
    groups, counts = np.unique(each, return_counts=True)
    return np.asarray(groups[counts > 1])


def not_later(train: np.ndarray, test: np.ndarray) -> float:
    """Share of test rows that are not later than the last train row.

    Examples
    --------
    >>> not_later(np.array([1, 2, 3]), np.array([3, 4]))
    0.5
    """
    return float((test <= train.max()).mean())


def part_difference(
    train: np.ndarray, test: np.ndarray, categorical: list[bool], seed: int
) -> Estimate:
    """ROC AUC, out of fold, of a classifier that tells test rows from train rows.

    Parameters
    ----------
    train, test : float64[n, d], float64[m, d]
        Of one :class:`penstock.measure.matrix.Matrix`; NaN is missing.
    categorical : list of bool
        Columns of codes without order.
    seed : int
        Of the folds.

    Returns
    -------
    Estimate
        0.5: the parts look alike; 1: each row shows its part. 95% interval after Hanley and
        McNeil (1982).
    """
    from threadpoolctl import threadpool_limits

    features = np.concatenate([train, test])
    is_test = np.repeat([0, 1], [len(train), len(test)])
    folds = one.fold_of(is_test, NUM_FOLDS, seed)
    with threadpool_limits(limits=1):
        scores = boosting.out_of_fold(
            features, np.asarray(categorical), is_test.astype(float), folds, seed
        )
    value = one.area(scores, is_test)
    reach = one.Z95 * one.area_error(value, is_test)
    return Estimate(value=value, low=max(value - reach, 0.0), high=min(value + reach, 1.0))
