"""Laws that every modality with an encoder keeps, found on disk: a new one is held to them too."""

import datetime as dt
import io
import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from penstock import modalities, plugins
from penstock.learning.encoded import Encoded
from penstock.spec import ModelSpec

FOUND = {name: modalities.load(name) for name in plugins.modules("penstock.modalities")}
ENCODING = [name for name, module in FOUND.items() if hasattr(module, "encode")]
SPEC = ModelSpec(image_size=8)
TARGETS = {
    "classes": np.arange(60, dtype=np.int64) % 3,
    "values": np.linspace(-1.0, 1.0, 60),
}


def png(value, size=(9, 12), mode="L"):
    buffer = io.BytesIO()
    Image.new(mode, size, value).save(buffer, "PNG")
    return buffer.getvalue()


def moment(n):
    return dt.datetime(2020, 1, 1) + dt.timedelta(days=n, hours=n)


HUGE = [1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"), None, 0.0]
DAYS = [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23), None, dt.datetime(1969, 12, 31)]
BYTES = [b"", None, b"no image", png(3)[:-20], png(3)[:40], b"\xff\xd8\xff" + bytes(90)]
BYTES += [png((9, 9, 9), mode="RGB"), png(1, (1, 1)), png(300, (3, 40), "I;16")]

# by modality: Arrow type, values to learn from, values never seen
COLUMNS = {
    "numeric": [
        (pa.float64(), [float(n % 7) for n in range(60)], HUGE),
        (pa.float64(), np.random.default_rng(0).standard_cauchy(60).tolist(), HUGE),
        (pa.int64(), [2**62 + n for n in range(60)], [2**63 - 1, -(2**63), None, 2**53 + 1]),
        (pa.float64(), [1e308, -1e308] * 30, HUGE),
        (pa.float64(), [0.5] * 59 + [1e300], HUGE),
        (pa.float64(), [n / 60 for n in range(59)] + [1e300], HUGE),
        (pa.float64(), [5e-324, 0.0] * 30, HUGE),
        (pa.float64(), [1.0] * 60, HUGE),
        (pa.int64(), [None] * 60, [1, None]),
    ],
    "category": [
        (pa.string(), ["a", "b", "ü <x>"] * 20, ["", "new", None, "A", "\x00", "a" * 10_000]),
        (pa.bool_(), [True, False, None] * 20, [None, True]),
        (pa.int64(), [1, 2, 3] * 20, [2**63 - 1, None]),
        (pa.string(), [None] * 60, ["a", None]),
        (pa.string(), [f"id{n}" for n in range(60)], ["id3", None]),
    ],
    "timestamp": [
        (pa.timestamp("us"), [moment(n) for n in range(60)], DAYS),
        (pa.timestamp("us", "UTC"), [moment(n) for n in range(60)], DAYS),
        (pa.timestamp("ns"), [moment(n) for n in range(60)], [None, moment(-9999)]),
        (pa.timestamp("us"), [moment(0)] * 60, DAYS),
        (pa.timestamp("us"), DAYS * 15, DAYS),
        (pa.timestamp("us"), [None] * 60, DAYS),
    ],
    "image": [
        (pa.binary(), [png(n * 4) for n in range(60)], BYTES),
        (pa.binary(), [png((n, 9, 200), mode="RGB") for n in range(60)], BYTES),
        (pa.binary(), [None, b"broken"] * 30, BYTES),
    ],
}
CASES = [
    pytest.param(name, kind, seen, unseen, id=f"{name}-{number}")
    for name in ENCODING
    for number, (kind, seen, unseen) in enumerate(COLUMNS.get(name, [(None, None, None)]))
]


def column(values, kind):
    return pa.chunked_array([pa.array(values, kind)])


def equal(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])


def test_every_modality_that_encodes_has_columns_here():
    assert set(ENCODING) == set(COLUMNS)


@pytest.mark.parametrize("goal", TARGETS)
@pytest.mark.parametrize(("name", "kind", "seen", "unseen"), CASES)
def test_encodes_what_it_never_saw_into_finite_outputs_of_the_said_width(
    name, kind, seen, unseen, goal
):
    modality = FOUND[name]
    state = modality.learn(column(seen, kind), TARGETS[goal], SPEC)
    encoder = modality.encoder(state, SPEC)
    for values in (seen, unseen, []):
        arrays = modality.encode(column(values, kind), state)
        assert arrays
        assert {len(array) for array in arrays.values()} == {len(values)}
        tensors, _ = Encoded.of({"c": arrays}, len(values)).take(
            torch.arange(len(values)), torch.device("cpu")
        )
        with torch.inference_mode():
            output = encoder.eval()(tensors["c"])
        assert output.shape == (len(values), encoder.width)
        assert output.dtype == torch.float32
        assert torch.isfinite(output).all()


@pytest.mark.parametrize(("name", "kind", "seen", "unseen"), CASES)
def test_the_state_survives_json_with_the_same_encodings(name, kind, seen, unseen):
    modality = FOUND[name]
    state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
    text = json.dumps(state.model_dump(mode="json"), allow_nan=False)
    again = modality.State.model_validate(json.loads(text))
    for values in (seen, unseen):
        equal(
            modality.encode(column(values, kind), state),
            modality.encode(column(values, kind), again),
        )


@pytest.mark.parametrize(("name", "kind", "seen", "unseen"), CASES)
def test_a_row_is_encoded_alone_as_among_others_and_learning_repeats(name, kind, seen, unseen):
    modality = FOUND[name]
    state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
    assert state == modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
    together = modality.encode(column([*seen, *unseen], kind), state)
    alone = modality.encode(column(unseen, kind), state)
    equal({key: array[len(seen) :] for key, array in together.items()}, alone)


@pytest.mark.parametrize(("name", "kind", "seen", "unseen"), CASES)
def test_the_same_seed_gives_the_same_weights(name, kind, seen, unseen):
    modality = FOUND[name]
    state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
    weights = []
    for _ in range(2):
        torch.manual_seed(5)
        weights.append(modality.encoder(state, SPEC).state_dict())
    for key in weights[0]:
        assert torch.equal(weights[0][key], weights[1][key])


@pytest.mark.parametrize(
    ("name", "kind", "seen", "unseen"),
    [case for case in CASES if hasattr(FOUND[case.values[0]], "plain")],
)
def test_what_baselines_see_is_a_finite_matrix(name, kind, seen, unseen):
    modality = FOUND[name]
    state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
    left, right = (modality.plain(column(values, kind), state) for values in (seen, unseen))
    assert left.dtype == np.float64
    assert left.shape == (len(seen), right.shape[1])
    assert np.isfinite(left).all()
    assert np.isfinite(right).all()


@pytest.mark.parametrize("name", FOUND)
def test_says_how_sure_it_is_between_0_and_1(name):
    if not hasattr(FOUND[name], "recognise"):
        pytest.skip("it recognises nothing")
    for kind, seen, unseen in (case for cases in COLUMNS.values() for case in cases):
        for values in (seen, unseen, []):
            assert 0 <= FOUND[name].recognise(column(values, kind), "c") <= 1
