"""Whether a change matters: how much worse the model is, by its scores and by later labels.

Reference, Found -> :class:`penstock.measure.drift.alarm.Loss`
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from penstock.measure import metrics
from penstock.measure.drift import means, performance
from penstock.measure.drift.alarm import Loss
from penstock.measure.drift.changes import SEED, Changes, Found
from penstock.measure.drift.performance import UNKNOWN, Measured
from penstock.measure.drift.reference import Reference
from penstock.measure.intervals import Z95


def estimated(
    reference: Reference, found: Found, changes: Changes, drifted: bool
) -> tuple[Loss | None, Measured]:
    """What scores alone say of the loss and of the declared metric; nothing of a regression."""
    curve = reference.curve
    if curve is None or reference.expected is None:
        return None, UNKNOWN
    answers = found.answers
    expected = performance.expected_losses(answers.scores, curve.truth(answers))
    p_value = means.p_value(reference.expected, float(expected.mean()), found.num_rows)
    if drifted and changes.together and reference.rows is not None:
        curve = curve.weighted(reference.rows, reference.target, changes.together.weights)
    value = performance.estimated(reference.metric, answers, curve.truth(answers), SEED)
    return Loss("estimated", p_value, *_fall(reference, value), UNKNOWN), value


def realised(
    reference: Reference, found: Found, losses: NDArray[np.float64], min_labels: int
) -> tuple[Loss | None, Measured]:
    """What labels say; None with too few of them.

    Parameters
    ----------
    losses : float64[k]
        Of the labelled rows.
    """
    if len(losses) < min_labels:
        return None, UNKNOWN
    answers, curve = found.known, reference.curve
    if curve is not None:
        losses = losses - performance.expected_losses(answers.scores, curve.truth(answers))
    mean = float(losses.mean())
    p_value = means.p_value(reference.excess, mean, len(losses))
    above, error = means.excess(reference.excess, mean, float(losses.var()), len(losses))
    size = reference.mean_loss or math.nan
    value = performance.realised(reference.metric, answers, found.target, SEED)
    excess = Measured(above / size, error / size)
    name = compared_by(reference)
    by = value
    if name != reference.metric:
        by = performance.realised(name, answers, found.target, SEED)
    return Loss("realised", p_value, *_fall(reference, by, name), excess), value


def compared_by(reference: Reference) -> str:
    """The metric by which a window is held against the reference."""
    name = metrics.of(reference.metric).later
    return name if name in reference.metrics else reference.metric


def _fall(reference: Reference, value: Measured, name: str = "") -> tuple[Measured, float]:
    """How much worse a metric is, the declared one if none is said, and its size on the test
    rows."""
    name = name or reference.metric
    known = reference.metrics[name]
    if known.value is None:
        return UNKNOWN, math.nan
    error = 0.0
    if known.low is not None and known.high is not None:
        error = (known.high - known.low) / (2 * Z95)
    sign = 1 if metrics.of(name).better == "higher" else -1
    fall = Measured(sign * (known.value - value.value), math.hypot(error, value.error))
    return fall, abs(known.value)
