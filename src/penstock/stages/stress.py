"""Change the input as the world would, and see what the model makes of it.

Models that ace benchmarks fall over trivial changes of the input: new lighting, another unit, a
missing field. A test part that was drawn like the training part knows nothing of them, so every
kind of column brings its own natural shifts, each at three strengths.

Fitted, Policy, test rows -> Findings
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from penstock import modalities
from penstock.evidence import Check, Evidence
from penstock.learning.attribution import sensitivity
from penstock.learning.encodings import (
    Exchange,
    affordable,
    column_encodings,
    encodings,
    work_of_exchange,
)
from penstock.measure import drops, stress_tables
from penstock.measure.drops import Scored
from penstock.modalities import Stress
from penstock.model import Model
from penstock.ports import Progress, Store
from penstock.records import Findings, Fitted, Policy, Rows

MAX_COLUMNS = 16
"""Columns that are stressed one by one (house choice): of more, those that move answers most."""
MOST_ROWS, LEAST_ROWS = 2_000, 200
WORK = 2e11
"""Rows of the sample, by the multiplications that all shifts may cost (house choice: some ten
seconds on two cores)."""
PROBE_ROWS = 300
"""Rows by which columns are chosen where there are many (house choice)."""
MIN_ROWS = 50
"""Fewer rows in a half of the sample say `insufficient` (house choice)."""
NUM_CHECK_DRAWS = 300
"""Resamples behind the check's interval (house choice)."""


@dataclass(frozen=True)
class Trial:
    """One column under one stress at one strength.

    Attributes
    ----------
    column : str
        That was stressed.
    stress : Stress
        From the column's modality.
    place : int
        0 mild, 1 middle, 2 strong.
    after : Scored
        What became of the scores and decisions.
    """

    column: str
    stress: Stress
    place: int
    after: Scored

    @property
    def strength(self) -> float:
        """As the stress counts it."""
        return self.stress.strengths[self.place]

    @property
    def clause(self) -> str:
        """What happened, in words."""
        return self.stress.clause(self.column, self.strength)


def stress(
    fitted: Fitted, policy: Policy, test: Rows, seed: int, store: Store, progress: Progress
) -> Findings:
    """Measure what each natural shift of each column costs.

    Parameters
    ----------
    fitted : Fitted
        The trained model.
    policy : Policy
        What turns its scores into decisions.
    test : Rows
        A sample of them is stressed.
    seed : int
        Of the sample, the shifts and the resamples.
    store, progress
        Where rows are; who is told.
    """
    with torch.random.fork_rng(devices=[]):  # a network is made before its weights are read
        model = Model.read(store.path(fitted.weights), store.path(fitted.state), policy)
    bench = Bench(model, store.table(test), seed)
    columns, notes = bench.columns()
    trials = []
    for number, name in enumerate(columns):
        progress(number, len(columns) + 1, name)
        trials += bench.trials(name)
    progress(len(columns), len(columns) + 1, "intervals")
    records = measured(fitted.metric, bench, trials, seed)
    evidence = Evidence(
        checks=[stress_drop(fitted.metric, bench, trials, seed)],
        tables={
            "stresses": stress_tables.table(records, fitted.metric, bench.summary(fitted.metric)),
            "legend": stress_tables.legend(trial.stress for trial in trials),
        },
        figures=stress_tables.figures(records, fitted.metric),
        notes=[*notes, *stress_tables.notes(records)],
    )
    progress(len(columns) + 1, len(columns) + 1, "done")
    return Findings(evidence=evidence)


