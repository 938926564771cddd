"""Texts as pieces of words: byte pairs that often stand together (Sennrich et al., 2016).

Case and ways of writing the same character are levelled first; then words, numbers and runs of
signs are cut into pieces that training rows taught. Pieces are made of bytes, so that any text
has them. Arrow cuts texts into words, and only words that differ are cut into pieces.

texts -> piece codes, row after row
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.learning import byte_pairs

MAX_PIECES = 8_192
"""Most kinds of pieces (house choice: a table of vectors that two cores can learn)."""
CHARACTERS_A_PIECE = 100
"""Characters of training text that a kind of piece must stand for (house choice)."""
LONGEST_PIECE = 24
"""In bytes (house choice)."""
SIGNS = r"([^\s\pL\pM\pN]+)"
"""Runs of signs are words of their own. (A pattern with a bound takes twenty times as long.)"""
CHUNK_CHARACTERS = 1 << 22
"""Characters that are cut at once (house choice): memory stays bounded."""


@dataclass(frozen=True)
class Pieces:
    """Pieces of rows, one after the other.

    Attributes
    ----------
    codes : int32[m]
        Code of each piece, from 0.
    row : int64[m]
        Row that it stands in, ascending.
    """

    codes: NDArray[np.int32]
    row: NDArray[np.int64]


def words_of(texts: pa.LargeStringArray) -> pa.LargeListArray:
    """Words of each text, levelled; null where the text is.

    Examples
    --------
    >>> words_of(pa.array(["Don't  PAY!!", "", None], pa.large_string())).to_pylist()
    [['don', "'", 't', 'pay', '!!'], [], None]
    """
    level = pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))
    apart = pc.replace_substring_regex(level, pattern=SIGNS, replacement=r" \1 ")
    lists = pc.utf8_split_whitespace(apart)
    words = lists.flatten()
    some = pc.not_equal(words, "")
    counts = np.bincount(pc.list_parent_indices(lists).to_numpy(), some.to_numpy(False), len(texts))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(
        pa.array(offsets), words.filter(some), mask=texts.is_null()
    )


def learn(texts: pa.LargeStringArray) -> list[str]:
    """The pairs to join, in the order in which they are joined, each ``left right``.

    Parameters
    ----------
    texts : pa.LargeStringArray
        Training texts, few enough to hold.
    """
    words = words_of(texts).flatten()
    wanted = pc.sum(pc.utf8_length(words)).as_py() or 0
    most = min(MAX_PIECES, 256 + wanted // CHARACTERS_A_PIECE)
    return byte_pairs.learn(words.to_pylist(), most, LONGEST_PIECE, within_words=False)


class Cutter:
    """Cuts texts into the pieces that were learnt.

    Parameters
    ----------
    merges : tuple of str
        From :func:`learn`.
    """

    def __init__(self, merges: tuple[str, ...]):
        self.tokenizer, names = byte_pairs.tokenizer(merges, within_words=False)
        self.num_pieces = len(names)

    def cut(self, texts: pa.LargeStringArray) -> Pieces:
        """Pieces of texts; none where a text is null."""
        lists = words_of(texts)
        coded = lists.flatten().dictionary_encode()
        found = self.tokenizer.encode_batch_fast(
            coded.dictionary.to_pylist(), add_special_tokens=False
        )
        pieces = [one.ids for one in found]
        sizes = np.array([len(one) for one in pieces], dtype=np.int64)
        flat = np.array([code for one in pieces for code in one], dtype=np.int32)
        word = coded.indices.to_numpy().astype(np.int64)
        row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
        return Pieces(flat[spread(np.cumsum(sizes) - sizes, sizes, word)], row.repeat(sizes[word]))


@lru_cache(maxsize=8)
def cutter(merges: tuple[str, ...]) -> Cutter:
    """The cutter of these merges; the last few are kept."""
    return Cutter(merges)


def spread(
    starts: NDArray[np.int64], sizes: NDArray[np.int64], chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Positions of all members of the chosen runs, run after run.

    Examples
    --------
    >>> spread(np.array([0, 2]), np.array([2, 3]), np.array([1, 0])).tolist()
    [2, 3, 4, 0, 1]
    """
    long = sizes[chosen]
    ends = np.cumsum(long)
    return np.arange(ends[-1] if len(ends) else 0) + (starts[chosen] - (ends - long)).repeat(long)


def chunks(texts: pa.LargeStringArray) -> Iterator[tuple[int, pa.LargeStringArray]]:
    """Runs of rows of at most :data:`CHUNK_CHARACTERS`, or one row; with their first row."""
    lengths = pc.fill_null(pc.utf8_length(texts), 0).to_numpy().astype(np.int64)
    ends, start = np.cumsum(lengths), 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK_CHARACTERS, "right")))
        yield start, texts.slice(start, stop - start)
        start = stop
