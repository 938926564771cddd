"""Sound for a pretrained network: its waveform at the network's rate, or a spectrogram of it.

Of a long recording the loudest part. All are filled up to the same length, so that what is made
of one does not depend on those beside it. Spectrograms are those of the network's own feature
extractor; they are computed on the device.
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
from torch.nn.functional import pad

from penstock.learning import pretrained, spectrograms
from penstock.measure import sounds

if TYPE_CHECKING:
    from penstock.modalities import Modality, Parted
    from penstock.spec import ModelSpec

TAKES = ("input_values", "input_features")
SETTINGS = "preprocessor_config.json"
FILES = (SETTINGS,)
WAVES = "Wav2Vec2FeatureExtractor"
"""What prepares the inputs of networks that hear waveforms (wav2vec 2.0, HuBERT, WavLM...)."""
KALDI = "ASTFeatureExtractor"
"""Of the audio spectrogram transformer (Gong et al., 2021)."""
WHISPER = "WhisperFeatureExtractor"
"""Of Whisper (Radford et al., 2022), whose encoder is read."""
FEWEST_SAMPLES = 1_600
"""A network's first layers need some (house choice: a tenth of a second at 16 kHz)."""
STEP = 0.25
"""Lengths are a multiple of so many seconds, so that a few new rows do not change them."""
FULL_SCALE = 32_767


def mistakes(folder: Path, config: Any) -> list[str]:
    """What makes the inputs is known, and makes what the network takes."""
    if not (folder / SETTINGS).is_file():
        return [f"no {SETTINGS}, which says the sampling rate"]
    try:
        _settings(folder, config)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"{SETTINGS} is not understood: {error}"]
    return []


def _settings(folder: Path, config: Any) -> dict[str, Any]:
    """What of the preparation the folder settles."""
    said = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    extractor, rate = said.get("feature_extractor_type", WAVES), said.get("sampling_rate")
    if extractor not in SETTLED:
        raise ValueError(f"inputs are made by {extractor}; read are those of {', '.join(SETTLED)}")
    if not isinstance(rate, int) or not 1_000 <= rate <= 192_000:
        raise ValueError(f"a sampling rate of {rate}")
    return {"extractor": extractor, "rate": rate, **SETTLED[extractor](said, config)}


def _settled_waves(said: dict[str, Any], config: Any) -> dict[str, Any]:
    return {
        "normal": bool(said.get("do_normalize", True)),
        "masked": bool(said.get("return_attention_mask", False)),
    }


def _settled_kaldi(said: dict[str, Any], config: Any) -> dict[str, Any]:
    bands, frames = int(said.get("num_mel_bins", 128)), int(said.get("max_length", 1024))
    if (bands, frames) != (config.num_mel_bins, config.max_length):
        wanted = f"{config.num_mel_bins} bands and {config.max_length} frames"
        raise ValueError(f"{bands} bands and {frames} frames, the network reads {wanted}")
    deviation = float(said.get("std", 4.5689974))
    if not deviation > 0:
        raise ValueError(f"a deviation of {deviation}")
    rate = said["sampling_rate"]
    step = round(spectrograms.HOP_SECONDS * rate)
    return {
        "bands": bands,
        "frames": frames,
        "reach": round(spectrograms.FRAME_SECONDS * rate) + (frames - 1) * step,
        "mean": float(said.get("mean", -4.2677393)),
        "deviation": deviation,
        "normal": bool(said.get("do_normalize", True)),
        "rows": (bands - config.patch_size) // config.frequency_stride + 1,
        "columns": (frames - config.patch_size) // config.time_stride + 1,
    }


def _settled_whisper(said: dict[str, Any], config: Any) -> dict[str, Any]:
    bands, hop = int(said.get("feature_size", 80)), int(said.get("hop_length", 160))
    reach = int(said.get("chunk_length", 30)) * said["sampling_rate"]
    frames = reach // hop
    wanted = config.num_mel_bins, 2 * config.max_source_positions
    if (bands, frames) != wanted:
        found = f"{bands} bands and {frames} frames"
        raise ValueError(f"{found}, the network reads {wanted[0]} bands and {wanted[1]} frames")
    return {"bands": bands, "hop": hop, "window": int(said.get("n_fft", 400)), "reach": reach}


