"""What mistakes cost, and the decisions that cost least."""

from __future__ import annotations

import numpy as np

from penstock.measure.policy.decisions import Codes


def cost_threshold(costs: list[list[float]]) -> float:
    """Probability of the second of two classes from which on deciding it costs least.

    ``a / (a + b)`` with ``a`` the extra cost of deciding the second class where the first is
    true and ``b`` the other way round (Elkan, 2001).

    Parameters
    ----------
    costs : list of list of float
        A row a true class, a column a decided class; some mistake costs more than being right.

    Examples
    --------
    >>> cost_threshold([[0.0, 1.0], [4.0, 0.0]])
    0.2
    """
    false_alarm, miss = costs[0][1] - costs[0][0], costs[1][0] - costs[1][1]
    return false_alarm / (false_alarm + miss)


def mean_cost(target: Codes, chosen: Codes, costs: list[list[float]]) -> float:
    """What a row costs on average, in the unit of ``costs``.

    Examples
    --------
    >>> mean_cost(np.array([0, 1]), np.array([1, 1]), [[0.0, 3.0], [1.0, 0.0]])
    1.5
    """
    return float(np.asarray(costs, dtype=np.float64)[target, chosen].mean())


def balancing_costs(target: Codes, count: int) -> list[list[float]]:
    """Costs under which every class counts the same, however rare: a mistake costs the inverse
    of the true class's share.

    The least expected cost is then the class of the largest ``probability / share``, which is
    best for balanced accuracy (Menon et al., 2013). Shares are smoothed by one row a class
    (Laplace), so that a class that is absent has one.

    Parameters
    ----------
    target : int64[n]
        Class codes.
    count : int
        Classes.

    Examples
    --------
    >>> balancing_costs(np.array([0, 0, 1, 0, 0, 0]), 2)
    [[0.0, 0.6667], [2.0, 0.0]]
    """
    rows = np.bincount(target, minlength=count) + 1.0
    price = rows.sum() / rows / count
    costs: list[list[float]] = (price[:, None] * (1 - np.eye(count))).round(4).tolist()
    return costs
