"""What a person should know of rows that were read: columns, losses, the target's distribution.

surveys, Layout, Tally -> Evidence
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock import tasks
from penstock.evidence import Check, Evidence, Figure, Series, Table
from penstock.records import Layout
from penstock.tables.columns import Survey
from penstock.tables.target import Target

NUM_BINS = 30
MOST_BARS = 30
"""Bins of the target's histogram, and most classes that are drawn (house choice)."""


@dataclass
class Tally:
    """What is counted while the rows are written."""

    num_rows: int = 0
    without_target: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    lost_targets: Counter[str] = field(default_factory=Counter)
    targets: list[pa.ChunkedArray] = field(default_factory=list)


def evidence_of(
    surveys: dict[str, Survey],
    goal: Target,
    layout: Layout,
    targets: pa.ChunkedArray,
    tally: Tally,
) -> Evidence:
    """Checks, tables, the figure and the notes of a snapshot."""
    tables = {"columns": _columns_table(surveys, layout)}
    lost = _lost_table(surveys, goal, layout, tally)
    if lost.rows:
        tables["could_not_be_read"] = lost
    notes = [f"Task {goal.task}: {goal.why}."]
    notes += _positive_class(layout) + _lost_classes(layout, tally)
    if tally.without_target:
        notes.append(
            f"{tally.without_target} rows have no value of the target {layout.target} and were"
            " dropped."
        )
    return Evidence(
        checks=[
            _num_rows(tally),
            _unreadable_rows(tally),
            _left_out_columns(surveys, layout),
            *_alike_classes(layout),
        ],
        tables=tables,
        figures={"target": _target_figure(layout, targets)},
        notes=notes,
    )


def _positive_class(layout: Layout) -> list[str]:
    """Which of two classes metrics and thresholds are about, where there are such."""
    if len(layout.classes) != 2 or "thresholds" in tasks.load(layout.task).NOT_APPLICABLE:
        return []
    no, yes = layout.classes
    turned = f"say data.order: {json.dumps([yes, no], ensure_ascii=False)} where {no} is the one"
    turned += " to find"
    return [f"{yes} is the positive class, the one that f1 and thresholds are about; {turned}."]


def _lost_classes(layout: Layout, tally: Tally) -> list[str]:
    """The classes of which no record can be read: nothing else would tell of them."""
    gone = {name: n for name, n in tally.lost_targets.items() if name not in layout.classes}
    if not layout.classes or not gone:
        return []
    shown = ", ".join(f"{name} ({count})" for name, count in list(gone.items())[:MOST_BARS])
    return [f"Classes of which no record can be read, so that no model knows them: {shown}."]


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


def _alike_classes(layout: Layout) -> list[Check]:
    """Whether two classes are one class, spelled differently."""
    if not layout.classes:
        return []
    families: dict[str, list[str]] = {}
    for name in layout.classes:
        families.setdefault(_plainly(name), []).append(name)
    alike = [names for names in families.values() if len(names) > 1]
    named = "; ".join(", ".join(map(repr, names)) for names in alike[:MOST_BARS])
    why, remedy = f"No two classes of {layout.target} are spelled nearly alike.", ""
    if alike:
        why = f"Classes of {layout.target} that only their spelling tells apart: {named}."
        remedy = "give each class one spelling in the source, unless they are two"
    number = sum(len(names) - 1 for names in alike)
    return [Check(name="alike_classes", stage="ingest", value=number, why=why, remedy=remedy)]


def _plainly(name: str) -> str:
    """A class without capitals, spaces and full stops at its ends; a single letter as it is.

    Examples
    --------
    >>> _plainly("Not_Yet ") == _plainly("not  yet."), _plainly("A") == _plainly("a")
    (True, False)
    """
    plain = " ".join(unicodedata.normalize("NFKC", name).replace("_", " ").split())
    return plain.casefold().rstrip(". ") or name if len(plain) > 1 else name


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


NUM_LENGTHS = 12
"""Bars of a figure of how long texts are (house choice)."""


def _target_figure(layout: Layout, targets: pa.ChunkedArray) -> Figure:
    title = f"Target {layout.target}"
    if pa.types.is_floating(targets.type):
        counts, edges = np.histogram(targets.to_numpy(), bins=NUM_BINS)
        middles = ((edges[1:] + edges[:-1]) / 2).tolist()
        series = Series(name="rows", x=middles, y=counts.tolist(), style="bars")
        return Figure(title=title, x=layout.target, y="rows", series=[series])
    if tasks.load(layout.task).TARGET == "text":  # no value repeats, and none is shown
        long = pc.utf8_length(targets).to_numpy()
        counts, edges = np.histogram(np.log10(np.maximum(long, 1)), bins=NUM_LENGTHS)
        series = Series(
            name="rows",
            x=[f"{10**edge:.0f}" for edge in edges[:-1]],
            y=counts.tolist(),
            style="bars",
        )
        note = "Each bar begins at its number, and ends where the next one begins."
        return Figure(
            title=title, x=f"characters of {layout.target}", y="rows", series=[series], note=note
        )
    counted = pc.value_counts(pc.cast(targets, pa.string()))
    rows = dict(
        zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    )
    every = layout.classes or list(rows)
    shown = sorted(every, key=lambda name: -rows[name])[:MOST_BARS]
    drawn = [name for name in layout.classes if name in shown] or shown
    series = Series(name="rows", x=list(drawn), y=[rows[name] for name in drawn], style="bars")
    rest = len(every) - len(drawn)
    what = "classes" if layout.classes else "values"
    note = f"The {len(drawn)} most frequent {what}; {rest} more." if rest else ""
    return Figure(title=title, x=layout.target, y="rows", series=[series], note=note)
