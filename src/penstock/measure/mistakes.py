"""The rows that a model is most wrong about, for a person who may see rows.

Where the loss is largest, the data are often wrong rather than the model.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.evidence import Table
from penstock.measure.matrix import UNREAD, as_text
from penstock.records import Layout

SHOWN_ROWS = 20
SHOWN_COLUMNS = 12
SHOWN_CHARACTERS = 60


def worst(
    table: pa.Table, layout: Layout, predictions: pa.Table, losses: NDArray[np.float64]
) -> Table:
    """The rows of largest loss as they came, the worst first.

    Parameters
    ----------
    table : pa.Table
        ``n`` rows.
    layout : Layout
        Of them.
    predictions : pa.Table
        ``n`` rows with ``prediction``.
    losses : float64[n]
        Of each row.
    """
    rows = np.argsort(-losses, kind="stable")[:SHOWN_ROWS]
    names = [c.name for c in layout.features if c.arrow_type != UNREAD][:SHOWN_COLUMNS]
    files = [layout.named_by(c.name) for c in layout.features if c.arrow_type == UNREAD]
    files = [name for name in dict.fromkeys(files) if name in table.column_names]
    shown = {
        "row": rows.tolist(),
        "loss": losses[rows].round(4).tolist(),
        layout.target: _short(table[layout.target], rows),
        "prediction": _short(predictions["prediction"], rows),
    }
    shown |= {name: _short(table[name], rows) for name in [*files, *names] if name not in shown}
    records = [
        dict(zip(shown, values, strict=True)) for values in zip(*shown.values(), strict=True)
    ]
    left = len(layout.features) - len(names)
    note = "Rows are counted from 0 in the test part." + (
        f" {left} columns are not shown." if left else ""
    )
    return Table.of("The test rows that it is most wrong about", records, note)


def _short(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> list[str]:
    texts = as_text(pa.chunked_array([column.combine_chunks().take(pa.array(rows))])).to_pylist()
    return ["" if text is None else text[:SHOWN_CHARACTERS] for text in texts]
