"""Hold what the spec says of columns against what the columns are, and give each its role.

spec, surveys -> mistakes, or the Layout
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from penstock import tasks
from penstock.errors import BadInput, Mistake, did_you_mean
from penstock.records import Column, Layout, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock import ports, spec
    from penstock.tables.columns import Survey
    from penstock.tables.target import Target

PARTS = ("train", "valid", "test")


def check_columns(names: list[str], data: spec.Data, split: spec.SplitSpec) -> None:
    """Hold the column names of the spec against those of the source.

    Raises
    ------
    BadInput
        With every name that is not there, and a split column that is missing, superfluous or
        the target.

    Examples
    --------
    >>> from penstock.spec import Data, SplitSpec
    >>> check_columns(["age", "income"], Data(source="x.csv", target="income"), SplitSpec())
    """
    asked = [("data.target", data.target)]
    asked += [("data.sensitive", name) for name in data.sensitive]
    asked += [("data.features", name) for name in data.features]
    asked += [("data.context", name) for name in data.context]
    asked += [
        (f"data.{f}", name) for f in ("user", "feedback", "weight") if (name := getattr(data, f))
    ]
    if split.column:
        asked.append(("split.column", split.column))
    mistakes = [_absent(where, name, names) for where, name in asked if name not in names]
    mistakes += _of_users(data, names)
    strategy = strategy_of(data.task, split)
    if strategy not in ("stratified", "per_user") and not split.column:
        mistakes.append(
            Mistake(
                f"split.strategy: {strategy} needs split.column",
                "no split.column",
                "split",
                f"name one of: {_shown(names)}",
            )
        )
    if strategy == "stratified" and split.column:
        mistakes.append(
            Mistake(
                "split.column goes with split.strategy: group, time or column",
                f"split.column: {split.column} and split.strategy: stratified",
                "split",
                "say the strategy, or remove split.column",
            )
        )
    if split.column and split.column == data.target:
        mistakes.append(
            Mistake("the target does not divide the rows", split.column, "split.column")
        )
    if data.weight and data.weight in (data.target, split.column, *data.sensitive):
        rule = "the weight is a column of its own"
        mistakes.append(Mistake(rule, f"{data.weight} has another use too", "data.weight"))
    if data.target in data.sensitive:
        mistakes.append(
            Mistake("a sensitive column is not the target", data.target, "data.sensitive")
        )
    if mistakes:
        raise BadInput(mistakes)


def strategy_of(task: str, split: spec.SplitSpec) -> str:
    """The split strategy, with ``auto`` replaced by the task's own.

    Raises
    ------
    BadInput
        When it makes no sense for the task.
    """
    offered = tasks.load("classification" if task == "auto" else task).SPLITS
    if split.strategy not in ("auto", *offered):
        raise BadInput(
            Mistake(
                f"split.strategy is one that {task} can be divided by",
                split.strategy,
                "split.strategy",
                f"use one of: {', '.join(offered)}",
            )
        )
    return offered[0] if split.strategy == "auto" else split.strategy


def _of_users(data: spec.Data, names: list[str]) -> list[Mistake]:
    """What a task that asks for users lacks, and what one that does not is told in vain."""
    said = [name for name in ("user", "feedback", "context") if getattr(data, name)]
    if data.task == "auto" or not tasks.load(data.task).USERS:
        remedy = "say the task ranking, or leave this out"
        found = f"data.task: {data.task}"
        return [
            Mistake(f"data.{name} is for a ranking", found, f"data.{name}", remedy) for name in said
        ]
    mistakes = []
    if not data.user:
        rule, remedy = f"a {data.task} says who took the items", f"one of: {_shown(names)}"
        mistakes.append(Mistake(rule, "data.user is empty", "data.user", remedy))
    uses = [(name, getattr(data, name)) for name in ("target", "user", "time", "feedback")]
    uses += [("context", name) for name in data.context]
    for place, (field, name) in enumerate(uses):
        other = next((f"data.{f}" for f, n in uses[:place] if name and n == name), "")
        if other:
            rule = "what users took, who, when, how well and where are columns of their own"
            mistakes.append(Mistake(rule, f"{name} is {other} too", f"data.{field}"))
    return mistakes


def _absent(where: str, name: str, names: list[str]) -> Mistake:
    remedy = did_you_mean(name, names) or f"columns: {_shown(names)}"
    if names[-2:-1] == ["path"]:  # a source of files
        remedy += (
            "; where the files' names tell more, say so by a pattern in the source, such as"
            f" folder/{{{name}}}_{{number}}.png or folder/{{{name}}}/{{file}}.png"
        )
    return Mistake(f"{where} names a column of the source", f"no column {name!r}", where, remedy)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")


def divides(split: spec.SplitSpec, found: Survey, raw: pa.ChunkedArray) -> list[Mistake]:
    """What keeps a column from dividing the rows by the strategy."""
    where = f"split.column: {split.column}"
    kind = found.reading.arrow_type if found.reading else pa.binary()
    if found.reading is None or pa.types.is_binary(kind):
        return [Mistake("the split column holds words, numbers or times", found.why, where)]
    typed = found.reading.read(raw)
    if split.strategy in ("time", "per_user", "auto"):
        if pa.types.is_timestamp(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return _varies(typed, where)
        return [
            Mistake(
                "a time column holds times or numbers",
                f"values of type {kind}",
                where,
                "write them as 2024-12-31 or 2024-12-31T23:59:59",
            )
        ]
    if split.strategy == "column":
        return _names_parts(typed, where)
    return _varies(typed, where)


def _varies(typed: pa.ChunkedArray, where: str) -> list[Mistake]:
    if pc.count_distinct(typed).as_py() > 1:
        return []
    return [Mistake("a split column has at least two values", "one value", where, "name another")]


def weighs(found: Survey, raw: pa.ChunkedArray) -> list[Mistake]:
    """What keeps a column from saying how much each row counts."""
    where, rule = f"data.weight: {found.name}", "a weight is a finite number of at least 0"
    remedy = "mend these rows, or leave them out of the source"
    typed = found.reading.read(raw) if found.reading else None
    if typed is None or not (pa.types.is_integer(typed.type) or pa.types.is_floating(typed.type)):
        return [Mistake(rule, found.why or "values that are no numbers", where, "name another")]
    values = pc.cast(typed, pa.float64())
    negative = pc.sum(pc.less(values, 0)).as_py() or 0
    told = [f"{values.null_count} rows without one"] if values.null_count else []
    told += [f"{negative} negative ones"] if negative else []
    if told:
        return [Mistake(rule, ", ".join(told), where, remedy)]
    if not pc.sum(values).as_py() > 0:
        return [Mistake("some row has a weight", "0 in every row", where, "name another column")]
    return []


def rates(found: Survey) -> list[Mistake]:
    """What keeps a column from saying how well an item was taken."""
    kind = found.reading.arrow_type if found.reading else pa.binary()
    if any(
        is_one(kind) for is_one in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    ):
        return []
    remedy = "write it as numbers, such as 1 and 0, or leave data.feedback out"
    told = found.why or f"values of type {kind}"
    return [Mistake("a rating is a number", told, f"data.feedback: {found.name}", remedy)]


def _names_parts(typed: pa.ChunkedArray, where: str) -> list[Mistake]:
    levels = pc.utf8_lower(pc.cast(typed, pa.string())).unique()
    found = {str(level) if level is not None else "no value" for level in levels.to_pylist()}
    strange = sorted(found - set(PARTS))
    missing = [part for part in ("train", "test") if part not in found]
    remedy = "write train, valid or test in each row; valid is carved from train when absent"
    mistakes = []
    if strange:
        shown = ", ".join(strange[:5]) + (f" and {len(strange) - 5} more" if strange[5:] else "")
        mistakes.append(Mistake("a split column holds train, valid, test", shown, where, remedy))
    if missing:
        mistakes.append(
            Mistake(
                "a split column has rows of train and of test",
                f"no row of {' and '.join(missing)}",
                where,
                remedy,
            )
        )
    return mistakes


def layout_of(
    surveys: dict[str, Survey],
    goal: Target,
    source: ports.Source,
    data: spec.Data,
    split: spec.SplitSpec,
) -> Layout:
    """Give each stored column its role.

    Raises
    ------
    BadInput
        When no feature is left, or a sensitive column is of a type that nothing reads.
    """
    found = []
    for name, survey in surveys.items():
        if name != data.target and not (survey.reading and survey.modality):
            continue  # nothing downstream could read it: the evidence names it
        role = _role(survey, source.kinds.get(name, ""), data, split)
        reading = goal.reading if role == "target" else survey.reading
        modality, why = survey.modality, survey.why
        if role == "target":
            said = tasks.load(goal.task).TARGET
            modality = {"classes": "category", "number": "numeric"}.get(said, said)
            why = goal.why
        assert reading is not None
        kind = "string" if role == "split" else str(reading.arrow_type)
        found.append(
            Column(
                name=name,
                modality=modality,
                arrow_type=kind,
                role=role,
                why=why,
                masked=role != "target" and name in data.features and data.features[name].mask,
            )
        )
    layout = Layout(
        columns=found, target=data.target, task=goal.task, relevant_from=data.feedback_from
    )
    if not tasks.load(goal.task).inputs(layout):
        reasons = [f"{c.name} ({c.role}{': ' + c.why if c.why else ''})" for c in found]
        raise BadInput(
            Mistake(
                "at least one column is left for the model to read",
                "; ".join(reasons[:10]),
                source.description,
                "say in data.features what a column is, for example id: category",
            )
        )
    check_sensitive(layout, data.sensitive, {n: survey.why for n, survey in surveys.items()})
    return layout


def check_sensitive(
    layout: Layout, sensitive: list[str], reasons: Mapping[str, str] | None = None
) -> None:
    """Hold the sensitive columns against those of a snapshot.

    Parameters
    ----------
    layout : Layout
        Of the snapshot.
    sensitive : list of str
        Names of columns.
    reasons : mapping of str to str, optional
        Why a column was not stored, by its name.

    Raises
    ------
    BadInput
        With every one that is not stored, or whose kind makes no groups.
    """
    kinds = {column.name: column.modality for column in layout.columns}
    makes = {column.name for column in layout.columns if column.arrow_type != "binary"}
    lost = [name for name in sensitive if name not in makes]
    if lost:
        raise BadInput(
            Mistake(
                "a sensitive column holds values that make groups",
                (reasons or {}).get(name) or f"it is {kinds.get(name, 'of no kind that is read')}",
                f"data.sensitive: {name}",
            )
            for name in lost
        )


def _role(survey: Survey, kind: str, data: spec.Data, split: spec.SplitSpec) -> Role:
    if survey.name == data.target:
        return "target"
    if split.column and survey.name == split.column:
        roles: dict[str, Role] = {
            "column": "split", "group": "group", "time": "time", "per_user": "time", "auto": "time",
        }  # fmt: skip
        return roles[split.strategy]
    if survey.name == data.weight:
        return "weight"
    if survey.name in (data.user, data.feedback):
        return "user" if survey.name == data.user else "feedback"
    if survey.usable and data.user and survey.name not in data.context:
        return "item"
    if kind in ("category", "metadata") and survey.name not in data.features:
        return "metadata"
    return "feature" if survey.usable else "left_out"
