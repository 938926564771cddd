"""What users take next, through all stages: what a run says of it."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import test_chain as chain

from penstock.measure import division
from penstock.measure.drift import reference
from penstock.ports import Version
from penstock.spec import Data, ModelSpec, MonitorSpec, SplitSpec
from penstock.stages.monitor import Watch, monitor

pytestmark = pytest.mark.slow

TAKEN = {"target": "item", "task": "ranking", "user": "who", "sensitive": ["town"]}
NUM_ITEMS = 240


def tastes(num_users=160, a_user=20, seed=0):
    """Each user likes one of four kinds of items; nothing else tells what is taken."""
    rng = np.random.default_rng(seed)
    kind = np.arange(NUM_ITEMS) % 4
    rows = []
    for user in range(num_users):
        weight = np.where(kind == user % 4, 20.0, 1.0)
        order = rng.choice(NUM_ITEMS, a_user, replace=False, p=weight / weight.sum())
        rows += [
            {"who": f"u{user}", "item": f"i{item}", "when": 100 * step + user,
             "kind": "abcd"[kind[item]], "town": "ad"[user // 4 % 2]}
            for step, item in enumerate(order)
        ]  # fmt: skip
    return pd.DataFrame(rows)


WHOLE = tastes(a_user=24)
TOLD, LATER = WHOLE[WHOLE.when < 2000], WHOLE[WHOLE.when >= 2000]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return chain.table(
        tmp_path_factory.mktemp("tastes"),
        TOLD,
        data=TAKEN,
        parts=SplitSpec(column="when"),
        model=ModelSpec(epochs=8),
    )


def check(run, name):
    return next(check for check in run.verdict.checks if check.name == name)


def test_tastes_are_learnt_and_pass(good):
    assert not set(good.blocking) - {"beats_trivial"}, good.blocking
    assert check(good, "beats_popularity").low > 0.05
    assert check(good, "time_overlap").value == 0
    assert {"popularity", "item_knn", "matrix_factorisation"} == set(good.scorecard.baselines)
    assert 0 < good.scorecard.metrics["ndcg_at_10"].low < 1


def test_every_stage_tells_something(good):
    assert chain.told(good) == []
    shown = good.scorecard.evidence
    assert {"beyond_accuracy", "cold_start"} <= set(shown.tables)
    assert any("Not applicable, calibration" in note for note in shown.notes)
    assert "exposure" in good.gaps.evidence.tables
    weighed = good.explained.evidence.tables["columns"]
    assert weighed.rows[0][0] == "history"


def test_a_list_holds_nothing_that_was_taken_before(good):
    test = good.store.table(good.parts.test)
    found = good.scorer.predict(test)
    for history, answer in zip(
        test["history"].to_pylist(), found["prediction"].to_pylist(), strict=True
    ):
        assert len(json.loads(answer)) == 10
        assert not set(json.loads(answer)) & set(history.split("|"))


def test_a_known_user_needs_no_history_and_an_unknown_one_is_shown_what_is_popular(good):
    asked = pa.table({"who": ["u3", "u3", "nobody"], "town": ["a", "a", None]})
    found = good.scorer.predict(asked).to_pydict()
    assert found["basis"] == ["past", "past", "popularity"]
    train = good.store.table(good.parts.train).to_pandas()
    lists = [json.loads(text) for text in found["prediction"]]
    # whatever part it was put into
    assert not set(lists[0]) & set(TOLD[TOLD.who == "u3"].item)
    kinds = [int(name[1:]) % 4 for name in lists[0]]
    assert kinds.count(3) >= 5
    popular = train.item.value_counts()
    assert popular[lists[2]].min() >= popular.nlargest(10).min()


def test_ratings_below_the_bar_are_remembered_but_never_to_be_found(tmp_path):
    frame = tastes(60)
    frame["stars"] = np.where(frame["item"].str[1:].astype(int) < 12, 1.0, 5.0)
    data = TAKEN | {"feedback": "stars", "feedback_from": 4.0}
    run = chain.table(
        tmp_path, frame, data=data, parts=SplitSpec(column="when"), model=ModelSpec(epochs=1)
    )
    poor = {f"i{n}" for n in range(12)}
    for part in (run.parts.train, run.parts.test):
        rows = run.store.table(part).to_pandas()
        assert not poor & set("|".join(rows["item"]).split("|"))
    assert poor & set("|".join(rows["history"].dropna()).split("|"))


def test_the_first_item_of_a_user_is_learnt_from_an_empty_past(good):
    train = good.store.table(good.parts.train)
    first = train.slice(0, 1)
    assert first["history"].to_pylist() == [""]
    past = good.scorer.learnt.encode(first)["past"]["items"]
    assert (past < 0).all()


class Rows:
    """A source in memory."""

    kinds = {}
    unreadable = []
    description = "rows"
    roots = ()

    def __init__(self, frame):
        self.table = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
        self.schema = self.table.schema

    def fingerprint(self):
        return str(self.table.num_rows)

    def batches(self, progress=None):
        return iter(self.table.to_batches())


class Scorer:
    """The model, in this process."""

    def __init__(self, run):
        self.model, self.learnt = run.scorer, run.scorer.learnt
        self.layout, self.reads = self.model.layout, self.model.reads

    def predict(self, batches):
        for kept, table in batches:
            yield kept, self.model.predict(table)


def looked_at(run, frame, labels=None, **said):
    sample = run.store.table(run.profile.sample)
    text = run.store.path(run.profile.sketch).read_text()
    data = Data(source="x", key="who", **TAKEN)
    watch = Watch(Version("m", "1"), reference.read(text, sample, ""), data, MonitorSpec(**said))
    later = None if labels is None else Rows(labels)
    return monitor(watch, Scorer(run), Rows(frame), later)


def own_test(frame):
    users = np.unique(frame.who, return_inverse=True)[1]
    return frame[division.per_user(users, frame.when.to_numpy(float), 0.1, 0.2) == 2]


def test_the_test_part_monitored_is_as_it_was_judged(good):
    drift = looked_at(good, own_test(TOLD))
    assert drift.outcome == "steady"
    assert drift.realised.value == pytest.approx(drift.reference.value, abs=1e-9)


def test_later_rows_of_the_same_tastes_are_steady_and_of_others_an_alarm(good):
    assert looked_at(good, LATER).harm == "none"
    rng = np.random.default_rng(0)
    shuffled = LATER.assign(item=rng.permutation(LATER.item.to_numpy()))
    drift = looked_at(good, shuffled)
    assert (drift.outcome, drift.harm) == ("alarm", "realised")


def test_a_short_window_with_new_users_is_no_alarm(good):
    known = LATER.groupby("who").head(1)
    new = tastes(40, a_user=1, seed=5)
    new["who"] = "new " + new["who"]
    drift = looked_at(good, pd.concat([known, new]))
    assert (drift.outcome, drift.harm) == ("drift", "none")
    assert drift.realised.value < drift.reference.value  # less to find is found less


def test_labels_that_come_later_are_all_that_a_user_took(good):
    asked = TOLD[["who", "town"]].drop_duplicates()
    labels = own_test(TOLD)[["who", "item"]]
    drift = looked_at(good, asked, labels)
    assert drift.num_labelled == asked.who.nunique()
