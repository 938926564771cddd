"""What each row counts: by its label, by its group and label, or by both.

codes -> weight of each cell (group, label) -> weight of each row
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def balanced(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Weights under which each label weighs the same in sum, ``float64[groups, labels]``.

    ``n / (num_labels * n_label)``, scikit-learn's ``balanced``; labels without a row are none.

    Parameters
    ----------
    counts : [groups, labels]
        Training rows in each cell, or their weight, from :func:`cells`.

    Examples
    --------
    >>> balanced(np.array([[3, 1]])).round(4).tolist()
    [[0.6667, 2.0]]
    """
    by_label = counts.sum(axis=0)
    present = by_label > 0
    each = np.ones(len(by_label))
    each[present] = by_label.sum() / (present.sum() * by_label[present])
    return np.tile(each, (len(counts), 1))


def independent(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Weights under which label and group are independent, ``float64[groups, labels]``.

    ``P(group) P(label) / P(group, label)`` over the training rows (Kamiran and Calders, 2012,
    "Data preprocessing techniques for classification without discrimination").
    Cells without a row weigh 1.

    Examples
    --------
    >>> independent(np.array([[3, 1], [1, 3]])).round(4).tolist()
    [[0.6667, 2.0], [2.0, 0.6667]]
    """
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / max(1, counts.sum())
    return np.divide(expected, counts, out=np.ones(counts.shape), where=counts > 0)


def cells(
    groups: NDArray[np.int64],
    labels: NDArray[np.int64],
    num_groups: int,
    num_labels: int,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[Any]:
    """Number of rows in each cell, ``int64[groups, labels]``; or the sum of their weights."""
    flat = np.bincount(groups * num_labels + labels, weights, minlength=num_groups * num_labels)
    return flat.reshape(num_groups, num_labels)


def effective_rows(weights: NDArray[np.float64]) -> float:
    """How many equally weighted rows are as informative: ``(sum w)**2 / sum w**2`` (Kish, 1965).

    Examples
    --------
    >>> effective_rows(np.ones(4)), effective_rows(np.array([1.0, 0.0]))
    (4.0, 1.0)
    """
    return float(weights.sum() ** 2 / (weights**2).sum())


def quartiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inner bounds that cut numbers into quarters, ``float64[up to 3]``, ascending."""
    return np.unique(np.quantile(values, [0.25, 0.5, 0.75]))
