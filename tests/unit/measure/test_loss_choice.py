import numpy as np
import pytest

from penstock.measure.comparison import Tried
from penstock.measure.judging import judged
from penstock.measure.loss_choice import ALONE, confirmed, loss_choice, losses_table, rival
from penstock.records import Objective
from penstock.spec import Gates

MUCH = ([1.0, 1.02, 0.98, 1.0], [0.8, 0.81, 0.79, 0.8])
CHANCE = ([1.0, 1.2, 0.8, 1.0], [0.9, 1.3, 0.6, 1.1])


def fixed(chosen, other, deciding=1000.0):
    """A trial of two losses with these values a fold."""
    values = {
        name: {m: np.array(v) for m in ("rmse", "mae", "roc_auc")}
        for name, v in (("squared_error", chosen), ("absolute_error", other))
    }
    return Tried(values, 1000, {"squared_error": deciding, "absolute_error": deciding})


def goal(metric, loss="squared_error"):
    return Objective(loss=loss, metric=metric)


def outcome(metric, tried, loss="squared_error"):
    return judged(loss_choice(goal(metric, loss), tried), Gates().loss_choice)


def test_a_shown_gain_warns_and_names_the_better_loss_and_what_to_set():
    tried = fixed(*MUCH)
    check = outcome("mae", tried)
    assert check.outcome == "warn"
    assert check.value == pytest.approx(0.2)
    assert "absolute_error serves mae better than squared_error" in check.why
    assert check.remedy == "set objective.loss: absolute_error"
    assert outcome("mae", tried, "absolute_error").outcome == "pass"
    assert outcome("roc_auc", tried).outcome == "pass"  # there, more is better


def test_a_gain_that_chance_explains_passes():
    check = outcome("mae", fixed(*CHANCE))
    assert check.outcome == "pass" and "is not shown" in check.why


def test_a_metric_that_hangs_on_few_rows_cannot_tell():
    tried = fixed(*CHANCE, deciding=4.0)
    check = outcome("rmse", tried)
    assert check.outcome == "insufficient" and not check.blocks
    assert "about 4 of 1000 rows" in check.why and "mae" in check.remedy
    assert outcome("mae", tried).outcome == "pass"


def test_the_only_loss_of_a_task_passes_and_no_trial_does_not():
    assert outcome("mae", ALONE).outcome == "pass"
    assert outcome("mae", "no rows").outcome == "insufficient"


def test_the_rival_is_the_one_whose_gain_is_shown_best_not_the_luckiest():
    tried = fixed(*MUCH)
    tried.values["huber"] = {"mae": np.array([1.0, 0.1, 1.0, 0.5])}
    assert tried.gain("mae", "squared_error", "huber")[0] > 0.3
    assert rival(goal("mae"), tried) == "absolute_error"


def test_a_gain_that_is_found_twice_warns_with_the_smaller_one():
    smaller = fixed(MUCH[0], [0.9, 0.91, 0.89, 0.9])
    for pair in ((fixed(*MUCH), smaller), (smaller, fixed(*MUCH))):
        check = judged(confirmed(goal("mae"), *pair, longer=2), Gates().loss_choice)
        assert check.outcome == "warn" and check.value == pytest.approx(0.1)
        assert "2 times as long" in check.why and "+0.2" in check.why


def test_a_gain_that_longer_training_takes_back_passes_and_says_so():
    check = confirmed(goal("mae"), fixed(*MUCH), fixed(MUCH[1], MUCH[1]), longer=2)
    check = judged(check, Gates().loss_choice)
    assert check.outcome == "pass" and check.value == 0
    assert "which had looked better by +0.2" in check.why


def test_the_losses_table_says_what_each_estimates_and_which_is_chosen():
    table = losses_table(goal("mae"), {"squared_error": "the mean"}, fixed(*MUCH))
    assert table.rows[0][:3] == ["squared_error (chosen)", "the mean", pytest.approx(1.0)]
    assert "the median" in table.note
