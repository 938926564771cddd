"""Documents as the training loop reads them: one stream, cut into windows of one length.

Sizes of network and training come from how much text there is. All constants are house choices,
measured by ``benchmarks/next_token.py``: what is learnt within minutes on two cores.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from penstock.learning.causal import HEAD, Size
from penstock.learning.encoded import Encoded
from penstock.learning.ragged import BEHIND, Ragged
from penstock.spec import ModelSpec

SHORTEST, LONGEST = 32, 256
"""Tokens of a window."""
SIZES = {100_000: (64, 2), 1_000_000: (96, 3)}
"""Width and depth for at most so many tokens of training text."""
LARGEST = (128, 4)
STEP_TOKENS = {100_000: 1_024, 1_000_000: 2_048}
"""Tokens a step, likewise."""
LARGEST_STEP = 4_096
PASSES, MOST_TOKENS = 24, 2_000_000
"""Training reads the text so often, but no more tokens than that altogether."""
FEWEST_STEPS = 400
EPOCHS, PATIENCE = 12, 3
"""Between two looks at the validation rows, a twelfth of it is read."""
VALID_TOKENS = 65_536
"""Tokens of validation rows that are looked at."""
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
DROPOUT = 0.1
"""Where text is read more than once; else none."""


def sized(spec: ModelSpec, num_bytes: int, lengths: NDArray[np.int64]) -> ModelSpec:
    """The spec with every size said, for this much text.

    Parameters
    ----------
    spec : ModelSpec
        What it says stays.
    num_bytes : int
        Of training text.
    lengths : int64[n]
        Bytes of its documents.

    Examples
    --------
    >>> spec = sized(ModelSpec(), 40_000_000, np.full(20_000, 2_000))
    >>> spec.width, spec.depth, spec.batch_size
    (128, 4, 16)
    """
    tokens = max(1, num_bytes // BYTES_A_TOKEN)
    near = [limit for limit in SIZES if tokens <= limit]
    width, depth = SIZES[near[0]] if near else LARGEST
    step = STEP_TOKENS[near[0]] if near else LARGEST_STEP
    window = window_of(lengths)
    said = {
        "epochs": spec.epochs or EPOCHS,
        "batch_size": spec.batch_size or max(1, step // window),
        "learning_rate": spec.learning_rate or LEARNING_RATE,
        "weight_decay": WEIGHT_DECAY if spec.weight_decay < 0 else spec.weight_decay,
        "width": HEAD * max(1, (spec.width or width) // HEAD),
        "depth": spec.depth or depth,
        "dropout": (DROPOUT if tokens * 2 < MOST_TOKENS else 0.0)
        if spec.dropout < 0
        else spec.dropout,
        "members": 1,
        "patience": spec.patience or PATIENCE,
    }
    return spec.model_copy(update=said)


BYTES_A_TOKEN = 3
"""Roughly, before there are tokens."""


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


def steps_an_epoch(num_tokens: int, window: int, spec: ModelSpec) -> int:
    """Steps between two looks at the validation rows."""
    step = spec.batch_size * window
    wanted = max(min(MOST_TOKENS, PASSES * num_tokens) // step, FEWEST_STEPS)
    return max(1, wanted // spec.epochs)


def size_of(spec: ModelSpec, window: int) -> Size:
    """Sizes of the network, from a spec that says them all."""
    return Size(spec.width, spec.depth, window, spec.dropout)


def lessons(
    documents: Ragged, name: str, sizes: NDArray[np.int64], window: int, steps: int, batch: int
) -> Encoded:
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
    steps, batch : int
        Batches of an epoch, drawn anew each time from all windows; 0: all windows. Windows of a
        batch.
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
    return Encoded(rows, count, torch.zeros(count), torch.from_numpy(mass), steps * batch)


def some(rows: Encoded, window: int) -> Encoded:
    """Evenly spaced windows of about :data:`VALID_TOKENS`."""
    count = min(rows.num_rows, max(1, VALID_TOKENS // window))
    return rows.only(torch.linspace(0, rows.num_rows - 1, count).long())
