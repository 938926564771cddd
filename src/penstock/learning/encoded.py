"""Encoded rows: the arrays that a network reads, in memory or in memory-mapped files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.learning.ragged import Ragged

Arrays = dict[str, dict[str, Any]]
"""By column and name: arrays, first axis ``n``, or :class:`~penstock.learning.ragged.Ragged`."""
Inputs = dict[str, dict[str, Any]]
DOUBLE = torch.float64


@dataclass
class Encoded:
    """Rows of a table, ready for the network.

    Attributes
    ----------
    inputs : dict of str to dict of str to Tensor
        By column and name of the array; first axis ``n``.
    target : Tensor, optional
        ``int64[n]`` codes or ``float32[n]`` scaled values.
    weight : Tensor, optional
        ``float32[n]``, not negative: what each row counts; None: the same.
    epoch_rows : int
        Rows that an epoch draws from them; 0: every row once.
    """

    inputs: Inputs
    num_rows: int
    target: Tensor | None = None
    weight: Tensor | None = None
    epoch_rows: int = 0

    @classmethod
    def of(
        cls,
        arrays: Arrays,
        num_rows: int,
        target: NDArray[np.generic] | None = None,
        weight: NDArray[np.float32] | None = None,
    ) -> Encoded:
        """Wrap NumPy arrays, memory-mapped ones too, without a copy."""
        inputs = {
            column: {name: _readable(array) for name, array in named.items()}
            for column, named in arrays.items()
        }
        goal, mass = (None if end is None else torch.from_numpy(end) for end in (target, weight))
        return cls(inputs, num_rows, goal, mass)

    def head(self, num_rows: int) -> Encoded:
        """The first rows."""
        return self._at(slice(num_rows), min(num_rows, self.num_rows))

    def only(self, rows: Tensor) -> Encoded:
        """A copy of the rows of these numbers, ``int64[k]``."""
        return self._at(rows, len(rows))

    def _at(self, rows: Tensor | slice, count: int) -> Encoded:
        inputs = {
            column: {name: tensor[rows] for name, tensor in named.items()}
            for column, named in self.inputs.items()
        }
        ends = (self.target, self.weight)
        target, weight = (None if tensor is None else tensor[rows] for tensor in ends)
        return Encoded(inputs, count, target, weight)

    def take(self, rows: Tensor, device: torch.device) -> tuple[Inputs, Any]:
        """Inputs and target of the rows of these numbers (``int64[k]``), on the device.

        The target is None where there is none.
        """
        inputs = {
            column: {name: tensor[rows].to(device) for name, tensor in named.items()}
            for column, named in self.inputs.items()
        }
        return inputs, None if self.target is None else self.target[rows].to(device)

    def weights(self, rows: Tensor, device: torch.device) -> Tensor | None:
        """What the rows of these numbers count, on the device; None where all count the same."""
        return None if self.weight is None else self.weight[rows].to(device)

    def mass(self, rows: Tensor) -> float:
        """What the rows of these numbers count together; without weights, how many they are."""
        return len(rows) if self.weight is None else float(self.weight[rows].sum(dtype=DOUBLE))

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Row numbers of one epoch's batches, in an order drawn from the generator."""
        order = torch.randperm(self.num_rows, generator=generator)
        while len(order) < self.epoch_rows:
            again = torch.randperm(self.num_rows, generator=generator)
            order = torch.cat([order, again])
        yield from order[: self.epoch_rows or None].split(batch_size)

    def in_order(self, batch_size: int) -> Iterator[Tensor]:
        """Row numbers of batches from the first row to the last."""
        yield from torch.arange(self.num_rows).split(batch_size)


def _readable(array: Any) -> Any:
    return array if isinstance(array, Ragged) else torch.from_numpy(array)
