"""The stage on a world whose truth is known: steady, drift that does not matter, alarm."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from penstock import spec
from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.measure import metrics
from penstock.measure.drift import reference
from penstock.ports import Version
from penstock.records import Column, Estimate, Fitted, Layout, Policy, Scorecard
from penstock.stages.monitor import Watch, monitor
from penstock.stages.profile import profile

COLUMNS = [
    Column(name="id", modality="identifier", arrow_type="int64", role="metadata"),
    Column(name="age", modality="numeric", arrow_type="int64"),
    Column(name="income", modality="numeric", arrow_type="double"),
    Column(name="town", modality="category", arrow_type="string"),
    Column(name="sex", modality="category", arrow_type="string"),
    Column(name="day", modality="timestamp", arrow_type="timestamp[us]", role="time"),
    Column(name="bought", modality="category", arrow_type="string", role="target"),
]
CLASSES = Layout(columns=COLUMNS, target="bought", task="classification", classes=["no", "yes"])
DAY = np.timedelta64(1, "D").astype("timedelta64[us]")
NUMBERS = CLASSES.model_copy(update={"task": "regression", "classes": []})


def people(num, seed, young=0.0):
    """Customers; a share of them drawn from the under thirty."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, num)
    age = np.where(rng.random(num) < young, rng.integers(18, 30, num), age)
    table = pa.table(
        {
            "id": np.arange(num) + 10_000 * seed,
            "age": age,
            "income": rng.lognormal(10, 0.5, num),
            "town": rng.choice(["Rome", "Oslo", "Bonn"], num),
            "sex": rng.choice(["f", "m"], num),
            "day": np.datetime64("2024-01-01", "us") + rng.integers(0, 60, num) * DAY,
        }
    )
    bought = np.where(rng.random(num) < chance(table), "yes", "no")
    return table.append_column("bought", pa.array(bought))


def chance(table):
    """What is true, and what the model says."""
    age = table["age"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    income = table["income"].to_numpy(zero_copy_only=False)
    strength = 2 * np.log(np.nan_to_num(income, nan=22_000) / 22_000)
    strength = strength - (np.nan_to_num(age, nan=45) - 45) / 15
    return 1 / (1 + np.exp(-2 * strength))


class Model:
    """Knows the truth."""

    def __init__(self, layout):
        self.layout = layout
        self.reads = layout.features
        self.num_asked = 0

    def predict(self, batches):
        for kept, rows in batches:
            self.num_asked += rows.num_rows
            yield kept, self.said(rows)

    def said(self, rows):
        second = chance(rows)
        if not self.layout.classes:
            return pa.table({"prediction": second})
        return pa.table(
            {
                "prediction": np.where(second >= 0.5, "yes", "no"),
                "probability_no": 1 - second,
                "probability_yes": second,
            }
        )


class Rows:
    """A source in memory."""

    kinds = {}
    unreadable = []
    roots = ()

    def __init__(self, table):
        self.table, self.schema, self.description = table.combine_chunks(), table.schema, "rows"

    def fingerprint(self):
        return str(self.table["id"][:3].to_pylist())

    def batches(self, progress=None):
        return iter(self.table.to_batches())


def silent(done, total, note=""):
    pass


class World:
    """A model, what travels with it, and who watches it."""

    def __init__(self, folder, layout=CLASSES, sample_rows=300):
        store = LocalStore(folder)
        self.model, self.layout = Model(layout), layout
        train, test = people(4000, 1), people(3000, 2)
        if not layout.classes:
            train, test = (number(table) for table in (train, test))
        blob = store.keep_bytes(b"w", ".bin")
        metric = "roc_auc" if layout.classes else "rmse"
        fitted = Fitted(weights=blob, state=blob, layout=layout, loss="l", metric=metric)
        made = profile(
            fitted, Policy(), self.card(store, test, metric), store.keep_table(train),
            store.keep_table(test), spec.ProfileSpec(sample_rows=sample_rows), store, silent,
            ["sex"],
        )  # fmt: skip
        sample = pq.read_table(store.path(made.sample.blob)) if made.sample else None
        self.text = store.path(made.sketch).read_text()
        self.reference = reference.read(self.text, sample, "profile")

    def card(self, store, test, metric):
        said = self.model.said(test)
        if self.layout.classes:
            target = (test["bought"].to_numpy(zero_copy_only=False) == "yes").astype(np.int64)
            right = np.where(target == 1, said["probability_yes"], said["probability_no"])
            losses, decided = -np.log(right), (said["probability_yes"].to_numpy() >= 0.5) * 1
            both = np.column_stack([said["probability_no"], said["probability_yes"]])
            value = metrics.of(metric).measure(target, both)
        else:
            target = test["bought"].to_numpy()
            decided = said["prediction"].to_numpy()
            losses = np.square(decided - target)
            value = metrics.of(metric).measure(target, decided)
        for name, values in {"_target": target, "_decided": decided, "_row_loss": losses}.items():
            said = said.append_column(name, pa.array(values))
        estimate = Estimate(value=value, low=value - 0.01, high=value + 0.01)
        return Scorecard(metrics={metric: estimate}, predictions=store.keep_table(said))

    def look(self, table, labels=None, window="", history=(), key="id", **more):
        data = spec.Data(source="x", target="bought", key=key, time="day", sensitive=["sex"])
        made = spec.MonitorSpec(**more)
        watch = Watch(Version("shop", "3"), self.reference, data, made, history=history)
        labels = Rows(labels) if labels is not None else None
        return monitor(watch, self.model, Rows(table), labels, window)


def number(table):
    rng = np.random.default_rng(0)
    values = chance(table) + rng.normal(0, 0.1, table.num_rows)
    return with_column(table, "bought", values)


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def without_labels(table):
    return table.drop_columns(["bought"])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return World(tmp_path_factory.mktemp("measured"), NUMBERS)


def test_a_window_like_the_reference_is_steady(world):
    found = world.look(without_labels(people(1000, 5)))
    assert (found.outcome, found.harm, found.drifted) == ("steady", "none", [])
    assert found.num_rows == 1000 and found.num_labelled == 0 and found.realised is None
    assert found.estimated.low < found.reference.value < found.estimated.high


def test_more_young_people_are_drift_and_no_alarm(world):
    for table in (people(1500, 6, young=0.4), without_labels(people(1500, 7, young=0.4))):
        found = world.look(table)
        assert found.outcome == "drift", found.why
        assert found.drifted[0] == "age"
        assert found.unsupported < 0.1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("age", lambda values: pc.multiply(values, 12)),
        ("income", lambda values: pc.divide(values, 100)),
        ("town", lambda values: pa.array(["Paris"] * len(values))),
        ("income", lambda values: pa.nulls(len(values), pa.float64())),
    ],
)
def test_rows_from_another_world_are_an_alarm_without_any_label(world, name, change):
    table = without_labels(people(800, 8))
    found = world.look(with_column(table, name, change(table[name])))
    assert found.outcome == "alarm" and found.harm in ("unknown", "estimated")
    assert found.drifted[0] == name
    assert found.unsupported > 0.9


