"""Pretrained networks: read from safe files, tuned as far as the spec says, and pooled.

They come from ``transformers``; nothing here needs a hub, and no code of a repository ever runs.
Dropout stays off and batch statistics stay as they are: what is trained is the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.errors import BadInput, Mistake
from penstock.learning import low_rank

Arrays = dict[str, Tensor]
Prepare = Callable[[Arrays], dict[str, Tensor]]
"""From a modality's arrays to what the network takes by name."""
Pool = Callable[[Tensor, Arrays], Tensor]
"""From the last hidden states and the arrays to ``float32[batch, width]``."""

PARTS = {"text": "text_model", "image": "vision_model", "audio": "audio_model"}
"""Of a network that reads several kinds (CLIP and its like), the part for each."""
RATE = {"last": 0.01, "all": 0.01, "lora": 0.1}
"""Share of the learning rate that a pretrained weight learns with (house choice: with the default
rate 3e-5 for weights, as BERT and ViT are tuned with, and 3e-4 for low-rank additions)."""
BYTES_AT_ONCE = 1 << 30
"""What the activations of the rows that are computed at once may take (house choice)."""
BYTES_A_STATE = 100
"""Of activations, for each number of the hidden states and each block: 34 and those of attention
at two bytes each (Korthikanti et al., 2022), at four."""


class Unfit(BadInput):
    """A network that cannot be used as it is asked for."""

    def __init__(self, rule: str, found: str, remedy: str):
        super().__init__(Mistake(rule, found, "model.encoders", remedy))

    def __reduce__(self) -> Any:
        """Rebuild from what was said."""
        (mistake,) = self.mistakes
        return type(self), (mistake.rule, mistake.found, mistake.remedy)


@contextmanager
def quiet() -> Iterator[Any]:
    """``transformers``, without its bars and hints."""
    import transformers
    from transformers.utils import logging as said

    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity_error()
    said.disable_progress_bar()
    try:
        yield transformers
    finally:
        said.set_verbosity(level)
        if bars:
            said.enable_progress_bar()


def config_of(folder: Path) -> Any:
    """What an architecture's own class makes of ``config.json``; no code of a repository runs."""
    with quiet() as transformers:
        return transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )


def read(folder: Path, kind: str) -> nn.Module:
    """The network of a folder that reads a kind of column, in single precision.

    Raises
    ------
    Unfit
        When its weights do not fill it: the rest would be random.
    """
    rule, remedy = "weights fill the whole network", "save it again, with its own config.json"
    with quiet() as transformers:
        whole, told = transformers.AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, by name
        )
    part = part_of(whole, kind)
    used = {id(each) for each in part.parameters()}
    names = [n for n, each in whole.named_parameters() if id(each) in used]
    for name, there, wanted in sorted(told["mismatched_keys"]):
        if name in names:
            found = f"{name} is of {tuple(there)}, config.json says {tuple(wanted)}"
            raise Unfit(rule, found, remedy)
    lost = [n for n in names if n in told["missing_keys"] and "pooler" not in n]
    if lost:
        found = f"{len(lost)} of {len(names)} are missing: {', '.join(lost[:3])}..."
        raise Unfit(rule, found, remedy)
    config: Any = part.config
    config.layerdrop, config.apply_spec_augment = 0.0, False
    return part.eval()


def part_of(network: nn.Module, kind: str) -> nn.Module:
    """The part that reads a kind of column and gives hidden states.

    An encoder that was saved without its decoder may still be built with one: the encoder is it.
    """
    part = getattr(network, PARTS[kind], None)
    if isinstance(part, nn.Module):
        return part
    if all(isinstance(getattr(network, each, None), nn.Module) for each in ("encoder", "decoder")):
        encoder: nn.Module = network.get_encoder()  # type: ignore[operator]
        return encoder
    return network


@lru_cache(maxsize=2)
def _standing(folder: Path, kind: str, device: torch.device) -> nn.Module:
    network = read(folder, kind).to(device)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def frozen(folder: Path, kind: str) -> nn.Module:
    """The network as it is, read once a process, on a GPU where there is one."""
    wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return _standing(folder, kind, torch.device(wanted))