SETTLED = {WAVES: _settled_waves, KALDI: _settled_kaldi, WHISPER: _settled_whisper}


def learn(
    modality: Modality,
    column: pa.ChunkedArray,
    target: NDArray[np.generic],
    spec: ModelSpec,
    folder: Path,
) -> tuple[BaseModel, dict[str, Any]]:
    """The network's rate, and the usual length, unless the network reads less."""
    inputs = _settings(folder, pretrained.config_of(folder))
    state: Any = modality.learn(column, target, spec)
    seconds = float(np.ceil(state.seconds / STEP) * STEP)
    if "reach" in inputs:
        seconds = min(seconds, inputs["reach"] / inputs["rate"])
    state = state.model_copy(update={"rate": inputs["rate"], "seconds": seconds})
    return state, inputs | {"seconds": seconds}


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
    """The waveform, or what the network's feature extractor makes of it."""
    wave = arrays["wave"].float() / FULL_SCALE
    length = arrays["length"].clamp(min=1, max=wave.shape[1])
    return PREPARED[prepared["extractor"]](wave, length, prepared)


def _waves(wave: Tensor, length: Tensor, prepared: dict[str, Any]) -> dict[str, Tensor]:
    """``input_values``, each recording of mean 0 and deviation 1 where the network wants that."""
    own = torch.arange(wave.shape[1], device=wave.device) < length[:, None]
    if prepared["normal"]:
        mean = (wave * own).sum(dim=1, keepdim=True) / length[:, None]
        wave = (wave - mean) * own
        wave = wave / (wave.square().sum(dim=1, keepdim=True) / length[:, None] + 1e-7).sqrt()
    taken = {"input_values": wave}
    return taken | ({"attention_mask": own.long()} if prepared["masked"] else {})


def _kaldi(wave: Tensor, length: Tensor, prepared: dict[str, Any]) -> dict[str, Tensor]:
    """``input_values``, ``[n, frames, bands]``: 0 after the end, then standardised."""
    frames, rate = prepared["frames"], prepared["rate"]
    cells = spectrograms.kaldi(wave, rate, prepared["bands"])[:, :frames]
    cells = pad(cells, (0, 0, 0, frames - cells.shape[1]))
    own = (
        torch.arange(frames, device=wave.device) < spectrograms.kaldi_frames(length, rate)[:, None]
    )
    cells = torch.where(own[..., None], cells, 0.0)
    if prepared["normal"]:
        cells = (cells - prepared["mean"]) / (2 * prepared["deviation"])
    return {"input_values": cells}


def _whisper(wave: Tensor, length: Tensor, prepared: dict[str, Any]) -> dict[str, Tensor]:
    """``input_features``, ``[n, bands, frames]``, filled up with silence."""
    rate, bands, window, hop = (prepared[name] for name in ("rate", "bands", "window", "hop"))
    whole = pad(wave, (0, prepared["reach"] - wave.shape[1]))
    return {"input_features": spectrograms.whisper(whole, rate, bands, window, hop)}


PREPARED = {WAVES: _waves, KALDI: _kaldi, WHISPER: _whisper}


def pool(hidden: Tensor, arrays: dict[str, Tensor], prepared: dict[str, Any]) -> Tensor:
    """The mean over the part of the states that the recording fills; before it, where states are
    patches of a spectrogram, the mean of those that stand for the whole."""
    whole = []
    if "rows" in prepared:
        grid = prepared["rows"], prepared["columns"]
        num_first = hidden.shape[1] - grid[0] * grid[1]
        whole = [hidden[:, :num_first].mean(dim=1)] if num_first else []
        hidden = hidden[:, num_first:].unflatten(1, grid).mean(dim=1)
    size, count = prepared.get("reach", arrays["wave"].shape[1]), hidden.shape[1]
    filled = (arrays["length"].clamp(max=size) * count + size - 1).div(size, rounding_mode="floor")
    own = torch.arange(count, device=hidden.device) < filled.clamp(min=1)[:, None]
    mean = (hidden * own[..., None]).sum(dim=1) / own.sum(dim=1, keepdim=True)
    return torch.cat([*whole, mean], dim=1)


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
