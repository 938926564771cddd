"""How sure probabilities may be: the temperature, chosen on rows that nothing was fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.measure.intervals import mean_interval
from penstock.measure.metrics import row_log_loss
from penstock.measure.policy.decisions import SMALLEST, Codes, Scores, tempered

TEMPERATURES = (0.1, 10.0)
"""Range of the temperature (house choice: ten times too sure, either way)."""
MIN_ROWS = 50
"""Fewest rows that a number is tuned on (house choice)."""


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
