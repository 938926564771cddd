"""What holds for a task whose rows each get one vector of scores: classification, regression.

:func:`penstock.tasks.load` takes from here every answer that a task leaves out, so that a stage
just asks. A task with another network, other examples or other baselines says so itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.evidence import Evidence

if TYPE_CHECKING:
    from penstock.learning.encoded import Arrays, Inputs
    from penstock.learning.losses import Loss
    from penstock.measure.baselines import Baseline
    from penstock.measure.bias.by_group import Groups, Quantities, Scored
    from penstock.measure.calibration import Calibration
    from penstock.measure.metrics import Metric
    from penstock.measure.predictions import Answers
    from penstock.records import Column, Layout, Policy

TARGET = "classes"
SPLITS = ("stratified", "group", "time", "column")
METRICS: dict[str, Metric] = {}
NOT_APPLICABLE: dict[str, str] = {}
USERS = False
REQUIRED = ("beats_trivial", "compression")
CHUNK_ROWS = 4096
"""Rows of a batch when nothing is learnt (house choice: large enough for the device)."""
GAP_ROWS = 20_000
"""Training rows on which the loss is measured again after training (house choice)."""

explained: Callable[..., Any] | None = None
"""Columns are weighed."""
examples: Callable[..., Any] | None = None
"""Rows are examples as they stand."""
requests: Callable[..., Any] | None = None
"""Later rows are read as they stand."""

quantities: Callable[[Scored, Groups], Quantities] | None = None
"""Rates of two classes, accuracy of more, residuals of a number, as ``by_group`` has them. Were it
called from here, what is read and trained would depend on how groups are compared."""


def inputs(layout: Layout) -> list[Column]:
    """The features."""
    return layout.features


def unfit(target: pa.ChunkedArray, order: Sequence[str]) -> tuple[str, str] | None:
    """Nothing, but for an order that is not asked for."""
    if order:
        return "data.order is for data.task: ordinal", "say that task, or remove the order"
    return None


def learn_target(target: NDArray[Any], layout: Layout) -> dict[str, Any]:
    """Nothing."""
    return {}


def scale_target(target: NDArray[Any], state: dict[str, Any]) -> NDArray[Any]:
    """The target as it is encoded."""
    return target


def num_outputs(layout: Layout) -> int:
    """One."""
    return 1


def sized(spec: Any, train: pa.Table, layout: Layout) -> Any:
    """Sizes of the network and its training from the number of rows."""
    from penstock.learning.sizing import sized

    return sized(spec, train.num_rows)


def briefly(table: pa.Table, layout: Layout) -> pa.Table:
    """The rows themselves."""
    return table


def learn(
    train: pa.Table, target: NDArray[Any], layout: Layout, spec: Any
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Nothing beside what the target and each column say."""
    return {}, {}


def encode(table: pa.Table, learnt: Any) -> Arrays:
    """Every column that is read, by its modality."""
    return {name: learnt.encode_column(name, table) for name in learnt.columns}


def lessons(rows: Any, learnt: Any, part: str) -> Any:
    """The rows themselves."""
    return rows


def network(learnt: Any) -> Any:
    """The one network for every table."""
    from penstock.learning.network import Network
    from penstock.learning.sizing import shape_of

    encoders = {
        name: learnt.modality(name).encoder(state, learnt.spec)
        for name, state in learnt.columns.items()
    }
    num_outputs, share = learnt.task.num_outputs(learnt.layout), learnt.spec.column_dropout
    return Network(encoders, num_outputs, shape_of(learnt.spec), missing(learnt), share)


def missing(learnt: Any) -> dict[str, dict[str, Any]]:
    """What a missing value is encoded as, of columns that could drown those beside them.

    That are those whose values no matrix of numbers holds (texts, images, sounds), where a column
    of another kind stands beside them.
    """
    import torch

    loud = [name for name in learnt.columns if hasattr(learnt.modality(name), "plain")]
    if len(loud) == len(learnt.columns):
        return {}
    found = {}
    for name in loud:
        modality = learnt.modality(name)
        nothing = pa.nulls(1, pa.binary() if modality.HOLDS == "bytes" else pa.string())
        arrays = modality.encode(pa.chunked_array([nothing]), learnt.columns[name])
        found[name] = {key: torch.from_numpy(array) for key, array in arrays.items()}
    return found


