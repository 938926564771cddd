"""What a column is told to be, and why."""

import pyarrow as pa
import pytest

from penstock import modalities, plugins
from penstock.errors import BadInput
from penstock.spec import Data, Feature, SplitSpec
from penstock.tables.agreement import check_columns
from penstock.tables.columns import holds, infer, survey

NAMES = [f"photos/{number}.JPG" for number in range(60)]


def test_names_of_files_in_a_table_are_told_as_such():
    modality, why = infer("photo", pa.chunked_array([NAMES]))
    assert modality == "identifier"
    assert "names of files" in why
    assert "names of files" not in infer("path", pa.chunked_array([NAMES]), "metadata")[1]
    codes = [f"A{number:04d}" for number in range(60)]
    assert "names of files" not in infer("code", pa.chunked_array([codes]))[1]


def test_a_source_of_files_without_the_column_is_told_how_names_become_columns():
    data = Data(source="sounds", target="digit")
    with pytest.raises(BadInput, match=r"folder/\{digit\}_\{number\}"):
        check_columns(["path", "audio"], data, SplitSpec())
    with pytest.raises(BadInput) as caught:
        check_columns(["path", "size"], data.model_copy(update={"target": "sizes"}), SplitSpec())
    assert "did you mean size?" in caught.value.message


HELD = {
    "number": pa.array([1.5, 2.5]),
    "time": pa.array([0, 10**9], pa.timestamp("us")),
    "text": pa.array(["one two", "three"]),
    "bytes": pa.array([b"a", b"b"]),
    "level": pa.array(["u", "v"]),
}


@pytest.mark.parametrize("name", plugins.modules("penstock.modalities"))
def test_what_a_modality_holds_is_read_as_that_and_other_values_are_refused(name):
    held = modalities.load(name).HOLDS
    assert holds(name) == held
    for kind, values in HELD.items():
        found, mistakes = survey("c", pa.chunked_array([values]), name)
        if kind == held:
            assert (found.modality, mistakes) == (name, [])
        elif "bytes" in (kind, held):
            assert mistakes, (kind, held)


def test_a_plug_in_can_be_said_and_a_slip_is_told(monkeypatch):
    assert Feature(modality="image").modality == "image"
    with pytest.raises(ValueError, match="did you mean image"):
        Feature(modality="imgae")
    known = {**plugins.modules("penstock.modalities"), "colour": "penstock_colour"}
    monkeypatch.setattr(plugins, "modules", lambda package: known)
    assert Feature(modality="colour").modality == "colour"
    assert "colour" in Feature.model_json_schema()["properties"]["modality"]["enum"]
