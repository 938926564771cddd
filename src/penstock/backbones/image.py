"""Images for a pretrained network: at its size, with its pixels' mean and deviation.

The whole image is brought to a square, not its middle part: what is at the border counts too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor

if TYPE_CHECKING:
    from penstock.modalities import Modality, Parted
    from penstock.spec import ModelSpec

TAKES = ("pixel_values",)
SETTINGS = "preprocessor_config.json"
FILES = (SETTINGS,)
EDGES = ("height", "width", "shortest_edge")


def mistakes(folder: Path, config: Any) -> list[str]:
    """The size is known, and so are mean and deviation."""
    if not (folder / SETTINGS).is_file():
        return [f"no {SETTINGS}, which says size, mean and deviation of the pixels"]
    try:
        _settings(folder)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"{SETTINGS} is not understood: {type(error).__name__}: {error}"]
    channels = getattr(getattr(config, "vision_config", config), "num_channels", 3)
    return [] if channels == 3 else [f"the network takes {channels} channels, not three"]


def _settings(folder: Path) -> dict[str, Any]:
    said = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    size = said.get("crop_size") if said.get("do_center_crop", False) else None
    size = size or said["size"]
    if isinstance(size, dict):
        sides = {size[name] for name in EDGES if size.get(name)}
        if len(sides) != 1:
            raise ValueError(f"size {size}: only squares are read")
        (size,) = sides
    normal = said.get("do_normalize", True)
    mean = [float(each) for each in said["image_mean"]] if normal else [0.0] * 3
    deviation = [float(each) for each in said["image_std"]] if normal else [1.0] * 3
    if len(mean) != 3 or len(deviation) != 3 or not 1 <= int(size) <= 1024 or min(deviation) <= 0:
        raise ValueError(f"size {size}, mean {mean}, deviation {deviation}")
    scale = float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 1.0
    return {"side": int(size), "mean": mean, "deviation": deviation, "scale": scale}


def learn(
    modality: Modality,
    column: pa.ChunkedArray,
    target: NDArray[np.generic],
    spec: ModelSpec,
    folder: Path,
) -> tuple[BaseModel, dict[str, Any]]:
    """The network's size and pixels; three channels of grey images too."""
    inputs = _settings(folder)
    sized = spec.model_copy(update={"image_size": inputs["side"]})
    state: Any = modality.learn(column, target, sized)
    if state.channels == 1:
        three = {"channels": 3, "mean": state.mean * 3, "deviation": state.deviation * 3}
        state = state.model_copy(update=three)
    return state, inputs


def encode(
    modality: Modality, column: pa.ChunkedArray, state: Any, folder: Path
) -> dict[str, NDArray[np.generic]]:
    """The modality's ``pixels``; ``length``: ``int32[n]``, 1 where there is an image."""
    kind: Any = modality
    length = [kind.seen(value.as_py()) is not None for value in column]
    return {**modality.encode(column, state), "length": np.array(length, dtype=np.int32)}


def prepare(arrays: dict[str, Tensor], prepared: dict[str, Any]) -> dict[str, Tensor]:
    """``pixel_values``, as the network was trained on them."""
    pixels = arrays["pixels"].float() * prepared["scale"]
    mean, deviation = (
        torch.tensor(prepared[name], device=pixels.device)[:, None, None]
        for name in ("mean", "deviation")
    )
    return {"pixel_values": (pixels - mean) / deviation}


def pool(hidden: Tensor, arrays: dict[str, Tensor], prepared: dict[str, Any]) -> Tensor:
    """The first state, which stands for the image where there is such a one, and the mean of all
    (Oquab et al., 2023); of planes the mean."""
    if hidden.ndim == 4:
        return hidden.mean(dim=(2, 3))
    return torch.cat([hidden[:, 0], hidden.mean(dim=1)], dim=1)


def without(modality: Modality, column: pa.ChunkedArray, state: Any, parted: Parted) -> pa.Array:
    """The modality's pixels with each part hidden, as uncompressed files."""
    pixels = parted.arrays["pixels"]
    side = pixels.shape[-1]
    head = b"P6 %d %d 255\n" % (side, side)
    last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    return pa.array([head + image.tobytes() for image in last], pa.binary())
