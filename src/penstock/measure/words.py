"""One text taken apart into words and what stands between them.

text -> runs, and which of them are the same word
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RUNS = re.compile(r"\w+|\s+|[^\w\s]+")
"""Words (letters, digits, underscores), blanks, signs."""


@dataclass(frozen=True)
class Words:
    """A text's runs of characters.

    Attributes
    ----------
    runs : list of str
        In order; together they are the text.
    names : list of str
        The distinct words, levelled, in order of appearance.
    number : int64[runs]
        Of the word that a run is; -1 for blanks and signs.
    """

    runs: list[str]
    names: list[str]
    number: NDArray[np.int64]

    @classmethod
    def of(cls, text: str) -> Words:
        """Take a text apart.

        Examples
        --------
        >>> words = Words.of("To be, or not to be")
        >>> words.names, words.without(1)
        (['to', 'be', 'or', 'not'], 'To , or not to ')
        """
        runs = RUNS.findall(text)
        level = [unicodedata.normalize("NFKC", run).casefold() for run in runs]
        is_word = [run[0].isalnum() or run[0] == "_" for run in runs]
        place: dict[str, int] = {}
        numbers = [
            place.setdefault(name, len(place)) if word else -1
            for name, word in zip(level, is_word, strict=True)
        ]
        return cls(runs, list(place), np.array(numbers, dtype=np.int64))

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each distinct word stands in the text, ``int64[names]``."""
        return np.bincount(self.number[self.number >= 0], minlength=len(self.names))

    def without(self, number: int) -> str:
        """The text without a word, wherever it stands."""
        return "".join(r for r, n in zip(self.runs, self.number, strict=True) if n != number)

    def tinted(self, tints: NDArray[np.float64], most: int) -> list[tuple[str, float]]:
        """Runs of the text, cut after so many characters, each with its word's tint; neighbours
        without one are joined.

        Examples
        --------
        >>> Words.of("free lunch now").tinted(np.array([0.0, 1.0, 0.0]), most=12)
        [('free ', 0.0), ('lunch', 1.0), (' ', 0.0), ('...', 0.0)]
        """
        found: list[tuple[str, float]] = []
        left = most
        for run, number in zip(self.runs, self.number.tolist(), strict=True):
            if len(run) > left:
                return [*found, ("...", 0.0)]
            left -= len(run)
            tint = 0.0 if number < 0 else float(tints[number])
            if found and tint == 0.0 == found[-1][1]:
                found[-1] = (found[-1][0] + run, 0.0)
            else:
                found.append((run, tint))
        return found
