import numpy as np
import pyarrow as pa
import pytest
from fairlearn.metrics import demographic_parity_ratio
from scipy.special import expit

from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.model import Model
from penstock.records import Column, Layout, Objective, Policy
from penstock.spec import Compute, DecisionSpec, ModelSpec
from penstock.stages.decide import decide
from penstock.stages.fit import fit

MODEL = ModelSpec(epochs=4, width=16, members=2, batch_size=64, learning_rate=0.02)
COLUMNS = [
    Column(name="x", modality="numeric", arrow_type="double"),
    Column(name="z", modality="numeric", arrow_type="double"),
    Column(name="sex", modality="category", arrow_type="string", role="metadata"),
    Column(name="pic", modality="image", arrow_type="binary", role="metadata"),
]


def silent(done, total, note=""):
    pass


def people(rows, seed, classes):
    """Women's x is lower by one, and x tells the target."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m", None], rows, p=[0.4, 0.55, 0.05])
    x = rng.normal(size=rows) + 0.5 * (sex == "m") - 0.5 * (sex == "f")
    signal = 2 * x - 2 + rng.logistic(size=rows)
    y = {
        2: np.where(signal > 0, "yes", "no"),
        3: np.array(["a", "b", "c"])[np.digitize(signal, [-3.0, 1.0])],
        0: signal,
    }[classes]
    columns = {"x": x, "z": rng.normal(size=rows), "sex": sex.tolist(), "y": y}
    return pa.table(columns | {"pic": pa.nulls(rows, pa.binary())})


class World:
    """A model trained on 1,500 rows, and 6,000 validation and 10,000 test rows."""

    def __init__(self, folder, classes, metric):
        self.store = LocalStore(folder / "store")
        names = {0: [], 2: ["no", "yes"], 3: ["a", "b", "c"]}[classes]
        kind = "double" if not classes else "string"
        target = Column(name="y", modality="category", arrow_type=kind, role="target")
        task = "classification" if classes else "regression"
        layout = Layout(columns=[*COLUMNS, target], target="y", task=task, classes=names)
        train = self.store.keep_table(people(1500, 0, classes))
        self.valid_table = people(6000, 1, classes)
        self.valid = self.store.keep_table(self.valid_table)
        self.test = people(10_000, 2, classes)
        goal = Objective(loss="cross_entropy" if classes else "squared_error", metric=metric)
        one = Compute(device="cpu", threads=1)
        self.fitted = fit(
            train, self.valid, layout, goal, MODEL, one, self.store, silent, f"fit-{classes}"
        )

    def decide(self, spec=None, by="", criterion="auto", valid=None, metric=None, seed=0):
        fitted = self.fitted.model_copy(update={"metric": metric or self.fitted.metric})
        spec = spec or DecisionSpec()
        rows = valid or self.valid
        return decide(fitted, rows, spec, criterion, by, seed, self.store, silent)

    def model(self, policy):
        return Model.read(
            self.store.path(self.fitted.weights), self.store.path(self.fitted.state), policy
        )

    def mistakes(self, spec=None, by=""):
        with pytest.raises(BadInput) as caught:
            self.decide(spec, by)
        return caught.value.mistakes


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return World(tmp_path_factory.mktemp("two"), 2, "roc_auc")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return World(tmp_path_factory.mktemp("three"), 3, "accuracy")


@pytest.fixture(scope="module")
def number(tmp_path_factory):
    return World(tmp_path_factory.mktemp("number"), 0, "rmse")


def said(policy):
    return " ".join(policy.evidence.notes)


def column(policy, table, name):
    rows = policy.evidence.tables[table]
    return [row[rows.columns.index(name)] for row in rows.rows]


def test_a_metric_of_scores_leaves_the_more_probable_class(two):
    policy = two.decide()
    assert (policy.threshold, policy.costs, policy.thresholds) == (None, [], {})
    assert "The more probable class is decided." in policy.evidence.notes
    assert set(policy.evidence.tables) == {"before_after", "promise"}
    assert set(policy.evidence.figures) == {"reliability", "coverage"}
    said_so = two.decide(DecisionSpec(threshold="metric"))
    assert "roc_auc reads probabilities" in said(said_so)


def test_the_same_rows_give_the_same_policy_and_json_keeps_it(two):
    first = two.decide(by="sex", metric="f1")
    again = two.decide(by="sex", metric="f1")
    assert first == again
    read = Policy.model_validate_json(first.model_dump_json())
    assert (read, read.fingerprint) == (first, first.fingerprint)


def test_a_threshold_for_f1_is_better_than_half_on_other_rows(two):
    policy = two.decide(metric="f1")
    assert 0.2 < policy.threshold < 0.5
    measured = {row[0]: row[1:] for row in policy.evidence.tables["before_after"].rows}
    assert measured["f1"][1] > measured["f1"][0]
    assert policy.evidence.figures["threshold"].marks[-1] == (policy.threshold, "chosen")
    assert two.decide(DecisionSpec(threshold="probable"), metric="f1").threshold is None


def test_costs_decide_by_expected_cost_and_are_not_tuned(two):
    costs = [[0.0, 1.0], [9.0, 0.0]]
    policy = two.decide(DecisionSpec(threshold="cost", costs=costs))
    assert policy.costs == costs
    model = two.model(policy)
    scores = model.scores(two.test)
    expected = (scores[:, 1] > 0.1).astype(int)  # 1 / (1 + 9)
    np.testing.assert_array_equal(model.decided(two.test, scores), expected)
    cost = {row[0]: row[1:] for row in policy.evidence.tables["before_after"].rows}["mean cost"]
    assert cost[1] < cost[0]


def test_thresholds_by_group_level_selection_on_rows_nobody_saw(two):
    policy = two.decide(by="sex")
    model, sex = two.model(policy), np.array(two.test["sex"].to_pylist(), dtype=object)
    judged = sex != None  # noqa: E711
    truth = np.array(two.test["y"].to_pylist()) == "yes"
    scores = model.scores(two.test)

    def ratio(decided):
        known = (truth[judged], decided[judged] == 1)
        return demographic_parity_ratio(*known, sensitive_features=sex[judged].astype(str))

    assert ratio(scores.argmax(axis=1)) < 0.4
    assert ratio(model.decided(two.test, scores)) > 0.8
    assert set(policy.thresholds) == {"f", "m", "(missing)"}
    assert policy.thresholds["f"] < policy.thresholds["m"]
    assert "need sex at prediction time" in said(policy)
    assert {"groups", "gaps", "before_after"} <= set(policy.evidence.tables)
    assert {"selection", "group_thresholds"} <= set(policy.evidence.figures)


def test_equalised_odds_come_closer_on_rows_nobody_saw(two):
    policy = two.decide(by="sex", criterion="equalized_odds")
    before, after = (column(policy, "gaps", side)[1] for side in ("before", "after"))
    assert after <= 0.06 < before
    rates = {}
    for name, used in (("before", Policy()), ("after", policy)):
        model = two.model(used)
        chosen = model.decided(two.test, model.scores(two.test)) == 1
        sex, truth = (np.array(two.test[c].to_pylist(), dtype=object) for c in ("sex", "y"))
        shares = [
            [chosen[(sex == s) & (truth == t)].mean() for s in ("f", "m")] for t in ("no", "yes")
        ]
        rates[name] = np.abs(np.diff(shares)).max()
    assert rates["after"] < 0.5 * rates["before"]


def test_groups_of_few_rows_share_a_threshold_and_are_named(two):
    few = two.store.keep_table(two.valid_table.slice(0, 600))
    policy = two.decide(by="sex", valid=few)
    assert set(policy.thresholds) == {"f", "m"}
    assert "(missing)" in said(policy)
    assert "Rows without sex are decided from the shared 0.5 on." in policy.evidence.notes
    none = two.decide(by="sex", valid=two.store.keep_table(two.valid_table.slice(0, 150)))
    assert (none.thresholds, none.grouping) == ({}, None)
    assert "fewer than two groups" in said(none)


def test_costs_by_group_are_in_the_thresholds(two):
    spec = DecisionSpec(threshold="cost", costs=[[0.0, 1.0], [3.0, 0.0]])
    policy = two.decide(spec, by="sex")
    assert policy.costs == []
    assert policy.threshold == 0.25
    assert set(policy.thresholds) == {"f", "m", "(missing)"}


def test_the_worst_group_is_told_that_no_threshold_changes_the_loss(two):
    policy = two.decide(by="sex", criterion="worst_group")
    assert "no threshold changes" in said(policy)


def test_a_network_that_is_too_sure_is_tempered_and_decides_as_before(two):
    y = np.array(two.valid_table["y"].to_pylist())
    swapped = np.random.default_rng(0).random(len(y)) < 0.2
    y[swapped] = np.where(y[swapped] == "yes", "no", "yes")
    table = two.valid_table.set_column(two.valid_table.column_names.index("y"), "y", pa.array(y))
    noisy = two.store.keep_table(table)
    policy = two.decide(valid=noisy)
    assert policy.temperature > 1.5
    assert "less sure" in said(policy)
    raw, cool = two.model(Policy()).scores(two.test), two.model(policy).scores(two.test)
    np.testing.assert_array_equal(raw.argmax(1), cool.argmax(1))
    assert cool.max(axis=1).mean() < raw.max(axis=1).mean()
    untouched = two.decide(DecisionSpec(temperature=False), valid=noisy)
    assert untouched.temperature == 1.0


def test_sets_cover_what_they_promise_on_other_rows(two, three, number):
    for world in (two, three, number):
        policy = world.decide(DecisionSpec(coverage=0.9))
        model = world.model(policy)
        target = model.task.encode_target(world.test["y"], model.layout)
        held = model.task.covered(model.scores(world.test), target, policy.radius)
        assert held.mean() == pytest.approx(0.9, abs=0.02)
        assert "evaluate measures it" in said(policy)
        assert policy.radius_rows == len(world.valid_table)


def test_a_model_that_is_right_more_often_than_is_promised_names_one_class(two):
    policy = two.decide(DecisionSpec(coverage=0.6))
    assert policy.radius == 0
    assert "the most probable class alone" in said(policy)
    found = two.model(policy).predict(two.test)
    assert not any(found["abstain"].to_numpy())
    assert set(np.asarray(found["prediction_set"])) == {'["no"]', '["yes"]'}


def test_too_few_rows_for_the_promise_have_no_radius(number):
    eight = number.store.keep_table(number.valid_table.slice(0, 8))
    policy = number.decide(valid=eight)
    assert policy.radius is None
    assert "8 validation rows cannot promise" in said(policy)
    assert "9 could" in said(policy)


@pytest.mark.parametrize("rows", [0, 1, 3, 9])
def test_a_handful_of_rows_gives_a_policy(two, three, number, rows):
    for world in (two, three, number):
        few = world.store.keep_table(world.valid_table.slice(0, rows))
        policy = world.decide(valid=few, metric=None if world is number else "balanced_accuracy")
        assert (policy.temperature, policy.threshold, policy.costs) == (1.0, None, [])
        assert policy.evidence.notes


def test_validation_rows_of_one_class_give_a_policy(two):
    table = two.valid_table.filter(pa.compute.equal(two.valid_table["y"], "no"))
    policy = two.decide(valid=two.store.keep_table(table), metric="f1", by="sex")
    assert policy.threshold is None
    assert "too few to tune" in said(policy)


def test_many_classes_count_the_same_for_balanced_accuracy(three):
    policy = three.decide(metric="balanced_accuracy")
    measured = {row[0]: row[1:] for row in policy.evidence.tables["before_after"].rows}
    assert measured["balanced_accuracy"][1] > measured["balanced_accuracy"][0]
    assert len(policy.costs) == 3
    accuracy = three.decide(DecisionSpec(threshold="metric"))
    assert accuracy.costs == []
    assert "no other rule" in said(accuracy)


def test_a_number_has_an_interval_and_nothing_else(number):
    policy = number.decide()
    assert (policy.temperature, policy.threshold, policy.costs) == (1.0, None, [])
    assert set(policy.evidence.tables) == {"promise"}
    assert policy.radius == column(policy, "promise", "value")[1]


def test_every_mistake_of_the_settings_is_told_at_once(two):
    found = two.mistakes(DecisionSpec(threshold="metric", costs=[[0, 1]]), by="age")
    assert len(found) == 3
    assert {mistake.where for mistake in found} == {"decision.costs", "bias.column"}


def test_settings_that_make_no_sense_are_refused(two, three, number):
    cost = {"threshold": "cost"}
    assert "no costs" in str(two.mistakes(DecisionSpec(**cost))[0])
    assert "least of its row" in str(two.mistakes(DecisionSpec(costs=[[1, 0], [0, 1]], **cost))[0])
    assert "at least 0" in str(two.mistakes(DecisionSpec(costs=[[0, -1], [1, 0]], **cost))[0])
    nan = float("nan")
    assert "at least 0" in str(two.mistakes(DecisionSpec(costs=[[0, nan], [1, 0]], **cost))[0])
    assert "costs more" in str(two.mistakes(DecisionSpec(costs=[[1, 1], [2, 2]], **cost))[0])
    assert "2 rows of 2" in str(two.mistakes(DecisionSpec(costs=[[0, 1], [1]], **cost))[0])
    assert "is a number" in str(number.mistakes(DecisionSpec(threshold="metric"))[0])
    assert "two classes" in str(three.mistakes(by="sex")[0])
    assert "two classes" in str(number.mistakes(by="sex")[0])
    assert "target" in str(two.mistakes(by="y")[0])
    assert "image" in str(two.mistakes(by="pic")[0])


def test_scores_that_are_no_numbers_choose_nothing(two):
    broken = two.model(Policy())
    with np.errstate(all="ignore"):
        for weight in broken.network.parameters():
            weight.data.fill_(float("nan"))
    from safetensors.torch import save_file

    path = two.store.scratch("broken") / "weights.safetensors"
    save_file(broken.network.state_dict(), path)
    fitted = two.fitted.model_copy(update={"weights": two.store.keep_file(path)})
    policy = decide(fitted, two.valid, DecisionSpec(), "auto", "sex", 0, two.store, silent)
    assert policy.radius is None
    assert "6000 of 6000 validation rows have scores that are no numbers" in said(policy)


def test_the_simulated_people_have_the_odds_they_say():
    table = people(20_000, 3, 2)
    x, yes = table["x"].to_numpy(), np.array(table["y"].to_pylist()) == "yes"
    assert yes.mean() == pytest.approx(expit(2 * x - 2).mean(), abs=0.01)
