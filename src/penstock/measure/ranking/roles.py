"""What the columns of what users took tell of: the item, the user, the moment, or none of these.

rows and their layout -> roles by column
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.measure.ranking import interactions
from penstock.records import Layout, Role

MOMENTS = {"time", "timestamp", "date", "datetime", "when", "epoch", "ts", "at"}
"""Last word of a name by which whole numbers are taken for moments (house choice)."""


def told(
    rows: pa.Table, names: Iterable[str], user: NDArray[np.int64], item: NDArray[np.int64]
) -> dict[str, Role]:
    """What each column tells of.

    Parameters
    ----------
    rows : pa.Table
        What users took.
    names : iterable of str
        Its columns that are asked about.
    user, item : int64[n]
        Codes of each row; negative: none.

    Returns
    -------
    dict
        ``item`` where the rows of an item agree, ``feature`` where those of a user do, else
        ``left_out``: it is not known before the row is there.
    """
    found: dict[str, Role] = {}
    for name in names:
        if interactions.constant_within(rows[name], item):
            found[name] = "item"
        elif interactions.constant_within(rows[name], user):
            found[name] = "feature"
        else:
            found[name] = "left_out"
    return found


WHY: dict[Role, str] = {
    "item": "of the item: its rows agree",
    "feature": "of the user: the rows agree",
    "left_out": "differs within users and items; say data.feedback if it is a rating, data.context"
    " if it is known when a list is asked for",
}


def settled(rows: pa.Table, layout: Layout) -> Layout:
    """The layout with what is told by each column that was given no role of its own.

    One of them may be the moment: the only column of times, or of whole numbers called so, that
    differs within users and items.
    """
    user, item = (
        interactions.coded(rows[name])[1] for name in (layout.named("user")[0], layout.target)
    )
    roles = told(rows, layout.named("item"), user, item)
    columns = [
        c.model_copy(update={"role": roles[c.name], "why": WHY[roles[c.name]]})
        if c.name in roles
        else c
        for c in layout.columns
    ]
    moments = [name for name, role in roles.items() if role == "left_out" and _when(rows, name)]
    if len(moments) == 1 and not layout.named("time"):
        columns = [
            c.model_copy(update={"role": "time", "why": ""}) if c.name in moments else c
            for c in columns
        ]
    return layout.model_copy(update={"columns": columns})


def _when(rows: pa.Table, name: str) -> bool:
    kind = rows[name].type
    if pa.types.is_temporal(kind):
        return True
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    return pa.types.is_integer(kind) and bool(words) and words[-1] in MOMENTS
