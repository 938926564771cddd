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

from penstock.measure.leaks import alone as one
from penstock.measure.leaks import independence, nature, synergy
from penstock.measure.leaks.suspects import Suspect, View

# Decision constants: house choices, measured by benchmarks/leakage.py.
MAX_ROWS = 10_000
"""Rows that are looked at; more are drawn at random."""
MAX_CANDIDATES = 8
"""Columns that are examined, the strongest first; and half as many pairs."""
MATERIAL_AREA, MATERIAL_SHARE = 0.55, 0.3
"""Least ROC AUC, or share of variance (regression), of a column worth examining."""
STRONG_AREA, STRONG_SHARE = 0.95, 0.7
"""From here on a column that does not look like a label may be a copy."""
PERFECT_AREA, PERFECT_SHARE = 0.99, 0.995
"""From here on a column tells the label as good as without error."""
EXACT_SHARE = 0.9999
"""From here on a number is a value's copy in another unit, whatever the others know."""
NUMBER_STRAIN = 0.75
"""How much of what counts as independent a number of many levels may use: an honest number that
rises with the others is nearly independent of them at a given label."""
NOTHING_LEFT = 0.97
"""From here on of the ROC AUC of everything else, independence of a pair shows nothing: no row is
left on which the pair and the others could differ."""
PERFECT_PAIR = 0.999
"""The same for two columns together: honest labels are often made of two columns."""
ENOUGH_ROWS, ENOUGH_FOR_PAIRS = 500, 600
"""Independence of one column, or of one among many pairs, is not believed of fewer rows; the
perfect signature is."""
BETTER_ERRORS = 2.5
"""Standard errors by which a column must beat everything else."""
DUPLICATE = 0.95
"""Columns whose scores correlate so much, given the label, are one column twice."""


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
    if len(label) < ENOUGH_FOR_PAIRS:
        what = "a noisy copy" if len(label) < ENOUGH_ROWS else "a noisy copy in two columns"
        notes.append(
            f"Only {len(label)} rows were searched for leaks: too few to tell {what} of the label"
            f" from honest columns; one that tells it without error is still named."
        )
    # one thread: on so few rows many threads wait for one another longer than they work
    with threadpool_limits(limits=1):
        return _search(View(features, categorical, label, is_classification, seed), names, notes)


def _search(view: View, names: list[str], notes: list[str]) -> Search:
    suspects = [view.suspect((column,)) for column in range(len(names))]
    columns = [_alone(view, names[s.columns[0]], s) for s in suspects]
    ranked = sorted(suspects, key=lambda s: -s.skill)
    found, taken = _examine_all(view, ranked, names, set())
    pairs, pair_notes = _pairs(view, suspects, names, taken)
    return Search(sorted(columns, key=lambda c: -c.skill), found + pairs, notes + pair_notes)


def _alone(view: View, name: str, suspect: Suspect) -> Alone:
    target = view.targets[suspect.which][suspect.rows]
    reach = one.Z95 * view.error(suspect.skill, target)
    return Alone(
        name, suspect.skill, max(suspect.skill - reach, 0.0), min(suspect.skill + reach, 1.0)
    )


def _examine_all(
    view: View, ranked: list[Suspect], names: list[str], taken: set[int]
) -> tuple[list[Telltale], set[int]]:
    """Examine the strongest; each that is found is left out of what the next is held against."""
    least = MATERIAL_AREA if view.is_classification else MATERIAL_SHARE
    material = [s for s in ranked if s.skill >= least][:MAX_CANDIDATES]
    found: list[tuple[Telltale, Suspect]] = []
    taken, num_independent = set(taken), 0
    for suspect in material:
        verdict = _examine(view, suspect, names, taken)
        num_independent += verdict.independent
        if verdict.telltale:
            found.append((verdict.telltale, suspect))
            taken |= set(suspect.columns)
    copies = [s for t, s in found if t.signature == "copy"]
    honest = [s for s in ranked if not taken & set(s.columns)]
    common = num_independent > 2 and 2 * num_independent > len(material)
    excused = [s for s in copies if not nature.accusable(view, s, honest, common)]
    found = [item for item in found if not any(item[1] is s for s in excused)]
    return [item[0] for item in found], {c for item in found for c in item[1].columns}


