"""Read the columns of later rows into the types that training gave them.

Training settled over all its rows what a column of text is. Later rows come batch by batch, and
the first one must not settle it anew: a batch of whole numbers, or of days up to the twelfth,
says less than training knew. So the type is the layout's, the way of writing is training's
where the rows still have it, and what was settled on the first rows holds for all later ones.

raw batch -> typed batch, always of the same types
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput, Mistake
from penstock.records import Column
from penstock.tables import file_columns
from penstock.tables.arrow_types import reading
from penstock.tables.arrow_types.levels import (
    MISSING_NUMBER,
    Levels,
    Read,
    finite,
    levels,
    trimmed,
)
from penstock.tables.arrow_types.numbers import AFFIXES, STYLES, NumberForm, best_form
from penstock.tables.arrow_types.times import DATES, parse_times, time_reading
from penstock.tables.masking import masked
from penstock.tables.typed import UNREADABLE

LEAST_VALUES = 20
"""So many values of which fewer than half can be read make a wrong column; of fewer ones, those
that cannot be read are missing (house choice)."""

LEAST_SHARE = 0.5
"""As where the spec says the modality: half of the values must be readable."""


def stored(column: Column) -> pa.DataType:
    """The Arrow type of a column of the layout.

    Whole numbers that are not levels are doubles: later rows may hold fractions.

    Examples
    --------
    >>> stored(Column(name="age", modality="numeric", arrow_type="int64"))
    DataType(double)
    """
    kind = column.arrow_type
    if kind.startswith(("timestamp", "date")):
        return pa.timestamp("us", "UTC" if "tz=" in kind else None)
    if kind == "int64" and column.modality == "numeric":
        return pa.float64()
    named = {"bool": pa.bool_(), "binary": pa.binary(), "string": pa.string()}
    return named.get(kind) or pa.type_for_alias(kind)


class Rereader:
    """Reads one column of later rows.

    Parameters
    ----------
    column : Column
        Of the layout: its type, and in ``why`` the way of writing that training found.
    roots : sequence of Path
        Below which files are, that the column names.

    Attributes
    ----------
    target : pa.DataType
        Of every batch.
    num_unread : int
        Values so far that are no value of the type, and are therefore missing.
    lost : list of str
        Why each file that the last batch names could not be read; empty where it could.
    """

    def __init__(self, column: Column, roots: Sequence[Path] = ()):
        self.column = column
        self.roots = roots
        self.lost: list[str] = []
        self.target = stored(column)
        self.num_unread = 0
        self._read: Read | None = None

    def read(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        """Values of :attr:`target`.

        Raises
        ------
        BadInput
            When the column is of another type, or holds hardly any value of it.
        """
        self.lost = []
        if pa.types.is_dictionary(raw.type):
            raw = raw.cast(raw.type.value_type)
        if pa.types.is_null(raw.type):
            return raw.cast(self.target)
        if pa.types.is_large_string(raw.type) or raw.type == pa.string_view():
            raw = raw.cast(pa.string())
        try:
            is_text = pa.types.is_string(raw.type)
            typed = self._from_text(raw) if is_text else self._from_values(raw)
            return masked(typed) if self.column.masked else typed
        except UNREADABLE as error:
            raise BadInput(self._wrong(f"type {raw.type}")) from error

    def _from_text(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_string(self.target):
            return trimmed(raw)
        if pa.types.is_binary(self.target):
            return self._from_files(raw)
        if self._read is None:
            found = levels(trimmed(raw, MISSING_NUMBER))
            if not len(found.values):
                return _nulls(raw, self.target)
            self._read = self._settled(found)
            if self._read is None and found.num_rows >= LEAST_VALUES:
                raise BadInput(self._wrong("hardly any value is one"))
        if self._read is None:
            typed = _nulls(raw, self.target)
        else:
            typed = self._read(raw).cast(self.target, safe=False)
        if typed.null_count:
            self.num_unread += typed.null_count - trimmed(raw, MISSING_NUMBER).null_count
        return typed

    def _from_files(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        """Content of the files that are named; what is not there is missing, and counted."""
        found, self.lost = file_columns.read(raw, self.roots)
        num_lost = sum(map(bool, self.lost))
        num_named = len(found) - found.null_count + num_lost
        if num_named >= LEAST_VALUES and num_lost > LEAST_SHARE * num_named:
            raise BadInput(file_columns.none_read(raw, self.lost, f"column {self.column.name}"))
        self.num_unread += num_lost
        return found

    def _settled(self, found: Levels) -> Read | None:
        """How text becomes values: as training read it, else as most of these values say."""
        if pa.types.is_boolean(self.target):
            shown = _truth(pa.chunked_array([found.values]))
            return (
                _truth if found.share(pc.is_valid(shown).combine_chunks()) >= LEAST_SHARE else None
            )
        if pa.types.is_timestamp(self.target):
            for name in (name for name in DATES if f"written as {name}" in self.column.why):
                times = parse_times(found.values, name)[0]
                if found.share(pc.is_valid(times)) >= LEAST_SHARE:
                    return partial(_times, name)
            settled = time_reading(found, force=True)
            return settled.read if settled else None
        trained = _form_of(self.column.why)
        if trained and found.share(trained.matches(found.values)) >= LEAST_SHARE:
            return self._number(trained)
        form, mask = best_form(found)
        return self._number(form) if found.share(mask) >= LEAST_SHARE else None

    def _number(self, form: NumberForm) -> Read:
        def read(column: pa.ChunkedArray) -> pa.ChunkedArray:
            plain = form.plain(trimmed(column, MISSING_NUMBER))
            return self._as_number(finite(pc.cast(plain, pa.float64())))

        return read

    def _from_values(self, raw: pa.ChunkedArray) -> pa.ChunkedArray:
        kind, target = raw.type, self.target
        if pa.types.is_floating(target) or pa.types.is_integer(target):
            if not _is_number(kind):
                raise BadInput(self._wrong(f"type {kind}"))
            return self._as_number(self._once(raw, "numeric")(raw))
        if pa.types.is_boolean(target):
            return raw.cast(target)
        if pa.types.is_string(target):
            return pa.chunked_array([spelled(raw)])
        wanted = "timestamp" if pa.types.is_timestamp(target) else "auto"
        read = self._once(raw, wanted)
        typed = read(raw)
        alike = typed.type.id == target.id
        if not alike:
            raise BadInput(self._wrong(f"type {kind}"))
        return typed.cast(target)

    def _once(self, raw: pa.ChunkedArray, wanted: str) -> Callable[[Any], Any]:
        """The reading of a typed column, settled on the first rows."""
        if self._read is None:
            found = reading(raw, wanted)
            if found is None:
                raise BadInput(self._wrong(f"type {raw.type}"))
            self._read = found.read
        return self._read

    def _as_number(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Numbers as the target holds them; a fraction is no level of whole numbers."""
        if pa.types.is_integer(values.type) and pa.types.is_integer(self.target):
            return values.cast(self.target)
        values = finite(values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values)
        if pa.types.is_integer(self.target):
            whole = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**63))
            kept = pc.if_else(whole, values, pa.scalar(None, pa.float64()))
            self.num_unread += kept.null_count - values.null_count
            return kept.cast(self.target)
        return values.cast(self.target, safe=False)

    def _wrong(self, found: str) -> Mistake:
        return Mistake(
            f"the column holds {self.column.arrow_type}, as it did in training",
            found,
            f"column {self.column.name}",
            "give it the values that the model was trained on",
        )


