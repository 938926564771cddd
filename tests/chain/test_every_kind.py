"""Every kind of column and every task through every stage: none may pass one by in silence.

Found on disk: a new modality or task without rows here fails.
"""

import datetime as dt
import io
import re
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image
from test_chain import Chain

from penstock import modalities, plugins, tasks
from penstock.adapters.sources import open_source
from penstock.measure.drift import reference
from penstock.ports import Version
from penstock.spec import Data, ModelSpec, MonitorSpec, ObjectiveSpec, SplitSpec
from penstock.stages.monitor import Watch, monitor
from penstock.stages.score import Sinks, score
from penstock.tables.windows import Window

pytestmark = pytest.mark.slow
NUM_ROWS = 240
KINDS = [
    name
    for name in plugins.modules("penstock.modalities")
    if hasattr(modalities.load(name), "encoder")
]
WORDS = ["red", "green", "blue", "old", "new", "big", "small", "odd"]


def picture(up, rng):
    pixels = rng.integers(0, 60, (8, 8)).astype(np.uint8)
    pixels[4 * up : 4 * up + 3] += 180
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def tone(up, rng):
    time = np.arange(1_200) / 8_000
    wave = 0.3 * np.sin(2 * np.pi * (300 + 600 * up) * rng.uniform(0.9, 1.1) * time)
    buffer = io.BytesIO()
    soundfile.write(buffer, wave + rng.normal(0, 0.02, len(wave)), 8_000, format="WAV")
    return buffer.getvalue()


def moment(up, rng):
    day = dt.datetime(2024, 1, 1) + dt.timedelta(days=int(rng.integers(0, 300)))
    return day + dt.timedelta(hours=int(rng.integers(6, 10) + 8 * up))


def tags(up, rng):
    held = rng.choice(["sun", "sea", "sand"] if up else ["ice", "snow", "ski"], 2)
    return "|".join(sorted({*held, *rng.choice(["hot", "cold", "far"], 1)}))


# a value that tells yes from no, but for some noise
VALUES = {
    "numeric": lambda up, rng: float(up + rng.normal(0, 0.4)),
    "category": lambda up, rng: rng.choice(["a", "b", "c"], p=[0.7, 0.2, 0.1][:: 1 - 2 * up]),
    "set": tags,
    "timestamp": moment,
    "text": lambda up, rng: " ".join([*rng.choice(WORDS, 8), "good" if up else "bad"]),
    "image": picture,
    "audio": tone,
}
SAID = {"set": "set", "text": "text"}
"""Modalities that are said, since a small table does not tell them for sure."""


def rows(kind, ups, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"r{seed}-{n:04d}" for n in range(len(ups))],
            "thing": [VALUES[kind](int(up), rng) for up in ups],
            "who": rng.choice(["u", "v"], len(ups)),
        }
    )


class Scorer:
    """The model, in this process."""

    def __init__(self, chain):
        self.model, self.layout = chain.scorer, chain.fitted.layout
        self.reads = self.model.reads

    def predict(self, batches):
        for kept, table in batches:
            yield kept, self.model.predict(table)


class Kept:
    """A sink in memory."""

    def __init__(self, description):
        self.description, self.table = description, None

    @contextmanager
    def window(self, name=""):
        batches = []
        self.write = batches.append
        yield self
        self.table = pa.concat_tables(batches)


