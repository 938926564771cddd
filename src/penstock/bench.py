"""A few test rows, encoded and scored once, on which columns are exchanged one by one.

Model, rows -> :class:`Bench`
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.chunks import taken
from penstock.learning.encodings import Exchange, column_encodings, encodings
from penstock.learning.network import Network
from penstock.measure.predictions import Answers
from penstock.model import Model


class Bench:
    """Rows on which columns are exchanged.

    Parameters
    ----------
    model : Model
        With its policy.
    table : pa.Table
        Rows with target.
    seed : int
        Of what is drawn for the exchanges.

    Attributes
    ----------
    target : int64[n] or float64[n]
        Class codes or values.
    exchange : Exchange or None
        Exchanges a column at its own cost; None for a network that is no
        :class:`~penstock.learning.network.Network`: the rows are then scored again.
    encoded : float32[n, width]
        What the encoders make of the rows; nothing without an exchange.
    before : Answers
        Scores and decisions of the rows as they are.
    """

    def __init__(self, model: Model, table: pa.Table, seed: int):
        self.model, self.table, self.seed = model, table, seed
        self.target = model.task.encode_target(table[model.layout.target], model.layout)
        self.exchange: Exchange | None = None
        self.encoded = torch.zeros(table.num_rows, 0)
        if isinstance(model.network, Network):
            self.encoded = encodings(model.network, model.encoded(table))
            self.exchange = Exchange(model.network, self.encoded)
            scores = self._scored(self.exchange.outputs())
        else:
            scores = model.scores(table)
        self.before = Answers(scores, model.decided(table, scores))

    @property
    def names(self) -> list[str]:
        """The columns that the model reads, in its order."""
        return [column.name for column in self.model.learnt.inputs]

    def here(self, name: str) -> Tensor:
        """What the encoder makes of a column, ``float32[n, width]``; needs an exchange."""
        assert self.exchange is not None
        return self.encoded[:, self.exchange.spans[name]]

    def said(self, name: str, column: pa.ChunkedArray | None = None) -> NDArray[np.float64]:
        """What a column, or one in its place, tells the first layer, ``float64[n, d]``.

        It needs an exchange.
        """
        assert self.exchange is not None
        if column is None:
            return self.exchange.said(name, self.here(name))
        return self.exchange.said(name, self._encoded(name, column))

    def _encoded(self, name: str, column: pa.ChunkedArray) -> Tensor:
        assert self.exchange is not None
        arrays = self.model.learnt.encode_column(name, exchanged(self.table, name, column))
        return column_encodings(self.exchange.network, name, arrays)

    def scores_with(self, name: str, column: pa.ChunkedArray) -> NDArray[Any]:
        """Scores of the rows with another column in place of one; what encodes alike stays."""
        if self.exchange is None or self._told_elsewhere(name):
            return self.model.scores(exchanged(self.table, name, column))
        return self._scores_of(name, self._encoded(name, column))

    def scores_dealt(self, name: str, order: NDArray[np.int64]) -> NDArray[Any]:
        """Scores of the rows with the values of a column dealt out in another order."""
        if self.exchange is None or self._told_elsewhere(name):
            return self.scores_with(name, taken(self.table[name], order))
        here, every = self.here(name), torch.arange(len(order))
        return self._scored(self.exchange.outputs_with(name, here[torch.from_numpy(order)], every))

    def _told_elsewhere(self, name: str) -> bool:
        """Whether the encoding of another column tells of this one too, or this one of others."""
        learnt = self.model.learnt
        return any(name in (other, *learnt.beside(other)) for other in self.names
                   if learnt.beside(other))  # fmt: skip

    def _scores_of(self, name: str, found: Tensor) -> NDArray[Any]:
        assert self.exchange is not None
        rows = torch.nonzero((found != self.here(name)).any(dim=1))[:, 0]
        scores = self.before.scores.copy()
        if len(rows):
            changed = self.exchange.outputs_with(name, found[rows], rows)
            scores[rows.numpy()] = self._scored(changed)
        return scores

    def _scored(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        return self.model.scored(torch.from_numpy(outputs), {})


def exchanged(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    """A table with another column in place of the one of this name."""
    return table.set_column(table.column_names.index(name), name, column)


def drawn(table: pa.Table, count: int, seed: int) -> NDArray[np.int64]:
    """Positions of a sample without replacement, in the order of the draw."""
    return np.random.default_rng(seed).choice(table.num_rows, count, replace=False)
