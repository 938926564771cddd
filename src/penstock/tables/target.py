"""Tell what is predicted: the task, how the target is stored, and its classes.

raw target column -> :class:`Target`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from penstock import tasks
from penstock.errors import Mistake
from penstock.modalities import set as sets
from penstock.tables import arrow_types
from penstock.tables.arrow_types import Read, Reading

MOST_INTEGER_CLASSES = 20
"""Whole numbers of more levels are a regression (the house plan's inference rule)."""

MOST_CLASSES = 1000
MOST_DISTINCT = 0.5
"""A target of more levels, or of more levels for each row, names rows rather than classes
(house choice)."""


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes
    ----------
    task : str
        A name in ``penstock.tasks``.
    reading : Reading
        To bool, int64 or string for classes, to double for a number, to string for any text.
    num_null : int
        Rows without a target.
    why : str
        Why this task.
    order : tuple of str
        The classes in their order, where the spec says one.
    """

    task: str
    reading: Reading
    num_null: int
    why: str
    order: tuple[str, ...] = ()


def plan(
    name: str, raw: pa.ChunkedArray, task: str, kind: str, order: Sequence[str] = ()
) -> tuple[Target | None, list[Mistake]]:
    """Decide the task and how the target is read.

    Parameters
    ----------
    name : str
        The target column.
    raw : pa.ChunkedArray
        All its rows.
    task : str
        As the spec says: ``auto``, or a name in ``penstock.tasks``.
    kind : str
        ``category`` when it is a named group of a path.
    order : sequence of str
        The classes in their order, where the spec says one.
    """
    wanted = "" if task == "auto" else tasks.load(task).TARGET
    if wanted in ("category", "text"):
        return _any_text(name, raw, task)
    as_text = wanted == "classes" or (kind == "category" and task == "auto")
    reading = arrow_types.reading(raw)
    if reading and as_text and (reading.tokens or kind == "category"):
        reading = arrow_types.reading(raw, "text")
    if reading is None or pa.types.is_binary(reading.arrow_type):
        return None, [_not_a_target(name, f"type {raw.type}")]
    typed = reading.read(raw)
    if typed.null_count == len(typed):
        return None, [_not_a_target(name, "no value in any row")]
    number = pa.types.is_integer(typed.type) or pa.types.is_floating(typed.type)
    if not number and not (pa.types.is_string(typed.type) or pa.types.is_boolean(typed.type)):
        return None, [_not_a_target(name, f"values of type {typed.type}")]
    if task == "auto" and (several := _several(raw, typed)):
        return None, [_several_labels(name, several)]
    chosen, why = (task, "said in data.task") if task != "auto" else _infer(typed, number)
    if tasks.load(chosen).TARGET == "number":
        if not number:
            return None, [_not_numbers(name, typed)]
        read = _then_cast(reading, pa.float64())
    else:
        mistakes = _levels(name, typed)
        if mistakes:
            return None, mistakes
        read = _class_reading(reading, typed)
    if unfit := tasks.load(chosen).unfit(read.read(raw), order):
        rule, (found, remedy) = f"the target is one that the task {chosen} predicts", unfit
        return None, [Mistake(rule, found, f"data.target: {name}", remedy)]
    return Target(chosen, read, typed.null_count, why, tuple(order)), []


def _any_text(name: str, raw: pa.ChunkedArray, task: str) -> tuple[Target | None, list[Mistake]]:
    """A target of any number of levels, spelled as text."""
    plain = arrow_types.reading(raw)
    if plain is None or pa.types.is_binary(plain.arrow_type):
        return None, [_not_a_target(name, f"type {raw.type}")]
    text = pa.types.is_string(plain.arrow_type) or plain.tokens
    reading = (arrow_types.reading(raw, "text") if text else None) or plain
    if not pa.types.is_string(reading.arrow_type):
        reading = _then_cast(reading, pa.string())
    num_null = reading.read(raw).null_count
    if num_null == len(raw):
        return None, [_not_a_target(name, "no value in any row")]
    return Target(task, reading, num_null, "said in data.task"), []


def classes(levels: pa.Array, order: Sequence[str] = ()) -> list[str]:
    """Class names in encoding order: as said; else numbers by size, anything else by spelling.

    Examples
    --------
    >>> classes(pa.array(["10", "9", "1"])), classes(pa.array([True, False]))
    (['1', '9', '10'], ['false', 'true'])
    """
    names = sorted(set(pc.cast(levels.drop_null(), pa.string()).to_pylist()))
    if order:
        return [name for name in order if name in names]
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return names


def _infer(typed: pa.ChunkedArray, number: bool) -> tuple[str, str]:
    if not number:
        return "classification", f"the target holds {typed.type} values"
    num_levels = pc.count_distinct(typed).as_py()
    if not _whole(typed):
        return "regression", "the target holds numbers with decimals"
    whole = f"the target holds {num_levels} different whole numbers"
    said = "data.task may say otherwise: ordinal where they are steps, count where they count"
    if num_levels <= MOST_INTEGER_CLASSES:
        return "classification", whole if num_levels <= 2 else f"{whole}; {said}"
    return "regression", f"{whole}, more than {MOST_INTEGER_CLASSES}; {said}"


def _whole(typed: pa.ChunkedArray) -> bool:
    if pa.types.is_integer(typed.type):
        return True
    return bool(pc.all(pc.equal(typed, pc.floor(typed))).as_py())


def _class_reading(reading: Reading, typed: pa.ChunkedArray) -> Reading:
    """Classes are spelled from bool, int64 or string; other numbers become strings here."""
    if not pa.types.is_floating(typed.type):
        return reading
    return _then_cast(reading, pa.int64() if _whole(typed) else pa.string())


def _then_cast(reading: Reading, target: pa.DataType) -> Reading:
    read: Read = reading.read
    return Reading(
        target, lambda column: pc.cast(read(column), target), reading.tokens, reading.why
    )


def _several(raw: pa.ChunkedArray, typed: pa.ChunkedArray) -> str:
    """What shows that a row has several labels; empty when it has one."""
    if pa.types.is_list(raw.type) or pa.types.is_large_list(raw.type):
        return "a list in each row"
    sign = sets.delimiter_of(typed) if pa.types.is_string(typed.type) else ""
    return f"labels that stand side by side, with {sign!r} between them" if sign else ""


def _several_labels(name: str, found: str) -> Mistake:
    return Mistake(
        "a row has one label; multi-label targets are not predicted",
        found,
        f"data.target: {name}",
        "make a column of yes and no for each label, and a pipeline for each that matters; or say"
        " data.task: classification to take each combination for a class",
    )


def _levels(name: str, typed: pa.ChunkedArray) -> list[Mistake]:
    num_values = len(typed) - typed.null_count
    num_levels = pc.count_distinct(typed).as_py()
    if num_levels < 2:
        return [one_class(name)]
    if num_levels <= MOST_CLASSES and (num_levels <= 2 or num_levels <= MOST_DISTINCT * num_values):
        return []
    return [
        Mistake(
            f"a target of classes has at most {MOST_CLASSES} levels that repeat",
            f"{num_levels} levels in {num_values} rows",
            f"data.target: {name}",
            "name the column of classes; or say data.task: regression if it holds numbers",
        )
    ]


def one_class(name: str, but: str = "") -> Mistake:
    """The mistake of a target that is the same everywhere, ``but`` for rows that are lost."""
    return Mistake(
        "a target has at least two classes or values",
        f"one value in all rows{but}",
        f"data.target: {name}",
        "name another target, or add the rows of the other class",
    )


def _not_a_target(name: str, found: str) -> Mistake:
    return Mistake(
        "a target holds text, booleans or numbers", found, f"data.target: {name}", "name another"
    )


def _not_numbers(name: str, typed: pa.ChunkedArray) -> Mistake:
    examples = ", ".join(repr(str(v))[:40] for v in typed.drop_null().unique()[:3].to_pylist())
    return Mistake(
        "the target of a regression holds numbers",
        f"values such as {examples}",
        f"data.target: {name}",
        "say data.task: classification, or mend the values that are no numbers",
    )
