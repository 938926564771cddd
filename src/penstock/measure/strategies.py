"""From the rows of a table to the part of each: by chance, by group, by time, by a column.

Arrow columns and codes in, a part for each row out. What cannot be followed is BadInput.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput, Mistake
from penstock.measure import division
from penstock.measure.matrix import as_seconds, as_text, codes_of
from penstock.spec import SplitSpec

MOSTLY_EQUAL = 0.5
"""From this share of rows with an equal one on, the table is one of few different rows: they
are divided one by one (house choice)."""


@dataclass
class Grounds:
    """What the division of the rows depends on; every array has one entry a row."""

    spec: SplitSpec
    units: np.ndarray
    strata: np.ndarray
    column: pa.ChunkedArray | None
    notes: list[str]
    users: np.ndarray | None = None

    @property
    def together(self) -> np.ndarray:
        """Equal rows as one, unless the table consists of them."""
        counts = np.bincount(self.units)
        share = float((counts[self.units] > 1).mean())
        if share <= MOSTLY_EQUAL:
            return self.units
        self.notes.append(
            f"{share:.0%} of the rows have an equal one: a table of few different rows, so equal"
            " rows were not kept on one side."
        )
        return np.arange(len(self.units))


def _stratified(rows: Grounds) -> np.ndarray:
    spec, units = rows.spec, rows.together
    return division.stratified(units, rows.strata, spec.valid, spec.test, spec.seed)


def _group(rows: Grounds) -> np.ndarray:
    spec, groups = rows.spec, group_numbers(rows)
    if groups.max() < 2:
        raise BadInput(
            Mistake(
                "a group split needs at least three groups",
                f"{groups.max() + 1} in column {spec.column}",
                "split.column",
                "name another column, or another split.strategy",
            )
        )
    return division.grouped(groups, rows.strata, spec.valid, spec.test, spec.seed)


def _time(rows: Grounds) -> np.ndarray:
    part = division.by_time(times_of(rows), rows.spec.valid, rows.spec.test)
    if not (part == division.VALID).any():
        raise BadInput(
            Mistake(
                "a time split needs at least three different times",
                "fewer",
                f"column {rows.spec.column}",
                "name another column, or another split.strategy",
            )
        )
    return part


def _column(rows: Grounds) -> np.ndarray:
    assert rows.column is not None
    words = pc.utf8_lower(pc.utf8_trim_whitespace(as_text(rows.column)))
    codes = pc.index_in(words, value_set=pa.array(division.PARTS, words.type))
    _check_words(rows, words, codes)
    part = codes.to_numpy().astype(np.int64)
    if not (part == division.VALID).any():
        inside = np.flatnonzero(part == division.TRAIN)
        carved = division.stratified(
            rows.together[inside], rows.strata[inside], rows.spec.valid, 0.0, rows.spec.seed
        )
        part[inside] = carved
        rows.notes.append(
            f"Column {rows.spec.column} names no valid rows: {rows.spec.valid:.0%} of its train"
            " rows were drawn for that."
        )
    return part


def _per_user(rows: Grounds) -> np.ndarray:
    assert rows.users is not None
    rows.notes.append(
        "Each user's later rows test what the earlier ones taught. Rows of other users may be later"
        " still: split.strategy: time holds back all that came after a moment."
    )
    times = np.arange(len(rows.users)) if rows.column is None else times_of(rows)
    if rows.column is None:
        rows.notes.append(
            "No column says when a user took something: the order of the rows in the source is"
            " taken for it. data.time names a column that knows it better."
        )
    return division.per_user(rows.users, times, rows.spec.valid, rows.spec.test)


STRATEGIES: dict[str, Callable[[Grounds], np.ndarray]] = {
    "stratified": _stratified,
    "group": _group,
    "time": _time,
    "column": _column,
    "per_user": _per_user,
}
"""From what is known of the rows to the part of each, ``int64[n]``."""


def group_numbers(rows: Grounds) -> np.ndarray:
    """Group numbers; rows without one are one group, since nobody knows whose they are."""
    assert rows.column is not None
    codes = codes_of(rows.column)
    num_nulls = int((codes < 0).sum())
    if num_nulls:
        rows.notes.append(
            f"{num_nulls} rows have no {rows.spec.column}: they stay together as one group."
        )
    return np.unique(codes, return_inverse=True)[1]


def times_of(rows: Grounds) -> np.ndarray:
    """The column of a time split as ``float64[n]``, seconds where it holds timestamps."""
    assert rows.column is not None
    kind, where = rows.column.type, f"column {rows.spec.column}"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        times = rows.column.cast(pa.float64(), safe=False).to_numpy()
    elif pa.types.is_temporal(kind):
        times = as_seconds(rows.column)
    else:
        raise BadInput(
            Mistake(
                "the column of a time split holds timestamps or numbers",
                str(kind),
                where,
                f"set data.features.{rows.spec.column}: timestamp",
            )
        )
    num_nulls = int(np.isnan(times).sum())
    if num_nulls:
        raise BadInput(
            Mistake(
                "every row of a time split has its time",
                f"{num_nulls} rows without",
                where,
                "let the contract send them to quarantine, or use another split.strategy",
            )
        )
    return times


def _check_words(rows: Grounds, words: pa.ChunkedArray, codes: pa.ChunkedArray) -> None:
    where = f"column {rows.spec.column}"
    mistakes = []
    if codes.null_count:
        counts = pc.value_counts(words.filter(pc.is_null(codes))).to_pylist()
        counts = sorted(counts, key=lambda c: -c["counts"])[:5]
        found = ", ".join(f"{c['values']!r} in {c['counts']} rows" for c in counts)
        remedy = "mend the column, or use another split.strategy"
        rule = "a split column holds train, valid and test only"
        mistakes.append(Mistake(rule, found.replace("None", "null"), where, remedy))
    present = set(pc.unique(words).to_pylist())
    missing = [word for word in ("train", "test") if word not in present]
    if missing:
        rule = "a split column names train rows and test rows"
        found = f"no {' and no '.join(missing)}"
        remedy = "name a column that holds both, or use another split.strategy"
        mistakes.append(Mistake(rule, found, where, remedy))
    if mistakes:
        raise BadInput(mistakes)


def check_parts(part: np.ndarray) -> None:
    """Refuse a division that leaves a part without rows."""
    counts = np.bincount(part, minlength=3)
    empty = [name for name, count in zip(division.PARTS, counts, strict=True) if not count]
    if empty:
        raise BadInput(
            Mistake(
                "train, valid and test have rows",
                f"no rows for {' and '.join(empty)} among {len(part)}",
                "split",
                "bring more rows (or groups), or set larger split.test and split.valid",
            )
        )
