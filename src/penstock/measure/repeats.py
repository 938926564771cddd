"""Rows that stand in a table more than once, and rows that contradict each other.

Arrow columns -> masks
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.chunks import digested


def fingerprints(table: pa.Table) -> NDArray[np.uint64]:
    """A hash of each row, equal for equal rows; a missing value equals a missing value.

    Two unequal rows of ``n`` collide somewhere with a probability of about ``n**2 / 2**65``
    (the birthday bound of 64 bits): one in 4,000 million for 100,000 rows.

    Parameters
    ----------
    table : pa.Table
        The columns that count; at least one.

    Returns
    -------
    uint64[n]

    Examples
    --------
    >>> rows = fingerprints(pa.table({"a": [1, 1, 2], "b": ["x", "x", None]}))
    >>> bool(rows[0] == rows[1]), bool(rows[1] == rows[2])
    (True, False)
    """
    combined = np.zeros(table.num_rows, np.uint64)
    for column in table.columns:
        codes: NDArray[np.uint64] = pd.util.hash_array(_codes(column))
        combined = pd.util.hash_array(combined * np.uint64(31) ^ codes)
    return combined


def repeated(rows: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True for each row that equals an earlier one, ``bool[n]``.

    Examples
    --------
    >>> repeated(np.array([7, 8, 7], np.uint64)).tolist()
    [False, False, True]
    """
    return pd.Series(rows).duplicated().to_numpy()


def contradicting(features: NDArray[np.uint64], whole: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True for each row whose features stand in the table with another label too, ``bool[n]``.

    Parameters
    ----------
    features, whole : uint64[n]
        Fingerprints of the rows without and with the label.

    Examples
    --------
    >>> contradicting(np.array([1, 1, 2], np.uint64), np.array([5, 6, 7], np.uint64)).tolist()
    [True, True, False]
    """
    pairs = pd.DataFrame({"features": features, "whole": whole}).drop_duplicates()
    torn = pairs["features"][pairs["features"].duplicated()]
    return np.isin(features, torn.to_numpy())


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Equal numbers for equal values, ``int64[n]``."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        column = pc.binary_join(column.cast(pa.list_(pa.string())), "\x1f")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    coded = digested(column).combine_chunks().dictionary_encode(null_encoding="encode")
    return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
