"""Encoders of sound: from log-mel spectrograms to ``float32[batch, width]``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penstock.learning.encoders import EMBEDDING_DROPOUT, _convolution, _Residual

SMALLEST = 8
"""Blocks halve the spectrogram until it has so few frames, and half as many bands."""
STRETCH, SHIFT, SLIDE = 0.15, 0.1, 0.03
"""While learning: how much faster or slower, how far earlier or later (of the whole), how much
lower or higher (of the bands) a sound may become (house choice)."""
TRACT = 0.12
"""While learning: by how much of their height bands are spread or drawn together, from the lowest
one (house choice, measured on speakers that training did not hear)."""
NOISE_FLOOR = 0.5
"""While learning: how loud the noise under a sound may become, of its range (house choice)."""
MASKED = 0.15
"""While learning: the widest mask, of the bands and of the frames (house choice)."""
LEVEL_NOISE = 0.5
"""While learning: deviation of what is added to the level, in its own deviations: only a large
difference of loudness is to be learnt from (house choice)."""


class ResidualSound(nn.Module):
    """A small residual convolutional network over a log-mel spectrogram (He et al., 2016).

    Reads ``mels``: ``uint8[batch, bands, frames]``, and ``level``: ``float32[batch]``. While
    learning, a sound is played a little faster or slower, earlier or later, lower or higher, as by
    a smaller or larger body (Jaitly and Hinton, 2013), over a noise floor, and a band and a stretch
    of time are hidden (SpecAugment, Park et al., 2019): a network that has heard few voices would
    otherwise learn those. Of the last layer the
    mean over time and the largest value count, of low and of high bands.

    Parameters
    ----------
    mean, deviation : list of float
        Of each band over the training sounds, in [0, 1].
    frames : int
        Of the spectrograms.
    planes : int
        Of the last layer.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: list[float], deviation: list[float], frames: int, planes: int):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 1, -1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 1, -1, 1))
        bands, width = (len(mean) + 1) // 2, planes // 4
        frames = (frames + 1) // 2
        blocks: list[nn.Module] = [_convolution(1, width, stride=2)]
        while frames > SMALLEST or bands > SMALLEST // 2:
            stride = (2 if bands > SMALLEST // 2 else 1, 2 if frames > SMALLEST else 1)
            wider = min(planes, width * 2)
            blocks.append(_Residual(width, wider, stride))  # type: ignore[arg-type]
            width = wider
            bands, frames = -(-bands // stride[0]), -(-frames // stride[1])
        self.blocks = nn.Sequential(*blocks)
        self.halves = nn.AdaptiveAvgPool2d((2, None))
        self.width = width * 2 * 2 + 1
        self.dropout = nn.Dropout(EMBEDDING_DROPOUT)

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """``float32[batch, width]``."""
        mels, level = arrays["mels"].float()[:, None] / 255, arrays["level"][:, None]
        if self.training:
            mels = over_noise(warped(mels))
            level = level + LEVEL_NOISE * torch.randn_like(level)
        mels = (mels - self.mean) / self.deviation
        if self.training:
            mels = masked(mels)
        features = self.halves(self.blocks(mels))
        heard = torch.cat([features.mean(dim=3), features.amax(dim=3)], dim=1).flatten(1)
        both: Tensor = self.dropout(torch.cat([heard, level], dim=1))
        return both


def warped(mels: Tensor) -> Tensor:
    """Each spectrogram ``[batch, 1, bands, frames]`` faster or slower, moved in time and pitch, its
    bands spread or drawn together.

    What comes in from outside is silence.
    """
    count, device = len(mels), mels.device
    faster, later, higher, smaller = torch.rand(4, count, device=device) * 2 - 1
    places = torch.zeros(count, 2, 3, device=device)
    places[:, 0, 0], places[:, 0, 2] = 1 + STRETCH * faster, 2 * SHIFT * later
    places[:, 1, 1] = 1 + TRACT * smaller
    places[:, 1, 2] = TRACT * smaller + 2 * SLIDE * higher  # the lowest band lies at -1
    grid = F.affine_grid(places, list(mels.shape), align_corners=False)
    return F.grid_sample(mels, grid, align_corners=False)


def over_noise(mels: Tensor) -> Tensor:
    """Each spectrogram over a noise floor of its own loudness, tilted from low to high bands."""
    count, _, bands, _ = mels.shape
    floor = NOISE_FLOOR * torch.rand(count, 1, 1, 1, device=mels.device)
    tilt = NOISE_FLOOR * (torch.rand(count, 1, 1, 1, device=mels.device) - 0.5)
    slope = torch.linspace(-1, 1, bands, device=mels.device)[:, None]
    grain = 0.03 * torch.randn_like(mels)
    return torch.maximum(mels, floor + tilt * slope + grain)


def masked(mels: Tensor) -> Tensor:
    """Each standardised spectrogram with a band and a stretch of time at their mean."""
    for dim in (2, 3):
        size = mels.shape[dim]
        shape = [len(mels), 1, 1, 1]
        width = MASKED * size * torch.rand(shape, device=mels.device)
        start = (size - width) * torch.rand(shape, device=mels.device)
        place = torch.arange(size, device=mels.device).view(
            [-1 if d == dim else 1 for d in range(4)]
        )
        mels = mels.masked_fill((place >= start) & (place < start + width), 0.0)
    return mels
