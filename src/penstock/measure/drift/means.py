"""The distribution of a quantity by row, small enough to travel, and what windows of it average.

A window that nothing has happened to is a draw of rows from the reference. How far its mean may
stray by chance is simulated from the sorted values' groups; the reference's own error counts.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Frozen

NUM_GROUPS = 200
"""Groups of sorted values (house choice: some 3 kB)."""
NUM_DRAWS = 10_000
"""Windows that are simulated (house choice: a p-value of 1% is then good to a tenth of it)."""
DIGITS = 7
SEED = 0
"""Of the simulation: equal windows, equal answers."""


class Means(Frozen):
    """Sorted values in groups of nearly equal size.

    Attributes
    ----------
    counts : list of int
        Rows of each group.
    means, variances : list of float
        Of each group; the mean of all rows is exact.
    """

    counts: list[int]
    means: list[float]
    variances: list[float]

    @property
    def num_rows(self) -> int:
        """Rows in all."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Of all rows."""
        return float(np.average(self.means, weights=self.counts))

    @property
    def variance(self) -> float:
        """Of all rows."""
        squares = np.square(self.means) + self.variances
        return max(0.0, float(np.average(squares, weights=self.counts)) - self.mean**2)


def learn(values: NDArray[np.floating]) -> Means:
    """The groups of some values; at least one.

    Examples
    --------
    >>> learn(np.array([3.0, 1.0])).means
    [1.0, 3.0]
    """
    ordered = np.sort(np.asarray(values, np.float64))
    groups = np.array_split(ordered, min(NUM_GROUPS, len(ordered)))
    return Means(
        counts=[len(group) for group in groups],
        means=[float(f"{group.mean():.{DIGITS}g}") for group in groups],
        variances=[float(f"{group.var():.3g}") for group in groups],
    )


def p_value(reference: Means, mean: float, num_rows: int) -> float:
    """How often a window that nothing happened to has a mean at least as large.

    Parameters
    ----------
    reference : Means
        From which windows are drawn, with replacement.
    mean : float
        Of the window at hand.
    num_rows : int
        Of the window at hand.

    Returns
    -------
    float
        In (0, 1]; (1 + draws at least as large) / (1 + draws) (Davison and Hinkley, 1997).

    Examples
    --------
    >>> calm = learn(np.arange(1000.0))
    >>> p_value(calm, 499.5, 100) > 0.3, p_value(calm, 600.0, 100) < 0.001
    (True, True)
    """
    drawn = _draws(reference.model_dump_json(), num_rows)
    larger = len(drawn) - int(np.searchsorted(drawn, mean, side="left"))
    return (1 + larger) / (1 + len(drawn))


def excess(reference: Means, mean: float, variance: float, num_rows: int) -> tuple[float, float]:
    """How far a window's mean is above the reference's, and the standard error of that.

    Examples
    --------
    >>> value, error = excess(learn(np.array([0.0, 2.0])), 2.0, 1.0, 4)
    >>> value, round(error, 3)
    (1.0, 0.866)
    """
    spread = variance / num_rows + reference.variance / reference.num_rows
    return mean - reference.mean, float(np.sqrt(spread))


@lru_cache(maxsize=8)
def _draws(reference: str, num_rows: int) -> NDArray[np.float64]:
    """Means of simulated windows, ascending, ``float64[NUM_DRAWS]``."""
    known = Means.model_validate_json(reference)
    rng = np.random.default_rng(SEED)
    counts = np.asarray(known.counts, np.float64)
    found = np.empty(NUM_DRAWS)
    for start in range(0, NUM_DRAWS, 1000):
        drawn = rng.multinomial(num_rows, counts / counts.sum(), size=1000)
        inner = np.sqrt(drawn @ np.asarray(known.variances)) / num_rows
        means = drawn @ np.asarray(known.means) / num_rows
        found[start : start + 1000] = means + inner * rng.standard_normal(1000)
    own = np.sqrt(known.variance / known.num_rows)
    return np.sort(found + own * rng.standard_normal(NUM_DRAWS))
