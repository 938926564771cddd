import io

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch

from penstock.measure import sounds
from penstock.measure.leaks import near
from penstock.modalities import audio
from penstock.spec import ModelSpec


def tone(hertz, seconds=0.5, rate=8_000, loudness=0.5, channels=1, kind="WAV"):
    time = np.arange(round(seconds * rate)) / rate
    wave = np.repeat(loudness * np.sin(2 * np.pi * hertz * time)[:, None], channels, axis=1)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind)
    return buffer.getvalue()


def column(*values):
    return pa.chunked_array([pa.array(values, pa.binary())])


def learn(*values):
    return audio.learn(column(*values), np.zeros(0), ModelSpec())


TONES = [tone(200 * n, 0.1 * n) for n in range(1, 6)]


def test_rate_length_and_loudness_come_from_the_recordings():
    state = learn(*TONES)
    assert state.rate == 8_000
    assert 0.4 < state.seconds <= 0.5
    assert state.level == pytest.approx(-9.03, abs=0.05)
    assert len(state.mean) == len(state.deviation) == audio.BANDS
    fast = learn(*(tone(440, rate=44_100) for _ in range(3)))
    assert fast.rate == audio.MAX_RATE


def test_long_recordings_are_bounded_in_time_and_frames():
    state = learn(tone(440, 12.0), tone(440, 14.0))
    assert state.seconds == audio.MAX_SECONDS
    arrays = audio.encode(column(tone(440, 14.0)), state)
    assert arrays["mels"].shape == (1, audio.BANDS, state.frames.count)
    assert state.frames.count <= audio.MAX_FRAMES


def test_the_same_sound_in_stereo_at_another_rate_and_in_flac_is_encoded_nearly_alike():
    state = learn(tone(440, rate=16_000))
    files = [
        tone(440, rate=16_000),
        tone(440, rate=16_000, channels=2),
        tone(440, rate=44_100, channels=2),
        tone(440, rate=16_000, kind="FLAC"),
    ]
    arrays = audio.encode(column(*files), state)
    mels, levels = arrays["mels"].astype(int), arrays["level"]
    assert np.abs(levels - levels[0]).max() < 0.1
    loud = mels[0] > 128
    assert np.abs(mels[:, loud] - mels[0, loud]).mean() < 4


def test_what_cannot_be_read_is_silence_and_says_why():
    state = learn(*TONES)
    bad = column(b"", None, b"text", TONES[0][:100])
    arrays = audio.encode(bad, state)
    assert not arrays["mels"].any()
    assert not arrays["level"].any()
    reasons = audio.unreadable(bad)
    assert [bool(reason) for reason in reasons] == [True, False, True, True]
    assert audio.unreadable(column(TONES[0])) == [""]


def test_gain_changes_the_level_alone():
    state = learn(tone(440, loudness=0.4), tone(440, loudness=0.1))
    arrays = audio.encode(column(tone(440, loudness=0.4), tone(440, loudness=0.1)), state)
    above = arrays["mels"][0] > 64  # what lies below is lost by 16 bits
    assert np.abs(arrays["mels"][0, above].astype(int) - arrays["mels"][1, above]).max() <= 2
    assert arrays["level"][0] - arrays["level"][1] == pytest.approx(12.04 / state.spread, abs=0.02)


def wave_of(content):
    return sounds.read(content.as_py())


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.2 * rng.normal(size=4_000).clip(-4, 4), 8_000, format="WAV")
    return column(buffer.getvalue())


def stressed(raw, name, strength):
    state = audio.learn(raw, np.zeros(0), ModelSpec())
    return wave_of(audio.stressed(raw, state, name, strength, np.random.default_rng(0))[0])


def test_noise_is_as_loud_as_said(noisy):
    before = wave_of(noisy[0]).wave
    for strength in (0.1, 1.0):
        added = stressed(noisy, "noise", strength).wave - before
        ratio = sounds.level(added) - sounds.level(before)
        assert ratio == pytest.approx(20 * np.log10(strength), abs=0.05)


def test_quiet_is_quieter_by_the_decibels_said(noisy):
    moved = sounds.level(wave_of(noisy[0]).wave) - sounds.level(stressed(noisy, "quiet", 12.0).wave)
    assert moved == pytest.approx(12.0, abs=0.01)


def test_clipped_stays_below_its_peak_and_is_louder(noisy):
    before, after = wave_of(noisy[0]).wave, stressed(noisy, "clipped", 12.0).wave
    assert np.abs(after).max() == pytest.approx(np.abs(before).max())
    assert sounds.level(after) > sounds.level(before) + 6
    assert (np.abs(after) == np.abs(after).max()).mean() > 0.1


