import io
import struct
import wave as wave_files

import numpy as np
import pytest
import soundfile

from penstock.measure import sounds
from penstock.measure.sounds import Frames, Sound, Unreadable


def tone(hertz, seconds=0.5, rate=8_000, loudness=0.5):
    time = np.arange(round(seconds * rate)) / rate
    return (loudness * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def encoded(wave, rate=8_000, kind="WAV", subtype=None):
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU"])
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_every_format_gives_back_the_tone(kind, rate):
    wave = tone(440, rate=rate)
    found = sounds.read(encoded(wave, rate, kind))
    assert found.rate == rate
    assert found.seconds == pytest.approx(0.5, abs=0.1)  # MP3 pads
    assert sounds.centroid(found) == pytest.approx(440, abs=25)
    assert sounds.level(found.wave) == pytest.approx(-9.03, abs=0.8)  # 0.5 / sqrt(2)


def test_a_wav_of_the_standard_library_is_read_exactly_and_channels_are_averaged():
    buffer = io.BytesIO()
    with wave_files.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(11_025)
        file.writeframes(struct.pack("<6h", 16384, 0, -16384, 16384, 8192, 8192))
    found = sounds.read(buffer.getvalue())
    assert found.rate == 11_025
    assert found.wave.tolist() == [0.25, 0.0, 0.25]


def test_what_cannot_be_read_is_said_why():
    good = encoded(tone(440))
    float_file = encoded(np.array([0.1, np.nan, 0.2]), subtype="FLOAT")
    reasons = {
        b"": "an empty file",
        b"RIFF is no sound": "Format not recognised",
        good[: len(good) // 2]: "bytes of sound are missing",
        encoded(tone(440), kind="AIFF")[:900]: "bytes of sound are missing",
        encoded(tone(440), kind="AU")[:900]: "bytes of sound are missing",
        encoded(tone(440, 3.0), kind="MP3")[:3_000]: "cut short: ",
        encoded(tone(440), kind="FLAC")[:900]: "",
        encoded(np.zeros(0)): "no sound in it",
        float_file: "samples that are no numbers",
        b"\xff\xfb" + bytes(2_000): "",
    }
    for content, reason in reasons.items():
        with pytest.raises(Unreadable) as error:
            sounds.read(content)
        assert reason in str(error.value)
        assert str(error.value)
        assert "BytesIO" not in str(error.value)


def test_a_wav_written_to_a_pipe_does_not_know_its_length_and_is_read():
    good = bytearray(encoded(tone(440)))
    at = good.index(b"data") + 4
    good[at : at + 4] = b"\xff\xff\xff\xff"
    assert len(sounds.read(bytes(good)).wave) == 4_000


def test_decompression_bombs_are_refused(monkeypatch):
    monkeypatch.setattr(sounds, "MAX_SAMPLES", 100_000)
    monkeypatch.setattr(sounds, "BLOCK_SAMPLES", 10_000)
    content = encoded(np.zeros((60_000, 2), np.float32), 48_000, "FLAC")
    assert len(content) < 2_000
    with pytest.raises(Unreadable, match="longer than 1 s"):
        sounds.read(content)
    with pytest.raises(Unreadable, match="longer than"):
        sounds.read(encoded(np.zeros(4_000), rate=1))


def test_the_loudest_part_is_found_wherever_it_is():
    wave = np.concatenate([np.zeros(3_000), tone(440, 0.25), np.zeros(9_000)]).astype(np.float32)
    part = sounds.loudest(Sound(wave, 8_000), 0.25).wave
    assert len(part) == 2_000
    assert np.square(part).sum() == pytest.approx(np.square(wave).sum(), rel=1e-3)
    assert len(sounds.loudest(Sound(wave, 8_000), 9.0).wave) == len(wave)


@pytest.mark.parametrize(("rate", "other"), [(44_100, 16_000), (8_000, 16_000), (44_099, 16_000)])
def test_resampling_keeps_the_tone_and_its_length(rate, other):
    sound = Sound(tone(1_000, 0.5, rate), rate)
    found = Sound(sounds.resampled(sound, other), other)
    assert found.seconds == pytest.approx(0.5, abs=2e-3)
    assert sounds.centroid(found) == pytest.approx(1_000, abs=15)
    assert sounds.level(found.wave) == pytest.approx(sounds.level(sound.wave), abs=0.1)


def test_resampling_folds_nothing_back():
    above = Sound(tone(6_000, 0.5, 44_100), 44_100)
    assert sounds.level(sounds.resampled(above, 8_000)) < -50


@pytest.mark.parametrize("rate", [1, 7, 655_349])
def test_strange_rates_cost_little_and_stay_finite(rate):
    found = sounds.resampled(Sound(tone(1, rate=8_000)[:500], rate), 16_000)
    assert np.isfinite(found).all()
    assert len(found) <= 500 * 16_000


def test_a_tone_lies_in_the_band_that_mel_says():
    frames = Frames.of(8_000, 4_000, 256)
    found = sounds.spectrogram(tone(1_000), 8_000, frames, 40)
    assert found.shape == (40, frames.count)
    step = 2595 * np.log10(1 + 4_000 / 700) / 41
    band = 2595 * np.log10(1 + 1_000 / 700) / step - 1
    loudest = found[:, 5:-5].argmax(axis=0)
    assert (np.abs(loudest - band) <= 0.51).all()
    assert found.max() == 255


def test_a_spectrogram_does_not_tell_the_gain_and_silence_is_empty():
    frames = Frames.of(8_000, 4_000, 256)
    loud = sounds.spectrogram(tone(700, loudness=1.0), 8_000, frames, 40)
    quiet = sounds.spectrogram(tone(700, loudness=0.01), 8_000, frames, 40)
    assert np.abs(loud.astype(int) - quiet).max() <= 1
    assert not sounds.spectrogram(np.zeros(4_000, np.float32), 8_000, frames, 40).any()


def test_a_short_sound_stands_in_the_middle():
    frames = Frames.of(8_000, 8_000, 256)
    found = sounds.spectrogram(tone(700, 0.2), 8_000, frames, 40).any(axis=0)
    inside = np.flatnonzero(found)
    assert inside.mean() == pytest.approx((frames.count - 1) / 2, abs=1)
    assert 20 <= len(inside) <= 26


def test_no_band_of_the_bank_is_empty_and_each_peaks_once():
    for rate in (100, 8_000, 16_000):
        frames = Frames.of(rate, 10 * rate, 256)
        assert frames.count <= 256
        assert (sounds.bank(rate, frames.num_fft, 40).sum(axis=0) > 0).all()