def test_an_absent_column_is_missing_in_each_row_and_said(world):
    found = world.look(without_labels(people(800, 8)).drop_columns(["age"]))
    assert found.outcome == "alarm"
    assert any("Absent" in note and "age" in note for note in found.evidence.notes)


def test_a_column_that_cannot_be_read_is_counted(world):
    table = without_labels(people(800, 8))
    found = world.look(with_column(table, "age", ["old"] * 800))
    assert found.outcome == "alarm"
    assert any("could not be read" in note and "age 800" in note for note in found.evidence.notes)


def test_text_is_read_as_training_read_it(world):
    table = without_labels(people(800, 9))
    text = pa.table({name: table[name].cast(pa.string()) for name in table.column_names})
    found, plain = world.look(text), world.look(table)
    assert found.outcome == plain.outcome == "steady"
    assert found.estimated == plain.estimated


def test_labels_that_turn_round_are_an_alarm_although_no_input_moved(world):
    table = people(1000, 10)
    said = table["bought"].to_numpy(zero_copy_only=False)
    rome = table["town"].to_numpy(zero_copy_only=False) == "Rome"
    wrong = with_column(table, "bought", np.where(rome & (said == "yes"), "no", said))
    found = world.look(wrong)
    assert (found.outcome, found.harm, found.drifted) == ("alarm", "realised", [])
    assert found.realised.value < found.reference.value - 0.02
    assert found.num_labelled == 1000
    assert world.look(without_labels(wrong)).outcome == "steady"


def test_labels_come_later_by_key_in_any_order_and_of_some_rows(world):
    table = people(1000, 11)
    later = table.select(["id", "bought"]).take(np.random.default_rng(0).permutation(1000)[:600])
    found = world.look(without_labels(table), labels=later)
    assert found.num_labelled == 600
    truth = world.look(table.filter(pc.is_in(table["id"], later["id"].combine_chunks())))
    assert found.realised.value == pytest.approx(truth.realised.value)


