"""Gaps between groups, and whether chance alone explains them.

Of several groups without any difference in truth, the two that differ most look different. So
a gap counts as told only beyond what the widest of all pairs reaches when the same outcomes
are dealt to the groups at random: a permutation test, whose error rate holds at any number of
rows, of groups and at any rate. Its critical value also makes the interval, by inverting the
score test, so that interval and test never contradict one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from penstock.measure.bias.score_intervals import difference_interval, ratio_interval

LEVEL = 0.9875
"""Joint confidence of the intervals over all pairs of groups: groups that are equal in truth
are told apart in one of eighty sets at most (house choice, by ``benchmarks/bias.py``)."""
NORMAL = 2.497705474412374
"""Quantile of the normal distribution for an interval of this confidence."""
NUM_DEALS = 9_999
"""Random deals of counts to groups: the error rate is met to a tenth of its size."""
MOST_DRAWN, FEWEST_DEALS, MOST_DEALS = 20_000_000, 499, 1_999
"""Deals of losses to groups: rows times deals, and their bounds (house choice: seconds)."""
BATCH_DRAWN = 1 << 18
"""Losses dealt at once: 2 MiB."""
DIGITS = 9
"""Test statistics are rounded, so that equal counts give equal numbers."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Gap:
    """The gap that decides between groups.

    Attributes
    ----------
    value : float
        The widest one among those that chance does not explain; the widest of all when there
        is none.
    low, high : float
        Its interval, jointly at :data:`LEVEL` with those of all other pairs.
    less, more : int
        Positions of the two groups: with the smaller and with the larger share. For a rise,
        ``more`` is the group and ``less`` is -1: all rows.
    family : int
        Which of several shares it is a gap of.
    told : bool
        Whether chance alone does not explain it: the interval excludes no effect.
    """

    value: float
    low: float
    high: float
    less: int
    more: int
    family: int = 0
    told: bool = False


def ratio(hits: Counts, totals: Counts, seed: int) -> Gap | None:
    """The smallest ratio of the shares of two groups; 1 is no effect.

    Parameters
    ----------
    hits, totals : int64[k]
        Rows counted and rows, in each of k >= 2 groups; no total is 0.
    seed : int
        Of the random deals.

    Returns
    -------
    Gap or None
        None when nothing was counted in any group: the ratio is not defined.

    Examples
    --------
    >>> gap = ratio(np.array([30, 60]), np.array([100, 100]), seed=0)
    >>> gap.value, gap.told, gap.low < 0.5 < gap.high < 1
    (0.5, True, True)
    """
    if not hits.any():
        return None
    critical = _critical([(hits, totals)], seed)
    shares = hits / totals
    found = []
    for pair in combinations(range(len(hits)), 2):
        less, more = sorted(pair, key=lambda i: (shares[i], i))
        if hits[more]:
            told = _statistic(hits, totals, *pair) > critical
            found.append((not told, float(shares[less] / shares[more]), less, more))
    unexplained, value, less, more = min(found)
    counts = (int(hits[less]), int(totals[less]), int(hits[more]), int(totals[more]))
    low, high = ratio_interval(*counts, critical)
    if unexplained:  # a statistic on the critical value leaves an end on 1 but for rounding
        low, high = min(low, 1.0), max(high, 1.0)
    return Gap(value, low, high, less, more, told=not unexplained)


def difference(families: Sequence[tuple[Counts, Counts]], seed: int) -> Gap:
    """The largest difference of the shares of two groups, over several kinds of share.

    Parameters
    ----------
    families : sequence of (int64[k], int64[k])
        Hits and totals in k groups, for each kind; groups of total 0 are passed over, and one
        kind at least has two others.
    seed : int
        Of the random deals.

    Examples
    --------
    >>> gap = difference([(np.array([30, 60]), np.array([100, 100]))], seed=0)
    >>> round(gap.value, 4), gap.told, gap.low > 0
    (0.3, True, True)
    """
    critical = _critical(families, seed)
    found = []
    for family, (hits, totals) in enumerate(families):
        for pair in combinations(np.flatnonzero(totals).tolist(), 2):
            less, more = sorted(pair, key=lambda i: (hits[i] / totals[i], i))
            told = _statistic(hits, totals, *pair) > critical
            value = float(hits[more] / totals[more] - hits[less] / totals[less])
            found.append((not told, -value, family, less, more))
    unexplained, negative, family, less, more = min(found)
    hits, totals = families[family]
    counts = (int(hits[more]), int(totals[more]), int(hits[less]), int(totals[less]))
    low, high = difference_interval(*counts, critical)
    if unexplained:
        low, high = min(low, 0.0), max(high, 0.0)
    return Gap(-negative, low, high, less, more, family, told=not unexplained)


