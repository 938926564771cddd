"""Laws that every task keeps, found on disk: a new one is held to them too."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from penstock import plugins, tasks
from penstock.evidence import Check, Figure
from penstock.learning import losses
from penstock.measure import metrics
from penstock.measure.judging import judged
from penstock.measure.language import tallies
from penstock.measure.ranking import lists
from penstock.records import Column, Layout, Policy
from penstock.spec import Gate

TASKS = list(plugins.modules("penstock.tasks"))


def layout(task, classes=()):
    column = Column(name="y", modality="category", arrow_type="string", role="target")
    return Layout(columns=[column], target="y", task=task, classes=list(classes))


def tallied(target, rng):
    found = tallies.priced(target * rng.uniform(1, 7, len(target)), target)
    found["tokens"] = 3
    found["count"][:, 2] = 3
    found["stated"][:, 2] = rng.uniform(0.6, 0.9, len(target))
    found["true"][:, 2] = rng.integers(0, 2, len(target))
    return found


RNG = np.random.default_rng(0)
# by task: layouts, targets as raw columns
CASES = {
    "classification": [
        (layout("classification", ["no", "yes"]), pa.array(["no", "yes", "yes"] * 20)),
        (layout("classification", ["false", "true"]), pa.array([True, False, False] * 20)),
        (layout("classification", ["0", "1", "2"]), pa.array([0, 1, 2] * 20)),
        (layout("classification", ["0", "1", "2"]), pa.array([0.0, 1.0, 2.0] * 20)),
        (layout("classification", ["0.5", "1", "2"]), pa.array([0.5, 1.0, 2.0] * 20)),
        (layout("classification", ["1", "1.0"]), pa.array(["1", "1.0"] * 30)),
        (layout("classification", list("abcd")), pa.array(list("abc") * 20)),
        (layout("classification", ["<b>", "ü \"'{}"]), pa.array(["<b>", "ü \"'{}"] * 30)),
    ],
    "regression": [
        (layout("regression"), pa.array(RNG.normal(size=60))),
        (layout("regression"), pa.array(RNG.normal(size=60) * 1e12)),
        (layout("regression"), pa.array(RNG.normal(size=60) * 1e-9)),
        (layout("regression"), pa.array(1e9 + RNG.normal(size=60))),
        (layout("regression"), pa.array(RNG.integers(2**54, 2**55, 60))),
        (layout("regression"), pa.array(RNG.integers(0, 9, 60))),
        (layout("regression"), pa.array([3.0] * 60)),
    ],
}
CASES["ordinal"] = [
    (layout("ordinal", ["1", "2", "3"]), pa.array([1, 2, 3] * 20)),
    (layout("ordinal", ["poor", "fair", "good", "best"]), pa.array(["good", "poor", "best"] * 20)),
]
CASES["count"] = [
    (layout("count"), pa.array(1.0 + RNG.poisson(3.0, 60))),
    (layout("count"), pa.array(1.0 + RNG.poisson(3e6, 60))),
    (layout("count"), pa.array(RNG.poisson(0.3, 60).astype(float))),
]
LINK = {"count": np.log}
"""From what the network is trained on to its best output, where these differ."""
ALL = [
    pytest.param(name, goal, raw, id=f"{name}-{number}")
    for name in TASKS
    for number, (goal, raw) in enumerate(CASES.get(name, []))
]


# tasks with scores of their own: layout, a raw column, and scores of it from a generator
TEXTS = pa.array(["a dog", "a cat", "three"] * 20)
ITEMS = ["a", "b", "c", "d", "é"]


def listed(target, rng):
    logits = rng.normal(size=(len(target), len(ITEMS)))
    rows, places = np.nonzero(target >= 0)
    logits[rows, target[rows, places]] += 2
    return lists.of_logits(logits, np.full((len(target), 1), lists.NONE))


OWN = {
    "next_token": (layout("next_token"), TEXTS, tallied),
    "ranking": (
        layout("ranking").model_copy(update={"catalogue": ITEMS}),
        pa.array(["a|b", "c", "gone|d", "é|a|c"] * 10),
        listed,
    ),
}


def outputs(task, goal, n, seed=0):
    shape = (n, 3, task.num_outputs(goal))
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scored(task, goal, raw):
    target = task.encode_target(pa.chunked_array([raw]), goal)
    state = task.learn_target(target, goal)
    return target, state, task.decode(outputs(task, goal, len(target)), state)


def test_every_task_has_cases_here():
    assert set(TASKS) == set(CASES) | set(OWN)


@pytest.mark.parametrize(("name", "goal", "raw"), ALL)
def test_the_mean_row_loss_is_the_metric_of_that_loss(name, goal, raw):
    task = tasks.load(name)
    target, _, scores = scored(task, goal, raw)
    mean = float(task.row_losses(scores, target).mean(dtype=np.float64))
    wanted = {
        "classification": lambda: metrics.of("log_loss").measure(target, scores),
        "ordinal": lambda: metrics.of("log_loss").measure(target, scores),
        "regression": lambda: metrics.of("rmse").measure(target, scores) ** 2,
        "count": lambda: task.METRICS["mean_poisson_deviance"].measure(target, scores),
    }[name]()
    assert mean == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("name", "goal", "raw"), ALL)
def test_no_constant_scores_better_than_the_best_constant(name, goal, raw):
    task = tasks.load(name)
    target, _, _ = scored(task, goal, raw)
    best = task.constant(target, goal)
    floor = task.row_losses(best, target).mean()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        if goal.classes:
            other = np.tile(rng.dirichlet(np.ones(len(goal.classes))), (len(target), 1))
        else:
            other = best + rng.normal() * (target.std() + 1e-3)
            other = np.abs(other) if name == "count" else other
        assert task.row_losses(other, target).mean() >= floor * (1 - 1e-6)


@pytest.mark.parametrize(("name", "goal", "raw"), ALL)
def test_scaling_and_decoding_undo_each_other(name, goal, raw):
    task = tasks.load(name)
    target, state, _ = scored(task, goal, raw)
    scaled = task.scale_target(target, json.loads(json.dumps(state)))
    if goal.classes:
        sure = np.eye(len(goal.classes), dtype=np.float32)[scaled] * 50
        found = task.decode(sure[:, None].repeat(2, axis=1), state).argmax(axis=1)
        np.testing.assert_array_equal(found, target)
    else:
        assert scaled.dtype == np.float32
        with np.errstate(divide="ignore"):
            best = LINK.get(name, np.asarray)(scaled)
        found = task.decode(best[:, None, None].repeat(2, axis=1), state)
        rtol = 1e-15 if name == "regression" else 1e-6
        np.testing.assert_allclose(found, target, atol=2e-7 * 5 * target.std(), rtol=rtol)


@pytest.mark.parametrize(("name", "goal", "raw"), ALL)
def test_predictions_are_columns_of_as_many_rows(name, goal, raw):
    task = tasks.load(name)
    target, _, scores = scored(task, goal, raw)
    for policy in (Policy(), Policy(radius=0.5)):
        for rows in (slice(None), slice(0, 0)):
            decided = decisions(task, scores, policy)[rows]
            columns = task.predictions(scores[rows], decided, policy, goal)
            assert next(iter(columns)) == "prediction"
            assert {len(values) for values in columns.values()} == {len(target[rows])}
    if goal.classes:
        wanted = [f"probability_{level}" for level in goal.classes]
        assert list(columns)[1:] == [*wanted, "prediction_set", "abstain"]
        plain = task.predictions(scores, decisions(task, scores, Policy()), Policy(), goal)
        assert set(plain["prediction"]) <= set(goal.classes)
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def decisions(task, scores, policy):
    return task.decided(scores, policy, [], np.zeros(len(scores), dtype=np.int64))


@pytest.mark.parametrize(("name", "goal", "raw"), ALL)
def test_covered_says_whether_the_written_set_or_interval_holds_the_truth(name, goal, raw):
    task = tasks.load(name)
    target, _, scores = scored(task, goal, raw)
    radius = float(np.median(task.nonconformity(scores, target)))
    policy = Policy(radius=radius)
    columns = task.predictions(scores, decisions(task, scores, policy), policy, goal)
    held = task.covered(scores, target, radius)
    assert held.mean() >= 0.5
    if goal.classes:
        sets = [json.loads(text) for text in columns["prediction_set"]]
        found = [goal.classes[code] in one for code, one in zip(target, sets, strict=True)]
    else:
        found = (columns["prediction_low"] <= target) & (target <= columns["prediction_high"])
    assert np.mean(np.asarray(found) == held) > 0.99  # but for rounding at the very edge


@pytest.mark.parametrize(("name", "goal", "raw"), ALL)
def test_each_metric_is_known_and_the_truth_scores_best(name, goal, raw):
    task = tasks.load(name)
    target, _, scores = scored(task, goal, raw)
    truth = np.eye(len(goal.classes))[target] if goal.classes else target
    for metric in map(metrics.of, task.metrics(goal)):
        value, best = metric.measure(target, scores), metric.measure(target, truth)
        if np.isnan(best):  # r2 of a constant target
            assert np.isnan(value)
            continue
        assert metric.low <= value <= metric.high
        assert best == pytest.approx(
            metric.high if metric.better == "higher" else metric.low, abs=1e-6
        )
        assert value <= best if metric.better == "higher" else value >= best


@pytest.mark.parametrize(("name", "goal", "raw"), ALL)
def test_figures_can_be_drawn_and_survive_json(name, goal, raw):
    task = tasks.load(name)
    target, _, scores = scored(task, goal, raw)
    for few in (slice(None), target == target[0], slice(0, 2)):
        figures = task.figures(scores[few], target[few], goal)
        assert figures
        for figure in figures.values():
            assert Figure.model_validate_json(figure.model_dump_json()) == figure


@pytest.mark.parametrize("name", CASES)
def test_the_losses_it_offers_are_there_and_reward_the_truth(name):
    task = tasks.load(name)
    goal, raw = CASES[name][0]
    target, state, _ = scored(task, goal, raw)
    wanted = torch.from_numpy(task.scale_target(target, state))
    for loss in map(losses.of, task.LOSSES):
        if goal.classes:
            right = torch.nn.functional.one_hot(wanted, len(goal.classes)).float() * 9
        else:
            right = torch.from_numpy(LINK.get(name, np.asarray)(wanted.numpy()))[:, None]
        right = right[:, None].repeat(1, 2, 1)
        good, bad = loss(right, wanted), loss(-right, wanted)
        assert good.shape == wanted.shape
        assert good.mean() < bad.mean()


@pytest.mark.parametrize("name", TASKS)
def test_a_target_that_is_null_or_unknown_is_an_error(name):
    task, (goal, raw) = tasks.load(name), (OWN[name][:2] if name in OWN else CASES[name][0])
    holes = pa.chunked_array([pa.array([None, *raw.to_pylist()[1:]], raw.type)])
    with pytest.raises(ValueError, match="1 target values are"):
        task.encode_target(holes, goal)


@pytest.mark.parametrize("name", OWN)
def test_scores_of_its_own_are_measured_written_down_and_read_again(name):
    task, (goal, raw, made) = tasks.load(name), OWN[name]
    target = task.encode_target(pa.chunked_array([raw]), goal)
    scores = made(target, np.random.default_rng(0))
    found = [metrics.of(metric) for metric in task.metrics(goal)]
    values = [metric.measure(target, scores) for metric in found]
    for metric, value in zip(found, values, strict=True):
        assert metric.low <= value <= metric.high
    if found[0].better == "lower":
        assert task.row_losses(scores, target).mean() == pytest.approx(values[0])
    constant = found[0].measure(target, task.constant(target, goal))
    assert metrics.gain(task.metrics(goal)[0], values[0], constant) > 0
    columns = task.predictions(scores, decisions(task, scores, Policy()), Policy(), goal)
    assert next(iter(columns)) == "prediction"
    assert {len(column) for column in columns.values()} == {len(target)}
    empty = task.empty_scores(goal)
    assert list(task.predictions(empty, empty, Policy(), goal)) == list(columns)
    again = task.answers(pa.table(columns), goal)
    assert [metric.measure(target, again.scores) for metric in found] == pytest.approx(values)
    assert task.signal(scores).shape == (len(target),)
    for few in (slice(None), slice(0, 2)):
        for figure in task.figures(scores[few], target[few], goal).values():
            assert Figure.model_validate_json(figure.model_dump_json()) == figure
    assert task.looked_at(target, goal).tables


@pytest.mark.parametrize("better", ["lower", "higher"])
@pytest.mark.parametrize("burden", ["value", "prove", "disprove"])
@pytest.mark.parametrize("action", ["refuse", "warn", "note"])
def test_a_worse_score_never_turns_a_failure_into_a_pass(better, burden, action):
    gate = Gate(limit=0.25, action=action)
    sign = 1 if better == "higher" else -1
    failed = False
    for step in range(40, -41, -1):  # from the best to the worst
        value = sign * step / 20
        check = Check(
            name="c", stage="s", value=value, low=value - 0.1, high=value + 0.1,
            better=better, burden=burden,
        )  # fmt: skip
        outcome = judged(check, gate).outcome
        assert outcome in ("pass", action)
        assert not (failed and outcome == "pass")
        failed = failed or outcome != "pass"
    assert failed


def test_tasks_are_found_on_disk():
    folder = Path(tasks.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} <= set(TASKS)


def test_what_a_task_is_called_costs_no_torch():
    names = plugins.modules("penstock.tasks")
    code = (
        "import sys; from penstock import tasks;"
        f"[tasks.load(name) for name in {names}];"
        "print(sorted({'torch', 'sklearn', 'penstock.model'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
