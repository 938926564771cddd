"""Numbers: amounts, measurements, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel

from penstock.measure import shifts
from penstock.measure.contract import slack
from penstock.measure.credibility import credibility, tell_more
from penstock.modalities import MISSING, Stress

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "number"


FEW_LEVELS, MAX_LEVELS = 300, 20_000
"""Up to so few distinct values a number has a category view beside the numeric one; up to so many
when its values tell what their order does not: numbers of users, of films, of lines."""
MAX_BINS = 32
MIN_LEAF_SHARE = 0.004
MIN_LEAF_ROWS = 10
"""Bins are the leaves of a small tree: at most so many, each with at least so many rows."""
NUM_KNOTS = 65
"""Quantiles that describe the empirical distribution (house choice)."""
LARGEST, LARGEST_SCALED = 1e300, 1e18
"""Values end here, so that no difference overflows; scaled values there, so that single
precision holds them and their products (house choice)."""
MIN_LEVEL_ROWS = 3
"""Rarer values share one level with unseen ones (house choice, measured on Adult)."""


class State(BaseModel):
    """What is learnt from training rows. Values are stored as ``(value - center) / scale``.

    Attributes
    ----------
    center, scale : float
        Median, and the width of the central 90% (or all, or 1).
    edges : list of float
        Bin edges, ascending.
    knots, scores : list of float
        The empirical distribution: values and their normal scores.
    levels : list of float
        Distinct values with a level of their own, in the column's unit, ascending; empty when
        there is no category view.
    credibility : list of float
        How far each level is believed, in [0, 1], after 1 for values without a level.
    """

    center: float
    scale: float
    edges: list[float]
    knots: list[float]
    scores: list[float]
    levels: list[float]
    credibility: list[float]


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Integers and floats are numbers; nothing else is."""
    kind = column.type
    return 0.9 if pa.types.is_integer(kind) or pa.types.is_floating(kind) else 0.0


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """Bins at the leaf boundaries of a decision tree on this column alone; levels if few."""
    from scipy.special import ndtri

    values = _values(column)
    known = ~np.isnan(values)
    values, target = values[known], target[known]
    if values.size == 0:
        values, target = np.zeros(2), np.zeros(2, dtype=np.int64)
    center = float(np.median(values))
    scale = _spread(values)
    distinct, counts = np.unique(values, return_counts=True)
    scaled = _scaled(values, center, scale)
    knots = np.unique(np.quantile(scaled, np.linspace(0, 1, NUM_KNOTS)))
    if knots.size == 1:
        knots = np.array([knots[0], knots[0] + 1.0])
    ordered = np.sort(scaled)
    below = np.searchsorted(ordered, knots, "left") + np.searchsorted(ordered, knots, "right")
    half = 0.5 / len(ordered)
    ranks = np.clip(below / 2 / len(ordered), half, 1 - half)
    edges = _edges(scaled, target)
    named = distinct.size <= FEW_LEVELS or (
        distinct.size <= MAX_LEVELS
        and tell_more(codes_of(values, distinct), np.searchsorted(edges, scaled), target)
    )
    levels = distinct[counts >= MIN_LEVEL_ROWS] if named else distinct[:0]
    return State(
        center=center,
        scale=scale,
        edges=edges.tolist(),
        knots=knots.tolist(),
        scores=ndtri(ranks).tolist(),
        levels=levels.tolist(),
        credibility=credibility(codes_of(values, levels), len(levels) + 1, target),
    )


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``value``: ``float32[n]``, nan where missing; ``level``: ``int64[n]``, 0 where unknown."""
    values = _values(column)
    arrays: dict[str, NDArray[np.generic]] = {
        "value": _scaled(values, state.center, state.scale).astype(np.float32)
    }
    if state.levels:
        arrays["level"] = codes_of(values, np.asarray(state.levels))
    return arrays


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """Piecewise-linear bins, and an embedding beside them when the values are few."""
    from penstock.learning.encoders import Beside, LevelEmbedding, PiecewiseLinear

    bins = PiecewiseLinear(state.edges, state.knots, state.scores)
    return Beside(bins, LevelEmbedding(state.credibility)) if state.levels else bins


def codes_of(values: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place of each value among ascending levels, counted from 1; 0 where it is none of them.

    Examples
    --------
    >>> codes_of(np.array([7.0, 2.0, 3.0, np.nan]), np.array([2.0, 7.0])).tolist()
    [2, 1, 0, 0]
    """
    known = np.append(levels, np.nan)  # beyond the last one: equal to nothing
    place = np.searchsorted(levels, values)
    return np.where(known[place] == values, place + 1, 0).astype(np.int64)


