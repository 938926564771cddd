"""A challenger is better when that is shown, on the same rows, and in no group worse."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.measure.contest import Groups, contest, paired_gain
from penstock.measure.metrics import gain
from penstock.measure.predictions import Answers


def classes(high: NDArray[np.float64]) -> Answers:
    return Answers(np.column_stack([1 - high, high]), (high > 0.5).astype(np.int64))


def test_the_interval_of_accuracy_is_that_of_its_paired_difference() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 4000)
    right, wrong = rng.random(4000) < 0.9, rng.random(4000) < 0.85
    ours = Answers(np.zeros((4000, 2)), np.where(right, target, 1 - target))
    theirs = Answers(np.zeros((4000, 2)), np.where(wrong, target, 1 - target))
    found = paired_gain("accuracy", target, ours, theirs, seed=0)
    each = right.astype(float) - wrong
    assert found.value == pytest.approx(each.mean())
    error = each.std(ddof=1) / np.sqrt(4000)
    assert found.low == pytest.approx(each.mean() - 1.645 * error, abs=0.25 * error)
    assert found.high == pytest.approx(each.mean() + 1.645 * error, abs=0.25 * error)


def test_errors_gain_as_a_share_of_the_champions() -> None:
    target = np.arange(50.0)
    ours, theirs = Answers(target + 1, target + 1), Answers(target + 2, target + 2)
    found = paired_gain("rmse", target, ours, theirs, seed=0)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    assert gain("rmse", 0.0, 0.0) == 0.0
    assert np.isnan(gain("rmse", 1.0, 0.0))


def made(num: int, ours_noise: float, theirs_noise: float) -> tuple[NDArray[np.int64], ...]:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 2, num)
    shared = rng.normal(0, 0.7, num)
    scores = [target + shared + rng.normal(0, s, num) for s in (ours_noise, theirs_noise)]
    return target, *scores


def test_a_better_metric_does_not_hide_a_group_that_lost() -> None:
    target, good, bad = made(6000, 0.3, 0.9)
    few = np.arange(6000) % 10 == 0
    mixed = np.where(few, bad, good)
    champion = np.where(few, good, bad)
    codes = Groups("town", ["Bonn", "Oslo", "Ulm"], few.astype(np.int64))
    sure = [classes(1 / (1 + np.exp(-s))) for s in (mixed, champion)]
    found = contest("roc_auc", target, *sure, [codes], 30, 0)
    beats, bonn, oslo = found.checks
    assert beats.low is not None
    assert beats.low > 0.02
    assert (bonn.subject, oslo.subject) == ("town[Bonn]", "town[Oslo]")
    assert bonn.enough
    assert oslo.enough
    assert oslo.high is not None
    assert oslo.high < -0.02
    (row,) = found.tables["contest"].rows
    assert row[0] == "roc_auc"
    assert row[4] == pytest.approx(row[2] - row[3])
    assert [r[1] for r in found.tables["contest_by_group"].rows] == ["Bonn", "Oslo"]
    assert found.figures["contest_by_group"].series[0].x == ["all rows", "town: Bonn", "town: Oslo"]


@pytest.mark.parametrize(
    ("rows", "one_class", "said"),
    [
        (20, False, "fewer than 30"),
        (60, True, "0 rows outside"),
        (60, False, "below the gain open"),
    ],
)
def test_a_group_too_small_to_judge_says_so(rows: int, one_class: bool, said: str) -> None:
    target, ours, theirs = made(4000, 0.5, 0.5)
    codes = (np.arange(4000) < rows).astype(np.int64)
    if one_class:
        target = np.where(codes == 1, 1, target)
    sure = [classes(1 / (1 + np.exp(-s))) for s in (ours, theirs)]
    found = contest("roc_auc", target, *sure, [Groups("g", ["most", "few"], codes)], 30, 0)
    most, few = found.checks[1:]
    assert most.enough
    assert not few.enough
    assert said in few.why


def test_two_models_that_agree_on_few_rows_show_nothing() -> None:
    target = np.arange(100) % 2
    same = classes(target * 0.8 + 0.1)
    found = contest(
        "accuracy", target, same, same, [Groups("g", ["all"], np.zeros(100, int))], 30, 0
    )
    assert (found.checks[1].value, found.checks[1].enough) == (0.0, False)
