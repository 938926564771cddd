"""Count: how often something happens, a whole number from 0 on.

The network says the logarithm of the expected count, so that it is never negative, and learns by
the likelihood of Poisson's distribution: an error of 2 weighs more where 3 are expected than where
300 are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock import one_score
from penstock.evidence import Evidence
from penstock.measure import curves, labels
from penstock.measure.metrics import Metric
from penstock.tasks.regression import constant, encode_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.evidence import Figure
    from penstock.records import Layout, Policy

__all__ = ["constant", "encode_target"]

TARGET = "number"
LOSSES = ("poisson",)
MOST_LOG = 30.0
"""Logarithms of expected counts, over their mean, end here: e**30 is beyond any count."""
LEAST_MEAN = 1e-9
"""Expected counts are at least this, so that their logarithm is finite (house choice)."""


def metrics(layout: Layout) -> tuple[str, ...]:
    """Mean Poisson deviance first."""
    return ("mean_poisson_deviance", "rmse", "mae")


def unfit(target: pa.ChunkedArray, order: Sequence[str]) -> tuple[str, str] | None:
    """What these values have that no count has."""
    remedy = "say data.task: regression, or mend the values"
    low = pc.min(target).as_py()
    if low is not None and low < 0:
        return f"negative values, down to {low:g}", remedy
    broken = pc.drop_null(pc.unique(target.filter(pc.not_equal(target, pc.floor(target)))))
    if len(broken):
        return f"values with decimals, such as {broken[0].as_py():g}", remedy
    return one_score.unfit(target, order)


def learn_target(target: NDArray[np.float64], layout: Layout) -> dict[str, list[float]]:
    """Mean of the training rows; 1 when all counts are 0."""
    return {"mean": [float(np.mean(target)) or 1.0]}


def scale_target(target: NDArray[np.float64], state: dict[str, list[float]]) -> NDArray[np.float32]:
    """What the network is trained on: counts as multiples of their mean."""
    scaled: NDArray[np.float64] = target / state["mean"][0]
    return scaled.astype(np.float32)


def decode(outputs: NDArray[np.float32], state: dict[str, list[float]]) -> NDArray[np.float64]:
    """Mean over members of the expected counts: ``[n, members, 1]`` to ``float64[n]``.

    Examples
    --------
    >>> decode(np.zeros((1, 2, 1), dtype=np.float32), {"mean": [3.0]}).tolist()
    [3.0]
    """
    logs = np.clip(outputs[:, :, 0].astype(np.float64), -MOST_LOG, MOST_LOG)
    means: NDArray[np.float64] = np.exp(logs).mean(axis=1) * state["mean"][0]
    return np.maximum(means, LEAST_MEAN)


def row_losses(scores: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poisson deviance of each row, ``2 (y log(y / mu) - y + mu)`` (McCullagh and Nelder, 1989).

    Examples
    --------
    >>> row_losses(np.array([1.0, 2.0]), np.array([1.0, 0.0])).tolist()
    [0.0, 4.0]
    """
    means = np.maximum(scores, LEAST_MEAN)
    logs = np.log(np.where(target > 0, target, 1.0) / means)
    losses: NDArray[np.float64] = 2 * (np.where(target > 0, target * logs, 0.0) - target + means)
    return losses


def nonconformity(scores: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute Pearson residual: the error in units of the expected count's square root."""
    return np.abs(target - scores) / np.sqrt(np.maximum(scores, LEAST_MEAN))


def covered(
    scores: NDArray[np.float64], target: NDArray[np.float64], radius: float
) -> NDArray[np.bool_]:
    """Whether the prediction interval holds the true count."""
    held: NDArray[np.bool_] = nonconformity(scores, target) <= radius
    return held


def reach(radius: float, layout: Layout) -> tuple[str, str]:
    """Intervals widen with the count."""
    said = f"Prediction intervals reach {radius:.4g} times the root of the expected count"
    return f"{said} to either side", f"error of {layout.target} over the root of what is expected"


def predictions(
    scores: NDArray[np.float64], decided: NDArray[np.float64], policy: Policy, layout: Layout
) -> dict[str, Any]:
    """``prediction``, the expected count; ``prediction_low`` and ``prediction_high`` where the
    policy has a radius, wider where more is expected, and never below 0."""
    columns: dict[str, Any] = {"prediction": scores.astype(np.float64)}
    if policy.radius is not None:
        reach = policy.radius * np.sqrt(np.maximum(scores, LEAST_MEAN))
        columns["prediction_low"] = np.maximum(scores - reach, 0.0)
        columns["prediction_high"] = scores + reach
    return columns


def baselines(layout: Layout, seed: int) -> dict[str, Any]:
    """The mean, Poisson regression, histogram gradient boosting by Poisson's likelihood."""
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import PoissonRegressor

    return {
        "trivial": DummyRegressor(),
        "linear": PoissonRegressor(alpha=1e-3, max_iter=300),
        "boosting": HistGradientBoostingRegressor(loss="poisson", random_state=seed),
    }


def figures(
    scores: NDArray[np.float64], target: NDArray[np.float64], layout: Layout
) -> dict[str, Figure]:
    """Predicted against actual, and residuals."""
    return curves.of_values(scores, target, layout.target)


def looked_at(target: NDArray[np.float64], layout: Layout) -> Evidence:
    """The spread of the counts, and how it compares with Poisson's."""
    found = labels.of_values(target, layout.target)
    mean, zeros = float(np.mean(target)), float(np.mean(target == 0))
    ratio = float(np.var(target)) / mean if mean else float("nan")
    note = (
        f"The variance of the counts is {ratio:.2f} times their mean and {zeros:.1%} are 0;"
        f" without any feature Poisson's distribution has 1 and {np.exp(-mean):.1%}. What the"
        " features leave of that shows in the intervals, which hold under any distribution."
    )
    return found.model_copy(update={"notes": [*found.notes, note]})


def _deviance(target: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    return float(row_losses(scores, target).mean())


METRICS = {
    "mean_poisson_deviance": Metric("lower", 0.0, float("inf"), _deviance, serves="the mean")
}
