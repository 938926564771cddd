import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from penstock import tasks
from penstock.measure.baselines import baselines, matrix_of
from penstock.records import Column, Layout


def layout(task="classification", classes=("a", "b")):
    columns = [
        Column(name="n", modality="numeric", arrow_type="double"),
        Column(name="c", modality="category", arrow_type="string"),
    ]
    return Layout(
        columns=columns, target="y", task=task, classes=list(classes) if task[0] == "c" else []
    )


def scores(train, goal, test, task="classification", classes=("a", "b")):
    plan = layout(task, classes)
    x, x_test, categorical = matrix_of(train, test, plan, {})
    estimators = tasks.load(task).baselines(plan, seed=0)
    return baselines(estimators, (x, goal, None), x_test, categorical, len(plan.classes))


def rows(n=300, seed=0):
    rng = np.random.default_rng(seed)
    number, level = rng.normal(size=n), rng.choice(["u", "v"], n)
    goal = (number + (level == "u") + rng.normal(size=n) > 0.5).astype(np.int64)
    return pa.table({"n": number, "c": level}), goal


def test_the_linear_baseline_is_logistic_regression_on_scaled_numbers_and_levels():
    train, goal = rows()
    number = train["n"].to_numpy()
    level = np.array(train["c"].to_pylist())
    scaled = (number - number.mean()) / number.std()
    x = np.c_[scaled, level == "u", level == "v"]
    wanted = LogisticRegression(max_iter=1000, tol=1e-8).fit(x, goal).predict_proba(x)
    found = scores(train, goal, train)["linear"].scores
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_the_trivial_baseline_is_the_class_shares():
    train, goal = rows()
    found = scores(train, goal, train.slice(0, 5))["trivial"].scores
    np.testing.assert_allclose(found, np.tile([1 - goal.mean(), goal.mean()], (5, 1)))


def test_numbers_have_a_mean_a_ridge_and_a_boosting():
    train, _ = rows()
    goal = train["n"].to_numpy() * 3 + 1e6
    found = scores(train, goal, train, task="regression")
    np.testing.assert_allclose(found["trivial"].scores, goal.mean())
    assert np.abs(found["linear"].scores - goal).max() < 0.5
    assert np.sqrt(np.mean((found["boosting"].scores - goal) ** 2)) < goal.std() / 2
    assert isinstance(tasks.load("regression").baselines(layout("regression"), 0)["linear"], Ridge)


def test_a_class_without_training_rows_gets_no_probability():
    train, goal = rows()
    found = scores(train, goal * 2, train, classes=("a", "b", "c"))
    for baseline in found.values():
        assert baseline.scores.shape == (300, 3)
        assert (baseline.scores[:, 1] == 0).all()


def test_one_class_in_the_training_rows_is_certain():
    train, goal = rows()
    for baseline in scores(train, goal * 0, train).values():
        assert (baseline.scores[:, 0] == 1).all()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_columns_without_values_or_with_huge_ones_do_not_stop_it(task):
    rng = np.random.default_rng(0)
    for number in (
        pa.nulls(100, pa.float64()),
        pa.array(np.r_[[1e308, -1e308], rng.normal(size=98)]),
        pa.array([1.0] + [None] * 99, pa.float64()),
        pa.array([7.0] * 100),
    ):
        train = pa.table({"n": number, "c": pa.nulls(100, pa.string())})
        test = pa.table({"n": [1.0, float("inf"), None], "c": ["u", "new", None]})
        goal = rng.integers(0, 2, 100) if task == "classification" else rng.normal(size=100)
        for baseline in scores(train, goal, test, task=task).values():
            assert len(baseline.scores) == 3
            assert np.isfinite(baseline.scores).all()


def test_what_no_matrix_holds_comes_beside_it():
    train, _ = rows(4)
    plain = {"image": (np.ones((4, 3)), np.zeros((4, 3)))}
    left, right, categorical = matrix_of(train, train, layout(), plain)
    assert left.shape == right.shape == (4, 5)
    assert (left[:, 2:] == 1).sum() in (0, 12)
    assert len(categorical) == 5
