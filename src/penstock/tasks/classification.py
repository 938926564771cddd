"""Classification: one of two or more classes.

The second of two classes is the positive one: in the order of ``data.order``, else sorted, as in
scikit-learn.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.measure import curves
from penstock.measure.policy import decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.evidence import Figure
    from penstock.records import Layout, Policy

LOSSES = ("cross_entropy", "class_weighted")
MOST_SHOWN = 5
"""Classes that a message names (house choice)."""


def metrics(layout: Layout) -> tuple[str, ...]:
    """ROC AUC first for two classes, accuracy first for more."""
    if len(layout.classes) == 2:
        return (
            "roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1",
            "log_loss", "brier_score",
        )  # fmt: skip
    return ("accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss", "brier_score")


def unfit(target: pa.ChunkedArray, order: Sequence[str]) -> tuple[str, str] | None:
    """An order of other than the two classes.

    Examples
    --------
    >>> column = pa.chunked_array([["ok", "fraud"]])
    >>> unfit(column, []), unfit(column, ["ok", "fraud"]), unfit(column, ["ok", "lost"])[0]
    (None, None, 'data.order is for two classes or for data.task: ordinal; found are fraud, ok')
    """
    names = sorted(set(_spelled(pc.unique(target).drop_null()).to_pylist()))
    if not order or (len(names) == 2 and names == sorted(order)):
        return None
    found = f"{', '.join(names[:MOST_SHOWN])}{', ...' if len(names) > MOST_SHOWN else ''}"
    said = f"data.order is for two classes or for data.task: ordinal; found are {found}"
    return said, "name both classes, in quotes, the positive one last; or say data.task: ordinal"


def encode_target(column: pa.ChunkedArray, layout: Layout) -> NDArray[np.int64]:
    """Class codes ``int64[n]`` in the order of ``layout.classes``.

    Raises
    ------
    ValueError
        When a value is null or not among the classes.
    """
    codes = pc.index_in(_spelled(column), pa.array(layout.classes))
    if codes.null_count:
        raise ValueError(f"{codes.null_count} target values are not among the classes")
    return codes.to_numpy(zero_copy_only=False).astype(np.int64)


def _spelled(column: pa.ChunkedArray) -> pa.Array:
    """Values as class names: text; integral floats as integers."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_floating(array.type):
        whole = pc.all(pc.equal(array, pc.floor(array))).as_py()
        array = array.cast(pa.int64()) if whole else array
    return array.cast(pa.string())


def learn_target(target: NDArray[np.int64], layout: Layout) -> dict[str, list[float]]:
    """Class shares of the training rows."""
    counts = np.bincount(target, minlength=len(layout.classes))
    return {"shares": (counts / counts.sum()).tolist()}


def scale_target(target: NDArray[np.int64], state: dict[str, list[float]]) -> NDArray[np.int64]:
    """What the network is trained on: the codes themselves."""
    return target


def num_outputs(layout: Layout) -> int:
    """One logit a class."""
    return len(layout.classes)


def decode(outputs: NDArray[np.float32], state: dict[str, list[float]]) -> NDArray[np.float32]:
    """Mean over members of the softmax of their logits.

    Parameters
    ----------
    outputs : float32[n, members, classes]
    state : dict
        From :func:`learn_target`; not used.

    Returns
    -------
    float32[n, classes]
        Rows sum to 1.

    Examples
    --------
    >>> decode(np.zeros((1, 3, 2), dtype=np.float32), {}).tolist()
    [[0.5, 0.5]]
    """
    shifted = outputs - outputs.max(axis=2, keepdims=True)
    weights = np.exp(shifted)
    mean: NDArray[np.float32] = (weights / weights.sum(axis=2, keepdims=True)).mean(axis=1)
    return mean


def row_losses(scores: NDArray[np.float32], target: NDArray[np.int64]) -> NDArray[np.float32]:
    """Log-loss of each row in nats; probabilities are clipped at 1e-7."""
    chosen = scores[np.arange(len(target)), target]
    losses: NDArray[np.float32] = -np.log(np.clip(chosen, 1e-7, 1.0)).astype(np.float32)
    return losses


def constant(target: NDArray[np.int64], layout: Layout) -> NDArray[np.float32]:
    """The best constant prediction for these rows: their class shares, repeated.

    Its mean row loss is the label entropy.
    """
    shares = np.bincount(target, minlength=len(layout.classes)) / max(1, len(target))
    return np.tile(shares.astype(np.float32), (len(target), 1))


def tempered(scores: NDArray[np.float32], temperature: float) -> NDArray[Any]:
    """Probabilities as sure of themselves as the temperature says."""
    return decisions.tempered(scores, temperature)


def decided(
    scores: NDArray[np.float32], policy: Policy, groups: Sequence[str], codes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Class codes: by threshold, by cost, or the most probable."""
    return decisions.decided(scores, policy, groups, codes)


def nonconformity(scores: NDArray[np.float32], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 minus the probability of the true class; 0 where it is the most probable one."""
    return decisions.nonconformity(scores)[np.arange(len(target)), target]


def covered(
    scores: NDArray[np.float32], target: NDArray[np.int64], radius: float
) -> NDArray[np.bool_]:
    """Whether the prediction set holds the true class."""
    return nonconformity(scores, target) <= radius


def predictions(
    scores: NDArray[np.float32], decided: NDArray[np.int64], policy: Policy, layout: Layout
) -> dict[str, Any]:
    """``prediction`` (class name) and one ``probability_<class>`` column a class; where the policy
    has a radius also ``prediction_set``, a JSON list of class names, and ``abstain``: whether
    that set does not name exactly one class."""
    names = np.asarray(layout.classes, dtype=object)
    columns: dict[str, Any] = {"prediction": names[decided]}
    for code, name in enumerate(layout.classes):
        columns[f"probability_{name}"] = scores[:, code].astype(np.float64)
    if policy.radius is not None:
        held = decisions.members(scores, policy.radius)
        columns["prediction_set"] = _listed(held, names)
        columns["abstain"] = held.sum(axis=1) != 1
    return columns


def _listed(held: NDArray[np.bool_], names: NDArray[Any]) -> NDArray[Any]:
    """Each distinct set is written once."""
    patterns, which = np.unique(held, axis=0, return_inverse=True)
    texts = [json.dumps(names[pattern].tolist(), ensure_ascii=False) for pattern in patterns]
    return np.asarray(texts, dtype=object)[which.reshape(-1)]


def baselines(layout: Layout, seed: int) -> dict[str, Any]:
    """Class shares, logistic regression, histogram gradient boosting."""
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    return {
        "trivial": DummyClassifier(strategy="prior"),
        "linear": LogisticRegression(max_iter=300, C=1.0, tol=1e-3),
        "boosting": HistGradientBoostingClassifier(random_state=seed),
    }


def figures(
    scores: NDArray[np.float32], target: NDArray[np.int64], layout: Layout
) -> dict[str, Figure]:
    """Reliability, ROC, precision-recall; a confusion chart for more classes."""
    return curves.of_classes(scores, target, layout.classes)
