import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from penstock.learning import losses


def test_cross_entropy_is_the_mean_of_its_members_log_loss():
    outputs = torch.randn(20, 3, 4, generator=torch.Generator().manual_seed(0))
    target = torch.arange(20) % 4
    found = losses.of("cross_entropy")(outputs, target)
    assert found.shape == (20,)
    each = [log_loss(target, outputs[:, member].double().softmax(1)) for member in range(3)]
    assert float(found.mean()) == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("squared_error", 2.5), ("absolute_error", 1.5), ("huber", (1 - 0.5 + 2 - 0.5) / 2)],
)
def test_numbers_by_hand(name, wanted):
    # two members that miss by 1 and by 2
    found = losses.of(name)(torch.tensor([[[3.0], [4.0]]]), torch.tensor([2.0]))
    assert found.tolist() == [pytest.approx(wanted)]


def test_the_constant_that_each_loss_prefers():
    target = torch.tensor([0.0, 0.0, 10.0])
    guesses = torch.linspace(0, 10, 1001)
    best = {
        name: float(
            guesses[
                torch.stack(
                    [losses.of(name)(g.expand(3, 1, 1), target).mean() for g in guesses]
                ).argmin()
            ]
        )
        for name in ("squared_error", "absolute_error")
    }
    assert best["squared_error"] == pytest.approx(10 / 3, abs=0.01)
    assert best["absolute_error"] == pytest.approx(0, abs=0.01)


def test_an_unknown_loss_is_a_key_error():
    with pytest.raises(KeyError):
        losses.of("nothing")
