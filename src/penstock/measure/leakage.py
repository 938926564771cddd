"""Find the columns, or pairs of columns, that carry the label as only a copy of it would.

A leak is told by *independence*, not by strength: an honest column may be strong, and a noisy
copy of the label may be weaker than a good model. But a copy was made from the label, so it
leaves one of these signatures, and honest columns leave none of them:

copy
    Given the label, nothing else tells the column: it is the label, plus noise that knows
    nothing of the other columns.
sufficient
    Given the column, nothing else tells the label: the label is the column, plus noise.
perfect
    The column tells the label without error, while all other columns together do not.

Independence is only believed where the data could have shown the opposite: other columns must
tell so much of the label that a column unrelated to them would be seen to be no copy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from penstock.measure import alone as one
from penstock.measure import boosting, synergy

# Decision constants: house choices, measured by benchmarks/leakage.py.
MAX_ROWS = 10_000
"""Rows that are looked at; more are drawn at random."""
MAX_CLASSES = 3
"""Classes that are looked at, each against the rest: those nearest to half of the rows."""
MAX_CANDIDATES = 8
"""Columns that are examined, the strongest first; and half as many pairs."""
NUM_FOLDS = 3
MATERIAL_AREA, MATERIAL_SHARE = 0.55, 0.3
"""Least ROC AUC, or share of variance (regression), of a column worth examining."""
STRONG_AREA, STRONG_SHARE = 0.9, 0.7
"""From here on a column that does not look like a label may be a copy."""
PERFECT_AREA, PERFECT_SHARE = 0.99, 0.995
"""From here on a column tells the label as good as without error."""
PERFECT_PAIR = 0.999
"""The same for two columns together: honest labels are often made of two columns."""
ENOUGH_ROWS = 500
"""Independence is not believed of fewer rows; the perfect signature is."""
ENOUGH_SIGNAL = 5.5
"""Standard errors by which an unrelated column would be seen to be no copy."""
INDEPENDENT_ERRORS, INDEPENDENT_SLACK = 3.0, 0.03
"""Largest conditional correlation that still counts as none: in standard errors, or at all."""
BETTER_ERRORS = 2.5
"""Standard errors by which a column must beat everything else."""
LABEL_RECALL, LABEL_PURITY = 0.7, 0.85
"""A column looks like a label when it tells either side with this recall (or its sides tell the
label with this precision), and its two sides explain this share of the variance of its score."""
SCREEN_ERRORS, SCREEN_SHARE = 8.0, 0.003
"""One other column shows dependence by itself: in standard errors, and as a share."""
DUPLICATE = 0.95
"""Columns whose scores correlate so much, given the label, are one column twice."""
NUM_STRATA = 20
"""Strata of a numeric label."""


Signature = Literal["copy", "sufficient", "perfect"]


@dataclass(frozen=True)
class Alone:
    """What one column tells by itself: ROC AUC, or share of variance, with its 95% interval."""

    name: str
    skill: float
    low: float
    high: float


@dataclass(frozen=True)
class Telltale:
    """A column or pair that carries the label as only a copy would.

    Attributes
    ----------
    name : str
        The column, or ``a + b``.
    signature : {"copy", "sufficient", "perfect"}
        What gave it away.
    alone, rest : float
        ROC AUC (regression: share of variance) of it, and of everything else.
    given_label : float
        Correlation of it with what everything else says, given the label.
    given_column : float
        Correlation of the label with what everything else says, given the column.
    """

    name: str
    signature: Signature
    alone: float
    rest: float
    given_label: float
    given_column: float


@dataclass(frozen=True)
class Search:
    """What :func:`telltales` found.

    Attributes
    ----------
    columns : list of Alone
        Every column, the strongest first.
    telltales : list of Telltale
        Usually none.
    notes : list of str
        What was not looked at.
    """

    columns: list[Alone]
    telltales: list[Telltale]
    notes: list[str]


@dataclass(frozen=True)
class _Verdict:
    """What a suspect is, and whether it is independent of the others given the label."""

    telltale: Telltale | None = None
    independent: bool = False


@dataclass
class _Suspect:
    """A column or pair with its out-of-fold score ``float64[n]`` of one target."""

    columns: tuple[int, ...]
    which: int
    score: np.ndarray
    bins: np.ndarray
    rows: np.ndarray
    skill: float
    least_skill: float


def telltales(
    features: np.ndarray,
    names: list[str],
    categorical: list[bool],
    label: np.ndarray,
    is_classification: bool,
    seed: int = 0,
) -> Search:
    """Find columns and pairs that carry the label as only a copy of it would.

    Parameters
    ----------
    features : float64[n, d]
        A :class:`penstock.measure.matrix.Matrix`; NaN is missing.
    names : list of str
        One for each column.
    categorical : list of bool
        Whether a column holds codes without order.
    label : int64[n] or float64[n]
        Class codes, or values.
    is_classification : bool
        Which of the two.
    seed : int
        Of the draw of rows, the folds and the models.
    """
    label, notes = np.asarray(label), []
    if len(label) > MAX_ROWS:
        drawn = np.sort(np.random.default_rng(seed).permutation(len(label))[:MAX_ROWS])
        features, label = features[drawn], label[drawn]
        notes.append(f"Leaks of the label were looked for in {MAX_ROWS} rows drawn at random.")
    # one thread: on so few rows many threads wait for one another longer than they work
    with threadpool_limits(limits=1):
        return _search(_View(features, categorical, label, is_classification, seed), names, notes)


def _search(view: _View, names: list[str], notes: list[str]) -> Search:
    suspects = [view.suspect((column,)) for column in range(len(names))]
    columns = [_alone(view, names[s.columns[0]], s) for s in suspects]
    ranked = sorted(suspects, key=lambda s: -s.skill)
    found, taken = _examine_all(view, ranked, names, set())
    pairs, pair_notes = _pairs(view, suspects, names, taken)
    return Search(sorted(columns, key=lambda c: -c.skill), found + pairs, notes + pair_notes)


class _View:
    """The rows as every question needs them."""

    def __init__(
        self,
        features: np.ndarray,
        categorical: list[bool],
        label: np.ndarray,
        is_classification: bool,
        seed: int,
    ):
        self.features, self.categorical = features, np.asarray(categorical, bool)
        self.is_classification, self.seed = is_classification, seed
        self.folds = one.fold_of(label, NUM_FOLDS, seed)
        self.targets = _targets(label, is_classification)
        if is_classification:
            self.strata = np.unique(label, return_inverse=True)[1]
        else:
            self.strata = one.binned(self.targets[0], False, NUM_STRATA)
        self.bins = [
            one.binned(column, is_codes)
            for column, is_codes in zip(features.T, categorical, strict=True)
        ]
        self.coarse = [
            one.binned(column, is_codes, 16)
            for column, is_codes in zip(features.T, categorical, strict=True)
        ]

    def suspect(self, columns: tuple[int, ...]) -> _Suspect:
        """Score a column for the target that it tells best."""
        (column,) = columns
        scores = [one.out_of_fold_mean(self.bins[column], t, self.folds) for t in self.targets]
        if not self.is_classification and not self.categorical[column]:
            # bins would round away what a close copy leaves of itself
            values = self.features[:, column]
            smooth = _smooth(values)
            smooth = smooth * np.sign(one.correlation(smooth, self.targets[0]))
            if self.skill(smooth, self.targets[0]) > self.skill(scores[0], self.targets[0]):
                scores = [smooth]
        return self.suspect_of(columns, scores, self.bins[column])

    def suspect_of(
        self, columns: tuple[int, ...], scores: list[np.ndarray], bins: np.ndarray
    ) -> _Suspect:
        """Choose target and rows (all, or those without nulls) where the score is best."""
        everywhere = np.ones(len(bins), bool)
        known = ~np.isnan(self.features[:, list(columns)]).any(1)
        views = [everywhere]
        if 200 <= known.sum() < len(known):
            views.append(known)
        skills = [
            [self.skill(s[v], t[v]) for s, t in zip(scores, self.targets, strict=True)]
            for v in views
        ]
        best_view = int(np.argmax([max(row) for row in skills]))
        row = skills[best_view]
        which = int(np.argmax(row))
        return _Suspect(columns, which, scores[which], bins, views[best_view], row[which], min(row))

    def skill(self, score: np.ndarray, target: np.ndarray) -> float:
        """ROC AUC, or share of variance."""
        if self.is_classification:
            return one.area(score, target)
        return max(one.correlation(score, target), 0.0) ** 2

    def error(self, skill: float, target: np.ndarray) -> float:
        """Standard error of a skill."""
        if self.is_classification:
            return one.area_error(skill, target)
        r = math.sqrt(skill)
        return 2 * r * (1 - skill) / math.sqrt(max(len(target) - 3, 1)) + 1 / len(target)

    def boosted(
        self, columns: list[int], target: np.ndarray, extra: np.ndarray | None = None
    ) -> np.ndarray:
        """Out-of-fold prediction of a number by histogram gradient boosting."""
        table, codes = self.features[:, columns], self.categorical[columns]
        if extra is not None:
            table, codes = np.column_stack([table, extra]), np.append(codes, False)
        return boosting.out_of_fold(table, codes, target, self.folds, self.seed)

    def given_label(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What is left of values once the label is known, on these rows."""
        slope = None if self.is_classification else self.targets[0][rows]
        return _residual(values[rows], self.strata[rows], slope)

    def given_column(self, values: np.ndarray, suspect: _Suspect) -> np.ndarray:
        """What is left of values once the column is known."""
        rows = suspect.rows
        slope = None
        if len(suspect.columns) == 1 and not self.categorical[suspect.columns[0]]:
            column = self.features[rows, suspect.columns[0]]
            slope = _smooth(column)
        return _residual(values[rows], suspect.bins[rows], slope)


