"""Words of a text that tell the label by themselves: it may have been written from the label.

Honest texts tell their label by many words, each of them now and then. One word that stands in
all texts of a class and in no other is a field of a form, a status, a verdict: or an easy task.
Which of them, a person has to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# House choices.
MAX_ROWS, MAX_CHARACTERS, MAX_WORDS = 5_000, 5_000, 5_000
"""What is looked at: rows, the begin of each text, the most frequent words."""
LEAST_ROWS = 30
"""Rows of a class, and of all others, from which on a word is believed."""
MOST_CLASSES = 3
"""Classes that are looked at, the most frequent ones: a word has to tell each of them."""
WORD = r"\w+"
PERFECT = 0.99
"""ROC AUC of a word that tells as good as without error."""


@dataclass(frozen=True)
class Telling:
    """A word that tells a class.

    Attributes
    ----------
    word : str
        In lower case.
    code : int
        Of the class.
    area : float
        ROC AUC of its presence, or of its absence, against all other classes.
    """

    word: str
    code: int
    area: float


def words(texts: pa.ChunkedArray, label: NDArray[np.int64]) -> list[Telling]:
    """The best word for each class that is looked at; empty unless each one is told.

    Parameters
    ----------
    texts : string[n]
        Of training rows.
    label : int64[n]
        Class codes.

    Examples
    --------
    >>> texts = pa.chunked_array([["closed: paid", "closed: lost"] * 50])
    >>> found = words(texts, np.array([0, 1] * 50))
    >>> [(one.word, one.code, one.area) for one in found]
    [('lost', 1, 1.0)]
    >>> words(texts, np.array([0, 0, 1, 1] * 25))
    []
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counts = np.bincount(label, minlength=2)
    often = np.argsort(-counts, kind="stable")[:MOST_CLASSES].tolist()
    looked_at = [1] if len(counts) == 2 else often
    if any(min(counts[code], len(label) - counts[code]) < LEAST_ROWS for code in looked_at):
        return []
    cut = [(text or "")[:MAX_CHARACTERS] for text in texts.to_pylist()]
    reader = CountVectorizer(binary=True, token_pattern=WORD, max_features=MAX_WORDS)
    try:
        there = reader.fit_transform(cut)
    except ValueError:  # no word in any text
        return []
    names, found = reader.get_feature_names_out(), []
    for code in looked_at:
        inside = label == code
        share = np.asarray(there[inside].sum(axis=0)).ravel() / inside.sum()
        others = np.asarray(there[~inside].sum(axis=0)).ravel() / (~inside).sum()
        areas = 0.5 + np.abs(share - others) / 2
        best = int(areas.argmax())
        if areas[best] < PERFECT:
            return []
        found.append(Telling(str(names[best]), code, float(areas[best])))
    return found
