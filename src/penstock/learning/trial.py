"""A short training of several losses on the same rows, to see which one serves a metric.

Everything but the loss is the same in a fold: rows, first weights, batches, schedule. Each loss
stops by its own validation loss, as the real training does, so that none is judged before it
has learnt or after it has overfitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.learning.encoded import Encoded
from penstock.learning.loop import Schedule, Training, make_repeatable, outputs_of
from penstock.learning.losses import Loss
from penstock.spec import ModelSpec

FOLDS = 8
"""House choice, with the sizes below: enough pairs for an interval, a few seconds on two cores."""
EPOCHS, PATIENCE, STEPS_AN_EPOCH, LARGEST_BATCH = 8, 3, 20, 512
WIDTH, DEPTH, DROPOUT, MEMBERS, LEARNING_RATE = 64, 2, 0.1, 2, 5e-3
FEWEST_STEPS = 160
LONGER = 2
"""Times as long a second chance lasts (house choice)."""
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Contender:
    """A loss and what the rows count under it.

    Attributes
    ----------
    loss : callable
        Row losses from outputs and target.
    weight, valid_weight : Tensor or None
        ``float32[n]`` for the rows that are folded, and for those that stop the training.
    longer : int
        Times the schedule's epochs and patience.
    """

    loss: Loss
    weight: Tensor | None = None
    valid_weight: Tensor | None = None
    longer: int = 1


def reduced(spec: ModelSpec, num_rows: int) -> ModelSpec:
    """The settings of a quick network: never larger or longer than the spec says.

    Examples
    --------
    >>> spec = reduced(ModelSpec(width=16), num_rows=5_000)
    >>> spec.width, spec.members, spec.batch_size, spec.epochs
    (16, 2, 256, 8)
    """
    wanted = 2 ** round(np.log2(max(1.0, num_rows / STEPS_AN_EPOCH)))
    batch_size = int(min(LARGEST_BATCH, max(16, wanted)))
    epochs = max(EPOCHS, round(FEWEST_STEPS * batch_size / max(1, num_rows)))
    said = {
        "epochs": min(spec.epochs or epochs, epochs),
        "batch_size": batch_size,
        "learning_rate": LEARNING_RATE,
        "width": min(spec.width or WIDTH, WIDTH),
        "depth": min(spec.depth or DEPTH, DEPTH),
        "dropout": DROPOUT if spec.dropout < 0 else spec.dropout,
        "members": MEMBERS,
        "patience": PATIENCE,
        "encoders": {},
    }
    return spec.model_copy(update=said)


def folds_of(labels: NDArray[np.int64], num: int, seed: int) -> NDArray[np.int64]:
    """Fold of each row, ``int64[n]`` in ``[0, num)``: each label spread evenly over them.

    Examples
    --------
    >>> np.bincount(folds_of(np.zeros(6, dtype=np.int64), 3, seed=0)).tolist()
    [2, 2, 2]
    """
    drawn = np.random.default_rng(seed).random(len(labels))
    fold = np.empty(len(labels), dtype=np.int64)
    fold[np.lexsort((drawn, labels))] = np.arange(len(labels)) % num
    return fold


def trial(
    network: Callable[[], nn.Module],
    contenders: dict[str, Contender],
    rows: Encoded,
    valid: Encoded,
    fold: NDArray[np.int64],
    schedule: Schedule,
) -> Iterator[tuple[int, str, NDArray[np.float32]]]:
    """Train each contender on all folds but one, and score that one.

    Parameters
    ----------
    network : callable
        A network with fresh weights.
    contenders : dict of str to Contender
        By name.
    rows, valid : Encoded
        Rows that are folded, and rows that stop the training.
    fold : int64[n]
        Fold of each of the rows.
    schedule : Schedule
        How long and how fast; each fold draws from its own seed.

    Yields
    ------
    fold, name, outputs : int, str, float32[k, members, outputs]
        Of the rows that were held out, in their order.
    """
    for number in range(int(fold.max()) + 1):
        held = torch.from_numpy(np.flatnonzero(fold == number))
        seen = torch.from_numpy(np.flatnonzero(fold != number))
        test = rows.only(held)
        train = rows.only(seen)
        for name, contender in contenders.items():
            weight = None if contender.weight is None else contender.weight[seen]
            own = replace(
                schedule,
                seed=schedule.seed + number,
                epochs=schedule.epochs * contender.longer,
                patience=schedule.patience * contender.longer,
            )
            make_repeatable(own.seed, 0)
            training = Training(network(), contender.loss, own, None, CPU)
            training.fit(
                replace(train, weight=weight), replace(valid, weight=contender.valid_weight), _quiet
            )
            yield number, name, outputs_of(training.network, test, CPU)


def _quiet(done: int, total: int, note: str) -> None:
    pass
