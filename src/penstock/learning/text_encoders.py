"""Encoders of texts: the terms that stand in it, the order of its pieces, how it is written.

arrays of :mod:`penstock.modalities.text` -> ``float32[batch, width]``
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PLANES, HALVES = 64, 2
"""Planes of the convolutions, width of the vector that terms add up to, and how often a text is
halved (house choice)."""
HIDDEN_TERMS = 0.3
"""Share of the terms that are hidden while learning (word dropout, Iyyer et al., 2015; the value
is a house choice): no text is known by one rare term."""
DROPOUT = 0.2
"""On what the convolutions say (house choice)."""
FARTHEST = 5.0
"""Standard deviations from the mean at which a measure ends (house choice)."""


class TermBag(nn.Module):
    """The vectors of a text's terms, added up by their tf-idf weights of length one.

    Reads ``terms``: ``int16[batch, k]``, codes from 1, 0 for none; ``count``: ``uint8[batch, k]``.
    Vectors begin at zero: a term says nothing until it has taught something.

    Parameters
    ----------
    rarity : list of float
        Inverse frequency of each term.
    width : int
        Of the vectors.
    """

    rarity: Tensor

    def __init__(self, rarity: list[float], width: int = PLANES):
        super().__init__()
        self.register_buffer("rarity", torch.tensor([0.0, *rarity], dtype=torch.float32))
        self.width = width
        self.table = nn.EmbeddingBag(len(rarity) + 1, self.width, mode="sum", padding_idx=0)
        nn.init.zeros_(self.table.weight)

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        terms = arrays["terms"].long()
        weights = (1 + arrays["count"].clamp_min(1).float().log()) * self.rarity[terms]
        if self.training:
            shown = torch.rand_like(weights) >= HIDDEN_TERMS
            weights = weights * shown
        weights = F.normalize(weights, dim=1)
        bag: Tensor = self.table(terms, per_sample_weights=weights)
        return bag


class PieceConvolution(nn.Module):
    """What neighbouring pieces say together: convolutions, each of a text half as long.

    Reads ``pieces``: ``int16[batch, length]``, codes from 1, 0 after the end. Each plane's
    largest value and its mean are what is left of the text.

    Parameters
    ----------
    num_pieces : int
        Kinds of pieces.
    planes : int
        Of the convolutions; a piece's vector is half as wide.
    """

    def __init__(self, num_pieces: int, planes: int = PLANES):
        super().__init__()
        self.table = nn.Embedding(num_pieces + 1, planes // 2, padding_idx=0)
        nn.init.normal_(self.table.weight, std=(planes // 2) ** -0.5)
        self.first = nn.Conv1d(planes // 2, planes, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv1d(planes, planes, 3, padding=1) for _ in range(HALVES))
        self.dropout = nn.Dropout(DROPOUT)
        self.width = 2 * planes

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        codes = arrays["pieces"].long()
        there = (codes > 0)[:, None].float()
        planes = self.dropout(self.table(codes)).transpose(1, 2)
        planes = torch.relu(self.first(planes)) * there
        for layer in self.layers:
            planes = F.max_pool1d(planes, 2, ceil_mode=True)
            there = F.max_pool1d(there, 2, ceil_mode=True)
            planes = torch.relu(planes + layer(planes)) * there
        mean = planes.sum(dim=2) / there.sum(dim=2).clamp_min(1)
        said: Tensor = self.dropout(torch.cat([planes.amax(dim=2), mean], dim=1))
        return said


class Measures(nn.Module):
    """How a text is written, in standard deviations from the training mean; 1 where it is missing.

    Reads ``measures``: ``float32[batch, k]``, nan where missing.

    Parameters
    ----------
    mean, deviation : list of float
        Of each measure.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: list[float], deviation: list[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float32))
        self.width = len(mean) + 1

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        raw = arrays["measures"]
        missing = torch.isnan(raw[:, :1])
        far = torch.nan_to_num((raw - self.mean) / self.deviation).clamp(-FARTHEST, FARTHEST)
        return torch.cat([far, missing.to(far.dtype)], dim=1)
