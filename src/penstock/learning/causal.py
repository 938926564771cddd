"""A causal transformer: what comes next, from what came before (Vaswani et al., 2017).

Small and plain, as today's are: normalised before each layer (Zhang and Sennrich, 2019), places
told by rotation (Su et al., 2021), squared rectifiers (So et al., 2021), the table of tokens
shared with the head (Press and Wolf, 2017).

token codes -> what each document costs
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Memory = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, ``float32[batch, heads, length, size]``, of what was read."""
INITIAL = 0.02
"""Deviation of fresh weights (Radford et al., 2019)."""
BASE = 10_000.0
"""Of the rotations' lengths (Su et al., 2021)."""
WINDOWS = 32
"""Windows read at once (house choice: their logits take some 100 MB)."""
HEAD = 32
"""Numbers of a head of attention (house choice)."""


@dataclass(frozen=True)
class Costs:
    """What tokens cost, row after row.

    Attributes
    ----------
    bits : float32[m]
        Of each token that was to be predicted.
    size : int64[m]
        Its bytes.
    stated : float32[m]
        Probability that the most probable token was given.
    hit : bool[m]
        Whether that was the one.
    num_targets : int64[n]
        Tokens of each row.
    """

    bits: Tensor
    size: Tensor
    stated: Tensor
    hit: Tensor
    num_targets: Tensor

    def by_row(self) -> Tensor:
        """Bits and bytes of each row, ``float32[n, 2]``."""
        row = torch.arange(len(self.num_targets), device=self.bits.device)
        found = torch.zeros(len(row), 2, dtype=torch.float64, device=self.bits.device)
        each = torch.stack([self.bits.double(), self.size.double()], dim=1)
        return found.index_add(0, row.repeat_interleave(self.num_targets), each).float()


@dataclass(frozen=True)
class Size:
    """Sizes of the network.

    Attributes
    ----------
    width, depth : int
        Numbers a token, a multiple of :data:`HEAD`; layers.
    window : int
        Tokens that are read at once.
    dropout : float
        Of what each layer adds, in [0, 1).
    """

    width: int
    depth: int
    window: int
    dropout: float


class Layer(nn.Module):
    """Attention to what came before, then a perceptron; each is added to what it read."""

    def __init__(self, size: Size):
        super().__init__()
        width = size.width
        self.heads = width // HEAD
        self.before_attention = nn.RMSNorm(width)
        self.attention = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.before_perceptron = nn.RMSNorm(width)
        self.wide = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)
        self.dropout = nn.Dropout(size.dropout)

    def forward(
        self, hidden: Tensor, turned: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """``float32[batch, length, width]`` in and out; and keys and values to be remembered."""
        batch, length, width = hidden.shape
        read = self.attention(self.before_attention(hidden))
        query, key, value = read.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = rotated(query, turned), rotated(key, turned)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=past is None)
        seen = seen.transpose(1, 2).reshape(batch, length, width)
        hidden = hidden + self.dropout(self.attended(seen))
        wide = F.relu(self.wide(self.before_perceptron(hidden))).square()
        return hidden + self.dropout(self.narrow(wide)), (key, value)


