import numpy as np
import pyarrow as pa
import pytest

from penstock.learning import byte_pairs, tokens
from penstock.learning.tokens import END, Tokens

TEXTS = [
    "The cat sat on the mat.", "  two  spaces\n\nand\ttabs\r\n", "né 😀 中文 \u200d",
    "", "\x00\x01",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "e\u0301 vs é", "<END> [PAD] </s>",
]  # fmt: skip


def large(texts):
    return pa.array(texts, pa.large_string())


@pytest.fixture(scope="module")
def learnt():
    return Tokens(tuple(tokens.learn(large(["the cat sat on the mat, the cat sat. "] * 40))))


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_put_together_are_the_bytes_of_the_text(learnt, text):
    codes = learnt.cut(large([text])).values
    assert learnt.joined(codes) == text.encode()
    assert learnt.sizes[codes].sum() == len(text.encode())
    assert codes[0] == codes[-1] == END
    assert END not in codes[1:-1]


def test_what_is_frequent_takes_fewer_tokens(learnt):
    common, rare = learnt.cut(large(["the cat sat", "xqz jwv kpf"])).sizes
    assert common < rare == 2 + 11


def test_a_missing_text_is_an_empty_one(learnt):
    assert learnt.cut(large([None, ""])).values.tolist() == [END] * 4


def test_nothing_to_learn_from_still_cuts_any_text():
    for texts in ([], [""], [None, ""]):
        plain = Tokens(tuple(tokens.learn(large(texts))))
        assert plain.num_tokens == 257
        assert plain.joined(plain.cut(large(["ü"])).values) == "ü".encode()


def test_the_same_text_gives_the_same_tokens_whatever_stands_beside_it(learnt):
    alone = learnt.cut(large([TEXTS[0]])).values
    beside = learnt.cut(large(TEXTS))
    np.testing.assert_array_equal(beside.values[: len(alone)], alone)


def test_signs_are_those_of_the_tokenizer():
    from tokenizers import pre_tokenizers

    assert sorted(byte_pairs.signs()) == sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokens(())
    every = "".join(map(chr, range(256)))
    assert plain.joined(plain.cut(large([every])).values) == every.encode()
