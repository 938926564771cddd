"""A sample of rows whose columns are changed as the world changes them, one at a time.

Model, rows -> :class:`Stressed`
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch

from penstock import exhibits
from penstock.bench import Bench, drawn, exchanged
from penstock.chunks import taken
from penstock.evidence import Gallery
from penstock.learning.attribution import sensitivity
from penstock.learning.encodings import affordable, work_of_exchange
from penstock.measure.predictions import Answers
from penstock.measure.stress_drops import Trial
from penstock.modalities import Stress
from penstock.model import Model

MAX_COLUMNS = 16
"""Columns that are stressed one by one (house choice): of more, those that move answers most."""
MOST_ROWS, LEAST_ROWS = 2_000, 200
WORK = 2e11
"""Rows of the sample, by the multiplications that all shifts may cost (house choice: some ten
seconds on two cores)."""
PROBE_ROWS = 300
"""Rows by which columns are chosen where there are many (house choice)."""


class Stressed(Bench):
    """A sample of the test rows whose columns are stressed.

    Parameters
    ----------
    model : Model
        With its policy.
    test : pa.Table
        Rows with target.
    seed : int
        Of the sample and the shifts.
    most : int
        Rows of the sample.

    Attributes
    ----------
    raw : pa.Table
        The sample as it came; ``table`` holds of costly columns what the encoder sees.
    """

    def __init__(self, model: Model, test: pa.Table, seed: int, most: int = MOST_ROWS):
        work_a_row = work_of_exchange(model.network, model.encoded(test.slice(0, 1)))
        passes = _passes(model)
        count = affordable(test.num_rows, work_a_row * passes, WORK, LEAST_ROWS, most)
        table = taken(test, np.sort(drawn(test, count, seed)))
        self.raw = table
        super().__init__(model, _reduced(model, table), seed)
        self.examples: list[tuple[Trial, pa.ChunkedArray]] = []

    def columns(self) -> tuple[list[str], list[str]]:
        """Names of the columns to stress, and what the reader should know of the choice."""
        features = self.model.learnt.inputs
        kinds = {c.name: self.model.learnt.modality(c.name) for c in features}
        names = [name for name, kind in kinds.items() if getattr(kind, "STRESSES", ())]
        notes = [
            f"{name} was not stressed: its modality offers no stresses."
            for name in kinds
            if name not in names
        ]
        if len(names) <= MAX_COLUMNS:
            return names, notes
        if self.exchange is None:
            notes.append(f"{MAX_COLUMNS} of {len(names)} columns were stressed: the first ones.")
            return names[:MAX_COLUMNS], notes
        network, probe = self.exchange.network, self.encoded[:PROBE_ROWS]
        decided = self.before.scores[:PROBE_ROWS]
        codes = torch.from_numpy(decided.argmax(axis=1)) if decided.ndim == 2 else None
        moved = sensitivity(network, probe, codes)
        order = [network.names[i] for i in np.argsort(-moved, kind="stable")]
        notes.append(
            f"{MAX_COLUMNS} of {len(names)} columns were stressed: those that move the answers"
            " most, by the network's gradient."
        )
        return [name for name in order if name in names][:MAX_COLUMNS], notes

    def trials(self, name: str) -> list[Trial]:
        """One column under each of its stresses at each strength."""
        modality = self.model.learnt.modality(name)
        found = []
        for stress in modality.STRESSES:
            for place in range(len(stress.strengths)):
                column = self.changed(name, stress, place)
                after = self.after(name, column)
                found.append(Trial(name, stress, place, after, self.flipped(after)))
                self.examples.append((found[-1], column.slice(self.example, 1)))
        return found

    def changed(self, name: str, stress: Stress, place: int) -> pa.ChunkedArray:
        """The column stressed."""
        modality = self.model.learnt.modality(name)
        state = self.model.learnt.columns[name]
        position = self.names.index(name)
        rng = np.random.default_rng([self.seed, position, modality.STRESSES.index(stress)])
        strength = stress.strengths[place]
        found: pa.ChunkedArray = modality.stressed(
            self.table[name], state, stress.name, strength, rng
        )
        return found

    def after(self, name: str, column: pa.ChunkedArray) -> Answers:
        """Scores and decisions with another column in place of one."""
        scores = self.scores_with(name, column)
        table = exchanged(self.table, name, column)
        return Answers(scores, self.model.decided(table, scores))

    @property
    def example(self) -> int:
        """The first row that is decided rightly as it is; of values, the first one."""
        if self.before.scores.ndim != 2:
            return 0
        return int(np.argmax(self.before.decided == self.target))

    def galleries(self, names: list[str], show_rows: bool) -> dict[str, Gallery]:
        """A value of each column that is seen or heard under each shift and strength."""
        found: dict[str, Gallery] = {}
        for name in names:
            modality: Any = self.model.learnt.modality(name)
            if show_rows:
                here = self.table[name].slice(self.example, 1)
                shown = [("as it is", here)]
                shown += [
                    (f"{trial.clause}: {self.answered(trial.after)}", value)
                    for trial, value in self.examples
                    if trial.column == name and not value.equals(here)
                ]
            elif hasattr(modality, "specimen"):
                shown = self.specimens(name, modality)
            else:
                continue
            found |= exhibits.of_values(
                self.model, name, shown, f"What the shifts make of {name}", show_rows
            )
        return found

    def answered(self, after: Answers) -> str:
        """What becomes of the example's answer."""
        row, classes = self.example, self.model.layout.classes
        if self.before.scores.ndim != 2:
            return f"{float(after.scores[row]):.4g}" if after.scores.dtype.kind == "f" else ""
        code = int(after.decided[row])
        return f"{classes[code]} ({float(after.scores[row, code]):.0%})"

    def specimens(self, name: str, modality: Any) -> list[tuple[str, pa.ChunkedArray]]:
        """A made-up value under each shift and strength."""
        state = self.model.learnt.columns[name]
        made = modality.specimen(state)
        rng = np.random.default_rng(self.seed)
        shown = [("as it is", made)]
        for stress in modality.STRESSES:
            for strength in stress.strengths:
                value = modality.stressed(made, state, stress.name, strength, rng)
                if not value.equals(made):
                    shown.append((stress.clause(name, strength), value))
        return shown

    def flipped(self, after: Answers) -> float:
        """Share of the rows that are decided otherwise.

        A value is decided otherwise when it moves by more than the radius of the prediction
        intervals, or, where there are none, than the mean absolute error.
        """
        if self.before.scores.ndim == 2:
            return float(np.mean(after.decided != self.before.decided))
        if self.model.task.TARGET != "number":
            said = [self.model.answer(one.scores, one.decided) for one in (self.before, after)]
            before, now = (np.asarray(each["prediction"].to_pylist()) for each in said)
            return float(np.mean(before != now))
        moved = np.abs(after.scores - self.before.scores)
        radius = self.model.policy.radius
        usual = float(np.mean(np.abs(self.before.scores - self.target)))
        return float(np.mean(moved > (usual if radius is None else radius)))

    def constant(self) -> Answers:
        """The best constant prediction for the sample."""
        scores = self.model.task.constant(self.target, self.model.layout)
        return Answers(scores, scores.argmax(axis=1) if scores.ndim == 2 else scores)


def _passes(model: Model) -> int:
    """How often the rows go through the network: each stress of each column, at each strength."""
    kinds = [model.learnt.modality(column.name) for column in model.learnt.inputs]
    stresses = sorted(len(getattr(kind, "STRESSES", ())) for kind in kinds)[-MAX_COLUMNS:]
    return max(1, 3 * sum(stresses))


def _reduced(model: Model, table: pa.Table) -> pa.Table:
    """Costly columns read once, into what the encoder sees of them."""
    table = model.task.briefly(table, model.layout)
    for column in model.learnt.inputs:
        modality = model.learnt.modality(column.name)
        if hasattr(modality, "reduced"):
            small = modality.reduced(table[column.name], model.learnt.columns[column.name])
            table = exchanged(table, column.name, small)
    return table
