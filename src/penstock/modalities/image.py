"""Images: PNG, JPEG and others, as encoded bytes."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import BaseModel

from penstock.measure import shifts
from penstock.modalities import Stress

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "bytes"


MAX_SIDE = 64
"""Largest side when it is sized from the images (house choice: what two cores can learn)."""
MAX_PIXELS = 50_000_000
"""An image of more pixels is a decompression bomb, not an example (house choice)."""
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, struct.error, zlib.error,
    MemoryError, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises on broken content."""
MAX_LEARN_ROWS = 2_000
"""Images looked at for the size and the pixels' mean and deviation (house choice)."""
THUMBNAIL_SIDE = 8
"""Side of what the baselines see of an image (house choice: gradient boosting on more columns
would take longer than the network)."""
PLANES = 96
"""Planes of the encoder's last layer (house choice, measured on digits)."""


BLANK = Image.new("L", (MAX_SIDE, MAX_SIDE), 128)
"""Stands for the training images where none can be read: mid-grey (house choice)."""


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


MAGIC = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*",
    b"P4", b"P5", b"P6",
)  # fmt: skip
"""First bytes of the formats that are recognised, WebP aside."""
NUM_LOOKED_AT = 100
"""Values that are looked at to recognise a column (house choice)."""


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Share of the first values that begin as an image file does."""
    if not pa.types.is_binary(column.type):
        return 0.0
    values = column.drop_null().slice(0, NUM_LOOKED_AT).to_pylist()
    known = [value[:4] == b"RIFF" and value[8:12] == b"WEBP" for value in values]
    known = [k or value.startswith(MAGIC) for k, value in zip(known, values, strict=True)]
    return sum(known) / max(len(known), 1)


def unreadable(column: pa.ChunkedArray | pa.Array) -> list[str]:
    """Why each image cannot be read, empty where it can; decoded at a small scale if possible.

    A missing value counts as readable: it is the column's business whether it may be null.
    """
    return [_fault(value) if value is not None else "" for value in column.to_pylist()]


def _fault(content: bytes) -> str:
    if not content:
        return "an empty file"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # measured below
            warnings.simplefilter("ignore", UserWarning)  # odd metadata does not matter
            image = Image.open(io.BytesIO(content))
            if image.width * image.height > MAX_PIXELS:
                return f"{image.width} x {image.height} pixels are more than {MAX_PIXELS}"
            image.draft(None, (MAX_SIDE, MAX_SIDE))  # JPEG decodes at a smaller scale
            image.load()
    except BROKEN as error:
        said = " ".join(str(error).split()).partition(" <_io")[0]
        return said[:200] or type(error).__name__
    return ""


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """Size, channels and pixel statistics from an evenly spaced sample of the images."""
    step = max(1, len(column) // MAX_LEARN_ROWS)
    images = [decode(value.as_py()) for value in column.take(list(range(0, len(column), step)))]
    known = [image for image in images if image is not None] or [BLANK]
    largest = [max(image.size) for image in known]
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
    blank = np.rint(np.asarray(state.mean) * 255).astype(np.uint8)[:, None, None]
    for row, value in enumerate(column):  # each is decoded by Pillow in C
        image = decode(value.as_py())
        pixels[row] = blank if image is None else _pixels(image, state.side, state.channels)
    return {"pixels": pixels}


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """A small residual convolutional network."""
    from penstock.learning.encoders import ResidualImage

    return ResidualImage(state.channels, state.side, state.mean, state.deviation, PLANES)


def plain(column: pa.ChunkedArray, state: State) -> NDArray[np.float64]:
    """Thumbnails for models that read only numbers, ``float64[n, channels * 8 * 8]``."""
    small = state.model_copy(update={"side": THUMBNAIL_SIDE})
    pixels = encode(column, small)["pixels"]
    return pixels.reshape(len(pixels), -1).astype(np.float64)


def decode(content: bytes | None) -> Image.Image | None:
    """An upright image from its encoded bytes; None when they cannot be read.

    Rotated as its EXIF orientation says. More than :data:`MAX_PIXELS` is refused before
    decoding.
    """
    if not content:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # measured below
            warnings.simplefilter("ignore", UserWarning)  # odd metadata does not matter
            image = Image.open(io.BytesIO(content))
            if image.width * image.height > MAX_PIXELS:
                return None
            image.load()
            return ImageOps.exif_transpose(image)
    except BROKEN:
        return None


def _pixels(image: Image.Image, side: int, channels: int) -> NDArray[np.uint8]:
    """``uint8[channels, side, side]``."""
    if image.mode == "P" and "transparency" in image.info:  # Pillow converts it only this way
        image = image.convert("RGBA")
    if image.mode.startswith("I"):  # 16 bits a pixel: Pillow would clip at 255
        wide = np.asarray(image, dtype=np.float64) / 257
        image = Image.fromarray(wide.clip(0, 255).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """None beside presence and type: a file that cannot be decoded never enters a snapshot."""
    return []


STRESSES = (
    Stress(
        "dark",
        (0.5, 1.0, 2.0),
        "{column} is darker by {strength:g} stops",
        "new lighting, a shorter exposure",
        "augment training with darker and brighter images",
    ),
    Stress(
        "blur",
        (0.5, 1.0, 2.0),
        "{column} is blurred (Gaussian, of {strength:g} pixels at a side of 8)",
        "out of focus, motion, a cheaper lens, stronger compression",
        "augment training with blurred images, or measure sharpness before scoring",
    ),
    Stress(
        "noise",
        (0.04, 0.08, 0.16),
        "{column} is noisy (deviation {strength:.0%} of white)",
        "low light, a cheaper sensor",
        "augment training with noisy images",
    ),
    Stress(
        "missing",
        (0.1, 0.3, 1.0),
        "{column} cannot be read in {strength:.0%} of the rows",
        "files lost or cut short",
        "bound the unreadable files in the contract",
    ),
)
"""Three strengths each (house choice; the mildest noise is half of ImageNet-C's, Hendrycks and
Dietterich, 2019)."""
BLUR_SIDE = 8
"""Side at which blur is said in pixels; it grows with the root of the side, so that it is felt in
small images and leaves something of large ones (house choice)."""


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Images darker, blurred, noisy or missing, at the size at which they are encoded."""
    if name == "missing":
        return shifts.emptied(column, strength, rng)
    pixels = encode(column, state)["pixels"].astype(np.float32)
    if name == "dark":
        pixels *= 2.0**-strength
    elif name == "blur":
        from scipy.ndimage import gaussian_filter

        width = strength * (state.side / BLUR_SIDE) ** 0.5
        pixels = gaussian_filter(pixels, (0, 0, width, width), mode="nearest")
    else:
        pixels += rng.normal(scale=strength * 255, size=pixels.shape).astype(np.float32)
    return _files(np.rint(pixels.clip(0, 255)).astype(np.uint8), column.is_valid().to_numpy())


