"""Encoded columns side by side: where a network can be asked about one column at a time.

A change of one column changes one span of a row's encoding, so the other columns need not be
encoded again, and rows whose span stays as it was keep their outputs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.learning.encoded import Encoded
from penstock.learning.network import Network

BATCH_ROWS = 512
"""Rows encoded at once (house choice: the planes of many images are large)."""
OUTPUT_ROWS = 4096
"""Rows through the backbone at once (house choice)."""
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
    encoder = network.encoders[network.names.index(name)]
    tensors = {key: torch.from_numpy(np.ascontiguousarray(a)) for key, a in arrays.items()}
    num_rows = len(next(iter(tensors.values())))
    with torch.no_grad():
        parts = [
            encoder({key: tensor[some].to(device) for key, tensor in tensors.items()})
            for some in torch.arange(num_rows).split(BATCH_ROWS)
        ]
    return torch.cat(parts)


def outputs(network: Network, encoded: Tensor) -> NDArray[np.float32]:
    """Outputs of every member ``float32[n, members, outputs]`` for encodings, without learning."""
    network.eval()
    with torch.no_grad():
        parts = [network.outputs(network.hidden(some)).cpu() for some in encoded.split(OUTPUT_ROWS)]
    found: NDArray[np.float32] = torch.cat(parts).numpy()
    return found


def work_of_row(network: Network, rows: Encoded) -> float:
    """Multiplications for one row, roughly: of the backbone's members, and of images."""
    sizes = [layer.weight.numel() for layer in network.layers]  # type: ignore[operator]
    backbone = network.shape.members * sum(sizes)
    pixels = sum(
        tensor[0].numel()
        for named in rows.inputs.values()
        for tensor in named.values()
        if tensor.ndim > 1 and len(tensor)
    )
    return float(backbone + WORK_A_PIXEL * pixels)


def affordable(num_rows: int, work_a_row: float, work: float, least: int, most: int) -> int:
    """How many of so many rows a given work allows, within bounds.

    Examples
    --------
    >>> affordable(10_000, work_a_row=2.0, work=1_000.0, least=10, most=800)
    500
    """
    return min(num_rows, max(least, min(most, int(work / max(work_a_row, 1.0)))))
