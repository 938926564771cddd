import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from penstock.learning import pieces, terms
from penstock.learning.text_encoders import Measures, PieceConvolution, TermBag
from penstock.measure import mistyped
from penstock.modalities import text
from penstock.spec import ModelSpec

SPEC = ModelSpec()
SIGNS = ["pay", "now", "late", "the", "bill", "über", "12", "!"]
TEXTS = [" ".join(np.random.default_rng(n).choice(SIGNS, 3 + n % 20)) for n in range(300)]
TARGET = np.array(["pay" in one.split() for one in TEXTS], dtype=np.int64)


def column(values):
    return pa.chunked_array([pa.array(values, pa.string())])


def large(values):
    return pa.array(values, pa.large_string())


@pytest.fixture(scope="module")
def state():
    return text.learn(column(TEXTS), TARGET, SPEC)


def test_case_and_ways_of_writing_a_character_are_levelled(state):
    same = text.encode(column(["PAY the ﬁne caf\u00e9", "pay  the fine cafe\u0301"]), state)
    for name in ("pieces", "terms", "count"):
        np.testing.assert_array_equal(same[name][0], same[name][1])
    assert same["measures"][0, 2] > 0 == same["measures"][1, 2]


def test_pieces_spell_any_text(state):
    cutter = pieces.cutter(tuple(state.merges))
    said = ["pay the bill", "😀 \x00 漢字 ǅ", "nobody wrote this"]
    found = cutter.cut(large(said))
    for row, one in enumerate(said):
        codes = found.codes[found.row == row].tolist()
        names = [cutter.tokenizer.id_to_token(code) for code in codes]
        sign = {chr(n): n for n in range(33, 127)}
        if one.isascii() and "\x00" not in one:
            assert "".join(names).replace("Ġ", " ").strip() == one
            assert set("".join(names)) <= set(sign) | {"Ġ"}
        assert codes


def test_a_frequent_word_is_one_piece(state):
    found = pieces.cutter(tuple(state.merges)).cut(large(["pay now", "zzq"]))
    assert np.bincount(found.row).tolist()[0] == 2
    assert np.bincount(found.row).tolist()[1] > 1


def test_pieces_are_the_same_in_another_process(state):
    script = (
        "import json,sys,pyarrow as pa\nfrom penstock.learning import pieces\n"
        "texts = pa.array(json.load(sys.stdin), pa.large_string())\n"
        "print(json.dumps(pieces.learn(texts)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(TEXTS), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert json.loads(said.stdout) == state.merges


def test_terms_are_weighed_as_scikit_learn_weighs_them():
    merges = pieces.learn(large(TEXTS))
    cut = pieces.cutter(tuple(merges)).cut(large(TEXTS))
    keys, num_texts = terms.texts_with(cut)
    known = terms.known(keys, num_texts)
    counts = terms.counted(cut, keys[known])
    rarity = terms.rarities(num_texts[known], len(TEXTS))
    mine = np.zeros((len(TEXTS), known.sum()))
    mine[counts.row, counts.term] = terms.weights(counts.count, rarity[counts.term])
    rows = [cut.codes[cut.row == n].tolist() for n in range(len(TEXTS))]
    oracle = TfidfVectorizer(
        analyzer=lambda row: [*map(str, row), *map(str, pairwise(row))], min_df=terms.MIN_TEXTS,
        sublinear_tf=True, norm=None,
    )  # fmt: skip
    theirs = oracle.fit_transform(rows).toarray()
    assert theirs.shape == mine.shape
    np.testing.assert_allclose(np.sort(mine.sum(axis=0)), np.sort(theirs.sum(axis=0)))
    np.testing.assert_allclose(np.sort(mine, axis=1), np.sort(theirs, axis=1))


def test_of_many_terms_those_that_tell_most_are_kept():
    counts = terms.Counts(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 1]), np.array([1, 1, 300, 2]))
    found, count = np.zeros((2, 2), dtype=np.int16), np.zeros((2, 2), dtype=np.uint8)
    terms.fill(found, count, counts, np.array([1.0, 0.5, 1.0]))
    assert found.tolist() == [[1, 3], [2, 0]]
    assert count.tolist() == [[1, 255], [2, 0]]


def test_a_term_that_tells_the_target_is_believed_and_seen_by_the_baselines(state):
    pay, the = pieces.cutter(tuple(state.merges)).cut(large(["pay", "the"])).codes.tolist()
    number = state.terms.index(pay)
    assert state.rarity[number] > 5 * state.rarity[state.terms.index(the)]
    assert number in state.telling
    seen = text.plain(column(["pay now", "now", None]), state)
    place = state.telling.index(number)
    assert seen[0, place] > 0
    assert seen[1:, place].tolist() == [0, 0]


def test_strangeness_is_scikit_learns_chi_square_a_degree_of_freedom():
    from scipy.stats import chi2_contingency

    rng = np.random.default_rng(0)
    target, there = rng.integers(0, 3, 200), rng.random(200) < 0.4
    rows = np.flatnonzero(there)
    counts = terms.Counts(rows, np.zeros(len(rows), np.int64), np.ones(len(rows), np.int64))
    seen = np.bincount(target[there], minlength=3)
    expected = np.bincount(target) * there.mean()
    mine = text.strangeness(counts, 1, target)[0]
    np.testing.assert_allclose(mine, ((seen - expected) ** 2 / expected).sum() / 2)
    whole = chi2_contingency([seen, np.bincount(target) - seen]).statistic
    np.testing.assert_allclose(mine * 2, whole * (1 - there.mean()))