def _smooth(column: np.ndarray) -> np.ndarray:
    """Normal scores of a number; missing is the median."""
    known = ~np.isnan(column)
    return one.normal_scores(
        np.where(known, column, np.median(column[known]) if known.any() else 0)
    )


def _targets(label: np.ndarray, is_classification: bool) -> list[np.ndarray]:
    if not is_classification:
        return [one.normal_scores(label)]
    classes, counts = np.unique(label, return_counts=True)
    order = np.argsort(np.abs(counts / len(label) - 0.5), kind="stable")
    chosen = order[: 1 if len(classes) == 2 else MAX_CLASSES]
    if len(classes) == 2:
        chosen = np.array([1])
    return [(label == classes[index]).astype(float) for index in chosen]


def _residual(values: np.ndarray, groups: np.ndarray, slope: np.ndarray | None) -> np.ndarray:
    """Values less their group's mean and, with ``slope``, less their trend in each group."""
    size = int(groups.max()) + 1
    counts = np.maximum(np.bincount(groups, minlength=size), 1)
    centred = values - (np.bincount(groups, values, size) / counts)[groups]
    if slope is None:
        return centred
    along = slope - (np.bincount(groups, slope, size) / counts)[groups]
    power = np.bincount(groups, along * along, size)
    trend = np.bincount(groups, along * centred, size) / np.maximum(power, 1e-12)
    return np.asarray(centred - trend[groups] * along)


