"""New rows to predictions, with a scorer and sinks written by hand."""

import datetime as dt
import io
import subprocess
import sys
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from penstock import spec
from penstock.errors import BadInput, NoVerdict
from penstock.ports import Version
from penstock.records import Column, Layout
from penstock.stages.score import Sinks, score, usable
from penstock.tables import new_rows
from penstock.tables.windows import Window

LAYOUT = Layout(
    columns=[
        Column(name="age", modality="numeric", arrow_type="int64"),
        Column(name="town", modality="category", arrow_type="string"),
        Column(name="sex", modality="category", arrow_type="string", role="metadata"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)
OLD = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "age", "min_value": 0, "max_value": 120},
    "meta": {"quarantine": True},
}
CHAMPION = Version("shop", "3", {"penstock.verdict": "passed"})
DATA = spec.Data(source="s", target="y")
ALL = Window("everything")


class FakeScorer:
    """Says yes from 40 on; keeps what it was given."""

    layout = LAYOUT

    def __init__(self, reads=("age", "town")):
        self.reads = [LAYOUT.column(name) for name in reads]
        self.given = []

    def predict(self, batches):
        for kept, rows in batches:
            self.given.append(rows)
            yes = pc.if_else(pc.fill_null(pc.greater_equal(rows["age"], 40), False), 0.75, 0.25)
            words = pc.if_else(pc.greater(yes, 0.5), "yes", "no")
            yield kept, pa.table({"prediction": words, "probability_yes": yes})


class FakeSink:
    """Windows in a dictionary; what an error interrupts is not kept."""

    def __init__(self, description):
        self.description = description
        self.windows = {}

    @contextmanager
    def window(self, name=""):
        batches = []
        self.write = batches.append
        yield self
        assert batches, "a window is written by at least one batch"
        self.windows[name] = pa.concat_tables(batches)


class FakeSource:
    def __init__(self, *batches, schema=None):
        self.parts = [pa.RecordBatch.from_pydict(batch) for batch in batches]
        self.schema = schema or self.parts[0].schema
        self.description, self.kinds, self.unreadable, self.roots = "new rows", {}, [], ()

    def fingerprint(self):
        return ""

    def batches(self, progress=None):
        total, done = sum(part.num_rows for part in self.parts), 0
        for part in self.parts:
            done += part.num_rows
            if progress:
                progress(done, total, "rows")
            yield part


@pytest.fixture
def sinks():
    return Sinks(FakeSink("out"), FakeSink("aside"), FakeSink("log"))


def run(source, sinks, scorer=None, contract=(), window=ALL, data=DATA, progress=None):
    scorer = scorer or FakeScorer()
    given = (source, scorer, list(contract), sinks, window, data, CHAMPION, "run 1", progress)
    return score(*given)


def test_each_row_has_its_position_prediction_and_where_it_is_from(sinks):
    source = FakeSource({"age": ["30", "50"], "town": ["Oslo", ""]}, {"age": ["x"], "town": ["A"]})
    scored = run(source, sinks)
    assert sinks.output.windows["everything"].to_pydict() == {
        "row": [0, 1, 2],
        "prediction": ["no", "yes", "no"],
        "probability_yes": [0.25, 0.75, 0.25],
        "model_version": ["3"] * 3,
        "run_id": ["run 1"] * 3,
        "window": ["everything"] * 3,
    }
    assert (scored.num_rows, scored.num_scored, scored.num_quarantined) == (3, 3, 0)
    assert scored.quarantine == ""
    answer = scored.answer()
    assert (answer["verdict"], answer["model"], answer["version"]) == ("scored", "shop", "3")
    assert answer["notes"] == ["Values of age that are no int64, read as missing: 1."]


def test_the_log_holds_typed_features_beside_the_prediction(sinks):
    data = spec.Data(source="s", target="y", sensitive=["sex"], key="id", time="at")
    rows = {
        "id": ["007", "008"], "at": ["2024-01-01", "2024-01-02"],
        "age": ["30", "50"], "town": ["Oslo", ""], "sex": ["f", "m"], "y": ["", ""],
    }  # fmt: skip
    run(FakeSource(rows), sinks, data=data)
    log = sinks.log.windows["everything"]
    assert log.column_names[:5] == ["id", "at", "age", "town", "sex"]
    assert log["id"].to_pylist() == ["007", "008"]
    assert log["at"].to_pylist() == [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2)]
    assert log["age"].to_pylist() == [30.0, 50.0]
    assert log["town"].to_pylist() == ["Oslo", None]
    assert log["prediction"].to_pylist() == ["no", "yes"]
    assert sinks.output.windows["everything"].column_names[:3] == ["id", "at", "prediction"]