def test_a_target_of_values_has_telling_terms_too():
    values = TARGET + np.random.default_rng(0).normal(0, 0.1, len(TARGET))
    state = text.learn(column(TEXTS), values, SPEC)
    pay, the = pieces.cutter(tuple(state.merges)).cut(large(["pay", "the"])).codes.tolist()
    assert state.rarity[state.terms.index(pay)] > 5 * state.rarity[state.terms.index(the)]


def test_long_cells_cost_no_more_than_what_is_read(state):
    whole = column(["pay the bill " * 800_000, "x" * 10_000_000, None])
    arrays = text.encode(whole, state)
    assert arrays["pieces"].shape == (3, state.length)
    assert (arrays["pieces"][0] > 0).all()
    again = text.encode(column([("pay the bill " * 2_000)[: text.MAX_CHARACTERS]]), state)
    np.testing.assert_array_equal(arrays["terms"][0], again["terms"][0])


def test_texts_in_several_runs_are_encoded_as_in_one(state, monkeypatch):
    whole = text.encode(column(TEXTS), state)
    monkeypatch.setattr(pieces, "CHUNK_CHARACTERS", 100)
    for name, array in text.encode(column(TEXTS), state).items():
        np.testing.assert_array_equal(array, whole[name])


def test_the_state_is_small():
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(list("abcdefghij"), 6)) for _ in range(5_000)]
    many = [" ".join(rng.choice(vocabulary, 200)) for _ in range(1_000)]
    state = text.learn(column(many), np.arange(1_000) % 2, SPEC)
    assert len(state.merges) < pieces.MAX_PIECES
    assert len(state.terms) <= terms.MAX_TERMS
    assert len(json.dumps(state.model_dump(mode="json"))) < 1_000_000


def test_typos_change_the_share_of_letters_that_they_say():
    texts = large(["abcdefgh ijkl, 12! ß漢" * 200, None, ""])
    rng = np.random.default_rng(0)
    spoilt = mistyped.typos(texts, 0.1, rng).to_pylist()
    before, after = texts[0].as_py(), spoilt[0]
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert 0.06 < len(changed) / sum(a.isalpha() for a in before) < 0.11
    assert all(a.isalpha() and b.isalpha() for a, b in changed)
    assert spoilt[1:] == [None, ""]


def test_unknown_words_replace_whole_words():
    words = ["pay", "the", "bill", "soon"] * 500
    spoilt = mistyped.unknown_words(large([" ".join(words)]), 0.3, np.random.default_rng(0))
    after = spoilt[0].as_py().split(" ")
    share = np.mean([a != b for a, b in zip(words, after, strict=True)])
    assert 0.25 < share < 0.33
    assert [len(word) for word in after] == [len(word) for word in words]


def test_views_tell_lengths_shares_and_script():
    seen = text.views(column(["Hi YOU 22!", "Добрый день", "漢字かな漢", "", None, "12 !"]))
    assert seen["characters"].to_pylist() == [10, 11, 5, 0, None, 4]
    assert seen["words"].to_pylist() == [3, 2, 1, 0, None, 2]
    assert seen["capitals"].to_pylist()[:2] == [0.4, 1 / 11]
    assert seen["digits"].to_pylist()[0] == 0.2
    assert seen["script"].to_pylist() == ["Latin", "Cyrillic", "Han", "none", None, "none"]


def test_an_empty_bag_says_nothing_and_vectors_are_weighed_by_rarity():
    bag = TermBag([1.0, 3.0], width=2).eval()
    with torch.no_grad():
        bag.table.weight[1:] = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        said = bag(
            {
                "terms": torch.tensor([[1, 2], [2, 0], [0, 0]], dtype=torch.int16),
                "count": torch.tensor([[1, 1], [7, 0], [0, 0]], dtype=torch.uint8),
            }
        )
    np.testing.assert_allclose(said, [[0.1**0.5, 0.9**0.5], [0, 1], [0, 0]], rtol=1e-5)


def test_the_convolution_tells_order_and_ignores_what_stands_after_the_end():
    torch.manual_seed(0)
    encoder = PieceConvolution(9, planes=8).eval()
    codes = torch.tensor([[1, 2, 3, 0], [3, 2, 1, 0]], dtype=torch.int16)
    with torch.no_grad():
        said = encoder({"pieces": codes})
        longer = encoder({"pieces": torch.nn.functional.pad(codes, (0, 4))})
    assert not torch.allclose(said[0], said[1])
    torch.testing.assert_close(said, longer)


def test_measures_stand_in_deviations_and_missing_is_told_apart():
    encoder = Measures([1.0], [2.0])
    said = encoder({"measures": torch.tensor([[3.0], [float("nan")], [1e9]])})
    assert said.tolist() == [[1, 0], [0, 1], [5, 0]]