class Bench:
    """A sample of the test rows, encoded and scored once, on which columns are exchanged.

    Parameters
    ----------
    model : Model
        With its policy.
    test : pa.Table
        Rows with target.
    seed : int
        Of the sample and the shifts.
    """

    def __init__(self, model: Model, test: pa.Table, seed: int):
        self.model, self.seed = model, seed
        work_a_row = work_of_exchange(model.network, model.encoded(test.slice(0, 1)))
        num_columns = min(MAX_COLUMNS, len(model.layout.features))
        passes = max(1, 9 * num_columns)  # three stresses, three strengths
        count = affordable(test.num_rows, work_a_row * passes, WORK, LEAST_ROWS, MOST_ROWS)
        chosen = np.random.default_rng(seed).choice(test.num_rows, count, replace=False)
        self.table = test.take(pa.array(np.sort(chosen)))
        self.reduce()
        self.target = model.task.encode_target(self.table[model.layout.target], model.layout)
        self.encoded = encodings(model.network, model.encoded(self.table))
        self.exchange = Exchange(model.network, self.encoded)
        scores = self.scores_of(self.exchange.outputs())
        self.before = Scored(scores, model.decided(self.table, scores))

    def reduce(self) -> None:
        """Read costly columns once, into what the encoder sees of them."""
        for column in self.model.layout.features:
            modality = modalities.load(column.modality)
            if hasattr(modality, "reduced"):
                state = self.model.learnt.columns[column.name]
                small = modality.reduced(self.table[column.name], state)
                self.table = _exchanged(self.table, column.name, small)

    def scores_of(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        """Tempered scores of the network's outputs."""
        model = self.model
        scores = model.task.decode(outputs, model.learnt.target)
        return model.task.tempered(scores, model.policy.temperature)

    def columns(self) -> tuple[list[str], list[str]]:
        """Names of the columns to stress, and what the reader should know of the choice."""
        features = self.model.layout.features
        kinds = {c.name: modalities.load(c.modality) for c in features}
        names = [name for name, kind in kinds.items() if getattr(kind, "STRESSES", ())]
        notes = [
            f"{name} was not stressed: its modality offers no stresses."
            for name in kinds
            if name not in names
        ]
        if len(names) <= MAX_COLUMNS:
            return names, notes
        probe = self.encoded[:PROBE_ROWS]
        decided = self.before.scores[:PROBE_ROWS]
        codes = torch.from_numpy(decided.argmax(axis=1)) if decided.ndim == 2 else None
        moved = sensitivity(self.model.network, probe, codes)
        order = [self.model.network.names[i] for i in np.argsort(-moved, kind="stable")]
        notes.append(
            f"{MAX_COLUMNS} of {len(names)} columns were stressed: those that move the answers"
            " most, by the network's gradient."
        )
        return [name for name in order if name in names][:MAX_COLUMNS], notes

    def trials(self, name: str) -> list[Trial]:
        """One column under each of its stresses at each strength."""
        modality = modalities.load(self.model.layout.column(name).modality)
        return [
            Trial(name, stress, place, self.after(name, stress, place))
            for stress in modality.STRESSES
            for place in range(len(stress.strengths))
        ]

    def after(self, name: str, stress: Stress, place: int) -> Scored:
        """Scores and decisions with the column stressed; rows that encode alike keep theirs."""
        modality = modalities.load(self.model.layout.column(name).modality)
        state = self.model.learnt.columns[name]
        position = self.model.network.names.index(name)
        rng = np.random.default_rng([self.seed, position, modality.STRESSES.index(stress)])
        column = modality.stressed(
            self.table[name], state, stress.name, stress.strengths[place], rng
        )
        found = column_encodings(self.model.network, name, modality.encode(column, state))
        here = self.encoded[:, self.exchange.spans[name]]
        rows = torch.nonzero((found != here).any(dim=1))[:, 0]
        scores = self.before.scores.copy()
        if len(rows):
            scores[rows.numpy()] = self.scores_of(
                self.exchange.outputs_with(name, found[rows], rows)
            )
        table = _exchanged(self.table, name, column)
        return Scored(scores, self.model.decided(table, scores))

    def flipped(self, after: Scored) -> float:
        """Share of the rows that are decided otherwise.

        A value is decided otherwise when it moves by more than the radius of the prediction
        intervals, or, where there are none, than the mean absolute error.
        """
        if self.before.scores.ndim == 2:
            return float(np.mean(after.decided != self.before.decided))
        moved = np.abs(after.scores - self.before.scores)
        radius = self.model.policy.radius
        usual = float(np.mean(np.abs(self.before.scores - self.target)))
        return float(np.mean(moved > (usual if radius is None else radius)))

    def summary(self, name: str) -> str:
        """How the sample fares without a shift."""
        value = drops.measured(name, self.target, self.before)
        said = f"On {len(self.target)} test rows; without a shift {name} is {value:.4f}"
        sure, right = confidence(self.before), accuracy(self.before, self.target)
        if sure is None or right is None:
            return f"{said}."
        return f"{said}, confidence {sure:.3f}, accuracy {right:.3f}."

    def constant(self) -> Scored:
        """The best constant prediction for the sample."""
        scores = self.model.task.constant(self.target, self.model.layout)
        return Scored(scores, scores.argmax(axis=1) if scores.ndim == 2 else scores)


def confidence(scored: Scored) -> float | None:
    """Mean probability of the most probable class; None for values, which have none."""
    return float(scored.scores.max(axis=1).mean()) if scored.scores.ndim == 2 else None


def accuracy(scored: Scored, target: NDArray[Any]) -> float | None:
    """Share of rows whose most probable class is true; None for values."""
    if scored.scores.ndim != 2:
        return None
    return float(np.mean(scored.scores.argmax(axis=1) == target))


def measured(name: str, bench: Bench, trials: list[Trial], seed: int) -> list[dict[str, Any]]:
    """What each trial cost, the worst first.

    Parameters
    ----------
    name : str
        The declared metric.
    bench, trials
        Before and after.
    seed : int
        Of the resamples, which are the same for all trials.
    """
    target = bench.target
    before = drops.measured(name, target, bench.before)
    pairs = drops.draws(name, target, bench.before, seed)
    sure, right = confidence(bench.before), accuracy(bench.before, target)
    records = []
    for trial in trials:
        after = drops.measured(name, target, trial.after)
        drop = drops.worse(name, before, after)
        samples = drops.worse(name, pairs, drops.draws(name, target, trial.after, seed))
        low, high = drops.around(drop, samples)
        record: dict[str, Any] = {"column": trial.column, "stress": trial.stress.name}
        record["strength"] = trial.strength
        record |= {name: after, "drop": drop, "low": low, "high": high}
        record |= {"flipped": bench.flipped(trial.after), "place": trial.place}
        if sure is not None and right is not None:
            record["confidence"] = confidence(trial.after)
            record["accuracy"] = accuracy(trial.after, target)
            record["surer"] = record["confidence"] - sure
            record["righter"] = record["accuracy"] - right
        records.append(record)
    return sorted(records, key=lambda record: -np.nan_to_num(record["drop"], nan=-np.inf))


def stress_drop(name: str, bench: Bench, trials: list[Trial], seed: int) -> Check:
    """The largest drop at the mildest strength, as a share of the gain over a constant.

    The worst of many looks bad by chance, so it is chosen on one half of the sample and measured
    on the other; the interval is a paired bootstrap over that half.
    """
    mild = [trial for trial in trials if trial.place == 0]
    first = np.random.default_rng([seed, 1]).permutation(len(bench.target)) % 2 == 0
    halves = {"choose": np.flatnonzero(first), "measure": np.flatnonzero(~first)}
    if not mild or len(halves["measure"]) < MIN_ROWS:
        return _insufficient(
            f"{len(mild)} shifts on {len(bench.target)} test rows: there is too little to measure."
        )
    rows = halves["choose"]
    before = drops.measured(name, bench.target[rows], bench.before.rows(rows))
    chosen = [
        drops.worse(name, before, drops.measured(name, bench.target[rows], trial.after.rows(rows)))
        for trial in mild
    ]
    worst = mild[int(np.argmax(np.nan_to_num(chosen, nan=-np.inf)))]
    value, low, high, gain = _share(name, bench, worst, halves["measure"], seed)
    if not gain > 0:
        return _insufficient(
            f"On {len(halves['measure'])} test rows the model shows no gain over a constant in"
            f" {name} that a shift could cost."
        )
    return Check(
        name="stress_drop",
        stage="stress",
        value=value,
        low=low,
        high=high,
        burden="disprove",
        why=f"Where {worst.clause}, {value:.1%} of the gain over a constant in {name} is lost"
        f" (95%: {low:.1%} to {high:.1%}): of {len(mild)} mild shifts the worst, chosen on one"
        f" half of {len(bench.target)} test rows and measured on the other (column"
        f" {worst.column}, stress {worst.stress.name}: {worst.stress.stands_for}).",
        remedy=worst.stress.remedy,
    )


def _share(
    name: str, bench: Bench, trial: Trial, rows: NDArray[Any], seed: int
) -> tuple[float, float, float, float]:
    """Share of the gain that a trial costs, its interval, and the gain's lower bound."""
    target = bench.target[rows]
    parts = [scored.rows(rows) for scored in (bench.before, trial.after, bench.constant())]
    values = [drops.measured(name, target, part) for part in parts]
    sampled = [drops.draws(name, target, part, seed, NUM_CHECK_DRAWS) for part in parts]
    gain = drops.worse(name, values[0], values[2])
    gains = drops.worse(name, sampled[0], sampled[2])
    lost = drops.worse(name, sampled[0], sampled[1])
    known = np.isfinite(gains) & np.isfinite(lost) & (gains > 0)
    if not np.isfinite(gain) or known.mean() < 0.5:
        return np.nan, np.nan, np.nan, np.nan
    low, high = np.quantile(lost[known] / gains[known], [0.025, 0.975])
    least, _ = drops.around(gain, gains)
    value = drops.worse(name, values[0], values[1]) / gain if gain > 0 else np.nan
    return float(value), float(low), float(high), float(least)


def _insufficient(why: str) -> Check:
    return Check(
        name="stress_drop",
        stage="stress",
        enough=False,
        burden="disprove",
        why=why,
        remedy="bring more test rows, or features that tell the target",
    )


def _exchanged(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
