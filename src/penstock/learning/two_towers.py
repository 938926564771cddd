"""Two towers: one reads a user's past, one reads the items; their product ranks the catalogue.

The user's tower looks back over the items taken before, the latest first, at several speeds of
forgetting that are learnt, so that order counts; an item is a vector of its own and what its
columns say, the same in both towers (Covington et al., 2016; Rendle et al., 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SPEEDS = (0.0, 0.02, 0.1, 0.5)
"""How fast each view of the past forgets at first, by item (house choice)."""
HIDDEN = 0.2
"""Share of the past that is hidden while learning (house choice)."""
LARGEST_FULL = 40_000
"""Items up to which the softmax is over all of them (house choice: as long as two cores take no
longer for it than for a sample)."""
SAMPLED = 4_096
"""Items that a larger catalogue's softmax is estimated by (house choice)."""


@dataclass(frozen=True)
class Ranked:
    """What ranks: nothing of the size rows by items until it is asked for.

    Attributes
    ----------
    query : float32[batch, width]
        Of each row.
    items : float32[catalogue, width]
        Of each item.
    bias : float32[catalogue]
        What an item has whoever asks.
    """

    query: Tensor
    items: Tensor
    bias: Tensor

    def logits(self) -> Tensor:
        """``float32[batch, catalogue]``."""
        return self.query @ self.items.T + self.bias


class TwoTowers(nn.Module):
    """The network.

    Parameters
    ----------
    popularity : float32[items]
        How often each item was taken in training rows.
    item_encoders, item_arrays : dict
        What reads each column of the items, and the catalogue as it reads it.
    row_encoders : dict of str to nn.Module
        What reads each column of the row but for the past.
    width, longest : int
        Of the vectors; items of the past that are read.
    dropout : float
        On the user's tower.
    """

    def __init__(
        self,
        popularity: Tensor,
        item_encoders: dict[str, nn.Module],
        item_arrays: dict[str, dict[str, Tensor]],
        row_encoders: dict[str, nn.Module],
        width: int,
        longest: int,
        dropout: float,
    ):
        super().__init__()
        self.item_names, self.row_names = list(item_encoders), list(row_encoders)
        self.longest = longest
        self.catalogue = item_arrays
        self.item_vectors = nn.Embedding(len(popularity), width)
        nn.init.normal_(self.item_vectors.weight, std=width**-0.5)
        self.item_columns = nn.ModuleList(item_encoders.values())
        said = sum(int(one.width) for one in self.item_columns)  # type: ignore[arg-type, misc]
        self.from_columns = nn.Linear(said, width) if said else None
        back = torch.arange(longest, dtype=torch.float32)
        self.forgetting = nn.Parameter(torch.stack([-speed * back for speed in SPEEDS]))
        self.row_columns = nn.ModuleList(row_encoders.values())
        seen = len(SPEEDS) * width
        seen += sum(int(one.width) for one in self.row_columns)  # type: ignore[arg-type, misc]
        self.straight = nn.Linear(seen, width, bias=False)
        self.past = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(seen, 2 * width), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(2 * width, width),
        )  # fmt: skip
        shares = popularity / popularity.sum().clamp(min=1)
        self.bias = nn.Parameter(torch.log(shares + 1e-5))

    def items(self) -> Tensor:
        """The catalogue's vectors, ``float32[items, width]``."""
        vectors = self.item_vectors.weight
        if self.from_columns is None:
            return vectors
        read = []
        for name, encoder in zip(self.item_names, self.item_columns, strict=True):
            arrays = {k: a.to(vectors.device) for k, a in self.catalogue[name].items()}
            read.append(encoder(arrays))
        added: Tensor = self.from_columns(torch.cat(read, dim=1))
        return vectors + added

    def query(self, inputs: dict[str, dict[str, Tensor]], items: Tensor) -> Tensor:
        """What each row asks for, ``float32[batch, width]``."""
        past = inputs[PAST]["items"][:, : self.longest].long()
        there = past >= 0
        if self.training:
            there = there & (torch.rand(past.shape, device=past.device) > HIDDEN)
        vectors = F.embedding(past.clamp(min=0), items)
        weights = self.forgetting[None, :, : past.shape[1]].masked_fill(~there[:, None], -1e4)
        weights = torch.softmax(weights, dim=-1) * there[:, None]
        views = [(weights @ vectors).flatten(1)]
        for name, encoder in zip(self.row_names, self.row_columns, strict=True):
            views.append(encoder(inputs[name]))
        seen = torch.cat(views, dim=1)
        found: Tensor = self.straight(seen) + self.past(seen)
        return found

    def forward(self, inputs: dict[str, dict[str, Tensor]]) -> Ranked:
        """Queries and the catalogue that they are held against."""
        items = self.items()
        return Ranked(self.query(inputs, items), items, self.bias)


class FixedNumbers(nn.Module):
    """What a modality says in plain numbers, read by one layer.

    Parameters
    ----------
    num : int
        Numbers an item, standardised.
    """

    width = 32

    def __init__(self, num: int):
        super().__init__()
        self.layer = nn.Linear(num, self.width)

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[items, 32]``."""
        found: Tensor = self.layer(arrays["numbers"])
        return found


PAST = "past"
"""The array of what was taken before: ``int32[batch, k]``, the latest first, negative: none."""


def softmax_over(
    popularity: Tensor, training: Callable[[], bool]
) -> Callable[[Ranked, Tensor], Tensor]:
    """The loss: mean negative log-probability of what each row took, ``float32[batch]``.

    Over the whole catalogue, or, of a large one while learning, over the batch's own items and
    others drawn by their popularity, each logit less the logarithm of how often it is drawn
    (logQ correction: Bengio and Senecal, 2008; Yi et al., 2019).
    """
    chances = (popularity + 1.0) / (popularity + 1.0).sum()

    def loss(ranked: Ranked, target: Tensor) -> Tensor:
        target = target[:, (target >= 0).any(dim=0)]  # most rows have one
        there = target >= 0
        count = there.sum(dim=1).clamp(min=1)
        if len(chances) <= LARGEST_FULL or not training():
            logp = torch.log_softmax(ranked.logits(), dim=1)
            found = logp.gather(1, target.clamp(min=0))
        else:
            found = _sampled(ranked, target, chances.to(target.device))
        return -(found * there).sum(dim=1) / count

    return loss


def _sampled(ranked: Ranked, target: Tensor, chances: Tensor) -> Tensor:
    """Log-probabilities of the targets among themselves and drawn items."""
    wanted = target.clamp(min=0)
    drawn = torch.multinomial(chances, SAMPLED, replacement=True)
    logits = ranked.query @ ranked.items[drawn].T + ranked.bias[drawn]
    logits = logits - torch.log(chances[drawn] * SAMPLED)
    own = (ranked.query[:, None] * ranked.items[wanted]).sum(dim=2) + ranked.bias[wanted]
    same = (drawn[None, None] == target[:, :, None]).any(dim=1)  # a hit is no miss
    others = torch.logsumexp(logits.masked_fill(same, -1e9), dim=1, keepdim=True)
    return own - torch.logaddexp(own, others)
