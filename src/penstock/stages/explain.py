"""Ask which columns the model leans on, and whether the answer can be believed.

A deep network gives no reasons: millions of weights are no explanation, and a map of what it
looked at can look right while telling nothing of what it learnt. So the columns are weighed in two
ways that need not agree, and the attributions themselves are put to the test: do they add up to the
answer, and do they change when what the network learnt is taken away?

Fitted, Policy, train rows, test rows -> Findings
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock import tasks
from penstock.bench import Bench, drawn
from penstock.chunks import taken
from penstock.evidence import Check, Evidence
from penstock.inside import Inside, columns_of
from penstock.learning import attribution
from penstock.learning.attribution import Attributions
from penstock.learning.encodings import affordable, encodings, work_of_exchange, work_of_row
from penstock.learning.network import Network
from penstock.measure import attribution_tables, drops, ranks
from penstock.measure.attribution_tables import Importance
from penstock.measure.intervals import Z95, mean_interval
from penstock.measure.predictions import Answers
from penstock.model import Model
from penstock.ports import Progress, Store
from penstock.records import Findings, Fitted, Policy, Rows

MOST_ROWS, LEAST_ROWS = 500, 40
MOST_SHUFFLED, LEAST_SHUFFLED = 1_500, 200
WORK = 5e10
"""Rows that are attributed, and rows that are shuffled, by the multiplications that each may cost
(house choice: some ten seconds on two cores, together with the copies)."""
BASELINE_ROWS = 2_000
"""Training rows whose mean encoding is the baseline (house choice)."""
NUM_COPIES, COPY_ROWS, LEAST_COMPARED = 10, 48, 10
"""Random copies, and rows on which each is compared (house choice: on generated tables the
correlation is then good to about 0.1)."""
NUM_SHUFFLES = 4
"""Of each column (house choice)."""
MAX_COLUMNS = 20
"""Columns that are shuffled (house choice): of more, those with the largest attributions."""
MIN_ROWS = 30
"""Fewer test rows say `insufficient` (house choice)."""


@dataclass(frozen=True)
class Likeness:
    """How alike attributions are to those of networks that learnt nothing.

    Signed attributions of every number of the encoding are compared within each row (Adebayo et
    al., 2018, without absolute values: with them an input that stands far from the baseline gets
    a large share from any network, learnt or not, and the correlation tells nothing).

    Attributes
    ----------
    copies : float64[copies, rows]
        Spearman's correlation with copies whose weights above the encoders are random.
    start : float64[rows]
        With the network before training, drawn again from the seed.
    """

    copies: NDArray[np.float64]
    start: NDArray[np.float64]


def explain(
    fitted: Fitted,
    policy: Policy,
    train: Rows,
    test: Rows,
    seed: int,
    store: Store,
    progress: Progress,
    show_rows: bool = False,
) -> Findings:
    """Weigh the columns, and test the weighing.

    Parameters
    ----------
    fitted : Fitted
        The trained model.
    policy : Policy
        Decides which class of a row is explained.
    train : Rows
        Their mean encoding is the baseline.
    test : Rows
        A sample of them is explained.
    seed : int
        Of the sample, the shuffles and the random copies.
    store, progress
        Where rows are; who is told.
    show_rows : bool
        Whether the evidence may show raw rows: single texts, pictures, sounds.
    """
    model = Model.of(fitted, store, policy)
    if model.task.explained is not None:
        tables = store.table(train), store.table(test)
        return Findings(evidence=model.task.explained(model, *tables, seed, show_rows))
    if not isinstance(model.network, Network):
        return Findings(evidence=_shuffled_only(model, store.table(test), fitted.metric, seed))
    study = Study(model, store.table(train), store.table(test), seed)
    found = study.attributions()
    names = model.network.names
    leant = np.abs(found.by_column(model.network)).mean(axis=0)
    progress(1, 4, "random copies")
    alike = study.likeness(found)
    progress(2, 4, "shuffled columns")
    order = [names[i] for i in np.argsort(-leant, kind="stable")]
    weighed = [study.importance(name, fitted.metric) for name in order[:MAX_COLUMNS]]
    weighed.sort(key=lambda one: -one.loss[0])
    progress(3, 4, "inside columns")
    inside = [Inside(study, name) for name in columns_of(study, leant)]
    progress(4, 4, "done")
    evidence = Evidence(
        checks=[
            convergence_delta(found, study.enough),
            randomised_weights(alike, study.enough),
        ],
        tables={
            "columns": attribution_tables.columns(weighed, leant, names, fitted.metric),
            "rows": attribution_tables.rows(found.by_column(model.network), names),
            **{key: table for one in inside for key, table in one.tables().items()},
        },
        galleries={key: g for one in inside for key, g in one.galleries(show_rows).items()},
        figures=attribution_tables.figures(
            weighed, found.by_column(model.network), names, fitted.metric
        ),
        notes=[
            f"{len(study.target)} test rows were shuffled, {study.num_rows} attributed; the"
            " baseline is the mean encoding of training rows.",
            *attribution_tables.notes(weighed, leant, names),
        ],
    )
    return Findings(evidence=evidence)


class Shuffled(Bench):
    """A sample of test rows whose columns are shuffled."""

    def importance(self, name: str, metric: str) -> Importance:
        """What shuffling one column costs."""
        model = self.model
        rng = np.random.default_rng([self.seed, self.names.index(name)])
        target, losses = self.target, model.task.row_losses(self.before.scores, self.target)
        base = drops.measured(metric, target, self.before)
        pairs = drops.draws(metric, target, self.before, self.seed)
        values, samples, rises = [], [], []
        for _ in range(NUM_SHUFFLES):
            scores = self.scores_dealt(name, rng.permutation(len(target)))
            after = Answers(scores, model.decided(self.table, scores))
            values.append(drops.worse(metric, base, drops.measured(metric, target, after)))
            again = drops.draws(metric, target, after, self.seed)
            samples.append(drops.worse(metric, pairs, again))
            rises.append(np.asarray(model.task.row_losses(scores, target) - losses, np.float64))
        value, loss = float(np.mean(values)), np.mean(rises, axis=0)
        drop = widened(value, drops.around(value, np.mean(samples, axis=0)), np.array(values))
        means = np.array([rise.mean() for rise in rises])
        rise = widened(float(loss.mean()), mean_interval(loss), means)
        return Importance(name, (value, *drop), (float(loss.mean()), *rise))


def _shuffled_only(model: Model, test: pa.Table, metric: str, seed: int) -> Evidence:
    """What shuffling costs, for a network whose attributions do not add up by column."""
    work = work_of_exchange(model.network, model.encoded(test.slice(0, 1)))
    shuffles = work * NUM_SHUFFLES * min(MAX_COLUMNS, len(model.learnt.inputs))
    count = affordable(test.num_rows, shuffles, WORK, LEAST_SHUFFLED, MOST_SHUFFLED)
    bench = Shuffled(model, taken(test, drawn(test, count, seed)), seed)
    weighed = [bench.importance(name, metric) for name in bench.names[:MAX_COLUMNS]]
    weighed.sort(key=lambda one: -one.loss[0])
    return Evidence(
        tables={"columns": attribution_tables.shuffled(weighed, metric)},
        figures={"importance": attribution_tables.importance(weighed, metric)},
        notes=[
            f"{len(bench.target)} test rows were shuffled.",
            *tasks.not_applicable(model.task, "attributions"),
        ],
    )


class Study(Shuffled):
    """A sample of test rows, encoded once, and the baseline that they are held against.

    Parameters
    ----------
    model : Model
        With its policy.
    train, test : pa.Table
        Rows with target.
    seed : int
        Of sample, shuffles and copies.
    """

    def __init__(self, model: Model, train: pa.Table, test: pa.Table, seed: int):
        self.network = network = cast(Network, model.network)
        one = model.encoded(test.slice(0, 1))
        work = work_of_row(network, one)
        shuffles = (
            work_of_exchange(network, one) * NUM_SHUFFLES * min(MAX_COLUMNS, len(network.names))
        )
        count = affordable(test.num_rows, shuffles, WORK, LEAST_SHUFFLED, MOST_SHUFFLED)
        super().__init__(model, taken(test, drawn(test, count, seed)), seed)
        steps = work * attribution.NUM_STEPS * 3  # there and back
        self.num_rows = affordable(count, steps, WORK, LEAST_ROWS, MOST_ROWS)
        copies = steps * (NUM_COPIES + 1)
        self.num_compared = affordable(self.num_rows, copies, WORK, LEAST_COMPARED, COPY_ROWS)
        count = affordable(train.num_rows, work, WORK, LEAST_ROWS, BASELINE_ROWS)
        chosen = np.linspace(0, train.num_rows - 1, count).astype(np.int64)
        self.seen = model.encoded(taken(train, chosen))
        self.baseline = encodings(network, self.seen).mean(dim=0, keepdim=True)

    @property
    def enough(self) -> bool:
        """Whether there are rows enough to judge by."""
        return len(self.target) >= MIN_ROWS

    @property
    def codes(self) -> Tensor | None:
        """The class of each row that is explained: the decided one; None for values."""
        if not self.model.layout.classes:
            return None
        return torch.from_numpy(self.before.decided[: self.num_rows].astype(np.int64))

    def attributions(self) -> Attributions:
        """Of the first rows of the sample, which come in no order of theirs."""
        rows = self.encoded[: self.num_rows]
        return attribution.integrated_gradients(self.network, rows, self.baseline, self.codes)

    def likeness(self, found: Attributions) -> Likeness:
        """How alike the attributions are to those of networks that learnt nothing."""
        count = self.num_compared
        codes = None if self.codes is None else self.codes[:count]
        network, mine = self.network, found.shares[:count]
        copies = []
        for number in range(NUM_COPIES):
            copy = attribution.fresh(network, self.seed * 1009 + number)
            rows = self.encoded[:count]
            other = attribution.integrated_gradients(copy, rows, self.baseline, codes)
            copies.append(ranks.by_row(mine, other.shares))
        learnt = self.model.learnt
        start = attribution.initial(cast(Callable[[], Network], learnt.network), learnt.spec.seed)
        rows = encodings(start, self.model.encoded(self.table.slice(0, count)))
        baseline = encodings(start, self.seen).mean(dim=0, keepdim=True)
        other = attribution.integrated_gradients(start, rows, baseline, codes)
        return Likeness(np.stack(copies), ranks.by_row(mine, other.shares))


def widened(
    value: float, interval: tuple[float, float], shuffles: NDArray[np.float64]
) -> tuple[float, float]:
    """An interval over rows, widened by what the shuffles differ among themselves.

    Examples
    --------
    >>> low, high = widened(1.0, (0.0, 2.0), np.array([1.0, 1.0]))
    >>> round(low, 6), round(high, 6)
    (0.0, 2.0)
    """
    over_rows = (interval[1] - interval[0]) / 2
    over_shuffles = Z95 * float(np.std(shuffles, ddof=1)) / math.sqrt(len(shuffles))
    wide = math.hypot(over_rows, over_shuffles)
    return value - wide, value + wide


def convergence_delta(found: Attributions, enough: bool) -> Check:
    """``mean |sum of shares - moved| / mean |moved|``: what the attributions leave unexplained.

    0 where no answer moves, because nothing is left unexplained then.
    """
    unit = float(np.abs(found.moved).mean())
    left = np.abs(found.delta)
    value, (low, high) = float(left.mean()), mean_interval(left)
    if unit > 0:
        value, low, high = value / unit, low / unit, high / unit
    return Check(
        name="convergence_delta",
        stage="explain",
        value=value,
        low=max(0.0, low) if math.isfinite(low) else None,
        high=high,
        enough=enough,
        why=f"The attributions of {len(left)} test rows add up to the model's answer but for"
        f" {value:.2%} of the way from the mean training row.",
        remedy="trust single attributions less: the network is too steep for as many steps as were"
        " taken; a smoother one (more model.dropout, more model.weight_decay) adds up",
    )


def randomised_weights(alike: Likeness, enough: bool) -> Check:
    """Rank correlation with networks that learnt nothing: random copies, or the one before
    training, whichever is more alike. The interval is over rows, and over copies."""
    copies = ranks.mean_of_crossed(alike.copies)
    start = float(alike.start.mean()), *mean_interval(alike.start)
    value, low, high = start if start[0] > copies[0] else copies
    return Check(
        name="randomised_weights",
        stage="explain",
        value=value,
        low=low,
        high=high,
        burden="disprove",
        enough=enough,
        why=f"The attributions correlate by {copies[0]:.2f} ({copies[1]:.2f} to {copies[2]:.2f})"
        f" with those of {len(alike.copies)} copies whose weights above the encoders are random,"
        f" and by {start[0]:.2f} ({start[1]:.2f} to {start[2]:.2f}) with those of the network"
        " before training.",
        remedy="show these attributions to nobody: they hardly depend on what was learnt; look at"
        " the permutation importance, and whether the model beats a constant",
    )
