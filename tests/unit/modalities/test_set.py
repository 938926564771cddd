import numpy as np
import pyarrow as pa
import torch

from penstock.modalities import set as sets
from penstock.spec import ModelSpec

GENRES = ["Comedy", "Drama", "War", "Crime"]
CELLS = [f"{a}|{b}" for a in GENRES for b in GENRES if a != b] * 5


def column(cells):
    return pa.chunked_array([pa.array(cells, pa.string())])


def learn(cells):
    return sets.learn(column(cells), np.zeros(len(cells), np.int64), ModelSpec())


def test_members_are_codes_in_their_order():
    state = learn([*CELLS, "Drama", "Rare|Drama"])
    assert state.mark == "|"
    assert state.levels[0] == "Drama"  # the most frequent one
    assert sorted(state.levels) == sorted(GENRES)  # Rare stands in one row
    codes = sets.encode(column(["Drama", "Rare | Drama", "", None, "War|Never|Crime"]), state)
    drama, war = (state.levels.index(name) + 2 for name in ("Drama", "War"))
    assert codes["members"].tolist() == [[drama, 0], [1, drama], [0, 0], [0, 0], [war, 1]]


def test_the_order_and_the_repetition_of_a_row_do_not_matter_to_what_is_read():
    torch.manual_seed(0)
    state = learn(CELLS)
    encoder = sets.encoder(state, ModelSpec()).eval()

    def read(*cells):
        arrays = sets.encode(column(cells), state)
        with torch.no_grad():
            return encoder({name: torch.from_numpy(a) for name, a in arrays.items()})

    both = read("Drama|War", "War|Drama")
    torch.testing.assert_close(both[0], both[1])
    one, other = read("Drama", "War")
    torch.testing.assert_close(both[0][:-1], (one + other)[:-1] / 2)
    assert both[0, -1].item() == np.log1p(np.float32(2))
    assert read(None)[0].abs().max() == 0


def test_what_the_baselines_see():
    state = learn(CELLS)
    seen = sets.plain(column(["Drama|War", None]), state)
    assert seen.shape == (2, 5)
    assert seen.sum(axis=1).tolist() == [4, 0]  # two members, each of them there
    assert seen[0, 1 + state.levels.index("War")] == 1


def test_stresses_do_what_they_say():
    state, cells, rng = learn(CELLS), column(CELLS), np.random.default_rng(0)
    unknown = sets.stressed(cells, state, "unknown", 1.0, rng).to_pylist()
    assert unknown[0] == f"unknown 0|{CELLS[0]}"
    fewer = sets.stressed(cells, state, "fewer", 1.0, rng).to_pylist()
    assert fewer == [cell.partition("|")[0] for cell in CELLS]
    half = sets.stressed(cells, state, "missing", 0.5, rng)
    assert half.to_pylist().count("") == len(CELLS) // 2


def test_two_windows_are_compared_by_size_and_by_name():
    found = sets.views(column(["a|b|c", "a", "", None]))
    assert found["members"].to_pylist() == [3, 1, 0, None]
    assert found["cell"].to_pylist() == ["a|b|c", "a", "", None]
