"""Pretrained networks from a folder or the Hugging Face hub, into the store.

Only safe files are taken: weights as ``safetensors``, settings as JSON. No code of a repository
runs, no pickle is read. What is taken is named by commit, and its licence is written down.

name, column -> Backbone
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock import fingerprint, plugins
from penstock.errors import BadInput, Mistake
from penstock.records import Backbone, Blob, Layout
from penstock.spec import Encoder

if TYPE_CHECKING:
    from penstock.backbones import Reader
    from penstock.ports import Store

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.pkl")
VOCABULARIES = ("vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model",
                "tokenizer.model", "bpe.codes")  # fmt: skip
"""Files of older tokenizers, of which ``transformers`` makes a ``tokenizer.json``."""
FETCHED = ("*.json", "*.safetensors", "*.txt", "*.model", "bpe.codes", "README.md", "LICENSE*")
LICENCES = "LICENSE*"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
COPIES = {"frozen": 1, "last": 2, "lora": 2, "all": 6}
"""Times the weights that training holds: for ``all`` the weights, their gradients, AdamW's two
averages, the best ones so far, and the checkpoint."""


@dataclass(frozen=True)
class _Place:
    """Where a network's files are, and what it is called."""

    folder: Path
    name: str
    revision: str = ""


class _Unusable(Exception):
    """A network that cannot be used: a mistake without its place."""

    def __init__(self, rule: str, found: str, remedy: str):
        super().__init__(found)
        self.rule, self.found, self.remedy = rule, found, remedy

    def at(self, column: str) -> Mistake:
        where = f"model.encoders.{column}.pretrained"
        return Mistake(self.rule, self.found, where, self.remedy)


def check(encoders: Mapping[str, Encoder], folder: Path) -> None:
    """Find what is wrong before anything is read or fetched.

    Raises
    ------
    BadInput
        Where the extra is not installed, or folders are missing or hold nothing safe.
    """

    def look(name: str, encoder: Encoder) -> None:
        if (path := _folder(encoder, folder)) is not None:
            _weights(path)

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
        found[name] = _kept(place, layout.column(name).modality, encoder.tune, store)

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
        except _Unusable as error:
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
            raise _Unusable(rule, f"revision {encoder.revision}", remedy)
        return path
    if REPOSITORY.fullmatch(encoder.pretrained) is None:
        rule = "a pretrained network is a folder, or owner/name on the Hugging Face hub"
        raise _Unusable(rule, f"no folder {encoder.pretrained}", f"relative to {start.name}/")
    return None


def _place(encoder: Encoder, start: Path) -> _Place:
    path = _folder(encoder, start)
    if path is not None:
        return _Place(path, path.resolve().name)
    return _from_hub(encoder)


def _from_hub(encoder: Encoder) -> _Place:
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
        raise _Unusable(rule, f"{name}: {type(error).__name__}: {said}", remedy) from error
    return _Place(Path(found), name, Path(found).name)


# ---------------------------------------------------------------- what it is