def test_dull_has_lost_its_upper_octave(noisy):
    before, after = wave_of(noisy[0]), stressed(noisy, "dull", 1.0)
    spectra = [np.abs(np.fft.rfft(s.wave)) ** 2 for s in (before, after)]
    below, above = slice(0, 900), slice(1_100, None)  # bins of 2 Hz; the edge is at 2 kHz
    assert spectra[1][below].sum() == pytest.approx(spectra[0][below].sum(), rel=0.1)
    assert spectra[1][above].sum() < 0.1 * spectra[0][above].sum()


def test_fast_is_shorter_and_higher():
    raw = column(tone(500))
    after = stressed(raw, "fast", 0.2)
    assert after.seconds == pytest.approx(0.5 / 1.2, abs=1e-3)
    assert sounds.centroid(after) == pytest.approx(600, abs=5)


def test_views_say_loudness_length_brightness_and_rate():
    views = audio.views(column(tone(500, 0.25, 16_000), None, b"broken", tone(0)))
    assert views["loudness"].to_pylist()[0] == pytest.approx(-9.03, abs=0.01)
    assert views["seconds"].to_pylist()[0] == 0.25
    assert views["brightness"].to_pylist()[0] == pytest.approx(500, abs=10)
    assert views["rate"].to_pylist() == [16_000, None, None, 8_000]
    assert views["brightness"].to_pylist()[3] is None  # silence has none
    assert views["loudness"].to_pylist()[3] == sounds.SILENCE


def test_baselines_tell_tones_apart():
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    high = np.arange(60) % 2
    files = [tone(400 + 600 * h + rng.normal(0, 30), loudness=rng.uniform(0.1, 0.5)) for h in high]
    state = learn(*files)
    seen = audio.plain(column(*files), state)
    found = KNeighborsClassifier(3).fit(seen[:40], high[:40]).predict(seen[40:])
    assert (found == high[40:]).mean() > 0.9


def test_the_encoder_varies_sounds_while_learning_only():
    state = learn(*TONES)
    arrays = {k: torch.from_numpy(v) for k, v in audio.encode(column(*TONES), state).items()}
    torch.manual_seed(0)
    encoder = audio.encoder(state, ModelSpec())
    encoder.dropout.p = 0.0
    encoder.train()
    assert not torch.equal(encoder(arrays), encoder(arrays))
    encoder.eval()
    with torch.inference_mode():
        assert torch.equal(encoder(arrays), encoder(arrays))
        assert encoder(arrays).shape == (5, encoder.width)


def test_copies_are_alike_and_other_sounds_are_not():
    raw = [noise_burst(seed) for seed in range(60)]
    again = [saved_again(content) for content in raw[:20]]
    train, test = (audio.likeness(column(*values)) for values in (raw[:50], [*again, *raw[50:]]))
    found, nearest = near.copies(train, test)
    assert found.tolist() == [True] * 20 + [False] * 10
    assert nearest[:20].tolist() == list(range(20))
    assert not audio.likeness(column(b"", None, b"no sound", tone(300, loudness=0.0))).any()
    assert audio.likeness(column()).shape == (0, 256)


def noise_burst(seed):
    """Bands of noise that come and go, unlike from one seed to the next."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0, 1, 10), 400)
    wave = np.convolve(rng.normal(size=4_000), rng.normal(size=9), "same") * loud
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.5 * wave / np.abs(wave).max(), 8_000, format="WAV")
    return buffer.getvalue()


def saved_again(content):
    """Quieter, in another format."""
    wave, rate = soundfile.read(io.BytesIO(content))
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.4 * wave, rate, format="FLAC")
    return buffer.getvalue()


@pytest.mark.parametrize("seconds", [0.01, 0.3, 5.0])
def test_a_made_up_sound_is_as_loud_as_trainings_and_every_stress_changes_it(seconds):
    state = learn(*(tone(300, seconds, loudness=0.2) for _ in range(3)))
    made = audio.specimen(state)
    heard = audio.heard(made[0].as_py())
    assert sounds.level(heard.wave) == pytest.approx(max(state.level, sounds.SILENCE), abs=0.1)
    assert heard.seconds <= 0.81
    rng = np.random.default_rng(0)
    for stress in audio.STRESSES:
        changed = audio.stressed(made, state, stress.name, stress.strengths[-1], rng)
        assert not changed.equals(made), stress.name
