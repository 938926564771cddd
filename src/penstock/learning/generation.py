"""Text that a model writes, token by token, each drawn from what it holds for probable."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.learning.causal import Causal
from penstock.learning.tokens import END


def written(
    network: Causal, begun: Tensor, length: int, temperature: float, seed: int
) -> list[NDArray[np.int64]]:
    """Continuations, until END or so many tokens.

    Parameters
    ----------
    network : Causal
        The trained network.
    begun : int64[n, k]
        What each continues; begins with END. ``k + length`` is at most the network's window.
    length : int
        Most tokens to write.
    temperature : float
        Probabilities are raised to the power of its inverse; 0: always the most probable token.
    seed : int
        Of the draws; torch's own stream is left where it was.

    Returns
    -------
    list of int64[m]
        The new tokens of each, without END.
    """
    network.eval()
    device = next(network.parameters()).device
    draws = torch.Generator().manual_seed(seed)
    done = torch.zeros(len(begun), dtype=torch.bool)
    found = []
    with torch.inference_mode():
        hidden, memory = network.read(begun.to(device))
        for _ in range(length):
            code = _drawn(network.logits(hidden[:, -1]).cpu(), temperature, draws)
            code[done] = END
            done |= code == END
            found.append(code)
            if bool(done.all()):
                break
            hidden, memory = network.read(code[:, None].to(device), memory)
    table = torch.stack(found, dim=1).numpy()
    ends = np.where((table == END).any(axis=1), (table == END).argmax(axis=1), table.shape[1])
    return [row[:end] for row, end in zip(table, ends, strict=True)]


def _drawn(logits: Tensor, temperature: float, draws: torch.Generator) -> Tensor:
    if temperature == 0:
        return logits.argmax(dim=-1)
    chance = (logits / temperature).softmax(dim=-1)
    return torch.multinomial(chance, 1, generator=draws)[:, 0]
