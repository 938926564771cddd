"""Images: PNG, JPEG and others, as encoded bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel

from penstock.measure import overlays, pictures, shifts
from penstock.measure.bins import Said
from penstock.measure.pictures import Picture, Unreadable
from penstock.modalities import MISSING, Parted, Stress

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "bytes"


MAX_SIDE = 64
"""Largest side when it is sized from the images (house choice: what two cores can learn)."""
MAX_LEARN_ROWS = 2_000
"""Images looked at for the size and the pixels' mean and deviation (house choice)."""
THUMBNAIL_SIDE = 8
"""Side of what the baselines see of an image (house choice: gradient boosting on more columns
would take longer than the network)."""
PLANES, USUAL_ROWS = 96, 4_000
"""Planes of the encoder's last layer for so many training rows (house choice); they grow with the
sixth root of the rows, and shrink with a backbone narrower than :data:`FULL_WIDTH`, so that losses
can be tried quickly."""
FEWEST_PLANES, MOST_PLANES, FULL_WIDTH = 16, 160, 256


class State(BaseModel):
    """What is learnt from training images.

    Attributes
    ----------
    side : int
        Images are resized to a square of this side.
    channels : int
        1 when no training image looked at has a colour, else 3.
    mean, deviation : list of float
        Of the pixels by channel, in [0, 1].
    white : float
        What stands for white in images of more than 8 bits.
    num_rows : int
        Training rows.
    """

    side: int
    channels: int
    mean: list[float]
    deviation: list[float]
    white: float = pictures.FULL_SCALE
    num_rows: int = USUAL_ROWS


MAGIC = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*",
    b"P4", b"P5", b"P6", b"\0\0\0\x0cjP  ",
)  # fmt: skip
"""First bytes of the formats that are recognised, WebP and AVIF aside."""
AVIF = (b"ftypavif", b"ftypavis")
NUM_LOOKED_AT = 100
"""Values that are looked at to recognise a column (house choice)."""


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Share of the first values that begin as an image file does."""
    if not pa.types.is_binary(column.type):
        return 0.0
    values = column.drop_null().slice(0, NUM_LOOKED_AT).to_pylist()
    return sum(map(_is_image, values)) / max(len(values), 1)


def _is_image(content: bytes) -> bool:
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    return is_webp or content[4:12] in AVIF or content.startswith(MAGIC)


def unreadable(column: pa.ChunkedArray | pa.Array) -> list[str]:
    """Why each image cannot be read, empty where it can; decoded at a small scale if possible.

    A missing value counts as readable: it is the column's business whether it may be null.
    """
    return list(pictures.each(_fault, column))


def _fault(content: bytes | None) -> str:
    try:
        if content is not None:
            pictures.read(content, MAX_SIDE)
    except Unreadable as error:
        return str(error)
    return ""


def seen(content: bytes | None, side: int = MAX_SIDE) -> Picture | None:
    """An image from its encoded bytes; None when it cannot be read."""
    try:
        return pictures.read(content, side) if content else None
    except Unreadable:
        return None


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """Size, channels, white and pixel statistics from an evenly spaced sample of the images."""
    chosen = np.arange(0, len(column), max(1, len(column) // MAX_LEARN_ROWS))
    side = max(MAX_SIDE, spec.image_size)

    def small(content: bytes | None) -> Picture | None:
        picture = seen(content, side)
        if picture is not None:  # thousands are held at once
            picture.image.thumbnail((2 * side, 2 * side))
        return picture

    found = list(pictures.each(small, column, chosen))
    known = [picture for picture in found if picture is not None] or [BLANK]
    largest = [max(picture.width, picture.height) for picture in known]
    side = spec.image_size or min(MAX_SIDE, max(8, int(np.median(largest))))
    images = [picture.image for picture in known]
    channels = 1 if all(map(pictures.is_grey, images)) else 3
    white = pictures.white_of(images)
    pixels = np.stack([pictures.squared(i, side, channels, white) for i in images]) / 255.0
    deviation = pixels.std(axis=(0, 2, 3)).clip(min=1e-3)
    return State(
        side=side,
        channels=channels,
        mean=pixels.mean(axis=(0, 2, 3)).tolist(),
        deviation=deviation.tolist(),
        white=white,
        num_rows=len(column),
    )


BLANK = Picture(Image.new("L", (MAX_SIDE, MAX_SIDE), 128), MAX_SIDE, MAX_SIDE)
"""Stands for the training images where none can be read: mid-grey (house choice)."""


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``pixels``: ``uint8[n, channels, side, side]``; the mean grey where unreadable."""
    blank = np.rint(np.asarray(state.mean) * 255).astype(np.uint8)[:, None, None]
    shape = (state.channels, state.side, state.side)
    pixels = np.empty((len(column), *shape), dtype=np.uint8)

    def one(content: bytes | None) -> NDArray[np.uint8]:
        picture = seen(content, state.side)
        if picture is None:
            return blank
        return pictures.squared(picture.image, state.side, state.channels, state.white)

    for row, found in enumerate(pictures.each(one, column)):
        pixels[row] = found
    return {"pixels": pixels}


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """A small residual convolutional network."""
    from penstock.learning.image_encoders import ResidualImage

    share = min(1.0, (spec.width or FULL_WIDTH) / FULL_WIDTH)
    wanted = PLANES * (max(1, state.num_rows) / USUAL_ROWS) ** (1 / 6) * share
    planes = int(np.clip(round(wanted / 8) * 8, FEWEST_PLANES, MOST_PLANES))
    return ResidualImage(state.channels, state.side, state.mean, state.deviation, planes)


