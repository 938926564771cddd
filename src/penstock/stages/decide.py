"""Choose what is done with a score.

A network's score is not yet a decision: deep networks state more certainty than comes true, and
a probability says neither what a mistake costs nor how far from it the truth may lie. So the
temperature, the threshold and the width of sets and intervals are chosen here, on rows that no
weight was trained on, and everything later decides by the same policy.

Fitted, valid rows -> Policy
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import tasks
from penstock.errors import BadInput
from penstock.evidence import Evidence, Figure, Table
from penstock.measure import groups
from penstock.measure.bias.by_group import Groups
from penstock.measure.policy import choosing, conformal, decisions, effects, levelling
from penstock.measure.policy import figures as policy_figures
from penstock.measure.policy.costs import cost_threshold
from penstock.measure.policy.effects import Outcome
from penstock.measure.policy.thresholds import Cuts
from penstock.model import Model
from penstock.ports import Progress, Store
from penstock.records import Fitted, Layout, Policy, Rows
from penstock.spec import DecisionSpec
from penstock.tables.decision import decision_mistakes
from penstock.tables.typed import typed_as

SAME_ROWS = (
    "The rows that chose this radius also chose the epoch at which training stopped and, if any,"
    " one temperature, so the promise is not exact: evaluate measures it on the test rows."
)


def decide(
    fitted: Fitted,
    valid: Rows,
    spec: DecisionSpec,
    criterion: str,
    by: str,
    seed: int,
    store: Store,
    progress: Progress,
) -> Policy:
    """Choose temperature, thresholds and conformal radius on the validation rows.

    Parameters
    ----------
    fitted : Fitted
        The trained model.
    valid : Rows
        The only rows that are read.
    spec : DecisionSpec
        What is asked for.
    criterion : {"auto", "demographic_parity", "equalized_odds", "worst_group"}
        What thresholds by group level; not read without ``by``. auto: demographic_parity.
    by : str
        The column whose groups get a threshold each; it may be no feature. Empty: none.
    seed : int
        Of folds, bootstrap and simulated calibration.
    store, progress
        Where rows are; who is told.

    Raises
    ------
    BadInput
        With everything that :func:`penstock.tables.decision.decision_mistakes` finds.
    """
    layout = fitted.layout
    if wrong := decision_mistakes(spec, layout, by):
        raise BadInput(wrong)
    model = Model.of(fitted, store)
    task, table = tasks.load(layout.task), store.table(valid)
    target, raw = task.encode_target(table[layout.target], layout), model.scores(table)
    policy, told = Policy(coverage=spec.coverage), _Told()
    if useless := _useless(raw if layout.classes else task.signal(raw)):
        return policy.model_copy(update={"evidence": Evidence(notes=[useless])})
    progress(1, 3, "temperature and thresholds")
    if layout.classes:
        before = _Side(model, policy, table, raw, target)
        policy = _of_classes(before, spec, fitted.metric, criterion, by, seed, told)
    progress(2, 3, "sets and intervals")
    scores = task.tempered(raw, policy.temperature)
    for what in ("thresholds", "sets"):
        told.notes += tasks.not_applicable(task, what)
    if "sets" not in task.NOT_APPLICABLE:
        policy = _promised(policy, scores, task.nonconformity(scores, target), layout, told)
    progress(3, 3, "done")
    evidence = Evidence(tables=told.tables, figures=told.figures, notes=told.notes)
    return policy.model_copy(update={"evidence": evidence})


@dataclass
class _Told:
    """What is said about the policy so far."""

    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Side:
    """Validation rows under a policy; ``scores`` are those after its temperature."""

    model: Model
    policy: Policy
    table: pa.Table
    scores: NDArray[Any]
    target: NDArray[Any]

    @property
    def usual(self) -> float:
        """Two classes: the probability from which on the second one is decided."""
        if self.policy.costs:
            return cost_threshold(self.policy.costs)
        return choosing.PROBABLE if self.policy.threshold is None else self.policy.threshold

    @property
    def outcome(self) -> Outcome:
        """Scores, and decisions as the served model will make them."""
        model = Model(self.model.learnt, self.model.network, self.policy)
        return Outcome(self.scores, model.decided(self.table, self.scores))

    def under(self, changes: dict[str, Any]) -> _Side:
        """The same rows under a policy with other fields."""
        return replace(self, policy=self.policy.model_copy(update=changes))


def _useless(scores: NDArray[Any]) -> str:
    """Why nothing can be chosen by these scores; empty where it can."""
    if not len(scores):
        return "There are no validation rows: nothing was chosen."
    broken = int((~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)).sum())
    what = f"{broken} of {len(scores)} validation rows have scores that are no numbers"
    return f"{what}: nothing was chosen." if broken else ""


def _of_classes(
    before: _Side,
    spec: DecisionSpec,
    metric: str,
    criterion: str,
    by: str,
    seed: int,
    told: _Told,
) -> Policy:
    """Temperature and thresholds, with what they change."""
    classes, target = before.model.layout.classes, before.target
    degree, note = choosing.temperature(before.scores, target, spec.temperature)
    side = replace(before, scores=decisions.tempered(before.scores, degree))
    changes, notes = choosing.rule(side.scores, target, classes, spec, metric, seed)
    side = side.under({"temperature": degree} | changes)
    told.notes += [note, *notes]
    two = len(classes) == 2
    if two:
        aim = choosing.aim_of(spec, metric)
        if aim.tuned or spec.costs:
            told.figures["threshold"] = _threshold_figure(side, aim)
        if by:
            side = _by_group(before, side, aim, criterion, by, seed, told)
    sides, positive = (before.outcome, side.outcome), classes[1] if two else ""
    whole = effects.table(target, sides, metric, spec.costs, positive, seed)
    reliable = policy_figures.reliability(target, sides, positive)
    told.tables = {"before_after": whole} | told.tables
    told.figures = {"reliability": reliable} | told.figures
    return side.policy


def _threshold_figure(side: _Side, aim: choosing.Aim) -> Figure:
    cuts, sign = Cuts.of(side.scores[:, 1], side.target == 1), -1.0 if side.policy.costs else 1.0
    positive = side.model.layout.classes[1]
    return policy_figures.threshold(cuts, aim.measure, aim.name, side.usual, positive, sign)


def _by_group(
    before: _Side, side: _Side, aim: choosing.Aim, criterion: str, by: str, seed: int, told: _Told
) -> _Side:
    """Thresholds by group, with what they change."""
    column = typed_as(side.table, [side.model.layout.column(by)])[by]
    grouping = groups.learn(column, by)
    names = groups.names_of(grouping)
    # a level may be spelled like the group of missing values: what has one name is one group
    codes = np.array([names.index(name) for name in names])[groups.codes(column, grouping)]
    rows = levelling.Grouped(side.scores[:, 1], side.target == 1, codes, names)
    usual = side.usual
    found, note = choosing.by_group(rows, criterion, aim, usual, seed)
    told.notes.append(note)
    if found.thresholds:
        changes = {"costs": [], "grouping": grouping, "thresholds": found.thresholds}
        shared = {"threshold": usual} if usual != choosing.PROBABLE else {}
        side = side.under(changes | shared)
        figure = policy_figures.thresholds(found.thresholds, usual, by)
        told.figures["group_thresholds"] = figure
        told.notes.append(f"The thresholds need {by} at prediction time.")
        if groups.MISSING not in found.thresholds:
            told.notes.append(f"Rows without {by} are decided from the shared {usual:.4g} on.")
    if found.small:
        told.notes.append(
            f"Groups of {by} with too few validation rows for a threshold of their own, decided"
            f" from the shared {usual:.4g} on: {', '.join(found.small)}."
        )
    truth, sides = side.target, (before.outcome, side.outcome)
    each = Groups(by, names, codes, np.ones(len(names), dtype=bool))
    positive = side.model.layout.classes[1]
    if found.thresholds:
        told.notes.append(effects.price(truth, sides, each, found.small))
    told.tables["groups"] = effects.group_table(truth, sides, each, found.thresholds, usual)
    told.tables["gaps"] = effects.gap_table(truth, sides, each, found.small)
    told.figures["selection"] = policy_figures.selection(sides, each, positive)
    return side


def _promised(
    policy: Policy,
    scores: NDArray[Any],
    nonconformity: NDArray[Any],
    layout: Layout,
    told: _Told,
) -> Policy:
    """With the conformal radius, or a note that there are too few rows for the promise."""
    coverage, rows = policy.coverage, len(nonconformity)
    radius = conformal.radius(nonconformity, coverage)
    if radius is None:
        least = conformal.rows_needed(coverage)
        told.notes.append(
            f"No prediction sets or intervals: {rows} validation rows cannot promise to hold the"
            f" truth of {coverage:.0%} of new rows, {least} could."
        )
        return policy
    held = decisions.members(scores, radius) if layout.classes else None
    what, label = tasks.load(layout.task).reach(radius, layout)
    figure = policy_figures.radius(nonconformity, radius, coverage, label)
    told.figures["coverage"] = figure
    told.tables["promise"] = effects.promise_table(held, radius, coverage, rows)
    told.notes.append(f"{what}; they are to hold the truth of {coverage:.0%} of new rows.")
    told.notes.append(SAME_ROWS)
    return policy.model_copy(update={"radius": radius, "radius_rows": rows})
