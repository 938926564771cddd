"""What a policy changes, side by side: tables and sentences for a person.

Scores and decisions without and with a policy -> Table
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Table
from penstock.measure import metrics
from penstock.measure.bias.by_group import Groups
from penstock.measure.calibration import calibration
from penstock.measure.policy.costs import mean_cost

Codes = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcome:
    """What becomes of rows.

    Attributes
    ----------
    scores : float[n, classes]
        Probabilities.
    decided : int64[n]
        Class codes.
    """

    scores: NDArray[Any]
    decided: Codes

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of the second of two classes, or of the most probable of more."""
        two = self.scores.shape[1] == 2
        chosen = self.scores[:, 1] if two else self.scores.max(axis=1)
        return chosen.astype(np.float64)

    def came_true(self, target: Codes) -> Bools:
        """Whether that class is the true one, ``bool[n]``."""
        two = self.scores.shape[1] == 2
        right: Bools = target == (1 if two else self.scores.argmax(axis=1))
        return right


Sides = tuple[Outcome, Outcome]
"""The same rows before and after."""


QUANTITIES = {
    "selection": "selection_rate",
    "tpr": "true_positive_rate",
    "fpr": "false_positive_rate",
    "accuracy": "accuracy",
}
"""What is shown of each group, by its short name."""


def rates_of(target: Codes, decided: Codes, by: Groups) -> dict[str, NDArray[np.float64]]:
    """:data:`QUANTITIES` of the second of two classes, ``float64[k]``, nan where undefined.

    Examples
    --------
    >>> by = Groups("sex", ["f"], np.zeros(3, dtype=np.int64), np.ones(1, dtype=bool))
    >>> rates_of(np.array([0, 1, 1]), np.array([1, 1, 0]), by)["tpr"].tolist()
    [0.5]
    """
    counts = by.rates(target, decided)
    found = {}
    for short, name in QUANTITIES.items():
        hits, totals = counts[name]
        nothing = np.full(len(totals), np.nan)
        found[short] = np.divide(hits, totals, out=nothing, where=totals > 0)
    return found


def spread(found: dict[str, NDArray[np.float64]], large: Bools) -> dict[str, float]:
    """Gaps between the groups that are large enough: ``demographic_parity`` is the least over
    the largest selection rate (1: alike), ``equalized_odds`` the larger difference of true and
    of false positive rates (0: alike); nan where undefined.

    Examples
    --------
    >>> two = np.array([0.2, 0.4])
    >>> spread({"selection": two, "tpr": two, "fpr": two / 2}, two > 0)
    {'demographic_parity': 0.5, 'equalized_odds': 0.2}
    """
    if large.sum() < 2:
        return {"demographic_parity": float("nan"), "equalized_odds": float("nan")}
    chosen = found["selection"][large]
    ratio = chosen.min() / chosen.max() if chosen.max() > 0 else np.nan
    odds = max(float(np.ptp(found[name][large])) for name in ("tpr", "fpr"))
    return {"demographic_parity": float(ratio), "equalized_odds": odds}


def table(
    target: Codes,
    sides: Sides,
    metric: str,
    costs: list[list[float]],
    positive: str,
    seed: int,
) -> Table:
    """Log-loss, calibration and decisions before and after.

    Parameters
    ----------
    target : int64[n]
        Class codes.
    sides : (Outcome, Outcome)
        Without and with the policy.
    metric : str
        The declared one.
    costs : list of list of float
        Empty where none were given.
    positive : str
        Name of the second of two classes; empty for more.
    seed : int
        Of the calibration error's null distribution.
    """
    first, second = (_measures(target, side, metric, costs, positive, seed) for side in sides)
    records = [{"measure": n, "before": v, "after": second[n]} for n, v in first.items()]
    note = "On the validation rows, which also chose the policy: the test rows judge it."
    return Table.of("Before and after the policy", records, note)


def _measures(
    target: Codes,
    side: Outcome,
    metric: str,
    costs: list[list[float]],
    positive: str,
    seed: int,
) -> dict[str, float]:
    names = dict.fromkeys(("log_loss", "accuracy", metric))
    found = {n: metrics.of(n).measure(target, side.scores, side.decided) for n in names}
    error = calibration(side.confidence, side.came_true(target), seed)
    found["expected calibration error"] = error.error
    found["the same of a perfect model"] = error.null_mean
    if positive:
        found[f"share decided {positive}"] = float(np.mean(side.decided == 1))
    if costs:
        found["mean cost"] = mean_cost(target, side.decided, costs)
    return found


def group_table(
    target: Codes, sides: Sides, by: Groups, thresholds: dict[str, float], usual: float
) -> Table:
    """Threshold and rates of each group that has rows, before and after."""
    first, second = (rates_of(target, side.decided, by) for side in sides)
    records: list[dict[str, Any]] = []
    for at in np.flatnonzero(by.sizes).tolist():
        name = by.names[at]
        record: dict[str, Any] = {"group": name, "rows": int(by.sizes[at])}
        record["threshold"] = thresholds.get(name, usual)
        record["own"] = name in thresholds
        for quantity in QUANTITIES:
            record[f"{quantity} before"] = float(first[quantity][at])
            record[f"{quantity} after"] = float(second[quantity][at])
        records.append(record)
    note = "Own: the group has a threshold of its own. tpr, fpr: true and false positive rate."
    return Table.of("Groups before and after", records, note)


def gap_table(target: Codes, sides: Sides, by: Groups, small: Sequence[str]) -> Table:
    """Gaps between the groups before and after; those of too few rows are left out."""
    first, second = _gaps(target, sides, by, small)
    records = [{"gap": name, "before": v, "after": second[name]} for name, v in first.items()]
    note = (
        "demographic_parity: least over largest selection rate, 1 is alike. equalized_odds: the"
        " larger difference of true and of false positive rates, 0 is alike."
    )
    if small:
        note += f" Left out, for too few rows: {', '.join(small)}."
    return Table.of("Gaps before and after", records, note)


def price(target: Codes, sides: Sides, by: Groups, small: Sequence[str]) -> str:
    """What thresholds by group cost in accuracy, and what they do to both gaps, in a sentence."""
    first, second = _gaps(target, sides, by, small)
    right = [float(np.mean(side.decided == target)) for side in sides]
    parts = [f"{name} from {first[name]:.3f} to {second[name]:.3f}" for name in first]
    return (
        f"On the validation rows the policy takes accuracy from {right[0]:.4f} to {right[1]:.4f},"
        f" {' and '.join(parts)}."
    )


def _gaps(
    target: Codes, sides: Sides, by: Groups, small: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    large = (by.sizes > 0) & ~np.isin(np.array(by.names), list(small))
    first, second = (spread(rates_of(target, side.decided, by), large) for side in sides)
    return first, second


def promise_table(held: Bools | None, radius: float, coverage: float, rows: int) -> Table:
    """What the sets or intervals promise, and for classes how many each set holds."""
    records: list[dict[str, Any]] = [
        {"quantity": "promised coverage", "value": coverage},
        {"quantity": "radius", "value": radius},
        {"quantity": "validation rows", "value": rows},
    ]
    if held is not None:
        sizes = np.bincount(held.sum(axis=1))
        records.append({"quantity": "mean classes in a set", "value": float(held.sum(1).mean())})
        for size in np.flatnonzero(sizes).tolist():
            share = float(sizes[size] / rows)
            records.append({"quantity": f"share of sets of {size}", "value": share})
    return Table.of("Prediction sets" if held is not None else "Prediction intervals", records)
