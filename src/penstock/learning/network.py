"""The one network for every table: an encoder a column, a backbone, a head.

The backbone is an ensemble inside one network: its members share the layers and differ by a
sign pattern on the encoded columns and by their heads, so that their average is steadier than
any one of them at little cost (BatchEnsemble, Wen et al., 2020; TabM, Gorishniy et al., 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Sizes of the backbone.

    Attributes
    ----------
    width, depth : int
        Hidden units a layer, and hidden layers.
    dropout : float
        On hidden units, in [0, 1).
    members : int
        Of the ensemble, at least 1.
    """

    width: int
    depth: int
    dropout: float
    members: int


class Network(nn.Module):
    """Encoders, concatenated; a perceptron with ensemble members; linear heads.

    Parameters
    ----------
    encoders : dict of str to nn.Module
        By column; each maps its named tensors to ``float32[batch, width]`` and says ``width``.
    num_outputs : int
        Outputs of each member's head.
    shape : Shape
        Sizes of the backbone.
    missing : dict of str to dict of str to Tensor, optional
        Columns that are hidden now and then while learning, and what a missing value is encoded
        as: named arrays of one row. No text, image or sound then drowns the columns beside it,
        and a row without it is a row of a known kind (modality dropout; Neverova et al., 2016).
    hidden : float
        Share of the rows in which each of them is hidden, each by its own lot.

    Attributes
    ----------
    unread : bool[columns]
        Those of them that are hidden in every row (see :mod:`penstock.learning.unread`).
    """

    unread: Tensor

    def __init__(
        self,
        encoders: dict[str, nn.Module],
        num_outputs: int,
        shape: Shape,
        missing: dict[str, dict[str, Tensor]] | None = None,
        hidden: float = 0.0,
    ):
        super().__init__()
        self.hidden_share = hidden
        self.missing = nn.ModuleDict()
        for name, arrays in (missing or {}).items():
            self.missing[str(list(encoders).index(name))] = _Kept(arrays)
        self.register_buffer("unread", torch.zeros(len(encoders), dtype=torch.bool))
        self._silent: set[int] = set()
        self.register_load_state_dict_post_hook(_settle)
        self.names = list(encoders)
        self.encoders = nn.ModuleList(encoders.values())
        self.shape = shape
        widths = [int(encoder.width) for encoder in self.encoders]  # type: ignore[arg-type]
        signs = [torch.randint(0, 2, (shape.members, 1)).mul(2.0).sub(1.0) for _ in widths]
        spread = [sign.expand(-1, width) for sign, width in zip(signs, widths, strict=True)]
        self.scale = nn.Parameter(torch.cat(spread, dim=1).clone())
        inputs = [sum(widths)] + [shape.width] * (shape.depth - 1)
        self.layers = nn.ModuleList(nn.Linear(size, shape.width) for size in inputs)
        self.dropout = nn.Dropout(shape.dropout)
        bound = shape.width**-0.5
        self.heads = nn.Parameter(
            torch.empty(shape.members, shape.width, num_outputs).uniform_(-bound, bound)
        )
        self.biases = nn.Parameter(torch.zeros(shape.members, 1, num_outputs))

    def hide(self, column: str, for_good: bool = True) -> None:
        """Read a column no more, or again; it has to be one that can be missing."""
        self.unread[self.names.index(column)] = for_good
        self.settle()

    def settle(self) -> None:
        """Learn from ``unread`` which columns are read: once, as asking a device is slow."""
        self._silent = set(self.unread.nonzero()[:, 0].tolist())

    def encode(self, inputs: dict[str, dict[str, Tensor]]) -> Tensor:
        """The encoded columns side by side, ``float32[batch, sum of the widths]``.

        Parameters
        ----------
        inputs : dict of str to dict of str to Tensor
            By column, the named arrays of its modality; first axis ``batch``.
        """
        return torch.cat([self.encode_column(name, inputs[name]) for name in self.names], dim=1)

    def encode_column(self, name: str, arrays: dict[str, Tensor]) -> Tensor:
        """One encoded column, ``float32[batch, its width]``."""
        number = self.names.index(name)
        encoder = self.encoders[number]
        if number in self._silent:
            return self._missing(encoder, number).expand(len(next(iter(arrays.values()))), -1)
        if self.training and self.hidden_share > 0 and str(number) in self.missing:
            return self._now_and_then(encoder, arrays, number)
        found: Tensor = encoder(arrays)
        return found

    def _missing(self, encoder: nn.Module, number: int) -> Tensor:
        found: Tensor = encoder(dict(self.missing[str(number)].named_buffers()))
        return found

    def _now_and_then(self, encoder: nn.Module, arrays: dict[str, Tensor], number: int) -> Tensor:
        """Encode the rows in which a column is shown, and one missing value for all others."""
        size = len(next(iter(arrays.values())))
        missing: dict[str, Tensor] = dict(self.missing[str(number)].named_buffers())
        shown = torch.rand(size, device=self.scale.device) >= self.hidden_share
        shown[:1] |= ~shown.any()
        rows = torch.nonzero(shown)[:, 0]
        found = encoder({key: torch.cat([a[rows], missing[key]]) for key, a in arrays.items()})
        place = torch.where(shown, shown.cumsum(0) - 1, len(rows))
        placed: Tensor = found[place]
        return placed

    def hidden(self, encoded: Tensor) -> Tensor:
        """What the backbone makes of encoded columns, ``float32[batch, members, width]``."""
        first = self.layers[0]((encoded[:, None] * self.scale).flatten(0, 1))
        return self.deeper(first).view(-1, self.shape.members, self.shape.width)

    def deeper(self, first: Tensor) -> Tensor:
        """What the backbone makes of its first layer's sums, ``float32[..., width]``."""
        hidden = self.dropout(torch.relu(first))
        for layer in list(self.layers)[1:]:
            hidden = self.dropout(torch.relu(layer(hidden)))
        return hidden

    def outputs(self, hidden: Tensor) -> Tensor:
        """Outputs of every member's head, ``float32[batch, members, num_outputs]``."""
        return torch.baddbmm(self.biases, hidden.transpose(0, 1), self.heads).transpose(0, 1)

    def embed(self, inputs: dict[str, dict[str, Tensor]]) -> Tensor:
        """Hidden representation ``float32[batch, members, width]`` before the heads."""
        return self.hidden(self.encode(inputs))

    def forward(self, inputs: dict[str, dict[str, Tensor]]) -> Tensor:
        """Outputs of every member, ``float32[batch, members, num_outputs]``."""
        return self.outputs(self.embed(inputs))


def _settle(network: Network, _: object) -> None:
    network.settle()


class _Kept(nn.Module):
    """Arrays that go where the network goes, and are no part of its weights."""

    def __init__(self, arrays: dict[str, Tensor]):
        super().__init__()
        for name, array in arrays.items():
            self.register_buffer(name, array, persistent=False)
