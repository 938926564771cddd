"""Ways to train, compared over the folds of a cross-validation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.measure import metrics

LEVEL = 0.9
"""Of each interval, two-sided: where only the lower end is held, a tie looks like a gain in one
of twenty (house choice). What is the best of several is tried again, alone, to be believed."""
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


def gains(
    better: str, chosen: NDArray[np.float64], other: NDArray[np.float64], *, as_share: bool
) -> NDArray[np.float64]:
    """How much better ``other`` is in each fold, ``float64[folds]``.

    Parameters
    ----------
    better : {"higher", "lower"}
        Direction of the metric.
    chosen, other : float64[folds]
        The metric of each.
    as_share : bool
        Keyword only. True: as a share of the mean of ``chosen``; False: in the metric's units.

    Examples
    --------
    >>> gains("lower", np.array([1.0, 3.0]), np.array([1.0, 2.0]), as_share=True).tolist()
    [0.0, 0.5]
    """
    difference = other - chosen if better == "higher" else chosen - other
    scale = float(np.nanmean(chosen)) if as_share and np.isfinite(chosen).any() else 1.0
    return difference / scale if scale > 0 else np.where(difference == 0, 0.0, np.nan)


def deciding_rows(contributions: NDArray[np.float64]) -> float:
    """How many equal rows would make up a sum as these do: ``(sum c)**2 / sum c**2``.

    A third of the rows for squares of normal errors; a handful where the tail is so heavy that
    a few rows are the whole sum (the participation ratio).

    Examples
    --------
    >>> deciding_rows(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    squares = float(np.square(contributions).sum())
    return float(contributions.sum()) ** 2 / squares if squares > 0 else float(len(contributions))


@dataclass(frozen=True)
class Tried:
    """What was measured of each way in each fold.

    Attributes
    ----------
    values : dict of str to dict of str to float64[folds]
        By name of the way and of the metric.
    num_rows : int
        That were divided into folds.
    deciding : dict of str to float
        By name: rows that make up its sum of squared errors; empty where nothing is a number.
    """

    values: dict[str, dict[str, NDArray[np.float64]]]
    num_rows: int
    deciding: dict[str, float]

    @property
    def num_folds(self) -> int:
        """Of the cross-validation."""
        return len(next(iter(next(iter(self.values.values())).values())))

    @property
    def test_per_train(self) -> float:
        """Rows of a fold over those that its networks learnt from."""
        return 1 / (self.num_folds - 1)

    def interval(self, name: str, metric: str) -> tuple[float, float, float]:
        """Mean of the metric over the folds and its interval."""
        return corrected_interval(self.values[name][metric], self.test_per_train, LEVEL)

    def gain(self, metric: str, chosen: str, other: str) -> tuple[float, float, float]:
        """Gain of another way and its interval.

        A share of the chosen one's error where less of the metric is better, else in its units.
        """
        better = metrics.of(metric).better
        values = (self.values[name][metric] for name in (chosen, other))
        each = gains(better, *values, as_share=better == "lower")
        return corrected_interval(each, self.test_per_train, LEVEL)
