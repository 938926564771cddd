import numpy as np
import pytest

from penstock.measure import metrics
from penstock.measure.language import compressors, memory, tallies
from penstock.measure.language.repetition import repeated, repetition


def one(bits, size, stated=0.5, hit=False):
    count = len(bits)
    given = np.full(count, stated), np.full(count, hit)
    return tallies.tallies(np.array(bits), np.array(size), *given, np.array([count]))


def both(*rows):
    return tallies.named(np.concatenate(rows))


def test_metrics_by_hand():
    # 8 bits for 4 bytes in 2 tokens, 16 bits for 2 bytes in 1 token and an end of none
    scores = both(one([4.0, 4.0], [1, 3], hit=True), one([14.0, 2.0], [2, 0]))
    assert tallies.bits_per_byte(None, scores) == 24 / 6
    assert tallies.byte_perplexity(None, scores) == 2**4
    assert tallies.token_perplexity(None, scores) == 2**6
    assert tallies.token_accuracy(None, scores) == 0.5
    assert metrics.of("bits_per_byte").measure(np.zeros(2), scores) == 4


def test_nothing_to_predict_has_no_bits_per_byte():
    assert np.isnan(tallies.bits_per_byte(None, both(one([1.0], [0]))))


def test_bits_stand_where_their_token_stood():
    found = both(one([1.0] * 40, [2] * 40))
    assert found["place_bits"][0].tolist() == [8, 24, 8, 0, 0, 0]
    assert found["place_bytes"][0].sum() == 80


def test_only_long_runs_within_one_document_are_known_by_heart():
    hit = np.ones(60, dtype=bool)
    hit[30] = False
    size = np.ones(60, dtype=np.int64)
    given = np.zeros(60), size, np.full(60, 0.9), hit
    whole = tallies.named(tallies.tallies(*given, np.array([60])))
    assert whole["by_heart"].tolist() == [59]  # 30 and 29 in a row, both long
    parts = tallies.named(tallies.tallies(*given, np.array([20, 40])))
    assert parts["by_heart"].tolist() == [0, 29]


@pytest.mark.parametrize(("excess", "flagged"), [(0.0, False), (0.1, True)])
def test_calibration_tells_chance_from_overconfidence(excess, flagged):
    rng = np.random.default_rng(0)
    stated = rng.uniform(0.2, 0.9, 20_000)
    hit = rng.random(20_000) < stated - excess
    sums = tallies.tallies(np.zeros(20_000), np.ones(20_000, int), stated, hit, np.array([20_000]))
    found = tallies.calibration(tallies.named(sums), seed=0)
    assert (found.p_value < 0.01) == flagged
    assert (found.error > found.null_high) == flagged
    assert found.error == pytest.approx(max(excess, found.null_mean), abs=0.01)


def known(share, count, rng):
    found = np.zeros(count, dtype=tallies.TALLY)
    found["bytes"] = rng.integers(50, 500, count)
    found["by_heart"] = found["bytes"] * (rng.random(count) < share)
    return found


@pytest.mark.parametrize(
    ("seen", "other", "shown"), [(0.9, 0.05, True), (0.3, 0.3, False), (0.0, 0.0, False)]
)
def test_what_other_text_shares_is_not_called_memorised(seen, other, shown):
    rng = np.random.default_rng(0)
    check = memory.memorised(known(seen, 300, rng), known(other, 300, rng), seed=0)
    assert check.enough
    assert (check.low > 0.05) == shown
    assert check.low <= check.value <= check.high


def test_few_texts_do_not_tell_of_memory():
    rng = np.random.default_rng(0)
    assert not memory.memorised(known(1, 300, rng), known(0, 9, rng), seed=0).enough


def test_copies_are_told_apart():
    rng = np.random.default_rng(0)
    seen = known(1, 6, rng)
    table = memory.by_copies(seen, np.array([1, 1, 2, 4, 5, 90]), known(0, 3, rng))
    assert [row[:2] for row in table.rows] == [
        ["once", 2], ["2 to 4 times", 2], ["5 times or more", 2], ["never", 3],
    ]  # fmt: skip


def test_circles_are_told_from_real_text():
    rng = np.random.default_rng(0)
    real = [rng.integers(0, 500, 60) for _ in range(20)]
    loops = [np.tile(rng.integers(0, 500, 6), 10) for _ in range(20)]
    assert repeated(loops[0]) == pytest.approx(1 - 6 / 57)
    assert repetition(loops, real).low > 0.8
    assert repetition(real, real).value == 0
    assert not repetition(real[:5], real).enough
    assert not repetition([one[:5] for one in real], real).enough


def test_bytes_by_frequency_cost_their_entropy():
    given = b"aaab" * 10_000
    found = compressors.unigram_bits(given, [b"aaab", b""])
    wanted = 4 * -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    np.testing.assert_allclose(found, [wanted, 0], rtol=0.02)


@pytest.mark.parametrize("cost", [compressors.zlib_bits, compressors.xz_bits])
def test_compressors_know_the_training_text(cost):
    rng = np.random.default_rng(0)
    given, other = (bytes(rng.integers(0, 256, 5_000, dtype=np.uint8)) for _ in range(2))
    same, new = cost(given, [given[1_000:3_000]]).sum(), cost(given, [other[:2_000]]).sum()
    assert same < 0.05 * 8 * 2_000
    assert new == pytest.approx(8 * 2_000, rel=0.03)
    assert cost(given, []).shape == (0,)
