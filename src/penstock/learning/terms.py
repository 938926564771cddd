"""Terms of a text: its pieces and its pairs of neighbouring pieces, each with how often.

A term's key is a piece's code, or for a pair ``(left + 1) * PAIR + right``. Terms that many
training texts hold are known; a text is told by those of its terms that are frequent in it and
rare elsewhere (tf-idf, Spaerck Jones, 1972).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.learning.pieces import Pieces

PAIR = 1 << 14
"""More than there are kinds of pieces."""
MAX_TERMS = 32_000
"""Most terms that are known, those of most texts (house choice: a code fits 16 bits)."""
MIN_TEXTS = 3
"""Texts that a known term stands in (house choice: what is rarer is learnt by heart)."""
MOST_COUNT = 255
"""A term counts at most so often in a text."""


@dataclass(frozen=True)
class Counts:
    """Known terms of rows.

    Attributes
    ----------
    row, term : int64[m]
        Ascending by row, then term; a pair stands once.
    count : int64[m]
        How often the term stands in the row.
    """

    row: NDArray[np.int64]
    term: NDArray[np.int64]
    count: NDArray[np.int64]


def keys_of(pieces: Pieces) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and key of every term, pieces first, then pairs.

    Examples
    --------
    >>> pieces = Pieces(np.array([5, 7, 7]), np.array([0, 0, 1]))
    >>> row, key = keys_of(pieces)
    >>> row.tolist(), key.tolist()
    ([0, 0, 1, 0], [5, 7, 7, 98311])
    """
    codes = pieces.codes.astype(np.int64)
    pair = pieces.row[1:] == pieces.row[:-1]
    pairs = (codes[:-1][pair] + 1) * PAIR + codes[1:][pair]
    return np.concatenate([pieces.row, pieces.row[1:][pair]]), np.concatenate([codes, pairs])


def texts_with(pieces: Pieces) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Key of every term that there is, ascending, and how many rows hold it."""
    row, key = keys_of(pieces)
    order = np.lexsort((row, key))
    row, key = row[order], key[order]
    first = np.ones(len(key), dtype=bool)
    first[1:] = (key[1:] != key[:-1]) | (row[1:] != row[:-1])
    found, counts = np.unique(key[first], return_counts=True)
    return found, counts


def known(keys: NDArray[np.int64], num_texts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which terms are known: of enough texts, and of those the most frequent."""
    enough = num_texts >= MIN_TEXTS
    if enough.sum() <= MAX_TERMS:
        return enough
    kept = np.zeros(len(keys), dtype=bool)
    kept[np.argsort(-num_texts, kind="stable")[:MAX_TERMS]] = True
    return kept


def counted(pieces: Pieces, keys: NDArray[np.int64]) -> Counts:
    """How often each known term stands in each row.

    Parameters
    ----------
    pieces : Pieces
        Of the rows.
    keys : int64[terms]
        Of the known terms, ascending.
    """
    row, key = keys_of(pieces)
    if not len(keys) or not len(key):
        none = np.zeros(0, dtype=np.int64)
        return Counts(none, none, none)
    term = np.searchsorted(keys, key).clip(max=len(keys) - 1)
    there = keys[term] == key
    place, count = np.unique(row[there] * len(keys) + term[there], return_counts=True)
    return Counts(place // len(keys), place % len(keys), count)


def fill(
    terms: NDArray[np.int16],
    count: NDArray[np.uint8],
    counts: Counts,
    rarity: NDArray[np.float64],
) -> None:
    """Write the terms of each row that tell most of it.

    Parameters
    ----------
    terms, count : int16[n, most], uint8[n, most]
        Written: codes from 1 in ascending order, and how often each stands in the row, up to
        :data:`MOST_COUNT`. What is not needed stays as it is.
    counts : Counts
        Of these rows.
    rarity : float64[terms]
        From :func:`rarities`.
    """
    weight = weights(counts.count, rarity[counts.term])
    order = np.lexsort((counts.term, -weight, counts.row))
    chosen = np.sort(order[places(counts.row) < terms.shape[1]])
    row, place = counts.row[chosen], places(counts.row[chosen])
    terms[row, place] = counts.term[chosen] + 1
    count[row, place] = counts.count[chosen].clip(max=MOST_COUNT)


def weights(count: NDArray[np.int64], rarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(1 + ln count) * rarity``, 0 for a count of 0.

    Examples
    --------
    >>> weights(np.array([0, 1]), np.array([2.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    found: NDArray[np.float64] = np.where(count > 0, 1 + np.log(np.maximum(count, 1)), 0) * rarity
    return found


def rarities(num_texts: NDArray[np.int64], num_rows: int) -> NDArray[np.float64]:
    """``1 + ln((1 + rows) / (1 + texts))`` of each term, as scikit-learn smooths it.

    Examples
    --------
    >>> rarities(np.array([3]), 3).tolist()
    [1.0]
    """
    found: NDArray[np.float64] = 1 + np.log((1 + num_rows) / (1 + num_texts))
    return found


def places(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each member within its row's run.

    Examples
    --------
    >>> places(np.array([0, 0, 2, 2, 2])).tolist()
    [0, 1, 0, 1, 2]
    """
    starts = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))[: len(row)]
    sizes = np.diff(np.concatenate([starts, [len(row)]]))
    return np.arange(len(row)) - starts.repeat(sizes)
