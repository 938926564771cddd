"""A few test rows, encoded and scored once, on which columns are exchanged one by one.

Model, rows -> :class:`Bench`
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from penstock.learning.encodings import Exchange, encodings
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
    encoded : float32[n, width]
        What the encoders make of the rows.
    before : Answers
        Scores and decisions of the rows as they are.
    """

    def __init__(self, model: Model, table: pa.Table, seed: int):
        self.model, self.table, self.seed = model, table, seed
        self.target = model.task.encode_target(table[model.layout.target], model.layout)
        self.encoded = encodings(model.network, model.encoded(table))
        self.exchange = Exchange(model.network, self.encoded)
        scores = model.scored(self.exchange.outputs())
        self.before = Answers(scores, model.decided(table, scores))

    def here(self, name: str) -> Tensor:
        """What the encoder makes of a column, ``float32[n, width]``."""
        return self.encoded[:, self.exchange.spans[name]]

    def scores_with(self, name: str, found: Tensor, rows: Tensor) -> NDArray[Any]:
        """Scores of these rows with another encoding of a column."""
        return self.model.scored(self.exchange.outputs_with(name, found, rows))


def drawn(table: pa.Table, count: int, seed: int) -> NDArray[np.int64]:
    """Positions of a sample without replacement, in the order of the draw."""
    return np.random.default_rng(seed).choice(table.num_rows, count, replace=False)