def rise(losses: Floats, codes: Counts, tested: Sequence[int], seed: int) -> Gap:
    """The largest rise of a group's mean loss over that of all rows, as a share of the latter.

    Each group is held against the rows outside it by Welch's statistic; its critical value is
    that of the largest one over random deals of the same losses to the groups.

    Parameters
    ----------
    losses : float64[n]
        At least 0.
    codes : int64[n]
        Group of each row.
    tested : sequence of int
        The groups that are compared, each with two rows and not all rows.
    seed : int
        Of the random deals.

    Examples
    --------
    >>> losses = np.r_[np.tile([1.0, 3.0], 50), np.tile([5.0, 7.0], 50)]
    >>> gap = rise(losses, np.repeat([0, 1], 100), [0, 1], seed=0)
    >>> gap.value, gap.more, gap.told
    (0.5, 1, True)
    """
    overall = float(losses.mean())
    if overall <= 0:
        return Gap(0.0, 0.0, 0.0, -1, int(tested[0]))
    place = np.full(int(codes.max()) + 1, len(tested))
    place[list(tested)] = np.arange(len(tested))
    order = np.argsort(place[codes], kind="stable")
    sizes = np.bincount(place[codes], minlength=len(tested) + 1)[: len(tested)]
    rows = losses[order] / overall
    excess, errors = _against_rest(rows, sizes)
    critical = _quantile(_dealt(rows, sizes, seed))
    told = _studentised(excess, errors) > critical
    worst = max(range(len(sizes)), key=lambda i: (told[i], excess[i]))
    low, high = (float(excess[worst] + side * critical * errors[worst]) for side in (-1, 1))
    if not told[worst]:
        low, high = min(low, 0.0), max(high, 0.0)
    value = float(excess[worst])
    return Gap(value, min(low, value), high, -1, int(tested[worst]), told=bool(told[worst]))


def _critical(families: Sequence[tuple[Counts, Counts]], seed: int) -> float:
    """What the widest pair of any family reaches when outcomes are dealt to groups at random."""
    rng = np.random.default_rng(seed)
    widest = np.zeros(NUM_DEALS)
    for hits, totals in families:
        there = np.flatnonzero(totals)
        if len(there) < 2:
            continue
        sizes = totals[there]
        deals = rng.multivariate_hypergeometric(
            sizes, int(hits[there].sum()), size=NUM_DEALS, method="marginals"
        )
        for i, j in combinations(range(len(there)), 2):
            np.maximum(widest, _pooled(deals[:, i], sizes[i], deals[:, j], sizes[j]), out=widest)
    return _quantile(widest)


def _quantile(draws: Floats) -> float:
    """The number above which a statistic is beyond chance: a permutation test is exact when
    the observed deal counts as one of the deals (Phipson and Smyth, 2010)."""
    allowed = math.floor((1 - LEVEL) * (len(draws) + 1) + 1e-9) - 1
    return float(np.sort(draws)[::-1][max(allowed, 0)]) or NORMAL  # 0: no deal differs


def _statistic(hits: Counts, totals: Counts, i: int, j: int) -> float:
    return float(_pooled(hits[i], totals[i], hits[j], totals[j]))


def _pooled(hits: Counts, total: int, other_hits: Counts, other_total: int) -> Floats:
    """Standardised distance of two shares with their common variance; 0 where that is 0."""
    share = (hits + other_hits) / (total + other_total)
    variance = share * (1 - share) * (1 / total + 1 / other_total)
    distance = np.abs(hits / total - other_hits / other_total)
    statistic: Floats = distance / np.sqrt(np.where(variance > 0, variance, np.inf))
    return statistic.round(DIGITS)


def _dealt(rows: Floats, sizes: Counts, seed: int) -> Floats:
    """The largest statistic of any group, for each of many random deals of the rows."""
    rng = np.random.default_rng(seed)
    num = int(np.clip(MOST_DRAWN // len(rows), FEWEST_DEALS, MOST_DEALS))
    batch = max(1, BATCH_DRAWN // len(rows))
    largest = []
    for done in range(0, num, batch):
        deals = np.tile(rows, (min(batch, num - done), 1))
        rng.permuted(deals, axis=1, out=deals)
        largest.append(_studentised(*_against_rest(deals, sizes)).max(axis=-1))
    return np.concatenate(largest)


def _against_rest(rows: Floats, sizes: Counts) -> tuple[Floats, Floats]:
    """For each block of rows: its mean less the mean of all, and the standard error of that.

    The blocks stand first along the last axis, in order; what follows them belongs to no block.
    """
    n = rows.shape[-1]
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    ends = np.cumsum(sizes)[-1]
    second = np.square(rows)
    sums = np.add.reduceat(rows[..., :ends], starts, axis=-1)
    squares = np.add.reduceat(second[..., :ends], starts, axis=-1)
    total, total_squares = rows.sum(axis=-1, keepdims=True), second.sum(axis=-1, keepdims=True)
    rest = n - sizes
    inside = np.maximum(squares - sums**2 / sizes, 0) / np.maximum(sizes - 1, 1) / sizes
    others = total - sums
    outside = np.maximum(total_squares - squares - others**2 / rest, 0)
    outside = outside / np.maximum(rest - 1, 1) / rest
    return sums / sizes - total / n, np.sqrt(inside + outside) * (rest / n)


def _studentised(excess: Floats, errors: Floats) -> Floats:
    smallest = np.finfo(np.float64).eps * 100  # rows of equal loss have no error but rounding
    statistic: Floats = excess / np.maximum(errors, smallest)
    return statistic.round(DIGITS)
