"""Pairs of columns that tell together what neither tells alone.

A label can hide in the difference of two numbers, their ratio, or in whether two codes agree.
All pairs are looked at in two cheap ways: by the correlations alone (sums, differences, and
with logarithms products and ratios), and by cross tables of coarse bins (agreement).
"""

from __future__ import annotations

import math

import numpy as np

from penstock.measure import boosting
from penstock.measure.leaks import alone as one
from penstock.measure.leaks.suspects import Suspect, View, along

MAX_PAIRS = 20_000
"""Most pairs whose cross tables are looked at (house choice: about two seconds)."""
SCAN_ROWS = 4_000
"""Rows of a cross table (house choice, benchmarks/leakage.py)."""
SCAN_BINS = 8
LEAST_DISTANCE, LEAST_SHARE = 0.7, 0.5
"""How far beyond the sum of its columns a pair must reach: in standard deviations between two
normal classes; or the share of the unexplained variance that it may leave (house choices)."""


def best_pairs(
    features: np.ndarray,
    categorical: np.ndarray,
    coarse: list[np.ndarray],
    targets: list[np.ndarray],
    taken: set[int],
    skip: set[int],
    most: int,
) -> tuple[list[tuple[int, int]], str]:
    """The pairs with most synergy.

    Parameters
    ----------
    features : float64[n, d]
        NaN is missing.
    categorical : bool[d]
        Codes without order: no sums are made of those.
    coarse : list of int64[n]
        Bins of each column in [0, 16]; 0 is missing.
    targets : list of float64[n]
        Values, or 0 and 1.
    taken, skip : set of int
        Columns that need no partner.
    most : int
        Pairs wanted from either way of looking.

    Returns
    -------
    list of (int, int), str
        Pairs, the lower position first; and a note when not all were looked at.
    """
    usable = [c for c in range(features.shape[1]) if c not in taken | skip]
    if len(usable) < 2:
        return [], ""
    gains: dict[tuple[int, int], float] = {}
    for pair, gain in _linear(features, categorical, targets, usable, most):
        gains[pair] = max(gain, gains.get(pair, 0.0))
    firsts, seconds = np.triu_indices(len(usable), 1)
    note = ""
    if len(firsts) > MAX_PAIRS:
        drawn = np.random.default_rng(0).permutation(len(firsts))[:MAX_PAIRS]
        note = (
            f"Of {len(firsts)} pairs of columns, {MAX_PAIRS} drawn at random were looked at for"
            " agreement; all were looked at for sums, differences, products and ratios."
        )
        firsts, seconds = firsts[drawn], seconds[drawn]
    crossed = _crossed([np.minimum(coarse[c], SCAN_BINS) for c in usable], targets, firsts, seconds)
    for index in np.argsort(-crossed, kind="stable")[:most]:
        pair = (usable[firsts[index]], usable[seconds[index]])
        gains[pair] = max(float(crossed[index]), gains.get(pair, 0.0))
    ranked = sorted(gains, key=lambda pair: -gains[pair])
    return [pair for pair in ranked if gains[pair] > 0.02][: 2 * most], note


def pair_suspects(
    view: View, taken: set[int], skip: set[int], most: int
) -> tuple[list[Suspect], str]:
    """Score the pairs with most synergy; those that tell far more together than apart remain.

    Parameters
    ----------
    view : View
        The rows.
    taken, skip, most
        As for :func:`best_pairs`.

    Returns
    -------
    list of Suspect, str
        The strongest first; and a note when not all pairs were looked at.
    """
    best, note = best_pairs(
        view.features, view.categorical, view.coarse, view.targets, taken, skip, most
    )
    suspects = [suspect for pair in best if _adds(view, suspect := _suspect(view, pair))]
    return sorted(suspects, key=lambda s: -s.skill), note


def _suspect(view: View, pair: tuple[int, int]) -> Suspect:
    codes = view.categorical[list(pair)]
    table = joint(view.features[:, pair], codes)
    codes = np.append(codes, np.zeros(table.shape[1] - 2, bool))
    scores = []
    for target in view.targets:
        guess = boosting.out_of_fold(table, codes, target, view.folds, view.seed)
        # the bins of a boosting round away where exactly a difference parts the classes
        straight = [along(extra, target) for extra in table.T[2:]]
        scores.append(max([guess, *straight], key=lambda score: view.skill(score, target)))
    suspect = view.suspect_of(pair, scores, one.binned(scores[0], False))
    if suspect.which:
        suspect.bins = one.binned(suspect.score, False)
    return suspect


