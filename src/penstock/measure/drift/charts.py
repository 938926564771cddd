"""What a window looks like beside the reference, and beside the windows before it.

Drift and its tests -> figures
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.evidence import Figure, Series
from penstock.measure.drift.changes import PREDICTIONS
from penstock.measure.drift.column_tests import ViewTest
from penstock.outcomes import Drift

MOST_PICTURES = 4
"""Columns that are drawn, the most changed first (house choice)."""
MOST_CELLS = 20
"""Cells of a column that are drawn, the largest first, in their order (house choice)."""


def history(lines: Sequence[dict[str, Any]]) -> dict[str, Figure]:
    """The declared metric and the distance from the reference, window by window."""
    if len(lines) < 2:
        return {}
    names = [str(line["window"]) for line in lines]
    metric = lines[-1]["metric"]
    same = [line if line.get("metric") == metric else {} for line in lines]
    shown = [
        _line("estimated", names, [line.get("estimated") for line in same], "line"),
        _line("realised", names, [line.get("realised") for line in same], "points"),
        _line("test rows", names, [{"value": (line.get("reference") or {}).get("value")}
                                   for line in same], "dashed"),
    ]  # fmt: skip
    alarms = [
        (line.get("realised") or line.get("estimated") or line.get("reference"))
        if line.get("outcome") == "alarm" else None for line in same
    ]  # fmt: skip
    if any(alarms):
        values = [{"value": a["value"]} if a else None for a in alarms]
        shown.append(_line("alarm", names, values, "points"))
    figures = {
        "history": Figure(
            title=f"{metric}, window by window", x="window", y=metric,
            series=[one for one in shown if any(v is not None for v in one.y)],
            note="Bars are 95% intervals. Estimated: without labels. Realised: once they came.",
        )
    }  # fmt: skip
    separation = _line("ROC AUC", names, [line.get("separation") for line in lines], "line")
    if any(value is not None for value in separation.y):
        figures["separation"] = Figure(
            title="How well a classifier tells the window from the reference",
            x="window", y="ROC AUC", series=[separation],
            note="0.5: it cannot. A difference by itself is drift, not harm.",
        )  # fmt: skip
    return figures


def _line(
    name: str, x: list[str], estimates: Sequence[dict[str, Any] | None], style: Any
) -> Series:
    known = [estimate or {} for estimate in estimates]
    low, high = ([one.get(side) for one in known] for side in ("low", "high"))
    bars = any(value is not None for value in low)
    return Series(
        name=name, x=list(x), y=[one.get("value") for one in known], style=style,
        low=low if bars else [], high=high if bars else [],
    )  # fmt: skip


def pictures(tests: list[ViewTest], drift: Drift) -> dict[str, Figure]:
    """Predictions, and the columns that changed most, then and now."""
    said = [test for test in tests if test.column == PREDICTIONS]
    changed = [t for t in tests if t.column in drift.drifted and t.column != PREDICTIONS]
    worst = sorted(changed, key=lambda test: -test.distance)[:MOST_PICTURES]
    figures = {}
    for test in [*said, *worst]:
        largest = np.argsort(-(np.asarray(test.before) + np.asarray(test.now)), kind="stable")
        kept = [i for i in sorted(largest[:MOST_CELLS].tolist()) if test.before[i] or test.now[i]]
        names = [test.cells[i] for i in kept]
        figures[f"view: {test.name}"] = Figure(
            title=f"{test.name}, then and now", x=test.name, y="share of rows",
            series=[
                Series(name=name, x=list(names), y=[shares[i] for i in kept], style="bars")
                for name, shares in {"reference": test.before, "this window": test.now}.items()
            ],
            note=f"Jensen-Shannon distance {test.distance:.3f}.",
            horizontal=max(map(len, names), default=0) > 8,
        )  # fmt: skip
    return figures
