"""The history keeps a line a window; the page shows what was found and escapes it."""

import json

import pytest

from penstock.adapters import drift_page
from penstock.adapters.monitoring import History, champion_of, reference_of
from penstock.errors import BadInput, StoreError
from penstock.evidence import Evidence, Figure, Series, Table
from penstock.outcomes import Drift
from penstock.records import Estimate

EVIL = "<script>alert(1)</script>"


def drift(window="2024-01-01..2024-02-01", version="1", outcome="steady", **more):
    return Drift(
        model="shop", version=version, window=window, num_rows=10, outcome=outcome, budget=0.01,
        metric="roc_auc", reference=Estimate(value=0.9, low=0.88, high=0.92), **more,
    )  # fmt: skip


def test_a_window_that_is_looked_at_again_replaces_its_line_where_it_stands(tmp_path):
    history = History(f"{tmp_path}/monitoring", "shop")
    assert history.lines() == []
    for one in (drift(), drift(window="b"), drift(outcome="alarm"), drift(version="2")):
        history.keep(one)
    found = [(line["window"], line["version"], line["outcome"]) for line in history.lines()]
    assert found == [
        ("2024-01-01..2024-02-01", "1", "alarm"),
        ("b", "1", "steady"),
        ("2024-01-01..2024-02-01", "2", "steady"),
    ]
    left = {path.name for path in (tmp_path / "monitoring").iterdir()}
    assert left - {"shop.jsonl.lock"} == {"shop.jsonl"}


def test_what_is_kept_is_the_json_that_the_command_prints(tmp_path):
    history = History(str(tmp_path), "shop")
    kept = drift(estimated=Estimate(value=0.89), drifted=["age"])
    history.keep(kept)
    assert history.lines() == [json.loads(json.dumps(kept.answer()))]


def test_a_model_called_like_a_path_stays_in_the_folder(tmp_path):
    History(f"{tmp_path}/monitoring", "../shop").keep(drift())
    assert [path.name for path in tmp_path.iterdir()] == ["monitoring"]


def test_a_history_behind_a_url_is_one_too():
    history = History("memory://penstock-history/monitoring", "shop")
    history.keep(drift())
    history.keep(drift(outcome="drift"))
    assert [line["outcome"] for line in history.lines()] == ["drift"]


def test_a_broken_line_is_named(tmp_path):
    (tmp_path / "shop.jsonl").write_text("{}\nnot json\n")
    with pytest.raises(StoreError, match=r"shop\.jsonl"):
        History(str(tmp_path), "shop").lines()


def test_a_model_without_champion_or_profile_is_not_watched(tmp_path):
    class Empty:
        def champion(self, name):
            return None

    with pytest.raises(BadInput, match="no champion yet"):
        champion_of("shop", Empty())
    with pytest.raises(BadInput, match="a profile travels"):
        reference_of(tmp_path)


@pytest.mark.parametrize(
    ("outcome", "word"),
    [("steady", "Steady"), ("drift", "Drift that does not matter"), ("alarm", "Alarm")],
)
def test_the_page_says_the_outcome_and_escapes_what_comes_from_data(outcome, word):
    bars = Series(name=EVIL, x=[EVIL, "b"], y=[1.0, 2.0], style="bars")
    evidence = Evidence(
        notes=[EVIL],
        tables={"decision": Table(title=EVIL, columns=["a"], rows=[[EVIL], [0.5]])},
        figures={"f": Figure(title=EVIL, x="x", y="y", series=[bars])},
    )
    shown = drift(outcome=outcome, why=EVIL, drifted=[EVIL], evidence=evidence)
    page = drift_page.render(shown, {"MLflow run": "https://example.org/run", "x": "javascript:1"})
    assert word in page and "0.9000" in page
    assert "<script" not in page
    assert 'href="https://example.org/run"' in page and 'href="javascript' not in page
    text = drift_page.markdown(shown)
    assert word in text and "<script" not in text
