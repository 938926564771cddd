"""What general compressors make of the same text, given the training text: prediction is
compression (Shannon, 1948), so a model of text that cannot beat them has learnt little.

bytes of documents -> bits of each
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ZLIB_WINDOW = 1 << 15
"""Bytes that zlib can look back."""
XZ_GIVEN = 1_000_000
"""Bytes of training text that xz is given before each block (house choice: it reads them anew)."""
XZ_BLOCKS = 6
"""Blocks of documents (house choice)."""


def zlib_bits(given: bytes, documents: Sequence[bytes]) -> NDArray[np.float64]:
    """Bits of each document with the end of the training text as zlib's dictionary.

    Examples
    --------
    >>> alone, helped = (zlib_bits(g, [b"one two three"])[0] for g in (b"", b"one two three"))
    >>> bool(helped < alone)
    True
    """
    tail = given[-ZLIB_WINDOW:]
    found = []
    for document in documents:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=tail)
        found.append(8 * (len(packer.compress(document)) + len(packer.flush())))
    return np.array(found, dtype=np.float64)


def xz_bits(
    given: bytes, documents: Sequence[bytes], blocks: int = XZ_BLOCKS
) -> NDArray[np.float64]:
    """Bits of each document packed by xz together with its neighbours, behind the training text.

    What a block of documents adds to the packed training text is shared out among its documents
    by their bytes, so that single figures are no more than that; the sum is what xz needs.
    """
    tail = given[-XZ_GIVEN:]
    alone = len(_packed(tail))
    sizes = np.array([len(document) for document in documents], dtype=np.float64)
    found = np.zeros(len(documents))
    for some in np.array_split(np.arange(len(documents)), blocks):
        if len(some):
            added = len(_packed(tail + b"".join(documents[one] for one in some))) - alone
            found[some] = 8 * added * sizes[some] / max(1.0, sizes[some].sum())
    return found


def unigram_bits(given: bytes, documents: Sequence[bytes]) -> NDArray[np.float64]:
    """Bits of each document by how frequent each byte is in the training text, plus one each.

    Examples
    --------
    >>> unigram_bits(bytes(range(256)), [b"any"]).tolist()
    [24.0]
    """
    counts = np.bincount(np.frombuffer(given, np.uint8), minlength=256) + 1.0
    cost = np.log2(counts.sum() / counts)
    return np.array([cost[np.frombuffer(one, np.uint8)].sum() for one in documents])


def _packed(text: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 24}]
    return lzma.compress(text, format=lzma.FORMAT_RAW, filters=filters)
