"""What a folder with a pretrained network holds: looked at, and kept in the store.

folder, column -> Backbone, or :class:`Unusable`
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock import fingerprint, plugins
from penstock.errors import Mistake
from penstock.records import Backbone, Blob

if TYPE_CHECKING:
    from penstock.backbones import Reader
    from penstock.ports import Store

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.pkl")
VOCABULARIES = ("vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model",
                "tokenizer.model", "bpe.codes")  # fmt: skip
"""Files of older tokenizers, of which ``transformers`` makes a ``tokenizer.json``."""
PROCESSOR = "processor_config.json"
"""Where newer versions of ``transformers`` write settings of several kinds of inputs together."""
PROCESSORS = {"image": "image_processor", "audio": "feature_extractor"}
"""What a kind's settings are called there."""
LICENCES = "LICENSE*"
COPIES = {"frozen": 1, "last": 2, "lora": 2, "all": 6}
"""Times the weights that training holds: for ``all`` the weights, their gradients, AdamW's two
averages, the best ones so far, and the checkpoint."""


@dataclass(frozen=True)
class Place:
    """Where a network's files are, and what it is called."""

    folder: Path
    name: str
    revision: str = ""


class Unusable(Exception):
    """A network that cannot be used: a mistake without its place."""

    def __init__(self, rule: str, found: str, remedy: str):
        super().__init__(found)
        self.rule, self.found, self.remedy = rule, found, remedy

    def at(self, column: str) -> Mistake:
        """The mistake, with the place in the spec."""
        where = f"model.encoders.{column}.pretrained"
        return Mistake(self.rule, self.found, where, self.remedy)


def kept(place: Place, kind: str, tune: str, store: Store) -> Backbone:
    """Look at the files, and keep those that are used."""
    reader: Reader = plugins.load("penstock.backbones", kind)
    weights = weights_of(place.folder)
    config = _config(place)
    _check_architecture(config, reader, kind, tune, place)
    _check_memory(weights, tune)
    files = {path.name: path for path in weights}
    files |= {path.name: path for path in place.folder.glob(LICENCES) if path.is_file()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copyfile(place.folder / CONFIG, folder / CONFIG)
        for name in reader.FILES:
            _prepare(name, kind, place.folder, folder)
        if wrong := reader.mistakes(folder, config):
            rule = f"a pretrained network of {kind} comes with what prepares its inputs"
            raise Unusable(rule, f"{place.name}: {'; '.join(wrong)}", "save it beside the weights")
        for path in sorted(folder.iterdir()):
            files[path.name] = path
        blobs = {name: _keep(path, store) for name, path in sorted(files.items())}
    licence = _licence(place.folder / "README.md")
    return Backbone(name=place.name, revision=place.revision, licence=licence, files=blobs)


def weights_of(folder: Path) -> list[Path]:
    """The files of the weights, all of them safe."""
    rule = "weights come as safetensors: other files can run code when they are read"
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        try:
            named = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        except (ValueError, KeyError, AttributeError) as error:
            raise Unusable(rule, f"{INDEX} cannot be read: {error}", "save it again") from error
        shards = [folder / Path(name).name for name in sorted(set(named))]
        if lost := [path.name for path in shards if not path.is_file()]:
            raise Unusable(rule, f"{', '.join(lost)} is missing", "fetch it again, whole")
        return [folder / INDEX, *shards]
    unsafe = sorted(path.name for pattern in UNSAFE for path in folder.glob(pattern))
    found = f"only {', '.join(unsafe[:4])}" if unsafe else f"no {WEIGHTS}"
    remedy = "take a revision with safetensors, or save the network with save_pretrained"
    raise Unusable(rule, found, remedy)


def _config(place: Place) -> Any:
    from huggingface_hub.errors import StrictDataclassError

    from penstock.learning.pretrained import config_of

    if "model_type" not in _json(place.folder / CONFIG):
        rule = f"{CONFIG} says model_type: the architecture, by its name in transformers"
        raise Unusable(rule, f"{place.name}: it says none", "save the network with save_pretrained")
    rule = "a pretrained network is of an architecture that transformers knows"
    remedy = "see its config.json, or take another; code from a repository is never run"
    try:
        config = config_of(place.folder)
    except (OSError, ValueError, KeyError, ImportError, StrictDataclassError) as error:
        said = " ".join(str(error).split())[:300]
        raise Unusable(rule, f"{place.name}: {said}", remedy) from error
    if getattr(config, "quantization_config", None):
        raise Unusable("weights are numbers of full size", "they are quantised", "take others")
    return config


def _check_architecture(config: Any, reader: Reader, kind: str, tune: str, place: Place) -> None:
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
        raise Unusable(rule, f"{place.name}: {said}", remedy) from error
    takes = getattr(part, "main_input_name", "nothing that is known")
    if takes not in reader.TAKES:
        found = f"{place.name} ({type(part).__name__}) takes {takes}"
        raise Unusable(rule, found, remedy)
    try:
        tuned(part, tune)
    except Unfit as error:
        (wrong,) = error.mistakes
        raise Unusable(wrong.rule, f"{place.name}: {wrong.found}", wrong.remedy) from error


def _check_memory(weights: Iterable[Path], tune: str) -> None:
    """That the weights, and what training adds to them, fit in the machine's memory."""
    size = sum(_num_weights(path) for path in weights if path.suffix == ".safetensors") * 4
    needed = size * COPIES[tune]
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        rule = f"a pretrained network fits in memory (tune: {tune})"
        found = f"it needs {needed / 2**30:.1f} GiB, this machine has {there / 2**30:.1f}"
        raise Unusable(rule, found, "take a smaller one, or tune less of it")


def _num_weights(path: Path) -> int:
    """Numbers in a file, by its header alone."""
    import math

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except SafetensorError as error:
        rule, remedy = "weights come as safetensors", "fetch the file again"
        raise Unusable(rule, f"{path.name}: {error}", remedy) from error


def _prepare(name: str, kind: str, source: Path, target: Path) -> None:
    """Copy a file that prepares inputs; take settings out of a file of several kinds, and make a
    tokenizer of older files, where that is needed."""
    if (source / name).is_file():
        shutil.copyfile(source / name, target / name)
        return
    if kind in PROCESSORS and (source / PROCESSOR).is_file():
        settings = _json(source / PROCESSOR).get(PROCESSORS[kind])
        if settings:
            (target / name).write_text(json.dumps(settings, sort_keys=True), encoding="utf-8")
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
        raise Unusable(rule, said, "save it beside the weights as tokenizer.json") from error


def _json(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object."""
    said: Any = "it is not there"
    if path.is_file():
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            said = str(error)
    if not isinstance(said, dict):
        rule = "settings of a pretrained network are one JSON object"
        raise Unusable(rule, f"{path.name}: {str(said)[:200]}", "fetch the file again, or save it")
    return said


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
