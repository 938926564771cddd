"""Vectors that were made of values, kept so that they are not made again.

By the value's SHA-256, whatever rows or column it stands in: a second run finds those of the
first, and a stress that leaves a value as it was costs nothing. One folder for each way of making.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.chunks import taken

ROWS_A_FILE = 2048
"""Vectors written at once (house choice: what a killed run loses)."""

log = logging.getLogger("penstock.learning")

Made = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Vectors ``float32[n, width]`` and lengths ``int32[n]``."""


class Kept:
    """The vectors of a folder.

    Parameters
    ----------
    folder : Path
        ``.npy`` files of records: key, length, vector.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: list[NDArray[Any]] = []
        self.place: dict[bytes, tuple[int, int]] = {}
        for path in sorted(folder.glob("*.npy")):
            try:
                self._add(np.load(path, mmap_mode="r"))
            except (ValueError, EOFError, OSError) as error:
                log.warning("%s cannot be read (%s); made again", path.name, error)

    def of(self, column: pa.ChunkedArray, make: Callable[[pa.ChunkedArray], Made]) -> Made:
        """Vectors and lengths of values; ``make`` is asked for those that are not here."""
        if not len(column):
            return make(column)
        keys = [_key(value.as_py()) for value in column]  # one value at a time: images are large
        first = {key: row for row, key in enumerate(reversed(keys))}
        lost = [len(keys) - 1 - row for key, row in first.items() if key not in self.place]
        lost.sort()
        for at in range(0, len(lost), ROWS_A_FILE):
            rows = lost[at : at + ROWS_A_FILE]
            vectors, lengths = make(taken(column, rows))
            self._keep([keys[row] for row in rows], vectors, lengths)
        where = np.array([self.place[key] for key in keys])
        width = self.files[where[0, 0]].dtype["vector"].shape[0]
        vectors = np.empty((len(keys), width), np.float32)
        lengths = np.empty(len(keys), np.int32)
        for number in np.unique(where[:, 0]):
            here = where[:, 0] == number
            found = self.files[number][where[here, 1]]
            vectors[here], lengths[here] = found["vector"], found["length"]
        return vectors, lengths

    def _keep(
        self, keys: list[bytes], vectors: NDArray[np.float32], lengths: NDArray[np.int32]
    ) -> None:
        kind = [("key", "u1", (32,)), ("length", "<i4"), ("vector", "<f4", (vectors.shape[1],))]
        found: NDArray[Any] = np.empty(len(keys), dtype=kind)
        joined = b"".join(keys)
        found["key"] = np.frombuffer(joined, np.uint8).reshape(-1, 32)
        found["length"], found["vector"] = lengths, vectors
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{sha256(joined).hexdigest()}.npy"
        unfinished = path.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as file:
            np.save(file, found, allow_pickle=False)
        unfinished.replace(path)
        self._add(np.load(path, mmap_mode="r"))

    def _add(self, found: NDArray[Any]) -> None:
        number = len(self.files)
        self.files.append(found)
        keys = np.ascontiguousarray(found["key"]).tobytes()
        for row in range(len(found)):
            self.place[keys[32 * row : 32 * row + 32]] = number, row


@lru_cache(maxsize=8)
def kept_in(folder: Path) -> Kept:
    """The vectors of a folder, its index read once a process."""
    return Kept(folder)


def _key(value: str | bytes | None) -> bytes:
    if value is None:
        return sha256(b"missing").digest()
    content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return sha256(b"value" + content).digest()