def plain(column: pa.ChunkedArray, state: State) -> NDArray[np.float64]:
    """Thumbnails for models that read only numbers, ``float64[n, channels * 8 * 8]``."""
    small = state.model_copy(update={"side": THUMBNAIL_SIDE})
    pixels = encode(column, small)["pixels"]
    return pixels.reshape(len(pixels), -1).astype(np.float64)


CELLS = 7
"""An image is taken apart into so many rows and columns of cells, if it has the pixels."""
SHOWN_SIDE = 192
"""Largest side of an image in a report (house choice: dozens of them open at once)."""


def parted(column: pa.ChunkedArray, state: State) -> Parted:
    """The image with each cell of a grid blurred until nothing is seen in it.

    A grey cell would be a shape of its own on black ground; what is blurred keeps the ground
    (Fong and Vedaldi, 2017).
    """
    pixels = encode(column, state)["pixels"]
    if seen(column[0].as_py(), state.side) is None:
        return Parted([], {"pixels": pixels[:0]})
    count = min(CELLS, state.side)
    cell = np.arange(state.side) * count // state.side
    smooth = pictures.blurred(pixels.astype(np.float32), state.side / count)
    smooth = np.rint(smooth).astype(np.uint8)[0]
    hidden = pixels.repeat(count * count, axis=0)
    for part in range(count * count):
        here = np.ix_(cell == part // count, cell == part % count)
        for channel in range(state.channels):
            hidden[part, channel][here] = smooth[channel][here]
    names = [f"row {n // count + 1}, column {n % count + 1} of {count}" for n in range(count**2)]
    return Parted(names, {"pixels": hidden})


def shown(
    column: pa.ChunkedArray | None, state: State, tints: NDArray[np.float64]
) -> dict[str, Any]:
    """The image as a person sees it, with its cells tinted; for all rows the mean grey."""
    count = max(1, round(len(tints) ** 0.5))
    cells = tints.reshape(count, count) if len(tints) else np.zeros((1, 1))
    picture = None if column is None else seen(column[0].as_py(), SHOWN_SIDE)
    if picture is None:
        mean = np.rint(np.array(state.mean) * 255).astype(np.uint8)
        pixels = np.broadcast_to(mean[None, None], (state.side, state.side, state.channels))
    else:
        image = pictures.plain(picture.image, state.channels, state.white)
        image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        pixels = np.asarray(image, dtype=np.uint8)
    return {
        "picture": overlays.tinted(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels, cells)
    }


def specimen(state: State) -> pa.ChunkedArray:
    """A made-up image of one row: a disc, a cross and stripes before a ramp of greys."""
    side = state.side
    rows, columns = (np.indices((side, side)) + 0.5) / side
    grey = 0.25 + 0.5 * columns
    grey = np.where((rows - 0.3) ** 2 + (columns - 0.3) ** 2 < 0.03, 1.0, grey)
    cross = (np.abs(rows - 0.7) < 0.04) | (np.abs(columns - 0.3) < 0.04)
    grey = np.where(cross & (rows > 0.55) & (columns < 0.45), 0.0, grey)
    stripes = (columns * side // max(1, side // 16)) % 2
    grey = np.where(
        (rows > 0.55) & (rows < 0.85) & (columns > 0.55) & (columns < 0.9), stripes, grey
    )
    pixels = np.rint(255 * grey).astype(np.uint8)[None, None].repeat(state.channels, axis=1)
    files = pictures.netpbm(pixels, np.ones(1, dtype=bool))
    return pa.chunked_array([pa.array(files, pa.binary())])


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """None beside presence and type: a file that cannot be decoded never enters a snapshot."""
    return []


STRESSES = (
    Stress(
        "dark",
        (0.5, 1.0, 2.0),
        "{column} is darker by {strength:g} stops",
        "a shorter exposure, less light",
        "augment training with darker and brighter images",
    ),
    Stress(
        "gamma",
        (1.25, 1.5, 2.0),
        "{column} has its mid-tones darkened by a gamma of {strength:g}",
        "new lighting, another camera's tone curve",
        "augment training with other tone curves, or bring images to one",
    ),
    Stress(
        "blur",
        (0.4, 0.7, 1.2),
        "{column} is blurred (Gaussian, of {strength:g} pixels at a side of 8)",
        "out of focus, motion, a cheaper lens",
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
        "jpeg",
        (50, 75, 90),
        "{column} is saved as JPEG, {strength:g} below the best quality of 100",
        "stronger compression, a messenger in between",
        "augment training with compressed images, or ask for the originals",
    ),
    Stress(
        "shift",
        (0.03, 0.06, 0.12),
        "{column} is moved by {strength:.0%} of its side",
        "another crop, a camera that was moved",
        "crop images as they were cropped for training, or augment training with shifts",
    ),
    Stress(
        "turn",
        (5, 10, 20),
        "{column} is turned by {strength:g} degrees",
        "a camera that is not level",
        "bring images upright, or augment training with turned ones",
    ),
    MISSING,
)
"""Three strengths each (house choice; the mildest noise is half of ImageNet-C's, Hendrycks and
Dietterich, 2019)."""
BLUR_SIDE = 8
"""Side at which blur is said in pixels; it grows with the root of the side, so that it is felt in
small images and leaves something of large ones (house choice)."""


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Images changed as :data:`STRESSES` say, at the size at which they are encoded."""
    if name == "missing":
        return shifts.emptied(column, strength, rng)
    pixels: NDArray[np.float32] = encode(column, state)["pixels"].astype(np.float32)
    if name == "dark":
        pixels *= 2.0**-strength
    elif name == "gamma":
        pixels = np.float32(255) * np.power(pixels / np.float32(255), np.float32(strength))
    elif name == "blur":
        pixels = pictures.blurred(pixels, strength * (state.side / BLUR_SIDE) ** 0.5)
    elif name == "noise":
        pixels = pixels + rng.normal(scale=strength * 255, size=pixels.shape).astype(np.float32)
    elif name == "jpeg":
        pixels = pictures.compressed(pixels, quality=100 - round(strength))
    elif name == "shift":
        pixels = pictures.shifted(pixels, strength, rng)
    else:
        pixels = pictures.turned(pixels, strength, rng)
    return _files(np.rint(pixels.clip(0, 255)).astype(np.uint8), column)


def reduced(column: pa.ChunkedArray, state: State) -> pa.ChunkedArray:
    """The same images at the size at which they are encoded, uncompressed."""
    return _files(encode(column, state)["pixels"], column)


def _files(pixels: NDArray[np.generic], column: pa.ChunkedArray) -> pa.ChunkedArray:
    files = pictures.netpbm(pixels, column.is_valid().to_numpy())
    return pa.chunked_array([pa.array(files, pa.binary())])


LIKENESS_SIDE = 16
"""Side of the thumbnails by which copies are told (house choice, measured)."""


def likeness(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Grey thumbnails without their brightness and contrast, ``float32[n, 256]``.

    Near to one another for copies; 0 of what is flat or cannot be read.
    """

    def one(content: bytes | None) -> NDArray[np.float32]:
        picture = seen(content, LIKENESS_SIDE)
        if picture is None:
            return np.zeros(LIKENESS_SIDE**2, np.float32)
        grey = pictures.squared(picture.image, LIKENESS_SIDE, 1)[0].astype(np.float32).ravel()
        grey -= grey.mean()
        length = float(np.linalg.norm(grey))
        return grey / np.float32(length) if length > 2 * LIKENESS_SIDE else 0 * grey

    found = list(pictures.each(one, column))
    return np.stack(found) if found else np.zeros((0, LIKENESS_SIDE**2), np.float32)


VIEWS = ("brightness", "contrast", "sharpness", "width", "height")


SAID = {
    "brightness": Said("darkest", "brightest"),
    "contrast": Said("flattest", "strongest"),
    "sharpness": Said("most blurred", "sharpest"),
    "width": Said("narrowest", "widest", " px"),
    "height": Said("lowest", "tallest", " px"),
}
"""How slices of them are said."""


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``brightness``, ``contrast`` in [0, 1], ``sharpness``; ``width``, ``height`` in pixels.

    The former of the grey image, at most 64 pixels wide: mean and deviation of its pixels, and
    :func:`penstock.measure.pictures.sharpness`. Null where it cannot be read.
    """
    rows = list(pictures.each(_viewed, column))
    columns = zip(*rows, strict=True) if rows else [()] * len(VIEWS)
    return {n: pa.array(v, pa.float64()) for n, v in zip(VIEWS, columns, strict=True)}


def _viewed(content: bytes | None) -> tuple[float | None, ...]:
    picture = seen(content)
    if picture is None:
        return (None,) * len(VIEWS)
    side = min(MAX_SIDE, max(picture.image.size))
    grey = pictures.squared(picture.image, side, 1)[0] / 255.0
    size = float(picture.width), float(picture.height)
    return float(grey.mean()), float(grey.std()), pictures.sharpness(grey), *size
