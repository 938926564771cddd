"""Recordings: from the bytes of a sound file to a waveform, and on to its log-mel spectrogram.

bytes -> :class:`Sound` -> waveform of a given rate -> decibels by band and time
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

MAX_SAMPLES = 50_000_000
"""A recording of more samples, over all channels, is a decompression bomb, not an example (house
choice: 19 minutes of one channel at 44.1 kHz)."""
MAX_SECONDS = 3_600
"""Nor is one that lasts longer, however few its samples (house choice)."""
BLOCK_SAMPLES = 1 << 20
"""Samples decoded at once (house choice)."""
LOUDEST_SAMPLE = 1e6
"""Samples of floating point are cut here, so that no square overflows; full scale is 1."""
MP3_SHARE = 0.98
"""Of the length that an MP3 says: encoders and decoders count its first frames differently."""
MP3_HEAD = 1 << 22
"""Bytes in which it says so, behind titles and pictures (house choice)."""
STREAM_BYTES = 0x7FFF_0000
"""A file whose sound is said to be this long was written without knowing its end."""
LARGEST_TERM = 1_000
"""Of the ratio of two sample rates: the pitch is then right to a millionth."""
WINDOW_SECONDS = 0.025
"""Of the spectrogram, as is usual for speech (Davis and Mermelstein, 1980)."""
FEWEST_SAMPLES = 64
"""In a window, however slow the samples come (house choice)."""
RANGE = 80.0
"""Decibels below the loudest cell of a spectrogram that are told apart (house choice)."""
SILENCE = -150.0
"""Decibels of full scale below which nothing is a sound (house choice)."""


class Unreadable(ValueError):
    """A file that holds no sound, with the reason as its message."""


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes
    ----------
    wave : float32[n]
        The mean of its channels; full scale is 1.
    rate : int
        Samples a second.
    """

    wave: Wave
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.wave) / self.rate


def read(content: bytes) -> Sound:
    """Decode a file, block by block.

    Raises
    ------
    Unreadable
        When nothing can be decoded, when the file is cut short, when a sample is no number, or
        beyond :data:`MAX_SAMPLES` or :data:`MAX_SECONDS`. Where an MP3 file does not say its
        length, what there is of it is read.
    """
    import soundfile

    if not content:
        raise Unreadable("an empty file")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            wave = _decoded(file)
            rate, said, kind = file.samplerate, file.frames, file.format
    except soundfile.LibsndfileError as error:
        raise Unreadable(error.error_string.removeprefix("Error : ").strip(" .")) from None
    except (RuntimeError, TypeError, OverflowError, MemoryError) as error:
        raise Unreadable(" ".join(str(error).split())[:200] or type(error).__name__) from None
    if len(wave) < said * (MP3_SHARE if kind == "MP3" else 1) and _says_length(content, kind):
        raise Unreadable(f"cut short: {len(wave)} of {said} samples")
    if missing := _missing_bytes(content):
        raise Unreadable(f"cut short: {missing} bytes of sound are missing")
    if not len(wave):
        raise Unreadable("no sound in it")
    if not np.isfinite(wave).all():
        raise Unreadable("samples that are no numbers")
    return Sound(wave.clip(-LOUDEST_SAMPLE, LOUDEST_SAMPLE), rate)


def _says_length(content: bytes, kind: str) -> bool:
    """Whether a file knows its length; of an MP3 without the mark it is a guess."""
    return kind != "MP3" or any(
        mark in content[:MP3_HEAD] for mark in (b"Xing\0\0\0", b"Info\0\0\0")
    )


