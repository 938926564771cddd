"""The profile holds what later rows are compared with, small, and raw rows only where asked."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from penstock.adapters.store import LocalStore
from penstock.evidence import Evidence
from penstock.records import (
    Column,
    Estimate,
    Fitted,
    Grouping,
    Layout,
    Policy,
    Profile,
    Rows,
    Scorecard,
)
from penstock.spec import ProfileSpec
from penstock.stages.profile import profile, sample_of

N = 600
RNG = np.random.default_rng(0)
TABLE = pa.table(
    {
        "age": pa.array(RNG.integers(18, 90, N), mask=RNG.random(N) < 0.1),
        "job": RNG.choice(["clerk", "smith"], N),
        "since": pa.array(RNG.integers(0, 10**15, N), pa.timestamp("us")),
        "sex": RNG.choice(["f", "m"], N),
        "y": RNG.choice(["no", "yes"], N),
    }
)


def columns(task: str) -> list[Column]:
    return [
        Column(name="age", modality="numeric", arrow_type="int64"),
        Column(name="job", modality="category", arrow_type="string"),
        Column(name="since", modality="timestamp", arrow_type="timestamp[us]"),
        Column(name="sex", modality="category", arrow_type="string", role="metadata"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ]


class Made:
    """A profile, its file and its sample."""

    def __init__(self, folder: Path, spec: ProfileSpec, task: str, policy: Policy):
        self.store = LocalStore(folder)
        rows = self.store.keep_table(TABLE)
        classes = ["no", "yes"] if task == "classification" else []
        layout = Layout(columns=columns(task), target="y", task=task, classes=classes)
        blob = self.store.keep_bytes(b"w", ".safetensors")
        metric = "accuracy" if classes else "rmse"
        fitted = Fitted(weights=blob, state=blob, layout=layout, loss="any", metric=metric)
        self.target = np.arange(N) % 2
        self.yes = np.where(self.target == 1, 0.8, 0.3)
        self.scorecard = Scorecard(
            metrics={metric: Estimate(value=1.0)}, predictions=self.predictions(bool(classes))
        )
        self.told: list[int] = []
        self.profile: Profile = profile(
            fitted, policy, self.scorecard, rows, rows, spec, self.store,
            lambda done, total, note="": self.told.append(done), ["sex"],
        )  # fmt: skip
        self.text = self.store.path(self.profile.sketch).read_text()
        self.content: dict[str, Any] = json.loads(self.text)

    def predictions(self, classes: bool) -> Rows:
        table: dict[str, Any] = {"prediction": self.target * 10.0}
        if classes:
            table = {
                "prediction": np.where(self.target == 1, "yes", "no"),
                "probability_no": 1 - self.yes,
                "probability_yes": self.yes,
            }
        table |= {"_target": self.target, "_row_loss": np.full(N, 0.2)}
        return self.store.keep_table(pa.table(table))

    @property
    def evidence(self) -> Evidence:
        return self.profile.evidence


def made(
    folder: Path, sample_rows: int = 100, task: str = "classification", policy: Policy | None = None
) -> Made:
    return Made(folder, ProfileSpec(sample_rows=sample_rows), task, policy or Policy())


def test_every_column_that_is_read_or_makes_groups_is_sketched(tmp_path: Path) -> None:
    this = made(tmp_path)
    assert this.content["format"] == 3
    views = {name: sorted(column["views"]) for name, column in this.content["columns"].items()}
    assert views == {
        "age": ["value"],
        "job": ["level"],
        "since": ["days", "hour", "weekday"],
        "sex": ["level"],
    }
    sketch = this.content["columns"]["age"]["views"]["value"]
    assert sum(sketch["counts"]) + sketch["missing"] == N
    assert sketch["missing"] == TABLE["age"].null_count
    job = this.content["columns"]["job"]["views"]["level"]
    assert job["levels"] == ["clerk", "smith"]
    assert len(this.text) < 15_000
    assert this.told == [0, 1, 2, 3, 4, 5]


def test_scores_hold_what_an_estimate_without_labels_needs(tmp_path: Path) -> None:
    scores = made(tmp_path).content["scores"]
    bins = scores["calibration"]
    assert bins["of"] == "yes"
    assert sum(bins["rows"]) == N
    assert (sum(bins["stated"]) - (0.8 + 0.3) * N / 2) == pytest.approx(0)
    by_row = {r: t for r, t in zip(bins["rows"], bins["true"], strict=True) if r}
    assert sorted(bins["true"]) == [0] * 19 + [N // 2]
    assert by_row
    assert scores["decided"] == [N // 2, N // 2]
    assert scores["stated"] == pytest.approx([0.45, 0.55])


def test_numbers_have_predictions_and_errors(tmp_path: Path) -> None:
    this = made(tmp_path, task="regression")
    assert this.content["scores"]["prediction"]["counts"] == [N // 2, N // 2]
    assert this.content["scores"]["error"]["high"] == 9.0
    assert "scores" in this.evidence.figures


def test_groups_have_reference_metrics(tmp_path: Path) -> None:
    this = made(tmp_path, policy=Policy(grouping=Grouping(column="job", levels=["clerk"])))
    assert set(this.content["groups"]) == {"job", "sex"}
    sex = this.content["groups"]["sex"]["groups"]
    assert sex["f"] == {"rows": TABLE["sex"].to_pylist().count("f"), "metric": 1.0}


def test_the_sample_is_inputs_only_bounded_and_can_be_switched_off(tmp_path: Path) -> None:
    this = made(tmp_path)
    assert this.profile.sample is not None
    sample = this.store.table(this.profile.sample)
    assert (sample.num_rows, sample.column_names) == (100, ["age", "job", "since"])
    kept = sample.slice(0, 1).to_pylist()[0]
    assert {name: sorted(views) for name, views in kept.items()} == {
        "age": ["value"], "job": ["level"], "since": ["days", "hour", "weekday"],
    }  # fmt: skip
    assert "may be personal data: profile.sample_rows: 0" in this.evidence.notes[0]
    assert "names the most frequent levels of job, since, sex" in this.evidence.notes[1]
    again = made(tmp_path / "again")
    assert again.profile == this.profile
    off = made(tmp_path / "off", sample_rows=0)
    assert off.profile.sample is None
    assert "No row" in off.evidence.notes[0]
    assert made(tmp_path / "all", sample_rows=10**5).profile.sample.num_rows == N  # type: ignore[union-attr]


def test_no_picture_and_no_text_travels_with_the_model(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    file = io.BytesIO()
    Image.new("L", (8, 4), 51).save(file, "PNG")
    table = pa.table({"photo": [file.getvalue()] * 3, "said": ["a secret word"] * 3})
    kinds = {"photo": "image", "said": "text"}
    columns = [
        Column(name=name, modality=kind, arrow_type=str(table.schema.field(name).type))
        for name, kind in kinds.items()
    ]
    rows = sample_of(columns, store.keep_table(table), np.arange(3), store)
    assert rows is not None
    kept = store.table(rows).to_pylist()
    assert len(kept) == 3
    assert kept[0]["photo"]["brightness"] == pytest.approx(0.2)
    assert kept[0]["photo"]["width"] == 8
    held = store.path(rows.blob).read_bytes()
    assert b"PNG" not in held
    assert "secret" not in str(kept)
