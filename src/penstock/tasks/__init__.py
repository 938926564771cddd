"""Plug-ins: one kind of prediction a file.

A task is a module of this package, or of another package that names it under the entry
point group ``penstock.tasks``. It offers the functions of :class:`Task`; what it leaves out is
answered by :mod:`penstock.one_score`, so that a stage just asks.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from penstock import one_score, plugins
from penstock.errors import BadInput, Mistake
from penstock.records import Objective, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pyarrow as pa
    from torch import Tensor, nn

    from penstock.evidence import Evidence, Figure
    from penstock.learning.encoded import Arrays, Encoded, Inputs
    from penstock.learning.losses import Loss
    from penstock.measure.baselines import Baseline
    from penstock.measure.bias.by_group import Groups, Quantities, Scored
    from penstock.measure.calibration import Calibration
    from penstock.measure.metrics import Metric
    from penstock.measure.predictions import Answers
    from penstock.model import Learnt, Model
    from penstock.records import Column, Layout
    from penstock.spec import ModelSpec, ObjectiveSpec


class Task(Protocol):
    """What every stage asks of one kind of prediction. ``n`` is the number of rows.

    A row of train, valid or test is one example, and what is resampled in a bootstrap: a row of
    the table, a user, a document. **Scores** are one array a table whose first axis is the rows.
    A float array of two axes holds class probabilities; anything else is one-dimensional, of
    numbers or of a structured type, and small: never every item of a catalogue for every row.

    Attributes
    ----------
    LOSSES : tuple of str
        Losses it offers, the default first.
    TARGET : {"classes", "number", "text"}
        How the target is read: levels that make ``layout.classes``, doubles, or any text.
    SPLITS : tuple of str
        Strategies of :mod:`penstock.measure.strategies` that make sense, the default first.
    METRICS : dict of str to Metric
        Metrics of its own, beside those of :mod:`penstock.measure.metrics`.
    NOT_APPLICABLE : dict of str to str
        What it has no answer to, and why, as a sentence; the stage says it aloud. Asked for:
        ``calibration``, ``sets``, ``thresholds``, ``attributions``, ``reweighing``,
        ``telltale``, ``equal rows``, ``trial``.
    USERS : bool
        Whether rows are what users took: ``data.user`` is then asked for.
    REQUIRED : tuple of str
        Checks of the trained model without which there is no verdict but a refusal.
    CHUNK_ROWS : int
        Rows through the network at once, when nothing is learnt.
    GAP_ROWS : int
        Rows of the training loop on which its loss is measured again afterwards.
    """

    __name__: str
    LOSSES: tuple[str, ...]
    TARGET: str
    SPLITS: tuple[str, ...]
    METRICS: dict[str, Metric]
    NOT_APPLICABLE: dict[str, str]
    USERS: bool
    REQUIRED: tuple[str, ...]
    CHUNK_ROWS: int
    GAP_ROWS: int

    examples: (
        Callable[[dict[str, pa.Table], Layout], tuple[dict[str, pa.Table], Layout, Evidence]] | None
    )
    """From the divided rows, by part, to examples, their layout and what is said of them; None:
    rows are examples."""

    requests: Callable[[pa.Table, Learnt], pa.Table] | None
    """The same for raw rows of a later window, by what a package has learnt; None: as they
    stand."""

    quantities: Callable[[Scored, Groups], Quantities] | None
    """What is compared between groups, beside the declared metric and the mean loss; None: rates
    of two classes, accuracy of more, residuals of a number."""

    explained: Callable[[Model, pa.Table, pa.Table, int, bool], Evidence] | None
    """What explain shows of a model, training and test rows, by a seed, and whether raw rows may
    be shown; where columns are not what answers are made of. None: columns are weighed."""

    def inputs(self, layout: Layout) -> list[Column]:
        """The columns that the model reads; by default the features."""

    def metrics(self, layout: Layout) -> tuple[str, ...]:
        """Names of its metrics, the default declared metric first."""

    def encode_target(self, column: pa.ChunkedArray, layout: Layout) -> np.ndarray:
        """``int64[n]`` class codes, ``float64[n]`` values, or what ``row_losses`` reads; no nulls.

        Called for any part, before and after training: it depends on the value and the layout.
        """

    def unfit(self, target: pa.ChunkedArray, order: Sequence[str]) -> tuple[str, str] | None:
        """What these values have that its target cannot have, and what to do about it; None when
        it can predict them. ``order`` are the classes as ``data.order`` says them.
        """

    def learn_target(self, target: np.ndarray, layout: Layout) -> dict[str, Any]:
        """What training rows say about the target (class shares; mean and scale): JSON."""

    def sized(self, spec: ModelSpec, train: pa.Table, layout: Layout) -> ModelSpec:
        """The spec with every size said, by training rows; by default by their number."""

    def briefly(self, table: pa.Table, layout: Layout) -> pa.Table:
        """Rows as they are read where the same ones are read many times over: long values by
        their beginnings, for example; by default as they are."""

    def learn(
        self, train: pa.Table, target: np.ndarray, layout: Layout, spec: ModelSpec
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What else training rows say: JSON, and arrays that travel beside the weights.

        They are ``learnt.target`` (together with ``learn_target``'s) and ``learnt.arrays``.
        """

    def scale_target(self, target: np.ndarray, state: dict[str, Any]) -> np.ndarray:
        """What the network is trained on: codes, or ``float32[n]`` of mean 0 and deviation 1."""

    def encode(self, table: pa.Table, learnt: Learnt) -> Arrays:
        """Arrays by column and name; by default each input by its modality."""

    def lessons(self, rows: Encoded, learnt: Learnt, part: str) -> Encoded:
        """What the training loop reads of the encoded rows of ``train`` or ``valid``; by default
        these rows."""

    def network(self, learnt: Learnt) -> nn.Module:
        """A network with fresh weights, from those arrays (as tensors) to outputs."""

    def loss(self, name: str, learnt: Learnt, network: nn.Module) -> Loss:
        """The loss of this name: row losses ``float32[batch]`` from outputs and target."""

    def num_outputs(self, layout: Layout) -> int:
        """Width of the network's head."""

    def scores_of(self, outputs: Tensor, inputs: Inputs, learnt: Learnt) -> np.ndarray:
        """Scores of one chunk of rows; by default by ``decode``.

        Parameters
        ----------
        outputs
            What the network gave.
        inputs
            What it was given.
        learnt
            States of columns and target.
        """

    def decode(self, outputs: np.ndarray, state: dict[str, Any]) -> np.ndarray:
        """Scores from network outputs ``float32[n, members, num_outputs]``.

        Classification: ``float32[n, classes]`` probabilities. Regression: ``float64[n]`` in
        the target's unit.
        """

    def row_losses(self, scores: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Loss of each row, ``float[n]``: log-loss in nats, or squared error."""

    def constant(self, target: np.ndarray, layout: Layout) -> np.ndarray:
        """Scores of the best constant prediction for these rows; for compression."""

    def tempered(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """Scores as sure of themselves as the policy's temperature says."""

    def decided(
        self, scores: np.ndarray, policy: Policy, groups: Sequence[str], codes: np.ndarray
    ) -> np.ndarray:
        """``int64[n]`` class codes, or the scores themselves.

        ``groups`` are names and ``codes`` the group of each row, for thresholds by group.
        """

    def nonconformity(self, scores: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How badly each row fits its score, ``float64[n]``, for conformal sets and intervals."""

    def covered(self, scores: np.ndarray, target: np.ndarray, radius: float) -> np.ndarray:
        """Whether each row's set or interval of this radius holds the truth, ``bool[n]``."""

    def reach(self, radius: float, layout: Layout) -> tuple[str, str]:
        """What sets or intervals of this radius hold, as a clause; what the radius measures."""

    def predictions(
        self, scores: np.ndarray, decided: np.ndarray, policy: Policy, layout: Layout
    ) -> dict[str, Any]:
        """Output columns by name: ``prediction``, ``probability_<class>``, set or interval."""

    def empty_scores(self, layout: Layout) -> np.ndarray:
        """Scores of one row, of no meaning: what the output columns are called and hold."""

    def answers(self, predictions: pa.Table, layout: Layout) -> Answers:
        """The inverse of ``predictions``: for the contest with a champion, and for monitoring."""

    def signal(self, scores: np.ndarray) -> np.ndarray:
        """One number a row, ``float64[n]``, by which later scores are compared with these."""

    def baselines(self, layout: Layout, seed: int) -> dict[str, Any]:
        """scikit-learn estimators by name: ``trivial``, ``linear``, ``boosting``."""

    def simpler(
        self, model: Model, train: pa.Table, test: pa.Table, seed: int
    ) -> dict[str, Baseline]:
        """What the baselines score on the test rows; by default those estimators on a matrix.

        Each is the check ``beats_<name>``.
        """

    def calibration(self, scores: np.ndarray, target: np.ndarray, seed: int) -> Calibration | None:
        """Whether stated probabilities come true; None where ``NOT_APPLICABLE`` says why."""

    def figures(self, scores: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, Figure]:
        """Charts of predictions against the truth."""

    def evidence(
        self,
        model: Model,
        train: pa.Table,
        test: pa.Table,
        scores: np.ndarray,
        target: np.ndarray,
        seed: int,
    ) -> Evidence:
        """What else ``evaluate`` is to show: checks, tables, figures, notes."""

    def exposure(self, predictions: pa.Table, model: Callable[[], Model], seed: int) -> Evidence:
        """What ``bias`` is to show of what is recommended, not of who is asked."""

    def looked_at(self, target: np.ndarray, layout: Layout) -> Evidence:
        """Tables, figures and notes on the target by itself."""


class _Completed:
    """A task's module, and :mod:`penstock.one_score` for what it leaves out."""

    def __init__(self, module: Any):
        self.module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module if hasattr(self.module, name) else one_score, name)


@cache
def load(name: str) -> Task:
    """The task of this name; KeyError when there is none."""
    return cast(Task, _Completed(plugins.load(__name__, name)))


def plainly(task: Task, scores: np.ndarray) -> np.ndarray:
    """What a task decides on scores where no policy was chosen for them."""
    import numpy as np

    return task.decided(scores, Policy(), [], np.zeros(len(scores), dtype=np.int64))


def equal_by(layout: Layout) -> list[str]:
    """Columns whose values make two rows the same one: the features and the target, of what users
    took who and when too, or, where the target is read itself, what is read."""
    read = [column.name for column in load(layout.task).inputs(layout)]
    if layout.target in read:
        return read
    who = [*layout.named("user"), *layout.named("time")] if layout.named("user") else []
    return [*(column.name for column in layout.features), *who, layout.target]


def not_applicable(task: Task, what: str) -> list[str]:
    """The note that says why a task has no answer; empty where it has one.

    Examples
    --------
    >>> not_applicable(load("regression"), "calibration")
    []
    """
    why = task.NOT_APPLICABLE.get(what)
    return [f"Not applicable, {what}: {why}"] if why else []


def objective_of(spec: ObjectiveSpec, layout: Layout) -> Objective:
    """The loss and the declared metric, with ``auto`` replaced by the task's defaults.

    Raises
    ------
    BadInput
        When the task does not offer one of them.
    """
    task = load(layout.task)
    wanted = {
        "loss": (spec.loss, task.LOSSES + tuple(plugins.offered("penstock.losses"))),
        "metric": (spec.metric, task.metrics(layout)),
    }
    mistakes = [
        Mistake(
            f"objective.{field} is one that {layout.task} offers",
            name,
            "objective",
            f"use one of: {', '.join(offered)}",
        )
        for field, (name, offered) in wanted.items()
        if name != "auto" and name not in offered
    ]
    if mistakes:
        raise BadInput(mistakes)
    chosen = {
        field: offered[0] if name == "auto" else name for field, (name, offered) in wanted.items()
    }
    return Objective(**chosen)
