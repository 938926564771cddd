"""Pretrained networks from a folder or the Hugging Face hub, into the store.

Only safe files are taken: weights as ``safetensors``, settings as JSON. No code of a repository
runs, no pickle is read. What is taken is named by commit, and its licence is written down.

name, column -> Backbone
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.adapters.network_files import Place, Unusable, kept, weights_of
from penstock.errors import BadInput, Mistake
from penstock.records import Backbone, Layout
from penstock.spec import Encoder

if TYPE_CHECKING:
    from penstock.ports import Store

FETCHED = ("*.json", "*.safetensors", "*.txt", "*.model", "bpe.codes", "README.md", "LICENSE*")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def check(encoders: Mapping[str, Encoder], folder: Path) -> None:
    """Find what is wrong before anything is read or fetched.

    Raises
    ------
    BadInput
        Where the extra is not installed, or folders are missing or hold nothing safe.
    """

    def look(name: str, encoder: Encoder) -> None:
        if (path := _folder(encoder, folder)) is not None:
            weights_of(path)

    _each(encoders, look)


def fetched(
    encoders: Mapping[str, Encoder], layout: Layout, folder: Path, store: Store
) -> dict[str, Backbone]:
    """The networks by column, all their files in the store.

    Parameters
    ----------
    encoders : mapping of str to Encoder
        By column.
    layout : Layout
        Says which kind of column each one reads.
    folder : Path
        Where relative folders start.
    store : Store
        Receives the files.

    Raises
    ------
    BadInput
        With every network that cannot be had, is not safe, does not read its kind of column, or
        does not fit in memory.
    """
    found: dict[str, Backbone] = {}

    def fetch(name: str, encoder: Encoder) -> None:
        place = _place(encoder, folder)
        found[name] = kept(place, layout.column(name).modality, encoder.tune, store)

    _each(encoders, fetch)
    return found


def _each(encoders: Mapping[str, Encoder], look: Any) -> None:
    """Look at each, and raise all mistakes together."""
    if importlib.util.find_spec("transformers") is None:
        rule = "pretrained networks need the extra of that name"
        remedy = "pip install 'penstock[pretrained]'"
        raise BadInput(Mistake(rule, "transformers is not installed", "model.encoders", remedy))
    mistakes = []
    for name, encoder in encoders.items():
        try:
            look(name, encoder)
        except Unusable as error:
            mistakes.append(error.at(name))
    if mistakes:
        raise BadInput(mistakes)


# ---------------------------------------------------------------- where it is


def _folder(encoder: Encoder, start: Path) -> Path | None:
    """The folder that is meant; None where it is a repository."""
    said = Path(encoder.pretrained).expanduser()
    path = start / said
    if path.is_dir():
        if encoder.revision:
            rule, remedy = "a folder has no revisions", "take out revision"
            raise Unusable(rule, f"revision {encoder.revision}", remedy)
        return path
    if REPOSITORY.fullmatch(encoder.pretrained) is None:
        rule = "a pretrained network is a folder, or owner/name on the Hugging Face hub"
        raise Unusable(rule, f"no folder {encoder.pretrained}", f"relative to {start.name}/")
    return None


def _place(encoder: Encoder, start: Path) -> Place:
    path = _folder(encoder, start)
    if path is not None:
        return Place(path, path.resolve().name)
    return _from_hub(encoder)


def _from_hub(encoder: Encoder) -> Place:
    """A commit of a repository, from the hub or from its local cache."""
    from huggingface_hub import constants, snapshot_download

    name = encoder.pretrained
    try:
        found = snapshot_download(
            name,
            revision=encoder.revision or None,
            allow_patterns=list(FETCHED),
            local_files_only=constants.HF_HUB_OFFLINE,
        )
    except (OSError, ValueError) as error:  # HfHubHTTPError is an OSError
        said = " ".join(str(error).split())[:300]
        rule = "a pretrained network is a folder, or a repository that the hub or its cache has"
        remedy = "see its name and revision; or download it, and name its folder"
        raise Unusable(rule, f"{name}: {type(error).__name__}: {said}", remedy) from error
    return Place(Path(found), name, Path(found).name)
