"""From what users took, row by row, to examples: what one took before, and what one took next.

Arrow columns in, Arrow columns out; nothing is done row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MARK, INSTEAD = "|", "¦"
"""Between the items of a list, and what takes its place within a name."""
LONGEST = 50
"""Items that an example of training remembers, the latest (house choice)."""


@dataclass(frozen=True)
class Taken:
    """Rows of all parts, by user and in their order.

    Attributes
    ----------
    row, user, item, part : int64[n]
        Position in the rows that came, and codes.
    first, relevant : bool[n]
        Whether the user takes the item for the first time; whether the row counts as taken well.
    users, items : pa.Array
        Names, by code.
    """

    row: NDArray[np.int64]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    part: NDArray[np.int64]
    first: NDArray[np.bool_]
    relevant: NDArray[np.bool_]
    users: pa.Array
    items: pa.Array

    @property
    def start(self) -> NDArray[np.int64]:
        """Where each row's user begins, ``int64[n]``."""
        new = np.r_[True, self.user[1:] != self.user[:-1]]
        return np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))

    def before(self, places: NDArray[np.int64], most: int) -> pa.Array:
        """What was taken before these places by the same user, the latest first, as text.

        Parameters
        ----------
        places : int64[k]
            Positions here.
        most : int
            Items of each; 0: all.
        """
        size = places - self.start[places]
        return self.back(places, np.minimum(size, most) if most else size)

    def known(self, places: NDArray[np.int64], parts: tuple[int, ...]) -> pa.Array:
        """All that the users of these places took in some parts, the latest first."""
        start = self.start
        from_, to = min(parts), max(parts) + 1
        skipped = np.bincount(start[self.part < from_], minlength=len(start))
        before = np.bincount(start[self.part < to], minlength=len(start))
        begin = start[places]
        return self.back(begin + before[begin], (before - skipped)[begin])

    def back(self, places: NDArray[np.int64], size: NDArray[np.int64]) -> pa.Array:
        """So many items before each place, the latest first, as text."""
        ends = np.cumsum(size)
        step = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - size, size)
        found = self.item[np.repeat(places - 1, size) - step]
        return self.written(found, size)

    def written(self, items: NDArray[np.int64], size: NDArray[np.int64]) -> pa.Array:
        """Lists of items, one after another, as text; an empty one is known to hold nothing."""
        return joined(self.items.take(pa.array(items)), size)


def joined(names: pa.Array, size: NDArray[np.int64]) -> pa.Array:
    """Names, so many at a time, with the mark between them."""
    offsets = pa.array(np.r_[0, np.cumsum(size)].astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, names.cast(pa.string())), MARK)


def taken(
    users: pa.ChunkedArray,
    items: pa.ChunkedArray,
    part: NDArray[np.int64],
    times: NDArray[np.float64],
    relevant: NDArray[np.bool_],
) -> Taken:
    """Sort rows by user, part and time; rows without a user are left out."""
    names, whose = coded(users)
    things, what = coded(items)
    rows = np.flatnonzero(whose >= 0)
    order = rows[np.lexsort((rows, times[rows], part[rows], whose[rows]))]
    pair = whose[order] * (len(things) + 1) + what[order]
    first = np.zeros(len(order), dtype=bool)
    first[np.unique(pair, return_index=True)[1]] = True
    return Taken(
        order, whose[order], what[order], part[order], first, relevant[order], names, things
    )


def coded(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int64]]:
    """Names, and the code of each row, ``int64[n]``, -1 where there is none."""
    coded = spelled(column).combine_chunks().dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return coded.dictionary, codes


def spelled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Names as text, without the mark that stands between the items of a list."""
    text = column.cast(pa.string())
    return pc.utf8_trim_whitespace(pc.replace_substring(text, MARK, INSTEAD))


def codes_of(column: pa.ChunkedArray, names: list[str], missing: int, none: int, width: int = 0
) -> NDArray[np.int64]:  # fmt: skip
    """Lists as codes, ``int64[n, width]``: ``missing`` for other names, ``none`` after the last.

    Examples
    --------
    >>> codes_of(pa.chunked_array([["b|x", None]]), ["a", "b"], -1, -2).tolist()
    [[1, -1], [-2, -2]]
    """
    text = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    lists = pc.split_pattern(text.cast(pa.large_string()), MARK)
    parts = pc.utf8_trim_whitespace(pc.list_flatten(lists)).cast(pa.string())
    rows = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    found = pc.index_in(parts, pa.array(names, pa.string())).fill_null(missing)
    codes = found.to_numpy(zero_copy_only=False).astype(np.int64)
    some = pc.greater(pc.utf8_length(parts), 0).to_numpy(zero_copy_only=False)
    rows, codes = rows[some], codes[some]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    width = width or int(place.max(initial=0)) + 1
    table = np.full((len(text), width), none, dtype=np.int64)
    kept = place < width
    table[rows[kept], place[kept]] = codes[kept]
    return table


def constant_within(column: pa.ChunkedArray, codes: NDArray[np.int64]) -> bool:
    """Whether rows of one code have one value, nulls aside."""
    values = column.combine_chunks()
    if pa.types.is_binary(values.type):
        return False
    held = values.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    there = (held >= 0) & (codes >= 0)
    pairs = np.unique(np.stack([codes[there], held[there]]), axis=1)
    return pairs.shape[1] == len(np.unique(codes[there]))
