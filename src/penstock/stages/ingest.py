"""Read a source once into immutable, typed rows.

A network learns whatever numbers it is handed, a column read wrongly included, and never
says so: what was read, as what, and what could not be read must be settled and written down
before anything learns from it.

ports.Source -> Snapshot
"""

from __future__ import annotations

import difflib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from penstock import columns, modalities, plugins, target
from penstock.columns import Survey
from penstock.errors import BadInput, Mistake
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.records import Column, Layout, Role, Rows, Snapshot
from penstock.target import Target

if TYPE_CHECKING:
    from penstock import ports, spec

PARTS = ("train", "valid", "test")
MEDIA_BATCH_ROWS = 256
BATCH_ROWS = 65_536
"""Rows typed at a time, with and without a column of media (house choice)."""

NUM_BINS = 30
MOST_BARS = 30
"""Bins of the target's histogram, and most classes that are drawn (house choice)."""


def ingest(
    source: ports.Source,
    data: spec.Data,
    split: spec.SplitSpec,
    store: ports.Store,
    progress: ports.Progress | None = None,
) -> Snapshot:
    """Read a source into a snapshot.

    Rows without a target are dropped and counted in a note. Records with a broken image or
    sound are quarantined and counted by the check ``unreadable_rows``.

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
        layout = _layout(surveys, goal, source, data, split)
        return _write(raw, source, surveys, goal, layout, store, started)


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
    if split.column:
        asked.append(("split.column", split.column))
    mistakes = [_absent(where, name, names) for where, name in asked if name not in names]
    if split.strategy != "stratified" and not split.column:
        mistakes.append(
            Mistake(
                f"split.strategy: {split.strategy} needs split.column",
                "no split.column",
                "split",
                f"name one of: {_shown(names)}",
            )
        )
    if split.strategy == "stratified" and split.column:
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
    if data.target in data.sensitive:
        mistakes.append(
            Mistake("a sensitive column is not the target", data.target, "data.sensitive")
        )
    if mistakes:
        raise BadInput(mistakes)


def _absent(where: str, name: str, names: list[str]) -> Mistake:
    folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    remedy = f"did you mean {folded[close[0]]}?" if close else f"columns: {_shown(names)}"
    return Mistake(f"{where} names a column of the source", f"no column {name!r}", where, remedy)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")


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
                batches = file.iter_batches(batch_size=MEDIA_BATCH_ROWS, columns=[place])
                return pa.chunked_array([next(batches).column(0)])
            return file.read(columns=[place]).column(0)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows, fewer at a time where a column holds media."""
        with pq.ParquetFile(self.path) as file:
            bulky = any(_is_bulky(kind) for kind in file.schema_arrow.types)
            yield from file.iter_batches(batch_size=MEDIA_BATCH_ROWS if bulky else BATCH_ROWS)


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
    goal, mistakes = target.plan(
        data.target, raw.column(data.target), data.task, source.kinds.get(data.target, "")
    )
    surveys = {}
    for name in raw.names:
        wanted = data.features[name].modality if name in data.features else "auto"
        if name in (data.target, split.column):
            wanted = "auto"
        column = raw.column(name)
        surveys[name], wrong = columns.survey(name, column, wanted, source.kinds.get(name, ""))
        mistakes += wrong
        if name == split.column:
            mistakes += _divides(split, surveys[name], column)
    if mistakes or goal is None:
        raise BadInput(mistakes)
    return surveys, goal


def _divides(split: spec.SplitSpec, found: Survey, raw: pa.ChunkedArray) -> list[Mistake]:
    """What keeps a column from dividing the rows by the strategy."""
    where = f"split.column: {split.column}"
    if found.reading is None or _is_bulky(found.reading.arrow_type):
        return [Mistake("the split column holds words, numbers or times", found.why, where)]
    typed = found.reading.read(raw)
    kind = typed.type
    if split.strategy == "time":
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


def _layout(
    surveys: dict[str, Survey],
    goal: Target,
    source: ports.Source,
    data: spec.Data,
    split: spec.SplitSpec,
) -> Layout:
    """Give each stored column its role; BadInput when no feature is left."""
    found = []
    for name, survey in surveys.items():
        if survey.reading is None and name != data.target:
            continue
        role = _role(survey, source.kinds.get(name, ""), data, split)
        reading = goal.reading if role == "target" else survey.reading
        modality, why = survey.modality, survey.why
        if role == "target":
            modality = "category" if goal.task == "classification" else "numeric"
            why = goal.why
        assert reading is not None
        kind = "string" if role == "split" else str(reading.arrow_type)
        found.append(
            Column(name=name, modality=modality or "unknown", arrow_type=kind, role=role, why=why)
        )
    if not any(column.role == "feature" for column in found):
        reasons = [f"{c.name} ({c.role}{': ' + c.why if c.why else ''})" for c in found]
        raise BadInput(
            Mistake(
                "at least one column is left for the model to read",
                "; ".join(reasons[:10]),
                source.description,
                "say in data.features what a column is, for example id: category",
            )
        )
    return Layout(columns=found, target=data.target, task=goal.task, sensitive=data.sensitive)


