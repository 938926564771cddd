"""A packaged model in its own process: the same answers, in order, and a word when it dies."""

import threading

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from penstock.adapters.scoring import PackagedScorer
from penstock.adapters.tracking.connection import quietly
from penstock.adapters.tracking.package import package
from penstock.errors import BadInput, Mistake, NotServable
from penstock.model import Learnt, Model
from penstock.records import Column, Grouping, Layout, Policy
from penstock.spec import ModelSpec

pytestmark = pytest.mark.slow  # each test starts a process that loads a network

LAYOUT = Layout(
    columns=[
        Column(name="age", modality="numeric", arrow_type="int64"),
        Column(name="job", modality="category", arrow_type="string"),
        Column(name="town", modality="category", arrow_type="string", role="metadata"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "age": pa.array(rng.integers(17, 90, n), mask=rng.random(n) < 0.1),
            "job": pa.array(rng.choice(["clerk", "baker", "ü"], n).tolist(), pa.string()),
            "town": rng.choice(["Oslo", "Rome"], n),
        }
    )


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """A network that was never trained, with a threshold for each town, as a package."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    train = rows(200).append_column("y", pa.array(["no", "yes"] * 100))
    learnt = Learnt.of(train, LAYOUT, ModelSpec(width=8, depth=1, members=2))
    grouping = Grouping(column="town", levels=["Oslo", "Rome"])
    policy = Policy(grouping=grouping, thresholds={"Oslo": 0.4, "Rome": 0.6}, radius=0.55)
    save_file(learnt.network().state_dict(), folder / "w")
    (folder / "s").write_text(learnt.to_json())
    (folder / "p").write_text(policy.model_dump_json())
    files = {"weights": folder / "w", "state": folder / "s", "policy": folder / "p"}
    with quietly():
        return package(files, folder / "package")


@pytest.fixture(scope="module")
def scorer(packaged):
    return PackagedScorer(packaged, threads=1)


def test_it_reads_the_features_and_the_column_that_makes_groups(scorer):
    assert [column.name for column in scorer.reads] == ["age", "job", "town"]
    assert scorer.layout == LAYOUT


def test_answers_are_those_of_the_model_beside_what_came_with_them(scorer, packaged):
    batches = [(n, rows(size, n)) for n, size in enumerate((70, 0, 1, 300))]
    model = Model.load(packaged / "artifacts")
    answered = list(scorer.predict(batches))
    assert [kept for kept, _ in answered] == [0, 1, 2, 3]
    for (_, given), (_, found) in zip(batches, answered, strict=True):
        expected = model.predict(given)
        assert found.schema == expected.schema
        assert found.drop_columns(["probability_no", "probability_yes"]) == expected.drop_columns(
            ["probability_no", "probability_yes"]
        )
        for name in ("probability_no", "probability_yes"):
            np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_no_batch_is_no_answer(scorer):
    assert list(scorer.predict([])) == []


def test_rows_are_read_as_they_are_needed(scorer):
    """Constant memory: a slow writer stops the reader a few batches ahead."""
    read = []

    def batches():
        for number in range(50):
            read.append(number)
            yield number, rows(100)

    answered = scorer.predict(batches())
    next(answered)
    ahead = max(read)
    answered.close()
    assert ahead < 10


def test_an_error_of_the_source_is_raised_as_it_is(scorer):
    def batches():
        yield None, rows(5)
        raise BadInput(Mistake("a page can be read", "it is damaged"))

    with pytest.raises(BadInput, match="it is damaged"):
        list(scorer.predict(batches()))


def test_an_error_of_the_source_before_the_first_row_is_raised_too(scorer):
    def batches():
        raise OSError("the disk is gone")
        yield

    with pytest.raises(OSError, match="the disk is gone"):
        list(scorer.predict(batches()))


def test_a_model_that_dies_says_why(scorer):
    """Rows that it cannot read: the message is the child's own."""
    wrong = pa.table({"age": ["old"], "job": ["clerk"], "town": ["Oslo"]})
    with pytest.raises(NotServable, match="age"):
        list(scorer.predict((None, wrong) for _ in range(100)))


def test_a_model_that_is_killed_is_no_end_of_the_rows(packaged):
    class Killed(PackagedScorer):
        def _start(self, said):
            child = super()._start(said)
            child.kill()
            return child

    with pytest.raises(NotServable, match="signal 9"):
        list(Killed(packaged).predict((None, rows(100)) for _ in range(100)))


def test_nothing_runs_on_when_nobody_listens(scorer):
    before = threading.active_count()
    answered = scorer.predict((None, rows(100)) for _ in range(1000))
    next(answered)
    answered.close()
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and type(thread).__name__ == "_Feeding":
            thread.join(timeout=10)
    assert threading.active_count() <= before


def test_it_scores_with_its_own_code(packaged, tmp_path):
    """A package whose code answers otherwise is believed, not this process's penstock."""
    import shutil

    other = tmp_path / "other"
    shutil.copytree(packaged, other)
    source = other / "code" / "penstock" / "model.py"
    text = source.read_text()
    assert "return self.answer(scores, self.decided(table, scores))" in text
    source.write_text(
        text.replace(
            "return self.answer(scores, self.decided(table, scores))",
            'print("noise"); return pa.table({"prediction": ["mine"] * table.num_rows})',
        )
    )
    ((_, found),) = PackagedScorer(other, 1).predict([(None, rows(2))])
    assert found.to_pydict() == {"prediction": ["mine", "mine"]}