def _shows(residual: np.ndarray, strata: np.ndarray, bins: np.ndarray) -> bool:
    """Whether the residual's mean differs between the bins of a column within strata (F test)."""
    power = np.bincount(strata, residual**2) / np.maximum(np.bincount(strata), 1)
    # one variance in all strata, as the test wants it; none where there is nothing left to tell
    scale = np.where(power > 1e-6 * power.max(), np.sqrt(power), np.inf)
    residual = residual / scale[strata]
    cells = np.unique(strata * (int(bins.max()) + 1) + bins, return_inverse=True)[1]
    counts = np.bincount(cells)
    between = float((np.bincount(cells, residual) ** 2 / counts).sum())
    total = float(residual @ residual)
    freedom, left = len(counts) - len(np.unique(strata)), len(residual) - len(counts)
    if total <= 1e-12 * len(residual) or freedom < 1 or left < 1:
        return False
    within = max(total - between, 1e-300) / left
    excess = between / within - freedom
    return bool(
        excess / math.sqrt(2 * freedom * (1 + freedom / left)) > SCREEN_ERRORS
        and excess * within / total > SCREEN_SHARE
    )


def _alone(view: _View, name: str, suspect: _Suspect) -> Alone:
    target = view.targets[suspect.which][suspect.rows]
    reach = one.Z95 * view.error(suspect.skill, target)
    return Alone(
        name, suspect.skill, max(suspect.skill - reach, 0.0), min(suspect.skill + reach, 1.0)
    )


