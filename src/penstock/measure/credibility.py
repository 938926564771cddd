"""How far the rows of one level of a category may be believed (Buehlmann's credibility, 1967).

A network learns any level by heart, of however few rows. What is true of a level beyond its
rows is the part of its mean that chance does not explain: of ``n`` rows the share
``n / (n + k)``, where ``k`` is the variance within levels over the variance between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_ROWS = 10.0
"""``k`` is at most so many rows, also where the levels' means differ by chance alone: a level
of many rows stays in sight, since it may tell something beside other columns. House choice,
measured on flights (10 to 300 serve alike) and on levels whose means are equal but whose
slopes differ (30 and more lose them)."""


def credibility(
    codes: NDArray[np.int64], num_levels: int, target: NDArray[np.generic]
) -> list[float]:
    """Share ``n / (n + k)`` of each level's rows that is believed, in [0, 1].

    Parameters
    ----------
    codes : int64[n]
        Level of each training row, in ``[0, num_levels)``; 0 is no level, always believed.
    num_levels : int
        At least 1.
    target : int64[n] or float64[n]
        Class codes or values of the same rows.

    Returns
    -------
    list of float
        One value a level: 1 for code 0, 0 for a level without rows.

    Examples
    --------
    >>> codes = np.repeat([1, 2, 3], [10, 10, 30])
    >>> credibility(codes, 5, np.arange(50) % 2)  # the levels tell nothing: k is MOST_ROWS
    [1.0, 0.5, 0.5, 0.75, 0.0]
    """
    counts = np.bincount(codes, minlength=num_levels)
    believed = counts / np.maximum(counts + believed_half(codes, target), 1)
    return [1.0, *believed[1:].tolist()]


def believed_half(codes: NDArray[np.int64], target: NDArray[np.generic]) -> float:
    """``k``: of so many rows, a level's mean is half signal, half chance; in [0, MOST_ROWS].

    The variances within and between levels are those of a one-way analysis of variance with
    random effects (Searle, Casella and McCulloch, 1992, section 3.6), for classes summed over
    their indicators.

    Examples
    --------
    >>> believed_half(np.repeat([1, 2], 50), np.repeat([0, 1], 50))  # a level tells the class
    0.0
    """
    _, levels, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    num_rows, num_levels = len(codes), len(sizes)
    if num_levels < 2 or num_rows == num_levels:
        return MOST_ROWS
    sums, squares = _sums(levels, num_levels, target)
    means = sums / sizes[:, None]
    between = (sizes @ (means - sums.sum(axis=0) / num_rows) ** 2).sum() / (num_levels - 1)
    within = max(0.0, squares - (sizes @ means**2).sum()) / (num_rows - num_levels)
    usual_size = (num_rows - (sizes @ sizes) / num_rows) / (num_levels - 1)
    variance = (between - within) / usual_size
    return min(MOST_ROWS, float(within / variance)) if variance > 1e-12 else MOST_ROWS


def _sums(
    levels: NDArray[np.int64], num_levels: int, target: NDArray[np.generic]
) -> tuple[NDArray[np.float64], float]:
    """Sum of the target by level, ``float64[levels, k]``, and of its squares.

    Classes count 1 each; values are measured from their mean in standard deviations.
    """
    if np.issubdtype(target.dtype, np.integer):
        _, classes = np.unique(target, return_inverse=True)
        width = int(classes.max()) + 1
        table = np.bincount(levels * width + classes, minlength=num_levels * width)
        return table.reshape(num_levels, width).astype(np.float64), float(len(target))
    values = target.astype(np.float64)
    values = values / (np.abs(values).max() or 1.0)  # so that no square overflows
    values = values - values.mean()
    values = values / (values.std() or 1.0)
    sums = np.bincount(levels, values, num_levels).astype(np.float64)
    return sums[:, None], float(values @ values)
