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


LEAST_RATIO, CHANCE = 2.0, 1e-3
"""Levels of a number have a view of their own from this F on, by chance once in a thousand
columns (house choice, measured: users 14 and films 3 of MovieLens, flight numbers 1.2)."""


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


def tell_more(
    fine: NDArray[np.int64], coarse: NDArray[np.int64], target: NDArray[np.generic]
) -> bool:
    """Whether levels tell what the coarse level around them does not, and can be believed.

    By the F of nested analyses of variance (Searle, Casella and McCulloch, 1992, chapter 3), for
    classes summed over their indicators. It is 1 where levels differ by chance alone, and 2
    where a level of the usual size has as many rows as ``k``: half of what it shows is true.

    Parameters
    ----------
    fine : int64[n]
        Levels, each within one level of ``coarse``.
    coarse : int64[n]
        Levels.
    target : int64[n] or float64[n]
        Class codes or values of the same rows.

    Examples
    --------
    >>> halves, quarters = np.repeat([0, 1], 40), np.repeat([0, 1, 2, 3], 20)
    >>> tell_more(quarters, halves, np.arange(80) % 2)
    False
    >>> tell_more(quarters, halves, np.repeat([0, 1, 0, 1], 20))
    True
    """
    from scipy.stats import f as f_distribution

    num_rows, explained, num_levels = len(target), [], []
    squares = 0.0
    for codes in (coarse, fine):
        _, levels, sizes = np.unique(codes, return_inverse=True, return_counts=True)
        sums, squares = _sums(levels, len(sizes), target)
        explained.append(float((sums**2 / sizes[:, None]).sum()))
        num_levels.append(len(sizes))
    more, left = num_levels[1] - num_levels[0], num_rows - num_levels[1]
    if more < 1 or left < 1 or squares <= 0:
        return False
    nothing = 1e-12 * squares / num_rows
    ratio = (explained[1] - explained[0]) / more / max((squares - explained[1]) / left, nothing)
    return bool(ratio >= LEAST_RATIO and f_distribution.sf(ratio, more, left) < CHANCE)


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