def _role(survey: Survey, kind: str, data: spec.Data, split: spec.SplitSpec) -> Role:
    if survey.name == data.target:
        return "target"
    if split.column and survey.name == split.column:
        roles: dict[str, Role] = {"column": "split", "group": "group", "time": "time"}
        return roles[split.strategy]
    if kind in ("category", "metadata") and survey.name not in data.features:
        return "metadata"
    return "feature" if survey.usable else "left_out"


# ---------------------------------------------------------------- the typed rows


@dataclass
class Tally:
    """What is counted while the rows are written."""

    num_rows: int = 0
    without_target: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    targets: list[pa.ChunkedArray] = field(default_factory=list)


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
    schema = pa.schema(
        [
            (column.name, pa.string() if column.role == "split" else _stored(column, surveys, goal))
            for column in layout.columns
        ]
    )
    tally = Tally(unreadable=list(source.unreadable))
    with store.writer(schema) as writer:
        position = 0
        for batch in raw.batches():
            table = _typed(batch, raw.names, surveys, goal, layout, schema)
            table = _usable_rows(table, layout, tally, position)
            tally.num_rows += table.num_rows
            tally.targets.append(table.column(layout.target))
            writer.write(table)
            position += batch.num_rows
        targets = pa.chunked_array(
            [c for t in tally.targets for c in t.chunks], schema.field(layout.target).type
        )
        _require_rows(targets, tally, layout, source)
    if goal.task == "classification":
        layout = layout.model_copy(update={"classes": target.classes(targets.unique())})
    return Snapshot(
        rows=writer.rows,
        layout=layout,
        source=source.description,
        quarantine=_quarantine(tally, store),
        evidence=_evidence(surveys, goal, layout, targets, tally),
        seconds=time.perf_counter() - started,
    )


def _stored(column: Column, surveys: dict[str, Survey], goal: Target) -> pa.DataType:
    reading = goal.reading if column.role == "target" else surveys[column.name].reading
    assert reading is not None
    return reading.arrow_type


def _typed(
    batch: pa.RecordBatch,
    names: list[str],
    surveys: dict[str, Survey],
    goal: Target,
    layout: Layout,
    schema: pa.Schema,
) -> pa.Table:
    arrays = []
    for column in layout.columns:
        raw = pa.chunked_array([batch.column(names.index(column.name))])
        reading = goal.reading if column.role == "target" else surveys[column.name].reading
        assert reading is not None
        typed = reading.read(raw)
        if column.role == "split":
            typed = pc.utf8_lower(pc.cast(typed, pa.string()))
        arrays.append(typed)
    return pa.Table.from_arrays(arrays, schema=schema)


def _usable_rows(table: pa.Table, layout: Layout, tally: Tally, position: int) -> pa.Table:
    """Leave out broken records and rows without a target, and count both."""
    reasons = np.full(table.num_rows, "", dtype=object)
    for column in layout.columns:
        if column.modality in plugins.modules("penstock.modalities") and column.role == "feature":
            reads = getattr(modalities.load(column.modality), "unreadable", None)
            if reads is not None:
                found = np.array(reads(table.column(column.name)), dtype=object)
                reasons = np.where(reasons == "", found, reasons)
    broken = np.flatnonzero(reasons != "")
    if len(broken):
        names = [f"row {position + row}" for row in broken]
        if "path" in layout.named("metadata"):
            names = table.column("path").take(pa.array(broken)).to_pylist()
        tally.unreadable += list(zip(names, reasons[broken].tolist(), strict=True))
    known = np.asarray(pc.is_valid(table.column(layout.target)))
    readable = reasons == ""
    tally.without_target += int((readable & ~known).sum())
    keep = readable & known
    return table if keep.all() else table.filter(pa.array(keep))


def _require_rows(
    targets: pa.ChunkedArray, tally: Tally, layout: Layout, source: ports.Source
) -> None:
    """Raise before anything is kept when the rows that are left cannot be learnt from."""
    if len(targets) == 0:
        reasons = [f"{where}: {why}" for where, why in tally.unreadable[:5]]
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
        raise BadInput(target.one_class(layout.target))


def _quarantine(tally: Tally, store: ports.Store) -> Rows | None:
    if not tally.unreadable:
        return None
    where, why = zip(*tally.unreadable, strict=True)
    return store.keep_table(
        pa.table({"path": pa.array(where, pa.string()), "reason": pa.array(why, pa.string())})
    )


# ---------------------------------------------------------------- evidence


