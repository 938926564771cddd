import base64
import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageFilter

from penstock.measure import pictures
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
    monkeypatch.setattr(pictures, "MAX_PIXELS", 99)
    assert image.seen(png(GREY)) is None
    assert image.unreadable(column(png(GREY))) == ["10 x 10 pixels are more than 99"]


def test_every_reason_is_said():
    noise = png(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    photo = png(np.full((64, 64), 9, np.uint8), "JPEG")
    values = column(noise, b"", b"no image", noise[:500], photo[:-40], None)
    fine, empty, other, cut, cut_photo, missing = image.unreadable(values)
    assert (fine, missing) == ("", "")
    assert empty == "an empty file"
    assert "cannot identify image file" in other
    assert cut
    assert "truncated" in cut_photo


def test_large_files_are_read_by_threads_and_stay_in_order():
    rng = np.random.default_rng(0)
    files = [png(rng.integers(n, 256, (160, 160, 3)).astype(np.uint8)) for n in (0, 90, 180)] * 3
    assert min(map(len, files)) > pictures.LARGE_FILE
    state = learn(*files, side=8)
    found = image.encode(column(*files), state)["pixels"]
    for row, file in enumerate(files):
        assert np.array_equal(found[row], image.encode(column(file), state)["pixels"][0])


def test_colours_that_are_all_grey_need_one_channel():
    grey = np.repeat(np.arange(100, dtype=np.uint8).reshape(10, 10, 1), 3, axis=2)
    assert learn(png(grey), png(grey, "JPEG")).channels == 1
    assert learn(png(Image.fromarray(grey[..., 0]).convert("P"))).channels == 1
    grey[3, 3] = (200, 0, 0)
    assert learn(png(grey)).channels == 3


def test_what_is_seen_through_stands_before_grey():
    black_on_nothing = np.zeros((8, 8, 4), np.uint8)
    black_on_nothing[:4, :, 3] = 255
    state = image.State(side=8, channels=3, mean=[0.5] * 3, deviation=[1.0] * 3)
    pixels = image.encode(column(png(black_on_nothing)), state)["pixels"][0]
    assert (pixels[:, :4] == 0).all()
    assert (pixels[:, 4:] == pictures.BEHIND).all()


def test_twelve_bits_in_sixteen_and_fractions_are_not_black():
    dark = np.linspace(0, 4_000, 64).astype(np.uint16).reshape(8, 8)
    state = learn(png(dark), png(dark // 2))
    assert image.encode(column(png(dark)), state)["pixels"].max() == 255
    assert image.encode(column(png(dark // 2)), state)["pixels"].max() == 127
    shares = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    file = png(shares, "TIFF")
    assert image.encode(column(file), learn(file))["pixels"].max() == 255


def test_cmyk_is_read_as_colours():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    state = learn(png(red, "TIFF"))
    assert state.channels == 3
    found = image.encode(column(png(red, "TIFF")), state)["pixels"][0, :, 4, 4]
    assert found.tolist() == [255, 0, 0]


def test_views_tell_brightness_sharpness_and_the_size_in_full():
    checks = (np.indices((300, 200)).sum(axis=0) // 20 % 2 * 255).astype(np.uint8)
    sharp = Image.fromarray(checks)
    soft = sharp.filter(ImageFilter.GaussianBlur(8))
    found = {
        n: v.to_pylist() for n, v in image.views(column(png(sharp, "JPEG"), png(soft))).items()
    }
    assert found["width"] == [200.0, 200.0]
    assert found["height"] == [300.0, 300.0]
    assert found["sharpness"][0] > 1.5 * found["sharpness"][1]
    assert found["brightness"][0] == pytest.approx(0.5, abs=0.02)


def changed(name, strength, pixels):
    """An image as a stress leaves it, ``float64[side, side]``."""
    values = column(png(pixels))
    state = learn(png(pixels))
    after = image.stressed(values, state, name, strength, np.random.default_rng(0))
    return image.encode(after, state)["pixels"][0, 0].astype(float)


def test_stresses_do_what_they_say():
    ramp = np.tile(np.arange(0, 250, 10, dtype=np.uint8), (25, 1))
    assert np.abs(changed("gamma", 2.0, ramp) - 255 * (ramp / 255.0) ** 2).max() <= 1
    assert np.abs(changed("dark", 1.0, ramp) - ramp / 2).max() <= 1
    dot = np.zeros((25, 25), np.uint8)
    dot[11:14, 11:14] = 240
    mass = changed("shift", 0.12, dot)
    places = np.indices(mass.shape)
    middle = [(mass * place).sum() / mass.sum() for place in places]
    assert max(abs(place - 12) for place in middle) == pytest.approx(3.0, abs=0.1)
    bar = np.zeros((25, 25), np.uint8)
    bar[12, 2:23] = 240
    tilted = changed("turn", 20, bar)
    rows = [float((column * np.arange(25)).sum() / column.sum()) for column in tilted.T[5:20]]
    slope = np.polyfit(np.arange(15), rows, 1)[0]
    assert abs(np.degrees(np.arctan(slope))) == pytest.approx(20, abs=2)
    noise = np.random.default_rng(1).integers(0, 256, (25, 25)).astype(np.uint8)
    assert 5 < np.abs(changed("jpeg", 90, noise) - noise).mean() < 90


def test_each_cell_is_hidden_once_and_tinted_in_its_place():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[0:4, 24:28] = 255  # the last cell of the first row
    state = learn(png(pixels))
    parted = image.parted(column(png(pixels)), state)
    assert len(parted.names) == 49
    assert parted.names[6] == "row 1, column 7 of 7"
    hidden = parted.arrays["pixels"][:, 0].astype(int)
    changed_in = [np.abs(one - pixels)[0:4, 24:28].max() for one in hidden]
    assert np.argmax(changed_in) == 6
    assert (hidden[6][:, :24] == pixels[:, :24]).all()
    tints = np.zeros(49)
    tints[6] = 1.0
    drawn = base64.b64decode(image.shown(column(png(pixels)), state, tints)["picture"])
    shown = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).astype(int)
    side = shown.shape[0]
    assert shown[side // 14, -side // 14].tolist() != [255, 255, 255]  # tinted
    assert shown[-2, 2].tolist() == [0, 0, 0]  # not tinted


def test_a_thumbnail_is_what_baselines_see():
    state = learn(png(GREY))
    found = image.plain(column(png(GREY), None), state)
    assert found.shape == (2, 64)
    assert (found == 51).all()


def test_no_other_program_is_asked_to_read_a_file():
    held = io.BytesIO()
    Image.new("RGB", (9, 9)).save(held, "EPS")  # Pillow asks Ghostscript to read it
    column = pa.chunked_array([pa.array([held.getvalue()], pa.binary())])
    assert image.unreadable(column) == ["cannot identify image file"]


@pytest.mark.parametrize("kind", ["AVIF", "JPEG2000", "WEBP", "MPO", "TIFF", "PPM", "GIF", "BMP"])
def test_files_are_told_by_their_content(kind):
    held = io.BytesIO()
    Image.new("RGB", (9, 9), (200, 0, 0)).save(held, kind)
    column = pa.chunked_array([pa.array([held.getvalue()], pa.binary())])
    assert image.recognise(column, "photo") == 1
    assert image.unreadable(column) == [""]
