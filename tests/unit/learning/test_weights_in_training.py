import numpy as np
import pytest
import torch
from torch import nn

from penstock.learning import losses, trial
from penstock.learning.encoded import Encoded
from penstock.learning.loop import Schedule, Training, weighted_mean
from penstock.spec import ModelSpec

CPU = torch.device("cpu")


class Constant(nn.Module):
    """One number for every row."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        return self.value * torch.ones(len(inputs["x"]["value"]), 1, 1)


def rows(target, weight=None):
    target = np.asarray(target, np.float32)
    weight = None if weight is None else np.asarray(weight, np.float32)
    return Encoded.of({"x": {"value": target * 0}}, len(target), target, weight)


def train(folder, train, valid, loss="squared_error", **fields):
    fields = {"epochs": 60, "batch_size": 4, "patience": 60, "learning_rate": 0.1} | fields
    torch.manual_seed(0)
    schedule = Schedule(weight_decay=0.0, seed=0, **fields)
    run = Training(Constant(), losses.of(loss), schedule, folder, CPU)
    return run, run.fit(train, valid, lambda *told: None)


def test_the_weighted_mean_is_learnt():
    data = rows([0.0, 0.0, 0.0, 4.0], [1, 1, 1, 3])
    run, _ = train(None, data, data)
    assert run.network.value.item() == pytest.approx(2.0, abs=0.02)  # 12 / 6
    assert run.measure(data) == pytest.approx(4.0, abs=0.01)  # (3 * 4 + 3 * 4) / 6


def test_weights_of_one_are_no_weights_at_all():
    target = np.random.default_rng(0).normal(size=30)
    plain, course = train(None, rows(target), rows(target))
    ones, weighted = train(None, rows(target, np.ones(30)), rows(target, np.ones(30)))
    assert ones.network.value.item() == pytest.approx(plain.network.value.item(), abs=1e-6)
    assert weighted.valid_loss == pytest.approx(course.valid_loss)
    assert weighted.train_loss == pytest.approx(course.train_loss)


def test_valid_rows_stop_the_training_by_their_weights():
    learnt = rows([4.0] * 4)
    # learning moves towards 4: bad for the first valid row, good for the second
    towards = train(None, learnt, rows([0.0, 4.0], [1, 9]))[1]
    away = train(None, learnt, rows([0.0, 4.0], [9, 1]))[1]
    assert away.best_epoch < 10 < towards.best_epoch


def test_a_batch_counts_in_the_curve_by_its_weights():
    data = rows([1.0, 3.0], [3, 1])
    _, course = train(None, data, data, epochs=1, batch_size=1, learning_rate=1e-9)
    assert course.train_loss == [pytest.approx((3 * 1 + 1 * 9) / 4, rel=1e-6)]


def test_a_killed_weighted_run_goes_on_to_the_same_weights(tmp_path):
    data = rows(np.arange(20), np.arange(1, 21))
    whole = train(tmp_path / "whole", data, data, epochs=6)
    train(tmp_path / "cut", data, data, epochs=6, patience=6)

    class Killed(Exception):
        pass

    def stop(done, total, note):
        if done == 3:
            raise Killed

    torch.manual_seed(0)
    schedule = Schedule(6, 4, 60, 0.1, 0.0, 0)
    parts = Constant(), losses.of("squared_error"), schedule, tmp_path / "again", CPU
    with pytest.raises(Killed):
        Training(*parts).fit(data, data, stop)
    again = Training(Constant(), *parts[1:])
    again.fit(data, data, lambda *told: None)
    assert torch.equal(again.network.value, whole[0].network.value)
    assert again.course == whole[1]


def test_parts_of_encoded_rows_keep_their_weights():
    data = rows([1.0, 2.0, 3.0], [1, 2, 3])
    assert data.head(2).weight.tolist() == [1, 2]
    assert data.only(torch.tensor([2, 0])).weight.tolist() == [3, 1]
    assert data.mass(torch.tensor([1, 2])) == 5
    assert rows([1.0, 2.0]).mass(torch.tensor([0])) == 1
    assert float(weighted_mean(torch.tensor([1.0, 3.0]), None)) == 2.0


def test_folds_hold_every_label_and_differ_by_seed():
    labels = np.array([0] * 16 + [1] * 8)
    fold = trial.folds_of(labels, 8, seed=0)
    assert np.bincount(fold[labels == 1], minlength=8).tolist() == [1] * 8
    assert np.bincount(fold, minlength=8).tolist() == [3] * 8
    assert not np.array_equal(fold, trial.folds_of(labels, 8, seed=1))


def test_the_trial_gives_each_loss_the_same_folds_and_what_it_prefers():
    target = np.r_[np.zeros(24), np.full(8, 4.0)]
    data = rows(target)
    fold = trial.folds_of(np.zeros(32, np.int64), 4, seed=0)
    contenders = {
        name: trial.Contender(losses.of(name)) for name in ("squared_error", "absolute_error")
    }
    schedule = Schedule(80, 8, 80, 0.1, 0.0, 0)
    found = list(trial.trial(Constant, contenders, data, data, fold, schedule))
    assert [(number, name) for number, name, _ in found[:2]] == [(0, n) for n in contenders]
    assert len(found) == 8
    for number, name, outputs in found:
        assert len(outputs) == (fold == number).sum()
        wanted = 1.0 if name == "squared_error" else 0.0  # the mean and the median
        assert outputs.mean() == pytest.approx(wanted, abs=0.25)


def test_the_quick_network_is_never_larger_than_the_spec_says():
    spec = trial.reduced(ModelSpec(width=16, depth=1, epochs=2), 6000)
    assert (spec.width, spec.depth, spec.epochs) == (16, 1, 2)
    assert trial.reduced(ModelSpec(width=512), 6000).width == trial.WIDTH
