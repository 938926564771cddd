"""What a policy makes of scores: probabilities, decisions, sets, and what mistakes cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.measure.intervals import mean_interval
from penstock.measure.metrics import row_log_loss
from penstock.records import Policy

SMALLEST = 1e-12
"""Probabilities are not less, so that their logarithm is finite."""
TEMPERATURES = (0.1, 10.0)
"""Range of the temperature (house choice: ten times too sure, either way)."""
MIN_ROWS = 50
"""Fewest rows that a number is tuned on (house choice)."""

Scores = NDArray[np.floating]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Temperature:
    """A temperature and what it is good for.

    Attributes
    ----------
    value : float
        The one with the least log-loss.
    saved, low, high : float
        Log-loss that it saves a row, in nats, with the 95% interval of that mean; nan where
        there are fewer than :data:`MIN_ROWS` rows.
    """

    value: float
    saved: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether it helps by more than chance."""
        return self.low > 0


def tempered(scores: Scores, temperature: float) -> Scores:
    """Probabilities ``float[n, classes]`` to the power ``1 / temperature``, normalised.

    Above 1 it makes them less sure, below 1 surer; 1 leaves them exactly as they are.

    Examples
    --------
    >>> tempered(np.array([[0.2, 0.8]]), 2.0).round(4).tolist()
    [[0.3333, 0.6667]]
    """
    if temperature == 1.0:
        return scores
    logs = np.log(np.clip(scores, SMALLEST, 1.0)) / temperature
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(scores.dtype)


def best_temperature(scores: Scores, target: Codes) -> Temperature:
    """The temperature with the least log-loss on these rows (Guo et al., 2017).

    The loss is that of Platt's (1999) targets, ``(n + 1) / (n + 2)`` instead of 1: rows that are
    all right do not make the model surer than their number can show. Where the best temperature
    is 1 in truth, the interval excludes 0 in about 1 of 10,000 samples, though it is of the rows
    that the temperature was chosen on: the gain of one fitted number is then half the square of
    the standard normal that its interval is held against.

    Parameters
    ----------
    scores : float[n, classes]
        Probabilities.
    target : int64[n]
        Class codes.

    Returns
    -------
    Temperature
        In :data:`TEMPERATURES`, of four significant digits; 1 for too few rows.

    Examples
    --------
    >>> target = np.arange(1000) % 4 > 0
    >>> round(best_temperature(np.tile([[0.1, 0.9]], (1000, 1)), target.astype(int)).value, 1)
    2.0
    """
    from scipy.optimize import minimize_scalar

    rows, classes = scores.shape
    if rows < MIN_ROWS or classes < 2:
        return Temperature(1.0, *[float("nan")] * 3)
    logs = np.log(np.clip(scores.astype(np.float64), SMALLEST, 1.0))
    true = logs[np.arange(rows), target]
    other = (logs.sum(axis=1) - true) / (classes - 1)
    wanted = float(np.mean(true * (rows + 1) + other)) / (rows + 2)

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        top = scaled.max(axis=1)
        total = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float(total.mean() - wanted / np.exp(log_temperature))

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    value = float(f"{np.exp(found.x):.4g}")
    saved = row_log_loss(target, scores) - row_log_loss(target, tempered(scores, value))
    return Temperature(value, float(saved.mean()), *mean_interval(saved))


def decided(
    scores: Scores, policy: Policy, groups: Sequence[str], codes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Class codes ``int64[n]`` that a policy decides on.

    Parameters
    ----------
    scores : float[n, classes]
        Tempered probabilities.
    policy : Policy
        Threshold, thresholds by group, or costs; else the most probable class.
    groups, codes : sequence of str and int64[n]
        Names of the groups and the group of each row; not read without thresholds by group.

    Examples
    --------
    >>> scores = np.array([[0.6, 0.4], [0.6, 0.4]])
    >>> decided(scores, Policy(threshold=0.3), [], np.zeros(2, dtype=np.int64)).tolist()
    [1, 1]
    """
    if policy.costs:
        expected = scores @ np.asarray(policy.costs, dtype=np.float64)
        return expected.argmin(axis=1).astype(np.int64)
    if policy.threshold is None and not policy.thresholds:
        return scores.argmax(axis=1).astype(np.int64)
    chance = scores[:, 1].astype(np.float64)  # in single precision a threshold would be rounded
    usual = 0.5 if policy.threshold is None else policy.threshold
    if not policy.thresholds:
        return (chance >= usual).astype(np.int64)
    limits = np.array([policy.thresholds.get(name, usual) for name in groups])
    return (chance >= limits[codes]).astype(np.int64)


def members(scores: Scores, radius: float) -> NDArray[np.bool_]:
    """Which classes a prediction set holds, ``bool[n, classes]``: ``1 - probability <= radius``.

    Split-conformal sets with the score of Sadinle, Lei and Wasserman (2019); a set may be empty.

    Examples
    --------
    >>> members(np.array([[0.2, 0.8]]), 0.5).tolist()
    [[False, True]]
    """
    held: NDArray[np.bool_] = 1.0 - scores.astype(np.float64) <= radius
    return held


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