def reduced(column: pa.ChunkedArray, state: State) -> pa.ChunkedArray:
    """The same images at the size at which they are encoded, uncompressed."""
    return _files(encode(column, state)["pixels"], column.is_valid().to_numpy())


def _files(pixels: NDArray[np.generic], known: NDArray[np.bool_]) -> pa.ChunkedArray:
    """Netpbm files of ``uint8[n, channels, side, side]``; null where the image is missing."""
    side, kind = pixels.shape[-1], b"P5" if pixels.shape[1] == 1 else b"P6"
    head = b"%b %d %d 255\n" % (kind, side, side)
    last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    files = [
        head + image.tobytes() if there else None for image, there in zip(last, known, strict=True)
    ]
    return pa.chunked_array([pa.array(files, pa.binary())])


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``brightness`` and ``contrast`` in [0, 1]; ``width`` and ``height`` in pixels.

    Of the grey image: mean and standard deviation of its pixels. Null where it cannot be read.
    """
    nothing = (None, None, None, None)
    rows = [nothing if image is None else _seen(image) for image in map(decode, column.to_pylist())]
    names = ("brightness", "contrast", "width", "height")
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {n: pa.array(v, pa.float64()) for n, v in zip(names, columns, strict=True)}


def _seen(image: Image.Image) -> tuple[float, float, float, float]:
    side = min(MAX_SIDE, max(image.size))
    grey = _pixels(image, side, 1) / 255.0
    return float(grey.mean()), float(grey.std()), float(image.width), float(image.height)
