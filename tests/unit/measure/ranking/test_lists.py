import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from penstock.measure.ranking import lists, shown
from penstock.measure.ranking.lists import COLD, NONE

RNG = np.random.default_rng(0)
NOTHING = np.full((40, 1), NONE)


def drawn(num_users=40, num_items=60, most=7):
    logits = RNG.normal(size=(num_users, num_items))
    target = np.full((num_users, most), NONE)
    for row in range(num_users):
        count = RNG.integers(1, most + 1)
        target[row, :count] = RNG.choice(num_items, count, replace=False)
    return logits, target


def test_ndcg_is_that_of_scikit_learn():
    logits, target = drawn()
    truth = np.zeros(logits.shape)
    for row, items in enumerate(target):
        truth[row, items[items >= 0]] = 1
    found = lists.ndcg(target, lists.of_logits(logits, NOTHING), 10).mean()
    assert found == pytest.approx(ndcg_score(truth, logits, k=10))


def test_each_metric_by_hand():
    # the list is 4 3 2 1 0; taken: 3 (second), 0 (last) and one that is not in the catalogue
    one = lists.of_logits(np.arange(5.0)[None], np.full((1, 1), NONE))
    target = np.array([[3, 0, COLD, NONE]])
    assert one["items"].tolist() == [[4, 3, 2, 1, 0]]
    assert lists.recall(target, one, 2)[0] == pytest.approx(1 / 3)
    assert lists.recall(target, one, 10)[0] == pytest.approx(2 / 3)
    assert lists.reciprocal_rank(target, one)[0] == pytest.approx(1 / 2)
    best = 1 + 1 / np.log2(3) + 1 / 2
    assert lists.ndcg(target, one, 10)[0] == pytest.approx((1 / np.log2(3) + 1 / np.log2(6)) / best)
    assert lists.METRICS["mrr"].measure(target, one) == pytest.approx(0.5)


def test_what_was_seen_is_in_no_list_and_takes_no_probability():
    logits, _ = drawn()
    seen = np.tile([3, 17, NONE], (40, 1))
    found = lists.of_logits(logits, seen)
    assert not np.isin(found["items"], [3, 17]).any()
    assert (found["items"] != NONE).sum(axis=1).tolist() == [58] * 40
    np.testing.assert_allclose(np.exp(found["logp"][:, :58]).sum(axis=1), 1, rtol=1e-5)


def test_losses_are_the_softmax_where_listed_and_an_equal_share_beyond():
    logits, target = drawn(most=1)
    whole = lists.of_logits(logits, NOTHING)
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    wanted = -logp[np.arange(40), target[:, 0]]
    np.testing.assert_allclose(lists.losses(whole, target), wanted, rtol=1e-4)
    head = lists.of_logits(logits, NOTHING, listed=5)
    mass = np.exp(head["logp"]).sum(axis=1) + 55 * np.exp(head["rest"])
    np.testing.assert_allclose(mass, 1, rtol=1e-5)


def test_a_user_who_has_taken_everything_gets_an_empty_list():
    found = lists.of_logits(np.zeros((1, 3)), np.array([[0, 1, 2]]))
    assert found["items"].tolist() == [[NONE] * 3]
    assert lists.ndcg(np.array([[1]]), found, 10).tolist() == [0.0]


def test_coverage_counts_different_items_and_few_users_are_insufficient():
    logits, target = drawn()
    scores = lists.of_logits(np.tile(logits[:1], (40, 1)), NOTHING)
    popularity = np.ones(60, dtype=np.float32)
    found = shown.of_test(scores, target, popularity, seed=0)
    table = found.tables["beyond_accuracy"]
    values = {row[0]: row[1] for row in table.rows}
    assert values["catalogue coverage"] == pytest.approx(10 / 60)
    assert values["novelty"] == pytest.approx(np.log2(60))
    judged = {row[0]: row[-1] for row in found.tables["cold_start"].rows}
    assert judged["users with a past"] == "yes"
    assert judged["users without a past (shown what is popular)"] == "insufficient"


def test_exposure_tells_what_is_shown_from_what_is_taken():
    popularity = np.r_[np.full(5, 100.0), np.ones(500)].astype(np.float32)
    logits = np.tile(np.log(popularity), (40, 1))
    scores = lists.of_logits(logits + RNG.normal(size=logits.shape) * 1e-3, NOTHING)
    target = np.tile([[200, 300]], (40, 1))
    table = shown.of_items(scores, target, popularity, seed=0).tables["exposure"]
    column = table.columns.index
    shares = [row[column("share of what is taken")] for row in table.rows]
    assert sum(shares) == pytest.approx(1)
    assert table.rows[0][column("share of what is shown")] > 0.1
    assert table.rows[0][column("share of what is taken")] == 0


def test_the_gain_of_single_items_does_not_depend_on_how_many_there_are():
    logits = np.array([[5.0, 4, 3, 2, 1, 0]])
    scores = lists.of_logits(logits, np.full((1, 1), NONE))
    one = lists.worth(np.array([[1]]), scores, 10)
    assert one == pytest.approx(1 / np.log2(3))
    two = lists.worth(np.array([[1, 5, COLD, NONE]]), scores, 10)
    assert two == pytest.approx((1 / np.log2(3) + 1 / np.log2(7) + 0) / 3)
    # users of one taste, some asked for one item of it, some for twenty
    rng = np.random.default_rng(3)
    scores = lists.of_logits(rng.gumbel(size=(4000, 50)) + np.linspace(3, 0, 50), NOTHING[:1])
    taken = np.argsort(-(rng.gumbel(size=(4000, 50)) + np.linspace(3, 0, 50)), axis=1)
    few, many = rng.permuted(taken[:, :10], axis=1)[:, :2], taken[:, :10]
    gains = [lists.worth(some, scores, 10).mean() for some in (few, many)]
    assert gains[0] == pytest.approx(gains[1], rel=0.05)
    ideal = [lists.ndcg(some, scores, 10).mean() for some in (few, many)]
    assert ideal[0] < 0.8 * ideal[1]


@pytest.mark.parametrize("name", lists.METRICS)
def test_a_metric_of_resampled_users_is_the_mean_of_what_each_is_worth(name):
    logits, target = drawn()
    scores = lists.of_logits(logits, NOTHING)
    metric, rows = lists.METRICS[name], RNG.integers(0, 40, 40)
    found = metric.over(target, scores)(rows)
    assert found == pytest.approx(metric.measure(target[rows], scores[rows]), rel=1e-12)
    assert metric.measure(target, scores) > 0
