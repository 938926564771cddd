"""Hold the choices of a spec against what the columns turned out to be.

Found before anything is trained, and all at once.

Pipeline, Layout -> nothing, or BadInput
"""

from __future__ import annotations

import math

from penstock import tasks
from penstock.errors import BadInput, Mistake
from penstock.records import Layout
from penstock.spec import DecisionSpec, Pipeline
from penstock.tables.agreement import check_sensitive


def check_choices(spec: Pipeline, layout: Layout) -> None:
    """Hold loss, metric, decisions, groups and mitigation against the table.

    Raises
    ------
    BadInput
        With every mistake.
    """
    mistakes: list[Mistake] = []
    for look in (
        lambda: check_sensitive(layout, spec.data.sensitive),
        lambda: tasks.objective_of(spec.objective, layout),
    ):
        try:
            look()
        except BadInput as error:
            mistakes += error.mistakes
    mistakes += _of_decision(spec.decision, layout) + _of_bias(spec, layout)
    if mistakes:
        raise BadInput(mistakes)


def _of_decision(spec: DecisionSpec, layout: Layout) -> list[Mistake]:
    if not layout.classes:
        asked = spec.costs or spec.threshold in ("metric", "cost")
        rule = "decision.threshold and decision.costs are for classes"
        return [Mistake(rule, f"the task is {layout.task}", "decision")] if asked else []
    if spec.costs and spec.threshold != "cost":
        rule = "decision.costs go with decision.threshold: cost"
        return [Mistake(rule, f"threshold: {spec.threshold}", "decision.threshold")]
    if spec.threshold == "cost" and not spec.costs:
        remedy = f"a row a true class, a column a decided one, in this order: {layout.classes}"
        return [Mistake("decision.threshold: cost needs costs", "none", "decision.costs", remedy)]
    count = len(layout.classes)
    if spec.costs and (len(spec.costs) != count or any(len(row) != count for row in spec.costs)):
        rule = f"decision.costs has {count} rows of {count} numbers, one a class"
        found = f"{len(spec.costs)} rows of {sorted({len(row) for row in spec.costs})}"
        return [Mistake(rule, found, "decision.costs", f"classes in order: {layout.classes}")]
    if not all(math.isfinite(cost) for row in spec.costs for cost in row):
        return [Mistake("a cost is a finite number", str(spec.costs), "decision.costs")]
    return []


def _of_bias(spec: Pipeline, layout: Layout) -> list[Mistake]:
    bias, sensitive = spec.bias, spec.data.sensitive
    found = []
    if bias.mitigation != "none" and not sensitive:
        rule = "a mitigation levels the groups of a sensitive column"
        remedy = "name it in data.sensitive"
        found.append(Mistake(rule, "data.sensitive is empty", "bias.mitigation", remedy))
    if bias.column and bias.column not in sensitive:
        rule = "bias.column is one of data.sensitive"
        known = ", ".join(sensitive) or "none"
        found.append(Mistake(rule, bias.column, "bias.column", f"sensitive columns: {known}"))
    if bias.mitigation == "thresholds" and len(layout.classes) != 2:
        rule = "thresholds by group are for two classes"
        remedy = "use bias.mitigation: reweigh" if layout.classes else "use none"
        found.append(Mistake(rule, _task(layout), "bias.mitigation", remedy))
    if bias.mitigation == "thresholds" and spec.decision.threshold != "auto":
        rule = "thresholds by group leave no other threshold to choose"
        said = f"decision.threshold: {spec.decision.threshold}"
        found.append(Mistake(rule, said, "decision.threshold", "leave decision.threshold: auto"))
    if bias.criterion in ("demographic_parity", "equalized_odds") and len(layout.classes) != 2:
        rule = f"bias.criterion: {bias.criterion} compares two classes"
        remedy = "use worst_group"
        found.append(Mistake(rule, _task(layout), "bias.criterion", remedy))
    return found


def _task(layout: Layout) -> str:
    count = len(layout.classes)
    return f"the target has {count} classes" if count else f"the task is {layout.task}"
