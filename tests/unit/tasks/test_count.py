import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import mean_poisson_deviance

from penstock.learning import losses
from penstock.records import Column, Layout, Policy
from penstock.tasks import count

LAYOUT = Layout(
    columns=[Column(name="y", modality="numeric", arrow_type="double", role="target")],
    target="y",
    task="count",
)
RNG = np.random.default_rng(0)
MEANS = RNG.gamma(2.0, 2.0, 500)
COUNTS = RNG.poisson(MEANS).astype(np.float64)


def test_the_deviance_is_scikit_learns():
    ours = count.METRICS["mean_poisson_deviance"].measure(COUNTS, MEANS)
    assert ours == pytest.approx(mean_poisson_deviance(COUNTS, MEANS))


def test_the_loss_is_least_at_the_true_mean():
    state = count.learn_target(COUNTS, LAYOUT)
    target = torch.from_numpy(count.scale_target(COUNTS, state))
    logs = torch.linspace(-1, 1, 201)
    each = [losses.of("poisson")(log.expand(500, 1, 1), target).mean().item() for log in logs]
    best = logs[int(np.argmin(each))].numpy().reshape(1, 1, 1)
    assert count.decode(best, state)[0] == pytest.approx(COUNTS.mean(), rel=0.011)


def test_no_expected_count_is_negative_or_infinite():
    wild = np.array([-1e9, 0.0, 1e9], dtype=np.float32).reshape(3, 1, 1)
    found = count.decode(wild, {"mean": [2.0]})
    assert (found > 0).all()
    assert np.isfinite(found).all()
    assert np.isfinite(count.row_losses(found, np.array([0.0, 3.0, 5.0]))).all()


def test_intervals_hold_the_truth_as_often_as_promised_and_are_wider_where_more_is_expected():
    radius = float(np.quantile(count.nonconformity(MEANS, COUNTS), 0.9))
    answer = count.predictions(MEANS, MEANS, Policy(radius=radius), LAYOUT)
    low, high = answer["prediction_low"], answer["prediction_high"]
    assert np.mean((low <= COUNTS) & (high >= COUNTS)) == pytest.approx(0.9, abs=0.003)
    assert count.covered(MEANS, COUNTS, radius).mean() == pytest.approx(0.9, abs=0.003)
    assert (low >= 0).all()
    wide = (high - low)[np.argsort(MEANS)]
    assert wide[-1] > 3 * wide[0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.0, -2.0], "negative values, down to -2"),
        ([0.0, 2.5], "values with decimals, such as 2.5"),
    ],
)
def test_what_is_no_count_is_named(values, said):
    found, remedy = count.unfit(pa.chunked_array([values], pa.float64()), [])
    assert found == said
    assert "data.task: regression" in remedy


def test_counts_are_counts():
    assert count.unfit(pa.chunked_array([[0.0, 3.0, None]], pa.float64()), []) is None


def test_the_spread_is_compared_with_poissons():
    (note,) = [n for n in count.looked_at(COUNTS, LAYOUT).notes if "variance" in n]
    ratio = COUNTS.var() / COUNTS.mean()
    assert f"{ratio:.2f} times their mean" in note
    assert f"{np.mean(COUNTS == 0):.1%} are 0" in note
