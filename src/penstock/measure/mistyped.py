"""Texts as people and machines spoil them: letters mistyped, words nobody has seen, ends lost.

Texts are handled as one run of characters. What is hit comes from the generator alone, and what
a smaller share hits is among what a larger one hits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True)
class Characters:
    """Characters of texts, one text after the other.

    Attributes
    ----------
    code : uint32[m]
        Unicode's number of each.
    row : int64[m]
        Text that it stands in, ascending.
    known : bool[n]
        Which texts there are.
    """

    code: NDArray[np.uint32]
    row: NDArray[np.int64]
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, texts: pa.LargeStringArray) -> Characters:
        """Take texts apart; a null has no characters."""
        filled = pc.fill_null(texts, "")
        whole = "".join(filled.to_pylist())
        code = np.frombuffer(whole.encode("utf-32-le"), dtype=np.uint32)
        lengths = pc.utf8_length(filled).to_numpy()
        known = texts.is_valid().to_numpy(zero_copy_only=False)
        return cls(code, np.arange(len(texts)).repeat(lengths), known)

    def texts(self) -> pa.LargeStringArray:
        """Put the texts together.

        Examples
        --------
        >>> Characters.of(pa.array(["a€😀", None, ""], pa.large_string())).texts().to_pylist()
        ['a€😀', None, '']
        """
        code = self.code
        size = 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x10000)
        sizes = np.bincount(self.row, size, minlength=len(self.known))
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        whole = code.astype("<u4").tobytes().decode("utf-32-le").encode("utf-8")
        validity = pa.array(self.known).buffers()[1]
        buffers = [validity, pa.py_buffer(offsets.tobytes()), pa.py_buffer(whole)]
        return pa.Array.from_buffers(pa.large_string(), len(self.known), buffers)

    @property
    def letters(self) -> NDArray[np.int64]:
        """Positions of the letters."""
        kinds, which = np.unique(self.code, return_inverse=True)
        is_letter = np.array([chr(kind).isalpha() for kind in kinds], dtype=bool)
        return np.flatnonzero(is_letter[which])


def typos(
    texts: pa.LargeStringArray, share: float, rng: np.random.Generator
) -> pa.LargeStringArray:
    """A share of the letters are other letters of these texts.

    Examples
    --------
    >>> typos(pa.array(["aa", "b c"], pa.large_string()), 0.0, np.random.default_rng(0)).to_pylist()
    ['aa', 'b c']
    """
    found = Characters.of(texts)
    letters = found.letters
    return _relettered(found, letters, rng.random(len(letters)) < share, rng).texts()


def unknown_words(
    texts: pa.LargeStringArray, share: float, rng: np.random.Generator
) -> pa.LargeStringArray:
    """A share of the words are words of random letters, as long as they were."""
    found = Characters.of(texts)
    letters = found.letters
    starts = np.ones(len(letters), dtype=bool)
    starts[1:] = (np.diff(letters) > 1) | (np.diff(found.row[letters]) > 0)
    word = np.cumsum(starts) - 1
    hit = rng.random(int(starts.sum())) < share
    return _relettered(found, letters, hit[word], rng).texts()


def cut_short(texts: pa.LargeStringArray, share: float) -> pa.LargeStringArray:
    """Without a share of the characters, at the end.

    Examples
    --------
    >>> cut_short(pa.array(["abcd", None, "x"], pa.large_string()), 0.5).to_pylist()
    ['ab', None, '']
    """
    found = Characters.of(texts)
    sizes = np.bincount(found.row, minlength=len(texts))
    place = np.arange(len(found.code)) - (np.cumsum(sizes) - sizes)[found.row]
    kept = place < np.floor((1 - share) * sizes + 1e-9)[found.row]
    return Characters(found.code[kept], found.row[kept], found.known).texts()


def _relettered(
    found: Characters, letters: NDArray[np.int64], hit: NDArray[np.bool_], rng: np.random.Generator
) -> Characters:
    code = found.code.copy()
    if len(letters):
        drawn = found.code[letters[rng.integers(0, len(letters), len(letters))]]
        code[letters[hit]] = drawn[hit]
    return Characters(code, found.row, found.known)
