"""What a policy changes, side by side: tables and figures for a person.

Scores and decisions without and with a policy -> Table, Figure
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Figure, Series, Table
from penstock.measure import decisions, metrics
from penstock.measure.calibration import calibration
from penstock.measure.curves import NUM_POINTS, reliability
from penstock.measure.intervals import wilson
from penstock.measure.thresholds import Cuts, Quality

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


def rates(
    target: Codes, decided: Codes, codes: Codes, count: int
) -> dict[str, NDArray[np.float64]]:
    """Rates of the second of two classes in each group, ``float64[count]``, nan where undefined.

    Returns
    -------
    dict
        ``rows``; ``selection``: share decided so; ``tpr``, ``fpr``: that share among the rows
        of the second and of the first class; ``accuracy``.

    Examples
    --------
    >>> truth, chosen = np.array([0, 1, 1]), np.array([1, 1, 0])
    >>> rates(truth, chosen, np.zeros(3, dtype=np.int64), 1)["tpr"].tolist()
    [0.5]
    """

    def per_group(marked: Bools) -> NDArray[np.float64]:
        return np.bincount(codes, weights=marked, minlength=count).astype(np.float64)

    def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(part, whole, out=np.full(count, np.nan), where=whole > 0)

    chosen, true = decided == 1, target == 1
    rows = per_group(np.ones(len(target), dtype=np.bool_))
    return {
        "rows": rows,
        "selection": share(per_group(chosen), rows),
        "tpr": share(per_group(chosen & true), per_group(true)),
        "fpr": share(per_group(chosen & ~true), per_group(~true)),
        "accuracy": share(per_group(decided == target), rows),
    }


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
        found["mean cost"] = decisions.mean_cost(target, side.decided, costs)
    return found


def group_table(
    target: Codes,
    sides: Sides,
    codes: Codes,
    names: Sequence[str],
    thresholds: dict[str, float],
    usual: float,
) -> Table:
    """Threshold and rates of each group that has rows, before and after."""
    first, second = (rates(target, side.decided, codes, len(names)) for side in sides)
    records: list[dict[str, Any]] = []
    for at in np.flatnonzero(first["rows"]).tolist():
        record: dict[str, Any] = {"group": names[at], "rows": int(first["rows"][at])}
        record["threshold"] = thresholds.get(names[at], usual)
        record["own"] = names[at] in thresholds
        for quantity in ("selection", "tpr", "fpr", "accuracy"):
            record[f"{quantity} before"] = float(first[quantity][at])
            record[f"{quantity} after"] = float(second[quantity][at])
        records.append(record)
    note = "Own: the group has a threshold of its own. tpr, fpr: true and false positive rate."
    return Table.of("Groups before and after", records, note)


def gap_table(
    target: Codes, sides: Sides, codes: Codes, names: Sequence[str], small: Sequence[str]
) -> Table:
    """Gaps between the groups before and after; those of too few rows are left out."""
    held = np.bincount(codes, minlength=len(names)) > 0
    large = held & ~np.isin(np.array(names), list(small))
    first, second = (
        spread(rates(target, side.decided, codes, len(names)), large) for side in sides
    )
    records = [{"gap": name, "before": v, "after": second[name]} for name, v in first.items()]
    note = (
        "demographic_parity: least over largest selection rate, 1 is alike. equalized_odds: the"
        " larger difference of true and of false positive rates, 0 is alike."
    )
    if small:
        note += f" Left out, for too few rows: {', '.join(small)}."
    return Table.of("Gaps before and after", records, note)


def selection_figure(sides: Sides, codes: Codes, names: Sequence[str], column: str) -> Figure:
    """Selection rate of each group before and after, with Wilson intervals."""
    total = np.bincount(codes, minlength=len(names))
    shown = np.flatnonzero(total).tolist()
    series = []
    for word, side in zip(("before", "after"), sides, strict=True):
        hits = np.bincount(codes, weights=side.decided == 1, minlength=len(names))
        ends = [wilson(int(hits[at]), int(total[at])) for at in shown]
        series.append(
            Series(
                name=word,
                x=[names[at] for at in shown],
                y=[float(hits[at] / total[at]) for at in shown],
                low=[low for low, _ in ends],
                high=[high for _, high in ends],
                style="bars",
            )
        )
    return Figure(
        title=f"Selection rate by {column}",
        x="",
        y="share decided as the second class",
        series=series,
        horizontal=True,
        note="On validation rows; 95% Wilson intervals.",
    )


def thresholds_figure(thresholds: dict[str, float], usual: float, column: str) -> Figure:
    """The threshold of each group."""
    bars = Series(name="threshold", x=list(thresholds), y=list(thresholds.values()), style="bars")
    return Figure(
        title=f"Threshold by {column}",
        x="",
        y="probability from which on the second class is decided",
        series=[bars],
        horizontal=True,
        note=f"Every other group is decided from {usual:.4g} on.",
    )


def reliability_figure(target: Codes, sides: Sides) -> Figure:
    """Stated confidence against what came true, before and after the temperature."""
    two = sides[0].scores.shape[1] == 2
    label = "probability of the second class" if two else "confidence in the prediction"
    old, new = (reliability(s.confidence, s.came_true(target), label) for s in sides)
    series = [
        old.series[0].model_copy(update={"name": "before"}),
        new.series[0].model_copy(update={"name": "after"}),
        *new.series[1:],
    ]
    title = "Reliability before and after the temperature"
    return new.model_copy(update={"title": title, "series": series})


def threshold_figure(
    cuts: Cuts, measure: Quality, name: str, chosen: float, sign: float = 1.0
) -> Figure:
    """A metric or the cost over all thresholds, with the chosen one marked.

    ``sign`` -1 turns a quality back into a cost.
    """
    few = cuts.thinned(NUM_POINTS)
    line = Series(name=name, x=few.threshold.tolist(), y=(sign * few.quality(measure)).tolist())
    marks = [(0.5, "most probable")] if chosen != 0.5 else []
    return Figure(
        title=f"{name} over the threshold",
        x="probability from which on the second class is decided",
        y=name,
        series=[line],
        marks=[*marks, (chosen, "chosen")],
        note="On validation rows.",
    )


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


def radius_figure(nonconformity: NDArray[Any], radius: float, coverage: float, x: str) -> Figure:
    """Share of validation rows that a radius holds, and the radius that was chosen."""
    shares = np.linspace(0, 1, NUM_POINTS + 1)
    places = np.quantile(nonconformity.astype(np.float64), shares)
    return Figure(
        title="Coverage by radius",
        x=x,
        y="share of validation rows held",
        series=[
            Series(name="held", x=places.tolist(), y=shares.tolist()),
            Series(name="promised", x=places[[0, -1]].tolist(), y=[coverage] * 2, style="dashed"),
        ],
        marks=[(radius, "chosen")],
        note="Whether the promise holds is measured on test rows, by evaluate.",
    )
