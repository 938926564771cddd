"""Examples of a ranking: a past and what came next, in the columns that a model reads.

rows of what users took, by part -> one row an item in train, one row a user in valid and test
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.errors import BadInput, Mistake
from penstock.evidence import Evidence, Table
from penstock.measure.matrix import as_seconds
from penstock.measure.ranking import interactions, roles
from penstock.measure.ranking.interactions import LONGEST, Taken, codes_of, spelled
from penstock.measure.ranking.lists import COLD, NONE
from penstock.records import Column, Layout, Role

PARTS = ("train", "valid", "test")
PAST, NOW, LATER = "history", "_now", "_later"
TOLD = {
    NOW: "on a user's last row of train: all that is known of it before the test",
    LATER: "on a user's last row of train: what it took in the test part, not to be shown again",
}
"""What stands beside the past, and why."""


def made(
    parts: dict[str, pa.Table], layout: Layout
) -> tuple[dict[str, pa.Table], Layout, Evidence]:
    """Examples of each part, their layout, and what is said of them.

    Train: each item that a user takes for the first time, if it is relevant, with the latest
    :data:`~penstock.measure.ranking.interactions.LONGEST` items before it. Valid and test: a user,
    with all that the parts before hold of it, and the relevant items that are new to it.
    """
    rows = pa.concat_tables([parts[name] for name in PARTS])
    part = np.repeat(np.arange(3), [parts[name].num_rows for name in PARTS])
    user = layout.named("user")[0]
    found = interactions.taken(
        rows[user], rows[layout.target], part, _times(rows, layout), relevant(rows, layout)
    )
    told, notes = _roles(rows, layout, found)
    past = PAST
    while {past, past + NOW, past + LATER} & set(rows.column_names):
        past += "_before"
    catalogue = _sorted(found.items.take(pa.array(np.unique(found.item[found.part == 0]))))
    layout = _layout(layout, told, past, catalogue)
    tables = {"train": _steps(found, rows, layout, past)}
    for code in (1, 2):
        tables[PARTS[code]] = _users(found, rows, layout, past, code)
    _require(tables, layout)
    notes += _bar(found, layout) + _cold(tables, layout)
    return tables, layout, Evidence(tables={"examples": _table(tables, layout)}, notes=notes)


def _require(tables: dict[str, pa.Table], layout: Layout) -> None:
    """BadInput where a part has nothing to be found."""
    empty = [name for name, table in tables.items() if not table.num_rows]
    if not empty:
        return
    rating = "".join(layout.named("feedback"))
    rule = "in each part some user takes something new" + (" and well" if rating else "")
    remedy = "bring more rows a user, or divide otherwise: split.strategy: time"
    if rating:
        remedy = f"lower data.feedback_from ({layout.relevant_from:g}), or {remedy}"
    raise BadInput(Mistake(rule, f"nobody in {' and '.join(empty)}", "split", remedy))


def _bar(found: Taken, layout: Layout) -> list[str]:
    """A bar that no rating is below says nothing."""
    if not layout.named("feedback") or not found.relevant.all():
        return []
    rating, bar = layout.named("feedback")[0], layout.relevant_from
    return [f"No {rating} is below data.feedback_from: {bar:g}, so each row counts as taken well."]


def _times(rows: pa.Table, layout: Layout) -> NDArray[np.float64]:
    """Seconds or numbers; the order of the rows where there is no time."""
    names = layout.named("time")
    if not names:
        return np.arange(rows.num_rows, dtype=np.float64)
    column = rows[names[0]]
    times = as_seconds(column) if pa.types.is_temporal(column.type) else column.cast(pa.float64())
    values: NDArray[np.float64] = np.asarray(times, dtype=np.float64)
    return np.nan_to_num(values, nan=-np.inf)


def relevant(rows: pa.Table, layout: Layout) -> NDArray[np.bool_]:
    """Which rows count as taken well, ``bool[n]``: all, or those of a rating from a bar on."""
    names = [name for name in layout.named("feedback") if name in rows.column_names]
    if not names:
        return np.ones(rows.num_rows, dtype=bool)
    values = rows[names[0]].cast(pa.float64()).to_numpy()
    return np.asarray(values >= layout.relevant_from)


def _roles(rows: pa.Table, layout: Layout, found: Taken) -> tuple[dict[str, Role], list[str]]:
    """What each other column tells of: the item, the user, or nothing that is known beforehand."""
    user, item = np.full(rows.num_rows, -1), np.full(rows.num_rows, -1)
    user[found.row], item[found.row] = found.user, found.item
    found_roles = roles.told(rows, layout.named("item"), user, item)
    dropped = [name for name, role in found_roles.items() if role == "left_out"]
    if not dropped:
        return found_roles, []
    return found_roles, [
        f"Not read: {', '.join(dropped)}, which differ within users and within items: whether they"
        " are known when a list is asked for is for you to say (data.context), or that they are"
        " ratings (data.feedback)."
    ]


def _sorted(names: pa.Array) -> list[str]:
    return sorted(names.to_pylist(), key=lambda name: (len(name) if name.isdigit() else 0, name))


def _layout(layout: Layout, told: dict[str, Role], past: str, catalogue: list[str]) -> Layout:
    user = layout.column(layout.named("user")[0])
    changed = {
        user.name: {"role": "feature", "modality": "category", "arrow_type": "string"},
        layout.target: {"modality": "category", "arrow_type": "string"},
    }
    changed |= {name: {"role": role} for name, role in told.items()}
    others = [c for c in layout.columns if c.name != user.name]
    others = [c.model_copy(update=changed.get(c.name, {})) for c in others]
    first = user.model_copy(update=changed[user.name])
    why = "what the user took before, the latest first"
    own = Column(name=past, modality="set", arrow_type="string", why=why, optional=True)
    # who asks stands first and the past last: what a reader of the features finds them by
    beside = [
        Column(name=past + name, modality="set", arrow_type="string", role="metadata", why=why)
        for name, why in TOLD.items()
    ]
    columns = [first, *others, *beside, own]
    return layout.model_copy(update={"columns": columns, "catalogue": catalogue})


def _steps(found: Taken, rows: pa.Table, layout: Layout, past: str) -> pa.Table:
    """An example for each new relevant item of the training part."""
    places = np.flatnonzero((found.part == 0) & found.first & found.relevant)
    table = rows.take(pa.array(found.row[places]))
    whose = found.user[places]
    last = np.r_[whose[1:] != whose[:-1], True][: len(whose)]
    spread = np.where(last, np.cumsum(last) - 1, 0)
    for name, parts in ((NOW, (0, 1)), (LATER, (2,))):
        known = found.known(places[last], parts).take(pa.array(spread, mask=~last))
        table = table.append_column(past + name, known)
    target = spelled(table[layout.target])
    return _finished(table, layout, past, found.before(places, LONGEST), target)


def _users(found: Taken, rows: pa.Table, layout: Layout, past: str, code: int) -> pa.Table:
    """A row for each user who takes something new and relevant in this part."""
    places = np.flatnonzero((found.part == code) & found.first & found.relevant)
    start = found.start[places]
    users, begin, size = np.unique(start, return_index=True, return_counts=True)
    here = np.flatnonzero(found.part == code)
    opening = here[np.searchsorted(here, users)]  # the user's first row of the part
    table = rows.take(pa.array(found.row[places[begin]]))
    most = LONGEST if code == 1 else 0
    target = found.written(found.item[places], size)
    empty = {c.name for c in layout.columns if c.role in ("item", "feedback")}
    for name in empty & set(table.column_names):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.nulls(table.num_rows, table[name].type))
    return _finished(table, layout, past, found.before(opening, most), target)


def _finished(
    table: pa.Table, layout: Layout, past: str, before: pa.Array, target: pa.Array
) -> pa.Table:
    user = layout.features[0].name
    columns = {name: table[name] for name in table.column_names}
    columns |= {user: spelled(columns[user]), layout.target: target, past: before}
    for name in TOLD:
        columns.setdefault(past + name, pa.nulls(table.num_rows, pa.string()))
    return pa.table({column.name: columns[column.name] for column in layout.columns})


def _table(tables: dict[str, pa.Table], layout: Layout) -> Table:
    records = []
    for name, table in tables.items():
        user, past = layout.features[0].name, layout.features[-1].name
        marks = pc.add(pc.count_substring(table[past], interactions.MARK), 1)
        size = pc.if_else(pc.equal(table[past], ""), 0, marks)
        taken = pc.add(pc.count_substring(table[layout.target], interactions.MARK), 1)
        records.append(
            {
                "part": name,
                "examples": table.num_rows,
                "users": pc.count_distinct(table[user]).as_py(),
                "items before, mean": pc.mean(size).as_py(),
                "items to find, mean": pc.mean(taken).as_py(),
            }
        )
    note = (
        f"Train: an item that a user takes for the first time, and at most {LONGEST} before it."
        " Valid and test: a user, and all that is new to it."
    )
    return Table.of("Examples", records, note)


def _cold(tables: dict[str, pa.Table], layout: Layout) -> list[str]:
    """How much of the test part training rows never had."""
    user, test = layout.features[0].name, tables["test"]
    codes = codes_of(test[layout.target].combine_chunks(), layout.catalogue, COLD, NONE)
    there = codes != NONE
    share = float((codes == COLD).sum() / max(1, there.sum()))
    new = pc.invert(pc.is_in(test[user], value_set=tables["train"][user].combine_chunks()))
    num_new = pc.sum(new).as_py() or 0
    return [
        f"The catalogue holds the {len(layout.catalogue)} items of the training rows; {share:.1%}"
        " of what is to be found in the test rows is not among them, and counts as missed.",
        f"{num_new} of {test.num_rows} test users have no training row.",
    ]


def past_of_users(train: pa.Table, layout: Layout) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Names of the training users, and what is known of each.

    What a user took in the validation and test rows too: no weight learns from it, but a list is
    not to show it again.

    Returns
    -------
    list of str
        Names.
    dict
        ``past_items`` ``int32``, one user after another, each's earliest first; ``past_starts``
        ``int64[users + 1]``, where each one's begin; ``past_known`` ``int64[users]``, how many of
        them are not of the test part.
    """
    past = layout.features[-1].name
    last = train.filter(train[past + NOW].is_valid())
    parts = [
        codes_of(last[past + name], layout.catalogue, COLD, NONE)[:, ::-1] for name in (NOW, LATER)
    ]
    codes = np.concatenate(parts, axis=1)
    there = codes != NONE
    known = {
        "past_items": codes[there].astype(np.int32),
        "past_starts": np.r_[0, np.cumsum(there.sum(axis=1))].astype(np.int64),
        "past_known": (parts[0] != NONE).sum(axis=1).astype(np.int64),
    }
    return last[layout.features[0].name].to_pylist(), known


