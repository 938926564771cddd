import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from penstock.modalities import image
from penstock.spec import ModelSpec


def png(array, kind="PNG", **more):
    buffer = io.BytesIO()
    picture = array if isinstance(array, Image.Image) else Image.fromarray(np.asarray(array))
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def column(*values):
    return pa.chunked_array([pa.array(values, pa.binary())])


def learn(*values, side=0):
    return image.learn(column(*values), np.zeros(0), ModelSpec(image_size=side))


GREY = np.full((10, 10), 51, np.uint8)


def test_pixels_statistics_and_channels_come_from_the_images():
    state = learn(png(GREY), png(GREY))
    assert (state.side, state.channels) == (10, 1)
    assert state.mean == pytest.approx([0.2])
    pixels = image.encode(column(png(GREY)), state)["pixels"]
    assert pixels.dtype == np.uint8
    assert (pixels == 51).all()
    colour = np.zeros((10, 10, 3), np.uint8)
    colour[..., 0] = 255
    state = learn(png(GREY), png(colour))
    assert state.channels == 3
    assert image.encode(column(png(colour)), state)["pixels"][0, :, 0, 0].tolist() == [255, 0, 0]


def test_what_cannot_be_read_is_the_mean_grey():
    state = learn(png(GREY))
    cut = png(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    pixels = image.encode(column(b"", None, b"text", cut[: len(cut) // 2]), state)["pixels"]
    assert (pixels == 51).all()


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "HSV"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_that_pillow_knows_becomes_pixels(mode, channels):
    kind = "TIFF" if mode in ("CMYK", "F", "I") else "PNG"
    picture = Image.new(mode, (9, 11)) if mode != "HSV" else Image.new("RGB", (9, 11))
    state = image.State(side=8, channels=channels, mean=[0.5] * channels, deviation=[1] * channels)
    pixels = image.encode(column(png(picture, kind)), state)["pixels"]
    assert pixels.shape == (1, channels, 8, 8)


def test_a_palette_with_transparency_and_a_rotation_by_exif_are_read():
    palette = Image.new("P", (10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    top = np.zeros((10, 10), np.uint8)
    top[:5] = 250
    state = learn(png(GREY))
    values = column(
        png(palette, transparency=b"\x00" * 4), png(Image.fromarray(top), "JPEG", exif=exif)
    )
    pixels = image.encode(values, state)["pixels"]
    assert pixels[1, 0, 5, 8] > 200
    assert pixels[1, 0, 5, 1] < 50


def test_sixteen_bits_keep_their_range():
    state = learn(png(GREY))
    wide = np.full((10, 10), 65535 // 2, np.uint16)
    pixels = image.encode(column(png(wide)), state)["pixels"]
    assert pixels[0, 0, 0, 0] == 127


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(image, "MAX_PIXELS", 99)
    assert image.decode(png(GREY)) is None
    assert "100" in image.unreadable(column(png(GREY)))[0].replace("10 x 10", "100")


def test_a_thumbnail_is_what_baselines_see():
    state = learn(png(GREY))
    found = image.plain(column(png(GREY), None), state)
    assert found.shape == (2, 64)
    assert (found == 51).all()
