"""Pictures with a tint over them, and short sounds, as base64 for a report.

uint8 pixels or a waveform -> str
"""

from __future__ import annotations

import base64
import io
import struct

import numpy as np
from numpy.typing import NDArray

from penstock.measure.sounds import Sound, Wave, loudest, resampled

FOR, AGAINST = np.array([230, 120, 20.0]), np.array([30, 120, 220.0])
"""Colours of what spoke for an answer and of what spoke against it, in [0, 255]: told apart by
people who do not see all colours (after Okabe and Ito, 2008)."""
DEEPEST = 0.75
"""How far the strongest tint covers what lies below (house choice)."""
FEWEST_PIXELS = 160
"""Sides of a picture are at least so long, pixels doubled (house choice)."""
MAX_PIXELS = 512
PLAYED_SECONDS, PLAYED_RATE = 6.0, 16_000
"""Of a sound at most, its loudest part (house choice: 256 kB as base64)."""


def tinted(pixels: NDArray[np.uint8], tints: NDArray[np.float64]) -> str:
    """A picture with its parts tinted, as a base64 PNG.

    Parameters
    ----------
    pixels : uint8[height, width] or uint8[height, width, 3]
        Grey or coloured; the first row on top.
    tints : float64[rows, columns]
        Of a grid of equal cells over it, in [-1, 1]; 0 leaves it as it is.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    colours = pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, axis=2)
    rows = np.arange(height) * tints.shape[0] // height
    columns = np.arange(width) * tints.shape[1] // width
    tint = tints[rows][:, columns, None].clip(-1, 1)
    cover = DEEPEST * np.abs(tint)
    mixed = colours * (1 - cover) + np.where(tint > 0, FOR, AGAINST) * cover
    image = Image.fromarray(np.rint(mixed).astype(np.uint8))
    times = max(1, -(-FEWEST_PIXELS // max(height, width)))
    image = image.resize((width * times, height * times), Image.Resampling.NEAREST)
    image.thumbnail((MAX_PIXELS, MAX_PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def played(wave: Wave, rate: int, gain: float = 0.0) -> str:
    """A recording's loudest seconds as a base64 WAV file of 16 bits.

    Parameters
    ----------
    wave : float32[n]
        Full scale is 1.
    rate : int
        Samples a second.
    gain : float
        Decibels by which it is made louder; less where its peaks would be cut off.

    Examples
    --------
    >>> base64.b64decode(played(np.zeros(8, np.float32), 8_000))[:4]
    b'RIFF'
    """
    part = loudest(Sound(wave, rate), PLAYED_SECONDS)
    rate = min(rate, PLAYED_RATE)
    short = resampled(part, rate)
    peak = max(float(np.abs(short).max(initial=0.0)), 1e-9)
    times = min(10 ** (gain / 20), 1 / peak)
    whole = np.rint(short * times * 32_000).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(whole)) + whole
    file = struct.pack("<4sI", b"RIFF", len(body)) + body
    return base64.b64encode(file).decode("ascii")
