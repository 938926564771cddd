"""Sample pipelines with real data, so that a newcomer needs none of their own.

Two travel with penstock; three are downloaded from where their makers publish them, held against
a checksum that is written down here, and turned into a folder that ``penstock train`` reads.

name -> a folder with data, pipeline.yaml, contract.yaml and card.md
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penstock.adapters.project import unfinished
from penstock.adapters.samples import bundled, movielens, spam, spoken_digits
from penstock.adapters.samples.archives import Archive, fetch
from penstock.errors import BadInput, Mistake, did_you_mean

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Sample:
    """One sample.

    Attributes
    ----------
    says : str
        What a row is and what is predicted, in one line.
    licence : str
        What may be done with the data.
    source : str
        Where its makers describe it.
    write : callable
        From a folder and the archives to the data's files in that folder.
    archives : tuple of Archive
        What is downloaded; none where the data travels with penstock.
    """

    says: str
    licence: str
    source: str
    write: Callable[[Path, list[Path]], None]
    archives: tuple[Archive, ...] = ()


SAMPLES: dict[str, Sample] = {
    "adult": Sample(
        "census income of 48,842 people: a table with two sensitive columns",
        "Creative Commons Attribution 4.0 (CC BY 4.0)",
        "https://doi.org/10.24432/C5XW20",
        bundled.write_adult,
    ),
    "digits": Sample(
        "1,797 handwritten digits: PNG files of 8x8 pixels",
        "Creative Commons Attribution 4.0 (CC BY 4.0)",
        "https://doi.org/10.24432/C50P49",
        bundled.write_digits,
    ),
    "spoken-digits": Sample(
        "2,500 spoken digits of five speakers: WAV files",
        "Creative Commons Attribution-ShareAlike 4.0 (CC BY-SA 4.0)",
        "https://github.com/Jakobovski/free-spoken-digit-dataset",
        spoken_digits.write,
        spoken_digits.ARCHIVES,
    ),
    "spam": Sample(
        "about 6,000 e-mails, a third of them spam: texts",
        "published for tests of filters; the text of each mail belongs to who sent it",
        "https://spamassassin.apache.org/old/publiccorpus/readme.html",
        spam.write,
        spam.ARCHIVES,
    ),
    "movielens": Sample(
        "100,836 ratings of 9,724 films by 610 people: ids, genres, time",
        "GroupLens: research, not commercial, not passed on without permission; see README.txt",
        "https://grouplens.org/datasets/movielens/latest/",
        movielens.write,
        movielens.ARCHIVES,
    ),
}


def write_sample(name: str, folder: Path, tell: Tell = lambda text: None) -> Path:
    """Write a sample pipeline with its data, whole or not at all.

    Parameters
    ----------
    name : str
        One of :data:`SAMPLES`.
    folder : Path
        Where it goes; made when missing, must be empty when there.
    tell : callable
        Is told of each download before it starts.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    BadInput
        No sample of this name; something is in the folder already; an archive that cannot be
        reached, or that is not the one whose checksum is written down.
    StoreError
        The data that was installed is not the data that the sample was made from.
    """
    folder = Path(os.path.normpath(Path.cwd() / folder))
    mistakes = [*_unknown(name), *_taken(folder)]
    if mistakes:
        raise BadInput(mistakes)
    with unfinished(folder) as workplace, tempfile.TemporaryDirectory() as scratch:
        archives = [fetch(one, Path(scratch), tell) for one in SAMPLES[name].archives]
        for path in sorted(bundled.files_of(name).iterdir()):
            if path.is_file():
                shutil.copyfile(path, workplace / path.name)
        SAMPLES[name].write(workplace, archives)
        if folder.is_dir():
            folder.rmdir()  # empty: it was looked at above
        workplace.rename(folder)
    return folder


def described(name: str) -> list[str]:
    """Licence, source and checksums of a sample, a line each."""
    sample = SAMPLES[name]
    lines = [f"{name}: {sample.says}", f"  licence: {sample.licence}", f"  source: {sample.source}"]
    for archive in sample.archives:
        lines += [f"  file: {archive}", f"    SHA-256 {archive.sha256}"]
    return lines if sample.archives else [*lines, "  travels with penstock: nothing is downloaded"]


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
