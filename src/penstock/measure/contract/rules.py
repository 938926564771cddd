"""The row-level rules of a contract, held against rows batch by batch.

Scoring must not import Great Expectations and must not hold more than a batch, so the rules
for single rows that a contract sets rows aside by are answered here from Arrow columns. A test
holds every answer against Great Expectations' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock import vocabulary

Rule = Callable[[pa.ChunkedArray, dict[str, Any]], pa.ChunkedArray]


def reasons(rows: pa.Table, contract: list[dict[str, Any]]) -> NDArray[np.object_]:
    """Why each row is to be set aside, ``object[n]``: text, empty where it may stay.

    Parameters
    ----------
    rows : pa.Table
        One batch; a rule whose column is absent says nothing (the target of new rows is).
    contract : list of dict
        ``type``, ``kwargs`` and ``meta``.

    Examples
    --------
    >>> rule = {"type": "expect_column_values_to_be_between", "meta": {"quarantine": True},
    ...         "kwargs": {"column": "age", "min_value": 0}}
    >>> reasons(pa.table({"age": [-1, 30, None]}), [rule]).tolist()
    ['age: to be between (0 to any)', '', '']
    """
    found = np.full(rows.num_rows, "", dtype=object)
    for rule in _rules(contract):
        name = rule["kwargs"]["column"]
        if name not in rows.column_names:
            continue
        keeps = RULES[rule["type"]](_decoded(rows[name]), rule["kwargs"])
        broken = ~np.asarray(pc.fill_null(keeps, True).to_numpy(), dtype=bool)
        if broken.any():
            limits = vocabulary.limits(rule, share=False)
            text = vocabulary.in_words(rule) + (f" ({limits})" if limits else "")
            found[broken] = [f"{earlier}; {text}" if earlier else text for earlier in found[broken]]
    return found


def unanswered(contract: list[dict[str, Any]]) -> list[str]:
    """Rules that set rows aside but need more than one batch or another engine, in words."""
    asked = [rule for rule in contract if (rule.get("meta") or {}).get("quarantine")]
    answered = [id(rule) for rule in _rules(contract)]
    return [vocabulary.in_words(rule) for rule in asked if id(rule) not in answered]


def _rules(contract: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for rule in contract:
        kwargs = rule["kwargs"]
        asked = (rule.get("meta") or {}).get("quarantine")
        if asked and rule["type"] in RULES and "row_condition" not in kwargs and _reads(rule):
            yield rule


def _reads(rule: dict[str, Any]) -> bool:
    """Whether Arrow's regular expressions know this one."""
    pattern = rule["kwargs"].get("regex")
    try:
        if pattern is not None:
            pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _between(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    least, most = (_bound(kwargs.get(end), column.type) for end in ("min_value", "max_value"))
    above = pc.greater if kwargs.get("strict_min") else pc.greater_equal
    below = pc.less if kwargs.get("strict_max") else pc.less_equal
    keeps = pc.is_valid(column)
    if least is not None:
        keeps = pc.and_kleene(keeps, above(column, least))
    if most is not None:
        keeps = pc.and_kleene(keeps, below(column, most))
    return pc.if_else(pc.is_valid(column), keeps, True)


def _bound(value: Any, kind: pa.DataType) -> pa.Scalar | None:
    """A bound as the column compares it: text as a moment, a fraction beside whole numbers."""
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo and not kind.tz:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return pa.scalar(moment, kind)
    return pa.scalar(value)


def _in_set(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    return pc.or_(pc.is_null(column), _member(column, kwargs["value_set"]))


def _not_in_set(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    return pc.or_(pc.is_null(column), pc.invert(_member(column, kwargs["value_set"])))


def _member(column: pa.ChunkedArray, listed: list[Any]) -> pa.ChunkedArray:
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if number:
        known = [value for value in listed if isinstance(value, int | float)]
        return pc.is_in(column.cast(pa.float64(), safe=False), pa.array(known, pa.float64()))
    if pa.types.is_boolean(column.type):
        known = [value for value in listed if isinstance(value, bool)]
        return pc.is_in(column, pa.array(known, pa.bool_()))
    return pc.is_in(column.cast(pa.string()), pa.array([str(value) for value in listed]))


def _not_null(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    return pc.is_valid(column)


def _null(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    return pc.is_null(column)


def _regex(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    return pc.match_substring_regex(column.cast(pa.string()), kwargs["regex"])


def _not_regex(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    return pc.invert(_regex(column, kwargs))


def _lengths(column: pa.ChunkedArray, kwargs: dict[str, Any]) -> pa.ChunkedArray:
    return _between(pc.utf8_length(column.cast(pa.string())), kwargs)


RULES: dict[str, Rule] = {
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_match_regex": _regex,
    "expect_column_values_to_not_match_regex": _not_regex,
    "expect_column_value_lengths_to_be_between": _lengths,
}
"""Rules for single rows that a batch answers."""
