"""The rows of a source in their types, without those that nothing can be learnt from.

raw batches, Layout -> typed tables, and a :class:`~penstock.tables.inventory.Tally` of the rest
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.records import NAMES, Column, Layout
from penstock.tables import file_columns, named_files
from penstock.tables.arrow_types import Reading
from penstock.tables.columns import Survey
from penstock.tables.inventory import Tally
from penstock.tables.target import Target


class Usable:
    """Types rows, and leaves out broken ones and those without a target.

    Parameters
    ----------
    surveys : mapping of str to Survey
        Of all columns.
    goal : Target
        How the target is read.
    layout : Layout
        Which columns are kept.
    roots : sequence of Path
        Below which files are, that columns name.
    tally : Tally
        Where rows are counted.

    Attributes
    ----------
    schema : pa.Schema
        Of the tables.
    """

    def __init__(
        self,
        surveys: Mapping[str, Survey],
        goal: Target,
        layout: Layout,
        roots: Sequence[Path],
        tally: Tally,
    ):
        self.layout, self.roots, self.tally = layout, roots, tally
        found = [column for column in layout.columns if column.name in surveys]
        self._readings = {column.name: _reading(column, surveys, goal) for column in found}
        self._named = [name for name in self._readings if surveys[name].names_files]
        self._kept_names = {name + NAMES: name for name in self._named}
        self._features = [column for column in layout.columns if column.role == "feature"]
        self._position = 0
        self.schema = pa.schema([(column.name, self._stored(column)) for column in layout.columns])

    def _stored(self, column: Column) -> pa.DataType:
        text = column.role == "split" or column.name not in self._readings
        return pa.string() if text else self._readings[column.name].arrow_type

    def tables(self, batch: pa.RecordBatch) -> Iterator[pa.Table]:
        """The rows of a batch, a few at a time where it names files."""
        for part in file_columns.parts(batch, self._named, self.roots):
            table, lost = self._typed(part)
            table = self._kept(part, table, lost)
            self._position += part.num_rows
            self.tally.num_rows += table.num_rows
            self.tally.targets.append(table.column(self.layout.target))
            yield table

    def _typed(self, batch: pa.RecordBatch) -> tuple[pa.Table, dict[str, list[str]]]:
        """Typed columns; and of the columns of names why there is no content."""
        arrays, lost = [], {}
        for column in self.layout.columns:
            if column.name not in self._readings:
                said = named_files.texts(batch.column(self._kept_names[column.name]))
                names = [text if text and named_files.is_path(text) else None for text in said]
                arrays.append(pa.chunked_array([pa.array(names, pa.string())]))
                continue
            raw = pa.chunked_array([batch.column(column.name)])
            if column.name in self._named:
                raw, lost[column.name] = file_columns.read(raw, self.roots)
            typed = self._readings[column.name].read(raw)
            if column.role == "split":
                typed = pc.utf8_lower(pc.cast(typed, pa.string()))
            arrays.append(typed)
        return pa.Table.from_arrays(arrays, schema=self.schema), lost

    def _kept(self, batch: pa.RecordBatch, table: pa.Table, lost: dict[str, list[str]]) -> pa.Table:
        why, at_fault = file_columns.broken(table, self._features, lost)
        readable = why == ""
        for row in np.flatnonzero(~readable).tolist():
            self.tally.unreadable.append((self._called(batch, row, at_fault[row]), why[row]))
        target = table.column(self.layout.target)
        lost_targets = pc.cast(target.filter(pa.array(~readable)), pa.string()).drop_null()
        self.tally.lost_targets.update(lost_targets.to_pylist())
        known = np.asarray(pc.is_valid(target))
        self.tally.without_target += int((readable & ~known).sum())
        keep = readable & known
        return table if keep.all() else table.filter(pa.array(keep))

    def _called(self, batch: pa.RecordBatch, row: int, column: str) -> str:
        """What a person finds a row by: its file's path, or its number and what it names."""
        if "path" in self.layout.named("metadata"):
            return str(batch.column("path")[row].as_py())
        number = f"row {self._position + row}"
        return f"{number}: {batch.column(column)[row].as_py()}" if column in self._named else number


def _reading(column: Column, surveys: Mapping[str, Survey], goal: Target) -> Reading:
    reading = goal.reading if column.role == "target" else surveys[column.name].reading
    assert reading is not None
    return reading