def _kept(place: _Place, kind: str, tune: str, store: Store) -> Backbone:
    """Look at the files, and keep those that are used."""
    reader: Reader = plugins.load("penstock.backbones", kind)
    weights = _weights(place.folder)
    config = _config(place)
    _check_architecture(config, reader, kind, tune, place)
    _check_memory(weights, tune)
    files = {path.name: path for path in weights}
    files |= {path.name: path for path in place.folder.glob(LICENCES) if path.is_file()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copyfile(place.folder / CONFIG, folder / CONFIG)
        for name in reader.FILES:
            _prepare(name, place.folder, folder)
        if wrong := reader.mistakes(folder, config):
            rule = f"a pretrained network of {kind} comes with what prepares its inputs"
            raise _Unusable(rule, f"{place.name}: {'; '.join(wrong)}", "save it beside the weights")
        for path in sorted(folder.iterdir()):
            files[path.name] = path
        blobs = {name: _keep(path, store) for name, path in sorted(files.items())}
    licence = _licence(place.folder / "README.md")
    return Backbone(name=place.name, revision=place.revision, licence=licence, files=blobs)


def _weights(folder: Path) -> list[Path]:
    """The files of the weights, all of them safe."""
    rule = "weights come as safetensors: other files can run code when they are read"
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        try:
            named = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        except (ValueError, KeyError, AttributeError) as error:
            raise _Unusable(rule, f"{INDEX} cannot be read: {error}", "save it again") from error
        shards = [folder / Path(name).name for name in sorted(set(named))]
        if lost := [path.name for path in shards if not path.is_file()]:
            raise _Unusable(rule, f"{', '.join(lost)} is missing", "fetch it again, whole")
        return [folder / INDEX, *shards]
    unsafe = sorted(path.name for pattern in UNSAFE for path in folder.glob(pattern))
    found = f"only {', '.join(unsafe[:4])}" if unsafe else f"no {WEIGHTS}"
    remedy = "take a revision with safetensors, or save the network with save_pretrained"
    raise _Unusable(rule, found, remedy)


def _config(place: _Place) -> Any:
    from penstock.learning.pretrained import quiet

    rule = "a pretrained network is of an architecture that transformers knows"
    remedy = "take another network; code from a repository is never run"
    try:
        with quiet() as transformers:
            config = transformers.AutoConfig.from_pretrained(
                place.folder, trust_remote_code=False, local_files_only=True
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        said = " ".join(str(error).split())[:300]
        raise _Unusable(rule, f"{place.name}: {said}", remedy) from error
    if getattr(config, "quantization_config", None):
        raise _Unusable("weights are numbers of full size", "they are quantised", "take others")
    return config


def _check_architecture(config: Any, reader: Reader, kind: str, tune: str, place: _Place) -> None:
    """That the network takes what this kind of column gives, and can be tuned as is asked."""
    import torch

    from penstock.learning.pretrained import Unfit, part_of, quiet, tuned

    rule = f"the network that reads a column of {kind} takes {' or '.join(reader.TAKES)}"
    remedy = f"name a network of {kind}, or take the column out of model.encoders"
    try:
        with quiet() as transformers, torch.device("meta"):
            part = part_of(transformers.AutoModel.from_config(config), kind)
    except (ValueError, ImportError, AttributeError) as error:
        said = " ".join(str(error).split())[:300]
        raise _Unusable(rule, f"{place.name}: {said}", remedy) from error
    takes = getattr(part, "main_input_name", "nothing that is known")
    if takes not in reader.TAKES:
        found = f"{place.name} ({type(part).__name__}) takes {takes}"
        raise _Unusable(rule, found, remedy)
    try:
        tuned(part, tune)
    except Unfit as error:
        (wrong,) = error.mistakes
        raise _Unusable(wrong.rule, f"{place.name}: {wrong.found}", wrong.remedy) from error


def _check_memory(weights: Iterable[Path], tune: str) -> None:
    """That the weights, and what training adds to them, fit in the machine's memory."""
    size = sum(_num_weights(path) for path in weights if path.suffix == ".safetensors") * 4
    needed = size * COPIES[tune]
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        rule = f"a pretrained network fits in memory (tune: {tune})"
        found = f"it needs {needed / 2**30:.1f} GiB, this machine has {there / 2**30:.1f}"
        raise _Unusable(rule, found, "take a smaller one, or tune less of it")


def _num_weights(path: Path) -> int:
    """Numbers in a file, by its header alone."""
    import math

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except SafetensorError as error:
        rule, remedy = "weights come as safetensors", "fetch the file again"
        raise _Unusable(rule, f"{path.name}: {error}", remedy) from error


def _prepare(name: str, source: Path, target: Path) -> None:
    """Copy a file that prepares inputs; make a tokenizer of older files where that is needed."""
    if (source / name).is_file():
        shutil.copyfile(source / name, target / name)
        return
    if name != "tokenizer.json" or not any((source / old).is_file() for old in VOCABULARIES):
        return
    from penstock.learning.pretrained import quiet

    try:
        with quiet() as transformers:
            found = transformers.AutoTokenizer.from_pretrained(
                source, trust_remote_code=False, local_files_only=True
            )
            found.backend_tokenizer.save(str(target / name))
    except (OSError, ValueError, ImportError, AttributeError, KeyError) as error:
        rule = "a tokenizer can be read without code of its repository"
        said = " ".join(str(error).split())[:300]
        raise _Unusable(rule, said, "save it beside the weights as tokenizer.json") from error


def _keep(path: Path, store: Store) -> Blob:
    """A copy in the store, unless it is there already."""
    sha256 = fingerprint.of_file(path)
    known = Blob(
        key=f"{sha256[:2]}/{sha256}{path.suffix}", sha256=sha256, num_bytes=path.stat().st_size
    )
    if store.has(known):
        return known
    copy = store.scratch("backbones") / f"{sha256}-{os.getpid()}{path.suffix}"
    shutil.copyfile(path, copy)
    return store.keep_file(copy)


def _licence(readme: Path) -> str:
    """What the front matter of a card says; ``unknown`` where it says nothing."""
    import yaml

    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    found = re.match(r"\ufeff?---\s*\n(.*?)\n---\s*(\n|\Z)", text, re.DOTALL)
    try:
        about = yaml.safe_load(found.group(1)) if found else {}
    except yaml.YAMLError:
        return "unknown"
    said = about.get("license_name") or about.get("license") if isinstance(about, dict) else ""
    if isinstance(said, list):
        said = ", ".join(map(str, said))
    return " ".join(str(said or "unknown").split())[:100]
