"""Plug-ins: one kind of prediction a file.

A task is a module of this package, or of another package that names it under the entry
point group ``penstock.tasks``. It offers the functions of :class:`Task`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from penstock import plugins
from penstock.errors import BadInput, Mistake
from penstock.records import Objective

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    from penstock.evidence import Figure
    from penstock.records import Layout, Policy
    from penstock.spec import ObjectiveSpec


class Task(Protocol):
    """What every stage asks of one kind of prediction. ``n`` is the number of rows.

    Attributes
    ----------
    LOSSES : tuple of str
        Losses it offers, the default first.
    """

    __name__: str
    LOSSES: tuple[str, ...]

    def metrics(self, layout: Layout) -> tuple[str, ...]:
        """Names of its metrics, the default declared metric first."""

    def encode_target(self, column: pa.ChunkedArray, layout: Layout) -> np.ndarray:
        """``int64[n]`` class codes or ``float64[n]`` values; no nulls."""

    def learn_target(self, target: np.ndarray, layout: Layout) -> dict[str, list[float]]:
        """What training rows say about the target (class shares; mean and scale): JSON."""

    def scale_target(self, target: np.ndarray, state: dict[str, list[float]]) -> np.ndarray:
        """What the network is trained on: codes, or ``float32[n]`` of mean 0 and deviation 1."""

    def num_outputs(self, layout: Layout) -> int:
        """Width of the network's head."""

    def decode(self, outputs: np.ndarray, state: dict[str, list[float]]) -> np.ndarray:
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
        """``int64[n]`` class codes, or the values themselves.

        ``groups`` are names and ``codes`` the group of each row, for thresholds by group.
        """

    def nonconformity(self, scores: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How badly each row fits its score, ``float64[n]``, for conformal sets and intervals."""

    def covered(self, scores: np.ndarray, target: np.ndarray, radius: float) -> np.ndarray:
        """Whether each row's set or interval of this radius holds the truth, ``bool[n]``."""

    def predictions(
        self, scores: np.ndarray, decided: np.ndarray, policy: Policy, layout: Layout
    ) -> dict[str, Any]:
        """Output columns by name: ``prediction``, ``probability_<class>``, set or interval."""

    def baselines(self, layout: Layout, seed: int) -> dict[str, Any]:
        """scikit-learn estimators by name: ``trivial``, ``linear``, ``boosting``."""

    def figures(self, scores: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, Figure]:
        """Charts of predictions against the truth."""


def load(name: str) -> Task:
    """The task of this name; KeyError when there is none."""
    return cast(Task, plugins.load(__name__, name))


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
