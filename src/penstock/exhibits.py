"""Rows as a person reads, sees or hears them: the worst mistakes, the labels that look wrong.

Model, rows, scores -> Evidence
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.evidence import Evidence, Exhibit, Gallery, Table
from penstock.measure import label_errors
from penstock.measure.mistakes import worst
from penstock.model import Model
from penstock.records import Layout

NUM_SHOWN = 18
"""Exhibits of a gallery (house choice: three lines on a wide page)."""


def of_test_rows(
    model: Model,
    table: pa.Table,
    predictions: pa.Table,
    scores: NDArray[Any],
    target: NDArray[Any],
    losses: NDArray[Any],
    show_rows: bool,
) -> Evidence:
    """What single rows tell: of what kind the suspected label errors are, and, where rows may be
    shown, these and the worst mistakes themselves.

    Parameters
    ----------
    model : Model
        That did not learn from the rows.
    table : pa.Table
        ``n`` raw rows with target.
    predictions : pa.Table
        ``n`` rows with ``prediction``.
    scores, target, losses
        Of each row; scores and target as the task makes them.
    show_rows : bool
        Whether raw rows may be shown.
    """
    layout = model.layout
    tables: dict[str, Table] = {}
    galleries: dict[str, Gallery] = {}
    if show_rows:
        tables["worst_rows"] = worst(table, layout, predictions, losses)
        truth, said = (_texts(c) for c in (table[layout.target], predictions["prediction"]))
        rows = np.argsort(-losses, kind="stable")
        title = "Most wrong about these"
        if scores.ndim == 2 and layout.classes:
            classes = pa.array(layout.classes, pa.string())
            decided = pc.index_in(predictions["prediction"].cast(pa.string()), classes)
            wrong = rows[np.asarray(decided)[rows] != target[rows]]
            title = title if len(wrong) else "Right about all, and least sure of these"
            rows = wrong if len(wrong) else rows
        rows = rows[:NUM_SHOWN]
        told = [f"{said[row]}, truly {truth[row]} (loss {abs(losses[row]):.2f})" for row in rows]
        galleries |= of_rows(model, table, rows, told, "worst", title)
    if scores.ndim == 2 and layout.classes:
        found = label_errors.suspects(scores, target)
        if len(found.rows):
            tables["suspected_labels"] = label_errors.table(found, layout.classes, len(target))
        if len(found.rows) and show_rows:
            names = _names(layout, table, found.rows)
            tables["suspected_rows"] = label_errors.rows_table(found, layout.classes, names)
            told = [
                f"labelled {layout.classes[given]}, looks like {layout.classes[believed]}"
                f" ({margin:+.0%})"
                for given, believed, margin in zip(
                    found.given, found.believed, found.margin, strict=True
                )
            ][:NUM_SHOWN]
            rows = found.rows[:NUM_SHOWN]
            galleries |= of_rows(model, table, rows, told, "suspected", "Suspected label errors")
    return Evidence(tables=tables, galleries=galleries)


def of_rows(
    model: Model,
    table: pa.Table,
    rows: NDArray[np.int64],
    told: list[str],
    key: str,
    title: str,
) -> dict[str, Gallery]:
    """A gallery a column of images or sounds; what a table can hold stands in tables."""
    found = {}
    for column in model.layout.features:
        shown = [shown_as(model, column.name, table[column.name].slice(row, 1)) for row in rows]
        called = _names(model.layout, table, rows).get(model.layout.named_by(column.name))
        names = [f": {name}" if name else "" for name in called or [""] * len(rows)]
        exhibits = [
            Exhibit(caption=caption + name, **fields)
            for caption, name, fields in zip(told, names, shown, strict=True)
            if "picture" in fields or "sound" in fields
        ]
        if exhibits:
            name = f"{key}:{column.name}"
            found[name] = Gallery(title=f"{title}: {column.name}", exhibits=exhibits)
    return found


def _names(layout: Layout, table: pa.Table, rows: NDArray[np.int64]) -> dict[str, list[str | None]]:
    """The names of the files of rows, where they are kept, by the column that keeps them."""
    kept = dict.fromkeys(layout.named_by(column.name) for column in layout.features)
    found = [name for name in kept if name in table.column_names]
    return {name: table[name].take(pa.array(rows)).to_pylist() for name in found}


def of_values(
    model: Model, name: str, shown: list[tuple[str, pa.ChunkedArray]], title: str, raw: bool
) -> dict[str, Gallery]:
    """A gallery of values of one column with their captions; empty where nothing can be seen or
    heard.

    Parameters
    ----------
    shown : list of (str, pa.ChunkedArray)
        Captions, and columns of one row.
    raw : bool
        Whether they come from a row of the data; otherwise they are made up.
    """
    exhibits = []
    for caption, value in shown:
        fields = shown_as(model, name, value)
        if "picture" in fields or "sound" in fields:
            exhibits.append(Exhibit(caption=caption, **fields))
    if not exhibits:
        return {}
    note = "A test row; beside each shift, what it is then taken for." if raw else MADE_UP
    return {f"shown:{name}": Gallery(title=title, exhibits=exhibits, note=note)}


MADE_UP = "Made up: no row of the data is shown (report.show_rows)."


def shown_as(model: Model, name: str, value: pa.ChunkedArray) -> dict[str, Any]:
    """Fields of an exhibit that show one value of a column; empty where its modality shows none.

    Parameters
    ----------
    value : pa.ChunkedArray
        A column of one row.
    """
    modality: Any = model.learnt.modality(name)
    if not hasattr(modality, "shown") or not value[0].is_valid:
        return {}
    state = model.learnt.columns[name]
    parts = len(modality.parted(value, state).names)
    fields: dict[str, Any] = modality.shown(value, state, np.zeros(parts)) if parts else {}
    return fields


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [f"{v:.4g}" if isinstance(v, float) else str(v) for v in column.to_pylist()]
