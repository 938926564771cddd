"""What lists show: how much of the catalogue, how popular, to whom; as tables and figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Evidence, Figure, Series, Table
from penstock.measure.intervals import bootstrap, mean_interval
from penstock.measure.ranking import lists
from penstock.measure.ranking.lists import COLD

TOP = 10
LENGTHS = (1, 2, 5, 10, 20, 50, 100)
MIN_USERS = 30
"""Fewer users say `insufficient` (house choice)."""
NUM_SHELVES = 5
"""Parts of the catalogue by popularity, each taken equally often in training rows."""


def of_test(
    scores: NDArray[Any], target: NDArray[np.int64], popularity: NDArray[np.float32], seed: int
) -> Evidence:
    """Coverage and novelty of the lists, and how the cold start fares."""
    shares = popularity / max(1.0, float(popularity.sum()))
    head = scores["items"][:, :TOP]

    def measure(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        items = head[rows]
        items = items[items >= 0]
        surprise = -np.log2(np.maximum(shares[items], 1e-9))
        return np.array([len(np.unique(items)) / len(popularity), surprise.mean()])

    values = measure(np.arange(len(head)))
    low, high = bootstrap(measure, len(head), seed)
    what = {
        "catalogue coverage": "share of the catalogue that stands in any list of 10",
        "novelty": "mean self-information of what is shown, in bits: rarer items have more",
    }
    records = [
        {"quantity": name, "value": float(values[i]), "low": None if i == 0 else float(low[i]),
         "high": None if i == 0 else float(high[i]), "meaning": meaning}
        for i, (name, meaning) in enumerate(what.items())
    ]  # fmt: skip
    note = (
        "Interval: 95%, bootstrap over users. Coverage grows with the number of users, which no"
        " resample of them repeats: it has none."
    )
    tables = {
        "beyond_accuracy": Table.of("What the lists show", records, note),
        "cold_start": _cold_start(scores, target),
    }
    return Evidence(tables=tables)


def _cold_start(scores: NDArray[Any], target: NDArray[np.int64]) -> Table:
    known = scores["known"] > 0
    cold = (target == COLD).any(axis=1)
    warm = np.where(target == COLD, lists.NONE, target)
    groups = {
        "users with a past": (known, target),
        "users without a past (shown what is popular)": (~known, target),
        "users who took an item that training never had": (cold, target),
        "all users, items of the catalogue only": ((warm >= 0).any(axis=1), warm),
    }
    records = []
    for name, (rows, wanted) in groups.items():
        count = int(rows.sum())
        record: dict[str, Any] = {"who": name, "users": count}
        if count < MIN_USERS:
            record |= {"ndcg_at_10": None, "low": None, "high": None, "judged": "insufficient"}
        else:
            each = lists.ndcg(wanted[rows], scores[rows], TOP)
            low, high = mean_interval(each)
            record |= {"ndcg_at_10": float(each.mean()), "low": low, "high": high, "judged": "yes"}
        records.append(record)
    note = f"Groups of fewer than {MIN_USERS} users are insufficient. Intervals: 95%."
    return Table.of("The cold start", records, note)


def shelves(popularity: NDArray[np.float32]) -> NDArray[np.int64]:
    """Shelf of each item, 0 the most popular ones; each taken about equally often.

    Examples
    --------
    >>> shelves(np.array([50.0, 10, 10, 10, 10, 10], dtype=np.float32)).tolist()
    [0, 2, 3, 3, 4, 4]
    """
    order = np.argsort(-popularity, kind="stable")
    taken = np.cumsum(popularity[order]) - popularity[order] / 2
    place = np.minimum(NUM_SHELVES - 1, (taken / max(1e-9, popularity.sum()) * NUM_SHELVES))
    found = np.empty(len(popularity), dtype=np.int64)
    found[order] = place.astype(np.int64)
    found[order[0]] = 0
    return found


def of_items(
    scores: NDArray[Any], target: NDArray[np.int64], popularity: NDArray[np.float32], seed: int
) -> Evidence:
    """How often each shelf of the catalogue is shown, taken, and found."""
    shelf = shelves(popularity)
    head = scores["items"][:, :TOP]
    records = []
    for number in range(NUM_SHELVES):
        here = np.flatnonzero(shelf == number)
        if not len(here):
            continue
        is_shown = np.isin(head, here) & (head >= 0)
        is_taken = np.isin(target, here)
        share = is_shown.sum(axis=1) / np.maximum((head >= 0).sum(axis=1), 1)
        low, high = mean_interval(np.asarray(share))
        found = int((lists.hits(target, scores, TOP) & is_shown).sum())
        records.append(
            {
                "shelf": _words(number),
                "items": len(here),
                "share of what is shown": float(share.mean()),
                "low": low,
                "high": high,
                "share of what is taken": float(is_taken.sum() / max(1, (target >= 0).sum())),
                "items ever shown": len(np.unique(head[is_shown])),
                "found of what is taken": found / max(1, int(is_taken.sum())),
            }
        )
    note = (
        "Shelves hold equally much of what training rows took, the most popular items first. Where"
        " a shelf is shown more than it is taken, the lists make popular items more popular."
        " Intervals: 95%, over users."
    )
    return Evidence(
        tables={"exposure": Table.of("Exposure by popularity", records, note)},
        figures={"exposure": _exposure_figure(records)},
    )


def _words(number: int) -> str:
    named = {0: "1, the most popular", NUM_SHELVES - 1: f"{NUM_SHELVES}, the long tail"}
    return named.get(number, str(number + 1))


def _exposure_figure(records: list[dict[str, Any]]) -> Figure:
    names = [record["shelf"] for record in records]
    gap: list[float | None] = [None] * len(names)
    series = [
        Series(
            name="shown", style="bars", x=list(names),
            y=[r["share of what is shown"] for r in records],
            low=[r["low"] for r in records], high=[r["high"] for r in records],
        ),
        Series(
            name="taken", style="bars", x=list(names),
            y=[r["share of what is taken"] for r in records], low=gap, high=gap,
        ),
    ]  # fmt: skip
    return Figure(
        title="What is shown and what is taken, by popularity", x="shelf", y="share",
        series=series, note="Each shelf was taken equally often in training rows.",
    )  # fmt: skip


def by_length(scores: NDArray[Any], target: NDArray[np.int64]) -> dict[str, Figure]:
    """Recall and share of users with a hit, by the length of the list."""
    lengths = [k for k in LENGTHS if k <= scores["items"].shape[1]]
    recall, hit = [], []
    for k in lengths:
        each = lists.recall(target, scores, k)
        some = np.asarray(lists.hits(target, scores, k).any(axis=1), np.float64)
        recall.append((float(each.mean()), *mean_interval(each)))
        hit.append((float(some.mean()), *mean_interval(some)))
    series = [
        Series(
            name=name, x=[float(k) for k in lengths], y=[v for v, _, _ in values],
            low=[low for _, low, _ in values], high=[high for _, _, high in values],
        )
        for name, values in (("share of users with a hit", hit), ("recall", recall))
    ]  # fmt: skip
    figure = Figure(
        title="What lists find, by their length", x="items shown", y="share", series=series,
        note="Over the whole catalogue, without what was taken before. Intervals: 95%, over users.",
    )  # fmt: skip
    return {"by_length": figure}


def of_catalogue(taken: NDArray[np.int64], num_items: int) -> Evidence:
    """How unevenly the training rows take the items."""
    counts = np.sort(np.bincount(taken, minlength=num_items))[::-1]
    running = np.cumsum(counts) / max(1, counts.sum())
    half = int(np.searchsorted(running, 0.5)) + 1
    entropy = counts[counts > 0] / max(1, counts.sum())
    records = [
        {"quantity": "items", "value": num_items},
        {"quantity": "items that make half of what is taken", "value": half},
        {"quantity": "items taken once", "value": int((counts == 1).sum())},
        {"quantity": "entropy, bits", "value": float(-(entropy * np.log2(entropy)).sum())},
    ]
    places = np.unique(np.geomspace(1, num_items, 60).astype(int))
    figure = Figure(
        title="The head and the tail of the catalogue",
        x="items, the most popular first",
        y="share of what is taken",
        series=[Series(name="taken", x=[float(p) for p in places], y=running[places - 1].tolist())],
        note="A steep start: few items make most of the rows.",
    )
    return Evidence(
        tables={"catalogue": Table.of("What is taken", records)}, figures={"catalogue": figure}
    )
