"""Sound: WAV, FLAC, Ogg, MP3 and others, as encoded bytes.

A spectrogram is computed once a recording, not once an epoch: on two cores that is faster than
on the device, and a byte a cell is smaller than the waveform. What belongs to a waveform (noise,
speed) is done to spectrograms while learning; the stresses change waveforms themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel

from penstock.chunks import in_turn
from penstock.measure import overlays, shifts, sounds
from penstock.measure.bins import Said
from penstock.measure.sounds import Frames, Sound, Unreadable
from penstock.modalities import MISSING, Parted, Stress

if TYPE_CHECKING:
    from torch import nn

    from penstock.spec import ModelSpec

HOLDS = "bytes"

MAX_RATE = 16_000
"""Samples a second at most: speech and most of what is heard lies below 8 kHz (house choice)."""
MAX_SECONDS = 10.0
"""Of a recording, its loudest part (house choice: what two cores can learn)."""
MAX_FRAMES = 256
"""Of a spectrogram: long ones are coarser in time (house choice, as above)."""
BANDS = 40
"""Mel bands, as is usual for speech (house choice)."""
PLANES, FEWEST_PLANES = 96, 16
"""Planes of the encoder's last layer (house choice, as for images): fewer in a backbone narrower
than :data:`FULL_WIDTH`, so that losses can be tried quickly."""
FULL_WIDTH = 256
USUAL_LENGTH = 0.95
"""Share of the training recordings that are read whole (house choice)."""
MAX_LEARN_ROWS = 2_000
"""Recordings looked at for rate, length and loudness (house choice)."""
NUM_COEFFICIENTS = 13
"""Cepstral coefficients that the baselines see, as is usual for speech."""
NUM_PARTS = 4
"""Stretches of time in which they see them (house choice)."""

MAGIC = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b".snd", b"caff")
"""First bytes of FLAC, Ogg, MP3, AU and CAF; WAV and AIFF are told by two marks."""
NUM_LOOKED_AT = 100
"""Values that are looked at to recognise a column (house choice)."""


class State(BaseModel):
    """What is learnt from training recordings.

    Attributes
    ----------
    rate : int
        Samples a second to which recordings are brought.
    seconds : float
        Longest part that is read.
    mean, deviation : list of float
        Of each band of the spectrograms, in [0, 1].
    level, spread : float
        Mean and deviation of the loudness, in decibels of full scale.
    """

    rate: int
    seconds: float
    mean: list[float]
    deviation: list[float]
    level: float
    spread: float

    @property
    def frames(self) -> Frames:
        """Windows of a spectrogram."""
        return Frames.of(self.rate, round(self.seconds * self.rate), MAX_FRAMES)


UNHEARD = State(
    rate=8_000, seconds=1.0, mean=[0.5] * BANDS, deviation=[0.25] * BANDS, level=-30.0, spread=10.0
)
"""Stands for the training recordings where none can be read (house choice)."""


def recognise(column: pa.ChunkedArray, name: str) -> float:
    """Share of the first values that begin as a sound file does."""
    if not pa.types.is_binary(column.type):
        return 0.0
    values = column.drop_null().slice(0, NUM_LOOKED_AT).to_pylist()
    return sum(_is_sound(value) for value in values) / max(len(values), 1)


def _is_sound(content: bytes) -> bool:
    marks = content[:4], content[8:12]
    if marks[0] == b"RIFF":
        return marks[1] == b"WAVE"
    return content.startswith(MAGIC) or (marks[0] == b"FORM" and marks[1] in (b"AIFF", b"AIFC"))


def unreadable(column: pa.ChunkedArray | pa.Array) -> list[str]:
    """Why each recording cannot be read, empty where it can.

    A missing value counts as readable: it is the column's business whether it may be null.
    """
    return [_fault(value.as_py()) for value in column]


def _fault(content: bytes | None) -> str:
    try:
        if content is not None:
            sounds.read(content)
    except Unreadable as error:
        return str(error)
    return ""


def heard(content: bytes | None) -> Sound | None:
    """A recording from its encoded bytes; None when it cannot be read."""
    try:
        return sounds.read(content) if content else None
    except Unreadable:
        return None


def learn(column: pa.ChunkedArray, target: NDArray[np.generic], spec: ModelSpec) -> State:
    """Rate, length, bands and loudness from an evenly spaced sample of the recordings."""
    chosen = np.arange(0, len(column), max(1, len(column) // MAX_LEARN_ROWS))
    sample = (heard(value.as_py()) for some in in_turn(column, chosen) for value in some)
    found = [(sound.rate, sound.seconds) for sound in sample if sound]
    if not found:
        return UNHEARD
    rates, seconds = np.array(found).T
    rate = int(min(MAX_RATE, np.median(rates)))
    usual = float(np.quantile(seconds, USUAL_LENGTH))
    shortest = sounds.FEWEST_SAMPLES / rate
    state = UNHEARD.model_copy(
        update={"rate": rate, "seconds": float(np.clip(usual, shortest, MAX_SECONDS))}
    )
    arrays = [encode(some, state) for some in in_turn(column, chosen)]
    mels = np.concatenate([each["mels"] for each in arrays])
    known = mels.any(axis=(1, 2))
    if not known.any():
        return state
    mels, level = mels[known], np.concatenate([each["level"] for each in arrays])[known]
    levels = level.astype(np.float64) * state.spread + state.level
    return state.model_copy(
        update={
            "mean": [float(mels[:, band].mean() / 255) for band in range(BANDS)],
            "deviation": [max(0.02, float(mels[:, band].std() / 255)) for band in range(BANDS)],
            "level": float(levels.mean()),
            "spread": max(1.0, float(levels.std())),
        }
    )


def encode(column: pa.ChunkedArray, state: State) -> dict[str, NDArray[np.generic]]:
    """``mels``: ``uint8[n, bands, frames]``; ``level``: ``float32[n]``, standardised loudness.

    All 0 where unreadable.
    """
    frames = state.frames
    mels = np.zeros((len(column), BANDS, frames.count), np.uint8)
    levels = np.zeros(len(column), np.float32)
    for row, value in enumerate(column):  # each is decoded by libsndfile in C
        if sound := heard(value.as_py()):
            wave = _part(sound, state)
            mels[row] = sounds.spectrogram(wave, state.rate, frames, BANDS)
            levels[row] = np.clip((sounds.level(wave) - state.level) / state.spread, -5, 5)
    return {"mels": mels, "level": levels}


def _part(sound: Sound, state: State) -> sounds.Wave:
    """The part of a recording that is read, at the state's rate."""
    wave = sounds.resampled(sounds.loudest(sound, state.seconds), state.rate)
    return wave[: round(state.seconds * state.rate)]


