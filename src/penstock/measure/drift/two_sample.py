"""Can a classifier tell the window's rows from the reference's? Then they differ, somehow.

It sees all columns together, so it finds what no column shows by itself (Lopez-Paz and Oquab,
2017). Its odds are the density ratio of the two worlds: they weigh the reference's rows, and
say which rows of the window are like hardly any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import stats

from penstock.measure import boosting, metrics
from penstock.measure.intervals import Z95
from penstock.measure.sketches import Levels, Numbers
from penstock.records import Estimate

NUM_FOLDS = 3
MIN_ROWS = 50
"""Fewest rows of a side (house choice)."""
MAX_ROWS = 2_000
"""Most rows of the window that the classifier sees (house choice: a second)."""
RARE = 0.01
"""Share of the reference's rows in the region that counts as hardly any (house choice)."""
SURE = 0.01
"""Nearest to 0 and 1 that a probability of the classifier counts: weights stay below 99."""

Views = dict[str, dict[str, pa.Array]]
"""By column and view."""


@dataclass(frozen=True)
class TwoSample:
    """What the classifier found.

    Attributes
    ----------
    area, low, high : float
        ROC AUC out of fold, with its 95% interval; 0.5: it cannot tell.
    p_value : float
        One-sided, by the rank test of each fold (Mann and Whitney, 1947).
    weights : float64[n]
        Density ratio at each row of the reference, of mean 1.
    unsupported : float
        Share of the window's rows in the region that holds :data:`RARE` of the reference's.
    """

    area: float
    low: float
    high: float
    p_value: float
    weights: NDArray[np.float64]
    unsupported: float

    @property
    def separation(self) -> Estimate:
        """The area as a record holds it."""
        return Estimate(value=self.area, low=self.low, high=self.high)


def tell_apart(
    before: NDArray[np.float64], now: NDArray[np.float64], names: NDArray[np.bool_], seed: int
) -> TwoSample | None:
    """Train it out of fold; None where a side has too few rows.

    Parameters
    ----------
    before, now : float64[n, d], float64[m, d]
        From :func:`matrix`; nan is missing.
    names : bool[d]
        Columns of codes without order.
    seed : int
        Of the folds.
    """
    if min(len(before), len(now)) < MIN_ROWS or not before.shape[1]:
        return None
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    features = np.concatenate([before, now])
    is_now = np.repeat([0, 1], [len(before), len(now)])
    folds = np.concatenate(
        [rng.permutation(np.arange(n) % NUM_FOLDS) for n in map(len, (before, now))]
    )
    with threadpool_limits(limits=1):
        scores = boosting.out_of_fold(features, names, is_now.astype(np.float64), folds, seed)
    area, null_error = _area(scores, is_now, folds)
    reach = Z95 * _area_error(area, len(before), len(now))
    chance = np.clip(scores, SURE, 1 - SURE)
    odds = (chance / (1 - chance))[: len(before)]
    edge = np.quantile(scores[: len(before)], 1 - RARE, method="higher")
    return TwoSample(
        area=area,
        low=max(0.0, area - reach),
        high=min(1.0, area + reach),
        p_value=float(stats.norm.sf((area - 0.5) / null_error)),
        weights=odds / odds.mean(),
        unsupported=float((scores[len(before) :] > edge).mean()),
    )


def _area(scores: NDArray[Any], is_now: NDArray[Any], folds: NDArray[Any]) -> tuple[float, float]:
    """Mean over the folds of the AUC, and its standard error where nothing can be told.

    Within a fold all scores are of one model; over folds they are not comparable.
    """
    areas, variances = [], []
    for fold in range(NUM_FOLDS):
        mine = folds == fold
        both = np.column_stack([-scores[mine], scores[mine]])
        areas.append(metrics.of("roc_auc").measure(is_now[mine], both))
        m, n = int((is_now[mine] == 0).sum()), int(is_now[mine].sum())
        variances.append((m + n + 1) / (12 * m * n))
    return float(np.mean(areas)), float(np.sqrt(sum(variances))) / NUM_FOLDS


def _area_error(area: float, num_before: int, num_now: int) -> float:
    """Standard error of an AUC (Hanley and McNeil, 1982)."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (num_now - 1) * (first - area**2)
    spread += (num_before - 1) * (second - area**2)
    return float(np.sqrt(max(0.0, spread) / (num_before * num_now)))


def matrix(
    views: Views, sketches: dict[str, dict[str, Numbers | Levels]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Views as numbers, ``float64[n, d]``, and which columns are codes, ``bool[d]``.

    A level is its place in the sketch, any other level the next number.

    Examples
    --------
    >>> from penstock.measure.sketches import learn
    >>> town = pa.array(["Ulm", "Bonn", None])
    >>> matrix({"town": {"level": town}}, {"town": {"level": learn(town)}})[0].T.tolist()
    [[1.0, 0.0, nan]]
    """
    columns, names = [], []
    for column, found in views.items():
        for view, values in found.items():
            sketch = sketches[column][view]
            names.append(isinstance(sketch, Levels))
            if isinstance(sketch, Levels):
                place = pc.index_in(values, pa.array(sketch.levels, pa.string()), skip_nulls=True)
                place = pc.if_else(pc.is_valid(values), place.fill_null(len(sketch.levels)), None)
                columns.append(place.cast(pa.float64()).to_numpy(zero_copy_only=False))
            else:
                raw = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
                columns.append(np.where(np.isfinite(raw), raw, np.nan))
    if not columns:
        return np.empty((0, 0)), np.empty(0, dtype=bool)
    return np.column_stack(columns), np.asarray(names)
