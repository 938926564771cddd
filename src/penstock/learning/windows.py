"""Documents as the training loop reads them: one stream, cut into windows of one length.

Sizes of network and training come from how much text there is. All constants are house choices,
measured by ``benchmarks/next_token.py``: what is learnt within minutes on two cores.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from penstock.learning.causal import HEAD
from penstock.learning.encoded import Encoded
from penstock.learning.ragged import BEHIND, Ragged
from penstock.spec import ModelSpec

BYTES_A_TOKEN = 3
"""Roughly, before there are tokens."""
SHORTEST, LONGEST = 32, 256
"""Tokens of a window."""
SIZES = {100_000: (64, 2), 1_000_000: (96, 3)}
"""Width and depth for at most so many tokens of training text."""
LARGEST = (128, 4)
STEP_TOKENS = 1_024
"""Tokens a step."""
EPOCH_TOKENS = 125_000
"""An epoch reads all windows, or so many tokens of windows drawn anew each time."""
FEWEST_EPOCHS, MOST_EPOCHS, FEWEST_STEPS = 12, 48, 400
"""Epochs are such that a text is read 24 times, or there are so many steps, within bounds."""
PASSES = 24
PATIENCE = 3
VALID_TOKENS = 65_536
"""Tokens of validation rows that are looked at."""
LEARNING_RATE, WEIGHT_DECAY = 6e-3, 1e-2
DROPOUT = 0.1
"""Where text is read more than once; else none."""


def sized(spec: ModelSpec, lengths: NDArray[np.int64]) -> ModelSpec:
    """The spec with every size said, for this much text.

    Parameters
    ----------
    spec : ModelSpec
        What it says stays.
    lengths : int64[n]
        Bytes of its documents.

    Examples
    --------
    >>> spec = sized(ModelSpec(), np.full(20_000, 2_000))
    >>> spec.width, spec.depth, spec.batch_size
    (128, 4, 4)
    """
    tokens = max(1, int(lengths.sum()) // BYTES_A_TOKEN)
    near = [limit for limit in SIZES if tokens <= limit]
    width, depth = SIZES[near[0]] if near else LARGEST
    window = window_of(lengths)
    batch_size = spec.batch_size or max(1, STEP_TOKENS // window)
    enough = math.ceil(FEWEST_STEPS / math.ceil(min(tokens, EPOCH_TOKENS) / window / batch_size))
    wanted = PASSES if tokens < EPOCH_TOKENS else FEWEST_EPOCHS
    said = {
        "epochs": spec.epochs or min(MOST_EPOCHS, max(wanted, enough)),
        "batch_size": batch_size,
        "learning_rate": spec.learning_rate or LEARNING_RATE,
        "weight_decay": WEIGHT_DECAY if spec.weight_decay < 0 else spec.weight_decay,
        "width": HEAD * max(1, (spec.width or width) // HEAD),
        "depth": spec.depth or depth,
        "dropout": (DROPOUT if tokens < EPOCH_TOKENS * FEWEST_EPOCHS / 2 else 0.0)
        if spec.dropout < 0
        else spec.dropout,
        "members": 1,
        "patience": spec.patience or PATIENCE,
    }
    return spec.model_copy(update=said)


def window_of(lengths: NDArray[np.int64]) -> int:
    """Tokens of a window: a power of two that holds three quarters of the documents whole.

    Examples
    --------
    >>> window_of(np.array([90, 120, 150])), window_of(np.array([5_000]))
    (64, 256)
    """
    long = float(np.percentile(lengths, 75)) if len(lengths) else 1.0
    wanted = 2 ** math.ceil(math.log2(max(2.0, long / BYTES_A_TOKEN)))
    return int(min(LONGEST, max(SHORTEST, wanted)))


def epoch_rows(num_windows: int, window: int) -> int:
    """Windows of an epoch; 0: all of them.

    Examples
    --------
    >>> epoch_rows(100, 256), epoch_rows(1_000, 256)
    (0, 488)
    """
    most = max(1, EPOCH_TOKENS // window)
    return most if num_windows > most else 0


def lessons(documents: Ragged, name: str, sizes: NDArray[np.int64], window: int) -> Encoded:
    """Windows of the stream of documents; each weighs as many bytes as are predicted in it.

    Parameters
    ----------
    documents : Ragged
        Tokens between two ENDs, document after document.
    name : str
        The column.
    sizes : int64[num_tokens]
        Bytes of each kind of token.
    window : int
        Tokens of a window.
    """
    last = np.zeros(len(documents.values), dtype=bool)
    last[documents.starts[1:] - 1] = True
    stream = np.append(documents.values[~last], documents.values[-1:])  # one END between two
    count = max(1, math.ceil((len(stream) - 1) / window))
    table = np.full((count, window + 1), BEHIND, dtype=np.int16)
    place = np.arange(count)[:, None] * window + np.arange(window + 1)
    inside = place < len(stream)
    table[inside] = stream[place[inside]]
    wanted = table[:, 1:]
    mass = np.where(wanted > 0, sizes[wanted.clip(min=0)], 0).sum(axis=1).astype(np.float32)
    rows = {name: {"codes": torch.from_numpy(table)}}
    return Encoded(rows, count, torch.zeros(count), torch.from_numpy(mass))


def some(rows: Encoded, window: int) -> Encoded:
    """Evenly spaced windows of about :data:`VALID_TOKENS`."""
    count = min(rows.num_rows, max(1, VALID_TOKENS // window))
    return rows.only(torch.linspace(0, rows.num_rows - 1, count).long())
