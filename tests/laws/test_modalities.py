"""Laws that every modality with an encoder keeps, found on disk: a new one is held to them too."""

import datetime as dt
import io
import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from PIL import Image

from penstock import modalities, plugins
from penstock.evidence import Exhibit
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


def picture(seed, mode):
    shape = (12, 9) if mode == "L" else (12, 9, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def recording(seed, seconds=0.3, rate=8_000, channels=1, kind="WAV"):
    """A hum whose pitch and loudness the seed says, in a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    hum = np.sin(2 * np.pi * (200 + 20 * seed) * time) * 0.02 * (1 + seed % 10)
    wave = hum[:, None] + 0.002 * rng.normal(size=(len(time), channels))
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=kind)
    return buffer.getvalue()


def moment(n):
    return dt.datetime(2020, 1, 1) + dt.timedelta(days=n, hours=n)


def sentence(n):
    words = ["the", "red", "Fox", "jumps", "über", "a", "lazy", "dog", "13", "times", "!"]
    return " ".join(np.random.default_rng(n).choice(words, 4 + n % 9))


ODD_TEXTS = [
    "",
    None,
    " \n",
    "\x00",
    "😀" * 40,
    "漢字かな",
    "x" * 100_000,
    "a\u0301 \ufdfa",
    "q z " * 999,
]
HUGE = [1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"), None, 0.0]
DAYS = [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23), None, dt.datetime(1969, 12, 31)]
BYTES = [b"", None, b"no image", png(3)[:-20], png(3)[:40], b"\xff\xd8\xff" + bytes(90)]
SOUNDS = [b"", None, b"no sound", recording(1)[:30], recording(1)[:900], b"ID3" + bytes(90)]
SOUNDS += [recording(2, 3.0, 44_100, 2), recording(3, kind="FLAC")[:500], recording(4, 0.001)]
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
    "set": [
        (pa.string(), ["a|b", "b | c|", "ü <x>"] * 20, ["", "|", None, "new|a", "a|" * 5_000]),
        (pa.string(), ["one", "two"] * 30, ["one|two", None]),
        (pa.string(), [None] * 60, ["a|b", None]),
        (pa.string(), ["a|b|c", "a;b"] * 30, ["a;b;c"]),
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
    "text": [
        (pa.string(), [sentence(n) for n in range(60)], ODD_TEXTS),
        (pa.large_string(), [sentence(n) for n in range(60)], ODD_TEXTS),
        (pa.string(), [None, ""] * 30, ODD_TEXTS),
        (pa.string(), ["\x00 😀 &&", "Ünï ﬁx", None] * 20, ODD_TEXTS),
    ],
    "audio": [
        (pa.binary(), [recording(n) for n in range(60)], SOUNDS),
        (pa.binary(), [recording(n, 0.1 + n / 90, 11_025, 2, "FLAC") for n in range(60)], SOUNDS),
        (pa.binary(), [recording(n, 0.2, 44_100, 1, "MP3") for n in range(60)], SOUNDS),
        (pa.binary(), [None, b"broken"] * 30, SOUNDS),
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


# columns that every stress can change: by modality, Arrow type and values
PLAIN = {
    "numeric": [
        (pa.float64(), np.random.default_rng(0).normal(50, 9, 200).tolist()),
        (pa.int64(), np.random.default_rng(1).integers(20, 90, 200).tolist()),
    ],
    "category": [
        (pa.string(), [f"level {n % 20}" for n in range(200)]),
        (pa.int64(), [n % 20 for n in range(200)]),
    ],
    "set": [
        (pa.string(), [f"tag {n % 7}|tag {n % 5 + 7}|tag {n % 3 + 12}" for n in range(200)]),
    ],
    "timestamp": [(pa.timestamp("us"), [moment(n) for n in range(200)])],
    "image": [
        (pa.binary(), [picture(n, "L") for n in range(40)]),
        (pa.binary(), [picture(n, "RGB") for n in range(40)]),
    ],
    "text": [(pa.string(), [sentence(n) for n in range(200)])],
    "audio": [
        (pa.binary(), [recording(n) for n in range(40)]),
        (pa.binary(), [recording(n, 0.5, 22_050, 2, "OGG") for n in range(40)]),
    ],
}
STRESSED = [
    pytest.param(name, kind, values, stress, id=f"{name}-{number}-{stress.name}")
    for name in ENCODING
    for number, (kind, values) in enumerate(PLAIN.get(name, [(None, None)]))
    for stress in FOUND[name].STRESSES
]


def test_every_modality_that_encodes_is_stressed_here():
    assert set(PLAIN) == {case.values[0] for case in STRESSED} == set(ENCODING)


def size_of_change(before, after):
    """Share of rows that are encoded otherwise; mean distance of the arrays that have one."""
    rows, distance = np.zeros(len(next(iter(before.values()))), dtype=bool), 0.0
    for name, array in before.items():
        differs = ~((array == after[name]) | ((array != array) & (after[name] != after[name])))
        rows |= differs.reshape(len(rows), -1).any(axis=1)
        if name in ("value", "pixels", "mels", "level", "pieces"):
            distance += np.nan_to_num(np.abs(array.astype(float) - after[name])).mean()
    return rows.mean(), distance


@pytest.mark.parametrize(("name", "kind", "values", "stress"), STRESSED)
def test_a_stronger_stress_changes_more_and_the_mildest_something(name, kind, values, stress):
    modality, raw = FOUND[name], column(values, kind)
    state = modality.learn(raw, np.arange(len(raw), dtype=np.int64) % 3, SPEC)
    before = modality.encode(raw, state)
    sizes = []
    for strength in stress.strengths:
        rng = np.random.default_rng(3)
        after = modality.encode(modality.stressed(raw, state, stress.name, strength, rng), state)
        sizes.append(size_of_change(before, after))
    assert sizes[0][0] > 0
    for (less_rows, less), (more_rows, more) in pairwise(sizes):
        assert more_rows >= less_rows - 0.02
        assert more_rows > less_rows or more > less
    assert stress.strengths == tuple(sorted(stress.strengths))
    assert "{" not in stress.clause("c", stress.strengths[0])


@pytest.mark.parametrize("name", ENCODING)
def test_any_column_is_stressed_into_as_many_rows_that_encode_and_repeat(name):
    modality = FOUND[name]
    for kind, seen, unseen in COLUMNS[name]:
        state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
        for values in (seen, unseen, []):
            raw = column(values, kind)
            for stress in modality.STRESSES:
                once, again = (
                    modality.stressed(raw, state, stress.name, strength, np.random.default_rng(1))
                    for strength in (stress.strengths[-1],) * 2
                )
                assert len(once) == len(raw)
                assert once.equals(again)
                arrays = modality.encode(once, state)
                assert {len(array) for array in arrays.values()} == {len(raw)}
                equal(arrays, modality.encode(again, state))


@pytest.mark.parametrize("name", [name for name in ENCODING if hasattr(FOUND[name], "reduced")])
def test_a_reduced_column_is_encoded_as_the_whole_one(name):
    modality = FOUND[name]
    for kind, seen, _ in COLUMNS[name]:
        state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
        small = modality.reduced(column(seen, kind), state)
        equal(modality.encode(small, state), modality.encode(column(seen, kind), state))


@pytest.mark.parametrize(("name", "kind", "seen", "unseen"), CASES)
def test_views_are_numbers_or_names_a_row_whatever_the_values(name, kind, seen, unseen):
    module = FOUND[name]
    for values in (seen, unseen):
        views = module.views(pa.chunked_array([pa.array(values, kind)]))
        assert views
        for view in views.values():
            assert view.type in (pa.float64(), pa.string())
            assert len(view) == len(values)
    halves = pa.chunked_array([pa.array(seen[:7], kind), pa.array(seen[7:], kind)])
    whole = module.views(pa.chunked_array([pa.array(seen, kind)]))
    assert {n: v.to_pylist() for n, v in module.views(halves).items()} == {
        n: v.to_pylist() for n, v in whole.items()
    }


PARTED = [name for name in ENCODING if hasattr(FOUND[name], "parted")]


@pytest.mark.parametrize("name", PARTED)
def test_each_part_of_a_value_is_hidden_once_and_what_is_shown_is_an_exhibit(name):
    modality = FOUND[name]
    for kind, seen, unseen in COLUMNS[name]:
        state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
        whole = modality.encode(column(seen, kind), state)
        for value in [*seen[:3], *unseen]:
            one = column([value], kind)
            parted = modality.parted(one, state)
            assert len(parted.names) <= 64
            for key, array in parted.arrays.items():
                assert array.dtype == whole[key].dtype
                assert array.shape == (len(parted.names), *whole[key].shape[1:])
            tints = np.linspace(-1, 1, len(parted.names))
            if parted.names:
                Exhibit(**{"caption": ""} | modality.shown(one, state, tints))
                Exhibit(**{"caption": ""} | modality.shown(None, state, tints))


@pytest.mark.parametrize("name", PARTED)
def test_hiding_parts_changes_what_the_encoder_is_given(name):
    modality, (kind, values) = FOUND[name], PLAIN[name][0]
    state = modality.learn(column(values, kind), np.arange(len(values)) % 3, SPEC)
    parted = modality.parted(column(values[:1], kind), state)
    before = modality.encode(column(values[:1], kind), state)
    changed = np.zeros(len(parted.names), dtype=bool)
    for key, array in parted.arrays.items():
        changed |= (array != before[key]).reshape(len(array), -1).any(axis=1)
    assert changed.mean() > 0.5


@pytest.mark.parametrize("name", [n for n in ENCODING if hasattr(FOUND[n], "specimen")])
def test_a_made_up_value_is_read_shown_and_changed_by_every_stress(name):
    modality = FOUND[name]
    for kind, seen, _ in COLUMNS[name]:
        state = modality.learn(column(seen, kind), TARGETS["classes"], SPEC)
        made = modality.specimen(state)
        assert len(made) == 1
        before = modality.encode(made, state)
        assert Exhibit(caption="", **modality.shown(made, state, np.zeros(0))).picture
        for stress in modality.STRESSES:
            rng = np.random.default_rng(0)
            after = modality.stressed(made, state, stress.name, stress.strengths[-1], rng)
            now = modality.encode(after, state)
            assert any(not np.array_equal(before[key], now[key]) for key in before), stress.name


@pytest.mark.parametrize("name", [n for n in ENCODING if hasattr(FOUND[n], "likeness")])
def test_likeness_is_a_finite_vector_a_row_and_that_of_a_row_alone(name):
    modality = FOUND[name]
    for kind, seen, unseen in COLUMNS[name]:
        found = modality.likeness(column([*seen, *unseen], kind))
        assert found.dtype == np.float32
        assert len(found) == len(seen) + len(unseen)
        assert np.isfinite(found).all()
        assert np.array_equal(modality.likeness(column(unseen, kind)), found[len(seen) :])
        assert modality.likeness(column([], kind)).shape == (0, found.shape[1])
