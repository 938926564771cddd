"""Sample pipelines with real data, so that a newcomer needs none of their own.

name -> a folder that ``penstock train`` reads
"""

from __future__ import annotations

import importlib.resources
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from penstock import fingerprint
from penstock.adapters.project import unfinished
from penstock.errors import BadInput, Mistake, StoreError, did_you_mean

ADULT_SHA256 = "e2e868fb4afa017f9b459bf84df35d2dc6fa14f0fe0d7d86b29f6a6e31604302"
"""Of ``adult.parquet``."""

DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of the pixels (uint8, 0 to 16, row by row) and then the labels (uint8) of ``load_digits``."""

BRIGHTEST = 16
"""Largest pixel of the digits; 0 is background."""


def write_sample(name: str, folder: Path) -> Path:
    """Write a sample pipeline with its data, whole or not at all.

    Parameters
    ----------
    name : str
        ``adult`` or ``digits``.
    folder : Path
        Where it goes; made when missing, must be empty when there.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    BadInput
        No sample of this name; something is in the folder already.
    StoreError
        The data that was installed is not the data that the sample was made from.
    """
    folder = Path(os.path.normpath(Path.cwd() / folder))
    mistakes = [*_unknown(name), *_taken(folder)]
    if mistakes:
        raise BadInput(mistakes)
    with unfinished(folder) as workplace:
        SAMPLES[name](workplace)
        if folder.is_dir():
            folder.rmdir()  # empty: it was looked at above
        workplace.rename(folder)
    return folder


def _unknown(name: str) -> list[Mistake]:
    if name in SAMPLES:
        return []
    remedy = f"{did_you_mean(name, SAMPLES, cutoff=0.5)} samples: {', '.join(SAMPLES)}".strip()
    return [Mistake("NAME is a sample", repr(name), "penstock sample", remedy)]


def _taken(folder: Path) -> list[Mistake]:
    if not os.path.lexists(folder):
        return []
    if folder.is_dir() and not any(folder.iterdir()):
        return []
    found = "a folder with files in it" if folder.is_dir() else "a file"
    remedy = "name another folder: penstock sample NAME FOLDER"
    return [Mistake("sample replaces no file", found, str(folder), remedy)]


def _write_adult(folder: Path) -> None:
    """Census income of 1994, as it travels with penstock."""
    origin = _files("adult")
    for path in sorted(origin.iterdir()):
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    _require("adult.parquet", fingerprint.of_file(folder / "adult.parquet"), ADULT_SHA256)


def _write_digits(folder: Path) -> None:
    """Scikit-learn's copy of the digits, one PNG file each."""
    import hashlib

    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    for path in sorted(_files("digits").iterdir()):
        shutil.copyfile(path, folder / path.name)
    digits = load_digits()
    pixels, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    found = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    _require("scikit-learn's digits", found, DIGITS_SHA256)
    (folder / "images").mkdir()
    grey = np.round(pixels * (255 / BRIGHTEST)).astype(np.uint8)
    for index, (image, label) in enumerate(zip(grey, labels, strict=True)):
        Image.fromarray(image).save(folder / "images" / f"{label}_{index:04d}.png")


def _files(name: str) -> Path:
    """Where a sample's files are: beside the code in a wheel, under data/ in the repository."""
    package = Path(str(importlib.resources.files("penstock")))
    installed = package / "samples" / name
    return installed if installed.is_dir() else package.parent.parent / "data" / name


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


SAMPLES: dict[str, Callable[[Path], None]] = {"adult": _write_adult, "digits": _write_digits}
