"""A table of a text, an image and a sound that pretrained networks read, through every stage."""

import io

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import tiny_networks
from PIL import Image

from penstock.adapters import hub
from penstock.adapters.clean_process import rescore
from penstock.adapters.store import LocalStore
from penstock.adapters.tracking.package import package
from penstock.model import Model
from penstock.records import Column, Layout, Objective
from penstock.spec import Compute, DecisionSpec, Encoder, ModelSpec, ProfileSpec
from penstock.stages.decide import decide
from penstock.stages.evaluate import evaluate
from penstock.stages.explain import explain
from penstock.stages.fit import fit
from penstock.stages.profile import profile
from penstock.stages.register import files_of
from penstock.stages.stress import stress

pytestmark = pytest.mark.slow
TUNED = {"said": "lora", "photo": "frozen", "call": "last"}
KINDS = {"said": "text", "photo": "image", "call": "audio"}
TYPES = {"said": pa.string(), "photo": pa.binary(), "call": pa.binary()}


def silent(done, total, note=""):
    pass


def rows(num_rows=200):
    rng = np.random.default_rng(0)
    liked = rng.integers(0, 2, num_rows)
    columns = {"said": [], "photo": [], "call": []}
    for one in liked.tolist():
        words = rng.choice(["good" if one else "bad", "film", "a", "the"], rng.integers(4, 9))
        columns["said"].append(" ".join(words))
        picture = io.BytesIO()
        pixels = (rng.random((12, 12)) * 90 + one * 60).astype(np.uint8)
        Image.fromarray(pixels).save(picture, "PNG")
        columns["photo"].append(picture.getvalue())
        sound = io.BytesIO()
        time = np.arange(int(rng.integers(1600, 3200))) / 8000
        wave = 0.3 * np.sin(2 * np.pi * (300 + 500 * one) * time)
        soundfile.write(sound, wave + 0.02 * rng.normal(size=len(time)), 8000, format="WAV")
        columns["call"].append(sound.getvalue())
    for name, kind in TYPES.items():
        columns[name][5] = None
        columns[name] = pa.array(columns[name], kind)
    return pa.table(columns | {"y": pa.array(np.where(liked == 1, "yes", "no").tolist())})


class Trained:
    """Records of the stages."""

    def __init__(self, folder):
        self.store = store = LocalStore(folder / "store")
        for kind in KINDS.values():
            (folder / kind).mkdir()
            tiny_networks.save(folder / kind, kind, licence="" if kind == "audio" else "mit")
        self.layout = Layout(
            columns=[
                *(Column(name=n, modality=k, arrow_type=str(TYPES[n])) for n, k in KINDS.items()),
                Column(name="y", modality="category", arrow_type="string", role="target"),
            ],
            target="y",
            task="classification",
            classes=["no", "yes"],
        )
        encoders = {n: Encoder(pretrained=KINDS[n], tune=tune) for n, tune in TUNED.items()}
        table = rows()
        parts = table.slice(0, 100), table.slice(100, 40), table.slice(140)
        train, valid, test = (store.keep_table(part) for part in parts)
        self.backbones = hub.fetched(encoders, self.layout, folder, store)
        spec = ModelSpec(
            epochs=4, width=16, members=2, batch_size=20, learning_rate=0.02, encoders=encoders
        )
        goal, one = Objective(loss="cross_entropy", metric="accuracy"), Compute(threads=1)
        given = train, valid, self.layout, goal, spec, one, store, silent
        self.fitted = fitted = fit(*given, "key", self.backbones)
        self.again = fit(*given, "other-key", self.backbones)
        self.policy = decide(fitted, valid, DecisionSpec(), "", "", 0, store, silent)
        self.card = evaluate(fitted, self.policy, train, test, 0, store, silent)
        self.stressed = stress(fitted, self.policy, test, 0, store, silent)
        self.explained = explain(fitted, self.policy, train, test, 0, store, silent)
        self.profile = profile(
            fitted, self.policy, self.card, train, test, ProfileSpec(), store, silent, []
        )
        self.test = parts[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("pretrained"))


def test_it_learns_and_repeats_and_says_what_it_is_built_on(trained):
    assert trained.card.metrics["accuracy"].value >= 0.9
    assert trained.again.fingerprint == trained.fitted.fingerprint
    notes = " ".join(trained.fitted.evidence.notes)
    assert "said is read by text, with low-rank additions; its licence is mit." in notes
    network = trained.fitted.evidence.tables["network"]
    assert ["photo", "image, pretrained (frozen)", 32, 32] in network.rows
    assert "call is read by audio, its last block trained on; its licence is unknown." in notes
    licences = trained.fitted.evidence.checks[-1]
    assert (licences.name, licences.value) == ("unknown_licences", 1)
    assert licences.why == "audio: no licence is stated in README.md."


def test_every_stage_has_something_to_show_of_every_column(trained):
    stressed = trained.stressed.evidence.tables["stresses"]
    at = stressed.columns.index("column")
    assert {row[at] for row in stressed.rows} == set(KINDS)
    weighed = trained.explained.evidence.tables["columns"]
    assert {row[weighed.columns.index("column")] for row in weighed.rows} == set(KINDS)
    inside = [name for name in trained.explained.evidence.tables if "said" in name]
    assert inside, trained.explained.evidence.tables.keys()


def test_the_package_scores_alike_in_a_clean_process_without_the_folders(trained, tmp_path):
    files = files_of(trained.fitted, trained.policy, trained.profile, trained.store)
    folder = package(files, tmp_path / "package")
    needed = (folder / "requirements.txt").read_text()
    assert "transformers==" in needed
    assert "huggingface" not in needed
    found = rescore(folder, trained.test.drop_columns(["y"]))
    wanted = Model.of(trained.fitted, trained.store, trained.policy).predict(trained.test)
    np.testing.assert_allclose(
        found["probability_yes"].to_numpy(), wanted["probability_yes"].to_numpy(), atol=1e-5
    )


def test_another_network_is_another_model_and_the_same_one_is_not(trained):
    network = trained.backbones["said"]
    changed = network.model_copy(
        update={"files": network.files | {"x": network.files["config.json"]}}
    )
    assert changed.fingerprint != network.fingerprint
    fitted = trained.fitted.model_copy(update={"backbones": trained.backbones | {"said": changed}})
    assert fitted.fingerprint != trained.fitted.fingerprint
