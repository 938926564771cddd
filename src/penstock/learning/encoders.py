"""Encoders: from the named arrays of one column to ``float32[batch, width]``."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

EMBEDDING_DROPOUT = 0.2
"""On embeddings; house choice, measured on Adult and generated tables."""
WORD_DROPOUT = 0.02
"""Share of a set's members that are hidden while learning (house choice)."""
MAX_EMBEDDING_WIDTH = 32
"""House choice, measured as above."""


def embedding_width(num_levels: int) -> int:
    """Width of an embedding, ``1.6 * levels ** 0.56`` (fastai's rule of thumb) up to 32.

    Examples
    --------
    >>> embedding_width(2), embedding_width(10_000)
    (2, 32)
    """
    return max(2, min(MAX_EMBEDDING_WIDTH, round(1.6 * num_levels**0.56)))


class LevelEmbedding(nn.Module):
    """A vector a level. Reads one array, ``int64[batch]`` in ``[0, len(credibility))``.

    While learning, a row's level is hidden behind code 0 as often as it is not believed (word
    dropout, Iyyer et al., 2015, at a rate of each level's own): a rare level cannot be learnt
    by heart, and code 0 learns to stand for levels never seen. Afterwards each level is the
    mean of what was shown: its vector, drawn towards that of code 0.

    Parameters
    ----------
    credibility : list of float
        For each level, how often it is shown, in [0, 1]; see
        :mod:`penstock.measure.credibility`.
    reads : str
        Name of the array.
    """

    credibility: Tensor

    def __init__(self, credibility: list[float], reads: str = "level"):
        super().__init__()
        num_levels = len(credibility)
        self.reads = reads
        self.register_buffer("credibility", torch.tensor(credibility, dtype=torch.float32))
        self.width = embedding_width(num_levels)
        self.table = nn.Embedding(num_levels, self.width)
        self.dropout = nn.Dropout(EMBEDDING_DROPOUT)
        nn.init.normal_(self.table.weight, std=self.width**-0.5)

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        codes = arrays[self.reads]
        shown = self.credibility[codes]
        if not self.training:
            return torch.lerp(self.table.weight[0], self.table(codes), shown[:, None])
        hidden = torch.rand_like(shown) >= shown
        embedded: Tensor = self.dropout(self.table(codes.masked_fill(hidden, 0)))
        return embedded


class SetEmbedding(nn.Module):
    """The mean of the vectors of a cell's members, and the logarithm of their number.

    Reads ``members``: ``int32[batch, most]`` in ``[0, num_codes)``, 0 where there is none. While
    learning, a member is now and then taken for an unseen one (word dropout, Iyyer et al.,
    2015), whose vector is thus learnt.

    Parameters
    ----------
    num_codes : int
        The codes, 0 among them.
    unseen : int
        The code of members never seen.
    """

    def __init__(self, num_codes: int, unseen: int):
        super().__init__()
        self.unseen = unseen
        vectors = embedding_width(num_codes)
        self.width = vectors + 1
        self.table = nn.Embedding(num_codes, vectors, padding_idx=0)
        self.dropout = nn.Dropout(EMBEDDING_DROPOUT)
        nn.init.normal_(self.table.weight[1:], std=vectors**-0.5)

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        codes = arrays["members"].long()
        there = codes > 0
        if self.training:
            hidden = torch.rand(codes.shape, device=codes.device) < WORD_DROPOUT
            codes = codes.masked_fill(hidden & there, self.unseen)
        count = there.sum(dim=1, keepdim=True)
        mean = self.table(codes).sum(dim=1) / count.clamp_min(1)
        return torch.cat([self.dropout(mean), torch.log1p(count)], dim=1)


class PiecewiseLinear(nn.Module):
    """How far a value has come through each of its bins (Gorishniy et al., 2022).

    Reads ``value``: ``float32[batch]``, nan where missing. Its output is one number in [0, 1]
    a bin, the value's normal score, and 1 where it is missing.

    Parameters
    ----------
    edges : list of float
        Ascending, at least two.
    knots, scores : list of float
        The value's empirical distribution: ascending values and their normal scores.
    """

    left: Tensor
    steepness: Tensor
    knots: Tensor
    scores: Tensor

    def __init__(self, edges: list[float], knots: list[float], scores: list[float]):
        super().__init__()
        bounds = torch.tensor(edges, dtype=torch.float32)
        self.register_buffer("left", bounds[:-1])
        self.register_buffer("steepness", 1 / bounds.diff().clamp_min(1e-12))
        self.register_buffer("knots", torch.tensor(knots, dtype=torch.float32))
        self.register_buffer("scores", torch.tensor(scores, dtype=torch.float32))
        self.width = len(edges) - 1 + 2

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        value = arrays["value"]
        missing = torch.isnan(value)[:, None]
        known = torch.nan_to_num(value)
        bins = ((known[:, None] - self.left) * self.steepness).clamp(0, 1)
        parts = torch.cat([bins, self.normal_score(known)[:, None]], dim=1)
        return torch.cat([parts.masked_fill(missing, 0.0), missing.to(parts.dtype)], dim=1)

    def normal_score(self, value: Tensor) -> Tensor:
        """Normal score of each value, linear between knots, flat beyond the outer ones."""
        upper = torch.searchsorted(self.knots, value).clamp(1, len(self.knots) - 1)
        low, high = self.knots[upper - 1], self.knots[upper]
        share = ((value - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
        return torch.lerp(self.scores[upper - 1], self.scores[upper], share)


class Standardised(nn.Module):
    """Numbers as they are, on a common scale.

    Reads ``values``: ``float32[batch, k]``, finite. What lies far out is cut at ten deviations.

    Parameters
    ----------
    mean, deviation : float64[k]
        Of the training rows.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: NDArray[np.float64], deviation: NDArray[np.float64]):
        super().__init__()
        self.width = len(mean)
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.as_tensor(deviation, dtype=torch.float32))

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, k]``."""
        scaled = (arrays["values"] - self.mean) / self.deviation.clamp_min(1e-6)
        return scaled.clamp(-10, 10)


class AsItIs(nn.Module):
    """Numbers as they are. Reads one array, ``float32[batch, width]``."""

    def __init__(self, reads: str, width: int):
        super().__init__()
        self.reads, self.width = reads, width

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        return arrays[self.reads]


class Numbered(nn.Module):
    """An encoder of those arrays whose names begin with a number and a line."""

    def __init__(self, number: int, encoder: nn.Module):
        super().__init__()
        self.prefix, self.encoder = f"{number}_", encoder
        self.width = int(encoder.width)  # type: ignore[arg-type]

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        size = len(self.prefix)
        mine = {key[size:]: a for key, a in arrays.items() if key.startswith(self.prefix)}
        found: Tensor = self.encoder(mine)
        return found


class Beside(nn.Module):
    """Several views of one column, side by side."""

    def __init__(self, *views: nn.Module):
        super().__init__()
        self.views = nn.ModuleList(views)
        self.width = sum(int(view.width) for view in views)  # type: ignore[arg-type, misc]

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``, the sum of the views' widths."""
        return torch.cat([view(arrays) for view in self.views], dim=1)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.first = _convolution(inputs, outputs, stride)
        self.second = nn.Sequential(
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
        )
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride=stride)

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(pixels)) + self.skip(pixels))
