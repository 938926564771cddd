"""Inside a column: which words of a text, which cells of a sound moved an answer.

A part of a value is hidden, the row is asked again, and what its answer falls by is what the part
was worth to it (occlusion: Zeiler and Fergus, 2014). Nothing has to be believed of gradients.

Bench, Column -> tables, galleries
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from penstock import modalities
from penstock.bench import Bench
from penstock.evidence import Exhibit, Gallery, Table
from penstock.learning.encodings import affordable, column_encodings, work_of_row
from penstock.measure.intervals import mean_interval

MOST_ROWS, LEAST_ROWS, WORK = 150, 8, 1e11
"""Rows whose parts are hidden, by the multiplications that they may cost (house choice: some
seconds on two cores)."""
PARTS = 64
"""What a modality hides at most."""
NUM_COLUMNS = 3
"""Columns that are looked into, those with the largest attributions (house choice)."""
MIN_ROWS = 5
"""A part of fewer rows is not named: it might tell of single rows (house choice)."""
NUM_NAMED = 12
"""Parts that are named for an answer, each way (house choice)."""
NUM_EXAMPLES = 3
"""Right ones and wrong ones that are shown (house choice)."""


@dataclass(frozen=True)
class Moved:
    """What the parts of one row are worth to its answer.

    Attributes
    ----------
    row : int
        Of the bench.
    towards : int
        The decided class; 0 for values.
    names : list of str
        Of the parts.
    worth : float64[parts]
        What the answer falls by without each part: in logits above the mean logit, or in standard
        deviations of the target.
    """

    row: int
    towards: int
    names: list[str]
    worth: NDArray[np.float64]

    @property
    def tints(self) -> NDArray[np.float64]:
        """Worth of each part as a share of the largest."""
        largest = float(np.abs(self.worth).max(initial=0.0))
        found: NDArray[np.float64] = self.worth / largest if largest > 0 else self.worth
        return found


class Inside:
    """One column of a bench, looked into.

    Parameters
    ----------
    bench : Bench
        Rows in an order that is not theirs.
    name : str
        A column whose modality takes values apart.
    """

    def __init__(self, bench: Bench, name: str):
        self.bench, self.name = bench, name
        self.modality: Any = bench.model.learnt.modality(name)
        self.state = bench.model.learnt.columns[name]
        one = bench.model.encoded(bench.table.slice(0, 1))
        work = PARTS * work_of_row(bench.model.network, one)
        count = affordable(len(bench.target), work, WORK, LEAST_ROWS, MOST_ROWS)
        found = [self._moved(row) for row in range(count)]
        self.rows = [one for one in found if len(one.names)]

    def _moved(self, row: int) -> Moved:
        model = self.bench.model
        towards = int(self.bench.before.decided[row]) if model.layout.classes else 0
        parted = self.modality.parted(self._value(row), self.state)
        if not parted.names:
            return Moved(row, towards, [], np.zeros(0))
        exchange = self.bench.exchange
        assert exchange is not None
        hidden = column_encodings(exchange.network, self.name, parted.arrays)
        here = self.bench.here(self.name)[row : row + 1]
        rows = torch.full((len(hidden) + 1,), row)
        every = torch.cat([here, hidden])
        outputs = exchange.outputs_with(self.name, every, rows).mean(axis=1)
        answer = outputs[:, towards] - outputs.mean(axis=1) * bool(model.layout.classes)
        worth = (answer[0] - answer[1:]).astype(np.float64)
        return Moved(row, towards, parted.names, worth)

    def _value(self, row: int) -> pa.ChunkedArray:
        return self.bench.table[self.name].slice(row, 1)

    def tables(self) -> dict[str, Table]:
        """What parts that several rows share are worth, by answer; names of parts alone."""
        classes = self.bench.model.layout.classes
        worth: dict[tuple[int, str], list[float]] = {}
        for one in self.rows:
            sign, towards = (-1, 1) if len(classes) == 2 and not one.towards else (1, one.towards)
            for part, value in zip(one.names, one.worth.tolist(), strict=True):
                worth.setdefault((towards, part), []).append(sign * value)
        records = [
            {"towards": classes[towards] if classes else "more", "part": part} | _mean(values)
            for (towards, part), values in worth.items()
            if len(values) >= MIN_ROWS
        ]
        if not records:
            return {}
        records.sort(key=lambda record: -record["worth"])
        kept = [*records[:NUM_NAMED], *records[NUM_NAMED:][-NUM_NAMED:]]
        note = (
            f"{len(self.rows)} test rows; a part is hidden wherever it stands in a row, and its"
            " worth is what the answer then falls by (logits above the mean logit; of a number:"
            f" standard deviations of the target). Named are parts of at least {MIN_ROWS} rows,"
            f" of {len(records)} the largest each way. Intervals: 95%, over rows."
        )
        return {f"parts:{self.name}": Table.of(f"Parts of {self.name}", kept, note)}

    def galleries(self, show_rows: bool) -> dict[str, Gallery]:
        """The mean over all rows, where rows have the same parts; and single ones if allowed."""
        found = {}
        same = {tuple(one.names) for one in self.rows}
        if len(same) == 1:
            mean = np.mean([one.worth for one in self.rows], axis=0)
            tints = mean / max(float(np.abs(mean).max()), 1e-12)
            if fields := self.modality.shown(None, self.state, tints):
                found[f"mean:{self.name}"] = Gallery(
                    title=f"Where answers look in {self.name}",
                    exhibits=[_exhibit(f"The mean of {len(self.rows)} rows.", fields)],
                    note=f"{TINTS} Below it lies the mean of the training rows.",
                )
        if show_rows and self.rows:
            found[f"examples:{self.name}"] = Gallery(
                title=f"What moved single answers in {self.name}",
                exhibits=[self._exhibit(one) for one in self._examples()],
                note=f"{TINTS} Wrong ones of the largest loss, then right ones of the least.",
            )
        return found

    def _examples(self) -> list[Moved]:
        """Wrong ones first; of values, the farthest ones first."""
        bench = self.bench
        loss = np.asarray(bench.model.task.row_losses(bench.before.scores, bench.target))
        order = sorted(self.rows, key=lambda one: -loss[one.row])
        if not bench.model.layout.classes:
            return [*order[:NUM_EXAMPLES], *order[NUM_EXAMPLES:][-NUM_EXAMPLES:]]
        wrong = [one for one in order if one.towards != bench.target[one.row]]
        right = [one for one in order if one.towards == bench.target[one.row]]
        return [*wrong[:NUM_EXAMPLES], *right[-NUM_EXAMPLES:]]

    def _exhibit(self, one: Moved) -> Exhibit:
        bench, classes = self.bench, self.bench.model.layout.classes
        truth = bench.target[one.row]
        largest = float(np.abs(one.worth).max(initial=0.0))
        if classes:
            right = "right" if one.towards == truth else f"wrong: it is {classes[int(truth)]}"
            sure = float(bench.before.scores[one.row, one.towards])
            said = f"{classes[one.towards]} ({sure:.0%}), {right}"
        else:
            said = f"{float(bench.before.scores[one.row]):.4g}, truly {float(truth):.4g}"
        fields = self.modality.shown(self._value(one.row), self.state, one.tints)
        return _exhibit(f"{said}. The strongest tint: {largest:.2f}.", fields)


TINTS = "Orange speaks for the answer, blue (in a text underlined) against it."


def _exhibit(caption: str, fields: dict[str, Any]) -> Exhibit:
    """An exhibit whose modality may add to the caption."""
    more = fields.pop("caption", "")
    return Exhibit(caption=f"{caption} {more}".strip(), **fields)


def columns_of(bench: Bench, leant: NDArray[np.float64]) -> list[str]:
    """The columns worth looking into, the one with the largest attributions first."""
    names = bench.names
    ordered = [names[i] for i in np.argsort(-leant, kind="stable")]
    kinds = {column.name: column.modality for column in bench.model.learnt.inputs}
    return [n for n in ordered if hasattr(modalities.load(kinds[n]), "parted")][:NUM_COLUMNS]


def _mean(values: list[float]) -> dict[str, Any]:
    mean, (low, high) = float(np.mean(values)), mean_interval(np.array(values))
    return {"worth": mean, "low": low, "high": high, "rows": len(values)}