def encoder(state: State, spec: ModelSpec) -> nn.Module:
    """A small residual convolutional network over the spectrogram."""
    from penstock.learning.audio_encoders import ResidualSound

    share = min(1.0, (spec.width or FULL_WIDTH) / FULL_WIDTH)
    planes = max(FEWEST_PLANES, round(PLANES * share / 4) * 4)
    return ResidualSound(state.mean, state.deviation, state.frames.count, planes)


def plain(column: pa.ChunkedArray, state: State) -> NDArray[np.float64]:
    """Cepstral coefficients for models that read only numbers, ``float64[n, 13 * 6 + 1]``.

    Of each: mean and deviation over time, and the mean in each quarter of it; then loudness.
    """
    from scipy.fft import dct

    arrays = encode(column, state)
    kinds = arrays["mels"].astype(np.float32)
    cepstrum = dct(kinds, axis=1, norm="ortho")[:, :NUM_COEFFICIENTS].astype(np.float64)
    edges = np.linspace(0, cepstrum.shape[2], NUM_PARTS + 1)
    parts = [cepstrum.mean(axis=2), cepstrum.std(axis=2)]
    for start, end in pairwise(edges.astype(int).tolist()):
        parts.append(cepstrum[:, :, start : max(start + 1, end)].mean(axis=2))
    return np.column_stack([*parts, arrays["level"]])


PLAYED_LEVEL, MOST_GAIN = -20.0, 60.0
"""Decibels of full scale to which a usual recording is brought where it is played, all others by
as much, and the most by which it is (house choice)."""
SPECIMEN_SECONDS, GLIDE, LOUDEST_LEVEL = 0.8, 0.6, -12.0
"""Of a made-up recording: how long it is at most, the share that glides, and its loudness in
decibels at most (house choice: twenty of them stand in a report)."""
CELLS = (5, 10)
"""Parts of a spectrogram that are hidden in turn: by band, by time (house choice)."""


def parted(column: pa.ChunkedArray, state: State) -> Parted:
    """The spectrogram with each cell of a grid at the mean of its bands; low bands first."""
    arrays = encode(column, state)
    if not arrays["mels"].any():
        return Parted([], {name: array[:0] for name, array in arrays.items()})
    _, bands, frames = arrays["mels"].shape
    rows = np.array_split(np.arange(bands), CELLS[0])
    times = np.array_split(np.arange(frames), min(frames, CELLS[1]))
    mean = np.rint(np.array(state.mean) * 255).astype(np.uint8)
    mels = arrays["mels"].repeat(len(rows) * len(times), axis=0)
    for part, (row, time) in enumerate((row, time) for row in rows for time in times):
        mels[part][np.ix_(row, time)] = mean[row, None]
    hertz = sounds.band_edges(state.rate, BANDS)
    hop = state.frames.hop / state.rate
    names = [
        f"{hertz[row[0]]:.0f} to {hertz[row[-1] + 2]:.0f} Hz,"
        f" {time[0] * hop:.2f} to {(time[-1] + 1) * hop:.2f} s"
        for row in rows
        for time in times
    ]
    return Parted(names, {"mels": mels, "level": arrays["level"].repeat(len(mels))})


