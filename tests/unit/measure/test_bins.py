import numpy as np
import pyarrow as pa
import pytest

from penstock.measure.bins import Cut, Said


def counted(cut, values):
    codes = cut.codes(values)
    return {cut.said(code): int((codes == code).sum()) for code in np.unique(codes[codes >= 0])}


def test_numbers_are_cut_into_fifths_of_the_rows_and_named_by_their_ends():
    values = pa.array(np.arange(1000) / 1000)
    cut = Cut.of(values, "photo brightness", Said("darkest", "brightest"))
    assert counted(cut, values) == {
        "photo brightness 0 to 0.199 (darkest fifth)": 200,
        "photo brightness 0.2 to 0.399": 200,
        "photo brightness 0.4 to 0.599": 200,
        "photo brightness 0.6 to 0.799": 200,
        "photo brightness 0.8 to 0.999 (brightest fifth)": 200,
    }


def test_other_rows_fall_into_the_same_slices():
    values = pa.array(np.arange(1000.0))
    cut = Cut.of(values, "age", Said())
    assert cut.codes(pa.array([-7.0, 199.0, 199.5, 2000.0, None])).tolist() == [0, 0, 1, 4, 5]


@pytest.mark.parametrize(("rows", "slices"), [(100, 2), (280, 2), (420, 3), (699, 4), (5000, 5)])
def test_few_rows_make_few_slices(rows, slices):
    cut = Cut.of(pa.array(np.arange(float(rows))), "x", Said())
    assert len(cut.names) - 1 == slices


def test_a_heap_is_one_slice_and_few_numbers_are_levels():
    heap = pa.array(np.append(np.zeros(850), np.arange(1.0, 151.0)))
    assert counted(Cut.of(heap, "gain", Said()), heap) == {
        "gain = 0 (lowest 85%)": 850,
        "gain 1 to 150 (highest 15%)": 150,
    }
    rooms = pa.array([1.0, 2.0, 4.0] * 100)
    assert counted(Cut.of(rooms, "rooms", Said()), rooms) == dict.fromkeys(
        ("rooms = 1", "rooms = 2", "rooms = 4"), 100
    )


def test_missing_numbers_are_a_slice_and_endless_ones_are_missing():
    values = pa.array([1.0, None, np.nan, np.inf, 2.0])
    assert counted(Cut.of(values, "x", Said(), "col"), values) == {
        "x = 1": 1,
        "x = 2": 1,
        "col = (missing)": 3,
    }


def test_nothing_but_missing_values_are_one_slice():
    values = pa.array([None, None], pa.float64())
    assert counted(Cut.of(values, "x", Said()), values) == {"x = (missing)": 2}


def test_as_many_digits_are_said_as_tell_the_ends_apart():
    values = pa.array(1.0 + np.arange(1000) / 1e6)
    assert Cut.of(values, "x", Said()).names[0] == "1 to 1.0002 (lowest fifth)"
    large = pa.array(1e6 + np.arange(1000.0))
    assert Cut.of(large, "x", Said()).names[1] == "1000200 to 1000399"


def test_units_and_dates():
    loud = pa.array(np.linspace(-60, -10, 1000))
    names = Cut.of(loud, "call loudness", Said("quietest", "loudest", " dB")).names
    assert names[0] == "-60 to -50 dB (quietest fifth)"
    pitch = pa.array(np.linspace(300.5, 4100.5, 1000))
    assert Cut.of(pitch, "pitch", Said(unit=" Hz")).names[3] == "2580 to 3340 Hz"
    seconds = pa.array(np.linspace(1.0800001e9, 1.47e9, 1000) + 0.5)
    assert Cut.of(seconds, "x", Said()).names[4] == "1390000000 to 1470000000 (highest fifth)"
    tiny = pa.array(np.linspace(1.5e-12, 9e-12, 1000))
    assert Cut.of(tiny, "x", Said()).names[0] == "1.5e-12 to 2.99e-12 (lowest fifth)"
    days = pa.array(19_723 + np.arange(1000.0))
    names = Cut.of(days, "when", Said("earliest", "latest", date=True)).names
    assert names[0] == "2024-01-01 to 2024-07-18 (earliest fifth)"
    far = pa.array(1e9 + np.arange(1000.0))  # beyond the year 9999
    assert len(Cut.of(far, "when", Said(date=True)).names) == 6


def test_names_are_levels_the_most_frequent_ones():
    values = pa.array([f"l{i}" for i in range(30) for _ in range(i + 1)] + [None] * 4)
    cut = Cut.of(values, "c", Said())
    found = counted(cut, values)
    assert len(found) == 25
    assert (found["c = l29"], found["c = l6"], found["c = (missing)"]) == (30, 7, 4)
    assert cut.codes(pa.array(["l0", "new", "l29"])).tolist() == [-1, -1, 0]


def test_names_of_rows_make_no_slice_and_long_ones_are_cut():
    rows = pa.array([f"row {i}" for i in range(100)])
    assert counted(Cut.of(rows, "id", Said()), rows) == {}
    long = pa.array(["x" * 200] * 5)
    assert Cut.of(long, "c", Said()).names[0] == "= " + "x" * 59 + "…"
