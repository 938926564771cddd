"""Images: from the bytes of an image file to pixels, and what the world does to those.

bytes -> Pillow image -> ``uint8[channels, side, side]``
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from penstock.chunks import in_turn

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import ArrayLike

MAX_PIXELS = 50_000_000
"""An image of more pixels is a decompression bomb, not an example (house choice)."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")
"""What is decoded, whatever a file's name ends with: no format that asks another program, as
Pillow asks Ghostscript for EPS."""
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, struct.error,
    zlib.error, MemoryError, OverflowError, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises on broken content."""
GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Those of more than 8 bits a pixel."""
FULL_SCALE = 65_535.0
"""What 16 bits hold."""
BEHIND = 128
"""What stands behind transparent pixels: a grey on which black shapes and white ones are seen
(house choice)."""
LARGE_FILE = 20_000
"""Bytes from which on a file is worth a thread (house choice, measured)."""

Found = TypeVar("Found")
Pixels = NDArray[np.uint8]


class Unreadable(ValueError):
    """A file that holds no image, with the reason as its message."""


@dataclass(frozen=True)
class Picture:
    """A decoded file.

    Attributes
    ----------
    image : Image
        Upright; of a JPEG maybe at a smaller scale.
    width, height : int
        Of the upright image in full, in pixels.
    """

    image: Image.Image
    width: int
    height: int