def _examine_all(
    view: _View, ranked: list[_Suspect], names: list[str], taken: set[int]
) -> tuple[list[Telltale], set[int]]:
    """Examine the strongest; each that is found is left out of what the next is held against."""
    least = MATERIAL_AREA if view.is_classification else MATERIAL_SHARE
    material = [s for s in ranked if s.skill >= least][:MAX_CANDIDATES]
    found: list[tuple[Telltale, _Suspect]] = []
    taken, num_independent = set(taken), 0
    for suspect in material:
        verdict = _examine(view, suspect, names, taken)
        num_independent += verdict.independent
        if verdict.telltale:
            found.append((verdict.telltale, suspect))
            taken |= set(suspect.columns)
    if num_independent > 2 and 2 * num_independent > len(material):
        # every column is independent of the others given the label: that is the table's nature
        found = [item for item in found if item[0].signature != "copy"]
    return [item[0] for item in found], {c for item in found for c in item[1].columns}


def _examine(view: _View, suspect: _Suspect, names: list[str], taken: set[int]) -> _Verdict:
    rows, target = suspect.rows, view.targets[suspect.which]
    left = view.given_label(suspect.score, rows)
    rest = _rest(view, suspect, left, taken)
    if not rest:
        return _Verdict()
    open_label = view.given_column(target, suspect)
    sides = one.binned(suspect.score[rows], False, 8)
    may_copy = not any(_shows(left, view.strata[rows], view.coarse[c][rows]) for c in rest)
    may_suffice = not any(_shows(open_label, sides, view.coarse[c][rows]) for c in rest)
    perfect = suspect.skill >= (PERFECT_AREA if view.is_classification else PERFECT_SHARE)
    if not (perfect or may_copy or may_suffice):
        return _Verdict()
    guess = view.boosted(rest, target)
    telltale = Telltale(
        name=" + ".join(names[column] for column in suspect.columns),
        signature="copy",
        alone=suspect.skill,
        rest=view.skill(guess[rows], target[rows]),
        given_label=one.correlation(left, view.given_label(guess, rows)),
        given_column=one.correlation(open_label, view.given_column(guess, suspect)),
    )
    enough = rows.sum() >= ENOUGH_ROWS
    copy = (
        enough
        and may_copy
        and abs(telltale.given_label) <= _none(left, view.given_label(guess, rows))
        and _could_show(suspect.score, guess, target, rows)
        and not _told_by(view, suspect, left, rest)
    )
    informed = one.correlation(guess[rows], target[rows]) * math.sqrt(rows.sum()) > ENOUGH_SIGNAL
    sufficient = (
        enough
        and may_suffice
        and informed
        and abs(telltale.given_column) <= _none(open_label, view.given_column(guess, suspect))
    )
    signature = _signature(view, suspect, telltale, copy, sufficient)
    return _Verdict(replace(telltale, signature=signature) if signature else None, copy)


def _signature(
    view: _View, suspect: _Suspect, found: Telltale, copy: bool, sufficient: bool
) -> Signature | None:
    """Which signature is strong enough to speak of a copy."""
    target = view.targets[suspect.which][suspect.rows]
    errors = math.hypot(view.error(found.alone, target), view.error(found.rest, target))
    better = found.alone - found.rest > BETTER_ERRORS * errors
    is_pair = len(suspect.columns) == 2
    sufficient = sufficient and not is_pair
    if not view.is_classification:
        if found.alone >= PERFECT_SHARE and better and (copy or sufficient):
            return "perfect"
        if found.alone >= STRONG_SHARE and (copy or (sufficient and better)):
            return "copy" if copy else "sufficient"
        return None
    perfect = PERFECT_PAIR if is_pair else PERFECT_AREA
    if found.alone >= perfect and better and suspect.least_skill >= 0.97 * suspect.skill:
        return "perfect"
    score = suspect.score[suspect.rows]
    if copy and (_looks_like_label(score, target) or (found.alone >= STRONG_AREA and better)):
        return "copy"
    if sufficient and better and _looks_like_label(score, target, of_sides=True):
        return "sufficient"
    return None


def _rest(view: _View, suspect: _Suspect, left: np.ndarray, taken: set[int]) -> list[int]:
    """All other columns, without other copies of the suspect."""
    target, rows = view.targets[suspect.which], suspect.rows
    rest = []
    for column, bins in enumerate(view.bins):
        if column in suspect.columns or column in taken:
            continue
        score = one.out_of_fold_mean(bins, target, view.folds)
        twin = abs(one.correlation(left, view.given_label(score, rows))) >= DUPLICATE
        twin |= (
            view.is_classification
            and min(suspect.skill, view.skill(score[rows], target[rows])) >= 0.97
            and int(bins.max()) <= 12
        )
        if not twin:
            rest.append(column)
    return rest


