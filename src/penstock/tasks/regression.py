"""Regression: a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.measure import curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.evidence import Figure
    from penstock.records import Layout, Policy

TARGET = "number"
LOSSES = ("squared_error", "absolute_error", "huber")


def metrics(layout: Layout) -> tuple[str, ...]:
    """Root mean squared error first."""
    return ("rmse", "mae", "r2")


def encode_target(column: pa.ChunkedArray, layout: Layout) -> NDArray[np.float64]:
    """Values ``float64[n]``; ValueError when one is null.

    Double precision: beside 1e9, single precision cannot tell 30 from 60.
    """
    if column.null_count:
        raise ValueError(f"{column.null_count} target values are null")
    values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return values


def learn_target(target: NDArray[np.float64], layout: Layout) -> dict[str, list[float]]:
    """Mean and standard deviation of the training rows; the latter 1 when it is 0."""
    return {"mean": [float(np.mean(target))], "scale": [float(np.std(target)) or 1.0]}


def scale_target(target: NDArray[np.float64], state: dict[str, list[float]]) -> NDArray[np.float32]:
    """What the network is trained on: mean 0, standard deviation 1."""
    scaled: NDArray[np.float64] = (target - state["mean"][0]) / state["scale"][0]
    return scaled.astype(np.float32)


def num_outputs(layout: Layout) -> int:
    """One."""
    return 1


def decode(outputs: NDArray[np.float32], state: dict[str, list[float]]) -> NDArray[np.float64]:
    """Mean over members, back in the target's unit: ``[n, members, 1]`` to ``float64[n]``.

    Examples
    --------
    >>> decode(np.ones((1, 2, 1), dtype=np.float32), {"mean": [5.0], "scale": [2.0]}).tolist()
    [7.0]
    """
    mean: NDArray[np.float64] = outputs[:, :, 0].mean(axis=1, dtype=np.float64)
    return mean * state["scale"][0] + state["mean"][0]


def row_losses(scores: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared error of each row, in the target's unit squared, ``float64[n]``."""
    losses: NDArray[np.float64] = np.square(scores - target, dtype=np.float64)
    return losses


def constant(target: NDArray[np.float64], layout: Layout) -> NDArray[np.float64]:
    """The best constant prediction: the mean. Its mean row loss is the variance."""
    return np.full(len(target), np.mean(target), dtype=np.float64)


def tempered(scores: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """The values: a number has no temperature."""
    return scores


def decided(
    scores: NDArray[np.float64], policy: Policy, groups: Sequence[str], codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The values themselves."""
    return scores


def nonconformity(scores: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute error, in the target's unit."""
    return np.abs(target - scores)


def covered(
    scores: NDArray[np.float64], target: NDArray[np.float64], radius: float
) -> NDArray[np.bool_]:
    """Whether the prediction interval holds the true value."""
    held: NDArray[np.bool_] = nonconformity(scores, target) <= radius
    return held


def predictions(
    scores: NDArray[np.float64], decided: NDArray[np.float64], policy: Policy, layout: Layout
) -> dict[str, Any]:
    """``prediction`` in the target's unit; ``prediction_low`` and ``prediction_high`` where the
    policy has a radius."""
    columns: dict[str, Any] = {"prediction": scores.astype(np.float64)}
    if policy.radius is not None:
        columns["prediction_low"] = columns["prediction"] - policy.radius
        columns["prediction_high"] = columns["prediction"] + policy.radius
    return columns


def baselines(layout: Layout, seed: int) -> dict[str, Any]:
    """The mean, ridge regression, histogram gradient boosting."""
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge

    return {
        "trivial": DummyRegressor(),
        "linear": Ridge(),
        "boosting": HistGradientBoostingRegressor(random_state=seed),
    }


def figures(
    scores: NDArray[np.float64], target: NDArray[np.float64], layout: Layout
) -> dict[str, Figure]:
    """Predicted against actual, and residuals."""
    return curves.of_values(scores, target, layout.target)
