"""Texts as tokens that can be put together again, byte for byte.

Byte pairs that often stand together are joined (Sennrich et al., 2016), within words, numbers and
runs of signs. Nothing is levelled and nothing is left out: the tokens of a text, one after the
other, are its UTF-8 bytes, so that a code for tokens is a code for the text.

texts -> token codes, text after text
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.learning import byte_pairs
from penstock.learning.ragged import Ragged

MAX_TOKENS = 4_096
"""Most kinds of tokens (house choice: what a head on two cores can choose among)."""
BYTES_A_TOKEN = 400
"""Bytes of training text that a kind of token must stand for (house choice)."""
LONGEST_TOKEN = 16
"""In bytes (house choice)."""
LEARN_BYTES = 4_000_000
"""Training text from which pairs are learnt (house choice: more give the same pairs)."""
BATCH_TEXTS = 4_096
"""Texts that are cut at once (house choice)."""
END = 0
"""The code between documents: it begins a text, and is predicted behind it."""


class Tokens:
    """Cuts texts into tokens and joins tokens to texts.

    Parameters
    ----------
    merges : tuple of str
        From :func:`learn`.
    """

    def __init__(self, merges: tuple[str, ...]):
        self.tokenizer, names = byte_pairs.tokenizer(merges, within_words=True, first=END + 1)
        self.names = ["", *names]

    @property
    def num_tokens(self) -> int:
        """Kinds of tokens, END among them."""
        return len(self.names)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each token, ``int64[num_tokens]``; END has none."""
        return np.array([len(name) for name in self.names], dtype=np.int64)

    @cached_property
    def spelt(self) -> list[bytes]:
        """The bytes of each token."""
        byte = {sign: number for number, sign in enumerate(byte_pairs.signs())}
        return [bytes(byte[sign] for sign in name) for name in self.names]

    def cut(self, texts: pa.LargeStringArray) -> Ragged:
        """Each text's tokens between two ENDs; a null text is an empty one.

        The first END is what a document is begun with, the last one is predicted like a token:
        without it nobody could tell where a text stops.

        Examples
        --------
        >>> found = Tokens(()).cut(pa.array(["ab", None], pa.large_string()))
        >>> found.sizes.tolist()
        [4, 2]
        """
        rows = []
        for at in range(0, len(texts), BATCH_TEXTS):
            some = pc.fill_null(texts.slice(at, BATCH_TEXTS), "").to_pylist()
            found = self.tokenizer.encode_batch_fast(some, add_special_tokens=False)
            rows += [np.array([END, *one.ids, END], dtype=np.int16) for one in found]
        sizes = np.array([len(row) for row in rows], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Ragged(np.concatenate([np.zeros(0, np.int16), *rows]), starts)

    def joined(self, codes: NDArray[np.integer]) -> bytes:
        """The bytes of a run of tokens.

        Examples
        --------
        >>> tokens = Tokens(())
        >>> tokens.joined(tokens.cut(pa.array(["né"], pa.large_string())).values).decode()
        'né'
        """
        return b"".join(self.spelt[code] for code in codes)


def learn(texts: pa.LargeStringArray) -> list[str]:
    """The pairs to join, in the order in which they are joined, each ``left right``.

    Parameters
    ----------
    texts : pa.LargeStringArray
        Training texts; an evenly spaced part of about :data:`LEARN_BYTES` is read.
    """
    sizes = bytes_of(texts)
    share = min(1.0, LEARN_BYTES / max(1, int(sizes.sum())))
    some = np.linspace(0, len(texts) - 1, max(1, int(len(texts) * share))).astype(np.int64)
    read = pc.drop_null(texts.take(pa.array(some))).to_pylist() if len(texts) else []
    most = min(MAX_TOKENS - 1, 256 + int(sizes.sum()) // BYTES_A_TOKEN)
    return byte_pairs.learn(read, most, LONGEST_TOKEN, within_words=True)


def bytes_of(texts: pa.LargeStringArray) -> NDArray[np.int64]:
    """UTF-8 bytes of each text, ``int64[n]``; 0 where it is null.

    Examples
    --------
    >>> bytes_of(pa.array(["né", "", None], pa.large_string())).tolist()
    [3, 0, 0]
    """
    found: NDArray[np.int64] = pc.fill_null(pc.binary_length(texts), 0).to_numpy(False)
    return found.astype(np.int64)


@lru_cache(maxsize=8)
def tokens_of(merges: tuple[str, ...]) -> Tokens:
    """The tokens of these merges; the last few are kept."""
    return Tokens(merges)