def test_rows_that_break_the_contract_are_set_aside_as_they_came(sinks):
    source = FakeSource({"age": ["30", " -1", "200"], "town": ["Oslo", "Rome", "Bonn"]})
    scored = run(source, sinks, contract=[OLD])
    aside = sinks.quarantine.windows["everything"].to_pydict()
    assert aside["age"] == [" -1", "200"]
    assert aside["_row"] == [1, 2]
    assert aside["_reason"] == ["age: to be between (0 to 120)"] * 2
    assert sinks.output.windows["everything"]["row"].to_pylist() == [0]
    assert (scored.num_scored, scored.num_quarantined, scored.quarantine) == (1, 2, "aside")
    assert scored.evidence.tables["quarantine"].rows == [["age: to be between (0 to 120)", 2]]


def test_mended_rows_from_quarantine_can_be_scored(sinks):
    run(FakeSource({"age": ["-1"], "town": ["Oslo"]}), sinks, contract=[OLD])
    again = sinks.quarantine.windows["everything"].to_pydict() | {"age": ["1"]}
    assert run(FakeSource(again), sinks, contract=[OLD]).num_scored == 1
    assert sinks.quarantine.windows["everything"].num_rows == 0


def test_rules_of_the_target_and_of_other_columns_do_not_stop_new_rows(sinks):
    known = {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "y"},
        "meta": {"quarantine": True},
    }
    source = FakeSource({"age": [30], "town": ["Oslo"], "y": pa.array([None], pa.string())})
    assert run(source, sinks, contract=[known]).num_scored == 1


def test_keys_keep_their_rules_and_the_spelling_that_they_came_with(sinks):
    columns = [*LAYOUT.columns, Column(name="id", modality="identifier", arrow_type="int64")]
    scorer = FakeScorer()
    scorer.layout = LAYOUT.model_copy(update={"columns": columns})
    rule = OLD | {"kwargs": {"column": "id", "min_value": 0}}
    data = spec.Data(source="s", target="y", key="id")
    source = FakeSource({"id": ["007", "-1"], "age": ["1", "2"], "town": ["a", "b"]})
    assert run(source, sinks, scorer, [rule], data=data).num_quarantined == 1
    assert sinks.output.windows["everything"]["id"].to_pylist() == ["007"]


def test_a_rule_that_a_batch_cannot_answer_is_named(sinks):
    rule = {
        "type": "expect_column_values_to_be_unique",
        "kwargs": {"column": "age"},
        "meta": {"quarantine": True},
    }
    notes = run(FakeSource({"age": [1], "town": ["A"]}), sinks, contract=[rule]).evidence.notes
    assert len(notes) == 1
    assert "age" in notes[0]


TIMED = spec.Data(source="s", target="y", time="at")


def test_only_rows_of_the_window_are_read_and_a_second_run_replaces(sinks):
    days = ["2024-01-31", "2024-02-01", "2024-02-29T23:59", "2024-03-01", ""]
    source = FakeSource({"age": [1, 2, 3, 4, 5], "town": list("abcde"), "at": days})
    window = Window.parse("2024-02-01..2024-03-01")
    for _ in range(2):
        scored = run(source, sinks, data=TIMED, window=window)
        assert (scored.num_rows, scored.window) == (2, "2024-02-01..2024-03-01")
        assert sinks.output.windows[scored.window]["row"].to_pylist() == [1, 2]
    assert scored.evidence.notes == ["Rows without at, which lie in no window: 1."]


def test_a_window_without_rows_is_written_empty_with_all_columns(sinks):
    source = FakeSource({"age": [1], "town": ["a"], "at": ["2024-01-31"]})
    scored = run(source, sinks, data=TIMED, window=Window.parse("2025-01-01..2025-01-02"))
    empty = sinks.output.windows[scored.window]
    assert (scored.num_rows, empty.num_rows) == (0, 0)
    assert empty.column_names[:3] == ["row", "at", "prediction"]
    assert sinks.log.windows[scored.window].column_names[:4] == ["row", "at", "age", "town"]


def test_a_window_needs_a_column_of_time(sinks):
    window = Window.parse("2024-01-01..2024-02-01")
    with pytest.raises(BadInput, match=r"data\.time is empty"):
        run(FakeSource({"age": [1], "town": ["a"]}), sinks, window=window)


def test_all_absent_columns_are_named_at_once_and_nothing_is_written(sinks):
    data = spec.Data(source="s", target="y", key="id", time="at")
    with pytest.raises(BadInput) as caught:
        run(FakeSource({"other": [1]}), sinks, data=data)
    found = [mistake.found for mistake in caught.value.mistakes]
    assert found == [f"column {name} is absent" for name in ("age", "town", "id", "at")]
    assert sinks.output.windows == {}


def test_an_error_on_the_way_leaves_every_window_as_it_was(sinks):
    good = FakeSource({"age": ["1"], "town": ["a"]})
    run(good, sinks)
    words = {"age": [f"word {n}" for n in range(50)], "town": ["a"] * 50}
    with pytest.raises(BadInput, match="column age"):
        run(FakeSource(words), sinks)
    for sink in (sinks.output, sinks.log):
        assert sink.windows["everything"].num_rows == 1


