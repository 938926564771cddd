"""Hold a snapshot against its contract, and set aside the rows that break it.

A network has no opinion about its data: it fits a changed unit, a sentinel or a label that
contradicts itself without a word, so somebody else has to object before it starts.

Snapshot -> Snapshot (clean) + quarantine
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from penstock import contents, tasks, vocabulary
from penstock.chunks import digested, taken
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.measure import repeats
from penstock.records import Layout, Rows, Snapshot
from penstock.tables.sampling import divided

if TYPE_CHECKING:
    from penstock.ports import Expectations, Progress, Store

REASON = "_reason"
"""Column of the quarantine that says why a row is there."""
MOST_REMOVED = 0.5
"""When a larger share of the rows breaks a rule, the file or the rule is wrong and not the
rows: they are copied to the quarantine, and none is removed (house choice)."""
MAX_NAMED = 5
"""Most failures that one sentence names; the table has them all."""
MAX_BARS = 30
"""Most columns in the figure of missing values."""


def validate(
    snapshot: Snapshot,
    contract: list[dict[str, Any]],
    expectations: Expectations,
    store: Store,
    progress: Progress | None = None,
) -> Snapshot:
    """Measure how a snapshot keeps its contract; remove the rows that single ones break.

    Parameters
    ----------
    snapshot : Snapshot
        From ``ingest``.
    contract : list of dict
        From ``contract.read_contract``; empty when there is none.
    expectations : Expectations
        Who judges the contract.
    store : Store
        Where the rows are.
    progress : Progress, optional
        Told after each of three steps.

    Returns
    -------
    Snapshot
        The clean rows (the very same file when nothing was removed) and the quarantine: the
        rows that ``ingest`` set aside and those set aside here, each with its reasons in
        ``_reason``.
    """
    started = time.perf_counter()
    tell = progress or _silent
    table = store.table(snapshot.rows)
    results = expectations.run(table, contract) if contract else []
    tell(1, 3, f"{len(results)} expectations")
    reasons = _reasons(results)
    condemned = len(reasons) > MOST_REMOVED * table.num_rows
    clean, kept = table, snapshot.rows
    if len(reasons) and not condemned:
        (kept,) = divided(snapshot.rows, _parts(table.num_rows, reasons), 1, store)
        clean = store.table(kept)
    quarantine = _quarantine(table, reasons, snapshot.quarantine, store)
    tell(2, 3, f"{len(reasons)} rows in quarantine")
    repeats = _repeats(clean, snapshot.layout)
    held = contents.views(clean, snapshot.layout)
    evidence = Evidence(
        checks=[
            _failed(results, "error"),
            _failed(results, "warning"),
            _quarantined(reasons, table.num_rows, condemned),
            *repeats,
        ],
        tables=_tables(results, reasons) | contents.tables(held),
        figures={"missing": _missing(clean)} | contents.figures(held),
        notes=[*_notes(snapshot, condemned), *_families(clean, snapshot.layout)],
    )
    tell(3, 3, "validated")
    return snapshot.model_copy(
        update={
            "rows": kept,
            "quarantine": quarantine,
            "evidence": evidence,
            "seconds": time.perf_counter() - started,
        }
    )


def _silent(done: int, total: int, note: str = "") -> None:
    """Nobody listens."""


def _failed_as_a_whole(result: dict[str, Any]) -> bool:
    """Whether the file, and not only single rows of it, breaks an expectation.

    ``mostly`` is the border between the two. Without it, an expectation that quarantines its
    rows is kept by the rows that remain, and the share of rows in quarantine is judged.
    """
    if result["success"]:
        return False
    removes = result["quarantine"] and result["failed_rows"] is not None
    return not removes or "mostly" in result["kwargs"] or bool(result["exception"])


def _reasons(results: list[dict[str, Any]]) -> pd.Series:
    """Why rows are set aside: text by row position, ascending; all reasons of a row."""
    reasons = pd.Series([], index=np.zeros(0, np.int64), dtype=object)
    for result in results:
        if not result["quarantine"] or result["exception"] or result["failed_rows"] is None:
            continue
        limits = vocabulary.limits(result, share=False)
        text = vocabulary.in_words(result) + (f" ({limits})" if limits else "")
        more = pd.Series(text, index=np.unique(result["failed_rows"]), dtype=object)
        both = reasons.index.intersection(more.index)
        reasons.loc[both] = reasons.loc[both] + "; " + more.loc[both]
        alone = more.drop(both)
        reasons = pd.concat([reasons, alone]) if len(alone) else reasons
    return reasons.sort_index()


def _parts(num_rows: int, reasons: pd.Series) -> np.ndarray:
    """0 for the rows that stay, ``int64[n]``."""
    part = np.zeros(num_rows, np.int64)
    part[reasons.index.to_numpy()] = 1
    return part


def _quarantine(
    table: pa.Table, reasons: pd.Series, before: Rows | None, store: Store
) -> Rows | None:
    """The rows set aside here, below the records that ``ingest`` could not read.

    The columns of the latter (``path``, ``reason``) get a leading underscore, so that they
    are not mistaken for the data's own.
    """
    if not len(reasons):
        return before
    removed = taken(table, reasons.index.to_numpy())
    texts = pa.array(reasons.to_numpy(), pa.string())
    removed = removed.append_column(_free(REASON, table.column_names), texts)
    if before is None:
        return store.keep_table(removed)
    earlier = store.table(before)
    names = [_free(f"_{name}", table.column_names) for name in earlier.column_names]
    earlier = earlier.rename_columns(names)
    return store.keep_table(pa.concat_tables([earlier, removed], promote_options="default"))


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _failed(results: list[dict[str, Any]], severity: str) -> Check:
    """How many expectations of one severity the file breaks as a whole."""
    asked = [result for result in results if result["severity"] == severity]
    broken = [result for result in asked if _failed_as_a_whole(result)]
    value, why = len(broken), f"All {len(asked)} expectations of severity {severity} hold."
    remedy = "mend the data at its source; if the change is meant, edit that line of the contract"
    if broken:
        shown = ". ".join(_sentence(result) for result in broken[:MAX_NAMED])
        why = f"{len(broken)} of {len(asked)} fail. {shown}."
        if len(broken) > MAX_NAMED:
            why += f" And {len(broken) - MAX_NAMED} more."
    elif not results and severity == "warning":
        value, why = 1, "There is no contract: nothing was expected of the data."
        remedy = "let penstock init propose a contract.yaml from data that you trust"
    elif not asked:
        why = f"The contract has no expectation of severity {severity}."
    name = "failed_expectations" if severity == "error" else "failed_warnings"
    return Check(name=name, stage="validate", value=value, why=why, remedy=remedy)


def _sentence(result: dict[str, Any]) -> str:
    parts = [vocabulary.limits(result), result["exception"] or f"found {result['observed']}"]
    return f"{vocabulary.in_words(result)} ({'; '.join(part for part in parts if part)})"


def _quarantined(reasons: pd.Series, num_rows: int, condemned: bool) -> Check:
    share = len(reasons) / max(num_rows, 1)
    why = f"{len(reasons)} of {num_rows} rows break a rule for single rows."
    if len(reasons):
        counts = reasons.value_counts()
        why += f" Most often: {counts.index[0]} ({counts.iloc[0]} rows)."
    if condemned:
        why += " That is most of the file, so none was removed."
    return Check(
        name="quarantined_rows",
        stage="validate",
        value=share,
        why=why,
        remedy="look at the quarantine file, which has the reason on each row",
    )


def _repeats(table: pa.Table, layout: Layout) -> list[Check]:
    """Rows equal to an earlier one, and equal but for the target."""
    every = tasks.equal_by(layout)
    names = [name for name in every if name != layout.target]
    read = "all features and " if names else ""
    if not table.num_rows:
        return []
    known = pa.table({name: digested(table[name]) for name in every})  # each file is read once
    whole = repeats.fingerprints(known)
    duplicated = repeats.repeated(whole)
    checks = [
        Check(
            name="duplicate_rows",
            stage="validate",
            value=float(duplicated.mean()),
            why=f"{int(duplicated.sum())} of {len(duplicated)} rows equal an earlier one in"
            f" {read}the target. They were kept.",
            remedy="find out whether the source was joined or appended twice",
        )
    ]
    if tasks.load(layout.task).TARGET != "classes":
        return checks
    features = repeats.fingerprints(known.select(names))
    conflicting = repeats.contradicting(features, whole)
    why = (
        f"{int(conflicting.sum())} of {len(conflicting)} rows have the features of another row"
        " and another label: no model can be right about all of them."
    )
    checks.append(
        Check(
            name="conflicting_labels",
            stage="validate",
            value=float(conflicting.mean()),
            why=why,
            remedy="add the column that tells such rows apart, or look at how they were labelled",
        )
    )
    return checks


def _families(table: pa.Table, layout: Layout) -> list[str]:
    """How many rows are nearly equal to another one, in texts and the like."""
    columns = contents.readable(layout)
    if not columns or not table.num_rows:
        return []
    rows = contents.looked_at(table.num_rows, contents.MOST_ROWS)
    some = taken(table.select([column.name for column in columns]), rows)
    size = np.bincount(contents.families(some, columns))
    names, share = " and ".join(column.name for column in columns), size[size > 1].sum() / len(rows)
    return [
        f"{share:.1%} of {len(rows)} rows have nearly the same {names} as another one; the largest"
        f" such family has {size.max()} rows."
    ]


def _tables(results: list[dict[str, Any]], reasons: pd.Series) -> dict[str, Table]:
    """Every expectation, the failed ones first; every reason with its number of rows."""
    tables = {}
    if results:
        rank = {"failed": 0, "rows set aside": 1, "kept": 2}
        rows = [
            {
                "expectation": vocabulary.in_words(result),
                "severity": result["severity"],
                "outcome": _outcome(result),
                "expected": vocabulary.limits(result),
                "found": result["exception"] or result["observed"],
            }
            for result in results
        ]
        rows.sort(key=lambda row: rank[row["outcome"]])
        tables["expectations"] = Table.of("Expectations", rows)
    if len(reasons):
        counts = reasons.value_counts()
        pairs = zip(counts.index, counts.to_numpy(), strict=True)
        rows = [{"reason": str(text), "rows": int(count)} for text, count in pairs]
        tables["quarantine"] = Table.of("Why rows are in quarantine", rows)
    return tables


def _outcome(result: dict[str, Any]) -> str:
    if _failed_as_a_whole(result):
        return "failed"
    removed = result["quarantine"] and result["failed_rows"] is not None
    return "rows set aside" if removed and len(result["failed_rows"]) else "kept"


def _missing(table: pa.Table) -> Figure:
    """Share of missing values by column, the largest first."""
    counts = [pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0 for column in table.columns]
    shares = pd.Series(counts, index=table.column_names) / max(table.num_rows, 1)
    shares = shares.sort_values(ascending=False, kind="stable")[:MAX_BARS]
    note = f"The {MAX_BARS} columns that miss most." if table.num_columns > MAX_BARS else ""
    bars = Series(name="missing", x=list(shares.index), y=list(map(float, shares)), style="bars")
    return Figure(
        title="Missing values", x="share of rows", y="", series=[bars], note=note, horizontal=True
    )


def _notes(snapshot: Snapshot, condemned: bool) -> list[str]:
    notes = []
    if snapshot.quarantine:
        number = snapshot.quarantine.num_rows
        notes.append(f"The quarantine also holds {number} records that could not be read.")
    if condemned:
        notes.append(
            "More than half of the rows break a rule for single rows: the file or the rule is"
            " wrong. They were copied to the quarantine, and none was removed."
        )
    kind = tasks.load(snapshot.layout.task).TARGET
    if kind != "classes":
        what = "a number" if kind == "number" else "no class"
        notes.append(f"Conflicting labels are not measured: the target is {what}.")
    return notes
