"""A model of text through all stages: what a run says of it."""

import numpy as np
import pandas as pd
import pytest
import test_chain as chain

from penstock.spec import ModelSpec, SplitSpec

pytestmark = pytest.mark.slow

WORDS = [
    "the", "cat", "dog", "sat", "on", "a", "mat", "and", "saw", "red", "blue", "green", "bird",
    "in", "my", "house", "while", "it", "rained",
]  # fmt: skip
TINY = ModelSpec(epochs=6, width=32, depth=2, batch_size=4)
TEXT = {"target": "body", "task": "next_token"}


def sentences(count, seed=0):
    """Each word leaves three that may follow, as likely: log2(3) bits a word."""
    rng = np.random.default_rng(seed)

    def sentence():
        word, found = rng.integers(len(WORDS)), []
        for _ in range(rng.integers(8, 40)):
            found.append(WORDS[word])
            word = (3 * word + rng.integers(3) + 1) % len(WORDS)
        return " ".join(found)

    return [sentence() for _ in range(count)]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"body": sentences(400), "who": rng.choice(["ann", "bob"], 400)})
    frame.loc[5, "body"] = ""
    folder = tmp_path_factory.mktemp("text")
    return chain.table(folder, frame, data=TEXT | {"sensitive": ["who"]}, model=TINY)


def check(run, name):
    return next(check for check in run.verdict.checks if check.name == name)


def test_a_language_is_learnt_and_passes(good):
    assert good.verdict.passed, good.blocking
    found = good.scorecard.metrics["bits_per_byte"]
    words = np.mean([len(word) + 1 for word in WORDS])
    assert found.low < found.value < found.high
    assert np.log2(3) / words < found.value < 0.75
    assert check(good, "beats_trivial").low > 0.8
    assert {"ngram", "zlib", "xz", "trivial"} == set(good.scorecard.baselines)


def test_every_stage_tells_something(good):
    assert chain.told(good) == []
    for name in ("memorised", "repetition", "calibration", "compression", "worst_group"):
        assert check(good, name).outcome != "unjudged"
    assert check(good, "memorised").outcome == "pass"
    shown = good.scorecard.evidence
    assert {"by_heart", "written", "slices"} <= set(shown.tables)
    assert {"place", "length", "reliability", "baselines"} <= set(shown.figures)
    assert len(shown.galleries["samples"].exhibits) > 4
    context = good.explained.evidence.tables["context"]
    costs = [row[context.columns.index("bits_per_byte")] for row in context.rows]
    assert costs[0] > costs[-1]


def test_all_bytes_of_the_test_documents_are_counted_once(good):
    kept = good.store.table(good.scorecard.predictions)
    texts = good.store.table(good.parts.test)["body"].to_pylist()
    assert kept["bytes"].to_pylist() == [len(text.encode()) for text in texts]
    bits = np.array(kept["bits"])
    value = good.scorecard.metrics["bits_per_byte"].value
    assert value == pytest.approx(bits.sum() / sum(len(text.encode()) for text in texts))


def test_predictions_of_any_text(good):
    import pyarrow as pa

    odd = ["the cat sat on a mat", "zxq " * 700, "", None, "né 😀\x00", "\n\n\n"]
    found = good.scorer.predict(pa.table({"body": odd})).to_pydict()
    assert found["bytes"][:4] == [20, 2800, 0, 0]
    assert np.isfinite(found["prediction"]).all()
    assert found["prediction"][0] < found["prediction"][1]
    np.testing.assert_allclose(
        found["byte_perplexity"][0], 2 ** (found["bits"][0] / found["bytes"][0])
    )
    answers = good.scorer.task.answers(good.scorer.predict(pa.table({"body": odd})), None)
    assert answers.scores["bits"].tolist() == found["bits"]


def test_a_text_that_is_learnt_by_heart_is_refused(tmp_path):
    rng = np.random.default_rng(1)
    secret = " ".join("".join(rng.choice(list("abcdefghij"), 5)) for _ in range(30))
    frame = pd.DataFrame({"body": sentences(240, seed=1) + [secret] * 80})
    frame["part"] = ["train"] * 180 + ["valid"] * 20 + ["test"] * 40 + ["train"] * 80
    longer = TINY.model_copy(update={"epochs": 12})
    parts = SplitSpec(strategy="column", column="part")
    run = chain.table(tmp_path, frame, data=TEXT, model=longer, parts=parts)
    assert "memorised" in run.blocking
    assert check(run, "memorised").value > 0.2
    rows = {row[0]: row for row in run.scorecard.evidence.tables["by_heart"].rows}
    assert rows["5 times or more"][2] > 0.9
    assert rows["never"][2] < 0.05


def test_noise_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    noise = ["".join(rng.choice(letters, 60)) for _ in range(300)]
    run = chain.table(tmp_path, pd.DataFrame({"body": noise}), data=TEXT, model=TINY)
    assert not run.verdict.passed
    assert "beats_trivial" in run.blocking


def test_a_text_that_repeats_costs_next_to_nothing(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"body": ["abcdefgh" * rng.integers(30, 60) for _ in range(200)]})
    run = chain.table(tmp_path, frame, data=TEXT, model=TINY)
    assert run.metric("bits_per_byte") < 0.05
    assert run.metric("token_accuracy") > 0.9
