"""Spectrograms as pretrained networks of sound were trained on them, computed on the device.

A network reads only what its own feature extractor makes; these are the two that most networks
of spectrograms have. Bands are those of ``transformers``, which the network needs anyway.

waveforms -> log-mel spectrograms
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

FRAME_SECONDS, HOP_SECONDS = 0.025, 0.010
"""Kaldi's windows (Povey et al., 2011)."""
EMPHASIS = 0.97
"""Kaldi's: how much of the sample before is taken away."""
LOWEST_HERTZ = 20
"""Where Kaldi's lowest band begins."""
WHISPER_HERTZ = 8_000.0
"""Where the highest band of Whisper ends (Radford et al., 2022)."""


@lru_cache(maxsize=8)
def _bands(settings: tuple[tuple[str, Any], ...]) -> Tensor:
    """``float32[frequencies, bands]`` of weights; a few of the lowest bands may be empty."""
    from transformers.audio_utils import mel_filter_bank

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(mel_filter_bank(**dict(settings))).float()


def _mel(power: Tensor, **settings: Any) -> Tensor:
    return power @ _bands(tuple(sorted(settings.items()))).to(power.device)


def kaldi(wave: Tensor, rate: int, num_bands: int) -> Tensor:
    """Log filter-bank energies as Kaldi computes them, ``float32[n, frames, bands]``.

    Parameters
    ----------
    wave : Tensor
        ``float32[n, samples]``, full scale is 1; of at least one window.
    rate : int
        Samples a second.
    num_bands : int
        On the mel scale, from 20 Hz to half the rate.

    Examples
    --------
    >>> kaldi(torch.zeros(2, 16_000), 16_000, 8).shape
    torch.Size([2, 98, 8])
    """
    size, hop = round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate)
    num_points = 1 << math.ceil(math.log2(size))
    with torch.autocast(wave.device.type, enabled=False):
        frames = wave.float().unfold(1, size, hop)
        frames = frames - frames.mean(dim=2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
        window = torch.hann_window(size, periodic=False, device=wave.device)
        spectrum = torch.fft.rfft((frames - EMPHASIS * before) * window, n=num_points)
        mel = _mel(
            spectrum.abs().square(),
            num_frequency_bins=num_points // 2 + 1, num_mel_filters=num_bands,
            min_frequency=LOWEST_HERTZ, max_frequency=rate // 2, sampling_rate=rate,
            norm=None, mel_scale="kaldi", triangularize_in_mel_space=True,
        )  # fmt: skip
        return mel.clamp(min=torch.finfo(torch.float32).eps).log()


def kaldi_frames(length: Tensor, rate: int) -> Tensor:
    """Whole windows in so many samples.

    Examples
    --------
    >>> kaldi_frames(torch.tensor([0, 400, 559, 560]), 16_000).tolist()
    [0, 1, 1, 2]
    """
    size, hop = round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate)
    return (length - size).div(hop, rounding_mode="floor").add(1).clamp(min=0)


def whisper(wave: Tensor, rate: int, num_bands: int, window: int, hop: int) -> Tensor:
    """Log-mel spectrograms as Whisper reads them, ``float32[n, bands, frames]``.

    Eight powers of ten below the loudest cell of a recording are told apart; about -1 to 1.

    Parameters
    ----------
    wave : Tensor
        ``float32[n, samples]``, full scale is 1, filled up with silence.
    rate : int
        Samples a second.
    num_bands : int
        On the mel scale, up to 8 kHz.
    window, hop : int
        Of each frame, in samples.

    Examples
    --------
    >>> whisper(torch.zeros(2, 16_000), 16_000, 8, 400, 160).shape
    torch.Size([2, 8, 100])
    """
    with torch.autocast(wave.device.type, enabled=False):
        hann = torch.hann_window(window, device=wave.device)
        spectrum = torch.stft(wave.float(), window, hop, window=hann, return_complex=True)
        mel = _mel(
            spectrum[..., :-1].abs().square().transpose(1, 2),
            num_frequency_bins=window // 2 + 1, num_mel_filters=num_bands, min_frequency=0.0,
            max_frequency=WHISPER_HERTZ, sampling_rate=rate, norm="slaney", mel_scale="slaney",
        )  # fmt: skip
        cells = mel.clamp(min=1e-10).log10().transpose(1, 2)
        least = cells.amax(dim=(1, 2), keepdim=True) - 8.0
        return (torch.maximum(cells, least) + 4.0) / 4.0