def let_go() -> None:
    """Free the networks that :func:`frozen` holds: two copies of a large one are one too many."""
    _standing.cache_clear()


def blocks(network: nn.Module) -> nn.ModuleList:
    """The sequence of blocks that has the most parameters.

    Raises
    ------
    Unfit
        When there is none.
    """
    lists = [each for each in network.modules() if isinstance(each, nn.ModuleList)]
    if not lists:
        rule = "a network that is tuned is a sequence of blocks"
        raise Unfit(rule, f"{type(network).__name__} has none", "tune: frozen, or all")
    return max(lists, key=lambda each: sum(weight.numel() for weight in each.parameters()))


def tuned(network: nn.Module, tune: str) -> nn.Module:
    """Let learn what the spec says, and nothing else.

    Raises
    ------
    Unfit
        When there is nothing of that kind in it.
    """
    if tune == "lora":
        for weight in network.parameters():
            weight.requires_grad_(False)
        if not low_rank.adapt(blocks(network)):
            rule = "low-rank additions are made to linear layers"
            found = f"the blocks of {type(network).__name__} have none"
            raise Unfit(rule, found, "tune: last, or all")
    if tune == "last":
        learning = {id(weight) for weight in blocks(network)[-1].parameters()}
        for weight in network.parameters():
            weight.requires_grad_(id(weight) in learning)
    return network


def work_of(network: nn.Module, num_tokens: int) -> float:
    """Multiplications for one row, roughly: each weight of a block once a token."""
    try:
        inside = blocks(network)
    except Unfit:
        inside = nn.ModuleList([network])
    return float(sum(weight.numel() for weight in inside.parameters()) * num_tokens)


def rows_at_once(network: nn.Module, num_tokens: int) -> int:
    """Rows whose activations fit :data:`BYTES_AT_ONCE`; 1 to 256."""
    try:
        depth = len(blocks(network))
    except Unfit:
        depth = 1
    config: Any = network.config
    width = getattr(config, "hidden_size", None) or 1024
    taken = num_tokens * max(1, depth) * int(width) * BYTES_A_STATE
    return int(min(256, max(1, BYTES_AT_ONCE // taken)))


def vectors(network: nn.Module, arrays: Arrays, prepare: Prepare, pool: Pool) -> Tensor:
    """Pooled hidden states of rows, ``float32[batch, width]``."""
    hidden = network(**prepare(arrays)).last_hidden_state
    return pool(hidden.float(), arrays)


def features(
    network: nn.Module,
    arrays: dict[str, NDArray[np.generic]],
    prepare: Prepare,
    pool: Pool,
    at_once: int,
) -> NDArray[np.float32]:
    """What a standing network makes of rows, ``float32[n, width]``, the longest rows together.

    In single precision on every device, so that the same row has the same vector.
    """
    device = next(network.parameters()).device
    order = np.argsort(arrays["length"], kind="stable")[::-1].copy()
    parts = []
    with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
        for at in range(0, len(order), at_once):
            rows = order[at : at + at_once]
            some = {n: torch.from_numpy(array[rows]).to(device) for n, array in arrays.items()}
            parts.append(vectors(network, some, prepare, pool).cpu().numpy())
    found = np.concatenate(parts)
    unsorted: NDArray[np.float32] = np.empty_like(found)
    unsorted[order] = found
    return unsorted


def num_tokens(network: nn.Module, arrays: dict[str, NDArray[np.generic]], prepare: Prepare) -> int:
    """Hidden states of a row: tokens, or the places of a plane.

    Raises
    ------
    Unfit
        When the network does not read what is prepared for it.
    """
    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            some = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
            shape = network(**prepare(some)).last_hidden_state.shape
    except (ValueError, IndexError, RuntimeError) as error:  # of other sizes, of other tokens
        rule = "a pretrained network reads what the files beside it prepare"
        found = f"{type(network).__name__}: {' '.join(str(error).split())[:300]}"
        remedy = "see the sizes in config.json and preprocessor_config.json, or the tokenizer"
        raise Unfit(rule, found, remedy) from error
    return math.prod(shape[2:]) if len(shape) == 4 else int(shape[1])
