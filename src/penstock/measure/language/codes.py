"""Other codes for the same text, beside which a model of it has to earn its place.

training texts, test texts -> :class:`~penstock.measure.baselines.Baseline` by name
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.measure.baselines import Baseline
from penstock.measure.language import compressors, tallies
from penstock.measure.language.ngrams import ORDER, Ngrams

NGRAM_TOKENS = 10_000_000
"""Training tokens that are counted (house choice: half a minute)."""


def simpler(
    train: pa.LargeStringArray, test: pa.LargeStringArray, tokens: Any
) -> dict[str, Baseline]:
    """What other codes need for the test texts, all of them given the training texts.

    Parameters
    ----------
    train, test : pa.LargeStringArray
        Texts; null is empty.
    tokens : penstock.learning.tokens.Tokens
        The model's own, for the n-grams.
    """
    documents, given = _bytes(test), b"".join(_bytes(train))
    size = np.array([len(one) for one in documents], dtype=np.float64)

    def made(cost: Callable[[], NDArray[np.float64]], note: str, **said: Any) -> Baseline:
        started = time.monotonic()
        scores = tallies.priced(cost(), size)
        return Baseline(scores, time.monotonic() - started, [note], **said)

    def ngram() -> NDArray[np.float64]:
        seen, new = tokens.cut(train), tokens.cut(test)
        stream = _stream(seen)[-NGRAM_TOKENS:]
        stream[0] = 0
        bits = Ngrams(stream, tokens.num_tokens).bits(_stream(new))
        return np.add.reduceat(bits[1:], np.cumsum(new.sizes - 1) - (new.sizes - 1))

    return {
        "trivial": made(
            lambda: compressors.unigram_bits(given, documents),
            "trivial: each byte by its frequency in the training text.",
            burden="prove",
            remedy="a model that knows no more than letter frequencies has learnt nothing: train"
            " longer (model.epochs), or bring more text",
        ),
        "ngram": made(
            ngram,
            f"ngram: what followed up to {ORDER - 1} tokens in the training text (Kneser-Ney).",
            remedy="train longer (model.epochs) or wider (model.width); where texts repeat one"
            " another word for word, a table of what followed what serves them better",
        ),
        "zlib": made(
            lambda: compressors.zlib_bits(given, documents),
            "zlib: each document, with the end of the training text as its dictionary.",
            remedy="train longer (model.epochs): any model of language should beat zlib",
        ),
        "xz": made(
            lambda: compressors.xz_bits(given, documents),
            "xz: blocks of documents behind the end of the training text, so that it also finds"
            " what test documents share.",
            remedy="train longer (model.epochs) or wider (model.width); where texts repeat one"
            " another word for word, a compressor may serve them better",
        ),
    }


def _bytes(texts: pa.LargeStringArray) -> list[bytes]:
    return [text or b"" for text in texts.cast(pa.large_binary()).to_pylist()]


def _stream(documents: Any) -> NDArray[np.int64]:
    """One END between two documents."""
    last = np.zeros(len(documents.values), dtype=bool)
    last[documents.starts[1:] - 1] = True
    return np.append(documents.values[~last], 0).astype(np.int64)
