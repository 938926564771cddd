"""Checkpoints without pickle: tensors as ``safetensors``, the rest as JSON.

One file an epoch, written beside and renamed: a killed run finds the last whole one.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

log = logging.getLogger("penstock.learning")

FILE_NAME = "last.safetensors"


def save(folder: Path, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    folder : Path
        Made when missing.
    tensors : dict of str to dict of str to Tensor
        Groups of named tensors, for example ``network`` and ``optimiser``.
    state : dict
        JSON: epoch, curves, best value.
    """
    folder.mkdir(parents=True, exist_ok=True)
    flat = {
        f"{group}/{name}": tensor.detach().contiguous().cpu()
        for group, named in tensors.items()
        for name, tensor in named.items()
    }
    unfinished = folder / f"{FILE_NAME}.unfinished"
    save_file(flat, unfinished, metadata={"state": json.dumps(state)})
    unfinished.replace(folder / FILE_NAME)


def load(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
    """The last checkpoint of a folder, as given to :func:`save`; None when there is none.

    One that a power cut left without its content (it is not flushed to the disk: that would cost
    more than an epoch) counts as none, with a warning: training begins at its beginning.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    groups: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            for key in file.keys():  # noqa: SIM118 - not a mapping
                group, _, name = key.partition("/")
                groups.setdefault(group, {})[name] = file.get_tensor(key)
    except SafetensorError as error:
        log.warning("The checkpoint is cut short (%s); training begins at its beginning.", error)
        return None
    return groups, state


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's running averages as flat named tensors."""
    return {
        f"{index}/{name}": tensor
        for index, values in optimiser.state_dict()["state"].items()
        for name, tensor in values.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put the running averages of :func:`optimiser_tensors` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = tensor
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