def _looks_like_label(score: np.ndarray, target: np.ndarray, of_sides: bool = False) -> bool:
    """Whether a score has two sides only, each of which tells its side of the label.

    Noise in the column leaves the recall of either class; noise in the label (``of_sides``)
    leaves the share of either side that has its label.
    """
    side, ones = score > target.mean(), target.astype(bool)
    if not side.any() or side.all():
        return False
    agree = side == ones
    by = side if of_sides else ones
    share = min(float(agree[by].mean()), float(agree[~by].mean()))
    total = float(score.var())
    within = float(_residual(score, side.astype(np.int64), None).var())
    return share >= LABEL_RECALL and 1 - within / total >= LABEL_PURITY


def _could_show(score: np.ndarray, guess: np.ndarray, target: np.ndarray, rows: np.ndarray) -> bool:
    """Whether a column unrelated to the others would be seen to be no copy.

    Its correlation with them given the label would be ``-ab / sqrt((1 - a^2)(1 - b^2))`` (the
    partial correlation for a correlation of 0), where a and b are the correlations of either
    with the label.
    """
    a = one.correlation(score[rows], target[rows])
    b = one.correlation(guess[rows], target[rows])
    expected = a * b / math.sqrt(max((1 - a * a) * (1 - b * b), 1e-12))
    return min(expected, 1.0) * math.sqrt(rows.sum()) > ENOUGH_SIGNAL


def _told_by(view: _View, suspect: _Suspect, left: np.ndarray, rest: list[int]) -> bool:
    """Whether a model of all other columns tells the suspect beyond what the label does."""
    spread = np.zeros(len(suspect.score))
    spread[suspect.rows] = left
    known = view.strata if view.is_classification else view.targets[0]
    guess = view.given_label(view.boosted(rest, spread, known), suspect.rows)
    return one.correlation(guess, left) > _none(guess, left)


def _none(left: np.ndarray, right: np.ndarray) -> float:
    """Largest correlation of two residuals that still counts as none.

    The error of a correlation of 0 is ``sqrt(sum l^2 r^2 / (sum l^2 sum r^2))``, which is
    ``1 / sqrt(n)`` where the variances are alike everywhere (White 1980).
    """
    power = math.sqrt(float(left @ left) * float(right @ right))
    if power <= 1e-12 * len(left):
        return 1.0
    error = math.sqrt(float((left * right) @ (left * right))) / power
    return max(INDEPENDENT_SLACK, INDEPENDENT_ERRORS * max(error, 1 / math.sqrt(len(left))))


def _pairs(
    view: _View, suspects: list[_Suspect], names: list[str], taken: set[int]
) -> tuple[list[Telltale], list[str]]:
    least = STRONG_AREA if view.is_classification else STRONG_SHARE
    best, note = synergy.best_pairs(
        view.features, view.categorical, view.coarse, view.targets, taken,
        skip={s.columns[0] for s in suspects if s.skill >= least}, most=MAX_CANDIDATES // 2,
    )  # fmt: skip
    ranked = []
    for pair in best:
        codes = view.categorical[list(pair)]
        table = synergy.joint(view.features[:, pair], codes)
        codes = np.append(codes, np.zeros(table.shape[1] - 2, bool))
        scores = [
            boosting.out_of_fold(table, codes, t, view.folds, view.seed) for t in view.targets
        ]
        suspect = view.suspect_of(pair, scores, one.binned(scores[0], False))
        if suspect.which:
            suspect.bins = one.binned(suspect.score, False)
        if _adds(view, suspects, suspect):
            ranked.append(suspect)
    ranked.sort(key=lambda s: -s.skill)
    found, _ = _examine_all(view, ranked, names, taken)
    return found, [note] if note else []


def _adds(view: _View, suspects: list[_Suspect], pair: _Suspect) -> bool:
    """Whether two columns together tell far more than the sum of what each tells."""
    target = view.targets[pair.which]
    sides = [one.out_of_fold_mean(view.bins[c], target, view.folds) for c in pair.columns]
    if view.is_classification:
        sides = [np.log(np.clip(s, 1e-3, 1) / np.clip(1 - s, 1e-3, 1)) for s in sides]
        apart = one.distance_of(view.skill((sides[0] + sides[1])[pair.rows], target[pair.rows]))
        return one.distance_of(pair.skill) > apart + synergy.LEAST_DISTANCE
    apart = view.skill((sides[0] + sides[1])[pair.rows], target[pair.rows])
    return (1 - pair.skill) < synergy.LEAST_SHARE * (1 - apart)
