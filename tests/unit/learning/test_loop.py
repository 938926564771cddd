import math

import numpy as np
import pytest
import torch
from torch import nn

from penstock.learning import checkpoints, losses
from penstock.learning.encoded import Encoded
from penstock.learning.loop import Course, Schedule, Training, choose_device, outputs_of

CPU = torch.device("cpu")


class Line(nn.Module):
    """One weight and one bias, as an ensemble of one."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(1, 1)

    def forward(self, inputs):
        return self.inner(inputs["x"]["value"][:, None])[:, None]


def rows(n=64, slope=2.0, seed=0):
    x = np.random.default_rng(seed).normal(size=n).astype(np.float32)
    return Encoded.of({"x": {"value": x}}, n, (slope * x + 1).astype(np.float32))


def schedule(**fields):
    fields = {
        "epochs": 30, "batch_size": 8, "patience": 30, "learning_rate": 0.1,
        "weight_decay": 0.0, "seed": 0,
    } | fields  # fmt: skip
    return Schedule(**fields)


def training(folder, **fields):
    torch.manual_seed(0)
    return Training(Line(), losses.of("squared_error"), schedule(**fields), folder, CPU)


def silent(done, total, note):
    pass


def test_the_loop_finds_the_line_behind_the_rows(tmp_path):
    run = training(tmp_path)
    course = run.fit(rows(), rows(seed=1), silent)
    assert course.valid_loss[-1] < 1e-3 < course.valid_loss[0]
    assert run.network.inner.weight.item() == pytest.approx(2, abs=0.05)
    assert run.network.inner.bias.item() == pytest.approx(1, abs=0.05)


def test_the_weights_of_the_best_epoch_are_kept_and_patience_ends_it(tmp_path):
    run = training(tmp_path, patience=3)
    course = run.fit(rows(), rows(slope=-2.0, seed=1), silent)  # learning makes valid worse
    assert len(course.valid_loss) == course.best_epoch + 1 + 3
    assert course.best_epoch == int(np.argmin(course.valid_loss))
    assert run.measure(rows(slope=-2.0, seed=1)) == pytest.approx(course.best_loss, rel=1e-6)


def test_the_first_loss_that_is_a_number_beats_one_that_is_none():
    assert Course(valid_loss=[math.nan], best_epoch=0).best_loss == math.inf
    assert Course().best_loss == math.inf


def test_the_rate_warms_up_and_falls_along_a_cosine(tmp_path):
    run = training(tmp_path, learning_rate=1.0)
    assert run.rate(0.05) == pytest.approx(1.0)
    assert run.rate(0.05 + 0.95 / 2) == pytest.approx(0.5)
    rates = [run.rate(done) for done in np.linspace(0.05, 1, 50)]
    assert rates == sorted(rates, reverse=True)
    assert 0 < run.rate(0.0) < run.rate(0.02) < 1


@pytest.mark.parametrize("killed", [1, 4, 9])
def test_a_killed_run_goes_on_to_the_same_weights_and_curves(tmp_path, killed):
    whole = training(tmp_path / "whole", epochs=10)
    whole.fit(rows(), rows(seed=1), silent)

    def stop(done, total, note):
        if done == killed:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(tmp_path / "cut", epochs=10).fit(rows(), rows(seed=1), stop)
    again = training(tmp_path / "cut", epochs=10)
    again.fit(rows(), rows(seed=1), silent)
    assert again.course == whole.course
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])


def test_a_finished_run_asked_again_does_not_learn_on(tmp_path):
    first = training(tmp_path, epochs=3)
    first.fit(rows(), rows(seed=1), silent)
    told = []
    again = training(tmp_path, epochs=3)
    again.fit(rows(), rows(seed=1), lambda *args: told.append(args))
    assert told == []
    assert torch.equal(first.network.inner.weight, again.network.inner.weight)


def test_progress_says_epoch_loss_and_time_left(tmp_path):
    told = []
    training(tmp_path, epochs=2).fit(rows(), rows(seed=1), lambda *args: told.append(args))
    assert [(done, total) for done, total, _ in told] == [(1, 2), (2, 2)]
    assert "s left" in told[0][2]


def test_checkpoints_survive_and_an_unfinished_one_is_not_read(tmp_path):
    tensors = {"network": {"a/b": torch.ones(2), "c": torch.tensor(3)}, "best": {}}
    assert checkpoints.load(tmp_path) is None
    checkpoints.save(tmp_path, tensors, {"epoch": 1, "loss": math.inf})
    (tmp_path / "last.safetensors.unfinished").write_bytes(b"half")
    found, state = checkpoints.load(tmp_path)
    assert torch.equal(found["network"]["a/b"], torch.ones(2))
    assert state == {"epoch": 1, "loss": math.inf}


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_checkpoint_that_was_cut_short_counts_as_none(tmp_path, caplog, kept):
    whole = training(tmp_path / "whole", epochs=3)
    whole.fit(rows(), rows(seed=1), lambda *args: None)
    training(tmp_path / "cut", epochs=2).fit(rows(), rows(seed=1), lambda *args: None)
    path = tmp_path / "cut" / checkpoints.FILE_NAME
    path.write_bytes(path.read_bytes()[:kept])
    cut = training(tmp_path / "cut", epochs=3)
    cut.fit(rows(), rows(seed=1), lambda *args: None)
    assert cut.course == whole.course
    assert "begins at its beginning" in caplog.text


def test_outputs_are_in_the_order_of_the_rows_and_repeat(tmp_path):
    run = training(tmp_path)
    data = rows(5000)
    found = outputs_of(run.network, data, CPU)
    wanted = run.network.inner(data.inputs["x"]["value"][:, None]).detach().numpy()
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-6)


def test_each_row_is_seen_once_an_epoch():
    generator = torch.Generator().manual_seed(0)
    batches = list(rows(10).shuffled(4, generator))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(torch.cat(batches).tolist()) == list(range(10))


def test_a_wish_for_the_cpu_is_granted():
    assert choose_device("cpu") == CPU
