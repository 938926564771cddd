"""Out-of-fold predictions by a small boosting of trees: what a set of columns tells, at most."""

from __future__ import annotations

import numpy as np


def out_of_fold(
    features: np.ndarray,
    categorical: np.ndarray,
    target: np.ndarray,
    folds: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Predict each row's target by a model of the rows of the other folds.

    Parameters
    ----------
    features : float64[n, d]
        Of a :class:`penstock.measure.matrix.Matrix`; NaN is missing.
    categorical : bool[d]
        Columns of codes without order.
    target : float64[n]
        Values, or 0 and 1.
    folds : int64[n]
        From :func:`penstock.measure.leaks.alone.fold_of`.
    seed : int
        Of the model.

    Returns
    -------
    float64[n]
        The mean of the other folds where no column tells anything.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    categorical = np.asarray(categorical, bool)
    prediction = np.empty(len(target))
    for fold in range(int(folds.max()) + 1):
        test = folds == fold
        known = (~np.isnan(features[~test])).any(0)  # a column without a value cannot be binned
        prediction[test] = target[~test].mean()
        if not known.any():
            continue
        codes = categorical[known]
        model = HistGradientBoostingRegressor(
            max_iter=60, learning_rate=0.12, max_leaf_nodes=15, early_stopping=False,
            categorical_features=codes if codes.any() else None, random_state=seed,
        )  # fmt: skip
        model.fit(features[~test][:, known], target[~test])
        prediction[test] = model.predict(features[test][:, known])
    return prediction
