"""Whether independence given the label speaks against a column of this table.

Where the label made all columns, as a disease makes its symptoms, each is independent of the
others given the label, and none is a copy.
"""

from __future__ import annotations

import numpy as np

from penstock.measure.leaks import alone as one
from penstock.measure.leaks import independence
from penstock.measure.leaks.suspects import Suspect, View

# House choices, measured by benchmarks/leakage.py.
NUM_HONEST = 8
"""Honest columns that are looked at, the strongest first; half as many by a model each."""
FEW_LEVELS = 12
"""Most levels of a number that may be class codes."""
RELATED = 4 / 3
"""By how much the conditional correlation of honest columns must pass chance, to be believed
where a column is accused for having none."""
POOLED = 0.7
"""The same for the mean square of three or four columns, in squares of the limit of chance: 6.3
squared standard errors, where chance gives 1."""
LABEL_RECALL, LABEL_PURITY = 0.7, 0.85
"""A column looks like a label when it tells either side with this recall (or its sides tell the
label with this precision), and its two sides explain this share of the variance of its score."""


def accusable(view: View, suspect: Suspect, honest: list[Suspect], common: bool) -> bool:
    """Whether independence given the label speaks against a column of this table.

    Where all columns were made by the label (symptoms by a disease), all are independent given
    the label, and none is a copy. Two columns that tell only together are not made so. Any other
    column is accused when the honest ones are seen to depend on one another given the label.
    Where that cannot be seen, only a column of few levels that agree with the classes is, unless
    independence is ``common`` among the columns that were examined.
    """
    if len(suspect.columns) == 2:
        return not common
    related = _related(view, suspect, honest)
    if related is not None:
        return related
    few = of_few_levels(view, suspect)
    score, target = suspect.score[suspect.rows], view.targets[suspect.which][suspect.rows]
    return view.is_classification and few and not common and looks_like_label(score, target)


def of_few_levels(view: View, suspect: Suspect) -> bool:
    """Whether a column may hold class codes; two columns may always do so together."""
    if len(suspect.columns) == 2:
        return True
    values = view.features[:, suspect.columns[0]]
    known = values[~np.isnan(values)]
    return bool(view.categorical[suspect.columns[0]]) or len(np.unique(known)) <= FEW_LEVELS


def _related(view: View, suspect: Suspect, honest: list[Suspect]) -> bool | None:
    """Whether the other columns depend on one another given the label; None: cannot be seen."""
    target, rows = view.targets[suspect.which], np.ones(len(suspect.rows), bool)
    columns = [s.columns[0] for s in honest]
    scores = [one.out_of_fold_mean(view.bins[c], target, view.folds) for c in columns[:NUM_HONEST]]
    for column, score in zip(columns, scores, strict=False):
        left = view.given_label(score, rows)
        others = [c for c in columns[:NUM_HONEST] if c != column]
        if any(independence.shows(left, view.strata, view.coarse[c]) for c in others):
            return True
    could_be_seen, strain = False, []
    for column, score in zip(columns, scores[: NUM_HONEST // 2], strict=False):
        others = [c for c in columns if c != column]
        if not others:
            continue
        guess = view.boosted(others, target)
        left, right = view.given_label(score, rows), view.given_label(guess, rows)
        strain.append(abs(one.correlation(left, right)) / independence.most_by_chance(left, right))
        if strain[-1] > RELATED:
            return True
        if told_by(view, left, rows, others, RELATED):
            return True
        could_be_seen |= independence.could_show(score, guess, target, rows)
    # several columns, each near the limit of chance, are beyond it together
    if len(strain) > 2 and np.mean(np.square(strain)) > POOLED:
        return True
    return False if could_be_seen else None


def told_by(
    view: View, left: np.ndarray, rows: np.ndarray, columns: list[int], times: float = 1.0
) -> bool:
    """Whether a model of columns tells what the label leaves of another, beyond chance.

    Parameters
    ----------
    view : View
        All rows.
    left : float64[k]
        From :meth:`View.given_label`, for the ``k`` rows of ``rows`` (``bool[n]``).
    columns : list of int
        Positions of the columns that the model reads, beside the label.
    times : float
        How many times the limit of chance must be passed.
    """
    spread = np.zeros(len(rows))
    spread[rows] = left
    known = view.strata if view.is_classification else view.targets[0]
    guess = view.given_label(view.boosted(columns, spread, known), rows)
    return one.correlation(guess, left) > times * independence.most_by_chance(guess, left)


def looks_like_label(score: np.ndarray, target: np.ndarray, of_sides: bool = False) -> bool:
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
    within = float(independence.residual(score, side.astype(np.int64), None).var())
    return share >= LABEL_RECALL and 1 - within / total >= LABEL_PURITY
