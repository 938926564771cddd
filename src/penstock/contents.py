"""What columns hold that are more than one number or name: texts, pictures, sounds, times.

rows, Layout -> tables and figures of their modalities' views; families of nearly equal rows
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock import modalities, plugins, tasks
from penstock.chunks import in_turn, taken
from penstock.evidence import Figure, Series, Table
from penstock.measure import minhash
from penstock.records import Column, Layout

MOST_ROWS, MOST_FILES = 20_000, 500
"""Rows that are looked at, and rows of files, which take longer, evenly spaced (house choice)."""
NUM_NAMES = 3
"""Names that are said of a view, the most frequent (house choice)."""
NUM_BINS, NUM_FIGURES = 40, 3
EDGES = (0.005, 0.995)
"""Quantiles between which a figure is drawn (house choice)."""
SALT = np.uint64(0x9E3779B97F4A7C15)


def looked_at(num_rows: int, most: int) -> NDArray[np.int64]:
    """Evenly spaced rows, at most so many.

    Examples
    --------
    >>> looked_at(5, 3).tolist()
    [0, 2, 4]
    """
    if num_rows <= most:
        return np.arange(num_rows)
    return np.unique(np.linspace(0, num_rows - 1, most).astype(np.int64))


def views(table: pa.Table, layout: Layout) -> dict[str, dict[str, pa.Array]]:
    """The views of each feature that has several, of evenly spaced rows."""
    found = {}
    for column in layout.features:
        kind = str(table.schema.field(column.name).type)
        known = column.modality in plugins.modules("penstock.modalities")
        if not known or not table.num_rows or kind != column.arrow_type:
            continue
        files = column.arrow_type == "binary"
        rows = looked_at(table.num_rows, MOST_FILES if files else MOST_ROWS)
        several = views_of_rows(modalities.load(column.modality), table[column.name], rows)
        if len(several) > 1:
            found[column.name] = several
    return found


def views_of_rows(
    modality: modalities.Modality, values: pa.ChunkedArray, rows: NDArray[np.int64]
) -> dict[str, pa.Array]:
    """The views that a modality has of these rows; of files a few at a time."""
    files = pa.types.is_binary(values.type) and len(rows)
    parts = in_turn(values, rows) if files else [taken(values, rows)]
    seen = [modality.views(part) for part in parts]
    return {view: pa.concat_arrays([each[view] for each in seen]) for view in seen[0]}


def tables(found: dict[str, dict[str, pa.Array]]) -> dict[str, Table]:
    """Quantiles of the views of numbers, and shares of those of names."""
    numbers, names = [], []
    for column, several in found.items():
        for view, values in several.items():
            record: dict[str, Any] = {"column": column, "view": view, "rows": len(values)}
            record["missing %"] = round(100 * values.null_count / max(1, len(values)), 2)
            if values.type == pa.float64():
                numbers.append(record | _quantiles(values))
            else:
                names.append(record | _shares(values))
    tables = {}
    if numbers:
        tables["contents"] = Table.of("What columns hold, in numbers", numbers)
    if names:
        tables["kinds"] = Table.of("What columns hold, by kind", names)
    return tables


def _quantiles(values: pa.Array) -> dict[str, float | None]:
    known = values.drop_null().to_numpy(zero_copy_only=False)
    known = known[np.isfinite(known)]
    ends = np.quantile(known, [0, 0.05, 0.5, 0.95, 1]).tolist() if len(known) else [None] * 5
    return dict(zip(("least", "5%", "median", "95%", "most"), ends, strict=True))


def _shares(values: pa.Array) -> dict[str, str]:
    counts = pc.value_counts(values.drop_null())
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    most = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:NUM_NAMES]
    total = max(1, len(values) - values.null_count)
    said = [f"{name} {count / total:.1%}" for name, count in most]
    return {"kinds": str(len(counts)), "most": ", ".join(said)}


def figures(found: dict[str, dict[str, pa.Array]]) -> dict[str, Figure]:
    """How the first view of numbers of each column is spread."""
    drawn = {}
    for column, several in list(found.items())[:NUM_FIGURES]:
        views = [name for name, values in several.items() if values.type == pa.float64()]
        if not views:
            continue
        known = several[views[0]].drop_null().to_numpy(zero_copy_only=False)
        known = known[np.isfinite(known)]
        if len(known) < NUM_BINS or known.min() == known.max():
            continue
        counts, edges = np.histogram(known, NUM_BINS, tuple(np.quantile(known, EDGES)))
        middles = ((edges[1:] + edges[:-1]) / 2).tolist()
        series = Series(name="rows", x=middles, y=counts.tolist(), style="step")
        drawn[f"contents:{column}"] = Figure(
            title=f"{column}: {views[0]}",
            x=views[0],
            y="rows",
            series=[series],
            note=f"{len(known)} rows; the outermost hundredth is not drawn.",
        )
    return drawn


def readable(layout: Layout) -> list[Column]:
    """What is read whose values are made of parts that tell which rows are nearly equal."""
    known = plugins.modules("penstock.modalities")
    read = tasks.equal_by(layout)
    here = [c for c in layout.columns if c.name in read and c.modality in known]
    return [c for c in here if hasattr(modalities.load(c.modality), "shingles")]


def families(table: pa.Table, columns: list[Column]) -> NDArray[np.int64]:
    """Number of the family of nearly equal rows that each row is of, ``int64[n]``.

    Parameters
    ----------
    table : pa.Table
        Few enough to compare.
    columns : list of Column
        From :func:`readable`; together they are what is compared.
    """
    rows, codes = [], []
    for number, column in enumerate(columns):
        row, code = modalities.load(column.modality).shingles(table[column.name])  # type: ignore[attr-defined]
        rows.append(row)
        codes.append(code ^ (SALT * np.uint64(number)))
    row, code = np.concatenate(rows), np.concatenate(codes)
    order = np.argsort(row, kind="stable")
    return minhash.clusters(minhash.signatures(row[order], code[order], table.num_rows))
