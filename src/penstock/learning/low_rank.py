"""Low-rank additions to linear layers: ``W + (alpha / r) B A`` (LoRA; Hu et al., 2021).

What a layer learnt before stays as it is; only the thin matrices A and B learn.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

RANK, ALPHA = 8, 16
"""As Hu et al. use them most."""


class LowRank(nn.Module):
    """A weight with a low-rank addition, which is zero before training.

    Parameters
    ----------
    weight : Tensor
        ``[outputs, inputs]``.
    rank : int
        Of the addition.

    Examples
    --------
    >>> weight = torch.ones(3, 4)
    >>> addition = LowRank(weight, rank=2)
    >>> torch.equal(addition(weight), weight)
    True
    >>> sum(each.numel() for each in addition.parameters())
    14
    """

    def __init__(self, weight: Tensor, rank: int = RANK):
        super().__init__()
        outputs, inputs = weight.shape
        rank, there = min(rank, outputs, inputs), weight.device
        self.down = nn.Parameter(torch.randn(rank, inputs, device=there) * inputs**-0.5)
        self.up = nn.Parameter(torch.zeros(outputs, rank, device=there))
        self.share = ALPHA / rank

    def forward(self, weight: Tensor) -> Tensor:
        """The weight and its addition."""
        return weight + self.share * (self.up @ self.down)


def adapt(network: nn.Module) -> int:
    """Give every linear layer inside a low-rank addition; returns how many there are.

    GPT-2 and its like call them ``Conv1D``, and keep the weight the other way round.
    The parameters that were there before no longer learn.
    """
    from transformers.pytorch_utils import Conv1D

    for parameter in network.parameters():
        parameter.requires_grad_(False)
    found = [layer for layer in network.modules() if type(layer) in (nn.Linear, Conv1D)]
    for layer in found:
        parametrize.register_parametrization(layer, "weight", LowRank(cast(Tensor, layer.weight)))
    return len(found)