def shown(
    column: pa.ChunkedArray | None, state: State, tints: NDArray[np.float64]
) -> dict[str, Any]:
    """The spectrogram with its cells tinted, high bands on top, and the sound; for all rows the
    mean spectrogram alone."""
    cells = tints.reshape(CELLS[0], -1)[::-1] if len(tints) else np.zeros((1, 1))
    if column is None:
        mean = np.rint(np.array(state.mean) * 255).astype(np.uint8)
        long = state.frames.count * state.frames.hop / state.rate
        axes = f"Left to right: 0 to {long:.2g} s; upwards: 0 to {state.rate / 2:.0f} Hz, in mel."
        picture = overlays.tinted(mean[::-1, None].repeat(state.frames.count, 1), cells)
        return {"picture": picture, "caption": axes}
    mels = encode(column, state)["mels"][0]
    found = {"picture": overlays.tinted(mels[::-1], cells)}
    if sound := heard(column[0].as_py()):
        gain = float(np.clip(PLAYED_LEVEL - state.level, 0, MOST_GAIN))
        found["sound"] = overlays.played(_part(sound, state), state.rate, gain)
    return found


def specimen(state: State) -> pa.ChunkedArray:
    """A made-up recording of one row, as loud as training's: a note with overtones glides up, then
    three short ones."""
    seconds = min(state.seconds, SPECIMEN_SECONDS)
    time = np.arange(max(sounds.FEWEST_SAMPLES, round(seconds * state.rate))) / state.rate
    share = time / time[-1]
    pitch = state.rate / 40 * np.where(share < GLIDE, 2 ** (2 * share / GLIDE), 3.0)
    beats = np.where(share < GLIDE, 1.0, (share - GLIDE) * 3 / (1 - GLIDE) % 1.0 < 0.5)
    phase = 2 * np.pi * np.cumsum(pitch) / state.rate
    tone = sum(np.sin(n * phase) / n for n in (1, 2, 4)) * beats
    power = max(float(np.sqrt(np.mean(np.square(tone)))), 1e-9)
    wave = tone / power * 10 ** (min(state.level, LOUDEST_LEVEL) / 20)
    file = sounds.wav(wave.astype(np.float32), state.rate)
    return pa.chunked_array([pa.array([file], pa.binary())])


LIKENESS_RATE, LIKENESS_SIDE = 8_000, 16
"""Samples a second, and bands and stretches of time, by which copies are told (house choice: of
spoken digits 94% to 100% of those saved again in another format or quieter are found, 43% of those
with 3% of noise; of 400 other takes, none)."""


