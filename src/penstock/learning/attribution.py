"""Which columns moved an answer: integrated gradients (Sundararajan et al., 2017).

What is explained is the answer of the averaged members: the logit of the decided class above
the mean of all logits, or the value on the scale that the network learns. It is followed from a
baseline encoding to the row's own, and every number of the encoding gets its share of the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor

from penstock.learning.encodings import batch_rows, spans
from penstock.learning.network import Network

NUM_STEPS = 32
"""Points on the way (house choice: the attributions of a trained network then miss the answer by
less than 1% or so)."""


@dataclass(frozen=True)
class Attributions:
    """What integrated gradients say about some rows.

    Attributes
    ----------
    shares : float64[n, d]
        Of each number of the encoding, in units of the answer.
    moved : float64[n]
        The answer less the baseline's answer.
    """

    shares: NDArray[np.float64]
    moved: NDArray[np.float64]

    @property
    def delta(self) -> NDArray[np.float64]:
        """What the shares leave unexplained of each row's answer, ``float64[n]``."""
        found: NDArray[np.float64] = self.shares.sum(axis=1) - self.moved
        return found

    def by_column(self, network: Network) -> NDArray[np.float64]:
        """Each column's sum, ``float64[n, columns]``, in the network's order."""
        sums = [self.shares[:, span].sum(axis=1) for span in spans(network).values()]
        return np.stack(sums, axis=1)


def answers(network: Network, encoded: Tensor, codes: Tensor | None) -> Tensor:
    """The number that is explained, ``float32[n]``.

    Parameters
    ----------
    network : Network
        In evaluation mode.
    encoded : float32[n, d]
        From :func:`penstock.learning.encodings.encodings`.
    codes : int64[n], optional
        The class whose logit is asked for, above the mean logit; None for a network of one output.
    """
    mean = network.outputs(network.hidden(encoded)).mean(dim=1)
    if codes is None:
        return mean[:, 0]
    centred = mean - mean.mean(dim=1, keepdim=True)
    return centred.gather(1, codes[:, None])[:, 0]


def integrated_gradients(
    network: Network, encoded: Tensor, baseline: Tensor, codes: Tensor | None
) -> Attributions:
    """Attribute the answers of rows to the numbers of their encodings.

    Parameters
    ----------
    network : Network
        The trained network, or a copy.
    encoded : float32[n, d]
        Encodings of the rows.
    baseline : float32[1, d]
        Where the way starts.
    codes : int64[n], optional
        As for :func:`answers`.
    """
    network.eval()
    frozen = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(False)
    try:
        found = IntegratedGradients(
            lambda some, *codes: answers(network, some, codes[0] if codes else None),
            multiply_by_inputs=True,
        ).attribute(
            encoded.detach(),
            baselines=baseline,
            additional_forward_args=() if codes is None else (codes,),
            n_steps=NUM_STEPS,
            internal_batch_size=max(batch_rows(network), len(encoded)),
        )
        with torch.no_grad():
            moved = answers(network, encoded, codes)
            moved = moved - answers(network, baseline.expand(len(encoded), -1), codes)
    finally:
        for weight in frozen:
            weight.requires_grad_(True)
    return Attributions(_doubles(found), _doubles(moved))


def sensitivity(network: Network, encoded: Tensor, codes: Tensor | None) -> NDArray[np.float64]:
    """How much each column moves the answers, to first order, ``float64[columns]``.

    The mean of the absolute gradient times the distance from the mean encoding: one pass for
    any number of columns.
    """
    network.eval()
    some = encoded.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(answers(network, some, codes).sum(), some)
    shares = _doubles(slope * (encoded - encoded.mean(dim=0)))
    moved = [np.abs(shares[:, span].sum(axis=1)).mean() for span in spans(network).values()]
    return np.array(moved, dtype=np.float64)


def fresh(network: Network, seed: int) -> Network:
    """The network with its encoders as they are and fresh random weights above them.

    torch's own stream of random numbers is left where it was.
    """
    encoders = dict(zip(network.names, network.encoders, strict=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        copy = Network(encoders, network.biases.shape[-1], network.shape)
    return copy.to(network.biases.device).eval()


def initial(make: Callable[[], Network], seed: int) -> Network:
    """The network before training: made again from the seed that training began with.

    torch's own stream of random numbers is left where it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().eval()


def _doubles(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().numpy().astype(np.float64)
