import json

import pytest

from penstock import pipeline_file, spec
from penstock.errors import BadInput

LEAST = "name: churn\ndata:\n  source: rows.csv\n  target: y\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "pipeline.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def mistakes(path, overrides=None):
    with pytest.raises(BadInput) as caught:
        pipeline_file.read(path, overrides)
    return caught.value.mistakes


def test_the_least_file_has_defaults_for_the_rest(write):
    pipeline = pipeline_file.read(write(LEAST))
    assert pipeline.registered_name == "churn"
    assert (pipeline.split.test, pipeline.split.valid, pipeline.data.task) == (0.2, 0.1, "auto")


def test_all_mistakes_come_at_once_each_with_its_line(write):
    path = write(
        "name: churn\ndata:\n  source: rows.csv\n  traget: y\nsplit:\n  test: 1.5\nmodle: {}\n"
    )
    found = {mistake.where.rpartition(":")[2]: mistake for mistake in mistakes(path)}
    assert set(found) == {"2", "4", "6", "7"}
    assert found["4"].remedy == "did you mean target?"
    assert found["7"].remedy == "did you mean model?"
    assert "data.target is required" in found["2"].rule
    assert "1.5" in found["6"].found


@pytest.mark.parametrize("text", ["", "- a\n", "just text", "a: [1\n", "\tname: x"])
def test_what_is_no_mapping_is_bad_input(write, text):
    assert len(mistakes(write(text))) == 1


def test_a_file_in_another_encoding_is_bad_input(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_bytes("name: Köln\n".encode("latin-1"))
    assert "UTF-8" in mistakes(path)[0].rule


def test_a_key_that_stands_twice_is_a_mistake(write):
    (found,) = mistakes(write(LEAST + "split: {seed: 1}\nsplit: {seed: 2}\n"))
    assert (found.found, found.where[-2:]) == ("split", ":6")


def test_overrides_win_and_their_mistakes_name_them(write):
    path = write(LEAST)
    assert pipeline_file.read(path, {"split.seed": 7, "model.epochs": 2}).split.seed == 7
    (found,) = mistakes(path, {"split.sed": 7})
    assert (found.where, found.remedy) == ("--set", "did you mean seed?")
    assert mistakes(path, {"name.x": 1})[0].found == "name.x"


def test_one_word_says_the_modality_of_a_column(write):
    path = write(LEAST + "  features:\n    zip code: category\n    'a.b': {modality: exclude}\n")
    features = pipeline_file.read(path).data.features
    assert {name: feature.modality for name, feature in features.items()} == {
        "zip code": "category",
        "a.b": "exclude",
    }
    assert mistakes(write(LEAST + "  features: {a: categry}\n"))


def test_a_gate_of_which_half_is_said_keeps_its_other_half(write):
    gates = pipeline_file.read(write(LEAST + "gates:\n  calibration: {limit: 0.5}\n")).gates
    assert gates.calibration == spec.Gate(limit=0.5, action="warn")
    gates = pipeline_file.read(write(LEAST), {"gates.beats_boosting.action": "refuse"}).gates
    assert gates.beats_boosting == spec.Gate(limit=spec.Gates().beats_boosting.limit)
    assert mistakes(write(LEAST + "gates:\n  extra: {mine: {action: warn}}\n"))[0].rule == (
        "gates.extra.mine.limit is required"
    )


def test_the_schema_is_json_with_every_section_and_description():
    schema = json.loads(json.dumps(pipeline_file.schema()))
    assert set(schema["properties"]) == set(spec.Pipeline.model_fields)
    assert "anyOf" not in json.dumps(schema)


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "a/b", "x" * 101])
def test_a_name_that_is_no_file_name_is_refused(write, name):
    assert mistakes(write(LEAST), {"name": name})


def test_locate_takes_a_folder_a_file_or_a_name(tmp_path):
    folder = tmp_path / "data" / "churn"
    folder.mkdir(parents=True)
    file = folder / "pipeline.yaml"
    file.write_text(LEAST)
    for said in ("churn", "data/churn", "data/churn/pipeline.yaml", str(folder), file):
        assert pipeline_file.locate(said, tmp_path) == file.resolve()
    with pytest.raises(BadInput, match="penstock init"):
        pipeline_file.locate("nothing", tmp_path)