def test_large_batches_are_cut(sinks, monkeypatch):
    monkeypatch.setattr(new_rows, "BATCH_ROWS", 4)
    scorer = FakeScorer()
    scored = run(FakeSource({"age": list(range(10)), "town": ["a"] * 10}), sinks, scorer)
    assert [rows.num_rows for rows in scorer.given] == [4, 4, 2]
    assert sinks.output.windows["everything"]["row"].to_pylist() == list(range(10))
    assert scored.num_scored == 10


def test_a_batch_that_is_set_aside_whole_is_counted(sinks):
    source = FakeSource({"age": [-1], "town": ["a"]}, {"age": [1], "town": ["a"]})
    scored = run(source, sinks, contract=[OLD])
    assert (scored.num_scored, scored.num_quarantined) == (1, 1)
    assert sinks.output.windows["everything"]["row"].to_pylist() == [1]


def test_a_broken_image_is_set_aside(sinks):
    file = io.BytesIO()
    Image.new("L", (4, 4), 200).save(file, "PNG")
    columns = [*LAYOUT.columns, Column(name="pic", modality="image", arrow_type="binary")]
    scorer = FakeScorer()
    scorer.layout = LAYOUT.model_copy(update={"columns": columns})
    scorer.reads = [*scorer.reads, columns[-1]]
    pictures = [file.getvalue(), file.getvalue()[:30], b"no image"]
    source = FakeSource({"age": [1, 2, 3], "town": ["a"] * 3, "pic": pictures})
    scored = run(source, sinks, scorer)
    assert (scored.num_scored, scored.num_quarantined) == (1, 2)
    aside = sinks.quarantine.windows["everything"].to_pydict()
    assert aside["age"] == [2, 3]
    assert all(why.startswith("pic: ") for why in aside["_reason"])


def test_progress_tells_pace_and_time_left(sinks):
    told = []
    batches = [{"age": [1] * 10, "town": ["a"] * 10}] * 3
    run(FakeSource(*batches), sinks, progress=lambda *news: told.append(news))
    assert [done for done, _, _ in told] == [10, 20, 30]
    assert all(total == 30 for _, total, _ in told)
    assert all("rows/s" in note for _, _, note in told)
    assert "s left" in told[0][2]
    assert "s left" not in told[-1][2]


def test_a_feature_called_like_an_output_is_renamed_in_the_log(sinks):
    layout = LAYOUT.model_copy(
        update={"columns": [*LAYOUT.columns, Column(name="window", modality="category",
                                                    arrow_type="string")]}
    )  # fmt: skip
    scorer = FakeScorer()
    scorer.layout, scorer.reads = layout, [*scorer.reads, layout.column("window")]
    scored = run(FakeSource({"age": [1], "town": ["a"], "window": ["bay"]}), sinks, scorer)
    log = sinks.log.windows["everything"]
    assert log["feature:window"].to_pylist() == ["bay"]
    assert log["window"].to_pylist() == ["everything"]
    assert scored.evidence.notes == ["In the log window is called feature:window."]


def test_a_key_called_like_an_output_is_refused(sinks):
    data = spec.Data(source="s", target="y", key="prediction")
    source = FakeSource({"age": [1], "town": ["a"], "prediction": ["x"]})
    with pytest.raises(BadInput, match=r"data\.key is prediction"):
        run(source, sinks, data=data)


class FakeRegistry:
    def __init__(self, champion=None):
        self.found = champion

    def champion(self, name):
        return self.found

    def version(self, name, number):
        return self.found if self.found and self.found.number == number else None


@pytest.mark.parametrize(
    ("champion", "number", "found"),
    [
        (None, "", "no champion yet"),
        (CHAMPION, "7", "no version 7"),
        (Version("shop", "1", {}), "", "no tag penstock.verdict"),
        (Version("shop", "1", {"penstock.verdict": "refused"}), "1", "'refused'"),
    ],
)
def test_only_a_version_with_a_passed_verdict_scores(champion, number, found):
    with pytest.raises(NoVerdict, match=found) as caught:
        usable("shop", number, FakeRegistry(champion))
    assert caught.value.mistakes[0].remedy


def test_a_version_with_a_passed_verdict_may():
    assert usable("shop", "", FakeRegistry(CHAMPION)) == CHAMPION
    assert usable("shop", "3", FakeRegistry(CHAMPION)) == CHAMPION


def test_nothing_heavy_is_imported_beside_arrow():
    heavy = "{'torch','great_expectations','sklearn','scipy','mlflow','prefect','matplotlib'}"
    code = (
        "import sys, penstock.stages.score, penstock.adapters.scoring, penstock.adapters.sinks,"
        "penstock.adapters.sources, penstock.services, penstock.contract;"
        "from penstock import modalities, plugins;"
        "[modalities.load(name) for name in plugins.modules('penstock.modalities')];"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
