"""What stands between a pretrained network's vectors and the network of all columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from penstock.learning.pretrained import Arrays, Pool, Prepare, rows_at_once, vectors

FARTHEST = 10.0
"""Deviations from the mean beyond which a number is cut (house choice)."""


class Pretrained(nn.Module):
    """Standardised vectors of a pretrained network; a learnt vector where a value is missing.

    Parameters
    ----------
    mean, deviation : list of float
        Of the vectors of training rows, before training.
    work : float
        Multiplications that a row costs, with those before its arrays.
    network : nn.Module, optional
        What makes the vectors, and learns; None where the arrays have them in ``features``.
    prepare, pool : callable, optional
        Around the network.
    num_tokens : int
        Hidden states of a row.
    rate : float
        Share of the learning rate for the network.
    """

    def __init__(
        self,
        mean: list[float],
        deviation: list[float],
        work: float,
        network: nn.Module | None = None,
        prepare: Prepare | None = None,
        pool: Pool | None = None,
        num_tokens: int = 1,
        rate: float = 1.0,
    ):
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.width, self.work = len(mean), work
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation), persistent=False)
        self.missing = nn.Parameter(torch.zeros(self.width))
        self.network, self.prepare, self.pool = network, prepare, pool
        if network is not None:
            network.learning_share = rate  # type: ignore[assignment]
            self.at_once = rows_at_once(network, num_tokens)
            learning = {name for name, each in network.named_parameters() if each.requires_grad}
            _keep_out(network, {name for name in network.state_dict() if name not in learning})

    def train(self, mode: bool = True) -> Pretrained:
        """The network stays as it is used: without dropout."""
        super().train(mode)
        if self.network is not None:
            self.network.eval()
        return self

    def forward(self, arrays: Arrays) -> Tensor:
        """``float32[batch, width]`` of ``length`` and ``features`` or the modality's arrays."""
        found = arrays["features"] if self.network is None else self._vectors(arrays)
        standard = ((found - self.mean) / self.deviation).clamp(-FARTHEST, FARTHEST)
        return torch.where((arrays["length"] > 0)[:, None], standard, self.missing)

    def _vectors(self, arrays: Arrays) -> Tensor:
        """As many rows at once as fit; of the others only the arrays wait for the gradient."""
        network, prepare, pool = self.network, self.prepare, self.pool
        assert network is not None and prepare is not None and pool is not None
        num_rows = len(arrays["length"])
        learning = torch.is_grad_enabled()
        on_gpu = arrays["length"].is_cuda
        parts = []
        for at in range(0, num_rows, self.at_once):
            some = {name: array[at : at + self.at_once] for name, array in arrays.items()}
            with torch.autocast("cuda", torch.bfloat16, enabled=learning and on_gpu):
                if learning and num_rows > self.at_once:
                    part = checkpoint(
                        vectors, network, some, prepare, pool,
                        use_reentrant=False, preserve_rng_state=False,
                    )  # fmt: skip
                else:
                    part = vectors(network, some, prepare, pool)
            parts.append(part.float())
        return torch.cat(parts) if parts else self.mean.new_zeros((0, self.width))


def _keep_out(network: nn.Module, names: set[str]) -> None:
    """Leave what no training changes out of the weights: it is in the network's own files."""

    def leave_out(network: nn.Module, state: dict[str, Tensor], prefix: str, about: Any) -> None:
        for name in names:
            state.pop(prefix + name, None)

    def put_back(network: nn.Module, state: dict[str, Tensor], prefix: str, *about: Any) -> None:
        own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        for name in names & own.keys():
            state.setdefault(prefix + name, own[name].detach())

    network.register_state_dict_post_hook(leave_out)
    network.register_load_state_dict_pre_hook(put_back)


def standard_of(found: NDArray[np.float32]) -> tuple[list[float], list[float]]:
    """Mean and deviation of each number of vectors ``float32[n, width]``.

    Examples
    --------
    >>> standard_of(np.array([[1.0, 2.0], [3.0, 2.0]], dtype=np.float32))
    ([2.0, 2.0], [1.0, 0.001])
    """
    mean = found.astype(np.float64).mean(axis=0)
    deviation = found.astype(np.float64).std(axis=0)
    least = max(1e-3, 1e-3 * float(deviation.max(initial=0.0)))
    return [round(v, 6) for v in mean.tolist()], [
        round(v, 6) for v in deviation.clip(min=least).tolist()
    ]
