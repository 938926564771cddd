import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from penstock.learning.image_encoders import ResidualImage, moved


@pytest.mark.parametrize("side", [8, 9, 28, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_any_size_becomes_a_vector(side, channels):
    encoder = ResidualImage(channels, side, [0.5] * channels, [0.2] * channels, planes=16)
    assert encoder.width == 16 * 4
    pixels = torch.zeros(1, channels, side, side, dtype=torch.uint8)
    for learning in (True, False):  # a batch of a single image learns too
        assert encoder.train(learning)({"pixels": pixels}).shape == (1, encoder.width)


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (28, 3), (64, 1)])
def test_its_work_is_what_torch_counts(side, channels):
    encoder = ResidualImage(channels, side, [0.5] * channels, [0.2] * channels, planes=32).eval()
    pixels = torch.zeros(1, channels, side, side, dtype=torch.uint8)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder({"pixels": pixels})
    assert encoder.work == counter.get_total_flops() / 2


def centres(pixels):
    """Row and column of the mean brightness of each image."""
    mass = pixels[:, 0] / pixels[:, 0].sum(dim=(1, 2), keepdim=True)
    places = torch.arange(pixels.shape[2], dtype=torch.float32)
    rows = (mass.sum(dim=2) * places).sum(dim=1)
    columns = (mass.sum(dim=1) * places).sum(dim=1)
    return rows.numpy(), columns.numpy()


def test_images_move_both_ways_by_up_to_a_fourteenth_and_each_by_its_own():
    torch.manual_seed(0)
    pixels = torch.zeros(400, 1, 28, 28)
    pixels[:, :, 12:16, 12:16] = 1.0  # its middle is 13.5
    for place in centres(moved(pixels)):
        assert np.abs(place - 13.5).max() <= 28 / 14 * 1.15
        assert place.min() < 12.5
        assert place.max() > 14.5
        assert len(np.unique(place.round(3))) > 300


def test_images_are_never_mirrored_nor_upside_down():
    torch.manual_seed(0)
    pixels = torch.zeros(400, 1, 28, 28)
    pixels[:, :, 4:8, 4:8] = 1.0
    for place in centres(moved(pixels)):
        assert place.max() < 13.5


def test_what_comes_in_from_outside_repeats_the_border():
    torch.manual_seed(0)
    assert torch.allclose(moved(torch.full((50, 3, 9, 9), 7.0)), torch.tensor(7.0))


def test_scoring_does_not_move_anything():
    torch.manual_seed(0)
    encoder = ResidualImage(1, 28, [0.5], [0.2], planes=16).eval()
    pixels = torch.randint(0, 255, (4, 1, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(encoder({"pixels": pixels}), encoder({"pixels": pixels}))
