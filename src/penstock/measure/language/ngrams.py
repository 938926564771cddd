"""The classic model of language: what followed the last few tokens in training.

Interpolated Kneser-Ney smoothing (Kneser and Ney, 1995; Chen and Goodman, 1999): each count is
lowered by a discount, and what is saved goes to the next shorter context, whose counts say after
how many *different* tokens something was seen. At the bottom all tokens are as likely.

token codes, document after document -> bits of each token
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORDER = 5
"""Tokens of the longest run that is counted (house choice: longer ones gain little)."""
END = 0
"""The code that stands between documents."""
UNSEEN = -1
USUAL_DISCOUNT = 0.5
"""Where no run was seen once or twice, so that none can be estimated (house choice)."""


@dataclass(frozen=True)
class Level:
    """Runs of so many tokens.

    Attributes
    ----------
    keys : int64[k]
        Ascending: number of the run without its last token, times the number of kinds of
        tokens, plus the last token.
    count : float64[k]
        How often the run was seen; of all but the longest runs: after how many different
        tokens, unless it begins a document.
    total, different : float64[c]
        Of each context, a run of the level below: sum of the counts of what follows, and how
        many different tokens do.
    discount : float
        What each count is lowered by: once over once and twice twice seen runs (Ney et al.,
        1994).
    """

    keys: NDArray[np.int64]
    count: NDArray[np.float64]
    total: NDArray[np.float64]
    different: NDArray[np.float64]
    discount: float

    @classmethod
    def of(
        cls, keys: NDArray[np.int64], count: NDArray[np.float64], num_tokens: int, contexts: int
    ) -> Level:
        """From the runs and their counts."""
        context = keys // num_tokens
        once, twice = int((count == 1).sum()), int((count == 2).sum())
        return cls(
            keys,
            count,
            np.bincount(context, weights=count, minlength=contexts).astype(np.float64),
            np.bincount(context, minlength=contexts).astype(np.float64),
            once / (once + 2 * twice) if once and twice else USUAL_DISCOUNT,
        )

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of each run, or UNSEEN."""
        place = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        found: NDArray[np.int64] = np.where(self.keys[place] == keys, place, UNSEEN)
        return found

    def smoothed(
        self, context: NDArray[np.int64], run: NDArray[np.int64], shorter: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Probability of a last token, from that by the shorter context, ``float64[k]``."""
        total = self.total[context]
        count = np.where(run == UNSEEN, 0.0, self.count[run])
        kept = np.maximum(count - self.discount, 0.0)
        given = self.discount * self.different[context] * shorter
        return np.divide(kept + given, total, out=shorter.copy(), where=total > 0)


class Ngrams:
    """Counted runs of tokens; none reaches over the beginning of a document.

    Parameters
    ----------
    codes : int[m]
        Training tokens: END, a document, END, a document, ..., END.
    num_tokens : int
        Kinds of tokens, END among them.
    order : int
        Tokens of the longest run.

    Examples
    --------
    >>> model = Ngrams(np.array([0, 1, 2, 1, 2, 1, 2, 0]), num_tokens=3, order=2)
    >>> model.bits(np.array([0, 1, 2, 0])).round(2).tolist()
    [0.0, 0.42, 0.19, 2.0]
    """

    def __init__(self, codes: NDArray[np.integer], num_tokens: int, order: int = ORDER):
        self.num_tokens = num_tokens
        self.levels: list[Level] = []
        tokens, num_contexts = codes.astype(np.int64), 1
        context = last = np.zeros(len(tokens), np.int64)
        runs: list[tuple[NDArray[np.int64], NDArray[np.int64], int]] = []
        for length in range(1, order + 1):
            there = _followed(context)
            keys, first, number, times = np.unique(
                context[there - 1] * num_tokens + tokens[there],
                return_index=True, return_inverse=True, return_counts=True,
            )  # fmt: skip
            run = np.full(len(tokens), UNSEEN)
            run[there] = number
            if runs:  # the runs below are worth as many different tokens as stood before them
                below, times_below, contexts_below = runs.pop()
                after = np.bincount(last[there[first]], minlength=len(below))
                counts = np.where(after > 0, after, times_below).astype(np.float64)
                self.levels.append(Level.of(below, counts, num_tokens, contexts_below))
            runs.append((keys, times, num_contexts))
            last, num_contexts = run, len(keys)
            context = _contexts(run, tokens, length)
        keys, times, contexts = runs.pop()
        self.levels.append(Level.of(keys, times.astype(np.float64), num_tokens, contexts))

    def bits(self, codes: NDArray[np.integer]) -> NDArray[np.float64]:
        """What each token costs after those of its document before it, ``float64[m]``.

        Parameters
        ----------
        codes : int[m]
            Laid out as for the class. The first END costs nothing; another one costs what
            ending the document before it does.
        """
        tokens = codes.astype(np.int64)
        chance = np.full(len(tokens), 1.0 / self.num_tokens)
        context = np.zeros(len(tokens), np.int64)
        for length, level in enumerate(self.levels, start=1):
            there = _followed(context)
            before = context[there - 1]
            run = np.full(len(tokens), UNSEEN)
            run[there] = level.find(before * self.num_tokens + tokens[there])
            chance[there] = level.smoothed(before, run[there], chance[there])
            context = _contexts(run, tokens, length)
        chance[0] = 1.0
        found: NDArray[np.float64] = np.abs(np.log2(chance))
        return found


def _followed(context: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions whose predecessor is a known context."""
    return np.flatnonzero(context[:-1] != UNSEEN) + 1


def _contexts(run: NDArray[np.int64], tokens: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Runs as contexts of what comes next: where a document begins, only its END is one."""
    ends = tokens == END
    found = np.where(ends, UNSEEN, run)
    if length == 1:
        found[ends] = run[1:][ends[1:]].max(initial=UNSEEN)
    return found