def likeness(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Coarse spectrograms without their loudness, ``float32[n, 256]``.

    Near to one another for copies; 0 of silence and of what cannot be read.
    """
    found = np.zeros((len(column), LIKENESS_SIDE**2), np.float32)
    for row, value in enumerate(column):
        sound = heard(value.as_py())
        if sound is None:
            continue
        rate = min(sound.rate, LIKENESS_RATE)
        wave = sounds.resampled(sounds.loudest(sound, MAX_SECONDS), rate)
        frames = Frames.of(rate, len(wave), MAX_FRAMES)
        mels = sounds.spectrogram(wave, rate, frames, LIKENESS_SIDE).astype(np.float32)
        edges = np.linspace(0, frames.count, LIKENESS_SIDE + 1).astype(int)
        cells = [mels[:, a : max(a + 1, b)].mean(axis=1) for a, b in pairwise(edges.tolist())]
        coarse = np.stack([cell - mels.mean() for cell in cells]).ravel()
        length = float(np.linalg.norm(coarse))
        found[row] = coarse / length if length > LIKENESS_SIDE else 0.0
    return found


def expectations(column: pa.ChunkedArray, name: str) -> list[dict[str, Any]]:
    """None beside presence and type: a file that cannot be decoded never enters a snapshot."""
    return []


STRESSES = (
    Stress(
        "noise",
        (0.1, 0.3, 1.0),
        "{column} has a background noise {strength:.0%} as loud as the sound",
        "a busier place, a cheaper microphone",
        "augment training with noise recorded where the model will listen",
    ),
    Stress(
        "quiet",
        (6.0, 12.0, 24.0),
        "{column} is quieter by {strength:g} dB",
        "a speaker further away, a lower gain",
        "set the gain as it was, or augment training with quieter recordings",
    ),
    Stress(
        "clipped",
        (6.0, 12.0, 24.0),
        "{column} is overdriven by {strength:g} dB: its peaks are cut off",
        "a gain set too high",
        "measure the share of samples at full scale before scoring",
    ),
    Stress(
        "dull",
        (0.5, 1.0, 2.0),
        "{column} lacks the highest {strength:g} octaves of its band",
        "a telephone, stronger compression, a covered microphone",
        "augment training with recordings of a narrower band",
    ),
    Stress(
        "fast",
        (0.05, 0.1, 0.2),
        "{column} is played {strength:.0%} faster, and so higher",
        "another voice or machine, a wrong sample rate",
        "augment training with recordings played slower and faster",
    ),
    MISSING,
)
"""Three strengths each (house choice; the noises are 20, 10 and 0 dB below the sound)."""


def stressed(
    column: pa.ChunkedArray, state: State, name: str, strength: float, rng: np.random.Generator
) -> pa.ChunkedArray:
    """Recordings noisy, quiet, clipped, dull, fast or missing; the part that is encoded."""
    if name == "missing":
        return shifts.emptied(column, strength, rng)
    if name == "noise":
        return _changed(column, state, lambda wave: wave + _noise(wave, strength, rng))
    if name == "quiet":
        return _changed(column, state, lambda wave: _of_16_bits(wave * 10 ** (-strength / 20)))
    if name == "clipped":
        return _changed(column, state, lambda wave: _clipped(wave, 10 ** (strength / 20)))
    if name == "dull":
        return _changed(column, state, lambda wave: _dull(wave, strength))
    return _changed(column, state, lambda wave: wave, faster=1 + strength)


def _changed(
    column: pa.ChunkedArray,
    state: State,
    change: Callable[[sounds.Wave], sounds.Wave],
    faster: float = 1.0,
) -> pa.ChunkedArray:
    """WAV files of what is encoded, changed; those that cannot be read stay as they are."""
    files = []
    for value in column:
        content = value.as_py()
        if sound := heard(content):
            wave = change(_part(sound, state)).astype(np.float32)
            content = sounds.wav(wave, round(state.rate * faster))
        files.append(content)
    return pa.chunked_array([pa.array(files, pa.binary())])


def _noise(wave: sounds.Wave, loudness: float, rng: np.random.Generator) -> sounds.Wave:
    """Pink noise, as rooms and streets have it, so loud beside the sound."""
    from scipy.fft import irfft, rfft

    spectrum = rfft(rng.normal(size=len(wave)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    noise = irfft(spectrum, len(wave))
    power = np.sqrt(np.mean(np.square(wave, dtype=np.float64)) / np.mean(np.square(noise)))
    loud: sounds.Wave = (noise * power * loudness).astype(np.float32)
    return loud


def _of_16_bits(wave: sounds.Wave) -> sounds.Wave:
    """As a recorder of 16 bits writes it."""
    whole = np.rint(wave * 32_767).astype(np.float32)
    return whole / np.float32(32_767)


def _clipped(wave: sounds.Wave, gain: float) -> sounds.Wave:
    peak = np.abs(wave).max(initial=0.0)
    return (wave * np.float32(gain)).clip(-peak, peak)


def _dull(wave: sounds.Wave, octaves: float) -> sounds.Wave:
    """Without the upper octaves of the band, by a filter of the eighth order."""
    from scipy.fft import irfft, rfft

    spectrum = rfft(wave.astype(np.float64))
    share = np.linspace(0, 1, len(spectrum)) * 2**octaves
    low: sounds.Wave = irfft(spectrum / np.sqrt(1 + share**16), len(wave)).astype(np.float32)
    return low


def reduced(column: pa.ChunkedArray, state: State) -> pa.ChunkedArray:
    """The part of the recordings that is encoded, at its rate, uncompressed."""
    return _changed(column, state, lambda wave: wave)


SAID = {
    "loudness": Said("quietest", "loudest", " dB"),
    "seconds": Said("shortest", "longest"),
    "brightness": Said("dullest", "brightest", " Hz"),
    "rate": Said("lowest", "highest", " Hz"),
}
"""How slices of them are said."""


def views(column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """``loudness`` (dB of full scale), ``seconds``, ``brightness`` and ``rate`` (both in Hz).

    Brightness is the mean frequency, weighted by power. Null where it cannot be read.
    """
    names = ("loudness", "seconds", "brightness", "rate")
    rows = [_seen(heard(value.as_py())) for value in column]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return {n: pa.array(v, pa.float64()) for n, v in zip(names, columns, strict=True)}


def _seen(sound: Sound | None) -> tuple[float | None, ...]:
    if sound is None:
        return (None,) * 4
    bright = sounds.centroid(sound)
    known = None if np.isnan(bright) else bright
    return sounds.level(sound.wave), sound.seconds, known, float(sound.rate)
