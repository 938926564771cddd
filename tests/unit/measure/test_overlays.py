import base64
import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from penstock.measure import overlays


def pixels_of(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")).astype(int)


def test_what_is_not_tinted_stays_and_the_rest_leans_to_its_colour():
    grey = np.full((4, 4), 100, np.uint8)
    seen = pixels_of(overlays.tinted(grey, np.array([[0.0, 1.0], [-1.0, 0.5]])))
    top, low, left, right = 10, -10, 10, -10
    assert seen[top, left].tolist() == [100, 100, 100]
    assert seen[top, right].tolist() == [198, 115, 40]  # a quarter of 100, three of the orange
    assert seen[low, left].tolist() == [48, 115, 190]
    assert seen[top, right][0] > seen[low, right][0] > 100


@pytest.mark.parametrize(("shape", "size"), [((3, 9), (162, 54)), ((2000, 1000), (256, 512))])
def test_small_pictures_grow_by_whole_pixels_and_large_ones_shrink(shape, size):
    picture = overlays.tinted(np.zeros(shape, np.uint8), np.zeros((1, 1)))
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == size


def test_colours_are_kept():
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    assert pixels_of(overlays.tinted(red, np.zeros((1, 1))))[0, 0].tolist() == [200, 0, 0]


def test_what_is_played_is_short_and_of_the_loudest_part():
    wave = np.zeros(10 * 44_100, np.float32)
    wave[8 * 44_100 : 9 * 44_100] = 0.01 * np.sin(np.arange(44_100) * 0.1)
    text = overlays.played(wave, 44_100, gain=60)
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(text)))
    assert rate == 16_000
    assert len(heard) == 6 * 16_000
    assert 0.9 < np.abs(heard).max() <= 1
    assert len(text) < 400_000


def test_a_quieter_recording_is_played_quieter():
    def loud(times, gain):
        wave = (times * np.sin(np.arange(8_000) * 0.1)).astype(np.float32)
        text = overlays.played(wave, 8_000, gain)
        return np.abs(soundfile.read(io.BytesIO(base64.b64decode(text)))[0]).max()

    assert loud(0.1, 6) / loud(0.05, 6) == pytest.approx(2, rel=1e-2)
    assert loud(0.1, 6) / loud(0.1, 0) == pytest.approx(10**0.3, rel=1e-2)
