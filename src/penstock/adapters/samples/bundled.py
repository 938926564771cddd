"""The samples whose data travels with penstock or with scikit-learn."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from penstock import fingerprint
from penstock.errors import Mistake, StoreError

ADULT_SHA256 = "e2e868fb4afa017f9b459bf84df35d2dc6fa14f0fe0d7d86b29f6a6e31604302"
"""Of ``adult.parquet``."""

DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of the pixels (uint8, 0 to 16, row by row) and then the labels (uint8) of ``load_digits``."""

BRIGHTEST = 16
"""Largest pixel of the digits; 0 is background."""


def files_of(name: str) -> Path:
    """Where a sample's files are: beside the code, or under data/ in the repository."""
    package = Path(str(importlib.resources.files("penstock")))
    installed = package / "samples" / name
    return installed if installed.is_dir() else package.parent.parent / "data" / name


def write_adult(folder: Path, archives: list[Path]) -> None:
    """Hold the census income of 1994 against its checksum."""
    _require("adult.parquet", fingerprint.of_file(folder / "adult.parquet"), ADULT_SHA256)


def write_digits(folder: Path, archives: list[Path]) -> None:
    """Write scikit-learn's copy of the digits, one PNG file each."""
    import hashlib

    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    found = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    _require("scikit-learn's digits", found, DIGITS_SHA256)
    (folder / "images").mkdir()
    grey = np.round(pixels * (255 / BRIGHTEST)).astype(np.uint8)
    for index, (image, label) in enumerate(zip(grey, labels, strict=True)):
        Image.fromarray(image).save(folder / "images" / f"{label}_{index:04d}.png")


def _require(what: str, found: str, known: str) -> None:
    if found != known:
        raise StoreError(
            Mistake(
                "a sample is the data that it was made from, byte for byte",
                f"SHA-256 {found} instead of {known}",
                what,
                "install penstock and its pinned dependencies again",
            )
        )
