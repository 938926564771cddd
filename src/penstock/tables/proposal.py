"""Propose a contract and the roles of columns from the rows that are there.

A network fits a column of -1 as gladly as a column of ages, so what is normal has to be
written down while it still is.

table and its layout -> expectations; the layout with its roles
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock import modalities, tasks
from penstock.measure.contract import patterns, slack
from penstock.measure.ranking import roles
from penstock.records import Column, Layout
from penstock.spec import Data

ROWS_FACTORS = (0.25, 10)
"""A file of a quarter, or of ten times the rows, is another file (house choice)."""
NULL_DRIFT = 0.02
"""Honest drift of the share of missing values where some are missing (house choice)."""
UNIQUE_SHARE = 0.99
"""Identifiers may repeat in 1% of the rows (house choice)."""
READ = ("feature", "target", "split", "group", "time", "user", "item", "feedback")
"""Roles of the columns that a pipeline reads."""


def propose(table: pa.Table, layout: Layout, sensitive: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Expectations that these rows meet, and that new honest rows nearly always meet.

    Parameters
    ----------
    table : pa.Table
        The snapshot; at least one row.
    layout : Layout
        Its columns.
    sensitive : sequence of str
        Columns that are watched even if no model reads them.

    Returns
    -------
    list of dict
        ``type``, ``kwargs`` and ``meta``, as ``contract.write_contract`` takes them.
    """
    read = [column for column in layout.columns if column.role in READ or column.name in sensitive]
    proposed = _of_table(table, [column.name for column in read])
    task = tasks.load(layout.task)
    for column in read:
        proposed += _of_column(table[column.name], column, task.TARGET)
    names = {layout.named_by(column.name) for column in layout.features}
    for column in layout.columns:
        if column.modality == "identifier" and column not in read and column.name not in names:
            proposed += _of_identifier(table[column.name], column.name)
    return proposed


def settled(table: pa.Table, layout: Layout, data: Data) -> tuple[Data, Layout]:
    """The roles of columns that nobody has said, where rows tell them.

    Examples
    --------
    >>> rows = pa.table({"who": ["a", "a", "b"], "item": ["x", "y", "x"], "when": [1, 2, 3]})
    >>> kinds = {"who": "user", "item": "target", "when": "item"}
    >>> layout = Layout(target="item", task="ranking", columns=[
    ...     Column(name=name, modality="category", arrow_type="string", role=role)
    ...     for name, role in kinds.items()
    ... ])
    >>> settled(rows, layout, Data(source="x", target="item"))[0].time
    'when'
    """
    if not tasks.load(layout.task).USERS:
        return data, layout
    found = roles.settled(table, layout)
    return data.model_copy(update={"time": data.time or "".join(found.named("time"))}), found


def _expect(
    kind: str, severity: str = "error", quarantine: bool = False, **kwargs: Any
) -> dict[str, Any]:
    meta = {"severity": severity, "quarantine": quarantine}
    return {"type": kind, "kwargs": kwargs, "meta": meta}


def _of_table(table: pa.Table, names: list[str]) -> list[dict[str, Any]]:
    least, most = (int(table.num_rows * factor) for factor in ROWS_FACTORS)
    return [
        _expect("expect_table_row_count_to_be_between", min_value=max(least, 1), max_value=most),
        _expect("expect_table_columns_to_match_set", column_set=names, exact_match=False),
    ]


def _of_column(column: pa.ChunkedArray, about: Column, target: str) -> list[dict[str, Any]]:
    """Type, presence, and what the column's modality proposes.

    Of names that new ones join every day only the form: users, and the items that they take. Of
    time that goes on in numbers, nothing.
    """
    proposed = [_type(column, about.name)]
    if presence := _presence(column, about):
        proposed.append(presence)
    if about.role == "user" or (about.role == "target" and target == "category"):
        return proposed + patterns.expectations(column, about.name)
    if about.role == "time" and not pa.types.is_temporal(column.type):
        return proposed
    if about.modality in modalities_that_propose():
        proposed += modalities.load(about.modality).expectations(column, about.name)
    return proposed


def modalities_that_propose() -> set[str]:
    """Names of the modalities that are installed: ``identifier`` and ``constant`` are none."""
    from penstock import plugins

    return set(plugins.modules("penstock.modalities"))


def _type(column: pa.ChunkedArray, name: str) -> dict[str, Any]:
    """The Arrow type; ``int64`` for floats that are all whole, such as counts with gaps."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    asked = str(kind).removeprefix("large_")
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).to_numpy()
        values = values[~np.isnan(values)]
        whole = np.isfinite(values) & (np.abs(values) < 2**53) & (values == np.floor(values))
        asked = "int64" if len(values) and whole.all() else asked
    share = slack.mostly(slack.stray_share(max(len(column), 1)))
    return _expect("expect_column_values_to_be_of_type", column=name, type_=asked, mostly=share)


def _presence(column: pa.ChunkedArray, about: Column) -> dict[str, Any] | None:
    """Missing values as rare as now; a row without a target teaches nothing."""
    rows = max(len(column), 1)
    missing = pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0
    share = missing / rows
    stray = slack.NULL_SHARE
    if share:
        stray = max(stray, share + slack.share_slack(share, rows) + NULL_DRIFT)
    if stray >= 1:
        return None
    return _expect(
        "expect_column_values_to_not_be_null",
        quarantine=about.role in ("target", "user", "time"),
        column=about.name,
        mostly=slack.mostly(stray),
    )


def _of_identifier(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """Uniqueness and pattern of a column that no model reads: a warning."""
    unique = _expect(
        "expect_column_values_to_be_unique", "warning", column=name, mostly=UNIQUE_SHARE
    )
    known = column.drop_null()
    repeated = len(known) - len(known.unique())
    found = [unique] if 2 * repeated < (1 - UNIQUE_SHARE) * len(known) else []
    return found + patterns.expectations(column, name, "warning")