def read(content: bytes, side: int = 0) -> Picture:
    """Decode a file, upright as its EXIF orientation says.

    Parameters
    ----------
    content : bytes
        The file.
    side : int
        A JPEG may be decoded at a smaller scale that still has twice this side; 0: in full.

    Raises
    ------
    Unreadable
        When nothing can be decoded, when the file is cut short, or beyond :data:`MAX_PIXELS`,
        which is found before decoding.
    """
    if not content:
        raise Unreadable("an empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # measured below
            warnings.simplefilter("ignore", UserWarning)  # odd metadata does not matter
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Unreadable(f"{width} x {height} pixels are more than {MAX_PIXELS}")
            if side:
                image.draft(None, (2 * side, 2 * side))
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.size != image.size:
                width, height = height, width
            return Picture(upright, width, height)
    except Unreadable:
        raise
    except BROKEN as error:
        said = " ".join(str(error).split()).partition(" <_io")[0]
        raise Unreadable(said[:200] or type(error).__name__) from None


def each(
    work: Callable[[bytes | None], Found],
    column: pa.ChunkedArray | pa.Array,
    places: ArrayLike | None = None,
) -> Iterator[Found]:
    """What ``work`` makes of each file, in order; of large files several at a time.

    Pillow decodes outside of Python's lock, which pays where decoding is the larger part.

    Parameters
    ----------
    work : callable
        Given a file's bytes, or None where there is none.
    column : binary[n]
        Of any size: few files are held at a time.
    places : int64[k], optional
        The rows that are wanted; all of them without.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for files in in_turn(column, places):
            some = files.to_pylist()
            size = sum(len(file) for file in some if file) / len(some)
            yield from (pool.map if size > LARGE_FILE else map)(work, some)


def is_grey(image: Image.Image) -> bool:
    """Whether no pixel has a colour, in whatever mode the file stores it."""
    if image.mode in GREY_MODES:
        return True
    small = image.convert("RGBA").convert("RGB")
    colours = np.asarray(small.reduce(max(1, min(image.size) // 64)), dtype=np.int16)
    return bool(np.ptp(colours, axis=2).max(initial=0) <= 2)  # JPEG rounds


def white_of(images: list[Image.Image]) -> float:
    """What stands for white in images of more than 8 bits: 65,535, or the largest value met
    where all are darker or brighter than that by far.

    Sensors of 12 bits, and fractions in [0, 1], are stored in wider pixels.

    Examples
    --------
    >>> white_of([Image.fromarray(np.full((2, 2), 4000, np.uint16))])
    4000.0
    """
    wide = [float(np.max(np.asarray(i))) for i in images if i.mode in WIDE_MODES]
    largest = max((v for v in wide if np.isfinite(v)), default=0.0)
    usual = FULL_SCALE / 4 < largest <= FULL_SCALE or largest <= 0
    return FULL_SCALE if usual else largest


def squared(image: Image.Image, side: int, channels: int, white: float = FULL_SCALE) -> Pixels:
    """``uint8[channels, side, side]``, squeezed where it is no square.

    Parameters
    ----------
    image : Image
        In any mode.
    side, channels : int
        1 channel is grey, 3 are red, green and blue.
    white : float
        From :func:`white_of`.
    """
    image = plain(image, channels, white)
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def plain(image: Image.Image, channels: int, white: float = FULL_SCALE) -> Image.Image:
    """The image in 8 bits, grey or coloured, with nothing to see through."""
    if image.mode in WIDE_MODES:
        wide = np.nan_to_num(np.asarray(image, dtype=np.float64) * (255 / white))
        image = Image.fromarray(wide.clip(0, 255).astype(np.uint8))
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (BEHIND, BEHIND, BEHIND, 255))
        image = Image.alpha_composite(ground, image)
    return image.convert("L" if channels == 1 else "RGB")


def netpbm(pixels: NDArray[np.generic], known: NDArray[np.bool_]) -> list[bytes | None]:
    """Uncompressed files of ``uint8[n, channels, side, side]``; None where not known."""
    side, kind = pixels.shape[-1], b"P5" if pixels.shape[1] == 1 else b"P6"
    head = b"%b %d %d 255\n" % (kind, side, side)
    last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    return [
        head + image.tobytes() if there else None for image, there in zip(last, known, strict=True)
    ]


# ------------------------------------------------------------------- what the world does


def blurred(pixels: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """By a Gaussian of this deviation in pixels."""
    from scipy.ndimage import gaussian_filter

    found: NDArray[np.float32] = gaussian_filter(pixels, (0, 0, width, width), mode="nearest")
    return found


def compressed(pixels: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
    """Saved as JPEG and opened again."""
    found = np.empty_like(pixels)
    for row, image in enumerate(np.rint(pixels.clip(0, 255)).astype(np.uint8)):
        shown = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        file = io.BytesIO()
        Image.fromarray(shown).save(file, "JPEG", quality=quality)
        again = np.asarray(Image.open(file))
        found[row] = again if len(image) == 1 else again.transpose(2, 0, 1)
    return found


def shifted(
    pixels: NDArray[np.float32], share: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Each moved by this share of its side up, down, left or right; the border is repeated."""
    from scipy.ndimage import shift

    way = rng.integers(4, size=len(pixels))
    far, found = share * pixels.shape[-1], np.empty_like(pixels)
    for number, (down, right) in enumerate(((far, 0), (-far, 0), (0, far), (0, -far))):
        here = pixels[way == number]
        found[way == number] = shift(here, (0, 0, down, right), order=1, mode="nearest")
    return found


def turned(
    pixels: NDArray[np.float32], degrees: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Each turned to the left or to the right; the border is repeated."""
    from scipy.ndimage import rotate

    left, found = rng.random(len(pixels)) < 0.5, np.empty_like(pixels)
    for rows, angle in ((left, degrees), (~left, -degrees)):
        if rows.any():
            found[rows] = rotate(
                pixels[rows], angle, axes=(2, 3), reshape=False, order=1, mode="nearest"
            )
    return found


# ------------------------------------------------------------------------ what is measured


def sharpness(grey: NDArray[np.float64]) -> float:
    """Deviation of the Laplacian of ``float64[h, w]`` over that of the pixels; 0 of a flat one.

    Pech-Pacheco et al. (2000) take the former; the latter makes it independent of contrast.

    Examples
    --------
    >>> checks = np.indices((4, 4)).sum(axis=0) % 2.0
    >>> sharpness(checks) > sharpness(np.eye(4).cumsum(axis=0)), sharpness(np.ones((4, 4)))
    (True, 0.0)
    """
    from scipy.ndimage import laplace

    spread = float(grey.std())
    return float(laplace(grey, mode="nearest").std() / spread) if spread > 1e-6 else 0.0
