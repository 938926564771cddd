"""Hold what is asked of decisions against the target and the column that makes groups.

DecisionSpec, Layout -> mistakes
"""

from __future__ import annotations

import numpy as np

from penstock.errors import Mistake
from penstock.records import Layout
from penstock.spec import DecisionSpec


def decision_mistakes(spec: DecisionSpec, layout: Layout, by: str) -> list[Mistake]:
    """What cannot be decided as it is asked for: known before any training.

    Parameters
    ----------
    spec : DecisionSpec
        What is asked for.
    layout : Layout
        Columns, classes and task.
    by : str
        The column whose groups get a threshold each; empty: none.
    """
    found = _cost_mistakes(spec, layout)
    if not by:
        return found
    if len(layout.classes) != 2:
        what = f"{len(layout.classes)} classes" if layout.classes else layout.task
        rule = "thresholds by group decide between two classes"
        remedy = "bias.mitigation: reweigh or none"
        found.append(Mistake(rule, f"{layout.target} is a target of {what}", "bias", remedy))
    known = {column.name: column for column in layout.columns}
    rule = "the column whose groups get a threshold each is in the data"
    if by not in known:
        remedy = f"use one of: {', '.join(known)}"
        found.append(Mistake(rule, f"no column {by!r} is kept", "bias.column", remedy))
    elif by == layout.target:
        rule = "groups are not made by the target"
        found.append(Mistake(rule, by, "bias.column", "name a column that is known beforehand"))
    elif known[by].arrow_type == "binary" or known[by].modality == "set":
        rule = "groups are made by names, numbers or times"
        remedy = "name another column"
        found.append(Mistake(rule, f"{by} is {known[by].modality}", "bias.column", remedy))
    return found


def _cost_mistakes(spec: DecisionSpec, layout: Layout) -> list[Mistake]:
    costs, count, where = spec.costs, len(layout.classes), "decision.costs"
    if not count and (costs or spec.threshold in ("metric", "cost")):
        rule, remedy = "thresholds and costs are for classes", "leave threshold: auto, no costs"
        found = f"{layout.target} is a number"
        return [Mistake(rule, found, "decision.threshold, decision.costs", remedy)]
    if not costs:
        if spec.threshold != "cost":
            return []
        rule = "decision.threshold: cost comes with decision.costs"
        return [Mistake(rule, "no costs", where, "add a row for each class, or leave cost out")]
    mistakes = []
    if spec.threshold != "cost":
        rule = "decision.costs are read with decision.threshold: cost"
        remedy = "set threshold: cost, or remove the costs"
        mistakes.append(Mistake(rule, f"threshold: {spec.threshold}", where, remedy))
    widths = [len(row) for row in costs]
    if widths != [count] * count:
        rule = f"the cost matrix has {count} rows of {count}: {', '.join(layout.classes)}"
        return [*mistakes, Mistake(rule, f"rows of {widths}", where, "a row a true class")]
    matrix = np.array(costs, dtype=np.float64)
    if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
        rule = "costs are numbers of at least 0"
        return [*mistakes, Mistake(rule, str(costs), where, "add a constant to each row")]
    extra = matrix - np.diag(matrix)[:, None]
    dear = [name for name, row in zip(layout.classes, extra, strict=True) if (row < 0).any()]
    if dear:
        rule = "no mistake costs less than being right: the diagonal is the least of its row"
        mistakes.append(Mistake(rule, f"in the row of {', '.join(dear)}", where, "check the order"))
    if not extra.any():
        rule = "some mistake costs more than being right"
        mistakes.append(Mistake(rule, str(costs), where, "give each mistake its price"))
    return mistakes
