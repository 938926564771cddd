"""Sound for a pretrained network: its waveform, at the network's rate.

Of a long recording the loudest part. All are filled up to the same length, so that what is made
of one does not depend on those beside it.
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

from penstock.measure import sounds

if TYPE_CHECKING:
    from penstock.modalities import Modality, Parted
    from penstock.spec import ModelSpec

TAKES = ("input_values",)
SETTINGS = "preprocessor_config.json"
FILES = (SETTINGS,)
WAVES = "Wav2Vec2FeatureExtractor"
"""What prepares the inputs of networks that hear waveforms (wav2vec 2.0, HuBERT, WavLM...)."""
FEWEST_SAMPLES = 1_600
"""A network's first layers need some (house choice: a tenth of a second at 16 kHz)."""
STEP = 0.25
"""Lengths are a multiple of so many seconds, so that a few new rows do not change them."""
FULL_SCALE = 32_767


def mistakes(folder: Path, config: Any) -> list[str]:
    """The rate is known, and the network hears waveforms."""
    if not (folder / SETTINGS).is_file():
        return [f"no {SETTINGS}, which says the sampling rate"]
    said = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    found = said.get("feature_extractor_type", WAVES)
    if found != WAVES:
        return [f"its inputs are made by {found}; only networks that hear waveforms are read"]
    rate = said.get("sampling_rate")
    if not isinstance(rate, int) or not 1_000 <= rate <= 192_000:
        return [f"{SETTINGS} says a sampling rate of {rate}"]
    return []


def learn(
    modality: Modality,
    column: pa.ChunkedArray,
    target: NDArray[np.generic],
    spec: ModelSpec,
    folder: Path,
) -> tuple[BaseModel, dict[str, Any]]:
    """The network's rate, and the usual length."""
    said = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    state: Any = modality.learn(column, target, spec)
    rate = int(said["sampling_rate"])
    seconds = float(np.ceil(state.seconds / STEP) * STEP)
    state = state.model_copy(update={"rate": rate, "seconds": seconds})
    return state, {
        "rate": rate,
        "seconds": seconds,
        "normal": bool(said.get("do_normalize", True)),
        "masked": bool(said.get("return_attention_mask", False)),
    }


def encode(
    modality: Modality, column: pa.ChunkedArray, state: Any, folder: Path
) -> dict[str, NDArray[np.generic]]:
    """``wave``: ``int16[n, samples]``, 0 after the end; ``length``: ``int32[n]``, in samples."""
    kind: Any = modality
    rate, seconds = state.backbone.inputs["rate"], state.backbone.inputs["seconds"]
    size = max(FEWEST_SAMPLES, round(rate * seconds))
    waves = np.zeros((len(column), size), dtype=np.int16)
    length = np.zeros(len(column), dtype=np.int32)
    for row, value in enumerate(column):  # each is decoded by libsndfile in C
        if sound := kind.heard(value.as_py()):
            wave = sounds.resampled(sounds.loudest(sound, seconds), rate)[:size]
            waves[row, : len(wave)] = np.rint(wave.clip(-1, 1) * FULL_SCALE)
            length[row] = len(wave)
    return {"wave": waves, "length": length}


def prepare(arrays: dict[str, Tensor], prepared: dict[str, Any]) -> dict[str, Tensor]:
    """``input_values``, each recording of mean 0 and deviation 1 where the network wants that."""
    wave = arrays["wave"].float() / FULL_SCALE
    length = arrays["length"].clamp(min=1, max=wave.shape[1])
    own = torch.arange(wave.shape[1], device=wave.device) < length[:, None]
    if prepared["normal"]:
        mean = (wave * own).sum(dim=1, keepdim=True) / length[:, None]
        wave = (wave - mean) * own
        wave = wave / (wave.square().sum(dim=1, keepdim=True) / length[:, None] + 1e-7).sqrt()
    taken = {"input_values": wave}
    return taken | ({"attention_mask": own.long()} if prepared["masked"] else {})


def pool(hidden: Tensor, arrays: dict[str, Tensor]) -> Tensor:
    """The mean over the part of the states that the recording fills."""
    size, count = arrays["wave"].shape[1], hidden.shape[1]
    filled = (arrays["length"].clamp(max=size) * count + size - 1).div(size, rounding_mode="floor")
    own = torch.arange(count, device=hidden.device) < filled.clamp(min=1)[:, None]
    return (hidden * own[..., None]).sum(dim=1) / own.sum(dim=1, keepdim=True)


def without(modality: Modality, column: pa.ChunkedArray, state: Any, parted: Parted) -> pa.Array:
    """The recording without each band of each stretch of time, cut out of its spectrum."""
    kind: Any = modality
    rate, seconds = state.backbone.inputs["rate"], state.backbone.inputs["seconds"]
    sound = kind.heard(column[0].as_py())
    wave = sounds.resampled(sounds.loudest(sound, seconds), rate)
    num_bands = kind.CELLS[0]
    edges = sounds.band_edges(rate, kind.BANDS)
    bands = [(edges[each[0]], edges[each[-1] + 2]) for each in _parts(kind.BANDS, num_bands)]
    times = _parts(round(rate * seconds), len(parted.names) // num_bands)
    files = []
    for low, high in bands:
        for time in times:
            changed = wave.copy()
            stretch = wave[time[0] : time[-1] + 1]
            if len(stretch):
                spectrum = np.fft.rfft(stretch)
                hertz = np.fft.rfftfreq(len(stretch), 1 / rate)
                spectrum[(hertz >= low) & (hertz < high)] = 0
                changed[time[0] : time[-1] + 1] = np.fft.irfft(spectrum, len(stretch))
            files.append(sounds.wav(changed, rate))
    return pa.array(files, pa.binary())


def _parts(count: int, num_parts: int) -> list[NDArray[np.int64]]:
    return np.array_split(np.arange(count), num_parts)
