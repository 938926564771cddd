"""New rows through the real command: files in, predictions out, the same window once."""

import json
import sqlite3

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lifecycle")]

CONTRACT = {
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "age", "min_value": 0, "max_value": 120},
            "meta": {"severity": "error", "quarantine": True},
        }
    ]
}


def orders(shop_table, num_rows, seed=0):
    """Customers with a number and a day of two months."""
    table = shop_table(num_rows, seed)
    table.insert(0, "customer", [f"c-{seed}-{row:05d}" for row in range(num_rows)])
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(num_rows) % 60, unit="D")
    table.insert(1, "day", days.strftime("%Y-%m-%d"))
    return table


@pytest.fixture(scope="module")
def shelf():
    return {}


@pytest.fixture
def trained(shelf, project, shop_table):
    """A project whose model was trained once for all tests here."""
    if not shelf:
        more = "score: {source: new.csv, output: scores/}\n"
        folder = project.folder / project.pipeline("shop", orders(shop_table, 800), more)
        path = folder / "pipeline.yaml"
        said = (
            "{source: rows.csv, target: bought, key: customer, time: day, features: {day: exclude}}"
        )
        path.write_text(path.read_text().replace("{source: rows.csv, target: bought}", said))
        (folder / "contract.yaml").write_text(json.dumps(CONTRACT))
        answer = project.penstock("train", "shop", "--json")
        assert answer.status == 0, answer.err
        shelf["project"] = project
    return shelf["project"]


@pytest.fixture
def new(trained, shop_table):
    """New customers without a label, two of them of an impossible age."""
    table = orders(shop_table, 300, seed=1).drop(columns="bought")
    table.loc[[3, 215], "age"] = [-4, 999]
    table.to_csv(trained.folder / "new.csv", index=False)
    table.to_csv(trained.folder / "shop" / "new.csv", index=False)
    return table


def test_rows_in_predictions_out_and_a_second_run_replaces(trained, new):
    from penstock.model import Model

    for _ in range(2):
        done = trained.penstock(
            "score", "shop", "--input", "new.csv", "--output", "out.parquet", "--json"
        )
        assert done.status == 0, done.err
        assert len(done.out.splitlines()) == 1
    answer = done.json
    assert (answer["rows"], answer["scored"], answer["quarantined"]) == (300, 298, 2)
    assert (answer["model"], answer["version"], answer["output"]) == ("shop", "1", "out.parquet")
    assert answer["rows_per_second"] > 0

    scores = pd.read_parquet(trained.folder / "out.parquet")
    good = new.drop(index=[3, 215])
    assert scores["customer"].tolist() == good["customer"].tolist()
    assert list(scores.columns[-3:]) == ["model_version", "run_id", "window"]
    assert set(scores["window"]) == {answer["window"]}
    assert set(scores["run_id"]) == {answer["run_id"]}

    state = next(trained.home.rglob("artifacts/state.json"))
    model = Model.load(state.parent)
    expected = model.predict(pa.Table.from_pandas(good, preserve_index=False))
    np.testing.assert_allclose(scores["probability_yes"], expected["probability_yes"], atol=1e-6)
    assert scores["prediction"].tolist() == expected["prediction"].to_pylist()
    assert scores["prediction_set"].tolist() == expected["prediction_set"].to_pylist()

    (log,) = (trained.home / "predictions" / "shop").glob(f"window={answer['window'][:7]}*/*")
    logged = pq.read_table(log, partitioning=None)
    assert logged.column_names[:5] == ["customer", "day", "age", "income", "town"]
    assert logged.num_rows == 298
    (aside,) = (trained.home / "quarantine" / "shop").rglob("*.parquet")
    kept = pq.read_table(aside, partitioning=None).to_pydict()
    assert kept["_row"] == [3, 215]
    assert all(why.startswith("age:") for why in kept["_reason"])


def test_a_window_of_a_table_is_replaced_and_others_stay(trained, new):
    said = ("score", "shop", "--input", "new.csv", "--output", "sqlite:///scores.db#scores")
    for window in ("2024-01-01..2024-02-01", "2024-02-01..2024-03-01", "2024-01-01..2024-02-01"):
        done = trained.penstock(*said, "--window", window, "--json")
        assert done.status == 0, done.err
        assert done.json["window"] == window
    with sqlite3.connect(trained.folder / "scores.db") as connection:
        found = connection.execute(
            'SELECT "window", COUNT(*), COUNT(DISTINCT customer), MIN(day), MAX(day) FROM scores'
            ' GROUP BY "window" ORDER BY 1'
        ).fetchall()
    assert [(name, rows) for name, rows, *_ in found] == [
        ("2024-01-01..2024-02-01", int((new["day"] < "2024-02-01").sum()) - 1),
        ("2024-02-01..2024-03-01", int((new["day"] >= "2024-02-01").sum()) - 1),
    ]
    assert all(rows == distinct for _, rows, distinct, _, _ in found)
    assert found[0][4] < "2024-02-01" <= found[1][3]


def test_what_the_spec_says_is_scored_where_the_call_says_nothing(trained, new):
    done = trained.penstock("score", "shop", PYTHONPROFILEIMPORTTIME="1")
    assert done.status == 0, done.err[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in done.err.splitlines()}
    assert "pyarrow" in imported
    assert not imported & {"great_expectations", "torch", "sklearn", "penstock.model"}
    assert "298 rows scored by shop version 1" in done.out
    assert "2 rows set aside" in done.out
    scores = pd.read_parquet(trained.folder / "shop" / "scores")
    assert len(scores) == 298


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--input", "gone.csv", "--output", "x.exe"), ["gone.csv", ".exe"]),
        (("--input", "new.csv", "--output", "x.csv", "--window", "May"), ["--window"]),
        (("--input", "narrow.csv", "--output", "x.csv"), ["income", "town", "customer"]),
    ],
)
def test_a_bad_call_is_told_with_all_its_mistakes(trained, new, arguments, found):
    new[["age", "day"]].to_csv(trained.folder / "narrow.csv", index=False)
    done = trained.penstock("score", "shop", *arguments, "--json")
    assert done.status == 2, done.err
    assert all(word in done.err for word in found), done.err
    assert not (trained.folder / "x.csv").exists()


def test_no_version_with_a_passed_verdict_is_exit_status_3(trained, new):
    from mlflow import MlflowClient

    said = ("score", "shop", "--input", "new.csv", "--output", "y.csv", "--json")
    unknown = trained.penstock(*said, "--version", "7")
    assert unknown.status == 3
    assert "no version 7" in unknown.err
    assert unknown.json["verdict"] == "refused"

    client = MlflowClient(f"sqlite:///{trained.home / 'mlflow.db'}")
    client.set_model_version_tag("shop", "1", "penstock.verdict", "refused")
    try:
        refused = trained.penstock(*said)
    finally:
        client.set_model_version_tag("shop", "1", "penstock.verdict", "passed")
    assert refused.status == 3
    assert "passed verdict" in refused.err
    assert "to do:" in refused.err
    assert not (trained.folder / "y.csv").exists()


def test_without_a_champion_nothing_is_scored(project, shop_table):
    project.pipeline("fresh", shop_table(50))
    done = project.penstock("score", "fresh", "--input", "fresh/rows.csv", "--output", "z.csv")
    assert done.status == 3
    assert "no champion yet" in done.err
