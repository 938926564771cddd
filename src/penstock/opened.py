"""A pretrained network's files as a folder, which is how they are read.

Backbone, Store -> Opened
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import Mistake, StoreError

if TYPE_CHECKING:
    from penstock.ports import Store
    from penstock.records import Backbone, Fitted

FOLDER = "backbones"
"""Where a model's package has them, each in a folder that its fingerprint names."""


@dataclass(frozen=True)
class Opened:
    """A folder with a pretrained network.

    Attributes
    ----------
    folder : Path
        Config, weights, and what prepares the inputs.
    fingerprint : str
        Of these files.
    store : Store, optional
        Where what it makes of values is kept; None: nowhere.
    """

    folder: Path
    fingerprint: str
    store: Store | None = None


def opened(backbones: Mapping[str, Backbone], store: Store) -> dict[str, Opened]:
    """The folders by column, filled from the store where they are not filled yet.

    Raises
    ------
    StoreError
        When a file is gone, or a name leaves the folder.
    """
    found = {}
    for column, backbone in backbones.items():
        folder = store.cache(f"backbone-{backbone.fingerprint}")
        for name, blob in backbone.files.items():
            if Path(name).name != name:
                raise StoreError(Mistake("a pretrained network's file lies in its folder", name))
            _link(store.path(blob), folder / name)
        found[column] = Opened(folder, backbone.fingerprint, store)
    return found


def packed(fitted: Fitted, store: Store) -> dict[str, Path]:
    """Files of a model's pretrained networks by their place in its package."""
    return {
        f"{FOLDER}/{backbone.fingerprint}/{name}": store.path(blob)
        for backbone in fitted.backbones.values()
        for name, blob in backbone.files.items()
    }


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where there are no such links."""
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        os.link(source, unfinished)
    except OSError:
        shutil.copyfile(source, unfinished)
    unfinished.replace(target)
