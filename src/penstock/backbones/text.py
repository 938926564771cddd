"""Text for a pretrained network: its own tokens.

They are cut by ``tokenizers`` from the network's ``tokenizer.json``, the longest rows together.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from tokenizers import Tokenizer
from torch import Tensor

if TYPE_CHECKING:
    from penstock.modalities import Modality, Parted
    from penstock.spec import ModelSpec

TAKES = ("input_ids",)
TOKENIZER = "tokenizer.json"
FILES = (TOKENIZER,)
MAX_TOKENS = 256
"""Most tokens that are read (house choice, as for built-in texts)."""
STEP = 16
"""Lengths are a multiple of this, so that a few new rows do not change them (house choice)."""
USUAL_LENGTH = 95
"""Percent of the training texts that are read whole (house choice)."""
MAX_CHARACTERS = 20_000
"""What stands behind is not read (as for built-in texts)."""
MAX_LEARN_ROWS = 2_000
"""Texts from which the length is learnt (house choice)."""
OFFSETS = 2
"""Positions that some networks (RoBERTa) never give to a token."""


def mistakes(folder: Path, config: Any) -> list[str]:
    """A tokenizer is there, and its tokens are the network's."""
    if not (folder / TOKENIZER).is_file():
        return ["no tokenizer.json and nothing that it could be made from"]
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        known = tokenizer.get_vocab_size(with_added_tokens=False)
    except Exception as error:  # noqa: BLE001 - tokenizers raises no narrower one
        return [f"tokenizer.json cannot be read: {str(error)[:200]}"]
    size = int(getattr(config, "vocab_size", known))
    if known > size:
        return [f"tokenizer.json has {known} tokens, the network knows {size}"]
    return []


def learn(
    modality: Modality,
    column: pa.ChunkedArray,
    target: NDArray[np.generic],
    spec: ModelSpec,
    folder: Path,
) -> tuple[BaseModel, dict[str, Any]]:
    """How many tokens are read, how many are known, and which one fills up."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config") or config
    places = config.get("max_position_embeddings") or config.get("n_positions") or MAX_TOKENS
    most = max(4, min(MAX_TOKENS, int(places) - OFFSETS))
    rows = np.linspace(0, len(column) - 1, min(len(column), MAX_LEARN_ROWS)).astype(np.int64)
    texts = _texts(column.take(pa.array(rows)))
    lengths = [len(one.ids) for one in _tokenizer(folder, most).encode_batch(texts)]
    usual = int(np.percentile(lengths, USUAL_LENGTH)) if lengths else most
    length = min(most, -(-usual // STEP) * STEP)
    inputs = {
        "length": length,
        "known": int(config.get("vocab_size") or np.iinfo(np.int32).max),
        "padding": int(config.get("pad_token_id") or 0),
    }
    return modality.learn(column, target, spec), inputs


def encode(
    modality: Modality, column: pa.ChunkedArray, state: Any, folder: Path
) -> dict[str, NDArray[np.generic]]:
    """``tokens``: ``int32[n, length]``, 0 after the end; ``length``: ``int32[n]``.

    Special tokens that the network does not know, where a text spells one, are padding.
    """
    most = state.backbone.inputs["length"]
    cut = [one.ids for one in _tokenizer(folder, most).encode_batch(_texts(column))]
    known = column.is_valid().to_numpy()
    length = np.array([len(ids) for ids in cut], dtype=np.int32) * known.astype(np.int32)
    tokens = np.zeros((len(cut), most), dtype=np.int32)
    tokens[np.arange(most) < length[:, None]] = np.array(
        [token for ids, n in zip(cut, length, strict=True) for token in ids[:n]], dtype=np.int32
    )
    inputs = state.backbone.inputs
    tokens[tokens >= inputs["known"]] = inputs["padding"]
    return {"tokens": tokens, "length": length}


def prepare(arrays: dict[str, Tensor], prepared: dict[str, Any]) -> dict[str, Tensor]:
    """As many tokens as the longest row has, and which of them are its own."""
    longest = max(1, int(arrays["length"].max()))
    tokens = arrays["tokens"][:, :longest].long()
    own = _own(tokens.shape[1], arrays)
    return {
        "input_ids": tokens.masked_fill(~own, prepared["padding"]),
        "attention_mask": own.long(),
    }


def pool(hidden: Tensor, arrays: dict[str, Tensor], prepared: dict[str, Any]) -> Tensor:
    """The mean over a text's own tokens (Reimers and Gurevych, 2019)."""
    own = _own(hidden.shape[1], arrays)[..., None]
    return (hidden * own).sum(dim=1) / own.sum(dim=1)


def without(modality: Modality, column: pa.ChunkedArray, state: Any, parted: Parted) -> pa.Array:
    """The text without each word, as the modality wrote it."""
    assert parted.values is not None
    return parted.values


def _own(num_tokens: int, arrays: dict[str, Tensor]) -> Tensor:
    """Which tokens are a row's own, ``bool[n, tokens]``; the first one always."""
    length = arrays["length"].clamp(min=1)
    return torch.arange(num_tokens, device=length.device) < length[:, None]


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [(text or "")[:MAX_CHARACTERS] for text in column.to_pylist()]


@lru_cache(maxsize=4)
def _tokenizer(folder: Path, length: int) -> Tokenizer:
    found = Tokenizer.from_file(str(folder / TOKENIZER))
    found.no_padding()
    found.enable_truncation(max_length=length)
    return found
