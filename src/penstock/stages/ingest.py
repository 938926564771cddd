"""Read a source once into immutable, typed rows.

A network learns whatever numbers it is handed, a column read wrongly included, and never
says so: what was read, as what, and what could not be read must be settled and written down
before anything learns from it.

ports.Source -> Snapshot
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from penstock import tasks
from penstock.errors import BadInput, Mistake
from penstock.records import NAMES, Column, Layout, Rows, Snapshot
from penstock.tables import columns, file_columns, target
from penstock.tables.agreement import check_columns, divides, layout_of, rates, weighs
from penstock.tables.columns import Survey
from penstock.tables.inventory import Tally, evidence_of
from penstock.tables.target import Target
from penstock.tables.usable import Usable

if TYPE_CHECKING:
    from penstock import ports, spec

__all__ = ["check_columns", "ingest"]

MEDIA_BATCH_ROWS = 256
BATCH_ROWS = 65_536
"""Rows typed at a time, with and without a column of media (house choice)."""


def ingest(
    source: ports.Source,
    data: spec.Data,
    split: spec.SplitSpec,
    store: ports.Store,
    progress: ports.Progress | None = None,
) -> Snapshot:
    """Read a source into a snapshot.

    Rows without a target are dropped and counted in a note. Records with a broken image or
    sound, or that name a file that cannot be read, are quarantined and counted by the check
    ``unreadable_rows``.

    Parameters
    ----------
    source : ports.Source
        Opened; read through once.
    data : spec.Data
        Target, task, sensitive columns and what is said about features.
    split : spec.SplitSpec
        Its column is never a feature.
    store : ports.Store
        Receives the rows.
    progress : ports.Progress, optional
        Told how far the reading has come.

    Raises
    ------
    BadInput
        With all mistakes: columns that are absent; values that contradict the spec; a target
        without values or with one class; no feature left; no readable record.
    """
    started = time.perf_counter()
    check_columns(source.schema.names, data, split)
    with _workplace(store) as folder:
        raw = _copy(source, folder / "raw.parquet", progress)
        surveys, goal = _survey(raw, source, data, split)
        layout = _with_names(layout_of(surveys, goal, source, data, split), surveys)
        return _write(raw, source, surveys, goal, layout, store, started)


# ---------------------------------------------------------------- the raw copy


@dataclass(frozen=True)
class Raw:
    """The source's rows in a local Parquet file whose columns are named by their place."""

    path: Path
    names: list[str]
    num_rows: int

    def column(self, name: str) -> pa.ChunkedArray:
        """All rows of a column; a sample for media, whose values are large."""
        place = f"c{self.names.index(name)}"
        with pq.ParquetFile(self.path) as file:
            if _is_bulky(file.schema_arrow.field(place).type):
                batches = file.iter_batches(MEDIA_BATCH_ROWS, row_groups=[0], columns=[place])
                return pa.chunked_array([next(batches).column(0)])
            return file.read(columns=[place]).column(0)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows; where a column holds media, fewer, and of one batch of the source at a time."""
        with pq.ParquetFile(self.path) as file:
            if not any(_is_bulky(kind) for kind in file.schema_arrow.types):
                yield from file.iter_batches(batch_size=BATCH_ROWS)
                return
            for group in range(file.num_row_groups):
                yield from file.iter_batches(batch_size=MEDIA_BATCH_ROWS, row_groups=[group])


def _is_bulky(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_struct(kind)
    )


@contextmanager
def _workplace(store: ports.Store) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=store.scratch("ingest")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(source: ports.Source, path: Path, progress: ports.Progress | None) -> Raw:
    """Stream the source to disk once, so that every later look is at the same rows."""
    names = source.schema.names
    schema = pa.schema([(f"c{i}", kind) for i, kind in enumerate(source.schema.types)])
    num_rows = 0
    with pq.ParquetWriter(path, schema, compression="lz4") as writer:
        for batch in source.batches(progress):
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            num_rows += batch.num_rows
    if num_rows == 0:
        reasons = [f"{where}: {why}" for where, why in source.unreadable[:5]]
        raise BadInput(
            Mistake(
                "a source holds rows that can be read",
                "; ".join(reasons) or "no row",
                source.description,
                "mend the files",
            )
        )
    return Raw(path, names, num_rows)


# ---------------------------------------------------------------- what the columns are


def _survey(
    raw: Raw, source: ports.Source, data: spec.Data, split: spec.SplitSpec
) -> tuple[dict[str, Survey], Target]:
    """Survey every column; BadInput with all that contradicts the spec."""
    kind = source.kinds.get(data.target, "")
    goal, mistakes = target.plan(data.target, raw.column(data.target), data.task, kind, data.order)
    surveys = {}
    for name in raw.names:
        said = data.features.get(name)
        wanted = said.modality if said and name not in (data.target, split.column) else "auto"
        column, kind = raw.column(name), source.kinds.get(name, "")
        mask = said is not None and said.mask
        if not file_columns.names_files(column.type, kind if wanted == "auto" else wanted):
            surveys[name], wrong = columns.survey(name, column, wanted, kind, mask)
        elif name in (data.target, split.column):  # its words divide the rows, or are predicted
            surveys[name], wrong = columns.survey(name, column)
        else:
            surveys[name], wrong = _survey_files(name, column, wanted, kind, source)
        mistakes += wrong
        if name == split.column:
            mistakes += divides(split, surveys[name], column)
        if name == data.weight:
            mistakes += weighs(surveys[name], column)
        if name == data.feedback:
            mistakes += rates(surveys[name])
    if mistakes or goal is None:
        raise BadInput(mistakes)
    return surveys, goal


def _survey_files(
    name: str, column: pa.ChunkedArray, wanted: str, kind: str, source: ports.Source
) -> tuple[Survey, list[Mistake]]:
    """Survey a column of names by some of their files."""
    content, none_there = file_columns.sample(column, name, source.roots)
    found, wrong = columns.survey(name, content, wanted, kind)
    why = "; ".join(filter(None, (found.why, file_columns.ABOUT)))
    found = replace(found, why=why, num_rows=len(column), names_files=True)
    return found, none_there or wrong


def _with_names(layout: Layout, surveys: dict[str, Survey]) -> Layout:
    """The layout, with the names of files kept beside their content, for people to find them."""
    kept = [
        Column(
            name=column.name + NAMES,
            modality="identifier",
            arrow_type="string",
            role="metadata",
            why=f"names of the files of {column.name}, kept for reports",
        )
        for column in layout.columns
        if surveys[column.name].names_files and column.name + NAMES not in surveys
    ]
    return layout.model_copy(update={"columns": [*layout.columns, *kept]})


# ---------------------------------------------------------------- the typed rows


def _write(
    raw: Raw,
    source: ports.Source,
    surveys: dict[str, Survey],
    goal: Target,
    layout: Layout,
    store: ports.Store,
    started: float,
) -> Snapshot:
    """Write the rows with their types, without those that cannot be used."""
    tally = Tally(unreadable=list(source.unreadable))
    usable = Usable(surveys, goal, layout, source.roots, tally)
    with store.writer(usable.schema) as writer:
        for batch in raw.batches():
            for table in usable.tables(batch.rename_columns(raw.names)):
                writer.write(table)
        targets = pa.chunked_array(
            [c for t in tally.targets for c in t.chunks], usable.schema.field(layout.target).type
        )
        _require_rows(targets, tally, layout, source)
    if tasks.load(goal.task).TARGET == "classes":
        layout = layout.model_copy(update={"classes": target.classes(targets.unique(), goal.order)})
    return Snapshot(
        rows=writer.rows,
        layout=layout,
        source=source.description,
        quarantine=_quarantine(tally, store),
        evidence=evidence_of(surveys, goal, layout, targets, tally),
        seconds=time.perf_counter() - started,
    )


def _require_rows(
    targets: pa.ChunkedArray, tally: Tally, layout: Layout, source: ports.Source
) -> None:
    """Raise before anything is kept when the rows that are left cannot be learnt from."""
    reasons = [f"{where}: {why}" for where, why in tally.unreadable[:5]]
    if len(targets) == 0:
        raise BadInput(
            Mistake(
                "at least one record can be read and has a target",
                f"{len(tally.unreadable)} unreadable, {tally.without_target} without target; "
                + "; ".join(reasons),
                source.description,
                "mend the files or fetch them again",
            )
        )
    if pc.count_distinct(targets).as_py() < 2:
        lost = f" but {len(tally.unreadable)} unreadable ones: {'; '.join(reasons)}"
        raise BadInput(target.one_class(layout.target, lost if reasons else ""))


def _quarantine(tally: Tally, store: ports.Store) -> Rows | None:
    if not tally.unreadable:
        return None
    where, why = zip(*tally.unreadable, strict=True)
    return store.keep_table(
        pa.table({"path": pa.array(where, pa.string()), "reason": pa.array(why, pa.string())})
    )
