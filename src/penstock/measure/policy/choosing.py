"""Which rule decides, and why: each choice comes with the sentence that tells a person.

Validation scores, truth, what is asked for -> fields of a policy, notes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.measure.policy import decisions, levelling, thresholds
from penstock.measure.policy.costs import balancing_costs, cost_threshold
from penstock.measure.policy.temperature import MIN_ROWS, best_temperature
from penstock.measure.policy.thresholds import Quality
from penstock.records import Policy
from penstock.spec import DecisionSpec

PROBABLE = 0.5
"""Of two classes the second is the more probable one from here on."""

Codes = NDArray[np.int64]
Choice = tuple[dict[str, Any], list[str]]
"""Fields of the policy, and what is said about them."""


@dataclass(frozen=True)
class Aim:
    """What decisions between two classes are to be good at.

    Attributes
    ----------
    name : str
        A metric of decisions, or ``mean cost``.
    measure : Quality
        Its sum; of the cost, minus that.
    tuned : bool
        Whether a threshold is tuned for it.
    """

    name: str
    measure: Quality
    tuned: bool


def aim_of(spec: DecisionSpec, metric: str) -> Aim:
    """The cost where that is asked for; the declared metric where it reads decisions; else
    accuracy.

    Examples
    --------
    >>> aim_of(DecisionSpec(), "f1").name, aim_of(DecisionSpec(), "roc_auc").name
    ('f1', 'accuracy')
    """
    if spec.threshold == "cost":
        return Aim("mean cost", thresholds.thrift(spec.costs), tuned=False)
    if metric in thresholds.QUALITIES and spec.threshold != "probable":
        return Aim(metric, thresholds.QUALITIES[metric], tuned=True)
    return Aim("accuracy", thresholds.accuracy, tuned=False)


def temperature(scores: NDArray[Any], target: Codes, wanted: bool) -> tuple[float, str]:
    """The temperature that is shown to help, else 1, and why.

    Parameters
    ----------
    scores, target : float[n, classes] and int64[n]
        Probabilities as the network gives them, and the truth.
    wanted : bool
        ``decision.temperature``.
    """
    if not wanted:
        return 1.0, "The probabilities are the network's own: decision.temperature is false."
    rows, found = len(target), best_temperature(scores, target)
    if np.isnan(found.low):
        least = MIN_ROWS
        return 1.0, f"No temperature: {rows} validation rows are fewer than {least}."
    saved = f"{found.saved:.4f} nats a row (95%: {found.low:.4f} to {found.high:.4f})"
    if not found.shown:
        return 1.0, (
            f"The probabilities are the network's own: the best temperature, {found.value:.3g},"
            f" would save {saved}, which is not shown to be more than nothing."
        )
    word = "less sure" if found.value > 1 else "surer"
    return found.value, (
        f"A temperature of {found.value:.3g} makes the probabilities {word}: it saves {saved} of"
        f" the log-loss of {rows} validation rows."
    )


def rule(
    scores: NDArray[Any],
    target: Codes,
    classes: Sequence[str],
    spec: DecisionSpec,
    metric: str,
    seed: int,
) -> Choice:
    """How a class is decided: by cost, by a threshold, by balanced shares, or the most probable.

    Parameters
    ----------
    scores, target : float[n, classes] and int64[n]
        Tempered probabilities, and the truth.
    classes : sequence of str
        Names by code.
    spec, metric
        What is asked for; the declared metric.
    seed : int
        Of folds and bootstrap.
    """
    if spec.threshold == "cost":
        return _by_cost(classes, spec.costs)
    if spec.threshold == "metric" and metric not in thresholds.QUALITIES:
        reason = f"decision.threshold: metric changes nothing, for {metric} reads probabilities."
        return {}, ["The most probable class is decided.", reason]
    if len(classes) == 2:
        return _by_metric(scores[:, 1], target == 1, classes[1], aim_of(spec, metric), seed)
    return _balanced(scores, target, spec, metric)


def _by_cost(classes: Sequence[str], costs: list[list[float]]) -> Choice:
    note = "The class of the least expected cost is decided, by decision.costs; nothing was tuned."
    if len(classes) == 2:
        limit = cost_threshold(costs)
        note += f" That is {classes[1]} from a probability of {limit:.4g} on."
    return {"costs": costs}, [note]


def _by_metric(
    chance: NDArray[Any], truth: NDArray[np.bool_], name: str, aim: Aim, seed: int
) -> Choice:
    """The threshold that is best for the aim where that is shown, else the more probable class."""
    if not aim.tuned:
        return {}, ["The more probable class is decided."]
    found = thresholds.tuned(chance, truth, aim.measure, PROBABLE, seed)
    if np.isnan(found.low):
        return {}, [
            f"The more probable class is decided: {len(truth)} validation rows, {truth.sum()} of"
            f" them {name}, are too few to tune a threshold on."
        ]
    gain = (
        f"{aim.name} by {found.gain:+.4f} (95%: {found.low:+.4f} to {found.high:+.4f}) on folds"
        " of the validation rows that it was not chosen on"
    )
    if not found.shown:
        return {}, [
            f"The more probable class is decided: a tuned threshold changes {gain}, which is not"
            " shown to be more than nothing."
        ]
    limit = f"{found.threshold:.4g}"
    return {"threshold": found.threshold}, [
        f"{name} is decided from a probability of {limit} on: a tuned threshold changes {gain}."
    ]


def _balanced(scores: NDArray[Any], target: Codes, spec: DecisionSpec, metric: str) -> Choice:
    """More than two classes: only balanced accuracy has decisions of its own."""
    probable = "The most probable class is decided"
    if spec.threshold == "probable":
        return {}, [f"{probable}."]
    if metric != "balanced_accuracy":
        reason = f"{metric} of more than two classes has no other rule here"
        return {}, [f"{probable}: {reason}." if spec.threshold == "metric" else f"{probable}."]
    costs = balancing_costs(target, scores.shape[1])
    none = np.zeros(len(target), dtype=np.int64)
    mine, theirs = (
        decisions.decided(scores, policy, [], none) for policy in (Policy(costs=costs), Policy())
    )
    gain, low, high = thresholds.balanced_gain(target, mine, theirs)
    change = f"balanced_accuracy by {gain:+.4f} (95%: {low:+.4f} to {high:+.4f})"
    if not low > 0 or len(target) < MIN_ROWS:
        return {}, [
            f"{probable}: letting every class count the same changes {change}, which is not shown"
            " to be more than nothing."
        ]
    return {"costs": costs}, [
        "The class of the largest probability over its share of the validation rows is decided,"
        f" so that every class counts the same: this changes {change}."
    ]


def by_group(
    rows: levelling.Grouped, criterion: str, aim: Aim, usual: float, seed: int
) -> tuple[levelling.Levelled, str]:
    """A threshold a group, and what that achieves on these rows.

    Parameters
    ----------
    rows : Grouped
        Tempered probabilities, truth and groups.
    criterion : {"auto", "demographic_parity", "equalized_odds", "worst_group"}
        What is levelled; auto: demographic_parity.
    aim : Aim
        What decisions stay good at.
    usual : float
        Threshold of groups without one of their own.
    seed : int
        Of folds and bootstrap.
    """
    if criterion == "worst_group":
        found = levelling.each_at_best(rows, aim.measure, usual, seed)
        what = ", ".join(found.thresholds) or "none"
        return found, (
            f"Groups whose own threshold is shown to better their {aim.name}: {what}. The gate"
            " worst_group reads the loss, which no threshold changes."
        )
    level = "equalized_odds" if criterion == "equalized_odds" else "demographic_parity"
    found = levelling.levelled(rows, level, aim.measure, usual)
    if not found.thresholds:
        return found, "No thresholds by group: fewer than two groups have enough validation rows."
    gap = (
        f"true and false positive rates differ by up to {found.gap:.3f}"
        if level == "equalized_odds"
        else f"the smallest selection rate is {1 - found.gap:.3f} of the largest"
    )
    return found, (
        f"Thresholds by group for {level}: on validation rows {gap}, at the best {aim.name} that"
        " this leaves."
    )
