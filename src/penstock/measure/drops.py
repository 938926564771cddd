"""How far a metric falls between two sets of scores of the same rows, with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.measure import metrics
from penstock.measure.intervals import Z95, resamples
from penstock.measure.predictions import Answers, in_order

NUM_DRAWS = 100
"""Resamples behind a standard error (house choice: it is then good to 7%)."""
Array = NDArray[Any]


def worse(name: str, before: Any, after: Any) -> Any:
    """How much worse a metric became: positive is worse, whatever its direction.

    Examples
    --------
    >>> worse("accuracy", 0.75, 0.5), worse("rmse", 1.0, 3.0)
    (0.25, 2.0)
    """
    return before - after if metrics.of(name).better == "higher" else after - before


def measured(name: str, target: Array, scored: Answers) -> float:
    """The metric of all rows."""
    return metrics.of(name).measure(target, scored.scores, scored.decided)


def draws(
    name: str, target: Array, scored: Answers, seed: int, num: int = NUM_DRAWS
) -> NDArray[np.float64]:
    """The metric over bootstrap resamples of the rows, ``float64[num]``.

    The same seed draws the same rows, so that draws of two sets of scores are pairs.
    """
    order = in_order(scored.scores)  # resamples then come sorted: metrics that sort fly
    target, scored = target[order], scored.of(order)
    over = metrics.of(name).over(target, scored.scores, scored.decided)
    found = np.empty(num)
    for number, rows in enumerate(resamples(len(target), seed, num)):
        times = np.bincount(rows, minlength=len(order))[order]
        drawn = np.repeat(np.arange(len(order)), times)
        found[number] = over(drawn)
    return found


def around(value: float, samples: NDArray[np.float64]) -> tuple[float, float]:
    """95% interval around a value by the spread of its draws; nan where most are undefined.

    Examples
    --------
    >>> low, high = around(1.0, np.array([0.5, 1.0, 1.5]))
    >>> round(low, 2), round(high, 2)
    (0.02, 1.98)
    """
    known = samples[np.isfinite(samples)]
    if not math.isfinite(value) or known.size < max(2, len(samples) / 2):
        return math.nan, math.nan
    wide = Z95 * float(np.std(known, ddof=1))
    return value - wide, value + wide
