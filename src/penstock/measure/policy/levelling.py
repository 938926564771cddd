"""A threshold for each group, so that groups are treated alike on a stated quantity.

Probabilities, truth and groups -> thresholds by group
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.measure.policy.thresholds import Bools, Cuts, Floats, Quality, tuned

MIN_GROUP_ROWS = 100
"""Fewest rows for a threshold of one's own (house choice: a rate of 0.2 is then known to 0.04)."""
MIN_CLASS_ROWS = 20
"""Fewest rows of each class for a group's true and false positive rates (house choice)."""
MAX_CUTS = 1000
"""Most thresholds of a group whose pair of rates is compared with each pair that is aimed at
(house choice: rates are met to 0.001); of one rate all are."""
CLOSE = {"demographic_parity": 0.02, "equalized_odds": 0.05}
"""How close the groups are brought (house choice): one minus the ratio of selection rates, and
the larger difference of true and of false positive rates; the gates' defaults are 0.2 and 0.1."""
STEPS = {"demographic_parity": 401, "equalized_odds": 41}
"""Aims that are tried along each rate (house choice)."""


@dataclass(frozen=True)
class Grouped:
    """Rows of two classes, in groups.

    Attributes
    ----------
    chance : float[n]
        Tempered probability of the second class.
    positive : bool[n]
        Whether it is the true one.
    codes, names : int64[n] and sequence of str
        Group of each row, and the groups' names, each once.
    """

    chance: Floats
    positive: Bools
    codes: NDArray[np.int64]
    names: Sequence[str]


@dataclass(frozen=True)
class Levelled:
    """Thresholds by group.

    Attributes
    ----------
    thresholds : dict of str to float
        By the group's name; empty where there are not two groups to compare.
    gap : float
        What is left on these rows, in the unit of :data:`CLOSE`; nan where nothing was levelled.
    small : list of str
        Groups that have rows, but too few for a threshold of their own.
    """

    thresholds: dict[str, float]
    gap: float
    small: list[str]


@dataclass(frozen=True)
class _Group:
    """One group's thresholds, and the rates ``float64[k, 1 or 2]`` to be levelled."""

    name: str
    cuts: Cuts
    rates: NDArray[np.float64]
    usual: NDArray[np.float64]


def levelled(rows: Grouped, criterion: str, measure: Quality, usual: float) -> Levelled:
    """Thresholds by group that give all groups the same rates.

    Every aim between what the groups have now is tried: a selection rate for
    ``demographic_parity``, a pair of false and true positive rate for ``equalized_odds``
    (Hardt, Price and Srebro, 2016, without their random decisions). Each group takes its
    threshold nearest to the aim. Of the aims that leave a gap of no more than :data:`CLOSE`,
    or, where there is none, the smallest gap, the best decisions win; aims under which one class
    for everybody would be as good are passed over as long as there are others.

    Rates are those to be expected of new rows: ``(k + 1/2) / (n + 1)`` for ``k`` of ``n`` rows
    above a threshold that lies half way between two rows.

    Parameters
    ----------
    rows : Grouped
        Validation rows.
    criterion : {"demographic_parity", "equalized_odds"}
        What is levelled.
    measure : Quality
        How good decisions are, over all rows.
    usual : float
        The threshold of groups without one of their own.
    """
    chosen, small = _split(rows, both=criterion == "equalized_odds")
    if len(chosen) < 2:
        return Levelled({}, float("nan"), small)
    groups = [
        _group(name, rows.chance[mine], rows.positive[mine], criterion, usual)
        for name, mine in chosen.items()
    ]
    aims = _aims(np.array([group.usual for group in groups]), STEPS[criterion])
    picks = [_nearest(group.rates, aims) for group in groups]
    gaps = _gaps(np.array([g.rates[pick] for g, pick in zip(groups, picks, strict=True)]))
    alone = np.ones(len(rows.codes), dtype=np.bool_)
    alone[np.concatenate(list(chosen.values()))] = False
    over = alone & (rows.chance >= usual)
    hits = np.full(len(aims), float((over & rows.positive).sum()))
    alarms = np.full(len(aims), float((over & ~rows.positive).sum()))
    for group, pick in zip(groups, picks, strict=True):
        hits += group.cuts.tp[pick]
        alarms += group.cuts.fp[pick]
    every = (int(rows.positive.sum()), int((~rows.positive).sum()))
    constant = max(float(measure(0, 0, *every)), float(measure(*every, *every)))
    best = _choice(gaps, measure(hits, alarms, *every), constant, CLOSE[criterion])
    limits = {g.name: float(g.cuts.threshold[p[best]]) for g, p in zip(groups, picks, strict=True)}
    return Levelled(limits, float(gaps[best]), small)


