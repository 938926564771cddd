"""The bias stage on predictions that were written by hand."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.evidence import MAX_TABLE_ROWS
from penstock.measure.judging import judged
from penstock.model import Learnt, Model
from penstock.records import Blob, Column, Fitted, Layout, Policy, Scorecard
from penstock.spec import BiasSpec, Gates, ModelSpec
from penstock.stages.bias import bias

FEATURES = [
    Column(name="x", modality="numeric", arrow_type="double"),
    Column(name="sex", modality="category", arrow_type="string", role="left_out"),
    Column(name="race", modality="category", arrow_type="string", role="left_out"),
    Column(name="age", modality="numeric", arrow_type="double", role="left_out"),
]
TWO = Layout(columns=FEATURES, target="y", task="classification", classes=["no", "yes"])
THREE = Layout(columns=FEATURES, target="y", task="classification", classes=["a", "b", "c"])
NUMBER = Layout(columns=FEATURES, target="y", task="regression")
NO_BLOB = Blob(key="none", sha256="", num_bytes=0)


def silent(done, total, note=""):
    pass


def people(n=1200, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], n)
    return {
        "x": rng.normal(size=n) + (sex == "m"),
        "sex": sex,
        "race": rng.choice(["Black", "Other", "White"], n, p=[0.3, 0.01, 0.69]),
        "age": rng.integers(18, 80, n).astype(float),
    }


def two_class(data, seed=1):
    """Men are selected twice as often as women, whatever their race."""
    rng = np.random.default_rng(seed)
    n = len(data["x"])
    target = (rng.random(n) < 0.4).astype(np.int64)
    decided = (rng.random(n) < np.where(data["sex"] == "m", 0.5, 0.25)).astype(np.int64)
    score = np.where(decided == 1, 0.7, 0.3)
    losses = -np.log(np.where(target == 1, score, 1 - score))
    return {
        "prediction": np.where(decided == 1, "yes", "no"),
        "probability_no": 1 - score, "probability_yes": score,
        "_target": target, "_decided": decided, "_row_loss": losses.astype(np.float32),
    }  # fmt: skip


class Case:
    """Rows, a scorecard and what the stage finds in them."""

    def __init__(self, folder, layout=TWO, made=two_class, data=None, metric="accuracy"):
        self.store = LocalStore(folder)
        self.data = data or people()
        self.predictions = made(self.data)
        target = self.predictions["_target"]
        names = np.array(layout.classes)[target] if layout.classes else target
        self.table = pa.table({**self.data, "y": names})
        self.rows = self.store.keep_table(self.table)
        kept = self.store.keep_table(pa.table(self.predictions))
        self.scorecard = Scorecard(metrics={}, predictions=kept)
        self.fitted = Fitted(
            weights=NO_BLOB, state=NO_BLOB, layout=layout, loss="any", metric=metric
        )

    def find(self, sensitive=("sex", "race"), spec=None, plain=None, policy=None, progress=silent):
        return bias(
            self.fitted, self.scorecard, self.rows, self.rows, list(sensitive),
            spec or BiasSpec(), plain, policy, 0, self.store, progress,
        )  # fmt: skip

    def outcomes(self, **more):
        gates = Gates()
        checks = self.find(**more).evidence.checks
        return {c.label: judged(c, gates.of(c.name)) for c in checks}


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


def records(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_the_refusal_names_the_column_and_the_small_group(case):
    found = case.outcomes()
    assert found["bias/demographic_parity[sex]"].outcome == "refuse"
    assert found["bias/demographic_parity[race]"].outcome == "pass"
    small = found["bias/demographic_parity[race[Other]]"]
    assert small.outcome == "insufficient" and small.blocks
    assert {label for label, check in found.items() if check.blocks} == {
        "bias/demographic_parity[sex]",
        "bias/demographic_parity[race[Other]]",
    }


def test_without_sensitive_columns_there_is_a_note_and_no_check(case):
    evidence = case.find(sensitive=()).evidence
    assert evidence.checks == [] and evidence.tables == {}
    assert evidence.notes == ["No sensitive columns are named."]


def test_tables_and_figures_hold_the_rates(case):
    evidence = case.find().evidence
    sex, decided = case.data["sex"], case.predictions["_decided"]
    shown = {r["sex"]: r for r in records(evidence.tables["groups: sex"])}
    for group in "fm":
        assert shown[group]["rows"] == (sex == group).sum()
        assert shown[group]["selection_rate"] == pytest.approx(decided[sex == group].mean())
    by_race = {r["race"]: r["judged"] for r in records(evidence.tables["groups: race"])}
    assert by_race == {"Black": "yes", "Other": "insufficient", "White": "yes"}
    figure = evidence.figures["selection: sex"]
    assert figure.series[0].x == ["f", "m"]
    for low, value, high in zip(
        figure.series[0].low, figure.series[0].y, figure.series[0].high, strict=True
    ):
        assert low < value < high
    assert {"errors: sex", "loss: sex", "selection: race"} <= set(evidence.figures)
    gaps = {(r["column"], r["quantity"]): r["value"] for r in records(evidence.tables["gaps"])}
    rates = [decided[sex == group].mean() for group in "fm"]
    assert gaps["sex", "demographic_parity_ratio"] == pytest.approx(min(rates) / max(rates))


def test_intersections_are_listed_and_small_ones_have_no_numbers(case):
    shown = {r["sex and race"]: r for r in records(case.find().evidence.tables["intersections"])}
    assert set(shown) == {f"{s}, {r}" for s in "fm" for r in ("Black", "Other", "White")}
    mask = (case.data["sex"] == "f") & (case.data["race"] == "White")
    found = shown["f, White"]
    assert found["rows"] == mask.sum() and found["judged"] == "yes"
    assert found["selection_rate"] == pytest.approx(case.predictions["_decided"][mask].mean())
    assert found["selection_rate low"] < found["selection_rate"] < found["selection_rate high"]
    assert shown["f, Other"]["judged"] == "insufficient"
    assert shown["f, Other"]["selection_rate"] is None


def test_thousands_of_intersections_are_cut_to_what_can_be_read(tmp_path):
    rng = np.random.default_rng(0)
    data = people(2000) | {"sex": rng.choice([f"s{i}" for i in range(20)], 2000),
                           "race": rng.choice([f"r{i}" for i in range(20)], 2000)}  # fmt: skip
    data["age"] = rng.integers(0, 4, 2000).astype(float)
    case = Case(tmp_path, data=data)
    table = case.find(("sex", "race", "age")).evidence.tables["intersections"]
    assert len(table.rows) == MAX_TABLE_ROWS and "insufficient" in table.note


def test_numbers_nulls_and_one_value(tmp_path):
    data = people() | {"race": np.full(1200, "White")}
    data["age"] = np.where(np.arange(1200) % 3 == 0, np.nan, data["age"])
    found = Case(tmp_path, data=data).outcomes(sensitive=("race", "age"))
    only = found["bias/demographic_parity[race]"]
    assert only.outcome == "insufficient" and "All 1200 test rows are White" in only.why
    table = Case(tmp_path, data=data).find(("age",)).evidence.tables["groups: age"]
    names = [row[0] for row in table.rows]
    assert len(names) == 5 and names[-1] == "(missing)" and names[0].startswith("up to")
    assert found["bias/demographic_parity[age]"].outcome == "pass"


def test_more_classes_are_gated_by_the_worst_group(tmp_path):
    def made(data):
        rng = np.random.default_rng(2)
        target = rng.integers(0, 3, 1200)
        scores = np.full((1200, 3), 0.1)
        right = rng.random(1200) < np.where(data["sex"] == "m", 0.95, 0.4)
        decided = np.where(right, target, (target + 1) % 3)
        scores[np.arange(1200), decided] = 0.8
        columns = {f"probability_{name}": scores[:, i] for i, name in enumerate("abc")}
        losses = -np.log(scores[np.arange(1200), target])
        columns["prediction"] = np.array(list("abc"))[decided]
        return columns | {"_target": target, "_decided": decided, "_row_loss": losses}

    case = Case(tmp_path, THREE, made)
    found = case.outcomes(sensitive=("sex",))
    assert list(found) == ["bias/worst_group[sex]"]
    assert found["bias/worst_group[sex]"].outcome == "refuse"
    assert "of f is +" in found["bias/worst_group[sex]"].why
    classes = records(case.find(("sex",)).evidence.tables["classes: sex"])
    for group in "fm":
        rates = [r["selection_rate"] for r in classes if r["group"] == group]
        assert sum(rates) == pytest.approx(1) and len(rates) == 3
    with pytest.raises(BadInput, match="two classes"):
        case.find(("sex",), BiasSpec(criterion="demographic_parity"))


def test_a_regression_shows_error_and_mean_prediction(tmp_path):
    def made(data):
        target = np.random.default_rng(3).normal(10, 3, 1200)
        answer = target + np.where(data["sex"] == "m", 0.1, 2.0)
        loss = np.square(answer - target)
        return {"prediction": answer, "_target": target, "_decided": answer, "_row_loss": loss}

    case = Case(tmp_path, NUMBER, made, metric="rmse")
    evidence = case.find(("sex",)).evidence
    shown = {r["sex"]: r for r in records(evidence.tables["groups: sex"])}
    assert shown["f"]["mean_residual"] == pytest.approx(2)
    assert shown["f"]["rmse"] == pytest.approx(2) and shown["m"]["rmse"] == pytest.approx(0.1)
    mine = case.data["sex"] == "f"
    assert shown["f"]["mean_prediction"] == pytest.approx(
        case.predictions["prediction"][mine].mean()
    )
    assert "residual: sex" in evidence.figures
    assert case.outcomes(sensitive=("sex",))["bias/worst_group[sex]"].outcome == "refuse"


def test_a_column_that_is_absent_is_a_mistake_and_all_are_named(case):
    with pytest.raises(BadInput) as caught:
        case.find(("sex", "gender", "faith"))
    assert [mistake.found for mistake in caught.value.mistakes] == ["gender", "faith"]
    assert "race" in caught.value.mistakes[0].remedy


def test_a_column_named_twice_is_judged_once(case):
    labels = [check.label for check in case.find(("sex", "sex")).evidence.checks]
    assert len(labels) == len(set(labels))


def test_progress_is_told_by_column(case):
    told = []
    case.find(progress=lambda done, total, note="": told.append((done, total, note)))
    assert told == [(0, 2, "sex"), (1, 2, "race"), (2, 2, "done")]


def test_the_same_rows_and_seed_give_the_same_findings(case):
    assert case.find().fingerprint == case.find().fingerprint


class Mitigated(Case):
    """A stored network of random weights, and its scorecard under thresholds by sex."""

    def __init__(self, folder):
        super().__init__(folder)
        torch.manual_seed(0)
        learnt = Learnt.of(self.table, TWO, ModelSpec(width=8, members=2))
        network = learnt.network()
        save_file(network.state_dict(), folder / "weights.safetensors")
        self.fitted = Fitted(
            weights=self.store.keep_file(folder / "weights.safetensors"),
            state=self.store.keep_bytes(learnt.to_json().encode(), ".json"),
            layout=TWO, loss="any", metric="accuracy",
        )  # fmt: skip
        self.score = Model(learnt, network).scores(self.table)
        self.plain = Policy(threshold=float(np.quantile(self.score[:, 1], 0.6)))
        sex, target = self.data["sex"], self.predictions["_target"]
        limits = {s: np.quantile(self.score[sex == s, 1], 0.6) for s in "fm"}
        decided = self.score[:, 1] >= np.where(sex == "f", limits["f"], limits["m"])
        losses = -np.log(self.score[np.arange(1200), target])
        kept = pa.table(
            {"prediction": np.where(decided == 1, "yes", "no"),
             "probability_no": self.score[:, 0], "probability_yes": self.score[:, 1],
             "_target": target, "_decided": decided.astype(np.int64), "_row_loss": losses}
        )  # fmt: skip
        self.decided = decided
        self.scorecard = Scorecard(metrics={}, predictions=self.store.keep_table(kept))


def test_a_mitigation_is_shown_before_and_after_with_its_cost(tmp_path):
    case = Mitigated(tmp_path)
    spec = BiasSpec(mitigation="thresholds", column="sex")
    evidence = case.find(spec=spec, plain=case.fitted, policy=case.plain).evidence
    shown = {(r["column"], r["quantity"]): r for r in records(evidence.tables["mitigation"])}
    target = case.predictions["_target"]
    before = case.score[:, 1] >= case.plain.threshold
    accuracy = shown["", "accuracy"]
    assert accuracy["before"] == pytest.approx(np.mean(before == target))
    assert accuracy["after"] == pytest.approx(np.mean(case.decided == target))
    assert accuracy["change"] == pytest.approx(accuracy["after"] - accuracy["before"])
    assert shown["", "log_loss"]["effect"] == "same"
    ratio = shown["sex", "demographic_parity_ratio"]
    assert ratio["after"] == pytest.approx(1, abs=0.02) and ratio["before"] < 0.9
    assert ratio["effect"] == "better"
    women = shown["sex", "selection_rate of f"]
    assert women["before"] == pytest.approx(before[case.data["sex"] == "f"].mean())
    assert women["effect"] == ""
    assert ("race", "demographic_parity_ratio") in shown
    note = evidence.notes[-1]
    assert "demographic_parity_ratio by sex" in note.split("Worse")[0]
    assert "need sex at prediction time" in note
    names = [series.name for series in evidence.figures["mitigation: sex"].series]
    assert names == ["before", "after"]


def test_without_a_mitigation_nothing_is_compared(case):
    evidence = case.find().evidence
    assert "mitigation" not in evidence.tables
    assert not any(key.startswith("mitigation") for key in evidence.figures)


def test_findings_survive_the_wire(case):
    found = case.find()
    again = type(found).model_validate(json.loads(found.model_dump_json()))
    assert again == found
