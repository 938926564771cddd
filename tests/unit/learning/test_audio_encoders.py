import pytest
import torch

from penstock.learning import audio_encoders
from penstock.learning.audio_encoders import ResidualSound, masked, over_noise, warped

BANDS, FRAMES = 40, 64


def tone(band, count=400):
    """Spectrograms of one steady band."""
    mels = torch.zeros(count, 1, BANDS, FRAMES)
    mels[:, :, band] = 1.0
    return mels


def bands_of(mels):
    """Where the sound lies, ``float[n]``, by its centre of gravity in the middle of the time."""
    middle = mels[:, 0, :, FRAMES // 2]
    return (middle * torch.arange(BANDS)).sum(1) / middle.sum(1)


def test_high_bands_move_farther_than_low_ones_and_none_beyond_what_is_said():
    torch.manual_seed(0)
    low, high = (bands_of(warped(tone(band))) for band in (4, 30))
    slide = audio_encoders.SLIDE * BANDS
    for found, band in ((low, 4), (high, 30)):
        reach = slide + audio_encoders.TRACT * (band + 1) / (1 - audio_encoders.TRACT)
        assert (found - band).abs().max() < reach + 1
        assert found.mean().item() == pytest.approx(band, abs=1)
    assert high.std() > 2 * low.std()


def test_the_same_sound_is_another_one_each_time_while_learning_and_one_afterwards():
    torch.manual_seed(0)
    network = ResidualSound([0.5] * BANDS, [0.25] * BANDS, FRAMES, 16)
    sound = {"mels": (255 * tone(10, 2)[:, 0]).byte(), "level": torch.zeros(2)}
    network.train()
    first, second = network(sound)
    assert not torch.equal(first, second)
    network.eval()
    first, second = network(sound)
    assert torch.equal(first, second)
    assert first.shape == (network.width,)


def test_noise_never_hides_what_is_louder_and_masks_hide_a_band_and_a_stretch():
    torch.manual_seed(0)
    loud = tone(10, 50)
    assert torch.equal(over_noise(loud)[:, :, 10], loud[:, :, 10])
    hidden = masked(torch.ones(200, 1, BANDS, FRAMES))[:, 0] == 0
    rows, columns = hidden.all(dim=2).sum(1), hidden.all(dim=1).sum(1)
    assert rows.max() <= audio_encoders.MASKED * BANDS + 1
    assert columns.max() <= audio_encoders.MASKED * FRAMES + 1
    assert rows.float().mean() > 1 and columns.float().mean() > 1
