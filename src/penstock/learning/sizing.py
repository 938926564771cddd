"""Sizes of the network and its training from the number of rows, unless the spec says them.

All constants are house choices, measured by ``benchmarks/quality.py`` and
``benchmarks/tables.py``.
"""

from __future__ import annotations

import math

from penstock.learning.loop import Schedule
from penstock.learning.network import Shape
from penstock.spec import ModelSpec

WIDTH, DEPTH, DROPOUT, MEMBERS = 256, 2, 0.3, 4
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-2
SMALLEST_BATCH, LARGEST_BATCH, STEPS_AN_EPOCH = 32, 512, 40
FEWEST_EPOCHS, MOST_EPOCHS, FEWEST_STEPS = 16, 100, 1000
PATIENCE = 8


def shape_of(spec: ModelSpec) -> Shape:
    """Sizes of the backbone."""
    return Shape(
        width=spec.width or WIDTH,
        depth=spec.depth or DEPTH,
        dropout=DROPOUT if spec.dropout < 0 else spec.dropout,
        members=spec.members or MEMBERS,
    )


def schedule_of(spec: ModelSpec, num_rows: int) -> Schedule:
    """Batches of a power of two near a fortieth of the rows; epochs for enough steps.

    Examples
    --------
    >>> schedule_of(ModelSpec(), num_rows=1_000).batch_size
    32
    """
    wanted = 2 ** round(math.log2(max(1.0, num_rows / STEPS_AN_EPOCH)))
    batch_size = spec.batch_size or min(LARGEST_BATCH, max(SMALLEST_BATCH, wanted))
    steps = math.ceil(num_rows / batch_size)
    epochs = spec.epochs or min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(FEWEST_STEPS / steps)))
    return Schedule(
        epochs=epochs,
        batch_size=batch_size,
        patience=spec.patience or PATIENCE,
        learning_rate=spec.learning_rate or LEARNING_RATE,
        weight_decay=WEIGHT_DECAY if spec.weight_decay < 0 else spec.weight_decay,
        seed=spec.seed,
    )
