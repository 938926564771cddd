"""Encoded columns side by side: where a network can be asked about one column at a time.

A change of one column changes one span of a row's encoding, so the other columns need not be
encoded again, and rows whose span stays as it was keep their outputs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from penstock.learning.encoded import Encoded
from penstock.learning.network import Network

BATCH_ROWS = 512
"""Rows encoded at once (house choice: the planes of many images are large)."""
OUTPUT_ROWS = 4096
"""Rows through the backbone at once (house choice)."""
FEW_MEMBERS = 4
"""Members by which differences are measured (house choice: they hardly differ in it)."""
LARGEST_BATCH = 1 << 25
"""Numbers held at once (house choice: 128 MiB)."""
WORK_A_PIXEL = 18_000
"""Multiplications that the image encoder spends on an element of its input (counted at sides
28 and 64)."""


def spans(network: Network) -> dict[str, slice]:
    """Where each column's encoding stands in a row's."""
    found, at = {}, 0
    for name, encoder in zip(network.names, network.encoders, strict=True):
        width = int(encoder.width)  # type: ignore[arg-type]
        found[name] = slice(at, at + width)
        at += width
    return found


def encodings(network: Network, rows: Encoded) -> Tensor:
    """Encodings of rows, ``float32[n, sum of the widths]``, without learning."""
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        parts = [network.encode(rows.take(some, device)[0]) for some in rows.in_order(BATCH_ROWS)]
    return torch.cat(parts)


def column_encodings(network: Network, name: str, arrays: dict[str, NDArray[np.generic]]) -> Tensor:
    """Encodings of one column alone, ``float32[n, width]``."""
    network.eval()
    device = next(network.parameters()).device
    tensors = {key: torch.from_numpy(np.ascontiguousarray(a)) for key, a in arrays.items()}
    num_rows = len(next(iter(tensors.values())))
    with torch.no_grad():
        parts = [
            network.encode_column(
                name, {key: tensor[some].to(device) for key, tensor in tensors.items()}
            )
            for some in torch.arange(num_rows).split(BATCH_ROWS)
        ]
    return torch.cat(parts)


class Exchange:
    """Encoded rows of which one column at a time is exchanged, at that column's cost alone.

    The first layer's sums are kept; a column that changes moves them by its own part.

    Parameters
    ----------
    network : Network
        Whose outputs are asked for.
    encoded : float32[n, d]
        From :func:`encodings`.
    """

    def __init__(self, network: Network, encoded: Tensor):
        self.network, self.encoded = network.eval(), encoded
        self.spans = spans(network)
        with torch.no_grad():
            self.sums = torch.cat(
                [
                    network.layers[0](some[:, None] * network.scale)
                    for some in encoded.split(batch_rows(network))
                ]
            )

    def outputs(self) -> NDArray[np.float32]:
        """Outputs of every member as the rows are, ``float32[n, members, outputs]``."""
        return self._outputs(self.sums)

    def outputs_with(self, name: str, found: Tensor, rows: Tensor) -> NDArray[np.float32]:
        """Outputs of some rows with a column exchanged.

        Parameters
        ----------
        name : str
            The column.
        found : float32[k, width]
            Its encodings in the rows.
        rows : int64[k]
            Numbers of the rows.
        """
        span = self.spans[name]
        weights: Tensor = self.network.layers[0].weight  # type: ignore[assignment]
        with torch.no_grad():
            step = (found - self.encoded[rows, span])[:, None] * self.network.scale[:, span]
            return self._outputs(self.sums[rows] + step @ weights[:, span].T)

    def said(self, name: str, found: Tensor) -> NDArray[np.float64]:
        """What a column's encodings add to the first layer's sums, ``float64[k, members * width]``.

        There a difference counts as the network counts it. Of at most :data:`FEW_MEMBERS`.
        """
        span = self.spans[name]
        weights: Tensor = self.network.layers[0].weight  # type: ignore[assignment]
        scale = self.network.scale[:FEW_MEMBERS, span]
        with torch.no_grad():
            sums = (found[:, None] * scale) @ weights[:, span].T
        return sums.flatten(1).double().cpu().numpy()

    def _outputs(self, sums: Tensor) -> NDArray[np.float32]:
        with torch.no_grad():
            parts = [
                self.network.outputs(self.network.deeper(some)).cpu()
                for some in sums.split(OUTPUT_ROWS)
            ]
        found: NDArray[np.float32] = torch.cat(parts).numpy()
        return found


def batch_rows(network: Network) -> int:
    """Rows whose encodings, once a member, are held at once: 1 to :data:`OUTPUT_ROWS`."""
    return max(1, min(OUTPUT_ROWS, LARGEST_BATCH // max(1, network.scale.numel())))


def work_of_row(network: nn.Module, rows: Encoded) -> float:
    """Multiplications for one row, roughly: of the backbone's members, and of images.

    An encoder that knows its own says it as ``work``; of a network of another kind they are
    counted.
    """
    if not isinstance(network, Network):
        inputs, _ = rows.take(torch.arange(1), next(network.parameters()).device)
        network.eval()
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network(inputs)
        return max(1.0, counter.get_total_flops() / 2)
    sizes = [layer.weight.numel() for layer in network.layers]  # type: ignore[operator]
    backbone = network.shape.members * sum(sizes)
    encoders = dict(zip(network.names, network.encoders, strict=True))
    reading = 0.0
    for name, named in rows.inputs.items():
        pixels = sum(
            tensor[0].numel() for tensor in named.values() if tensor.ndim > 1 and len(tensor)
        )
        reading += float(getattr(encoders.get(name), "work", WORK_A_PIXEL * pixels))
    return float(backbone + reading)


def work_of_exchange(network: nn.Module, rows: Encoded) -> float:
    """Multiplications for one row of which one column is exchanged, roughly."""
    if not isinstance(network, Network):
        return work_of_row(network, rows)
    first = network.shape.members * network.layers[0].weight.numel()  # type: ignore[operator]
    return work_of_row(network, rows) - first * (1 - 1 / len(network.names))


def affordable(num_rows: int, work_a_row: float, work: float, least: int, most: int) -> int:
    """How many of so many rows a given work allows, within bounds.

    Examples
    --------
    >>> affordable(10_000, work_a_row=2.0, work=1_000.0, least=10, most=800)
    500
    """
    return min(num_rows, max(least, min(most, int(work / max(work_a_row, 1.0)))))
