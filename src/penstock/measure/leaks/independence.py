"""Whether two columns are independent of one another once a third is known.

Everything here works on residuals: what is left of a column after the known one is taken out.
"""

from __future__ import annotations

import math

import numpy as np

from penstock.measure.leaks import alone as one

# House choices, measured by benchmarks/leakage.py.
ENOUGH_SIGNAL = 5.5
"""Standard errors by which an unrelated column would be seen to be no copy."""
LEAST_SIGNAL = 3.5
"""Standard errors by which the other columns must tell the label at all."""
INDEPENDENT_ERRORS, INDEPENDENT_SLACK = 3.0, 0.03
"""Largest conditional correlation that still counts as none: in standard errors, or at all."""
SCREEN_ERRORS, SCREEN_SHARE = 8.0, 0.003
"""One other column shows dependence by itself: in standard errors, and as a share."""


def residual(values: np.ndarray, groups: np.ndarray, slope: np.ndarray | None) -> np.ndarray:
    """Values less their group's mean and, with ``slope``, less their trend in each group."""
    size = int(groups.max()) + 1
    counts = np.maximum(np.bincount(groups, minlength=size), 1)
    centred = values - (np.bincount(groups, values, size) / counts)[groups]
    if slope is None:
        return centred
    along = slope - (np.bincount(groups, slope, size) / counts)[groups]
    power = np.bincount(groups, along * along, size)
    trend = np.bincount(groups, along * centred, size) / np.maximum(power, 1e-12)
    return np.asarray(centred - trend[groups] * along)


def shows(residual: np.ndarray, strata: np.ndarray, bins: np.ndarray) -> bool:
    """Whether the residual's mean differs between the bins of a column within strata (F test)."""
    power = np.bincount(strata, residual**2) / np.maximum(np.bincount(strata), 1)
    # one variance in all strata, as the test wants it; none where there is nothing left to tell
    scale = np.where(power > 1e-6 * power.max(), np.sqrt(power), np.inf)
    residual = residual / scale[strata]
    cells = np.unique(strata * (int(bins.max()) + 1) + bins, return_inverse=True)[1]
    counts = np.bincount(cells)
    between = float((np.bincount(cells, residual) ** 2 / counts).sum())
    total = float(residual @ residual)
    freedom, left = len(counts) - len(np.unique(strata)), len(residual) - len(counts)
    if total <= 1e-12 * len(residual) or freedom < 1 or left < 1:
        return False
    within = max(total - between, 1e-300) / left
    excess = between / within - freedom
    return bool(
        excess / math.sqrt(2 * freedom * (1 + freedom / left)) > SCREEN_ERRORS
        and excess * within / total > SCREEN_SHARE
    )


def could_show(score: np.ndarray, guess: np.ndarray, target: np.ndarray, rows: np.ndarray) -> bool:
    """Whether a column unrelated to the others would be seen to be no copy.

    Its correlation with them given the label would be ``-ab / sqrt((1 - a^2)(1 - b^2))`` (the
    partial correlation for a correlation of 0), where a and b are the correlations of either
    with the label.
    """
    a = one.correlation(score[rows], target[rows])
    b = one.correlation(guess[rows], target[rows])
    if b * math.sqrt(rows.sum()) <= LEAST_SIGNAL:
        return False  # what is no more than chance would be blown up by the root below
    expected = a * b / math.sqrt(max((1 - a * a) * (1 - b * b), 1e-12))
    return min(expected, 1.0) * math.sqrt(rows.sum()) > ENOUGH_SIGNAL


def most_by_chance(left: np.ndarray, right: np.ndarray) -> float:
    """Largest correlation of two residuals that still counts as none.

    The error of a correlation of 0 is ``sqrt(sum l^2 r^2 / (sum l^2 sum r^2))``, which is
    ``1 / sqrt(n)`` where the variances are alike everywhere (White 1980).
    """
    power = math.sqrt(float(left @ left) * float(right @ right))
    if power <= 1e-12 * len(left):
        return 1.0
    error = math.sqrt(float((left * right) @ (left * right))) / power
    return max(INDEPENDENT_SLACK, INDEPENDENT_ERRORS * max(error, 1 / math.sqrt(len(left))))
