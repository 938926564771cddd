"""Near copies on both sides of a split: the same picture, saved again, brightened or resized.

A copy lies far closer to its original than rows that are merely alike lie to one another, so its
distance is measured in that of the row's usual neighbours: no threshold for what is near is needed
(as in the ratio test of Lowe, 2004).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COPY = 0.25
"""Distance to the nearest row, of that to the usual neighbour, below which a row is a copy (house
choice: in seven sets of images without copies none came below 0.3, while of those saved again as
JPEG, brightened or made noisy 87% to 100% came below 0.25, of those resized 0% to 94%)."""
NEIGHBOUR, SHARE = 10, 0.01
"""The usual neighbour is the tenth, or that beyond which 99% of the rows lie; so more than ten
copies of one original are found only where they are fewer than one row in a hundred."""
MOST_TRAIN, MOST_TEST = 10_000, 2_000
"""Rows that are compared (house choice: seconds)."""
AT_ONCE = 256


def copies(
    train: NDArray[np.float32], test: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which test rows have a near copy in train, and which train row is the nearest.

    Parameters
    ----------
    train, test : float32[n, k], float32[m, k]
        Vectors whose Euclidean distance is small between copies; a row of zeros has none.

    Returns
    -------
    bool[m], int64[m]

    Examples
    --------
    >>> train = np.random.default_rng(0).normal(size=(50, 9)).astype(np.float32)
    >>> found, nearest = copies(train, np.stack([train[7] + 0.01, train[:2].mean(axis=0)]))
    >>> found.tolist(), int(nearest[0])
    ([True, False], 7)
    """
    found, nearest = np.zeros(len(test), bool), np.zeros(len(test), np.int64)
    usual = max(NEIGHBOUR, int(SHARE * len(train)))
    if len(train) <= usual:
        return found, nearest
    squares = np.square(train).sum(axis=1)
    for start in range(0, len(test), AT_ONCE):
        some = test[start : start + AT_ONCE]
        far = squares - 2 * some @ train.T + np.square(some).sum(axis=1)[:, None]
        far = np.sqrt(far.clip(min=0))
        first = far.argmin(axis=1)
        least = far[np.arange(len(some)), first]
        known = some.any(axis=1) & train[first].any(axis=1)
        found[start : start + AT_ONCE] = known & (
            least < COPY * np.partition(far, usual, axis=1)[:, usual]
        )
        nearest[start : start + AT_ONCE] = first
    return found, nearest
