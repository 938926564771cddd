from itertools import pairwise

import numpy as np
import pytest
import torch

from penstock.learning import windows
from penstock.learning.causal import Causal, Size
from penstock.learning.generation import written
from penstock.learning.ragged import Ragged
from penstock.measure.language import tallies

NUM_TOKENS, WINDOW = 11, 16
SIZES = np.array([0, *range(1, NUM_TOKENS)])


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = Causal(torch.from_numpy(SIZES), Size(width=32, depth=2, window=WINDOW, dropout=0.0))
    for weight in made.parameters():  # fresh layers add nothing: let them
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.3)
    return made.eval()


def documents(lengths, seed=0):
    rng = np.random.default_rng(seed)
    rows = [np.r_[0, rng.integers(1, NUM_TOKENS, n), 0] for n in lengths]
    return Ragged(
        np.concatenate(rows).astype(np.int16), np.cumsum([0, *map(len, rows)]).astype(np.int64)
    )


def costs(network, rows, window=0):
    with torch.inference_mode():
        codes = rows.to(torch.device("cpu")).long()
        return tallies.of_costs(network.costs(codes, window))


def bits_of_each(network, row):
    """Straight from the logits, for a row that fits in a window."""
    codes = torch.from_numpy(row).long()[None]
    with torch.inference_mode():
        logits = network.logits(network.read(codes[:, :-1])[0])[0]
    return -torch.log_softmax(logits, -1)[range(len(row) - 1), row[1:]].numpy() / np.log(2)


def test_a_document_costs_the_sum_of_what_its_tokens_cost(network):
    rows = documents([9, 0, 15])
    found = costs(network, rows)
    for number in range(3):
        row = rows.values[rows.starts[number] : rows.starts[number + 1]]
        assert found["bits"][number] == pytest.approx(bits_of_each(network, row).sum(), rel=1e-5)
        assert found["bytes"][number] == SIZES[row].sum()
        assert found["tokens"][number] == len(row) - 1
    assert found["bytes"][1] == 0
    assert found["bits"][1] > 0


def test_what_comes_later_changes_nothing_of_what_came_before(network):
    row = documents([14]).values
    other = row.copy()
    other[9:-1] = 1 + other[9:-1] % 9
    np.testing.assert_allclose(
        bits_of_each(network, row)[:8], bits_of_each(network, other)[:8], rtol=1e-5
    )


@pytest.mark.parametrize("length", [1, 15, 16, 17, 27, 28, 29, 100, 333])
def test_each_byte_of_a_long_document_is_counted_once(network, length):
    rows = documents([length, 3])
    found = costs(network, rows)
    assert found["bytes"].sum() == SIZES[rows.values].sum()
    assert found["tokens"].tolist() == [length + 1, 4]
    assert found["place_bytes"].sum() == found["bytes"].sum()
    np.testing.assert_allclose(found["place_bits"].sum(axis=1), found["bits"])
    assert found["count"].sum() == length + 5


def test_a_document_costs_the_same_whatever_stands_beside_it(network):
    rows = documents([40, 3, 200, 0, 17] * 8)
    order = torch.randperm(len(rows))
    together = costs(network, rows)[order.numpy()]
    shuffled = costs(network, rows[order])
    np.testing.assert_allclose(together["bits"], shuffled["bits"], rtol=1e-5)
    np.testing.assert_array_equal(together["by_heart"], shuffled["by_heart"])


def test_learning_and_measuring_see_the_same_cost_of_a_window(network):
    rows = documents([15, 15])
    inputs = {"text": {"codes": rows.to(torch.device("cpu"))}}
    measured = network(inputs).by_row()
    learnt = network.train()(inputs).detach()
    np.testing.assert_allclose(learnt[:, 0], measured[:, 0], rtol=1e-5)
    np.testing.assert_array_equal(learnt[:, 1], measured[:, 1])


def test_writing_with_memory_is_reading_anew_each_time(network):
    begun = torch.zeros(1, 1, dtype=torch.long)
    fast = written(network, begun, WINDOW - 1, 0, seed=0)[0]
    slow, codes = [], begun
    with torch.inference_mode():
        for _ in range(WINDOW - 1):
            code = network.logits(network.read(codes)[0][:, -1]).argmax(-1)
            if int(code) == 0:
                break
            slow.append(int(code))
            codes = torch.cat([codes, code[None]], dim=1)
    assert fast.tolist() == slow


def test_what_is_drawn_depends_on_the_seed_only(network):
    begun = torch.zeros(3, 1, dtype=torch.long)
    torch.manual_seed(5)
    first = written(network, begun, 12, 1.0, seed=1)
    torch.manual_seed(6)
    again, other = written(network, begun, 12, 1.0, seed=1), written(network, begun, 12, 1.0, 2)
    assert [one.tolist() for one in first] == [one.tolist() for one in again]
    assert [one.tolist() for one in first] != [one.tolist() for one in other]


def test_windows_of_the_stream_hold_each_token_once_and_weigh_their_bytes():
    rows = documents([40, 0, 7, 3])
    found = windows.lessons(rows, "text", SIZES, window=8)
    codes = found.inputs["text"]["codes"].numpy()
    wanted = codes[:, 1:]
    inside = np.concatenate([rows.values[a + 1 : b] for a, b in pairwise(rows.starts)])
    np.testing.assert_array_equal(wanted[wanted >= 0], inside)
    np.testing.assert_array_equal(codes[1:, 0], wanted[:-1, -1])
    assert float(found.weight.sum()) == SIZES[rows.values].sum()
