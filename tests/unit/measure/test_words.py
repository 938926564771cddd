import numpy as np
import pytest

from penstock.measure.words import Words

ODD = ["", " ", "a", "\x00\n", "Don't  PAY!!", "漢字 かな", "😀 a😀b", "e\u0301 é", "_x_ 1.5"]


@pytest.mark.parametrize("text", ODD)
def test_the_runs_are_the_text_and_every_word_can_be_taken_away(text):
    words = Words.of(text)
    assert "".join(words.runs) == text
    assert words.counts.sum() == (words.number >= 0).sum()
    for number, name in enumerate(words.names):
        assert name not in Words.of(words.without(number)).names


def test_words_are_the_same_whatever_their_case_and_wherever_they_stand():
    words = Words.of("Free FREE free! ﬁx fix")
    assert words.names == ["free", "fix"]
    assert words.counts.tolist() == [3, 2]
    assert words.without(0) == "  ! ﬁx fix"


def test_each_place_of_a_word_is_tinted_and_a_long_text_is_cut():
    runs = Words.of("a b, a c").tinted(np.array([1.0, 0.0, -0.5]), most=100)
    assert runs == [("a", 1.0), (" b, ", 0.0), ("a", 1.0), (" ", 0.0), ("c", -0.5)]
    assert Words.of("x " * 100).tinted(np.array([0.0]), most=10)[-1] == ("...", 0.0)
