"""Simpler models on the same rows: what the network has to beat."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.measure.matrix import Matrix

if TYPE_CHECKING:
    from penstock.measure.metrics import Metric
    from penstock.records import Layout

MIN_LEVEL_ROWS = 10
"""Levels rarer than this share a column in the linear model (house choice)."""
LARGEST = 1e100
"""Numbers end here for the linear model: their squares and sums are finite (house choice)."""


@dataclass(frozen=True)
class Baseline:
    """What a baseline scores on the test rows.

    Attributes
    ----------
    scores : float[n, classes] or float[n]
        As the model's.
    seconds : float
        Wall-clock time of its training.
    notes : list of str
        What the reader should know.
    burden : {"prove", "disprove"}
        Whether the gain over it has to be shown, or a lack of it.
    remedy : str
        What to do where the model does not beat it.
    decided : array or None
        What the task decides on these scores; None: the most probable class.
    """

    scores: NDArray[Any]
    seconds: float
    notes: list[str]
    burden: Literal["prove", "disprove"] = "disprove"
    remedy: str = ""
    decided: NDArray[Any] | None = None

    def measure(self, metric: Metric, target: NDArray[Any]) -> float:
        """A metric of these scores."""
        return metric.measure(target, self.scores, self.decided)


def baselines(
    estimators: dict[str, Any],
    train: tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64] | None],
    test: NDArray[np.float64],
    categorical: list[bool],
    num_classes: int,
) -> dict[str, Baseline]:
    """Train each estimator and score the test rows.

    Parameters
    ----------
    estimators : dict of str to scikit-learn estimator
        From the task: ``trivial``, ``linear`` and ``boosting``.
    train : (float64[n, d], int64[n] or float64[n], float64[n] or None)
        Matrix and target of the training rows, and what each counts; nan is missing.
    test : float64[m, d]
        Matrix of the test rows.
    categorical : list of bool
        Which columns hold codes.
    num_classes : int
        0 for a number.
    """
    return {
        name: replace(
            _baseline(name, estimator, train, test, categorical, num_classes),
            burden="prove" if name == "trivial" else "disprove",
            remedy=REMEDIES.get(name, ""),
        )
        for name, estimator in estimators.items()
    }


REMEDIES = {
    "trivial": "the features do not tell the target: check the labels and the join that made"
    " them, or bring features that do",
    "linear": "train longer (model.epochs), or use the linear model: it is cheaper",
    "boosting": "more rows or epochs may help; if not, gradient boosting serves this table better",
}


def _baseline(
    name: str,
    estimator: Any,
    train: tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64] | None],
    test: NDArray[np.float64],
    categorical: list[bool],
    num_classes: int,
) -> Baseline:
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning

    started = time.monotonic()
    if num_classes and len(np.unique(train[1])) == 1:
        estimator = DummyClassifier(strategy="prior")
    elif name == "linear":
        estimator = _with_plain_columns(estimator, categorical)
    elif name == "boosting" and any(categorical):
        estimator.set_params(categorical_features=categorical)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        matrix, target, weight = train
        last = f"{estimator.steps[-1][0]}__" if hasattr(estimator, "steps") else ""
        weighted = {} if weight is None else {f"{last}sample_weight": weight / weight.mean()}
        estimator.fit(matrix, target, **weighted)
    seconds = time.monotonic() - started
    stopped = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    notes = [f"The {name} baseline stopped before it had converged."] if stopped else []
    if not num_classes:
        return Baseline(estimator.predict(test).astype(np.float64), seconds, notes)
    scores = np.zeros((len(test), num_classes))
    scores[:, estimator.classes_.astype(np.int64)] = estimator.predict_proba(test)
    return Baseline(scores, seconds, notes)


def _with_plain_columns(estimator: Any, categorical: list[bool]) -> Any:
    """A linear model that sees scaled numbers and one column a level."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    codes = np.flatnonzero(categorical)
    numbers = np.flatnonzero(~np.asarray(categorical, dtype=bool))
    bound = FunctionTransformer(np.clip, kw_args={"min": -LARGEST, "max": LARGEST})
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=MIN_LEVEL_ROWS)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(bound, fill, StandardScaler()), numbers),
            ("levels", levels, codes),
        ]
    )
    return make_pipeline(columns, estimator)


def matrix_of(
    train: pa.Table, test: pa.Table, layout: Layout, plain: dict[str, tuple[Any, Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[bool]]:
    """Matrices of train and test, and which columns hold codes; 0 where train has no values.

    ``plain`` holds, for columns that no table matrix can hold, ``float[n, k]`` arrays for
    train and test, for example an image's thumbnail.
    """
    matrix = Matrix.learn(train, layout)
    left = [matrix.apply(train), *(arrays[0] for arrays in plain.values())]
    right = [matrix.apply(test), *(arrays[1] for arrays in plain.values())]
    extra = sum(arrays[0].shape[1] for arrays in plain.values())
    categorical = np.array([*matrix.categorical, *([False] * extra)], dtype=bool)
    x, x_test = np.hstack(left), np.hstack(right)
    # scikit-learn's boosting fails on a column without values, or whose few are in its own
    # validation rows
    empty = np.count_nonzero(~np.isnan(x), axis=0) < MIN_LEVEL_ROWS
    x[:, empty] = x_test[:, empty] = 0.0
    return x, x_test, (categorical & ~empty).tolist()