def past_of(table: pa.Table, learnt: Any) -> NDArray[np.int32]:
    """What each row's user took before, ``int32[n, k]``, the latest first, negative: none.

    As the row says it; where it says nothing, what the user took in the training rows.
    """
    layout, past = learnt.layout, learnt.target["past"]
    told = codes_of(table[past], layout.catalogue, COLD, NONE)
    users = spelled(table[layout.features[0].name]).combine_chunks()
    silent = pc.is_null(table[past]).to_numpy()
    for_whom, items, step = known_of(np.where(silent, users_of(users, learnt), -1), learnt)
    width = max(LONGEST, told.shape[1], int(step.max(initial=-1)) + 1)
    found = np.full((len(silent), width), NONE, dtype=np.int32)
    found[:, : told.shape[1]] = told
    found[for_whom, step] = items
    return found


def users_of(names: pa.Array, learnt: Any) -> NDArray[np.int64]:
    """Numbers of users among those of the training rows, ``int64[n]``, -1 for others."""
    known = pc.index_in(names, pa.array(learnt.target["users"], pa.string())).fill_null(-1)
    return np.asarray(known.to_numpy(zero_copy_only=False), dtype=np.int64)


def known_of(
    user: NDArray[np.int64], learnt: Any, until_test: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """What is known of users, one after another, the latest first.

    Parameters
    ----------
    user : int64[n]
        Their numbers; -1: nothing is.
    until_test : bool
        Whether items of the test part are left out.

    Returns
    -------
    int64[m], int32[m], int64[m]
        Place in ``user``, item, and how many later items of the same user there are.
    """
    starts, items = learnt.arrays["past_starts"], learnt.arrays["past_items"]
    last = starts[:-1] + learnt.arrays["past_known"] if until_test else starts[1:]
    inside = np.flatnonzero(user >= 0)
    size = (last - starts[:-1])[user[inside]]
    for_whom = np.repeat(inside, size)
    step = np.arange(len(for_whom)) - np.repeat(np.cumsum(size) - size, size)
    return for_whom, items[last[user[for_whom]] - 1 - step], step