def each_at_best(rows: Grouped, measure: Quality, usual: float, seed: int) -> Levelled:
    """Each group's own best threshold, where it is shown to beat the usual one in that group.

    No group's threshold touches another group's decisions, so this is also what lifts the worst
    group most. Parameters as for :func:`levelled`; ``seed`` of the folds.
    """
    chosen, small = _split(rows, both=False)
    limits = {}
    for name, mine in chosen.items():
        found = tuned(rows.chance[mine], rows.positive[mine], measure, usual, seed)
        if found.shown:
            limits[name] = found.threshold
    return Levelled(limits, float("nan"), small)


def _split(rows: Grouped, both: bool) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
    """Rows of the groups that are large enough, and the names of those that are not."""
    chosen, small = {}, []
    for code, name in enumerate(rows.names):
        mine = np.flatnonzero(rows.codes == code)
        hits = int(rows.positive[mine].sum())
        enough = len(mine) >= MIN_GROUP_ROWS
        if both:
            enough = enough and min(hits, len(mine) - hits) >= MIN_CLASS_ROWS
        if enough:
            chosen[name] = mine
        elif len(mine):
            small.append(name)
    return chosen, small


def _group(name: str, chance: Floats, positive: Bools, criterion: str, usual: float) -> _Group:
    cuts = Cuts.of(chance, positive)
    if criterion == "equalized_odds":
        cuts = cuts.thinned(MAX_CUTS)
    over = chance >= usual
    hits, alarms = float((over & positive).sum()), float((over & ~positive).sum())
    totals = (cuts.positives, cuts.negatives)

    def rates(tp: Floats, fp: Floats) -> NDArray[np.float64]:
        if criterion == "demographic_parity":
            return np.stack([(tp + fp + 0.5) / (sum(totals) + 1)], axis=-1)
        return np.stack([(fp + 0.5) / (totals[1] + 1), (tp + 0.5) / (totals[0] + 1)], axis=-1)

    return _Group(name, cuts, rates(cuts.tp, cuts.fp), rates(np.array(hits), np.array(alarms)))


def _aims(now: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """A grid ``float64[m, 1 or 2]`` over what the groups ``now[groups, 1 or 2]`` have."""
    sides = [
        np.linspace(low, high, steps) for low, high in zip(now.min(0), now.max(0), strict=True)
    ]
    return np.stack([side.ravel() for side in np.meshgrid(*sides, indexing="ij")], axis=1)


def _nearest(rates: NDArray[np.float64], aims: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of ``rates[k, d]`` is nearest to each of ``aims[m, d]`` by its worst coordinate."""
    if rates.shape[1] == 1:  # these fall as the threshold rises
        falling, wanted = -rates[:, 0], -aims[:, 0]
        after = np.searchsorted(falling, wanted).clip(1, len(falling) - 1)
        nearer = wanted - falling[after - 1] <= falling[after] - wanted
        return (after - nearer).astype(np.int64)
    away = np.zeros((len(aims), len(rates)))
    for axis in range(aims.shape[1]):
        np.maximum(away, np.abs(aims[:, axis, None] - rates[None, :, axis]), out=away)
    return away.argmin(axis=1)


def _gaps(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gap between the groups of ``rates[groups, m, d]``: of one rate the ratio's distance from
    1, of two the larger difference."""
    low, high = rates.min(axis=0), rates.max(axis=0)
    if rates.shape[2] == 1:
        return 1.0 - (low / high)[:, 0]
    return (high - low).max(axis=1)


def _choice(
    gaps: NDArray[np.float64], quality: NDArray[np.float64], constant: float, close: float
) -> int:
    """The best decisions among those whose gap is close enough, or smallest."""
    useful = quality > constant
    if not useful.any():
        useful[:] = True
    limit = max(close, float(gaps[useful].min()))
    near = np.flatnonzero(useful & (gaps <= limit + 1e-12))
    top = near[quality[near] >= quality[near].max() - 1e-12]
    return int(top[gaps[top].argmin()])
