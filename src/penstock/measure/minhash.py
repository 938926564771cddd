"""Rows that are nearly the same: most of what they are made of is the same (MinHash).

sets of codes, one a row -> signatures -> clusters of rows

The share of its places in which two signatures agree estimates the Jaccard similarity of the two
sets, what they share over what they have together (Broder, 1997).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUM_HASHES, BAND = 128, 4
"""Places of a signature: similarity is then known to 0.04. Rows that agree in a whole band of them
are compared: of two that are alike by 0.8 hardly any pair is missed, by 0.3 few are looked at."""
LEAST_ALIKE = 0.8
"""Rows are near from this similarity on, as is usual (Lee et al., 2022)."""
FEWEST_CODES = 10
"""A row of fewer codes is near to none: it is too short to tell (house choice)."""
NONE = np.uint32(0xFFFFFFFF)


def signatures(
    row: NDArray[np.int64], code: NDArray[np.uint64], num_rows: int
) -> NDArray[np.uint32]:
    """The least hash of each row's codes under each of many hash functions.

    Parameters
    ----------
    row : int64[m]
        Row of each code, ascending.
    code : uint64[m]
        What the rows are made of; repeated codes count once.
    num_rows : int
        Rows.

    Returns
    -------
    uint32[num_rows, 128]
        All ones where a row has too few codes.
    """
    found = np.full((num_rows, NUM_HASHES), NONE, np.uint32)
    some = np.bincount(row, minlength=num_rows) >= FEWEST_CODES
    kept = some[row]
    row, code = row[kept], code[kept]
    if not len(row):
        return found
    rows, starts = np.unique(row, return_index=True)
    factors = np.random.default_rng(0).integers(1, 1 << 63, (NUM_HASHES, 2), dtype=np.uint64)
    for place, (times, plus) in enumerate(factors):
        hashed = ((code * (times | np.uint64(1)) + plus) >> np.uint64(32)).astype(np.uint32)
        found[rows, place] = np.minimum.reduceat(hashed, starts)
    return found


def clusters(found: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Number of each row's cluster of near rows, ``int64[n]``; alone, a row has its own.

    A row is near to a cluster when it is near to the first row that it meets there.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known = np.flatnonzero((found != NONE).any(axis=1))
    pairs: list[NDArray[np.int64]] = []
    for start in range(0, NUM_HASHES, BAND):
        band = np.ascontiguousarray(found[known, start : start + BAND])
        _, first, which = np.unique(band, axis=0, return_index=True, return_inverse=True)
        pairs.append(np.stack([known, known[first[which.ravel()]]]))
    left, right = np.unique(np.concatenate(pairs, axis=1), axis=1)
    apart = left != right
    left, right = left[apart], right[apart]
    near = alike(found[left], found[right]) >= LEAST_ALIKE
    links = coo_array((np.ones(near.sum()), (left[near], right[near])), shape=(len(found),) * 2)
    number: NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)
    return number


def alike(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Estimated similarity of rows, in [0, 1], ``float64[n]``.

    Examples
    --------
    >>> alike(np.array([[1, 2]], np.uint32), np.array([[1, 3]], np.uint32)).tolist()
    [0.5]
    """
    found: NDArray[np.float64] = (left == right).mean(axis=1)
    return found
