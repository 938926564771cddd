"""Later rows of what users took, as a model is asked of them: who, what was before, what is next.

raw rows, what a package knows -> one row a user
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.measure.ranking import interactions
from penstock.measure.ranking.examples import known_of, relevant, users_of
from penstock.measure.ranking.interactions import spelled


def asked(raw: pa.Table, learnt: Any) -> pa.Table:
    """Rows of later users, one a user, as the test rows were made.

    The target is what the user takes well and did not take before; its past is what the package
    knows but for that, so that the rows of the test part are asked as they were there. A user
    who takes nothing new has no row. Rows that bring their past, or no target, stay as they are.

    Parameters
    ----------
    raw : pa.Table
        In any order; who, what and how well in the layout's types.
    learnt : Learnt
        Layout and users of the package.
    """
    layout, past = learnt.layout, learnt.target["past"]
    who, target = layout.features[0].name, layout.target
    if past in raw.column_names or not {who, target} <= set(raw.column_names):
        return raw
    names, user = interactions.coded(raw[who])
    things, item = interactions.coded(raw[target])
    rows = np.flatnonzero((user >= 0) & (item >= 0))
    pair = user * len(things) + item
    rows = rows[np.unique(pair[rows], return_index=True)[1]]
    code = pc.index_in(things, pa.array(layout.catalogue, pa.string())).fill_null(-1)
    code = code.to_numpy(zero_copy_only=False).astype(np.int64)
    rows, whose, items = _parted(rows, user, code[item], users_of(names, learnt), learnt)
    rows = rows[relevant(raw, layout)[rows]]
    users, first, size = np.unique(user[rows], return_index=True, return_counts=True)
    catalogue = pa.array(layout.catalogue, pa.string())
    told = np.bincount(whose, minlength=len(names))
    history = interactions.joined(catalogue.take(pa.array(items)), told)
    taken = interactions.joined(things.take(pa.array(item[rows])), size)
    table = raw.take(pa.array(rows[first]))
    table = table.set_column(table.column_names.index(target), target, taken)
    table = table.set_column(table.column_names.index(who), who, spelled(table[who]))
    return table.append_column(past, history.take(pa.array(users)))


def _parted(
    rows: NDArray[np.int64],
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    number: NDArray[np.int64],
    learnt: Any,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Rows of what is new to their users; whose past holds what, the latest first.

    What was taken in the test part is held to be unknown where these rows take it.
    """
    width = len(learnt.layout.catalogue)

    def pairs(whose: NDArray[np.int64], items: NDArray[Any]) -> NDArray[np.int64]:
        return np.where(items >= 0, whose * width + items, -1)

    own = pairs(user[rows], item[rows])
    whose, items, _ = known_of(number, learnt, until_test=True)
    new = (own < 0) | ~np.isin(own, pairs(whose, items))
    whose, items, step = known_of(number, learnt)
    every = pairs(whose, items)
    num_later = np.diff(learnt.arrays["past_starts"]) - learnt.arrays["past_known"]
    of_test = step < num_later[number[whose]]
    kept = (items >= 0) & ~np.isin(every, own[new]) & ~(of_test & np.isin(every, own))
    return rows[new], whose[kept], items[kept]
