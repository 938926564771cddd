import numpy as np
import pyarrow as pa
import pytest

from penstock.measure.leaks import telling

WORDS = [
    "order",
    "item",
    "parcel",
    "shop",
    "late",
    "quick",
    "blue",
    "red",
    "big",
    "small",
    "price",
    "card",
    "phone",
    "code",
    "box",
]


def texts_of(label, written=lambda code, rng: "", seed=0):
    """Words by chance, some of them more often in a class, and what is written of the label."""
    rng = np.random.default_rng(seed)
    found = []
    for code in label.tolist():
        words = [*rng.choice(WORDS, 8), *rng.choice(WORDS[code : code + 2], 4)]
        found.append(f"{' '.join(words)} {written(code, rng)}")
    return pa.chunked_array([found])


@pytest.fixture(params=[2, 3])
def label(request):
    return np.random.default_rng(1).integers(0, request.param, 900)


def test_honest_texts_have_no_such_word(label):
    assert telling.words(texts_of(label), label) == []


def test_a_label_written_into_a_text_is_found(label):
    texts = texts_of(label, lambda code, rng: f"Closed_{rng.integers(99)} as KIND{code}.")
    found = telling.words(texts, label)
    assert {one.code for one in found} == ({1} if label.max() == 1 else {0, 1, 2})
    for one in found:
        assert one.word in ({"kind0", "kind1"} if label.max() == 1 else {f"kind{one.code}"})
        assert one.area == 1


def test_a_word_that_is_often_there_is_honest(label):
    texts = texts_of(label, lambda code, rng: f"kind{code}" if rng.random() < 0.9 else "")
    assert telling.words(texts, label) == []


def test_one_class_that_is_told_of_three_is_honest():
    label = np.random.default_rng(1).integers(0, 3, 900)
    texts = texts_of(label, lambda code, rng: "bonjour" if code == 2 else "")
    assert telling.words(texts, label) == []


@pytest.mark.parametrize("texts", [[None] * 80, [""] * 80, ["!!", "??"] * 40, ["a", "b"] * 10])
def test_what_holds_no_words_or_few_rows_tells_nothing(texts):
    assert telling.words(pa.chunked_array([pa.array(texts, pa.string())]), _turns(texts)) == []


def _turns(texts):
    return np.arange(len(texts)) % 2