def _evidence(
    surveys: dict[str, Survey],
    goal: Target,
    layout: Layout,
    targets: pa.ChunkedArray,
    tally: Tally,
) -> Evidence:
    tables = {"columns": _columns_table(surveys, layout)}
    lost = _lost_table(surveys, goal, layout, tally)
    if lost.rows:
        tables["could_not_be_read"] = lost
    notes = [f"Task {goal.task}: {goal.why}."]
    if tally.without_target:
        notes.append(
            f"{tally.without_target} rows have no value of the target {layout.target} and were"
            " dropped."
        )
    return Evidence(
        checks=[_num_rows(tally), _unreadable_rows(tally), _left_out_columns(surveys, layout)],
        tables=tables,
        figures={"target": _target_figure(layout, targets)},
        notes=notes,
    )


def _num_rows(tally: Tally) -> Check:
    return Check(
        name="num_rows",
        stage="ingest",
        value=tally.num_rows,
        better="higher",
        why=f"{tally.num_rows} rows with a target were read.",
        remedy="Collect more rows.",
    )


def _unreadable_rows(tally: Tally) -> Check:
    num_unreadable = len(tally.unreadable)
    total = tally.num_rows + tally.without_target + num_unreadable
    examples = "; ".join(f"{where}: {why}" for where, why in tally.unreadable[:3])
    why = f"{num_unreadable} of {total} records could not be read"
    return Check(
        name="unreadable_rows",
        stage="ingest",
        value=num_unreadable / total,
        why=f"{why}: {examples}." if examples else f"{why}.",
        remedy="Mend or remove the files that the quarantine lists." if num_unreadable else "",
    )


def _left_out_columns(surveys: dict[str, Survey], layout: Layout) -> Check:
    stored = {column.name: column for column in layout.columns}
    out = [
        f"{name} ({survey.modality or 'unreadable'}: {survey.why})"
        for name, survey in surveys.items()
        if name not in stored or stored[name].role == "left_out"
    ]
    return Check(
        name="left_out_columns",
        stage="ingest",
        value=len(out),
        why=f"{len(out)} columns are left out: {'; '.join(out)}."
        if out
        else "No column is left out.",
        remedy="Say the modality in data.features if the model should read one." if out else "",
    )


def _columns_table(surveys: dict[str, Survey], layout: Layout) -> Table:
    stored = {column.name: column for column in layout.columns}
    records = []
    for name, survey in surveys.items():
        column = stored.get(name)
        num_null = survey.num_null
        num_rows = max(survey.num_rows, 1)
        records.append(
            {
                "column": name,
                "modality": column.modality if column else "unknown",
                "role": column.role if column else "left_out",
                "type": column.arrow_type if column else "",
                "nulls %": None if num_null is None else round(100 * num_null / num_rows, 2),
                "distinct": survey.num_distinct,
                "values": survey.summary,
                "why": column.why if column else survey.why,
            }
        )
    return Table.of("Columns", records)


def _lost_table(surveys: dict[str, Survey], goal: Target, layout: Layout, tally: Tally) -> Table:
    """Values, rows and records that could not be read, and what became of them."""
    records: list[dict[str, object]] = []
    for name, survey in surveys.items():
        reading = goal.reading if name == layout.target else survey.reading
        for token, rows in list((reading.tokens if reading else {}).items())[:5]:
            what = f"{token[:30]!r} is not a {survey.modality or 'numeric'} value"
            records.append({"where": name, "what": what, "rows": rows, "became": "null"})
        if survey.infinite:
            records.append(
                {"where": name, "what": "infinite", "rows": survey.infinite, "became": "null"}
            )
    if tally.without_target:
        records.append(
            {
                "where": layout.target,
                "what": "no target",
                "rows": tally.without_target,
                "became": "dropped",
            }
        )
    records += [
        {"where": where, "what": why, "rows": 1, "became": "quarantine"}
        for where, why in tally.unreadable
    ]
    return Table.of("What could not be read", records)


def _target_figure(layout: Layout, targets: pa.ChunkedArray) -> Figure:
    title = f"Target {layout.target}"
    if layout.task == "regression":
        counts, edges = np.histogram(targets.to_numpy(), bins=NUM_BINS)
        middles = ((edges[1:] + edges[:-1]) / 2).tolist()
        series = Series(name="rows", x=middles, y=counts.tolist(), style="bars")
        return Figure(title=title, x=layout.target, y="rows", series=[series])
    counted = pc.value_counts(pc.cast(targets, pa.string()))
    rows = dict(
        zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    )
    shown = sorted(layout.classes, key=lambda name: -rows[name])[:MOST_BARS]
    drawn = [name for name in layout.classes if name in shown]
    series = Series(name="rows", x=list(drawn), y=[rows[name] for name in drawn], style="bars")
    rest = len(layout.classes) - len(drawn)
    note = f"The {len(drawn)} most frequent classes; {rest} more." if rest else ""
    return Figure(title=title, x=layout.target, y="rows", series=[series], note=note)
