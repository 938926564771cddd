"""Divide a snapshot into train, valid and test rows, and look for what leaks between them.

A network that has seen the answer, by a copied row, a shared customer or a column made from the
label, scores like a genius until the day it meets a row that was not there.

Snapshot -> Split
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock import contents, tasks
from penstock.chunks import taken
from penstock.errors import BadInput, Mistake
from penstock.evidence import Check, Evidence, Figure, Table
from penstock.measure import division
from penstock.measure.leaks import findings, leakage, overlap, telling
from penstock.measure.matrix import UNREAD, Matrix, as_text, codes_of
from penstock.measure.strategies import STRATEGIES, Grounds, check_parts, times_of
from penstock.ports import Progress, Store
from penstock.records import Layout, Rows, Snapshot, Split
from penstock.spec import SplitSpec
from penstock.tables.agreement import strategy_of
from penstock.tables.copies import near_copies
from penstock.tables.sampling import divided, sampled

STAGE = findings.STAGE
SHOWN_CLASSES = 30


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
    layout = snapshot.layout
    task = tasks.load(layout.task)
    spec = spec.model_copy(update={"strategy": strategy_of(layout.task, spec)})
    _check_call(snapshot, spec)
    tell(0, 4, "reading")
    rows = _read(snapshot, spec, store)
    part = STRATEGIES[spec.strategy](rows)
    check_parts(part)
    tell(1, 4, "writing parts")
    train, valid, test = divided(snapshot.rows, part, len(division.PARTS), store)
    parts = Split(train=train, valid=valid, test=test, layout=layout)
    tell(2, 4, "looking for leaks")
    evidence = _evidence(parts, part, rows, snapshot, store)
    tell(3, 4, "making examples")
    if task.examples is not None:
        tables = {name: store.table(getattr(parts, name)) for name in division.PARTS}
        made, layout, found = task.examples(tables, layout)
        kept = {name: store.keep_table(table) for name, table in made.items()}
        parts = Split(**kept, layout=layout)
        evidence = evidence.joined(found)
    tell(4, 4)
    return parts.model_copy(update={"evidence": evidence, "seconds": time.perf_counter() - began})


# ---------------------------------------------------------------------------- bad calls


def _check_call(snapshot: Snapshot, spec: SplitSpec) -> None:
    mistakes = []
    names = [column.name for column in snapshot.layout.columns]
    needed = spec.strategy not in ("stratified", "per_user")
    if (needed or spec.column) and spec.column not in names:
        found = repr(spec.column) if spec.column else "nothing"
        remedy = f"name one of: {', '.join(names)}"
        rule = f"split.strategy {spec.strategy} names a column of the data"
        mistakes.append(Mistake(rule, found, "split.column", remedy))
    elif spec.column and spec.column == snapshot.layout.target:
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


# ----------------------------------------------------------------------------------- reading


def _read(snapshot: Snapshot, spec: SplitSpec, store: Store) -> Grounds:
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
    codes = codes_of(target)
    users = layout.named("user")
    read = [name for name in tasks.equal_by(layout) if name != layout.target]
    # one column in memory at a time
    ordered = [codes, *(codes_of(column(name)) for name in read)]
    return Grounds(
        spec=spec,
        units=division.units_of(ordered),
        strata=codes if layout.classes else np.zeros(len(codes), np.int64),
        column=column(spec.column) if spec.column and spec.strategy != "stratified" else None,
        notes=[],
        users=np.unique(codes_of(column(users[0])), return_inverse=True)[1] if users else None,
    )


# ------------------------------------------------------------------------------ the evidence


def _evidence(
    parts: Split, part: np.ndarray, rows: Grounds, snapshot: Snapshot, store: Store
) -> Evidence:
    layout, notes = parts.layout, rows.notes
    by_group = rows.spec.strategy == "group" and rows.column is not None
    groups = codes_of(rows.column) if by_group else None
    untold = tasks.load(layout.task).NOT_APPLICABLE
    again = untold.get("equal rows")
    checks = [
        findings.not_repeated(again) if again else findings.equal_rows(part, rows.units, groups)
    ]
    checks += _group_overlap(part, rows, snapshot, store)
    if rows.spec.strategy == "per_user" and rows.users is not None and rows.column is not None:
        when = rows.spec.column
        checks.append(findings.time_overlap_of_users(part, rows.users, times_of(rows), when))
    if rows.spec.strategy == "time":
        checks.append(findings.time_overlap(part, times_of(rows), rows.spec.column))
    checks += _near_texts(part, snapshot, store)
    checks += near_copies(parts, rows.spec.seed, store)
    checks += _telling_words(parts, rows.spec.seed, store)
    tables = {"parts": _sizes(parts, store)}
    figures: dict[str, Figure] = {}
    notes += _missing_classes(part, rows, layout, snapshot, store)
    readable = [column.name for column in layout.features if column.arrow_type != UNREAD]
    if why := untold.get("telltale"):
        checks.append(findings.not_searched(why))
    elif readable:
        checks.append(_part_difference(parts, readable, rows.spec, store))
        found = _search(parts, readable, rows.spec, store)
        checks.append(findings.telltale_column(found, layout))
        tables["columns_alone"] = findings.columns_alone(found, layout)
        figures["columns_alone"] = findings.columns_figure(found, layout)
        notes += found.notes
    else:
        checks.append(findings.no_telltale(layout))
    return Evidence(checks=checks, tables=tables, figures=figures, notes=notes)


def _near_texts(part: np.ndarray, snapshot: Snapshot, store: Store) -> list[Check]:
    columns = contents.readable(snapshot.layout)
    if not columns:
        return []
    rows = contents.looked_at(snapshot.rows.num_rows, contents.MOST_ROWS)
    table = taken(store.table(snapshot.rows, [column.name for column in columns]), rows)
    family = contents.families(table, columns)
    return [findings.near_families(part[rows], family, [column.name for column in columns])]


def _telling_words(parts: Split, seed: int, store: Store) -> list[Check]:
    """Train rows only."""
    layout = parts.layout
    names = [column.name for column in contents.readable(layout)]
    if not names or not layout.classes:
        return []
    table = sampled(parts.train, [*names, layout.target], telling.MAX_ROWS, seed, store)
    target = as_text(table[layout.target])
    label = codes_of(target)
    spelled = pc.unique(target).to_pylist()
    found = {name: telling.words(table[name], label) for name in names}
    return [findings.telltale_words(found, spelled, layout.target)]


def _group_overlap(
    part: np.ndarray, rows: Grounds, snapshot: Snapshot, store: Store
) -> list[Check]:
    declared = snapshot.layout.named("group")
    if rows.spec.strategy == "group" and rows.spec.column not in declared:
        declared.append(rows.spec.column)
    checks = []
    for name in declared:
        column = store.table(snapshot.rows, [name])[name]
        codes = codes_of(column)
        shared = overlap.shared_groups(
            [codes[(part == which) & (codes >= 0)] for which in range(3)]
        )
        first = [int(np.argmax(codes == code)) for code in shared[:3]]
        examples = [str(column[row].as_py()) for row in first]
        checks.append(findings.group_overlap(name, len(shared), int(codes.max()) + 1, examples))
    return checks


def _part_difference(parts: Split, readable: list[str], spec: SplitSpec, store: Store) -> Check:
    most = overlap.MAX_ROWS // 2
    train = sampled(parts.train, readable, most, spec.seed, store)
    test = sampled(parts.test, readable, most, spec.seed, store)
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
    table = sampled(parts.train, columns, leakage.MAX_ROWS, spec.seed, store)
    is_classification = bool(layout.classes)
    target = table[layout.target]
    label = codes_of(target) if is_classification else target.cast(pa.float64()).to_numpy()
    matrix = Matrix.learn(table, layout)
    return leakage.telltales(
        matrix.apply(table), matrix.names, matrix.categorical, label, is_classification, spec.seed
    )


def _sizes(parts: Split, store: Store) -> Table:
    layout, records = parts.layout, []
    for name in division.PARTS:
        rows: Rows = getattr(parts, name)
        target = store.table(rows, [layout.target])[layout.target]
        record: dict[str, object] = {"part": name, "rows": rows.num_rows}
        if layout.classes:
            counts = pc.value_counts(as_text(target))
            values, numbers = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
            share = dict(zip(values, numbers, strict=True))
            for level in layout.classes[:SHOWN_CLASSES]:
                record[f"share of {level}"] = round(share.get(level, 0) / rows.num_rows, 4)
        elif pa.types.is_string(target.type):
            record["different values"] = pc.count_distinct(target).as_py()
        else:
            values = target.cast(pa.float64()).to_numpy()
            middle = np.quantile(values, [0.05, 0.5, 0.95])
            record |= {"mean": float(values.mean()), "sd": float(values.std())}
            record |= dict(zip(("q05", "median", "q95"), middle.tolist(), strict=True))
        records.append(record)
    return Table.of("The parts and their target", records)


def _missing_classes(
    part: np.ndarray, rows: Grounds, layout: Layout, snapshot: Snapshot, store: Store
) -> list[str]:
    """Notes on classes that do not stand in every part; BadInput when train has only one."""
    if not layout.classes:
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