def _adds(view: View, pair: Suspect) -> bool:
    """Whether two columns together tell far more than the sum of what each tells."""
    target = view.targets[pair.which]
    sides = [one.out_of_fold_mean(view.bins[c], target, view.folds) for c in pair.columns]
    if view.is_classification:
        sides = [np.log(np.clip(s, 1e-3, 1) / np.clip(1 - s, 1e-3, 1)) for s in sides]
        apart = one.distance_of(view.skill((sides[0] + sides[1])[pair.rows], target[pair.rows]))
        return one.distance_of(pair.skill) > apart + LEAST_DISTANCE
    apart = view.skill((sides[0] + sides[1])[pair.rows], target[pair.rows])
    return (1 - pair.skill) < LEAST_SHARE * (1 - apart)


def joint(values: np.ndarray, categorical: np.ndarray) -> np.ndarray:
    """Two columns with their difference, sum, ratio (numbers) or their combined code.

    Parameters
    ----------
    values : float64[n, 2]
        NaN is missing.
    categorical : bool[2]
        Codes.

    Returns
    -------
    float64[n, k]
        The two columns first.
    """
    first, second = values.T
    extra = []
    if not categorical.any():
        with np.errstate(all="ignore"):
            extra = [first - second, first + second, first / second, first * second]
            extra += [_line(first, second)]
    return np.column_stack([values, *(np.where(np.isfinite(e), e, np.nan) for e in extra)])


def _line(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What is left of the second column after the best straight line in the first."""
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3 or np.ptp(first[known]) == 0:
        return np.full(len(first), np.nan)
    centred = first[known] - first[known].mean()
    slope = float(centred @ second[known]) / float(centred @ centred)
    return second - slope * first


def _linear(
    features: np.ndarray,
    categorical: np.ndarray,
    targets: list[np.ndarray],
    usable: list[int],
    most: int,
) -> list[tuple[tuple[int, int], float]]:
    """Gain in explained variance of two numbers over the sum of what each explains."""
    numeric = [c for c in usable if not categorical[c]]
    if len(numeric) < 2:
        return []
    values = features[:, numeric]
    found = []
    with np.errstate(all="ignore"):
        views = [values, np.log(np.where(values > 0, values, np.nan))]
    for view in views:
        z = _standard(view)
        between = z.T @ z / len(z)
        for target in targets:
            r = z.T @ _standard(target[:, None])[:, 0] / len(z)
            scale = np.maximum(1 - between**2, 1e-9)
            both = r[:, None] ** 2 + r[None, :] ** 2
            explained = (both - 2 * np.outer(r, r) * between) / scale
            explained[1 - between**2 < 1e-7] = 0
            gain = np.triu(np.clip(explained, 0, 1) - both, 1)
            for flat in np.argsort(-gain, axis=None, kind="stable")[:most]:
                i, j = np.unravel_index(flat, gain.shape)
                if gain[i, j] > 0:
                    found.append(((numeric[i], numeric[j]), float(gain[i, j])))
    return found


def _standard(values: np.ndarray) -> np.ndarray:
    """Centred, of variance 1; missing is the mean; constant is 0."""
    known = np.isfinite(values)
    counts = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0).sum(0) / counts
    centred = np.where(known, values - mean, 0)
    scale = np.sqrt((centred**2).mean(0))
    return np.asarray(centred / np.where(scale > 0, scale, np.inf))


def _crossed(
    bins: list[np.ndarray], targets: list[np.ndarray], firsts: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Share of variance that a cross table explains beyond rows plus columns, ``float64[k]``."""
    rows = slice(0, SCAN_ROWS)
    bins = [b[rows] for b in bins]
    side = SCAN_BINS + 1
    gains = np.zeros(len(firsts))
    for target in targets:
        t = target[rows] - target[rows].mean()
        total = max(float(t @ t), 1e-12)
        margins = [
            _explained(np.bincount(b, minlength=side), np.bincount(b, t, side)) for b in bins
        ]
        for index, (i, j) in enumerate(zip(firsts, seconds, strict=True)):
            cell = bins[i] * side + bins[j]
            counts = np.bincount(cell, minlength=side * side)
            own, freedom = _explained(counts, np.bincount(cell, t, side * side))
            apart = margins[i][0] + margins[j][0]
            extra = freedom - margins[i][1] - margins[j][1] + 1
            noise = total * (extra + 2 * math.sqrt(2 * max(extra, 1))) / len(t)
            gains[index] = max(gains[index], (own - apart - noise) / total)
    return gains


def _explained(counts: np.ndarray, sums: np.ndarray) -> tuple[float, int]:
    """Sum of squares between the groups, and the number of groups."""
    filled = counts > 0
    return float((sums[filled] ** 2 / counts[filled]).sum()), int(filled.sum())
