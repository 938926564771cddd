"""What natural shifts of the columns cost the declared metric, and the worst of them.

Scores before and after each shift -> records for the tables, Check
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Check
from penstock.measure import drops
from penstock.measure.predictions import Answers
from penstock.measure.stress_tables import Shift

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
    stress : Shift
        From the column's modality.
    place : int
        0 mild, 1 middle, 2 strong.
    after : Answers
        What became of the scores and decisions.
    flipped : float
        Share of the rows that are decided otherwise.
    """

    column: str
    stress: Shift
    place: int
    after: Answers
    flipped: float

    @property
    def strength(self) -> float:
        """As the stress counts it."""
        return self.stress.strengths[self.place]

    @property
    def clause(self) -> str:
        """What happened, in words."""
        return self.stress.clause(self.column, self.strength)


def confidence(scored: Answers) -> float | None:
    """Mean probability of the most probable class; None for values, which have none."""
    return float(scored.scores.max(axis=1).mean()) if scored.scores.ndim == 2 else None


def accuracy(scored: Answers, target: NDArray[Any]) -> float | None:
    """Share of rows whose most probable class is true; None for values."""
    if scored.scores.ndim != 2:
        return None
    return float(np.mean(scored.scores.argmax(axis=1) == target))


@dataclass(frozen=True)
class Trials:
    """All trials on the same rows.

    Attributes
    ----------
    metric : str
        The declared one.
    target : int64[n] or float64[n]
        The truth.
    before : Answers
        Without a shift.
    every : list of Trial
        With one.
    seed : int
        Of the resamples, which are the same for all trials, and of the halves.
    """

    metric: str
    target: NDArray[Any]
    before: Answers
    every: list[Trial]
    seed: int

    def summary(self) -> str:
        """How the rows fare without a shift."""
        value = drops.measured(self.metric, self.target, self.before)
        said = f"On {len(self.target)} test rows; without a shift {self.metric} is {value:.4f}"
        sure, right = confidence(self.before), accuracy(self.before, self.target)
        if sure is None or right is None:
            return f"{said}."
        return f"{said}, confidence {sure:.3f}, accuracy {right:.3f}."

    def measured(self) -> list[dict[str, Any]]:
        """What each trial cost, the worst first."""
        name, target = self.metric, self.target
        before = drops.measured(name, target, self.before)
        pairs = drops.draws(name, target, self.before, self.seed)
        sure, right = confidence(self.before), accuracy(self.before, target)
        records = []
        for trial in self.every:
            after = drops.measured(name, target, trial.after)
            drop = drops.worse(name, before, after)
            samples = drops.worse(name, pairs, drops.draws(name, target, trial.after, self.seed))
            low, high = drops.around(drop, samples)
            record: dict[str, Any] = {"column": trial.column, "stress": trial.stress.name}
            record["strength"] = trial.strength
            record |= {name: after, "drop": drop, "low": low, "high": high}
            record |= {"flipped": trial.flipped, "place": trial.place}
            if sure is not None and right is not None:
                record["confidence"] = confidence(trial.after)
                record["accuracy"] = accuracy(trial.after, target)
                record["surer"] = record["confidence"] - sure
                record["righter"] = record["accuracy"] - right
            records.append(record)
        return sorted(records, key=lambda record: -np.nan_to_num(record["drop"], nan=-np.inf))

    def stress_drop(self, constant: Answers) -> Check:
        """The largest drop at the mildest strength, as a share of the gain over a constant.

        The worst of many looks bad by chance, so it is chosen on one half of the sample and
        measured on the other; the interval is a paired bootstrap over that half.
        """
        mild, num_rows = [trial for trial in self.every if trial.place == 0], len(self.target)
        first = np.random.default_rng([self.seed, 1]).permutation(num_rows) % 2 == 0
        choose, measure = np.flatnonzero(first), np.flatnonzero(~first)
        if not mild or len(measure) < MIN_ROWS:
            return _insufficient(
                f"{len(mild)} shifts on {num_rows} test rows: there is too little to measure."
            )
        worst = self._worst(mild, choose)
        value, low, high, gain = self._share(worst, constant, measure)
        if not gain > 0:
            return _insufficient(
                f"On {len(measure)} test rows the model shows no gain over a constant in"
                f" {self.metric} that a shift could cost."
            )
        return Check(
            name="stress_drop",
            stage="stress",
            value=value,
            low=low,
            high=high,
            burden="disprove",
            why=f"Where {worst.clause}, {value:.1%} of the gain over a constant in {self.metric} is"
            f" lost (95%: {low:.1%} to {high:.1%}): of {len(mild)} mild shifts the worst, chosen"
            f" on one half of {num_rows} test rows and measured on the other (column"
            f" {worst.column}, stress {worst.stress.name}: {worst.stress.stands_for}).",
            remedy=worst.stress.remedy,
        )

    def _worst(self, trials: list[Trial], rows: NDArray[np.int64]) -> Trial:
        name, target = self.metric, self.target[rows]
        before = drops.measured(name, target, self.before.of(rows))
        lost = [
            drops.worse(name, before, drops.measured(name, target, trial.after.of(rows)))
            for trial in trials
        ]
        return trials[int(np.argmax(np.nan_to_num(lost, nan=-np.inf)))]

    def _share(
        self, trial: Trial, constant: Answers, rows: NDArray[np.int64]
    ) -> tuple[float, float, float, float]:
        """Share of the gain that a trial costs, its interval, and the gain's lower bound."""
        name, target = self.metric, self.target[rows]
        parts = [answers.of(rows) for answers in (self.before, trial.after, constant)]
        values = [drops.measured(name, target, part) for part in parts]
        sampled = [drops.draws(name, target, part, self.seed, NUM_CHECK_DRAWS) for part in parts]
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
