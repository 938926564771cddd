"""How test rows differ from training rows, and which natural shift is like it, for a person.

What :mod:`penstock.measure.departure` found -> tables, a figure, sentences
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.evidence import Figure, Series, Table
from penstock.measure.departure import Departure
from penstock.measure.intervals import Z95

LEAST_LIKENESS = 0.1
"""A shift whose likeness is not shown to be larger explains nothing (house choice)."""
MOST_GROUPS, MOST_APART = 30, 3
Ends = tuple[float, float, float]
Views = dict[str, pa.Array]


@dataclass(frozen=True)
class Likely:
    """One natural shift beside what was seen of the test rows.

    Attributes
    ----------
    column, stress, clause : str
        What was changed, and how, in words.
    strength : float
        The one of the three that is most like it.
    likeness : tuple of float
        Cosine with the way from training to test rows, low, high.
    drop : tuple of float
        What it costs on training rows: value, low, high.
    moves : dict of str to float
        How far it moves each view, in deviations of the training rows.
    """

    column: str
    stress: str
    clause: str
    strength: float
    likeness: Ends
    drop: Ends
    moves: dict[str, float]

    @property
    def shown(self) -> bool:
        """Whether it goes the same way and costs something, both beyond chance."""
        return self.likeness[1] > LEAST_LIKENESS and self.drop[1] > 0


@dataclass(frozen=True)
class Gap:
    """How much worse test rows fare than training rows.

    Attributes
    ----------
    metric : str
        The declared one.
    seen, unseen : float
        On training rows, which flatter, and on test rows.
    worse : tuple of float
        Value, low, high; above 0 test rows fare worse.
    num_seen, num_unseen : int
        Rows.
    """

    metric: str
    seen: float
    unseen: float
    worse: Ends
    num_seen: int
    num_unseen: int

    def sentence(self) -> str:
        """Both values and the difference."""
        value, low, high = self.worse
        shown = "" if low > 0 else ": chance may explain that"
        return (
            f"{self.metric} is {self.seen:.4f} on {self.num_seen} training rows, which flatter, and"
            f" {self.unseen:.4f} on {self.num_unseen} test rows: {value:+.4f} worse"
            f" ({low:+.4f} to {high:+.4f}){shown}."
        )


def shifts(likely: list[Likely], gap: Gap) -> Table:
    """Every shift, the one most like the test rows first."""
    records = []
    for one in likely:
        record: dict[str, Any] = {"column": one.column, "stress": one.stress}
        record |= {"strength": one.strength}
        record |= dict(zip(("likeness", "low", "high"), one.likeness, strict=True))
        record |= dict(zip(("drop", "from", "to"), one.drop, strict=True))
        record["share of the gap"] = share(one, gap)
        far = sorted(one.moves.items(), key=lambda pair: -abs(pair[1]))[:3]
        record["moves"] = ", ".join(f"{view} {value:+.2f}" for view, value in far if value)
        records.append(record)
    note = (
        "Likeness: cosine between where the shift moves training rows and where test rows of the"
        " same class stand, in what the encoder makes of the column; 1 is the same way, 0 another"
        " way. Of each shift the strength that is most like it. drop, from, to: what it costs on"
        " training rows. share of the gap: the drop over"
        f" the gap in {gap.metric} between training and test rows. moves: in deviations of the"
        " training rows. Intervals: 95%, over rows."
    )
    return Table.of("Which shift is like the test rows", records, note)


def share(one: Likely, gap: Gap) -> float | None:
    """The share of the gap that a shift accounts for; None where no gap is shown, or not by it."""
    if gap.worse[1] <= 0 or not one.shown:
        return None
    return float(np.clip(one.drop[0] / gap.worse[0], 0.0, 1.0))


def views(column: str, seen: Views, unseen: Views) -> list[dict[str, Any]]:
    """Each view of numbers on both sides, and the difference in deviations of the seen rows."""
    records = []
    for name, values in seen.items():
        here, there = (known(side[name]) for side in (seen, unseen))
        if values.type != pa.float64() or min(len(here), len(there)) < 2 or not here.std() > 0:
            continue
        unit = float(here.std(ddof=1))
        far = float(there.mean() - here.mean()) / unit
        wide = Z95 * np.sqrt(here.var(ddof=1) / len(here) + there.var(ddof=1) / len(there)) / unit
        record: dict[str, Any] = {"column": column, "view": name}
        record |= {"training rows": float(here.mean()), "test rows": float(there.mean())}
        ends = {"low": float(far - wide), "high": float(far + wide)}
        records.append(record | {"deviations": far} | ends)
    return records


def apart(column: str, records: list[dict[str, Any]]) -> str:
    """The views of a column that differ most, beyond chance, as a sentence; empty without any.

    Examples
    --------
    >>> found = {"view": "loudness", "deviations": -1.5, "low": -1.8, "high": -1.2}
    >>> apart("call", [{"column": "call", "training rows": -20.0, "test rows": -35.0, **found}])
    'What differs most in call: loudness (-35 instead of -20, -1.50 deviations).'
    """
    here = [one for one in records if one["column"] == column and one["low"] * one["high"] > 0]
    here.sort(key=lambda one: -abs(one["deviations"]))
    told = [
        f"{one['view']} ({one['test rows']:.4g} instead of {one['training rows']:.4g},"
        f" {one['deviations']:+.2f} deviations)"
        for one in here[:MOST_APART]
    ]
    return f"What differs most in {column}: {', '.join(told)}." if told else ""


def view_table(records: list[dict[str, Any]], likely: list[Likely]) -> Table:
    """The views, the farthest first, each with the shift that moves it most the same way."""
    shown = []
    for record in sorted(records, key=lambda one: -abs(one["deviations"])):
        way = np.sign(record["deviations"])
        same = [
            (way * one.moves.get(record["view"], 0.0), f"{one.stress} {one.strength:g}")
            for one in likely
            if one.column == record["column"]
        ]
        far, name = max(same, default=(0.0, ""))
        told = f"{name} ({way * far:+.2f})" if far > 0 else ""
        shown.append(record | {"most alike": told})
    note = (
        "Means; deviations: the difference in standard deviations of the training rows, with its"
        " 95% interval; most alike: the shift above that moves it farthest the same way."
    )
    return Table.of("How test rows differ from training rows", shown, note)


def moved(before: Views, after: Views) -> dict[str, float]:
    """How far each view of numbers moves, in its deviations over the rows."""
    found = {}
    for name, values in before.items():
        if values.type != pa.float64():
            continue
        here, there = (_numbers(side[name]) for side in (before, after))
        both, unit = np.isfinite(here) & np.isfinite(there), float(np.nanstd(here))
        if both.any() and unit > 0:
            found[name] = float(np.mean(there[both] - here[both])) / unit
    return found


def known(values: pa.Array) -> NDArray[np.float64]:
    """The values that there are, ``float64[k]``; none of names."""
    if values.type != pa.float64():
        return np.zeros(0)
    numbers = _numbers(values)
    return numbers[np.isfinite(numbers)]


def _numbers(values: pa.Array) -> NDArray[np.float64]:
    found: NDArray[np.float64] = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return found


def groups(records: list[dict[str, Any]], name: str, column: str, metric: str) -> Table:
    """How each group fares; the sentence below says what an interval over rows leaves out."""
    test = [record for record in records if record["part"] == "test"]
    note = (
        f"distance: of {column}, in deviations, from the training rows of the other groups; by lot:"
        f" what chance reaches. {metric} of training groups flatters. Its interval is over the rows"
        f" of a group: how the next {name} will fare, {len(test)} unseen"
        f" {'group says' if len(test) == 1 else 'groups say'} only so far."
    )
    return Table.of(f"Each {name}", records[:MOST_GROUPS], note)


def among(records: list[dict[str, Any]], name: str) -> list[str]:
    """Whether unseen groups stand farther off than seen ones stand from one another."""
    far = {
        part: [record["distance"] for record in records if record["part"] == part]
        for part in ("test", "train")
    }
    if not far["test"] or len(far["train"]) < 2:
        return []
    least, most = min(far["train"]), max(far["train"])
    told = "no farther than that" if max(far["test"]) <= most else "farther"
    return [
        f"Training groups of {name} stand {least:.2f} to {most:.2f} from one another; those of test"
        f" stand {told}, at up to {max(far['test']):.2f}."
    ]


def figure(likely: list[Likely]) -> Figure:
    """Bars of likeness with their intervals."""
    bars = Series(
        name="likeness",
        x=[f"{one.column}: {one.stress} {one.strength:g}" for one in likely],
        y=[one.likeness[0] for one in likely],
        low=[one.likeness[1] for one in likely],
        high=[one.likeness[2] for one in likely],
        style="bars",
    )
    return Figure(
        title="Which shift is like the test rows",
        x="",
        y="likeness",
        series=[bars],
        horizontal=True,
        note="1: it moves training rows to where test rows stand; 0: another way; below 0: the"
        " opposite way. Intervals: 95%, over rows.",
    )


def notes(
    gap: Gap,
    found: dict[str, Departure],
    likely: list[Likely],
    accounted: dict[str, float],
    records: list[dict[str, Any]],
) -> list[str]:
    """What is behind the gap, in sentences; ``records`` are those of :func:`views`."""
    said = [gap.sentence()]
    for name, one in found.items():
        beyond = "" if one.shown else ": no more than chance"
        said.append(
            f"In {name}, test rows stand {one.distance:.2f} deviations from training rows of the"
            f" same class ({one.low:.2f} to {one.high:.2f}; by lot up to {one.chance:.2f}){beyond}."
        )
    for name, much in accounted.items():
        here = [one for one in likely if one.column == name]
        best = max(here, key=lambda one: one.likeness[0])
        if not best.shown:
            said.append(
                f"No shift of {name} that was tried goes the same way and costs something."
                f" {apart(name, records)}".rstrip()
            )
            continue
        part = share(best, gap)
        ends = f"{best.likeness[1]:.2f} to {best.likeness[2]:.2f}"
        cost = f"costs {best.drop[0]:.4f} of {gap.metric} on training rows"
        cost += "" if part is None else f", {part:.0%} of the gap"
        said.append(
            f"Most like it: {best.clause} (likeness {best.likeness[0]:.2f}, {ends}); that {cost}."
            f" All shifts of {name} together go {much:.0%} of the way; the rest is like none of"
            " them."
        )
    return said
