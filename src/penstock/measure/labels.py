"""What is predicted, looked at by itself: balance and entropy of classes, tails of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Evidence, Figure, Series, Table

LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Quantiles that are shown."""
FENCE = 1.5
"""Tukey's fences (1977): so many interquartile ranges beyond the quartiles; a normal
distribution has 0.7% of its rows outside."""
NORMAL_TAIL = 3.449
"""Width of the central 98% over that of the central 50%, for a normal distribution."""
NUM_BARS = 40
SHOWN_CLASSES = 30


def entropy_bits(counts: NDArray[np.integer]) -> float:
    """Entropy of labels in bits; ``log2(classes)`` when they are equally frequent.

    Examples
    --------
    >>> entropy_bits(np.array([5, 5])), entropy_bits(np.array([10, 0]))
    (1.0, 0.0)
    """
    shares = counts[counts > 0] / max(1, counts.sum())
    return abs(float(-(shares * np.log2(shares)).sum()))


def shape_of(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean, spread, skewness, tail weight and share of outliers of numbers.

    ``skewness`` is the third standardised moment; ``tail_weight`` the width of the central 98%
    over that of the central 50% (3.4 for a normal distribution, 8.5 for Student's t of 2
    degrees), nan where the latter has no width; ``outliers`` the share beyond Tukey's fences.

    Examples
    --------
    >>> round(shape_of(np.array([0.0, 0.0, 0.0, 1.0]))["skewness"], 4)
    1.1547
    """
    unit = float(np.abs(values).max()) or 1.0  # squares and cubes of it stay finite
    values = values / unit
    low, left, right, high = np.quantile(values, [0.01, 0.25, 0.75, 0.99])
    mean, deviation = float(np.mean(values)), float(np.std(values))
    scaled = (values - mean) / deviation if deviation > 0 else np.zeros(len(values))
    outside = (values < left - FENCE * (right - left)) | (values > right + FENCE * (right - left))
    return {
        "mean": mean * unit,
        "deviation": deviation * unit,
        "skewness": float(np.mean(scaled**3)),
        "tail_weight": float((high - low) / (right - left)) if right > left else float("nan"),
        "outliers": float(np.mean(outside)),
    }


def histogram(values: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Centres and shares of up to :data:`NUM_BARS` equal bins over the central 98%."""
    low, high = np.quantile(values, [0.01, 0.99])
    if not low < high:
        return [float(low)], [1.0]
    inside = values[(values >= low) & (values <= high)]
    counts, edges = np.histogram(inside, bins=min(NUM_BARS, max(1, len(np.unique(inside)))))
    return ((edges[:-1] + edges[1:]) / 2).tolist(), (counts / len(values)).tolist()


def of_classes(counts: NDArray[np.integer], classes: list[str]) -> Evidence:
    """Balance and entropy of classes: a table, a figure and a sentence."""
    order = np.argsort(-counts, kind="stable")
    total = max(1, int(counts.sum()))
    records = [
        {"class": classes[code], "rows": int(counts[code]), "share": float(counts[code] / total)}
        for code in order
    ]
    bits, most = entropy_bits(counts), float(np.log2(max(1, len(classes))))
    shown = records[:SHOWN_CLASSES]
    bars = Series(
        name="share of training rows",
        x=[str(record["class"]) for record in shown],
        y=[record["share"] for record in shown],
        style="bars",
    )
    note = (
        f"The label carries {bits:.3f} bits a row, of {most:.3f} that {len(classes)} equally"
        f" frequent classes would."
    )
    figure = Figure(title="Classes", x="class", y="share of training rows", series=[bars])
    return Evidence(
        tables={"balance": Table.of("Classes of the training rows", records, note)},
        figures={"balance": figure},
        notes=[note],
    )


def of_values(values: NDArray[np.float64], name: str) -> Evidence:
    """Quantiles, skewness, tails and outliers of numbers: tables, a figure and a sentence."""
    shape = shape_of(values)
    quantiles = np.quantile(values, LEVELS)
    found = [{"quantity": key.replace("_", " "), "value": value} for key, value in shape.items()]
    found += [
        {"quantity": f"quantile {level:g}", "value": float(quantile)}
        for level, quantile in zip(LEVELS, quantiles, strict=True)
    ]
    centres, shares = histogram(values)
    figure = Figure(
        title=f"Distribution of {name}",
        x=name,
        y="share of training rows",
        series=[Series(name="training rows", x=list(centres), y=list(shares), style="step")],
        marks=[(shape["mean"], "mean"), (float(np.median(values)), "median")],
        note="The central 98% of the rows; the tails beyond are in the table.",
    )
    note = (
        f"{shape['outliers']:.1%} of the values of {name} are outliers (a normal distribution has"
        f" 0.7%), the tail weight is {shape['tail_weight']:.1f} ({NORMAL_TAIL:.1f}), the skewness"
        f" {shape['skewness']:.1f} (0)."
    )
    return Evidence(
        tables={"balance": Table.of("Target of the training rows", found, note)},
        figures={"balance": figure},
        notes=[note],
    )
