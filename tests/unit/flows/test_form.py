"""The form of ``train``: what a person sees, what is refused, and what an empty field means."""

import jsonschema
import pytest
from prefect.utilities.callables import parameter_schema

from flows.deploy import TABLE, form
from flows.form import overrides_schema
from flows.train import train
from penstock import pipeline_file

LEAST = "name: churn\ndata: {source: rows.csv, target: y}\nsplit: {seed: 3, test: 0.3}\n"


def refused(overrides):
    validator = jsonschema.Draft202012Validator(form(TABLE[0], "churn"))
    return [
        error.message
        for error in validator.iter_errors({"pipeline": "data/churn", "overrides": overrides})
    ]


def fields(schema, path=()):
    for name, field in schema.get("properties", {}).items():
        yield (*path, name), field
        yield from fields(field, (*path, name))


def test_every_field_has_a_title_and_says_what_it_is():
    for path, field in fields(overrides_schema()):
        assert field["title"], path
        assert field["title"][0].isupper(), path
        assert field.get("description"), path


def test_nothing_is_demanded_preset_or_a_union():
    found = dict(fields(overrides_schema()))
    assert len(found) > 40
    for path, field in found.items():
        assert not {"default", "required", "anyOf", "oneOf", "$ref"} & set(field), path
        assert field["type"] != "boolean", path  # the older page sends false for an empty box


def test_ranges_and_choices_are_those_of_the_spec():
    found = dict(fields(overrides_schema()))
    assert found["split", "strategy"]["enum"] == [
        "auto", "stratified", "group", "time", "column", "per_user",
    ]  # fmt: skip
    assert (found["model", "epochs"]["minimum"], found["model", "epochs"]["maximum"]) == (0, 10_000)
    assert found["decision", "coverage"]["exclusiveMaximum"] == 1


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"data": {}},
        {"model": {"epochs": 5}, "decision": {"temperature": "false"}},
        {"gates": {"calibration": {"limit": 0.5, "action": "warn"}}},
        {"data": {"sensitive": ["sex"], "features": {"age": {"modality": "category"}}}},
    ],
)
def test_what_the_form_lets_pass_the_spec_reads(tmp_path, overrides):
    assert refused(overrides) == []
    path = tmp_path / "pipeline.yaml"
    path.write_text(LEAST)
    pipeline = pipeline_file.read(path, overrides)
    assert (pipeline.split.seed, pipeline.split.test) == (3, 0.3)  # the file's word stands


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"model": {"epochs": -1}}, "minimum"),
        ({"model": {"epochs": "many"}}, "integer"),
        ({"split": {"strategy": "random"}}, "is not one of"),
        ({"split": {"test": 1}}, "maximum"),
        ({"modle": {}}, "unexpected"),
        ({"contract": "other.yaml"}, "unexpected"),
        ({"gates": {"calibration": {"limit": "low"}}}, "number"),
        ({"gates": {"calibrated": {"limit": 1}}}, "calibrated"),
        ({"decision": {"temperature": "maybe"}}, "is not one of"),
    ],
)
def test_a_wrong_value_is_refused(overrides, said):
    assert any(said in message for message in refused(overrides))


def test_another_pipeline_cannot_be_said_in_the_form():
    validator = jsonschema.Draft202012Validator(form(TABLE[0], "churn"))
    assert list(validator.iter_errors({"pipeline": "data/other"}))
    assert form(TABLE[0], "churn")["properties"]["pipeline"]["readOnly"]


def test_prefect_makes_the_same_form_for_prefect_yaml():
    own = parameter_schema(train.fn).model_dump()["properties"]
    assert list(own) == ["pipeline", "refresh", "overrides"]
    assert own["overrides"]["properties"] == overrides_schema()["properties"]
    assert own["refresh"]["description"]
