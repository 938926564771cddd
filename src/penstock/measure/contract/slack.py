"""How far an honest new sample may stray from the rows a contract was proposed from.

A contract that is exact cries wolf at every new file, and one that is loose misses a unit
change. Slack is therefore sized by the sampling error of two equally large samples, and
never smaller than a drift that nobody would call a fault.

shares, ranks and row counts -> slack
"""

from __future__ import annotations

import math

SIGMAS = 4.0
"""Standard errors of slack: about 6 false alarms in 100,000 looks (house choice)."""
RANK_DRIFT = 0.06
"""Honest drift of a quantile's rank, as a share of ``sqrt(q (1 - q))``: 3 points of rank at
the median (house choice)."""
NULL_SHARE = 0.02
"""Share of missing values that a column without any may come to have (house choice)."""


def share_slack(share: float, num_rows: int) -> float:
    """Difference between two samples' shares that chance explains.

    ``SIGMAS * sqrt(2 p (1 - p) / n)``, the normal approximation of the difference of two
    binomial shares; ``p`` is at least ``1 / n``, so that an event never seen has slack too.

    Parameters
    ----------
    share : float
        In [0, 1].
    num_rows : int
        Rows of each sample, at least 1.

    Examples
    --------
    >>> round(share_slack(0.5, 20_000), 3)
    0.02
    """
    share = min(max(share, 1 / num_rows), 1 - 1 / num_rows)
    return SIGMAS * math.sqrt(max(2 * share * (1 - share), 0.0) / num_rows)


def rank_slack(level: float, num_rows: int) -> float:
    """Ranks on each side of a quantile within which another sample's quantile falls.

    ``sqrt(q (1 - q)) * max(SIGMAS * sqrt(2 / n), RANK_DRIFT)``: free of any assumption about
    the distribution, since the rank of a sample quantile is binomial. Its skew in the tails
    adds ``SIGMAS**2 |1 - 2 q| / (2 n)``, the shift of Wilson's interval (1927).

    Parameters
    ----------
    level : float
        Quantile level in (0, 1).
    num_rows : int
        Rows of each sample, at least 1.

    Examples
    --------
    >>> round(rank_slack(0.5, 100_000), 3), round(rank_slack(0.5, 1_000), 3)
    (0.03, 0.089)
    """
    spread = math.sqrt(level * (1 - level))
    skew = SIGMAS**2 / 2 * abs(1 - 2 * level) / num_rows
    return spread * max(SIGMAS * math.sqrt(2 / num_rows), RANK_DRIFT) + skew


def stray_share(num_rows: int) -> float:
    """Share of rows that may lie beyond the observed range or be bad one by one.

    Ten rows, but between 0.2% and 1% (house choice): a sample's maximum is exceeded by more
    than ten rows of an equal sample in 1 of 1,000 cases.

    Examples
    --------
    >>> stray_share(2_000), stray_share(1_000_000)
    (0.005, 0.002)
    """
    return min(max(10 / num_rows, 0.002), 0.01)


def unseen_share(num_once: int, num_twice: int, num_rows: int) -> float:
    """Share of rows of another sample whose level is not among the levels seen.

    The Good-Turing estimate, levels seen once over rows, with ``SIGMAS`` standard errors and
    0.5% for honest novelty (house choice). Its variance is about ``(f1 + 2 f2) / n**2``
    (Good 1953), and the count in the other sample adds ``f1 / n**2`` of its own.

    Parameters
    ----------
    num_once, num_twice : int
        Levels that stand in exactly one and exactly two rows.
    num_rows : int
        Rows of each sample, at least 1.

    Examples
    --------
    >>> round(unseen_share(0, 0, 1_000), 3)
    0.009
    """
    error = math.sqrt(2 * num_once + 2 * num_twice + 1)
    return min((num_once + SIGMAS * error) / num_rows + 0.005, 1.0)


def mostly(stray: float) -> float:
    """``1 - stray`` in [0, 1], rounded down to four decimals, as a contract writes it.

    Examples
    --------
    >>> mostly(0.02)
    0.98
    """
    return max(0.0, math.floor(round((1 - stray) * 1e4, 6)) / 1e4)
