"""What a policy makes of scores: probabilities, decisions and sets. It travels with the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from penstock.records import Policy

SMALLEST = 1e-12
"""Probabilities are not less, so that their logarithm is finite."""
Scores = NDArray[np.floating]
Codes = NDArray[np.int64]


def tempered(scores: Scores, temperature: float) -> Scores:
    """Probabilities ``float[n, classes]`` to the power ``1 / temperature``, normalised.

    Above 1 it makes them less sure, below 1 surer; 1 leaves them exactly as they are.

    Examples
    --------
    >>> tempered(np.array([[0.2, 0.8]]), 2.0).round(4).tolist()
    [[0.3333, 0.6667]]
    """
    if temperature == 1.0:
        return scores
    logs = np.log(np.clip(scores, SMALLEST, 1.0)) / temperature
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(scores.dtype)


def decided(
    scores: Scores, policy: Policy, groups: Sequence[str], codes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Class codes ``int64[n]`` that a policy decides on.

    Parameters
    ----------
    scores : float[n, classes]
        Tempered probabilities.
    policy : Policy
        Threshold, thresholds by group, or costs; else the most probable class.
    groups, codes : sequence of str and int64[n]
        Names of the groups and the group of each row; not read without thresholds by group.

    Examples
    --------
    >>> scores = np.array([[0.6, 0.4], [0.6, 0.4]])
    >>> decided(scores, Policy(threshold=0.3), [], np.zeros(2, dtype=np.int64)).tolist()
    [1, 1]
    """
    if policy.costs:
        expected = scores @ np.asarray(policy.costs, dtype=np.float64)
        return expected.argmin(axis=1).astype(np.int64)
    if policy.threshold is None and not policy.thresholds:
        return scores.argmax(axis=1).astype(np.int64)
    chance = scores[:, 1].astype(np.float64)  # in single precision a threshold would be rounded
    usual = 0.5 if policy.threshold is None else policy.threshold
    if not policy.thresholds:
        return (chance >= usual).astype(np.int64)
    limits = np.array([policy.thresholds.get(name, usual) for name in groups])
    return (chance >= limits[codes]).astype(np.int64)


def members(scores: Scores, radius: float) -> NDArray[np.bool_]:
    """Which classes a prediction set holds, ``bool[n, classes]``: ``nonconformity <= radius``.

    Examples
    --------
    >>> members(np.array([[0.2, 0.8]]), 0.5).tolist()
    [[False, True]]
    >>> members(np.array([[0.3, 0.4, 0.3]]), 0.5).tolist()
    [[False, True, False]]
    """
    return nonconformity(scores) <= radius


def nonconformity(scores: Scores) -> NDArray[np.float64]:
    """How strange each class would be, ``float64[n, classes]``: 1 minus its probability, and 0 for
    the most probable one.

    The score of Sadinle, Lei and Wasserman (2019), whose sets are empty where a good model is a
    little less sure than usual: that helps nobody. Here the most probable class is always in.

    Examples
    --------
    >>> nonconformity(np.array([[0.25, 0.75]])).tolist()
    [[0.75, 0.0]]
    """
    strange = 1.0 - scores.astype(np.float64)
    np.put_along_axis(strange, scores.argmax(axis=1)[:, None], 0.0, axis=1)
    return strange
