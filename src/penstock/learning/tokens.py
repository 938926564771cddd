"""Texts as tokens that can be put together again, byte for byte.

Byte pairs that often stand together are joined (Sennrich et al., 2016), within words, numbers and
runs of signs. Nothing is levelled and nothing is left out: the tokens of a text, one after the
other, are its UTF-8 bytes, so that a code for tokens is a code for the text.

texts -> token codes, text after text
"""

from __future__ import annotations

import json
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.learning.pieces import alphabet
from penstock.learning.ragged import Ragged

MAX_TOKENS = 4_096
"""Most kinds of tokens (house choice: what a head on two cores can choose among)."""
BYTES_A_TOKEN = 400
"""Bytes of training text that a kind of token must stand for (house choice)."""
MIN_COUNT = 3
"""A pair that stands together less often makes no token (house choice)."""
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
        from tokenizers import Tokenizer, models, pre_tokenizers

        pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
        names = dict.fromkeys([*alphabet(), *(left + right for left, right in pairs)])
        vocabulary = {name: code for code, name in enumerate(names, start=END + 1)}
        self.names = ["", *names]
        self.tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
        self.tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=False, use_regex=True
        )

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
        byte = {sign: number for number, sign in enumerate(signs())}
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
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    sizes = bytes_of(texts)
    share = min(1.0, LEARN_BYTES / max(1, int(sizes.sum())))
    some = np.linspace(0, len(texts) - 1, max(1, int(len(texts) * share))).astype(np.int64)
    read = int(sizes[some].sum()) if len(texts) else 0
    trainer = trainers.BpeTrainer(
        vocab_size=min(MAX_TOKENS - 1, 256 + int(sizes.sum()) // BYTES_A_TOKEN),
        min_frequency=MIN_COUNT,
        initial_alphabet=alphabet(),
        max_token_length=LONGEST_TOKEN,
        show_progress=False,
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    chosen = texts.take(pa.array(some)).to_pylist() if read else []
    tokenizer.train_from_iterator([text for text in chosen if text], trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [" ".join(pair) for pair in merges]


def bytes_of(texts: pa.LargeStringArray) -> NDArray[np.int64]:
    """UTF-8 bytes of each text, ``int64[n]``; 0 where it is null.

    Examples
    --------
    >>> bytes_of(pa.array(["né", "", None], pa.large_string())).tolist()
    [3, 0, 0]
    """
    found: NDArray[np.int64] = pc.fill_null(pc.binary_length(texts), 0).to_numpy(False)
    return found.astype(np.int64)


def signs() -> list[str]:
    """The printable sign that stands for each byte, by its number (as GPT-2 spells bytes).

    Examples
    --------
    >>> signs()[ord("a")], signs()[ord(" ")]
    ('a', 'Ġ')
    """
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    found, next_sign = {}, 256
    for byte in range(256):
        found[byte] = chr(byte) if byte in shown else chr(next_sign)
        next_sign += byte not in shown
    return [found[byte] for byte in range(256)]


@lru_cache(maxsize=8)
def tokens_of(merges: tuple[str, ...]) -> Tokens:
    """The tokens of these merges; the last few are kept."""
    return Tokens(merges)
