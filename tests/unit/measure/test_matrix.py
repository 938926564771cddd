import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest

from penstock.measure.matrix import MAX_LEVELS, Matrix, as_text
from penstock.records import Column, Layout


def layout_of(table, **modalities):
    columns = [
        Column(name=name, modality=modalities.get(name, "category"), arrow_type=str(column.type))
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return Layout(columns=columns, target="y", task="classification")


def encode(values, modality, kind=None):
    table = pa.table({"c": pa.array(values, kind)})
    return Matrix.learn(table, layout_of(table, c=modality)).apply(table)[:, 0].tolist()


@pytest.mark.parametrize(
    ("values", "modality", "kind", "expected"),
    [
        ([1, None, 3], "numeric", pa.int32(), [1.0, np.nan, 3.0]),
        ([1.5, float("inf"), float("nan")], "numeric", pa.float32(), [1.5, np.nan, np.nan]),
        ([decimal.Decimal("1.25")], "numeric", None, [1.25]),
        ([2**62 + 1], "numeric", pa.int64(), [float(2**62)]),
        ([dt.datetime(1970, 1, 2), None], "timestamp", pa.timestamp("ms"), [86400.0, np.nan]),
        ([dt.datetime(1970, 1, 2)], "timestamp", pa.timestamp("ns", "UTC"), [86400.0]),
        ([dt.date(1970, 1, 3)], "timestamp", pa.date32(), [172800.0]),
        ([dt.time(0, 1)], "timestamp", pa.time32("s"), [60.0]),
        (["b", "a", "b", None], "category", pa.large_string(), [0.0, 1.0, 0.0, np.nan]),
        ([True, False, False], "category", None, [1.0, 0.0, 0.0]),
        ([7, 5, 5], "category", pa.int64(), [1.0, 0.0, 0.0]),
        ([["x"], ["x", "y"], None], "set", None, [0.0, 1.0, np.nan]),
        ([None, None], "category", pa.null(), [np.nan, np.nan]),
        (["long text", "long text", "other"], "text", None, [0.0, 0.0, 1.0]),
    ],
)
def test_every_kind_of_column_becomes_floats(values, modality, kind, expected):
    np.testing.assert_array_equal(encode(values, modality, kind), expected)


def test_a_dictionary_column_is_read_like_its_text():
    table = pa.table({"c": pa.array(["u", "v", "v"]).dictionary_encode()})
    assert as_text(table["c"]).to_pylist() == ["u", "v", "v"]


def test_images_and_columns_without_the_feature_role_are_left_out():
    table = pa.table({"a": [1.0], "i": [b"png"], "y": ["u"]})
    layout = layout_of(table, a="numeric", i="image")
    columns = [
        c.model_copy(update={"role": "target"} if c.name == "y" else {}) for c in layout.columns
    ]
    matrix = Matrix.learn(table, layout.model_copy(update={"columns": columns}))
    assert matrix.names == ["a"]


def test_rare_levels_share_one_code_and_so_do_unseen_ones_then():
    many = [f"l{i:04d}" for i in range(MAX_LEVELS)] * 2 + ["rare", "rarer"]
    table = pa.table({"c": many})
    matrix = Matrix.learn(table, layout_of(table))
    codes = matrix.apply(pa.table({"c": ["l0000", "rare", "rarer", "unseen", None]}))[:, 0]
    np.testing.assert_array_equal(codes, [0, MAX_LEVELS, MAX_LEVELS, MAX_LEVELS, np.nan])


def test_unseen_levels_are_missing_when_nothing_was_pooled():
    table = pa.table({"c": ["u", "v"]})
    codes = Matrix.learn(table, layout_of(table)).apply(pa.table({"c": ["w", "v"]}))[:, 0]
    np.testing.assert_array_equal(codes, [np.nan, 1])


def test_it_survives_json_and_needs_no_other_rows():
    table = pa.table({"a": [3, 1], "c": ["u", "v"]})
    matrix = Matrix.learn(table, layout_of(table, a="numeric"))
    again = Matrix.model_validate_json(matrix.model_dump_json())
    np.testing.assert_array_equal(again.apply(table.slice(1)), matrix.apply(table)[1:])
