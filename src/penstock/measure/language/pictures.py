"""Charts and tables of what text costs a model.

tallies -> evidence
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Evidence, Figure, Series, Table
from penstock.measure.intervals import bootstrap
from penstock.measure.language.tallies import NUM_BINS, PLACES, bits_per_byte

PARTS = 4
"""Of documents, by their length (house choice)."""


def lengths(target: NDArray[Any]) -> Evidence:
    """How much text there is, and how long documents are, by their bytes ``float64[n]``."""
    at = [0, 5, 25, 50, 75, 95, 100]
    marks = np.percentile(target, at) if len(target) else np.zeros(len(at))
    records = [
        {"quantity": "documents", "value": len(target)},
        {"quantity": "empty documents", "value": int((target == 0).sum())},
        {"quantity": "bytes (UTF-8)", "value": int(target.sum())},
        *(
            {"quantity": f"bytes of a document, percentile {p}", "value": float(mark)}
            for p, mark in zip(at, marks, strict=True)
        ),
    ]
    some = target[target > 0]
    if not len(some):
        return Evidence(tables={"text": Table.of("Training text", records)})
    edges = np.geomspace(some.min(), max(some.max(), some.min() + 1) * 1.0001, 21)
    counts = np.histogram(some, edges)[0]
    figure = Figure(
        title="Bytes of a document",
        x="bytes",
        y="documents",
        series=[
            Series(
                name="training documents",
                x=[f"{edge:.0f}" for edge in edges[:-1]],
                y=[float(count) for count in counts],
                style="bars",
            )
        ],
        note="Each bar begins at its number; empty documents are left out.",
    )
    return Evidence(tables={"text": Table.of("Training text", records)}, figures={"bytes": figure})


def figures(scores: NDArray[Any]) -> dict[str, Figure]:
    """Cost by place and by length; whether stated probabilities come true."""
    return {"place": _by_place(scores), "length": _by_length(scores), "reliability": _true(scores)}


def _by_place(scores: NDArray[Any]) -> Figure:
    def measure(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        bits, size = (scores[name][rows].sum(axis=0) for name in ("place_bits", "place_bytes"))
        return np.divide(bits, size, out=np.full(len(PLACES), np.nan), where=size > 0)

    value = measure(np.arange(len(scores)))
    low, high = bootstrap(measure, len(scores), seed=0)
    known = np.flatnonzero(~np.isnan(value))
    return Figure(
        title="Cost by place in the document",
        x="tokens of the document before it, from",
        y="bits per byte",
        series=[
            Series(
                name="test documents",
                x=[str(PLACES[i]) for i in known],
                y=value[known].tolist(),
                low=low[known].tolist(),
                high=high[known].tolist(),
                style="bars",
            )
        ],
        note="The more was read before, the better should be known what comes.",
    )


def _by_length(scores: NDArray[Any]) -> Figure:
    size = scores["bytes"]
    edges = np.unique(np.quantile(size, np.linspace(0, 1, PARTS + 1)[1:-1]))
    part = np.searchsorted(edges, size, side="left")
    records = []
    for code in range(len(edges) + 1):
        mine = scores[part == code]
        if len(mine) < 2 or not mine["bytes"].sum():
            continue

        def measure(rows: NDArray[np.int64], mine: NDArray[Any] = mine) -> NDArray[np.float64]:
            return np.array([bits_per_byte(None, mine[rows])])

        low, high = bootstrap(measure, len(mine), seed=0)
        most = f"{mine['bytes'].min():.0f} to {mine['bytes'].max():.0f}"
        records.append((most, bits_per_byte(None, mine), float(low[0]), float(high[0])))
    return Figure(
        title="Cost by length of the document",
        x="bytes of the document",
        y="bits per byte",
        series=[
            Series(
                name="test documents",
                x=[one[0] for one in records],
                y=[one[1] for one in records],
                low=[one[2] for one in records],
                high=[one[3] for one in records],
                style="bars",
            )
        ],
        note="Quarters of the test documents; 95%, bootstrap over documents.",
    )


def _true(scores: NDArray[Any]) -> Figure:
    count, stated, true = (scores[name].sum(axis=0) for name in ("count", "stated", "true"))
    some = np.flatnonzero(count >= NUM_BINS)
    return Figure(
        title="Does the most probable next token come as often as stated?",
        x="stated probability",
        y="share that came",
        series=[
            Series(
                name="next tokens",
                x=(stated[some] / count[some]).tolist(),
                y=(true[some] / count[some]).tolist(),
                style="points",
            ),
            Series(name="as stated", x=[0.0, 1.0], y=[0.0, 1.0], style="dashed"),
        ],
        note="Points below the line: surer than is right.",
    )
