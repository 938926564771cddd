"""Samples: real data, whole or not at all, ready for train."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from penstock import pipeline_file
from penstock.adapters.samples import SAMPLES, bundled, described, write_sample
from penstock.adapters.sources import open_source
from penstock.errors import BadInput, StoreError
from penstock.services import Services


def test_adult_is_the_census_with_its_official_fold(tmp_path):
    folder = write_sample("adult", tmp_path / "new" / "adult")
    assert sorted(path.name for path in folder.iterdir()) == [
        "LICENSE.md", "adult.parquet", "card.md", "contract.yaml", "pipeline.yaml",
    ]  # fmt: skip
    table = pq.read_table(folder / "adult.parquet")
    assert table["fold"].value_counts().to_pylist() == [
        {"values": "train", "counts": 32_561},
        {"values": "test", "counts": 16_281},
    ]
    services = Services(folder / "pipeline.yaml")
    services.check_files()
    assert services.spec.registered_name == "adult-income"
    asked = {entry["kwargs"].get("column") for entry in services.contract} - {None}
    assert asked == set(table.column_names)
    assert "CC BY 4.0" in (folder / "LICENSE.md").read_text()


def test_digits_are_pixels_of_scikit_learn(tmp_path):
    folder = write_sample("digits", tmp_path / "digits")
    digits = load_digits()
    files = sorted((folder / "images").iterdir(), key=lambda path: path.stem.split("_")[1])
    assert len(files) == 1797
    for index in (0, 1, 1796):
        assert files[index].name == f"{digits.target[index]}_{index:04d}.png"
        shown = np.asarray(Image.open(files[index]))
        assert shown.dtype == np.uint8
        np.testing.assert_allclose(shown, digits.images[index] * 255 / 16, atol=0.5)
    services = Services(folder / "pipeline.yaml")
    services.check_files()
    assert services.spec.registered_name == "digits"
    assert services.source.kinds["image"] == "image"
    classes = next(
        entry["kwargs"]["value_set"]
        for entry in services.contract
        if entry["type"] == "expect_column_values_to_be_in_set"
    )
    assert classes == [str(digit) for digit in range(10)]


def test_an_unknown_name_is_told_with_the_names_there_are(tmp_path):
    with pytest.raises(BadInput, match="did you mean digits") as caught:
        write_sample("digit", tmp_path / "digit")
    assert "adult, digits" in caught.value.message
    with pytest.raises(BadInput, match="samples: adult, digits"):
        write_sample("penguins", tmp_path / "penguins")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced(tmp_path):
    folder = tmp_path / "adult"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="a folder with files in it"):
        write_sample("adult", folder)
    with pytest.raises(BadInput, match="2 mistakes"):
        write_sample("adlut", folder / "notes.txt")
    assert [path.name for path in tmp_path.rglob("*")] == ["adult", "notes.txt"]
    assert (folder / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "adult").mkdir()
    write_sample("adult", tmp_path / "adult")
    assert (tmp_path / "adult" / "pipeline.yaml").is_file()


@pytest.mark.parametrize(("name", "constant"), [("adult", "ADULT"), ("digits", "DIGITS")])
def test_other_data_is_refused_and_nothing_stays(name, constant, tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, f"{constant}_SHA256", "0" * 64)
    with pytest.raises(StoreError, match="byte for byte"):
        write_sample(name, tmp_path / "deep" / name)
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_of_the_file_in_the_repository():
    path = Path(__file__).parents[4] / "data" / "adult" / "adult.parquet"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == bundled.ADULT_SHA256
    data = pipeline_file.read(path.parent / "pipeline.yaml").data
    assert open_source(data, path.parent).schema.names[-1] == "fold"


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_says_its_licence_its_source_and_its_checksums(name):
    text = "\n".join(described(name))
    sample = SAMPLES[name]
    assert sample.licence in text
    assert sample.source in text
    for archive in sample.archives:
        assert archive.url in text
        assert archive.sha256 in text
        assert archive.url.startswith("https://")
        assert len(bytes.fromhex(archive.sha256)) == 32
    names = [archive.name for archive in sample.archives]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_has_a_card_with_licence_and_a_spec_that_can_be_read(name):
    folder = bundled.files_of(name)
    card = (folder / "card.md").read_text()
    assert "## Licence" in card
    assert pipeline_file.read(folder / "pipeline.yaml").name == name
