"""Intervals of estimates: bootstrap for metrics, Wilson for shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 300
"""Bootstrap resamples (house choice: the ends of a 95% interval are then the 8th from each
side, good to about a tenth of its width)."""
Z95 = 1.959963984540054
"""97.5% quantile of the normal distribution."""


def resamples(num_rows: int, seed: int, num: int = NUM_RESAMPLES) -> Iterator[NDArray[np.int64]]:
    """Row numbers drawn with replacement, ``int64[num_rows]`` each, in ascending order."""
    rng = np.random.default_rng(seed)
    for _ in range(num):
        yield np.sort(rng.integers(num_rows, size=num_rows))


def bootstrap(
    measure: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    num_rows: int,
    seed: int,
    num: int = NUM_RESAMPLES,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95% percentile intervals of several quantities over the same resamples.

    Parameters
    ----------
    measure : callable
        Row numbers to ``float64[k]``; nan where a resample does not define a quantity.
    num_rows : int
        Rows to draw from.
    seed, num : int
        Seed and number of resamples.

    Returns
    -------
    low, high : float64[k]
        2.5% and 97.5% quantiles (Efron and Tibshirani, 1993), over the resamples in which the
        quantity is defined; nan where it is defined in fewer than half of them.
    """
    draws = np.array([measure(rows) for rows in resamples(num_rows, seed, num)])
    known = np.isfinite(draws).mean(axis=0) >= 0.5
    low, high = np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    if known.any():
        low[known], high[known] = np.nanquantile(draws[:, known], [0.025, 0.975], axis=0)
    return low, high


def mean_interval(values: NDArray[Any]) -> tuple[float, float]:
    """95% interval of a mean by its standard error; nan for fewer than two values.

    Examples
    --------
    >>> low, high = mean_interval(np.array([0.0, 2.0]))
    >>> round(low, 2), round(high, 2)
    (-0.96, 2.96)
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    mean = float(np.mean(values, dtype=np.float64))
    wide = Z95 * float(np.std(values, ddof=1, dtype=np.float64)) / math.sqrt(len(values))
    return mean - wide, mean + wide


def wilson(hits: float, total: float) -> tuple[float, float]:
    """95% Wilson score interval of a share (Wilson, 1927); the whole range for no rows.

    Both may be fractions, where rows count less than one.

    Examples
    --------
    >>> low, high = wilson(5, 10)
    >>> round(low, 4), round(high, 4)
    (0.2366, 0.7634)
    """
    if total == 0:
        return 0.0, 1.0
    share, z2 = hits / total, Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    wide = Z95 / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return float(max(0.0, middle - wide)), float(min(1.0, middle + wide))
