"""Rows of different lengths, one behind the other: documents, for example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BEHIND = -1
"""What stands behind a row's end where rows are laid beside one another."""


@dataclass(frozen=True)
class Ragged:
    """Rows of codes.

    Attributes
    ----------
    values : int16[m]
        Of all rows, row after row; none is negative.
    starts : int64[n + 1]
        Where each row starts, and where the last one ends.
    """

    values: NDArray[np.int16]
    starts: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Length of each row."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: slice | Tensor) -> Ragged:
        """These rows, in the order asked for.

        Examples
        --------
        >>> rows = Ragged(np.array([5, 6, 7], dtype=np.int16), np.array([0, 2, 2, 3]))
        >>> rows[torch.tensor([2, 0])].to(torch.device("cpu")).tolist()
        [[7, -1], [5, 6]]
        """
        if isinstance(rows, slice):
            chosen = np.arange(len(self))[rows]
        else:
            chosen = rows.cpu().numpy().astype(np.int64)
        sizes = self.sizes[chosen]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.arange(starts[-1]) + (self.starts[:-1][chosen] - starts[:-1]).repeat(sizes)
        return Ragged(self.values[places], starts)

    def to(self, device: torch.device) -> Tensor:
        """The rows beside one another, ``int16[n, longest]``, :data:`BEHIND` after their ends."""
        sizes = self.sizes
        table = np.full((len(self), int(sizes.max(initial=0))), BEHIND, dtype=np.int16)
        table[np.arange(table.shape[1]) < sizes[:, None]] = self.values
        return torch.from_numpy(table).to(device)

    def behind(self, before: Ragged | None, path: Path) -> Ragged:
        """These rows behind others that a file holds; both are then read from the file."""
        with path.open("wb" if before is None else "ab") as file:
            self.values.tofile(file)
        old = np.zeros(1, np.int64) if before is None else before.starts
        starts = np.concatenate([old, old[-1] + self.starts[1:]])
        empty = np.zeros(0, np.int16)
        values = np.memmap(path, np.int16, mode="r") if starts[-1] else empty
        return Ragged(values, starts)