def _values(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Values as floats, nan where null or infinite; huge integers are the nearest float."""
    values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)


def _spread(values: NDArray[np.float64]) -> float:
    """Width of the central 90%, or of all where that is nothing, or 1; finite and not 0."""
    low, high = np.quantile(values, [0.05, 0.95])
    ends = [(float(low), float(high)), (float(values.min()), float(values.max()))]
    widths = [high - low for low, high in ends]
    return next((width for width in widths if width >= np.finfo(float).tiny), 1.0)


def _scaled(values: NDArray[np.float64], center: float, scale: float) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # beside a tiny scale
        return np.clip((values - center) / scale, -LARGEST_SCALED, LARGEST_SCALED)


def _edges(values: NDArray[np.float64], target: NDArray[np.generic]) -> NDArray[np.float64]:
    """Leaf boundaries of a small tree, between the extremes; at least two, ascending."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low, low + 1.0])
    classes = np.issubdtype(target.dtype, np.integer)
    tree = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(
        max_leaf_nodes=MAX_BINS,
        min_samples_leaf=max(MIN_LEAF_ROWS, int(MIN_LEAF_SHARE * len(values))),
        random_state=0,
    )
    inner = tree.fit(values[:, None], target).tree_
    cuts = inner.threshold[inner.children_left >= 0]
    return np.unique(np.concatenate([[low], cuts[(cuts > low) & (cuts < high)], [high]]))


LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that a contract watches (house choice)."""
INNER_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles of the values beside a heap, such as the amounts beside many zeros."""
HEAP_SHARE = 0.3
MIN_INNER_ROWS = 50
"""One value is a heap from this share on; the rest is watched from so many rows on."""
MARGIN = 0.25
"""Slack of the range on each side, as a share of it (house choice)."""
SENTINELS = (-1, -9, -99, -999, -9999)
"""Numbers that stand for 'missing' in columns that may be negative."""


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """Range, quantiles and sentinels, with slack.

    The range is for single bad rows, which go to quarantine; the quantiles are for the whole
    file: a change of unit moves them by more ranks than chance or drift does.
    """
    values = _values(column)
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return []
    whole = bool(np.all(values == np.floor(values)))
    found = [_range(values, name, whole)]
    if values[0] < 0 <= values[-1]:
        found.append(_no_sentinels(values, name))
    bands = [_band(values, level, whole) for level in _levels(values)]
    quantiles = {
        "quantiles": [level for level, _ in bands],
        "value_ranges": [band for _, band in bands],
    }
    found.append(
        {
            "type": "expect_column_quantile_values_to_be_between",
            "kwargs": {"column": name, "quantile_ranges": quantiles},
            "meta": {"severity": "error", "quarantine": False},
        }
    )
    return found


def _range(values: NDArray[np.float64], name: str, whole: bool) -> dict[str, Any]:
    """The observed range and a margin that does not cross zero, where nothing crossed it."""
    low, high = float(values[0]), float(values[-1])
    margin = MARGIN * (high - low) or max(1.0, abs(high))
    least = max(low - margin, 0.0) if low >= 0 else low - margin
    most = min(high + margin, 0.0) if high <= 0 else high + margin
    bounds = {"min_value": _outward(least, -1, whole), "max_value": _outward(most, 1, whole)}
    return {
        "type": "expect_column_values_to_be_between",
        "kwargs": {
            "column": name,
            **bounds,
            "mostly": slack.mostly(slack.stray_share(len(values))),
        },
        "meta": {"severity": "error", "quarantine": True},
    }


def _no_sentinels(values: NDArray[np.float64], name: str) -> dict[str, Any]:
    """No heap of -1 or of a sentinel that does not stand in the data yet."""
    listed = [SENTINELS[0], *(one for one in SENTINELS[1:] if one not in values)]
    share = float(np.mean(values == SENTINELS[0]))
    stray = share + slack.share_slack(share, len(values)) + 0.003
    return {
        "type": "expect_column_values_to_not_be_in_set",
        "kwargs": {"column": name, "value_set": listed, "mostly": slack.mostly(stray)},
        "meta": {"severity": "error", "quarantine": False},
    }


def _levels(values: NDArray[np.float64]) -> list[float]:
    """Quantile levels worth watching: the usual ones, and those beside a heap."""
    distinct, counts = np.unique(values, return_counts=True)
    heap = int(np.argmax(counts))
    share = counts[heap] / len(values)
    levels = set(LEVELS)
    if share >= HEAP_SHARE and len(values) - counts[heap] >= MIN_INNER_ROWS and len(distinct) > 2:
        below = counts[:heap].sum() / len(values)
        for inner in INNER_LEVELS:
            level = inner * (1 - share)
            levels.add(round(float(level if level < below else level + share), 4))
    return sorted(levels)


def _band(
    values: NDArray[np.float64], level: float, whole: bool
) -> tuple[float, list[float | int | None]]:
    """The values at the ranks within which another sample's quantile falls; None: no bound."""
    reach = slack.rank_slack(level, len(values))
    low, high = level - reach, level + reach
    last = len(values) - 1
    least = _outward(float(values[int(np.floor(low * last))]), -1, whole) if low > 0 else None
    most = _outward(float(values[int(np.ceil(high * last))]), 1, whole) if high < 1 else None
    return level, [least, most]


def _outward(value: float, direction: int, whole: bool) -> float | int:
    """Rounded away from the data: to a whole number, or to six significant digits."""
    if value * direction >= LARGEST:  # where values are cut off
        return float(np.finfo(float).max) * direction
    toward = np.ceil if direction > 0 else np.floor
    if whole and abs(value) < 2**53:
        return int(toward(value))
    if value == 0 or not np.isfinite(value):
        return value
    digits = 5 - int(np.floor(np.log10(abs(value))))
    if not -300 < digits < 300:
        return value
    return float(f"{toward(value * 10.0**digits) / 10.0**digits:.6g}")


STRESSES = (
    Stress(
        "unit",
        (1.1, 2.54, 1000.0),
        "{column} is given in another unit (times {strength:g})",
        "another currency, inches for centimetres, single units for thousands",
        "state the unit in the contract: quantile expectations stop a file in another one",
    ),
    MISSING,
    Stress(
        "noise",
        (0.03, 0.1, 0.3),
        "{column} is measured with errors of {strength:.0%} of its central 90% range",
        "another instrument, estimates for measurements, rounding",
        "train with such noise added, or weigh in a smoother model (more model.dropout)",
    ),
)
"""Three strengths each (house choice). For a normal column the errors are a tenth, a third and
the whole of its standard deviation."""


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Numbers in another unit, missing or measured badly; whole columns stay whole.

    Errors are Gaussian; they spare a heap of equal values (zeros beside amounts) and take no
    value further than the training values reached.
    """
    if name == "missing":
        return shifts.emptied(column, strength, rng)
    values = _values(column)
    if name == "unit":
        changed = values * strength
    else:
        errors = rng.normal(size=len(values)) * strength * state.scale
        reach = np.array([state.knots[0], state.knots[-1]]) * state.scale + state.center
        least, most = np.fmin(values, reach[0]), np.fmax(values, reach[1])
        exact = values == _heap(values)  # nobody mismeasures that there was nothing
        changed = np.where(exact, values, np.clip(values + errors, least, most))
    if pa.types.is_integer(column.type):
        changed = np.rint(changed)
    return pa.chunked_array([pa.array(changed, pa.float64(), from_pandas=True)])


def _heap(values: NDArray[np.float64]) -> float:
    """The value that so many rows share; nan where there is none."""
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not counts.size or counts.max() < HEAP_SHARE * counts.sum():
        return float("nan")
    return float(distinct[np.argmax(counts)])


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``value``: the number itself; null where it is none."""
    values = _values(column)
    return {"value": pa.array(values, mask=np.isnan(values))}
