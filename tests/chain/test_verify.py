"""A model that was really registered in MLflow: its chain holds until somebody changes a byte."""

import json
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from penstock import cli, pipeline_file
from penstock.evidence import Check
from penstock.ledger import decision_record
from penstock.measure.judging import judged
from penstock.model import Learnt, Model
from penstock.records import (
    Column,
    Estimate,
    Fitted,
    Grouping,
    Layout,
    Policy,
    Scorecard,
    Snapshot,
    Split,
    Verdict,
)
from penstock.services import Services
from penstock.spec import Gates, ModelSpec, ProfileSpec
from penstock.stages.profile import profile
from penstock.stages.register import register

pytestmark = pytest.mark.slow
LAYOUT = Layout(
    columns=[
        Column(name="age", modality="numeric", arrow_type="double"),
        Column(name="town", modality="category", arrow_type="string", role="metadata"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)


class Toy:
    """A pipeline's folder, its store, and trainings whose networks only know one weight."""

    def __init__(self, folder):
        (folder / "toy").mkdir()
        path = folder / "toy" / "pipeline.yaml"
        path.write_text("name: toy\ndata: {source: t.csv, target: y, sensitive: [town]}\n")
        self.services = Services(pipeline_file.locate(path))
        rng = np.random.default_rng(0)
        age = rng.normal(size=400)
        columns = {"age": age, "town": rng.choice(["Oslo", "Rome"], 400)}
        columns["y"] = np.where(age + rng.normal(size=400) > 0, "yes", "no")
        self.table = pa.table(columns)
        self.folder = folder
        self.rows = self.services.store.keep_table(self.table)

    def train(self, seed):
        """A network of random weights, turned so that older is surer."""
        store, folder = self.services.store, self.folder
        torch.manual_seed(seed)
        learnt = Learnt.of(self.table, LAYOUT, ModelSpec(width=16))
        network = learnt.network()
        with torch.no_grad():
            for weights in network.parameters():
                weights.add_(torch.randn_like(weights) * 0.1)
        save_file(network.state_dict(), folder / "w.safetensors")
        by_town = Grouping(column="town", levels=["Oslo", "Rome"])
        policy = Policy(grouping=by_town, thresholds={"Oslo": 0.4, "Rome": 0.6})
        fitted = Fitted(
            weights=store.keep_file(folder / "w.safetensors"),
            state=store.keep_bytes(learnt.to_json().encode(), ".json"),
            layout=LAYOUT,
            loss="cross_entropy",
            metric="roc_auc",
        )
        model = Model.read(store.path(fitted.weights), store.path(fitted.state), policy)
        answer = model.predict(self.table)
        target = model.task.encode_target(self.table["y"], LAYOUT)
        for name, values in (("_target", target), ("_row_loss", np.zeros(400))):
            answer = answer.append_column(name, pa.array(values))
        scorecard = Scorecard(
            metrics={"roc_auc": Estimate(value=0.5)}, predictions=store.keep_table(answer)
        )
        return fitted, policy, scorecard

    def register(self, seed):
        services = self.services
        fitted, policy, scorecard = self.train(seed)
        reference = profile(
            fitted, policy, scorecard, self.rows, self.rows, ProfileSpec(), services.store,
            lambda done, total, note="": None, ["town"],
        )  # fmt: skip
        check = judged(Check(name="num_rows", stage="ingest", value=400, better="higher"),
                       Gates().num_rows)  # fmt: skip
        records = {
            "ingest": Snapshot(rows=self.rows, layout=LAYOUT, source="t.csv"),
            "split": Split(train=self.rows, valid=self.rows, test=self.rows, layout=LAYOUT),
            "fit": fitted,
            "decide": policy,
            "evaluate": scorecard,
            "profile": reference,
        }
        return register(
            fitted, policy, reference, scorecard, Verdict(passed=True, checks=[check]),
            self.rows, self.rows, services.spec, services.registry, services.store,
            run_id=services.tracking.start("toy", {}),
            fingerprints={"data": self.rows.blob.sha256, "fit": fitted.fingerprint},
            write=lambda decision: decision_record(decision, records, {}, services.spec).keep(
                services.store
            ),
        )  # fmt: skip


@pytest.fixture
def verify(monkeypatch, capsys):
    """Run the command: exit status and its JSON, or what it told."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["penstock", "verify", *map(str, words), "--json"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code, json.loads(told.out) if told.out else told.err

    return run


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_was_registered_verifies_until_it_is_changed(tmp_path, monkeypatch, verify):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    for name in ("MLFLOW_TRACKING_URI", "PENSTOCK_STORE"):
        monkeypatch.delenv(name, raising=False)
    toy = Toy(tmp_path)
    status, told = verify(tmp_path / "toy")
    assert status == 2
    assert "no champion yet" in told

    first = toy.register(seed=0)
    assert (first.verdict, first.version) == ("registered", "1"), first.why
    second = toy.register(seed=1)
    assert (second.champion, second.challenger) == ("1", "2")
    assert {"beats_champion", "champion_group"} <= {check.name for check in second.checks}
    for number in ("1", "2"):
        status, answer = verify(tmp_path / "toy", "--version", number)
        assert (status, answer["holds"], answer["version"]) == (0, True, number), answer
        assert answer["links"] > 20
    champion = toy.services.registry.champion("toy")
    assert champion.number == second.version
    assert verify(tmp_path / "toy", "--version", "7")[0] == 2

    weights = toy.train(0)[0].weights
    path = toy.services.store.path(weights)
    flip(path)
    status, answer = verify(tmp_path / "toy", "--version", "1")
    assert (status, answer["broken"]["link"]) == (1, "fit.weights in the store")
    flip(path)
    packaged = [
        p
        for p in (tmp_path / "home").rglob("artifacts/weights.safetensors")
        if p.read_bytes() == path.read_bytes()
    ]
    assert len(packaged) == 1
    flip(packaged[0])
    status, answer = verify(tmp_path / "toy", "--version", "1")
    assert (status, answer["broken"]["link"]) == (1, "weights in the registered package")
    flip(packaged[0])
    assert verify(tmp_path / "toy", "--version", "1")[0] == 0
