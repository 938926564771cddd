"""Split-conformal prediction: how far from the score the truth is found, with a promise.

Nonconformity scores of validation rows -> the radius of sets and intervals
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def rank(num_rows: int, coverage: float) -> int:
    """Which of the ascending nonconformity scores is the radius, counted from 1:
    ``ceil((n + 1) * coverage)``.

    Examples
    --------
    >>> rank(99, 0.9), rank(9, 0.9), rank(8, 0.9)
    (90, 9, 9)
    """
    return math.ceil((num_rows + 1) * coverage - 1e-9)  # 100 * 0.55 is a little over 55 in floats


def rows_needed(coverage: float) -> int:
    """Fewest rows that can promise a coverage.

    Examples
    --------
    >>> rows_needed(0.9), rows_needed(0.95)
    (9, 19)
    """
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def radius(nonconformity: NDArray[np.floating], coverage: float) -> float | None:
    """The quantile under which a new row's nonconformity lies with a probability of at least
    ``coverage``, if it comes from where these rows come from (Vovk et al., 2005).

    Parameters
    ----------
    nonconformity : float[n]
        Of rows that nothing was fitted on.
    coverage : float
        In (0, 1).

    Returns
    -------
    float or None
        In the unit of the nonconformity; None where there are too few rows for the promise.

    Examples
    --------
    >>> radius(np.arange(1.0, 10.0), 0.9), radius(np.arange(1.0, 9.0), 0.9)
    (9.0, None)
    """
    place = rank(len(nonconformity), coverage)
    if place > len(nonconformity):
        return None
    return float(np.partition(nonconformity.astype(np.float64), place - 1)[place - 1])
