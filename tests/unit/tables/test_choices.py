"""Choices of a spec that a table does not allow, all told at once."""

import pytest

from penstock.errors import BadInput
from penstock.records import Column, Layout
from penstock.spec import Pipeline
from penstock.tables.choices import check_choices


def layout(task="classification", **kinds):
    columns = [Column(name=n, modality=kind, arrow_type="string") for n, kind in kinds.items()]
    target = Column(name="y", modality="category", arrow_type="string", role="target")
    classes = ["a", "b"] if task == "classification" else []
    return Layout(columns=[*columns, target], target="y", task=task, classes=classes)


def spec(**encoders):
    return Pipeline.model_validate(
        {"name": "p", "data": {"source": "s", "target": "y"}, "model": {"encoders": encoders}}
    )


def test_pretrained_networks_read_features_of_their_kinds():
    check_choices(spec(photo="vit", said="bert"), layout(photo="image", said="text", n="numeric"))
    with pytest.raises(BadInput) as error:
        check_choices(spec(foto="vit", n="bert"), layout(photo="image", n="numeric"))
    first, second = error.value.mistakes
    assert first.rule == "a pretrained network reads a feature of audio, image, text"
    assert (first.found, first.where) == ("no such feature", "model.encoders.foto")
    assert first.remedy == "did you mean photo?"
    assert (second.found, second.where) == ("it is numeric", "model.encoders.n")


def test_a_task_that_reads_no_features_has_no_pretrained_networks():
    with pytest.raises(BadInput, match=r"none, for the task next_token"):
        check_choices(spec(said="bert"), layout("next_token", said="text"))
