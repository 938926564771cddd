"""Sizes of the network and its training from the number of rows, unless the spec says them.

All constants are house choices, measured by ``benchmarks/quality.py`` and
``benchmarks/tables.py``.
"""

from __future__ import annotations

import math

from penstock.learning.loop import Schedule
from penstock.learning.network import Shape
from penstock.spec import ModelSpec

WIDTH, DEPTH, DROPOUT = 256, 2, 0.3
COLUMN_DROPOUT = 0.5
"""Measured by ``benchmarks/mixed.py``."""
MEMBERS = {5_000: 16, 15_000: 8, 50_000: 6}
"""Ensemble members for at most so many rows: the fewer rows, the more there is to average."""
MEMBERS_OF_MANY_ROWS = 4
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
SMALLEST_BATCH, LARGEST_BATCH, STEPS_AN_EPOCH = 32, 512, 40
FEWEST_EPOCHS, MOST_EPOCHS, FEWEST_STEPS = 12, 100, 800
PATIENCE = 8


def sized(spec: ModelSpec, num_rows: int) -> ModelSpec:
    """The spec with every size said: its own, or from the number of training rows.

    Batches are a power of two near a fortieth of the rows; epochs give enough steps.

    Examples
    --------
    >>> spec = sized(ModelSpec(), num_rows=1_000)
    >>> spec.batch_size, spec.members
    (32, 16)
    """
    wanted = 2 ** round(math.log2(max(1.0, num_rows / STEPS_AN_EPOCH)))
    batch_size = spec.batch_size or min(LARGEST_BATCH, max(SMALLEST_BATCH, wanted))
    enough = math.ceil(FEWEST_STEPS / math.ceil(num_rows / batch_size))
    members = (count for most, count in MEMBERS.items() if num_rows <= most)
    said = {
        "epochs": spec.epochs or min(MOST_EPOCHS, max(FEWEST_EPOCHS, enough)),
        "batch_size": batch_size,
        "learning_rate": spec.learning_rate or LEARNING_RATE,
        "weight_decay": WEIGHT_DECAY if spec.weight_decay < 0 else spec.weight_decay,
        "width": spec.width or WIDTH,
        "depth": spec.depth or DEPTH,
        "dropout": DROPOUT if spec.dropout < 0 else spec.dropout,
        "column_dropout": COLUMN_DROPOUT if spec.column_dropout < 0 else spec.column_dropout,
        "members": spec.members or next(members, MEMBERS_OF_MANY_ROWS),
        "patience": spec.patience or PATIENCE,
    }
    return spec.model_copy(update=said)


def shape_of(spec: ModelSpec) -> Shape:
    """Sizes of the backbone, from a spec that says them all."""
    return Shape(spec.width, spec.depth, spec.dropout, spec.members)


def schedule_of(spec: ModelSpec) -> Schedule:
    """How long and how fast to learn, from a spec that says it all."""
    return Schedule(
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        patience=spec.patience,
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        seed=spec.seed,
    )
