"""Divide a snapshot into train, valid and test rows, and look for what leaks between them.

A network that has seen the answer, by a copied row, a shared customer or a column made from the
label, scores like a genius until the day it meets a row that was not there.

Snapshot -> Split
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import BadInput, Mistake
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.measure import division, leakage, overlap
from penstock.measure.matrix import UNREAD, Matrix, as_seconds, as_text
from penstock.ports import Progress, Store
from penstock.records import Layout, Rows, Snapshot, Split
from penstock.spec import SplitSpec

STAGE = "split"
MOSTLY_EQUAL = 0.5
"""From this share of rows with an equal one on, the table is one of few different rows: they
are divided one by one (house choice)."""
SHOWN_CLASSES = 30
SHOWN_COLUMNS = 40

log = logging.getLogger(__name__)


@dataclass
class _Rows:
    """What the division of the rows depends on; every array has one entry a row."""

    spec: SplitSpec
    units: np.ndarray
    strata: np.ndarray
    column: pa.ChunkedArray | None
    notes: list[str]

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


def split(
    snapshot: Snapshot, spec: SplitSpec, store: Store, progress: Progress | None = None
) -> Split:
    """Divide a snapshot, and measure what leaks.

    Parameters
    ----------
    snapshot : Snapshot
        Rows whose target has no nulls.
    spec : SplitSpec
        The strategy, its column, shares and seed.
    store : Store
        Where the rows are and the parts go.
    progress : Progress, optional
        Told after each step.

    Returns
    -------
    Split
        Parts whose rows stand in the order of the snapshot.

    Raises
    ------
    BadInput
        When the strategy cannot be followed: a column that is missing, null or has other values
        than it should; too few rows, groups or times; shares that leave nothing for train.
    """
    began = time.perf_counter()
    tell = progress or (lambda done, total, note="": None)
    _check_call(snapshot, spec)
    tell(0, 4, "reading")
    rows = _read(snapshot, spec, store)
    part = STRATEGIES[spec.strategy](rows)
    _check_parts(part, spec)
    tell(1, 4, "writing parts")
    train, valid, test = _write(snapshot.rows, part, store)
    parts = Split(train=train, valid=valid, test=test, layout=snapshot.layout)
    tell(2, 4, "looking for leaks")
    evidence = _evidence(parts, part, rows, snapshot, store)
    tell(4, 4)
    return parts.model_copy(update={"evidence": evidence, "seconds": time.perf_counter() - began})


# ----------------------------------------------------------------------------- the strategies


def _stratified(rows: _Rows) -> np.ndarray:
    spec, units = rows.spec, rows.together
    return division.stratified(units, rows.strata, spec.valid, spec.test, spec.seed)


def _group(rows: _Rows) -> np.ndarray:
    spec, groups = rows.spec, _groups(rows)
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


def _time(rows: _Rows) -> np.ndarray:
    part = division.by_time(_times(rows), rows.spec.valid, rows.spec.test)
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


def _column(rows: _Rows) -> np.ndarray:
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


STRATEGIES: dict[str, Callable[[_Rows], np.ndarray]] = {
    "stratified": _stratified,
    "group": _group,
    "time": _time,
    "column": _column,
}
"""From what is known of the rows to the part of each, ``int64[n]``."""


def _groups(rows: _Rows) -> np.ndarray:
    """Group numbers; rows without one are one group, since nobody knows whose they are."""
    codes = _codes(rows.column)
    num_nulls = int((codes < 0).sum())
    if num_nulls:
        rows.notes.append(
            f"{num_nulls} rows have no {rows.spec.column}: they stay together as one group."
        )
    return np.unique(codes, return_inverse=True)[1]


def _times(rows: _Rows) -> np.ndarray:
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


# ---------------------------------------------------------------------------- bad calls


def _check_call(snapshot: Snapshot, spec: SplitSpec) -> None:
    mistakes = []
    names = [column.name for column in snapshot.layout.columns]
    if spec.strategy != "stratified" and spec.column not in names:
        found = repr(spec.column) if spec.column else "nothing"
        remedy = f"name one of: {', '.join(names)}"
        rule = f"split.strategy {spec.strategy} names a column of the data"
        mistakes.append(Mistake(rule, found, "split.column", remedy))
    elif spec.strategy != "stratified" and spec.column == snapshot.layout.target:
        mistakes.append(
            Mistake("the split does not depend on the target", spec.column, "split.column")
        )
    if spec.test + spec.valid >= 1:
        found = f"{spec.test} + {spec.valid}"
        where = "split.test, split.valid"
        mistakes.append(Mistake("test and valid leave rows for train", found, where, "lower them"))
    if snapshot.rows.num_rows < 3:
        found, where = f"{snapshot.rows.num_rows} rows", snapshot.source
        mistakes.append(Mistake("three parts need three rows", found, where, "bring more rows"))
    if mistakes:
        raise BadInput(mistakes)


def _check_words(rows: _Rows, words: pa.ChunkedArray, codes: pa.ChunkedArray) -> None:
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


def _check_parts(part: np.ndarray, spec: SplitSpec) -> None:
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


# ----------------------------------------------------------------------- reading and writing


def _codes(column: pa.ChunkedArray | None) -> np.ndarray:
    """Number of each value in order of first appearance, ``int64[n]``; -1 is null."""
    assert column is not None
    if pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
        column = as_text(column)
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.fill_null(-1).cast(pa.int64()).to_numpy()


def _read(snapshot: Snapshot, spec: SplitSpec, store: Store) -> _Rows:
    layout, rows = snapshot.layout, snapshot.rows

    def column(name: str) -> pa.ChunkedArray:
        return store.table(rows, [name])[name]

    target = column(layout.target)
    num_nulls = pc.sum(pc.is_null(target, nan_is_null=True)).as_py()
    if num_nulls:
        raise BadInput(
            Mistake(
                "every row has its target",
                f"{num_nulls} rows without",
                f"column {layout.target}",
                "let the contract send them to quarantine",
            )
        )
    codes = _codes(target)
    # one column in memory at a time
    ordered = [codes, *(_codes(column(feature.name)) for feature in layout.features)]
    return _Rows(
        spec=spec,
        units=division.units_of(ordered),
        strata=codes if layout.task == "classification" else np.zeros(len(codes), np.int64),
        column=None if spec.strategy == "stratified" else column(spec.column),
        notes=[],
    )


def _write(rows: Rows, part: np.ndarray, store: Store) -> list[Rows]:
    batches = store.batches(rows)
    first = next(batches)
    with ExitStack() as stack:
        writers = [stack.enter_context(store.writer(first.schema)) for _ in division.PARTS]
        start = 0
        for batch in _chain(first, batches):
            here = part[start : start + batch.num_rows]
            for which, writer in enumerate(writers):
                writer.write(batch.filter(pa.array(here == which)))
            start += batch.num_rows
    return [writer.rows for writer in writers]


def _chain(first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from others


def _sample(rows: Rows, columns: list[str], most: int, seed: int, store: Store) -> pa.Table:
    """At most so many rows, drawn at random, in order."""
    chosen = np.zeros(rows.num_rows, bool)
    chosen[np.random.default_rng(seed).permutation(rows.num_rows)[:most]] = True
    start, kept = 0, []
    for batch in store.batches(rows, columns):
        kept.append(batch.filter(pa.array(chosen[start : start + batch.num_rows])))
        start += batch.num_rows
    return pa.Table.from_batches(kept).select(columns)


# ------------------------------------------------------------------------------ the evidence


def _evidence(
    parts: Split, part: np.ndarray, rows: _Rows, snapshot: Snapshot, store: Store
) -> Evidence:
    layout, notes = parts.layout, rows.notes
    checks = [_equal_rows(part, rows)]
    checks += _group_overlap(part, rows, snapshot, store)
    if rows.spec.strategy == "time":
        checks.append(_time_overlap(part, rows))
    tables = {"parts": _sizes(parts, store)}
    figures: dict[str, Figure] = {}
    notes += _missing_classes(part, rows, layout, snapshot, store)
    readable = [column.name for column in layout.features if column.modality not in UNREAD]
    if readable:
        checks.append(_part_difference(parts, readable, rows.spec, store))
        found = _search(parts, readable, rows.spec, store)
        checks.append(_telltale(found, layout))
        tables["columns_alone"] = _columns_alone(found, layout)
        figures["columns_alone"] = _figure(found, layout)
        notes += found.notes
    else:
        checks.append(_no_telltale(layout))
    return Evidence(checks=checks, tables=tables, figures=figures, notes=notes)


def _equal_rows(part: np.ndarray, rows: _Rows) -> Check:
    train, test = rows.units[part == division.TRAIN], rows.units[part == division.TEST]
    estimate, chance = overlap.equal_rows(train, test)
    share = float(np.isin(test, train).mean())
    return Check(
        name="equal_rows", stage=STAGE, burden="disprove", **estimate.model_dump(),
        why=f"{share:.2%} of {len(test)} test rows stand in train with the same values and"
        f" target; {chance:.2%} of the train rows have an equal one among themselves.",
        remedy="Remove repeated rows, or let penstock divide them: split.strategy: stratified"
        " keeps equal rows on one side.",
    )  # fmt: skip


def _group_overlap(part: np.ndarray, rows: _Rows, snapshot: Snapshot, store: Store) -> list[Check]:
    declared = snapshot.layout.named("group")
    if rows.spec.strategy == "group" and rows.spec.column not in declared:
        declared.append(rows.spec.column)
    checks = []
    for name in declared:
        column = store.table(snapshot.rows, [name])[name]
        codes = _codes(column)
        shared = overlap.shared_groups(
            [codes[(part == which) & (codes >= 0)] for which in range(3)]
        )
        first = np.unique(codes, return_index=True)
        where = dict(zip(first[0].tolist(), first[1].tolist(), strict=True))
        named = [str(column[where[code]].as_py()) for code in shared[:3].tolist()]
        example = f", for example {', '.join(named)}" if named else ""
        checks.append(
            Check(
                name="group_overlap", stage=STAGE, subject=name, value=float(len(shared)),
                why=f"{len(shared)} of {int(codes.max()) + 1} groups of {name} have rows in more"
                f" than one part{example}.",
                remedy=f"Divide by whole groups: split.strategy: group, split.column: {name}.",
            )
        )  # fmt: skip
    return checks


def _time_overlap(part: np.ndarray, rows: _Rows) -> Check:
    times = _times(rows)
    share = overlap.not_later(times[part == division.TRAIN], times[part == division.TEST])
    return Check(
        name="time_overlap", stage=STAGE, subject=rows.spec.column, value=share,
        why=f"{share:.2%} of the test rows are not later than the last train row by"
        f" {rows.spec.column}.",
        remedy="Divide by time: split.strategy: time.",
    )  # fmt: skip


def _part_difference(parts: Split, readable: list[str], spec: SplitSpec, store: Store) -> Check:
    most = overlap.MAX_ROWS // 2
    train = _sample(parts.train, readable, most, spec.seed, store)
    test = _sample(parts.test, readable, most, spec.seed, store)
    enough = min(train.num_rows, test.num_rows) >= 2 * overlap.NUM_FOLDS
    measured: dict[str, float | None] = {}
    why = f"Too few rows: {train.num_rows} in train, {test.num_rows} in test."
    if enough:
        matrix = Matrix.learn(pa.concat_tables([train, test]), parts.layout)
        estimate = overlap.part_difference(
            matrix.apply(train), matrix.apply(test), matrix.categorical, spec.seed
        )
        measured = estimate.model_dump()
        why = f"A classifier tells test rows from train rows with ROC AUC {estimate.value:.3f}"
        why += f" [{estimate.low:.3f}, {estimate.high:.3f}]; 0.5 is: not at all."
        if spec.strategy == "time":
            why += " Some difference is expected when test rows are later."
    return Check(
        name="part_difference", stage=STAGE, burden="disprove", enough=enough, why=why, **measured,
        remedy="Ask whether the test rows stand for the rows that the model will meet; if not,"
        " choose another split.",
    )  # fmt: skip


def _search(parts: Split, readable: list[str], spec: SplitSpec, store: Store) -> leakage.Search:
    """Train rows only: test rows stay sealed."""
    layout = parts.layout
    columns = [*readable, layout.target]
    table = _sample(parts.train, columns, leakage.MAX_ROWS, spec.seed, store)
    is_classification = layout.task == "classification"
    target = table[layout.target]
    label = _codes(target) if is_classification else target.cast(pa.float64()).to_numpy()
    matrix = Matrix.learn(table, layout)
    return leakage.telltales(
        matrix.apply(table), matrix.names, matrix.categorical, label, is_classification, spec.seed
    )


SIGNATURES = {
    "copy": "given the label, nothing else tells it, as of a copy with noise",
    "sufficient": "given it, nothing else tells the label, as of the label's own source",
    "perfect": "it tells the label without error, while everything else together does not",
}


def _no_telltale(layout: Layout) -> Check:
    """Images and sounds alone: there is no column that could be a copy of the label."""
    return Check(
        name="telltale_column", stage=STAGE, value=0.0,
        why=f"No column but images or sounds: none can carry {layout.target} as a copy of it.",
    )  # fmt: skip


def _telltale(found: leakage.Search, layout: Layout) -> Check:
    measure = "ROC AUC" if layout.task == "classification" else "share of variance"
    sentences = [
        f"{t.name}: {measure} {t.alone:.3f} alone, {t.rest:.3f} of everything else;"
        f" {SIGNATURES[t.signature]} (correlation {t.given_label:+.3f} given the label,"
        f" {t.given_column:+.3f} given the column)."
        for t in found.telltales
    ]
    names = ", ".join(t.name for t in found.telltales)
    return Check(
        name="telltale_column", stage=STAGE, subject=names, value=float(len(found.telltales)),
        why=" ".join(sentences)
        or f"None of {len(found.columns)} columns, and no two together, carries {layout.target}"
        " as only a copy of it would.",
        remedy=f"Ask where {names or 'the column'} comes from. If it is made from"
        f" {layout.target}, or known only after it, set data.features.<column>: exclude.",
    )  # fmt: skip


def _columns_alone(found: leakage.Search, layout: Layout) -> Table:
    flagged = {
        part: t.signature for t in found.telltales for part in (t.name, *t.name.split(" + "))
    }
    measure = "roc_auc" if layout.task == "classification" else "share_of_variance"
    records = [
        {"column": c.name, measure: round(c.skill, 4), "low": round(c.low, 4),
         "high": round(c.high, 4), "flagged_by": flagged.get(c.name, "")}
        for c in found.columns
    ]  # fmt: skip
    note = "Out of fold on train rows; of several classes, the one that the column tells best."
    return Table.of("What each column tells by itself", records, note)


def _figure(found: leakage.Search, layout: Layout) -> Figure:
    shown = found.columns[:SHOWN_COLUMNS]
    measure = "ROC AUC" if layout.task == "classification" else "share of variance"
    return Figure(
        title=f"What each column tells of {layout.target} by itself", x=measure, y="column",
        series=[
            Series(
                name=measure, style="bars", x=[c.name for c in shown], y=[c.skill for c in shown],
                low=[c.low for c in shown], high=[c.high for c in shown],
            )
        ],
        note="One column far above the others is worth a question.",
        horizontal=True,
    )  # fmt: skip


def _sizes(parts: Split, store: Store) -> Table:
    layout, records = parts.layout, []
    for name in division.PARTS:
        rows: Rows = getattr(parts, name)
        target = store.table(rows, [layout.target])[layout.target]
        record: dict[str, object] = {"part": name, "rows": rows.num_rows}
        if layout.task == "classification":
            counts = pc.value_counts(as_text(target))
            values, numbers = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
            share = dict(zip(values, numbers, strict=True))
            for level in layout.classes[:SHOWN_CLASSES]:
                record[f"share of {level}"] = round(share.get(level, 0) / rows.num_rows, 4)
        else:
            values = target.cast(pa.float64()).to_numpy()
            middle = np.quantile(values, [0.05, 0.5, 0.95])
            record |= {"mean": float(values.mean()), "sd": float(values.std())}
            record |= dict(zip(("q05", "median", "q95"), middle.tolist(), strict=True))
        records.append(record)
    return Table.of("The parts and their target", records)


def _missing_classes(
    part: np.ndarray, rows: _Rows, layout: Layout, snapshot: Snapshot, store: Store
) -> list[str]:
    """Notes on classes that do not stand in every part; BadInput when train has only one."""
    if layout.task != "classification":
        return []
    num_classes = int(rows.strata.max()) + 1
    counts = np.bincount(rows.strata * 3 + part, minlength=num_classes * 3).reshape(-1, 3)
    if (counts[:, division.TRAIN] > 0).sum() < 2:
        raise BadInput(
            Mistake(
                "train holds at least two classes",
                f"{num_classes} in the data, one in train",
                f"column {layout.target}",
                "choose another split.strategy, or bring other rows",
            )
        )
    levels = pc.unique(as_text(store.table(snapshot.rows, [layout.target])[layout.target]))
    notes = []
    for which, name in enumerate(division.PARTS):
        missing = [str(levels[int(code)]) for code in np.flatnonzero(counts[:, which] == 0)]
        if missing:
            shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            why = "too rare, or kept together elsewhere by the split"
            notes.append(f"{len(missing)} of {num_classes} classes not in {name} ({why}): {shown}.")
    return notes