def loss(name: str, learnt: Any, network: Any) -> Loss:
    """The loss of this name."""
    from penstock.learning import losses

    return losses.of(name)


def scores_of(outputs: Any, inputs: Inputs, learnt: Any) -> NDArray[Any]:
    """Scores of a chunk of rows, by the task's ``decode``."""
    found: NDArray[Any] = learnt.task.decode(outputs.cpu().numpy(), learnt.target)
    return found


def simpler(model: Any, train: pa.Table, test: pa.Table, seed: int) -> dict[str, Baseline]:
    """The task's scikit-learn estimators, on a matrix of the columns."""
    from penstock.measure.baselines import baselines, matrix_of

    layout, task = model.layout, model.task
    plain = {}
    for column in layout.features:
        modality = model.learnt.modality(column.name)
        if hasattr(modality, "plain"):
            state = model.learnt.columns[column.name]
            plain[column.name] = tuple(modality.plain(t[column.name], state) for t in (train, test))
    left, right, categorical = matrix_of(train, test, layout, plain)
    goal = task.encode_target(train[layout.target], layout)
    estimators = task.baselines(layout, seed)
    weight = None
    for name in layout.named("weight"):
        weight = train[name].cast(pa.float64(), safe=False).to_numpy()
    given = (left, goal, weight)
    return baselines(estimators, given, right, categorical, len(layout.classes))


def calibration(scores: NDArray[Any], target: NDArray[Any], seed: int) -> Calibration | None:
    """Of the second of two classes, or of the most probable one; None for numbers."""
    from penstock.measure.calibration import calibration as measured

    if scores.ndim != 2:
        return None
    if scores.shape[1] == 2:
        return measured(scores[:, 1], target == 1, seed)
    return measured(scores.max(axis=1), scores.argmax(axis=1) == target, seed)


def evidence(
    model: Any,
    train: pa.Table,
    test: pa.Table,
    scores: NDArray[Any],
    target: NDArray[Any],
    seed: int,
) -> Evidence:
    """Nothing beside metrics, baselines, slices and figures."""
    return Evidence()


def exposure(predictions: pa.Table, model: Callable[[], Any], seed: int) -> Evidence:
    """Nothing: what is decided is of the row itself."""
    return Evidence()


def tempered(scores: NDArray[Any], temperature: float) -> NDArray[Any]:
    """The scores: no temperature is chosen for them."""
    return scores


def decided(
    scores: NDArray[Any], policy: Policy, groups: Sequence[str], codes: NDArray[np.int64]
) -> NDArray[Any]:
    """The scores themselves."""
    return scores


def reach(radius: float, layout: Layout) -> tuple[str, str]:
    """Of probable classes, or as far to either side."""
    if layout.classes:
        others = f", and each other one with a probability of at least {1 - radius:.4g}"
        alone = " alone, which is the true one often enough"
        said = f"Prediction sets hold the most probable class{others if radius else alone}"
        return said, "0, or 1 - probability of the true class"
    return f"Prediction intervals reach {radius:.4g} to either side", f"error of {layout.target}"


def empty_scores(layout: Layout) -> NDArray[Any]:
    """Zeros, as many as there are classes, or one."""
    return np.zeros((1, len(layout.classes)) if layout.classes else 1, dtype=np.float32)


def answers(predictions: pa.Table, layout: Layout) -> Answers:
    """Probabilities and classes, or values."""
    from penstock.measure.predictions import answers_of

    return answers_of(predictions, layout)


def signal(scores: NDArray[Any]) -> NDArray[np.float64]:
    """The values themselves; of classes, the probability of the last one."""
    found: NDArray[np.float64] = (scores[:, -1] if scores.ndim == 2 else scores).astype(np.float64)
    return found


def looked_at(target: NDArray[Any], layout: Layout) -> Evidence:
    """Balance and entropy of classes, or the spread of a number."""
    from penstock.measure import labels

    if layout.classes:
        counts = np.bincount(target, minlength=len(layout.classes))
        return labels.of_classes(counts, layout.classes)
    return labels.of_values(target, layout.target)