class Causal(nn.Module):
    """The network.

    Parameters
    ----------
    sizes : int64[num_tokens]
        Bytes of each kind of token.
    size : Size
        Of the network.
    """

    sizes: Tensor

    def __init__(self, sizes: Tensor, size: Size):
        super().__init__()
        self.size = size
        self.register_buffer("sizes", sizes, persistent=False)
        self.table = nn.Embedding(len(sizes), size.width)
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.depth))
        self.last = nn.RMSNorm(size.width)
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=INITIAL)
        for layer in self.layers:  # each adds nothing at first
            nn.init.zeros_(layer.attended.weight)  # type: ignore[union-attr, arg-type]
            nn.init.zeros_(layer.narrow.weight)  # type: ignore[union-attr, arg-type]

    def read(self, codes: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Read tokens, after those of the memory.

        Parameters
        ----------
        codes : int64[batch, length]
            Token codes; with a memory, of length 1.
        memory : Memory, optional
            What this method returned for the tokens before.

        Returns
        -------
        float32[batch, length, width], Memory
            What the last layer makes of each; and what to remember.
        """
        hidden = F.rms_norm(self.table(codes), (self.size.width,))
        start = memory[0][0].shape[2] if memory else 0
        turned = turns(start, codes.shape[1], HEAD, hidden.device)
        kept: Memory = []
        for number, layer in enumerate(self.layers):
            hidden, found = layer(hidden, turned, memory[number] if memory else None)
            kept.append(found)
        return self.last(hidden), kept

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits of the next token, ``float32[..., num_tokens]``."""
        return F.linear(hidden, self.table.weight)

    def forward(self, inputs: dict[str, dict[str, Tensor]]) -> Tensor | Costs:
        """Cost of each row, ``float32[batch, 2]`` bits and bytes, while learning; else of tokens.

        Parameters
        ----------
        inputs : dict of str to dict of str to Tensor
            ``codes``, ``int16[batch, length]``, of one column: the first of a row is given, the
            others are predicted; negative ones stand behind the row's end. While learning a row
            is one window.
        """
        (named,) = inputs.values()
        codes = named["codes"].long()
        if not self.training:
            return self.costs(codes)
        given, wanted = codes[:, :-1].clamp(min=0), codes[:, 1:]
        logits = self.logits(self.read(given)[0])
        nats = F.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=-1, reduction="none"
        )
        size = self.sizes[wanted.clamp(min=0)] * (wanted >= 0)
        return torch.stack([nats.view_as(wanted).sum(1) / math.log(2), size.sum(1)], dim=1)

    @torch.no_grad()
    def costs(self, codes: Tensor, window: int = 0) -> Costs:
        """What the tokens of documents of any length cost, without learning.

        A long one is read in windows that overlap, so that a token has a quarter of a window
        before it at least; each token is counted in one of them.

        Parameters
        ----------
        codes : int64[batch, length]
            As for :meth:`forward`.
        window : int, optional
            Tokens that are read at once; 0: the network's own.
        """
        num_targets = (codes >= 0).sum(1) - 1
        begun = num_targets.cumsum(0) - num_targets
        facts = torch.zeros(int(num_targets.sum()), 3, device=codes.device)
        window = window or self.size.window
        row, start, new, length = windows(num_targets, window)
        order = torch.argsort(length, stable=True)
        for some in order.split(max(WINDOWS, WINDOWS * self.size.window // window)):
            place = start[some, None] + torch.arange(int(length[some].max()), device=codes.device)
            here = row[some, None]
            inside = (place >= new[some, None]) & (place < num_targets[here])
            given = codes[here, place.clamp(max=codes.shape[1] - 1)].clamp(min=0)
            wanted = codes[here, (place + 1).clamp(max=codes.shape[1] - 1)].clamp(min=0)
            logits = self.logits(self.read(given)[0])
            top, code = logits.max(dim=-1)
            total = logits.logsumexp(dim=-1)
            bits = (total - logits.gather(-1, wanted[..., None])[..., 0]) / math.log(2)
            found = torch.stack([bits, (top - total).exp(), (code == wanted).float()], dim=-1)
            facts[(begun[here] + place)[inside]] = found[inside]
        wanted = codes[:, 1:][codes[:, 1:] >= 0]
        return Costs(facts[:, 0], self.sizes[wanted], facts[:, 1], facts[:, 2] > 0, num_targets)


def windows(num_targets: Tensor, window: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Windows over rows, ``int64[w]`` each: row, first token read, first one counted, tokens read.

    Examples
    --------
    >>> row, start, new, length = windows(torch.tensor([3, 10]), window=8)
    >>> row.tolist(), start.tolist(), new.tolist(), length.tolist()
    ([0, 1, 1], [0, 0, 6], [0, 0, 8], [3, 8, 4])
    """
    step = max(1, window - window // 4)
    more = ((num_targets - window).clamp(min=0) + step - 1) // step
    count = 1 + more
    row = torch.arange(len(count), device=count.device).repeat_interleave(count)
    number = torch.arange(len(row), device=count.device) - (count.cumsum(0) - count)[row]
    start = number * step
    new = torch.where(number > 0, start - step + window, 0)
    return row, start, new, (num_targets[row] - start).clamp(max=window)


def turns(start: int, length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of each place's rotations, ``float32[length, size / 2]`` each."""
    place = torch.arange(start, start + length, device=device, dtype=torch.float32)
    speed = BASE ** -(torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    angle = place[:, None] * speed
    return angle.cos(), angle.sin()


def rotated(vectors: Tensor, turned: tuple[Tensor, Tensor]) -> Tensor:
    """Vectors ``float32[..., length, size]`` turned by their place, half against half."""
    cosine, sine = turned
    left, right = vectors.chunk(2, dim=-1)
    return torch.cat([left * cosine - right * sine, right * cosine + left * sine], dim=-1)
