"""Images: PNG, JPEG and others, as encoded bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import BaseModel

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec


MAX_SIDE = 64
"""Largest side when it is sized from the images (house choice: what two cores can learn)."""
MAX_PIXELS = 50_000_000
"""An image of more pixels is a decompression bomb, not an example (house choice)."""
MAX_LEARN_ROWS = 2_000
"""Images looked at for the size and the pixels' mean and deviation (house choice)."""
WIDTH = 64
"""Output width of the encoder (house choice, measured on digits)."""


class State(BaseModel):
    """What is learnt from training images.

    Attributes
    ----------
    side : int
        Images are resized to a square of this side.
    channels : int
        1 when all training images looked at are grey, else 3.
    mean, deviation : list of float
        Of the pixels by channel, in [0, 1].
    """

    side: int
    channels: int
    mean: list[float]
    deviation: list[float]


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """Size, channels and pixel statistics from an evenly spaced sample of the images."""
    step = max(1, len(column) // MAX_LEARN_ROWS)
    images = [decode(value.as_py()) for value in column.take(list(range(0, len(column), step)))]
    known = [image for image in images if image is not None]
    largest = [max(image.size) for image in known] or [MAX_SIDE]
    side = spec.image_size or min(MAX_SIDE, max(8, int(np.median(largest))))
    channels = 1 if all(image.mode in ("1", "L", "I;16") for image in known) else 3
    pixels = np.stack([_pixels(image, side, channels) for image in known]) / 255.0
    deviation = pixels.std(axis=(0, 2, 3)).clip(min=1e-3)
    return State(
        side=side,
        channels=channels,
        mean=pixels.mean(axis=(0, 2, 3)).tolist(),
        deviation=deviation.tolist(),
    )


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``pixels``: ``uint8[n, channels, side, side]``; the mean grey where unreadable."""
    shape = (len(column), state.channels, state.side, state.side)
    pixels = np.empty(shape, dtype=np.uint8)
    blank = (np.asarray(state.mean) * 255).astype(np.uint8)[:, None, None]
    for row, value in enumerate(column):  # each is decoded by Pillow in C
        image = decode(value.as_py())
        pixels[row] = blank if image is None else _pixels(image, state.side, state.channels)
    return {"pixels": pixels}


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """A small residual convolutional network."""
    from penstock.learning.encoders import ResidualImage

    return ResidualImage(state.channels, state.side, state.mean, state.deviation, WIDTH)


def decode(content: bytes | None) -> Image.Image | None:
    """An upright image from its encoded bytes; None when they cannot be read.

    Rotated as its EXIF orientation says. More than :data:`MAX_PIXELS` is refused before
    decoding.
    """
    if not content:
        return None
    try:
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > MAX_PIXELS:
            return None
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError):  # what Pillow raises on broken content
        return None


def _pixels(image: Image.Image, side: int, channels: int) -> NDArray[np.uint8]:
    """``uint8[channels, side, side]``."""
    if image.mode.startswith("I"):  # 16 bits a pixel: Pillow would clip at 255
        image = Image.fromarray((np.asarray(image, dtype=np.float64) / 257).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