def test_of_equal_keys_the_last_label_counts_and_foreign_ones_are_left_out(world):
    table = people(400, 12)
    early = pa.table({"id": table["id"], "bought": ["yes"] * 400})
    late = table.select(["id", "bought"])
    some = with_column(late, "bought", ["perhaps"] * 5 + late["bought"].to_pylist()[5:])
    both = pa.concat_tables([early, some])
    found = world.look(without_labels(table), labels=both)
    assert found.num_labelled == 395
    assert any(note.startswith("5 labels are no class") for note in found.evidence.notes)
    assert found.realised.value > 0.8


def test_few_labels_do_not_speak(world):
    table = people(1000, 13)
    found = world.look(without_labels(table), labels=table.select(["id", "bought"]).slice(0, 40))
    assert found.num_labelled == 40 and found.realised is None
    assert any("fewer than monitor.min_labels" in note for note in found.evidence.notes)


def test_groups_and_their_gaps_are_shown_once_labels_came(world):
    tables = world.look(people(1000, 14)).evidence.tables
    groups = tables["groups: sex"]
    assert [row[0] for row in groups.rows] == ["f", "m"]
    assert "roc_auc" in groups.columns and "test rows" in groups.columns
    assert any(row[1] == "demographic_parity_ratio" for row in tables["gaps"].rows)


def test_a_window_holds_the_rows_from_its_start_to_before_its_end(world):
    table = people(1000, 15)
    days = table["day"].to_numpy()
    january = (days < np.datetime64("2024-02-01")).sum()
    found = world.look(table, window="2024-01-01..2024-02-01")
    assert found.num_rows == january and found.window == "2024-01-01..2024-02-01"
    last = world.look(table, every="month")
    assert last.window == "2024-01-01..2024-02-01" and last.num_rows == january


def test_rows_of_the_prediction_log_are_not_scored_again(world):
    table = without_labels(people(500, 16))
    said = world.model.said(table)
    log = table
    for name in said.column_names:
        log = log.append_column(name, said[name])
    same = log.append_column("model_version", pa.array(["3"] * 500))
    before = world.model.num_asked
    found = world.look(same)
    assert world.model.num_asked == before
    assert found.estimated == world.look(table).estimated
    older = log.append_column("model_version", pa.array(["2"] * 500))
    world.look(older)
    assert world.model.num_asked == before + 1000


def test_equal_rows_have_an_equal_name_and_answer(world):
    first, second = (world.look(people(300, 17)) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert first.window.startswith("rows-")


def test_the_history_is_drawn_and_a_window_stands_in_it_once(world):
    first = world.look(people(600, 18), window="2024-01-01..2024-02-01")
    again = world.look(people(600, 18), window="2024-02-01..2024-03-01", history=[first.answer()])
    assert [row[0] for row in again.evidence.tables["history"].rows] == [
        "2024-02-01..2024-03-01", "2024-01-01..2024-02-01",
    ]  # fmt: skip
    assert {"history", "separation"} <= set(again.evidence.figures)
    same = world.look(people(600, 18), window="2024-01-01..2024-02-01", history=[first.answer()])
    assert len(same.evidence.tables["history"].rows) == 1


def test_a_number_is_judged_by_labels_alone(measured):
    calm = measured.look(number(people(800, 19)))
    assert calm.outcome == "steady" and calm.estimated is None
    assert calm.realised.value == pytest.approx(0.1, rel=0.1)
    blind = measured.look(without_labels(people(800, 19)))
    assert blind.outcome == "steady" and blind.harm_p_value is None
    assert any("not estimable" in note for note in blind.evidence.notes)
    table = number(people(800, 20))
    worse = with_column(table, "bought", table["bought"].to_numpy() + 0.15)
    assert measured.look(worse).harm == "realised"


def test_without_a_sample_columns_are_compared_alone(tmp_path):
    world = World(tmp_path, sample_rows=0)
    found = world.look(without_labels(people(800, 21, young=0.6)))
    assert found.outcome == "drift" and found.separation is None
    assert any("profile.sample_rows" in note for note in found.evidence.notes)


def test_one_row_is_a_window(world):
    found = world.look(people(1, 22))
    assert found.num_rows == 1 and found.outcome == "steady"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"window": "2030-01-01..2030-02-01"}, "a window has rows"),
        ({"window": "January"}, "a window is A..B"),
        ({"labels": pa.table({"id": [1], "y": ["no"]})}, "no column 'bought'"),
        ({"labels": pa.table({"id": [1], "bought": ["no"]}), "key": ""}, "data.key is empty"),
    ],
)
def test_a_bad_call_says_what_is_wrong(world, more, says):
    with pytest.raises(BadInput, match=says):
        world.look(people(50, 23), **more)


def test_a_profile_of_another_format_is_refused(world):
    older = json.dumps(json.loads(world.text) | {"format": 1})
    with pytest.raises(BadInput, match="train the model again"):
        reference.read(older, None, "profile.json")
