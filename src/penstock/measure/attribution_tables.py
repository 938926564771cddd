"""What a model leans on, as tables and figures for a person: columns and numbers, never values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Figure, Series, Table
from penstock.measure import ranks
from penstock.measure.intervals import mean_interval

NUM_SHOWN_ROWS, NUM_SHOWN_COLUMNS = 5, 5
"""Single rows in the table, and the columns that are named for each."""


@dataclass(frozen=True)
class Importance:
    """What shuffling one column costs, with 95% intervals over rows and shuffles.

    Attributes
    ----------
    column : str
        That was shuffled.
    drop : tuple of float
        Of the declared metric: value, low, high; positive is worse.
    loss : tuple of float
        Rise of the mean row loss: value, low, high.
    """

    column: str
    drop: tuple[float, float, float]
    loss: tuple[float, float, float]


def columns(
    weighed: list[Importance], leant: NDArray[np.float64], names: list[str], metric: str
) -> Table:
    """Each column's importance, and its share of the attributions.

    Parameters
    ----------
    weighed : list of Importance
        The most important first.
    leant, names : float64[columns] and list of str
        Mean absolute attribution of every column.
    metric : str
        The declared one.
    """
    shares = dict(zip(names, leant / (leant.sum() or 1.0), strict=True))
    records = [
        _record(one, metric) | {"share of attribution": float(shares[one.column])}
        for one in weighed
    ]
    note = (
        f"{SHUFFLED} Attribution: mean absolute"
        " integrated gradients from the mean encoding of the training rows to each test row's."
    )
    return Table.of("What the model leans on", records, note)


SHUFFLED = (
    "Shuffled: the column's values are dealt out anew among the test rows, several times;"
    " intervals: 95%, over rows and shuffles."
)


def shuffled(weighed: list[Importance], metric: str) -> Table:
    """Each column's importance, where there are no attributions."""
    records = [_record(one, metric) for one in weighed]
    return Table.of("What the model leans on", records, SHUFFLED)


def _record(one: Importance, metric: str) -> dict[str, Any]:
    record: dict[str, Any] = {"column": one.column}
    record |= dict(zip((f"drop of {metric}", "low", "high"), one.drop, strict=True))
    return record | dict(zip(("rise of loss", "loss low", "loss high"), one.loss, strict=True))


def rows(by_column: NDArray[np.float64], names: list[str]) -> Table:
    """The largest attributions of a few rows: names and shares, never values."""
    strength = np.abs(by_column).sum(axis=1)
    ranked = np.argsort(-strength, kind="stable")
    places = np.linspace(0, len(ranked) - 1, min(NUM_SHOWN_ROWS, len(ranked))).astype(int)
    records: list[dict[str, Any]] = []
    for number, row in enumerate(ranked[places], start=1):
        top = np.argsort(-np.abs(by_column[row]), kind="stable")[:NUM_SHOWN_COLUMNS]
        record: dict[str, Any] = {"example": number}
        for place, column in enumerate(top, start=1):
            record[f"{place}."] = f"{names[column]} {by_column[row, column]:+.2f}"
        records.append(record | {"all columns": float(by_column[row].sum())})
    return Table.of(
        "What moved single answers",
        records,
        "From the row that its columns move most to the one that they move least. Above 0: towards"
        " the decided class, in logits above the mean logit; of a number: upwards, in standard"
        " deviations of the target. Raw values are not shown.",
    )


def notes(weighed: list[Importance], leant: NDArray[np.float64], names: list[str]) -> list[str]:
    """Which columns were left out, and whether both weighings agree."""
    found = []
    if len(names) > len(weighed):
        found.append(
            f"{len(weighed)} of {len(names)} columns were shuffled: those with the largest"
            " attributions."
        )
    here = np.array([leant[names.index(one.column)] for one in weighed])
    same = ranks.agreement(np.array([one.loss[0] for one in weighed]), here)
    if math.isfinite(same):
        found.append(
            f"Attribution and permutation importance rank the columns alike by {same:.2f}"
            " (Spearman)."
        )
    return found


def figures(
    weighed: list[Importance], by_column: NDArray[np.float64], names: list[str], metric: str
) -> dict[str, Figure]:
    """Bars with intervals: what shuffling a column costs, and how far it moves an answer.

    Parameters
    ----------
    weighed : list of Importance
        In the order of the bars.
    by_column : float64[n, columns]
        Attributions; ``names`` says whose.
    """
    order = [one.column for one in weighed]
    sizes = np.abs(by_column)[:, [names.index(name) for name in order]]
    ends = [mean_interval(sizes[:, i]) for i in range(len(order))]
    leant = Series(
        name="mean absolute attribution",
        x=list(order),
        y=sizes.mean(axis=0).tolist(),
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
        style="bars",
    )
    return {
        "importance": importance(weighed, metric),
        "attribution": Figure(
            title="How far each column moves an answer",
            x="",
            y="mean absolute attribution",
            series=[leant],
            horizontal=True,
            note="Integrated gradients from the mean training row; columns as above.",
        ),
    }


def importance(weighed: list[Importance], metric: str) -> Figure:
    """Bars with intervals: what shuffling a column costs, in the order of the columns."""
    bars = Series(
        name=f"drop of {metric}",
        x=[one.column for one in weighed],
        y=[one.drop[0] for one in weighed],
        low=[one.drop[1] for one in weighed],
        high=[one.drop[2] for one in weighed],
        style="bars",
    )
    return Figure(
        title="What shuffling a column costs",
        x="",
        y=f"drop of {metric}",
        series=[bars],
        horizontal=True,
        note="A column whose interval holds 0 is not needed beside the others. Intervals: 95%,"
        " over rows and shuffles.",
    )