def read_all(readers: list[Rereader], raw: pa.Table) -> pa.Table:
    """These columns, typed; BadInput with what is wrong in all of them.

    Examples
    --------
    >>> age = Rereader(Column(name="age", modality="numeric", arrow_type="int64"))
    >>> read_all([age], pa.table({"age": ["31", "?", ""]}))["age"].to_pylist(), age.num_unread
    ([31.0, None, None], 1)
    """
    columns: dict[str, pa.ChunkedArray] = {}
    mistakes: list[Mistake] = []
    for reader in readers:
        try:
            columns[reader.column.name] = reader.read(raw[reader.column.name])
        except BadInput as error:
            mistakes += error.mistakes
    if mistakes:
        raise BadInput(mistakes)
    return pa.table(columns)


def _nulls(raw: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(len(raw), kind)])


def _is_number(kind: pa.DataType) -> bool:
    """Numbers, and what training reads as such: decimals, booleans, spans of time."""
    tests = ("is_integer", "is_floating", "is_decimal", "is_boolean", "is_time", "is_duration")
    return any(getattr(pa.types, test)(kind) for test in tests)


def _form_of(why: str) -> NumberForm | None:
    """The way of writing numbers that training found; None for plain ones."""
    forms = [NumberForm(style, affix) for style in STYLES for affix in AFFIXES]
    found = [form for form in forms if form.name and f"written with {form.name}" in why]
    return max(found, key=lambda form: len(form.name), default=None)


def _times(form: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    values = trimmed(column, MISSING_NUMBER)
    kind = pa.timestamp("us")
    parsed = [parse_times(chunk, form)[0].cast(kind) for chunk in values.chunks]
    return pa.chunked_array(parsed, kind)


def _truth(column: pa.ChunkedArray) -> pa.ChunkedArray:
    words = pc.utf8_lower(trimmed(column, MISSING_NUMBER))
    true = pc.is_in(words, value_set=pa.array(["true", "t", "1"]))
    known = pc.is_in(words, value_set=pa.array(["true", "t", "1", "false", "f", "0"]))
    return pc.if_else(known, true, pa.scalar(None, pa.bool_()))


def spelled(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Values as names, so that 1, 1.0 and "1" are one; a list's items are joined.

    Examples
    --------
    >>> spelled(pa.array([1.0, None])).to_pylist()
    ['1', None]
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return pc.binary_join(array.cast(pa.list_(pa.string())), "|")
    if pa.types.is_floating(array.type):
        array = finite(array)
        if pc.all(pc.equal(array, pc.floor(array))).as_py() is not False:
            array = array.cast(pa.int64(), safe=False)
    return array.cast(pa.string())