def test_every_modality_has_rows_here():
    assert set(KINDS) == set(VALUES)


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory):
    """A kind, the run of all stages over one column of it, and its folder."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    ups = np.random.default_rng(1).random(NUM_ROWS) < 0.5
    table = rows(kind, ups)
    table["y"] = np.where(ups, "yes", "no")
    table.to_parquet(folder / "table.parquet")
    features = {"thing": SAID[kind]} if kind in SAID else {}
    data = {"sensitive": ["who"], "features": features}
    return kind, Chain(folder, "table.parquet", data=data, goal=ObjectiveSpec(trial_rows=100))


def text_of(record):
    return record.evidence.model_dump_json()


def test_the_column_is_of_its_kind_and_no_stage_is_silent(run):
    kind, chain = run
    assert chain.raw.layout.column("thing").modality == kind
    for stage, record in chain.records.items():
        evidence = record.evidence
        assert evidence.checks or evidence.tables or evidence.notes, stage
        assert evidence.tables or evidence.figures, stage


@pytest.mark.parametrize(
    "stage", ["ingest", "validate", "split", "fit", "stress", "explain", "profile"]
)
def test_a_stage_that_looks_at_columns_names_this_one(run, stage):
    assert re.search(r"\bthing\b", text_of(run[1].records[stage]))


def test_every_stress_of_the_kind_is_measured_at_every_strength(run):
    kind, chain = run
    table = chain.stressed.evidence.tables["stresses"]
    measured = {tuple(row[:3]) for row in table.rows}
    assert table.columns[:3] == ["column", "stress", "strength"]
    for stress in modalities.load(kind).STRESSES:
        assert {("thing", stress.name, strength) for strength in stress.strengths} <= measured


def test_every_view_of_the_kind_is_sketched_for_later(run):
    kind, chain = run
    column = chain.store.table(chain.parts.train)["thing"]
    text = chain.store.path(chain.profile.sketch).read_text()
    kept = reference.read(text, None, "").columns["thing"]
    assert set(kept) == set(modalities.load(kind).views(column))


def test_an_importance_of_the_column_is_measured_with_its_interval(run):
    importance = run[1].explained.evidence.tables["columns"]
    found = {row[0]: dict(zip(importance.columns, row, strict=True)) for row in importance.rows}
    importance = found["thing"]
    (drop,) = (value for name, value in importance.items() if name.startswith("drop"))
    assert importance["low"] <= drop <= importance["high"]
    assert importance["high"] > 0


def test_new_rows_are_scored_and_a_window_of_other_values_drifts(run, tmp_path):
    kind, chain = run
    later = rows(kind, np.zeros(200), seed=5)
    if kind == "text":
        later["thing"] = later["thing"].str.upper()  # no view counts single words
    pq.write_table(pa.Table.from_pandas(later), tmp_path / "later.parquet")
    data = Data(source="later.parquet", target="y", key="id")
    output, aside = Kept("output"), Kept("aside")
    version = Version("m", "1", {})
    scored = score(
        open_source(data, tmp_path), Scorer(chain), [], Sinks(output, aside), Window("now"), data,
        version,
    )  # fmt: skip
    assert (scored.num_scored, scored.num_quarantined) == (200, 0)
    assert output.table["id"].to_pylist() == later["id"].tolist()
    alone = chain.scorer.predict(pa.Table.from_pandas(later))
    np.testing.assert_array_equal(output.table["probability_yes"], alone["probability_yes"])

    text = chain.store.path(chain.profile.sketch).read_text()
    sample = chain.profile.sample
    kept = pq.read_table(chain.store.path(sample.blob)) if sample else None
    watch = Watch(version, reference.read(text, kept, ""), data, MonitorSpec())
    drift = monitor(watch, Scorer(chain), open_source(data, tmp_path))
    assert "thing" in drift.drifted
    assert "thing" in text_of(drift)


TARGETS = {
    "classification": lambda signal: np.where(signal > 0, "yes", "no"),
    "regression": lambda signal: signal,
    "ordinal": lambda signal: np.digitize(signal, [-0.7, 0.7]),
    "count": lambda signal: np.round(np.exp(signal)).clip(0).astype(int),
}


def signals(name, rng):
    """Two columns that tell a target."""
    frame = pd.DataFrame({"a": rng.normal(size=300), "b": rng.choice(["u", "v"], 300)})
    signal = frame["a"] + (frame["b"] == "u") + rng.normal(0, 0.3, 300) - 0.5
    frame["y"] = TARGETS[name](signal)
    return frame, {"data": {"task": name, "sensitive": ["b"]}}


def texts(rng):
    """A column that is its own target."""
    frame = pd.DataFrame({"y": [" ".join(rng.choice(WORDS, 20)) for _ in range(300)]})
    frame["b"] = rng.choice(["u", "v"], 300)
    model = ModelSpec(epochs=2, width=32, depth=2, batch_size=8)
    return frame, {"data": {"task": "next_token", "sensitive": ["b"]}, "model": model}


def taken(rng):
    """Items of one of two shelves, which users keep to."""
    users = np.repeat(np.arange(60), 12)
    items = 2 * rng.integers(0, 12, len(users)) + users % 2
    frame = pd.DataFrame({"who": [f"user {n}" for n in users], "y": [f"item {n}" for n in items]})
    frame["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(len(users)), "h")
    frame["b"] = np.where(users % 3, "u", "v")
    data = {"task": "ranking", "user": "who", "time": "at", "sensitive": ["b"]}
    return frame, {"data": data, "parts": SplitSpec(strategy="per_user", column="at")}


OWN = {"next_token": texts, "ranking": taken}


@pytest.mark.parametrize("name", plugins.modules("penstock.tasks"))
def test_no_stage_is_silent_about_a_task(name, tmp_path):
    rng = np.random.default_rng(2)
    assert name in {**TARGETS, **OWN}, f"write a target of {name} here"
    frame, more = OWN[name](rng) if name in OWN else signals(name, rng)
    frame.to_parquet(tmp_path / "table.parquet")
    chain = Chain(tmp_path, "table.parquet", goal=ObjectiveSpec(trial_rows=100), **more)
    assert chain.fitted.layout.task == name
    for stage, record in chain.records.items():
        evidence = record.evidence
        assert evidence.checks or evidence.tables or evidence.notes, stage
    assert set(chain.scorecard.metrics) <= set(tasks.load(name).metrics(chain.fitted.layout))
    assert {check.outcome for check in chain.verdict.checks} <= {
        "pass", "warn", "refuse", "insufficient", "note",
    }  # fmt: skip


def test_a_folder_and_a_table_of_its_names_are_scored_alike(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for number, up in enumerate(rng.random(200) < 0.5):
        folder = tmp_path / "pictures" / ("yes" if up else "no")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(picture(int(up), rng))
    data = {"target": "label"}
    chain = Chain(tmp_path, "pictures", data=data, goal=ObjectiveSpec(trial_rows=0))
    new = tmp_path / "new"
    new.mkdir()
    for number in range(20):
        (new / f"{number:02d}.png").write_bytes(picture(number % 2, rng))
    (new / "20.png").write_bytes(b"broken")
    names = [*sorted(path.name for path in new.iterdir()), "none.png"]
    pd.DataFrame({"image": names}).to_csv(tmp_path / "names.csv", index=False)
    monkeypatch.setenv("PENSTOCK_FILES_ROOT", str(new))

    found = {}
    for source in ("new", "names.csv"):
        data, output, aside = Data(source=source, target="label"), Kept("output"), Kept("aside")
        rows, sinks = open_source(data, tmp_path), Sinks(output, aside)
        scored = score(
            rows, Scorer(chain), [], sinks, Window("now"), data, Version("m", "1", {})
        )  # fmt: skip
        reasons = aside.table["_reason"].to_pylist()
        assert scored.num_quarantined == len(reasons) == {"new": 1, "names.csv": 2}[source]
        assert "cannot identify image file" in reasons[0]
        found[source] = output.table["probability_yes"].to_pylist()
    assert reasons[1] == "image: no such file"
    assert len(found["new"]) == 20
    assert found["names.csv"] == found["new"]
