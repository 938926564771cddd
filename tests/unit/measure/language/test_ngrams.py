"""Kneser-Ney against a slow one that is written from the formula, token by token."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from penstock.measure.language.ngrams import Ngrams


def documents(stream):
    inner, found = [], []
    for code in stream[1:]:
        if code == 0:
            found.append([0, *inner, 0])
            inner = []
        else:
            inner.append(int(code))
    return found


class Slow:
    def __init__(self, stream, num_tokens, order):
        self.num_tokens, self.order = num_tokens, order
        raw = [Counter() for _ in range(order)]
        for document in documents(stream):
            for end in range(1, len(document)):
                for length in range(1, min(order, end + 1) + 1):
                    raw[length - 1][tuple(document[end - length + 1 : end + 1])] += 1
        self.count = []
        for length in range(1, order + 1):
            counts = dict(raw[length - 1])
            if length < order:
                before = defaultdict(set)
                for run in raw[length]:
                    before[run[1:]].add(run[0])
                counts = {run: len(before[run]) or n for run, n in counts.items()}
            self.count.append(counts)

    def discount(self, length):
        each = Counter(self.count[length - 1].values())
        once, twice = each[1], each[2]
        return once / (once + 2 * twice) if once and twice else 0.5

    def chance(self, context, token):
        found = 1 / self.num_tokens
        for length in range(1, min(self.order, len(context) + 1) + 1):
            before = tuple(context[len(context) - length + 1 :])
            if 0 in before[1:]:
                break
            after = {r[-1]: n for r, n in self.count[length - 1].items() if r[:-1] == before}
            if not after:
                break
            discount = self.discount(length)
            kept = max(after.get(token, 0) - discount, 0)
            found = (kept + discount * len(after) * found) / sum(after.values())
        return found


def stream(seed, length=300, num_tokens=6):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, num_tokens, length) * (rng.random(length) > 0.1)
    return np.r_[0, codes, 0]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_formula(order):
    seen, new = stream(0), stream(1, 60)
    fast, slow = Ngrams(seen, 6, order), Slow(seen, 6, order)
    wanted = [
        -np.log2(slow.chance(document[:end], document[end]))
        for document in documents(new)
        for end in range(1, len(document))
    ]
    np.testing.assert_allclose(fast.bits(new)[1:], wanted, rtol=1e-9)


@pytest.mark.parametrize("context", [[], [1], [5, 5, 5], [1, 2, 3, 4, 5]])
def test_the_chances_of_all_tokens_sum_to_one(context):
    model = Ngrams(stream(2), 6)
    total = 0.0
    for token in range(6):
        codes = np.array([0, *context, *([token] if token else []), 0])
        total += 2 ** -model.bits(codes)[len(context) + 1]
    assert total == pytest.approx(1)


def test_a_text_that_repeats_costs_next_to_nothing_and_noise_costs_all():
    again = np.r_[0, np.tile([1, 2, 3, 4], 200), 0]
    assert Ngrams(again, 8).bits(again).mean() < 0.05
    rng = np.random.default_rng(0)
    noise = [np.r_[0, rng.integers(1, 8, 20_000), 0] for _ in range(2)]
    assert Ngrams(noise[0], 8, order=2).bits(noise[1]).mean() == pytest.approx(np.log2(7), rel=0.02)


def test_empty_documents_and_nothing_else():
    assert Ngrams(np.zeros(5, int), 3).bits(np.zeros(3, int))[1:].max() < 1
