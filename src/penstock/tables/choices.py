"""Hold the choices of a spec against what the columns turned out to be.

Found before anything is trained, and all at once.

Pipeline, Layout -> nothing, or BadInput
"""

from __future__ import annotations

from penstock import plugins, tasks
from penstock.errors import BadInput, Mistake, did_you_mean
from penstock.measure.bias.fairness import criterion_of
from penstock.records import Layout
from penstock.spec import Pipeline
from penstock.tables.agreement import check_sensitive
from penstock.tables.decision import decision_mistakes


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
        lambda: criterion_of(spec.bias, layout),
    ):
        try:
            look()
        except BadInput as error:
            mistakes += error.mistakes
    levelled = spec.mitigated_column if spec.bias.mitigation == "thresholds" else ""
    mistakes += decision_mistakes(spec.decision, layout, levelled) + _of_bias(spec, layout)
    mistakes += _of_encoders(spec, layout)
    if mistakes:
        raise BadInput(mistakes)


def _of_encoders(spec: Pipeline, layout: Layout) -> list[Mistake]:
    read = tasks.load(layout.task).inputs(layout)
    kinds = {column.name: column.modality for column in layout.features if column in read}
    known = plugins.modules("penstock.backbones")
    rule = "a pretrained network reads a feature of " + ", ".join(known)
    found = []
    for name in spec.model.encoders:
        if name not in kinds:
            wrong = "no such feature"
            features = ", ".join(kinds) or f"none, for the task {layout.task}"
            remedy = did_you_mean(name, kinds) or f"features: {features}"
        elif kinds[name] not in known:
            wrong, remedy = f"it is {kinds[name]}", "take it out of model.encoders"
        else:
            continue
        found.append(Mistake(rule, wrong, f"model.encoders.{name}", remedy))
    return found


def _of_bias(spec: Pipeline, layout: Layout) -> list[Mistake]:
    bias, sensitive = spec.bias, spec.data.sensitive
    found = []
    needs = {"reweigh": "reweighing", "thresholds": "thresholds"}.get(bias.mitigation, "")
    if why := tasks.load(layout.task).NOT_APPLICABLE.get(needs):
        rule = f"{layout.task} can be mitigated by {bias.mitigation}"
        found.append(Mistake(rule, why, "bias.mitigation", "bias.mitigation: none"))
    if bias.mitigation != "none" and not sensitive:
        rule = "a mitigation levels the groups of a sensitive column"
        remedy = "name it in data.sensitive"
        found.append(Mistake(rule, "data.sensitive is empty", "bias.mitigation", remedy))
    if bias.column and bias.column not in sensitive:
        rule = "bias.column is one of data.sensitive"
        known = ", ".join(sensitive) or "none"
        found.append(Mistake(rule, bias.column, "bias.column", f"sensitive columns: {known}"))
    return found