def _decoded(file: object) -> Wave:
    channels, rate = int(file.channels), int(file.samplerate)  # type: ignore[attr-defined]
    most = min(MAX_SAMPLES // channels, MAX_SECONDS * rate)
    step = max(1, BLOCK_SAMPLES // channels)
    parts: list[Wave] = []
    num_read = 0
    while True:
        block = file.read(step, dtype="float32", always_2d=True)  # type: ignore[attr-defined]
        if not len(block):
            break
        num_read += len(block)
        if num_read > most:
            raise Unreadable(
                f"longer than {most / rate:.0f} s ({channels} channels at {rate} Hz): more than"
                f" {MAX_SAMPLES} samples or {MAX_SECONDS} s"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            parts.append(block[:, 0] if channels == 1 else block.mean(axis=1))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


CHUNKED = {b"RIFF": ("<4sI", b"data"), b"FORM": (">4sI", b"SSND")}
"""WAV and AIFF are chunks of a name and a size; which of them holds the sound."""


def _missing_bytes(content: bytes) -> int:
    """Bytes by which the sound of a WAV, AIFF or AU file is shorter than its header says."""
    if content[:4] == b".snd":
        start, size = struct.unpack_from(">II", content, 4)
        return _lacking(content, start, size)
    form, wanted = CHUNKED.get(content[:4], ("", b""))
    at = 12
    while form and at + 8 <= len(content):
        name, size = struct.unpack_from(form, content, at)
        at += 8
        if name == wanted:
            return _lacking(content, at, size)
        at += size + size % 2
    return 0


def _lacking(content: bytes, start: int, size: int) -> int:
    missing = start + size - len(content)
    return missing if missing > 1 and size < STREAM_BYTES else 0


def loudest(sound: Sound, seconds: float) -> Sound:
    """The part of at most so many seconds that holds most of a recording's energy.

    Examples
    --------
    >>> quiet_then_loud = Sound(np.array([0, 0, 0, 1, 1, 0], np.float32), rate=1)
    >>> loudest(quiet_then_loud, 2.0).wave.tolist()
    [1.0, 1.0]
    """
    length = max(1, round(seconds * sound.rate))
    if len(sound.wave) <= length:
        return sound
    energy = np.concatenate([[0.0], np.cumsum(np.square(sound.wave, dtype=np.float64))])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return Sound(sound.wave[start : start + length], sound.rate)


def resampled(sound: Sound, rate: int) -> Wave:
    """The waveform at another rate, ``float32[n]``; nothing above half of it is folded back."""
    if rate == sound.rate:
        return sound.wave
    from scipy.signal import resample_poly

    ratio = Fraction(rate, sound.rate)
    if max(ratio.numerator, ratio.denominator) > LARGEST_TERM:
        near = ratio if ratio <= 1 else 1 / ratio
        near = max(near.limit_denominator(LARGEST_TERM), Fraction(1, LARGEST_TERM))
        ratio = near if ratio <= 1 else 1 / near
    up, down = ratio.numerator, ratio.denominator
    wave: Wave = resample_poly(sound.wave, up, down, window=_low_pass(max(up, down)))
    return wave.astype(np.float32, copy=False)


@lru_cache(maxsize=64)
def _low_pass(factor: int) -> Wave:
    """The filter that SciPy's ``resample_poly`` designs each time: kept, for thousands of files."""
    from scipy.signal import firwin

    taps: Wave = firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)).astype(np.float32)
    return taps


def level(wave: Wave) -> float:
    """Loudness in decibels of full scale, of the root mean square; at least :data:`SILENCE`.

    Examples
    --------
    >>> round(level(np.full(100, 0.1, np.float32)), 3)
    -20.0
    """
    power = float(np.mean(np.square(wave, dtype=np.float64))) if len(wave) else 0.0
    return max(SILENCE, 10 * float(np.log10(power))) if power > 0 else SILENCE


@dataclass(frozen=True)
class Frames:
    """How a waveform is cut into overlapping windows.

    Attributes
    ----------
    window, hop : int
        Samples in a window, and from one to the next.
    count : int
        Windows.
    """

    window: int
    hop: int
    count: int

    @classmethod
    def of(cls, rate: int, samples: int, most: int) -> Frames:
        """Windows that cover so many samples: two fifths of a window apart, or as few as ``most``.

        Examples
        --------
        >>> Frames.of(rate=8_000, samples=8_000, most=256)
        Frames(window=200, hop=80, count=98)
        """
        window = max(FEWEST_SAMPLES, round(WINDOW_SECONDS * rate))
        rest = max(0, samples - window)
        hop = max(round(window * 0.4), ceil(rest / (most - 1)))
        return cls(window, hop, 1 + rest // hop)

    @property
    def num_fft(self) -> int:
        """Points of the Fourier transform: finer than the narrowest band."""
        return int(2 ** (np.ceil(np.log2(self.window)) + 1))


def band_edges(rate: int, bands: int) -> NDArray[np.float64]:
    """Where bands evenly spaced in mel begin and end, in hertz, ``float64[bands + 2]``: band ``k``
    reaches from edge ``k`` to edge ``k + 2``.

    Examples
    --------
    >>> band_edges(8_000, 2).round().tolist()
    [0.0, 621.0, 1791.0, 4000.0]
    """
    top = np.log1p(rate / 2 / 700)
    edges: NDArray[np.float64] = 700 * np.expm1(np.linspace(0, top, bands + 2))
    return edges


@lru_cache(maxsize=16)
def bank(rate: int, num_fft: int, bands: int) -> Wave:
    """Triangles evenly spaced in mel, ``float32[1 + num_fft / 2, bands]``; none is empty.

    ``mel = 2595 log10(1 + f / 700)`` (O'Shaughnessy, 1987), from 0 to half the rate.
    """
    heard = np.linspace(0, rate / 2, num_fft // 2 + 1)
    mel = 2595 * np.log10(1 + heard / 700)
    edges = np.linspace(0, mel[-1], bands + 2)
    step = edges[1] - edges[0]
    found = (1 - np.abs(mel[:, None] - edges[None, 1:-1]) / step).clip(min=0)
    nearest = np.abs(mel[:, None] - edges[None, 1:-1]).argmin(axis=0)
    empty = found.sum(axis=0) == 0
    found[nearest[empty], np.flatnonzero(empty)] = 1
    return found.astype(np.float32)


@lru_cache(maxsize=16)
def _hann(window: int) -> Wave:
    shape = np.hanning(window + 1)[:-1]
    return (shape / shape.sum() * 2).astype(np.float32)  # a sine of full scale has amplitude 1


def spectrogram(wave: Wave, rate: int, frames: Frames, bands: int) -> NDArray[np.uint8]:
    """Loudness by band and time, ``uint8[bands, frames.count]``.

    255 is the loudest cell, 0 what lies :data:`RANGE` decibels below it; so loudness as a whole
    does not matter. Of nothing but silence all is 0.

    Parameters
    ----------
    wave : float32[n]
        Cut to the frames, or put into their middle, with silence around it.
    rate : int
        Of the waveform.
    frames : Frames
        Windows.
    bands : int
        Mel bands.
    """
    from scipy.fft import rfft

    length = (frames.count - 1) * frames.hop + frames.window
    peak = float(np.abs(wave).max(initial=0.0))
    canvas = np.zeros(length, np.float32)
    if peak <= 10 ** (SILENCE / 20):
        return np.zeros((bands, frames.count), np.uint8)
    kept = wave[:length] / np.float32(peak)
    start = (length - len(kept)) // 2
    canvas[start : start + len(kept)] = kept
    windows = np.lib.stride_tricks.sliding_window_view(canvas, frames.window)[:: frames.hop]
    spectrum = rfft(windows * _hann(frames.window), frames.num_fft, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    decibels = 10 * np.log10(np.maximum(power @ bank(rate, frames.num_fft, bands), 1e-30))
    shade = (decibels - decibels.max() + RANGE) * (255 / RANGE)
    return np.ascontiguousarray(np.rint(shade.clip(0, 255)).astype(np.uint8).T)


def centroid(sound: Sound, most: int = 1 << 16) -> float:
    """Mean frequency in hertz, weighted by power: what sounds bright has it high.

    Of the loudest ``most`` samples. Nan for silence.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000).astype(np.float32)
    >>> round(centroid(Sound(tone, 8000)))
    1000
    """
    from scipy.fft import next_fast_len, rfft

    part = loudest(sound, most / sound.rate).wave
    part = part / max(float(np.abs(part).max()), 1e-30)
    spectrum = np.abs(rfft(part, next_fast_len(len(part), real=True))) ** 2
    total = float(spectrum.sum())
    hertz = np.linspace(0, sound.rate / 2, len(spectrum))
    return float((hertz * spectrum).sum() / total) if total > 0 else float("nan")


def wav(wave: Wave, rate: int) -> bytes:
    """A WAV file of 32-bit floats, so that what was written is what is read.

    Not libsndfile's, which writes the time of day into it.

    Examples
    --------
    >>> read(wav(np.array([0.25, -1.5], np.float32), 8000)).wave.tolist()
    [0.25, -1.5]
    """
    sound = wave.astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32)
    fact = struct.pack("<4sII", b"fact", 4, len(wave))
    body = b"WAVE" + form + fact + struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI", b"RIFF", len(body)) + body
