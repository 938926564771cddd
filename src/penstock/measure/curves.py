"""Curves that show how predictions meet the truth, as figures of some hundred points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Figure, Series

NUM_POINTS = 120
"""Points of a curve (house choice: more than a screen can tell apart at the chart's width)."""
NUM_BINS = 15
"""Bins of a reliability chart, of equal row count (the count of Guo et al., 2017)."""
MAX_POINTS = 400
"""Dots of a scatter chart (house choice)."""

NUM_RESIDUAL_BINS = 40
"""Bins of the residuals' histogram (house choice)."""

Floats = NDArray[np.floating]
Codes = NDArray[np.int64]


def of_classes(scores: Floats, target: Codes, classes: list[str]) -> dict[str, Figure]:
    """Reliability and ROC for any number of classes; precision-recall for two.

    Parameters
    ----------
    scores : float[n, classes]
        Probabilities.
    target : int64[n]
        Class codes.
    classes : list of str
        Names, in code order.

    Returns
    -------
    dict of str to Figure
        Of the rows whose scores are numbers; empty where there are none.
    """
    known = np.isfinite(scores).all(axis=1)
    scores, target = scores[known], target[known]
    if not len(target):
        return {}
    if len(classes) == 2:
        chosen = {classes[1]: (scores[:, 1], target == 1)}
        reliable = reliability(scores[:, 1], target == 1, f"probability of {classes[1]}")
    else:
        common = np.argsort(-np.bincount(target, minlength=len(classes)))[:5]
        chosen = {classes[code]: (scores[:, code], target == code) for code in common}
        top = scores.argmax(axis=1)
        reliable = reliability(scores.max(axis=1), top == target, "confidence in the prediction")
    figures = {"reliability": reliable, "roc": roc(chosen)}
    if len(classes) == 2:
        figures["precision_recall"] = precision_recall(*chosen[classes[1]])
    else:
        figures["recall"] = recall_by_class(scores, target, classes)
    return figures


def of_values(scores: Floats, target: Floats, name: str) -> dict[str, Figure]:
    """Predicted against actual values, and the residuals' distribution.

    Of the rows whose scores are numbers; empty where there are none.
    """
    known = np.isfinite(scores)
    scores, target = scores[known], target[known]
    if not len(target):
        return {}
    step = max(1, len(target) // MAX_POINTS)
    actual, predicted = target[::step].astype(float), scores[::step].astype(float)
    ends = [float(actual.min()), float(actual.max())]
    residuals = (target - scores).astype(float)
    low, high = np.quantile(residuals, [0.005, 0.995])
    places = (residuals.clip(low, high) - low) / ((high - low) or 1.0)
    counts, edges = np.histogram(places, bins=NUM_RESIDUAL_BINS, range=(0, 1))
    middles = (low + (edges[1:] + edges[:-1]) / 2 * (high - low)).tolist()
    return {
        "predicted": Figure(
            title=f"Predicted and actual {name}",
            x="actual",
            y="predicted",
            series=[
                Series(name="rows", x=actual.tolist(), y=predicted.tolist(), style="points"),
                Series(name="perfect", x=ends, y=ends, style="dashed"),
            ],
            note=f"Every dot is a test row; {len(actual)} of {len(target)} are drawn.",
        ),
        "residuals": Figure(
            title="Residuals",
            x=f"actual minus predicted {name}",
            y="rows",
            series=[Series(name="rows", x=middles, y=counts.tolist(), style="step")],
            note="The outer 0.5% on each side are counted in the outermost bins.",
        ),
    }


def reliability(confidence: Floats, right: NDArray[np.bool_], name: str) -> Figure:
    """Stated confidence against the share that came true, in bins of equal row count."""
    order = np.argsort(confidence, kind="stable")
    bins = [part for part in np.array_split(order, NUM_BINS) if part.size]
    stated = [float(confidence[part].mean()) for part in bins]
    true = [float(right[part].mean()) for part in bins]
    wide = [1.96 * np.sqrt(p * (1 - p) / part.size) for p, part in zip(true, bins, strict=True)]
    return Figure(
        title="Reliability",
        x=name,
        y="share that came true",
        series=[
            Series(
                name="model",
                x=stated,
                y=true,
                low=[max(0.0, t - w) for t, w in zip(true, wide, strict=True)],
                high=[min(1.0, t + w) for t, w in zip(true, wide, strict=True)],
                style="points",
            ),
            Series(name="perfect", x=[0.0, 1.0], y=[0.0, 1.0], style="dashed"),
        ],
        note="On the dashed line, confidence is what comes true. Bars: 95% interval of a bin.",
    )


def roc(chosen: dict[str, tuple[Floats, NDArray[np.bool_]]]) -> Figure:
    """True against false positive rate, one line a class."""
    from sklearn.metrics import roc_curve

    lines = []
    for name, (score, right) in chosen.items():
        if right.all() or not right.any():
            continue
        false, true, _ = roc_curve(right, score)
        x = np.linspace(0, 1, NUM_POINTS)
        lines.append(Series(name=name, x=x.tolist(), y=np.interp(x, false, true).tolist()))
    chance = Series(name="chance", x=[0.0, 1.0], y=[0.0, 1.0], style="dashed")
    return Figure(
        title="ROC",
        x="false positive rate",
        y="true positive rate",
        series=[*lines, chance],
        note="The nearer to the upper left corner, the better the order of the scores.",
    )


def precision_recall(score: Floats, right: NDArray[np.bool_]) -> Figure:
    """Precision against recall for one class."""
    from sklearn.metrics import precision_recall_curve

    share = float(right.mean())
    x = np.linspace(0, 1, NUM_POINTS)
    y = np.zeros(NUM_POINTS)  # what is flagged is wrong where nothing is right
    if right.any():
        precision, recall, _ = precision_recall_curve(right, score)
        y = np.interp(x, recall[::-1], precision[::-1])
    return Figure(
        title="Precision and recall",
        x="recall",
        y="precision",
        series=[
            Series(name="model", x=x.tolist(), y=y.tolist()),
            Series(name="share of positives", x=[0.0, 1.0], y=[share, share], style="dashed"),
        ],
        note="What share of the flagged rows is right, by the share of positives that is found.",
    )


def recall_by_class(scores: Floats, target: Codes, classes: list[str]) -> Figure:
    """Share of each class that is recognised, with 95% Wilson intervals."""
    from penstock.measure.intervals import wilson

    hits = np.bincount(target, weights=scores.argmax(1) == target, minlength=len(classes))
    totals = np.bincount(target, minlength=len(classes))
    shown = np.argsort(-totals, kind="stable")[:30]
    ends = [wilson(int(hits[code]), int(totals[code])) for code in shown]
    return Figure(
        title="Recall by class",
        x="class",
        y="recall",
        series=[
            Series(
                name="model",
                x=[classes[code] for code in shown],
                y=[float(hits[c] / totals[c]) if totals[c] else None for c in shown],
                low=[low for low, _ in ends],
                high=[high for _, high in ends],
                style="bars",
            )
        ],
        note="The most frequent classes first; lines are 95% intervals.",
    )
