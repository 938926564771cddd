"""Ordinal classification: classes that have an order, such as grades.

To take *poor* for *excellent* is worse than to take it for *fair*, which the log-loss does not
know. The order is that of ``data.order``, or of the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.measure.metrics import Metric
from penstock.measure.policy import decisions
from penstock.tasks.classification import (
    baselines,
    constant,
    covered,
    decode,
    encode_target,
    figures,
    learn_target,
    nonconformity,
    num_outputs,
    predictions,
    row_losses,
    scale_target,
    tempered,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.records import Layout, Policy

__all__ = [
    "baselines", "constant", "covered", "decode", "encode_target", "figures", "learn_target",
    "nonconformity", "num_outputs", "predictions", "row_losses", "scale_target", "tempered",
]  # fmt: skip

TARGET = "classes"
LOSSES = ("ranked_probability", "cross_entropy")
NOT_APPLICABLE = {
    "thresholds": "the decided class is the median of the predicted ones, which is on the average"
    " the fewest steps away from the true one"
}


def metrics(layout: Layout) -> tuple[str, ...]:
    """Mean distance in steps first."""
    return ("mean_steps", "quadratic_kappa", "ranked_probability_score", "accuracy", "log_loss")


def unfit(target: pa.ChunkedArray, order: Sequence[str]) -> tuple[str, str] | None:
    """Levels that are not in ``order``; without one, words, which have none by themselves."""
    remedy = "list all classes in data.order, the lowest first"
    if order:
        levels = pc.cast(pc.unique(target).drop_null(), pa.string()).to_pylist()
        strange = sorted(set(levels) - set(order))
        said = f"levels that data.order does not name: {', '.join(strange[:5])}"
        return (said, remedy) if strange else None
    if pa.types.is_string(target.type) or pa.types.is_boolean(target.type):
        return f"{target.type} values, and data.order is empty", remedy
    return None


def decided(
    scores: NDArray[np.float32], policy: Policy, groups: Sequence[str], codes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The median class, ``int64[n]``: it has the least expected distance in steps.

    Examples
    --------
    >>> from penstock.records import Policy
    >>> decided(np.array([[0.4, 0.3, 0.3]]), Policy(), [], np.zeros(1, np.int64)).tolist()
    [1]
    """
    if policy.costs:
        return decisions.decided(scores, policy, groups, codes)
    reached: NDArray[np.int64] = (scores.cumsum(axis=1) >= 0.5).argmax(axis=1)
    return reached


def _steps(target: NDArray[np.int64], decided: NDArray[np.int64], num_classes: int) -> float:
    """Mean number of classes between the decided and the true one."""
    return float(np.abs(target - decided).mean())


def _kappa(target: NDArray[np.int64], decided: NDArray[np.int64], num_classes: int) -> float:
    """Cohen's kappa with quadratic weights (1968): 1 is agreement, 0 is chance."""
    seen = np.bincount(target * num_classes + decided, minlength=num_classes**2)
    table = seen.reshape(num_classes, num_classes) / max(1, len(target))
    away = np.square(np.subtract.outer(np.arange(num_classes), np.arange(num_classes)))
    chance = np.outer(table.sum(axis=1), table.sum(axis=0))
    worst = float((away * chance).sum())
    return 1.0 - float((away * table).sum()) / worst if worst else float("nan")


def _ranked(target: NDArray[np.int64], scores: NDArray[Any]) -> float:
    """Ranked probability score (Epstein, 1969): squared distance of the cumulated probabilities
    from those of the truth, over the number of steps; 0 is perfect."""
    num_classes = scores.shape[1]
    truth = np.arange(num_classes)[None, :] >= target[:, None]
    gaps = np.square(scores.cumsum(axis=1) - truth)[:, :-1]
    return float(gaps.sum(axis=1).mean() / max(1, num_classes - 1))


METRICS = {
    "mean_steps": Metric("lower", 0.0, float("inf"), _steps, "decisions", "the median class"),
    "quadratic_kappa": Metric("higher", -1.0, 1.0, _kappa, "decisions", "the mean class"),
    "ranked_probability_score": Metric(
        "lower", 0.0, 1.0, _ranked, serves="the probability of each class"
    ),
}
