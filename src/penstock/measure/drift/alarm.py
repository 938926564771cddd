"""One decision about a window, with one budget of false alarms.

Two questions, kept apart. *Drift*: did inputs or predictions change? All tests together raise it
for at most the budget's share of windows that nothing happened to (Holm, 1979). *Alarm*: does it
matter? That is raised by harm alone:

- inputs as before: the loss is above the reference's by more than chance, at the whole budget;
- inputs drifted: chance is no longer the only reason for a small difference, so the declared
  metric has to be below the reference's, or the loss above what the scores promise, by more than
  the margin as well;
- inputs drifted so far that much of the window is like hardly any row that the model was tested
  on: nobody can say how good it is there.

The first line alone decides in a window that nothing happened to, and its p-value is uniform
there: so the share of false alarms is the budget, neither more nor less. What counts as loss:
with labels for at least half of the rows they decide alone, because they know better; with fewer,
estimate and labels have half of the budget each; without, the estimate has all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from penstock.measure.drift.performance import Measured

SUPPORT_LIMIT = 0.2
"""Share of rows without support that is an alarm (house choice). A region with 1% of the
reference's rows then has a fifth of the window's: they are twenty times as frequent."""

Harm = Literal["none", "estimated", "realised", "unknown"]
Sign = Literal["fall", "excess"]
"""The declared metric is worse than on the test rows; the loss is above what scores promise."""


@dataclass(frozen=True)
class Loss:
    """What is known of the model's loss in a window, from one side.

    Attributes
    ----------
    kind : {"estimated", "realised"}
        Without or with labels.
    p_value : float
        Of a mean loss above the reference's by chance.
    fall : Measured
        How much worse the declared metric is than on the test rows; nan where not defined.
    scale : float
        Size of the declared metric on the test rows.
    excess : Measured
        Loss above what the scores promise, as a share of the test rows' mean loss; nan for an
        estimate, which has no other loss than the promised one.
    """

    kind: Literal["estimated", "realised"]
    p_value: float
    fall: Measured
    scale: float
    excess: Measured


@dataclass(frozen=True)
class Alarm:
    """Whether it matters.

    Attributes
    ----------
    harm : {"none", "estimated", "realised", "unknown"}
        What raises it; ``none``: no alarm.
    p_value : float or None
        Of the loss that decides, adjusted for how many are asked; None where none is known.
    """

    harm: Harm
    p_value: float | None


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """P-values adjusted for the whole family (Holm, 1979).

    Examples
    --------
    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    found, largest = {}, 0.0
    for place, (name, value) in enumerate(ordered):
        largest = max(largest, min(1.0, value * (len(ordered) - place)))
        found[name] = largest
    return found


def sides(
    estimated: Loss | None, realised: Loss | None, share_labelled: float
) -> list[tuple[Loss, float]]:
    """Whose word counts, and its share of the budget; the first to speak comes first."""
    if realised and (share_labelled >= 0.5 or not estimated):
        return [(realised, 1.0)]
    if realised and estimated:
        return [(realised, 0.5), (estimated, 0.5)]
    return [(estimated, 1.0)] if estimated else []


def decide(
    known: list[tuple[Loss, float]], drifted: bool, unsupported: float, budget: float, margin: float
) -> Alarm:
    """Whether this window is an alarm.

    Parameters
    ----------
    known : list of (Loss, float)
        From :func:`sides`.
    drifted : bool
        Whether inputs or predictions are shown to have changed.
    unsupported : float
        Share of rows that are like hardly any of the reference; 0 where not measured.
    budget, margin : float
        From the spec.

    Examples
    --------
    >>> nothing = Measured(float("nan"), float("nan"))
    >>> worse = Loss("estimated", 0.001, Measured(0.02, 0.002), 0.9, nothing)
    >>> decide([(worse, 1.0)], False, 0.0, 0.01, 0.05).harm
    'estimated'
    >>> decide([(worse, 1.0)], True, 0.0, 0.01, 0.05).harm
    'none'
    """
    p_value = min((min(1.0, loss.p_value / share) for loss, share in known), default=None)
    for loss, share in known:
        level = budget * share
        if loss.p_value > level and not drifted:
            continue
        if not drifted or beyond(loss, margin, level):
            return Alarm(loss.kind, p_value)
    speaks = any(loss.kind == "realised" and share == 1.0 for loss, share in known)
    if drifted and unsupported > SUPPORT_LIMIT and not speaks:
        return Alarm("unknown", p_value)
    return Alarm("none", p_value)


def beyond(loss: Loss, margin: float, level: float) -> list[Sign]:
    """Which signs of harm are shown to be more than the margin, at this level.

    Examples
    --------
    >>> lower = Measured(0.2, 0.01)  # the metric fell, while losses are those that were promised
    >>> beyond(Loss("realised", 1.0, lower, 0.9, Measured(-0.1, 0.01)), 0.05, 0.01)
    ['fall']
    """
    reach = stats.norm.isf(level)
    signs: dict[Sign, tuple[Measured, float]] = {
        "fall": (loss.fall, margin * loss.scale),
        "excess": (loss.excess, margin),
    }
    return [
        sign
        for sign, (harm, limit) in signs.items()
        if np.isfinite(harm.value) and harm.value - reach * harm.error > limit
    ]
