"""A quick network for a trial: costly columns are read as simple models see them.

A convolution over images takes longer to try twice than to train once. What is tried is a loss,
and that works on the same rows and labels whatever reads them.

train rows, ModelSpec -> :class:`Quick`
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import modalities, tasks
from penstock.learning.encoded import Arrays, Encoded
from penstock.learning.encoders import Standardised
from penstock.learning.network import Network
from penstock.learning.sizing import shape_of
from penstock.model import Learnt
from penstock.records import Layout
from penstock.spec import ModelSpec


@dataclass(frozen=True)
class Quick:
    """How rows are read, and by what.

    Attributes
    ----------
    learnt : Learnt
        Column states and the settings of the network.
    scales : dict of str to (float64[k], float64[k])
        Mean and deviation of what simple models see, of the columns that are read so: those
        whose modality offers ``plain``.
    """

    learnt: Learnt
    scales: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

    @classmethod
    def of(cls, train: pa.Table, layout: Layout, spec: ModelSpec) -> Quick:
        """Learn from training rows."""
        learnt = Learnt.of(train, layout, spec)
        scales = {}
        for column in layout.features:
            modality = modalities.load(column.modality)
            if hasattr(modality, "plain"):
                seen = modality.plain(train[column.name], learnt.columns[column.name])
                scales[column.name] = (seen.mean(axis=0), seen.std(axis=0))
        return cls(learnt, scales)

    def encoded(self, table: pa.Table) -> Encoded:
        """Rows with their target, as :meth:`network` reads them."""
        layout, arrays = self.learnt.layout, Arrays()
        for column in layout.features:
            modality, state = modalities.load(column.modality), self.learnt.columns[column.name]
            values = table[column.name]
            if column.name in self.scales:
                seen = modality.plain(values, state)  # type: ignore[attr-defined]
                arrays[column.name] = {"values": seen.astype(np.float32)}
            else:
                arrays[column.name] = self.learnt.encode_column(column.name, table)
        return Encoded.of(arrays, table.num_rows, self.learnt.encode_target(table))

    def network(self) -> Network:
        """A network with fresh weights; seed torch before."""
        layout, spec = self.learnt.layout, self.learnt.spec
        encoders = {
            c.name: Standardised(*self.scales[c.name])
            if c.name in self.scales
            else modalities.load(c.modality).encoder(self.learnt.columns[c.name], spec)
            for c in layout.features
        }
        return Network(encoders, tasks.load(layout.task).num_outputs(layout), shape_of(spec))
