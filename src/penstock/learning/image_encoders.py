"""Encoders of images: from pixels to ``float32[batch, width]``."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.learning.encoders import EMBEDDING_DROPOUT, _convolution, _Residual

LARGE_SIDE = 32
"""Images of a longer side are halved by the first layer: what two cores can learn."""
SMALLEST_SIDE = 4
"""Blocks halve the image until it is so small."""
SHIFT, TURN, ZOOM = 1 / 14, math.radians(8), 0.08
"""While learning: how far (of the side), by what angle and factor an image may be moved (house
choice: no character becomes another by it)."""


class ResidualImage(nn.Module):
    """A small residual convolutional network (He et al., 2016).

    Reads ``pixels``: ``uint8[batch, channels, side, side]``. While learning, every image is
    moved, turned and zoomed a little, because the world does not centre its objects; it is never
    mirrored, because a mirrored letter, hand or road sign is another one. What is left of the image
    is averaged in its four quarters, so that place still counts.

    Parameters
    ----------
    channels, side : int
        Of the images.
    mean, deviation : list of float
        Of the training pixels by channel, in [0, 1].
    planes : int
        Of the last layer; the output has as many for each quarter of the image.

    Attributes
    ----------
    work : float
        Multiplications for one image.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        channels: int,
        side: int,
        mean: list[float],
        deviation: list[float],
        planes: int,
    ):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, -1, 1, 1))
        sizes = [planes // 4]
        halved = side > LARGE_SIDE
        blocks: list[nn.Module] = [_convolution(channels, sizes[0], stride=2 if halved else 1)]
        side = (side + 1) // 2 if halved else side
        self.work = float(9 * channels * sizes[0] * side**2)
        while side > SMALLEST_SIDE:
            sizes.append(min(planes, sizes[-1] * 2))
            blocks.append(_Residual(sizes[-2], sizes[-1], stride=2))
            side = (side + 1) // 2
            self.work += (10 * sizes[-2] + 9 * sizes[-1]) * sizes[-1] * side**2
        blocks.append(_Residual(sizes[-1], planes, stride=1))
        skip = 0 if sizes[-1] == planes else sizes[-1]
        self.work += (9 * sizes[-1] + 9 * planes + skip) * planes * side**2
        self.blocks = nn.Sequential(*blocks)
        self.quarters = nn.AvgPool2d(side - side // 2, stride=max(1, side // 2))
        self.width = planes * min(2, side) ** 2
        self.dropout = nn.Dropout(EMBEDDING_DROPOUT)

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        pixels = (arrays["pixels"].float() / 255 - self.mean) / self.deviation
        if self.training:
            pixels = moved(pixels)
        features: Tensor = self.dropout(self.quarters(self.blocks(pixels)).flatten(1))
        return features


def moved(pixels: Tensor) -> Tensor:
    """Move, turn and zoom each image by its own random amounts.

    What comes in from outside repeats the border.
    """
    drawn = 2 * torch.rand(4, len(pixels), device=pixels.device) - 1
    angle, zoom = TURN * drawn[0], 1 + ZOOM * drawn[1]
    sine, cosine = torch.sin(angle) * zoom, torch.cos(angle) * zoom
    rows = [
        torch.stack([cosine, -sine, 2 * SHIFT * drawn[2]], dim=1),
        torch.stack([sine, cosine, 2 * SHIFT * drawn[3]], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
