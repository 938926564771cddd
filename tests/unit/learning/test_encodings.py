import numpy as np
import torch

from penstock.learning.encoded import Encoded
from penstock.learning.encoders import LevelEmbedding, PiecewiseLinear
from penstock.learning.encodings import (
    Exchange,
    column_encodings,
    encodings,
    spans,
    work_of_row,
)
from penstock.learning.network import Network, Shape


def parts(n=1300):
    torch.manual_seed(0)
    bins = PiecewiseLinear([0.0, 1.0, 2.0], [0.0, 2.0], [-1.0, 1.0])
    network = Network({"n": bins, "c": LevelEmbedding([1.0] * 4)}, 2, Shape(8, 2, 0.5, 3))
    rng = np.random.default_rng(0)
    arrays = {
        "n": {"value": rng.normal(size=n).astype(np.float32)},
        "c": {"level": rng.integers(0, 4, n)},
    }
    return network, arrays, Encoded.of(arrays, n)


def test_encodings_and_outputs_are_the_networks_own():
    network, _, rows = parts()
    found = Exchange(network, encodings(network, rows)).outputs()
    with torch.inference_mode():
        wanted = network.eval()(rows.inputs)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_column_encoded_alone_is_its_span_of_the_whole():
    network, arrays, rows = parts()
    whole = encodings(network, rows)
    where = spans(network)
    assert where == {"n": slice(0, 4), "c": slice(4, 4 + network.encoders[1].width)}
    for name, span in where.items():
        assert torch.equal(column_encodings(network, name, arrays[name]), whole[:, span])


def test_an_exchanged_column_gives_the_outputs_of_the_changed_rows():
    network, arrays, rows = parts()
    exchange = Exchange(network, encodings(network, rows))
    arrays["c"]["level"] = (arrays["c"]["level"] + 1) % 4
    some = torch.tensor([3, 700, 1299])
    found = exchange.outputs_with("c", column_encodings(network, "c", arrays["c"])[some], some)
    with torch.inference_mode():
        wanted = network.eval()(Encoded.of(arrays, 1300).inputs)[some]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert not np.allclose(found, exchange.outputs()[some])


def test_work_counts_members_and_pixels():
    network, arrays, rows = parts(3)
    weights = (4 + network.encoders[1].width) * 8 + 8 * 8
    assert work_of_row(network, rows) == 3 * weights
    arrays["p"] = {"pixels": np.zeros((3, 1, 8, 8), dtype=np.uint8)}
    assert work_of_row(network, Encoded.of(arrays, 3)) > 3 * weights + 64