def _examine(view: View, suspect: Suspect, names: list[str], taken: set[int]) -> _Verdict:
    rows, target = suspect.rows, view.targets[suspect.which]
    left = view.given_label(suspect.score, rows)
    rest = _rest(view, suspect, left, taken)
    if not rest:
        return _Verdict()
    open_label = view.given_column(target, suspect)
    sides = one.binned(suspect.score[rows], False, 8)
    may_copy = not any(
        independence.shows(left, view.strata[rows], view.coarse[c][rows]) for c in rest
    )
    may_suffice = not any(independence.shows(open_label, sides, view.coarse[c][rows]) for c in rest)
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
    is_pair = len(suspect.columns) == 2
    enough = rows.sum() >= (ENOUGH_FOR_PAIRS if is_pair else ENOUGH_ROWS)
    strain = abs(telltale.given_label)
    strain /= independence.most_by_chance(left, view.given_label(guess, rows))
    copy = (
        enough
        and may_copy
        and strain <= (1 if nature.of_few_levels(view, suspect) else NUMBER_STRAIN)
        and independence.could_show(suspect.score, guess, target, rows)
        and not nature.told_by(view, left, rows, rest)
    )
    informed = (
        one.correlation(guess[rows], target[rows]) * math.sqrt(rows.sum())
        > independence.ENOUGH_SIGNAL
    )
    sufficient = (
        enough
        and may_suffice
        and informed
        and abs(telltale.given_column)
        <= independence.most_by_chance(open_label, view.given_column(guess, suspect))
    )
    signature = _signature(view, suspect, telltale, copy, sufficient)
    return _Verdict(replace(telltale, signature=signature) if signature else None, copy)


def _signature(
    view: View, suspect: Suspect, found: Telltale, copy: bool, sufficient: bool
) -> Signature | None:
    """Which signature is strong enough to speak of a copy."""
    target = view.targets[suspect.which][suspect.rows]
    errors = math.hypot(view.error(found.alone, target), view.error(found.rest, target))
    better = found.alone - found.rest > BETTER_ERRORS * errors
    is_pair = len(suspect.columns) == 2
    sufficient = sufficient and not is_pair
    copy = copy and (better or not is_pair or found.rest < NOTHING_LEFT)
    if not view.is_classification:
        exact = found.alone >= EXACT_SHARE and not is_pair
        if found.alone >= PERFECT_SHARE and better and (exact or copy or sufficient):
            return "perfect"
        if found.alone >= STRONG_SHARE and (copy or (sufficient and better)):
            return "copy" if copy else "sufficient"
        return None
    perfect = PERFECT_PAIR if is_pair else PERFECT_AREA
    if found.alone >= perfect and better and suspect.least_skill >= 0.97 * suspect.skill:
        return "perfect"
    score = suspect.score[suspect.rows]
    alike = nature.of_few_levels(view, suspect) and nature.looks_like_label(score, target)
    if copy and (alike or (found.alone >= STRONG_AREA and better)):
        return "copy"
    if sufficient and better and nature.looks_like_label(score, target, of_sides=True):
        return "sufficient"
    return None


def _rest(view: View, suspect: Suspect, left: np.ndarray, taken: set[int]) -> list[int]:
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


def _pairs(
    view: View, suspects: list[Suspect], names: list[str], taken: set[int]
) -> tuple[list[Telltale], list[str]]:
    least = STRONG_AREA if view.is_classification else STRONG_SHARE
    strong = {s.columns[0] for s in suspects if s.skill >= least}
    ranked, note = synergy.pair_suspects(view, taken, strong, MAX_CANDIDATES // 2)
    found, _ = _examine_all(view, ranked, names, taken)
    return found, [note] if note else []
