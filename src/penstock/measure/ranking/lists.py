"""Lists of items, the best first, and what they are worth against what users took next.

A list ranks the whole catalogue but for what the user took before; only its head is kept. Metrics
that are measured on a sample of the items disagree with those on all of them (Krichene and
Rendle, 2020), so none is here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.measure.metrics import Metric

LISTED = 100
"""Items of a list that are kept (house choice: what comes later is worth next to nothing)."""
COLD, NONE = -1, -2
"""Codes of a target: an item that training rows never had; no item."""


def empty(num_rows: int, listed: int) -> NDArray[Any]:
    """Lists to be filled, a structured array.

    ``items`` ``int32[listed]``: codes, the best first, :data:`NONE` where the catalogue ends;
    ``logp`` ``float32[listed]``: log-probability of each to be taken next; ``rest``: that of each
    other item; ``known``: 1 where the list rests on what the user took before.
    """
    kinds = [
        ("items", np.int32, (listed,)),
        ("logp", np.float32, (listed,)),
        ("rest", np.float32),
        ("known", np.int8),
    ]
    found = np.zeros(num_rows, dtype=kinds)
    found["items"] = NONE
    return found


def of_logits(logits: NDArray[Any], excluded: NDArray[Any], listed: int = LISTED) -> NDArray[Any]:
    """Lists of a few rows' scores of every item.

    Parameters
    ----------
    logits : float[n, items]
        Higher is better; their softmax over what is left is the probability.
    excluded : int[n, k]
        Codes that are left out; negative ones are none.
    listed : int
        Items that are kept.

    Examples
    --------
    >>> of_logits(np.array([[3.0, 2.0, 1.0]]), np.array([[0, -2]]), 2)["items"].tolist()
    [[1, 2]]
    """
    logits = np.array(logits, dtype=np.float64)
    rows, places = np.nonzero(excluded >= 0)
    logits[rows, excluded[rows, places]] = -np.inf
    listed = min(listed, logits.shape[1])
    largest = np.maximum(logits.max(axis=1, keepdims=True), -1e300)
    logits -= largest
    total = np.exp(logits).sum(axis=1)
    # ties by code: the same list on any machine
    head = np.argsort(-logits, axis=1, kind="stable")[:, :listed]
    found = empty(len(logits), listed)
    best = np.take_along_axis(logits, head, axis=1)
    there = np.isfinite(best)
    found["items"] = np.where(there, head, NONE)
    logp = best - np.log(np.maximum(total, 1e-300))[:, None]
    found["logp"] = np.where(there, logp, -np.inf)
    left = np.isfinite(logits).sum(axis=1) - there.sum(axis=1)
    mass = np.maximum(1.0 - np.exp(np.where(there, logp, -np.inf)).sum(axis=1), 1e-9)
    found["rest"] = np.log(mass / np.maximum(left, 1))
    found["known"] = 1
    return found


def hits(target: NDArray[np.int64], scores: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """Which of the first ``k`` items of each list were taken, ``bool[n, k]``."""
    head = scores["items"][:, :k]
    num_codes = int(max(head.max(initial=0), target.max(initial=0))) + 1
    rows, places = np.nonzero(target >= 0)
    taken = rows * num_codes + target[rows, places]
    offered = np.arange(len(head))[:, None] * num_codes + head
    found: NDArray[np.bool_] = np.isin(offered, taken) & (head >= 0)
    return found


def num_relevant(target: NDArray[np.int64]) -> NDArray[np.int64]:
    """Items that each row took, those that no list can hold too, ``int64[n]``."""
    return (target != NONE).sum(axis=1)


def ndcg(target: NDArray[np.int64], scores: NDArray[Any], k: int) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain of each list (Jaervelin and Kekaelaeinen, 2002).

    ``sum over hits of 1 / log2(place + 1)`` over that of the best possible list.

    Examples
    --------
    >>> lists = of_logits(np.array([[3.0, 2.0, 1.0]]), np.full((1, 1), NONE))
    >>> ndcg(np.array([[1]]), lists, 10).round(4).tolist()
    [0.6309]
    """
    worth = 1.0 / np.log2(np.arange(2, k + 2))
    found = hits(target, scores, k)
    best = np.cumsum(worth)[np.clip(num_relevant(target), 1, k) - 1]
    return (found * worth[: found.shape[1]]).sum(axis=1) / best


def worth(target: NDArray[np.int64], scores: NDArray[Any], k: int) -> NDArray[np.float64]:
    """Mean ``1 / log2(place + 1)`` of what each row took, 0 beyond ``k``, ``float64[n]``.

    The gain of a list where each item is to be found by itself: unlike :func:`ndcg` it stays what
    it is where there is more, or less, to be found.
    """
    found = hits(target, scores, k)
    gain = found / np.log2(np.arange(2, found.shape[1] + 2))
    return gain.sum(axis=1) / np.maximum(num_relevant(target), 1)


def recall(target: NDArray[np.int64], scores: NDArray[Any], k: int) -> NDArray[np.float64]:
    """Share of what each row took that its list holds, ``float64[n]``."""
    return hits(target, scores, k).sum(axis=1) / np.maximum(num_relevant(target), 1)


def reciprocal_rank(target: NDArray[np.int64], scores: NDArray[Any]) -> NDArray[np.float64]:
    """1 over the place of the first hit; 0 where the list holds none, ``float64[n]``."""
    found = hits(target, scores, LISTED)
    first = found.argmax(axis=1)
    return np.where(found.any(axis=1), 1.0 / (first + 1), 0.0)


def losses(scores: NDArray[Any], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean negative log-probability, in nats, of what each row took, each item once,
    ``float64[n]``.

    Items beyond the list share what its head leaves over; items that training rows never had
    cost as much as one of those.
    """
    found = hits(target, scores, LISTED)
    count = num_relevant(target)
    listed = np.where(found, scores["logp"], 0.0).sum(axis=1, dtype=np.float64)
    beyond = (count - found.sum(axis=1)) * scores["rest"].astype(np.float64)
    return -(listed + beyond) / np.maximum(count, 1)


def of_shares(counts: NDArray[Any], num_rows: int) -> NDArray[Any]:
    """The same list for each row: items by their share of what was taken."""
    logits = np.log(np.maximum(counts, 1e-3))[None]
    one = of_logits(logits, np.full((1, 1), NONE))
    return np.repeat(one, num_rows)


def _mean(each: Any, later: str = "") -> Metric:
    def function(target: Any, scores: Any) -> float:
        return float(each(target, scores).mean()) if len(target) else np.nan

    return Metric("higher", 0.0, 1.0, function, each=each, later=later)


ONE_BY_ONE = "item_gain_at_10"
METRICS = {
    "ndcg_at_10": _mean(lambda t, s: ndcg(t, s, 10), ONE_BY_ONE),
    "recall_at_10": _mean(lambda t, s: recall(t, s, 10), ONE_BY_ONE),
    "recall_at_50": _mean(lambda t, s: recall(t, s, 50), ONE_BY_ONE),
    "mrr": _mean(reciprocal_rank, ONE_BY_ONE),
    ONE_BY_ONE: _mean(lambda t, s: worth(t, s, 10)),
}
"""Means over users of what each list is worth; ``mrr`` ends with the list. The last one does not
depend on how much there is to find, so that windows of any length are compared by it."""
