"""Bytes, joined where they often stand together (Sennrich et al., 2016).

Any text has such names: those of its bytes at the least.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MIN_COUNT = 3
"""A pair that stands together less often is not joined (house choice)."""


def learn(texts: Iterable[str], most: int, longest: int, within_words: bool) -> list[str]:
    """The pairs to join, in the order in which they are joined, each ``left right``.

    Parameters
    ----------
    texts
        From training rows.
    most
        Names, those of the 256 bytes among them.
    longest
        Name, in bytes.
    within_words
        Each text is cut into words first; otherwise it is a word.
    """
    from tokenizers import trainers

    trainer = trainers.BpeTrainer(
        vocab_size=most,
        min_frequency=MIN_COUNT,
        initial_alphabet=sorted(signs()),
        max_token_length=longest,
        show_progress=False,
    )
    found, _ = tokenizer((), within_words)
    found.train_from_iterator(texts, trainer)
    return [" ".join(pair) for pair in json.loads(found.to_str())["model"]["merges"]]


def tokenizer(
    merges: tuple[str, ...], within_words: bool, first: int = 0
) -> tuple[Tokenizer, list[str]]:
    """What cuts texts by these pairs, and the names by their codes, which begin with ``first``.

    Examples
    --------
    >>> cutter, names = tokenizer(("a b",), within_words=True)
    >>> [names[code] for code in cutter.encode("abba").ids]
    ['ab', 'b', 'a']
    """
    from tokenizers import Tokenizer, models, pre_tokenizers

    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    names = list(dict.fromkeys([*sorted(signs()), *(left + right for left, right in pairs)]))
    vocabulary = {name: code for code, name in enumerate(names, start=first)}
    found = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=not within_words, use_regex=within_words
    )
    return found, names


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
