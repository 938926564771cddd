"""What a person finds in MLflow after a run, and what they read when it cannot be reached."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
import yaml
from safetensors.torch import save_file

from penstock.adapters.clean_process import rescore
from penstock.adapters.store import LocalStore
from penstock.adapters.tracking import connection as connections
from penstock.adapters.tracking.connection import Connection, quietly, without_secrets
from penstock.adapters.tracking.package import package
from penstock.adapters.tracking.registry import MlflowRegistry
from penstock.adapters.tracking.runs import Tracking, git_state, key_of
from penstock.errors import NotServable, RegistryUnreachable
from penstock.fingerprint import of_file, of_json
from penstock.model import Learnt, Model
from penstock.records import Column, Grouping, Layout, Policy
from penstock.spec import ModelSpec

with quietly():
    from penstock.adapters import serving


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Connection:
    home = tmp_path_factory.mktemp("home")
    return Connection(f"sqlite:///{home / 'mlflow.db'}", home)


@pytest.fixture(scope="module")
def raw() -> pa.Table:
    rng = np.random.default_rng(0)
    gaps = rng.random(120) < 0.1
    return pa.table(
        {
            "age": pa.array(rng.integers(17, 90, 120), mask=gaps),
            "job": pa.array(rng.choice(["clerk", "<b>ü"], 120).astype(object), mask=gaps[::-1]),
            "member": pa.array(rng.random(120) > 0.5, mask=np.roll(gaps, 5)),
            "town": rng.choice(["Oslo", "Rome"], 120),
            "y": rng.choice(["no", "yes"], 120),
        }
    )


@pytest.fixture(scope="module")
def model(raw: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights and state of a network that was never trained; thresholds by town."""
    layout = Layout(
        columns=[
            Column(name="age", modality="numeric", arrow_type="int64"),
            Column(name="job", modality="category", arrow_type="string"),
            Column(name="member", modality="category", arrow_type="bool"),
            Column(name="town", modality="category", arrow_type="string", role="metadata"),
            Column(name="y", modality="category", arrow_type="string", role="target"),
        ],
        target="y",
        task="classification",
        classes=["no", "yes"],
    )
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    learnt = Learnt.of(raw, layout, ModelSpec(width=16))
    network = learnt.network()
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights) * 0.1)
    save_file(network.state_dict(), folder / "weights.safetensors")
    (folder / "state.json").write_text(learnt.to_json())
    by_town = Grouping(column="town", levels=["Oslo", "Rome"])
    policy = Policy(temperature=1.5, grouping=by_town, thresholds={"Oslo": 0.3, "Rome": 0.6})
    (folder / "policy.json").write_bytes(policy.signed)
    (folder / "profile.json").write_text('{"format": 1}')
    return folder


@pytest.fixture(scope="module")
def packaged(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("package") / "model"
    names = ("weights.safetensors", "state.json", "policy.json", "profile.json")
    return package({name.partition(".")[0]: model / name for name in names}, destination)


def test_a_run_holds_what_happened(connection: Connection, tmp_path: Path) -> None:
    tracking = Tracking(connection)
    run_id = tracking.start("census", {"flow.url": "http://anna:geheim@host/flow"})
    part = LocalStore(tmp_path).keep_table(pa.table({"a": [1, 2]}))
    tracking.log_params(run_id, {"split": {"test": 0.2}, "data": {"source": "pg://u:geheim@h/d"}})
    tracking.log_metrics(run_id, "evaluate", {"roc_auc": 0.75, "f1": None, "loss (x)": 0.5})
    tracking.log_curves(run_id, "fit", {"valid_loss": [0.5, float("nan"), 0.25]})
    tracking.log_datasets(run_id, {"train": part}, "s3://bucket/a?token=geheim")
    tracking.log_files(run_id, {"report.html": "<b>ü</b>", "charts/roc.svg": b"<svg/>"})
    tracking.finish(run_id, "KILLED")

    run = connection.client.get_run(run_id)
    assert run.info.status == "KILLED"
    assert run.data.params == {"split.test": "0.2", "data.source": "pg://***@h/d"}
    assert run.data.metrics["evaluate/roc_auc"] == 0.75
    assert "evaluate/f1" not in run.data.metrics
    history = connection.client.get_metric_history(run_id, "fit/valid_loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (3, 0.25)]
    dataset = run.inputs.dataset_inputs[0]
    assert dataset.dataset.digest == part.blob.sha256[:36]
    assert json.loads(dataset.dataset.profile)["sha256"] == part.blob.sha256
    assert dataset.tags[0].value == "train"
    assert {file.path for file in connection.client.list_artifacts(run_id)} == {
        "charts",
        "report.html",
    }
    assert run.info.artifact_uri.startswith((connection.home / "artifacts").as_uri())
    assert "geheim" not in str(run.to_dictionary())


def test_runs_of_one_pipeline_share_an_experiment_even_a_deleted_one(
    connection: Connection,
) -> None:
    tracking, client = Tracking(connection), connection.client
    first = client.get_run(tracking.start("shared", {})).info.experiment_id
    client.delete_experiment(first)
    assert client.get_run(tracking.start("shared", {})).info.experiment_id == first


def test_the_list_of_runs_shows_what_is_compared(connection: Connection) -> None:
    tracking = Tracking(connection)
    run_id = tracking.start("toy", {})
    tracking.compare(run_id, ["evaluate/gain (USD)", "fit/seconds"], ["penstock.verdict"])
    experiment = connection.client.get_experiment_by_name("toy")
    assert experiment
    view = json.loads(experiment.tags["mlflow.sharedViewState.penstock"])
    assert view["selectedColumns"] == [
        "tags.`penstock.verdict`",
        "metrics.`evaluate/gain _USD_`",
        "metrics.`fit/seconds`",
    ]


def test_more_curves_and_params_than_one_request_holds(connection: Connection) -> None:
    tracking = Tracking(connection)
    run_id = tracking.start("large", {})
    tracking.log_curves(run_id, "fit", {f"c{n}": [1.0] * 600 for n in range(3)})
    tracking.log_params(run_id, {"features": {f"column {n}": "x" * 9000 for n in range(150)}})
    run = connection.client.get_run(run_id)
    assert len(connection.client.get_metric_history(run_id, "fit/c2")) == 600
    assert len(run.data.params) == 150


@pytest.mark.parametrize(
    ("name", "key"),
    [("a/b.c", "a/b.c"), ("Größe (m²)", "Größe _m²_"), ("../x//y", "x/y"), ("", "_")],
)
def test_keys_are_names_that_mlflow_takes(name: str, key: str) -> None:
    assert key_of(name) == key


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://user:p@ss/word@host/a", "https://***@host/a"),
        ("http://h/#/runs?viewStateShareKey=penstock", "http://h/#/runs?viewStateShareKey=penstock"),
        ("mysql+pymysql://me@host/db?charset=utf8&ssl_key=abc", "mysql+pymysql://***@host/db?charset=utf8&ssl_key=***"),
        ("s3://bucket/a.csv?X-Amz-Signature=abc&x=1", "s3://bucket/a.csv?X-Amz-Signature=***&x=1"),
        ("http://localhost:5000/#/a@b", "http://localhost:5000/#/a@b"),
        ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
    ],
)  # fmt: skip
def test_secrets_never_show(text: str, clean: str) -> None:
    assert without_secrets(text) == clean


def test_git_state_is_empty_outside_a_repository(tmp_path: Path) -> None:
    assert git_state(tmp_path) == ("", "")


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def unreachable(uri: str, home: Path) -> str:
    with pytest.raises(RegistryUnreachable) as caught:
        MlflowRegistry(Connection(uri, home)).champion("toy")
    assert "nothing was promoted" in caught.value.message
    return caught.value.message


def test_a_person_opens_the_address_that_is_said_for_browsers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connection = Connection("http://mlflow:5000", tmp_path)
    monkeypatch.delenv("PENSTOCK_MLFLOW_URL", raising=False)
    assert connection.page == "http://mlflow:5000"
    monkeypatch.setenv("PENSTOCK_MLFLOW_URL", "https://admin:secret@models.example.org")
    assert connection.page == "https://***@models.example.org"
    assert connection.address == "http://mlflow:5000"


def test_a_refused_connection_is_told_at_once_and_without_secrets(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    start = time.monotonic()
    for scheme in ("http", "postgresql"):
        message = unreachable(f"{scheme}://anna:geheim@127.0.0.1:{port}/mlflow", tmp_path)
        assert f"{scheme}://***@127.0.0.1:{port}" in message
        assert "geheim" not in message
    assert time.monotonic() - start < 5


def test_a_server_that_does_not_answer(
    silent_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PROBE_SECONDS", 0.2)
    assert "timed out" in unreachable(silent_server, tmp_path)


def test_a_database_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"this is no database, whatever its name says" * 50)
    before = path.read_bytes()
    assert "not a database" in unreachable(f"sqlite:///{path}", tmp_path)
    assert path.read_bytes() == before
    assert "no database but a folder" in unreachable(f"sqlite:///{tmp_path}", tmp_path)


def test_a_database_of_another_mlflow_is_left_as_it_is(
    connection: Connection, tmp_path: Path
) -> None:
    assert connection.client
    path = tmp_path / "mlflow.db"
    source = connections.sqlite_path(connection.uri)
    assert source
    path.write_bytes(source.read_bytes())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    database.close()
    assert "mlflow db upgrade" in unreachable(f"sqlite:///{path}", tmp_path)


def test_versions_aliases_and_the_missing_champion(
    connection: Connection, packaged: Path, tmp_path: Path
) -> None:
    registry, tracking = MlflowRegistry(connection), Tracking(connection)
    run_id = tracking.start("toy", {})
    assert registry.champion("toy") is None
    first = registry.add(packaged, run_id, "toy", {"penstock.model": "a"}, "# Card")
    assert registry.champion("toy") is None
    assert registry.challenger("toy") == first
    assert registry.same("toy", "a") == first
    assert registry.same("toy", "b") is None

    assert not registry.promote(first, expected=first), "the champion is nobody yet"
    assert registry.promote(first, expected=None)
    assert registry.champion("toy") == first
    assert registry.challenger("toy") is None
    second = registry.add(packaged, run_id, "toy", {}, "")
    assert not registry.promote(second, expected=None), "the champion is another one by now"
    assert registry.champion("toy") == first

    registry.nominate(first, {"penstock.decision": "abc"})
    assert registry.challenger("toy") == registry.version("toy", "1")
    noted = registry.version("toy", "1")
    assert noted
    assert noted.tags == {"penstock.model": "a", "penstock.decision": "abc"}
    assert registry.version("toy", "9") is None
    registry.describe("toy", "Who *buys*.")
    assert connection.client.get_registered_model("toy").description == "Who *buys*."
    assert registry.version("nobody", "1") is None

    assert [version.number for version in registry.history("toy")] == ["1", "2"]
    assert registry.history("nobody") == []
    assert {version.number for version in registry.everything()} >= {"1", "2"}
    registry.withdraw(second)  # it has no alias
    assert registry.challenger("toy")
    registry.withdraw(first)
    assert registry.challenger("toy") is None
    before, gone = "penstock.champion_before", "penstock.decision"
    assert registry.promote(second, expected=first, tags={before: "1"})
    promoted = registry.champion("toy")
    assert promoted and promoted.tags[before] == "1"
    assert not registry.promote(first, expected=first, tags={gone: ""})
    assert registry.version("toy", "1") == noted, "who comes too late writes no tag"
    registry.tag(first, {gone: "", "never": "", "more": "b"})
    left = registry.version("toy", "1")
    assert left and left.tags == {"penstock.model": "a", "more": "b"}

    client = connection.client
    assert client.get_model_version("toy", "1").description == "# Card"
    assert len(client.get_run(run_id).outputs.model_outputs) == 2
    fetched = registry.fetch(first, tmp_path)
    weights = "artifacts/weights.safetensors"
    assert (fetched / weights).read_bytes() == (packaged / weights).read_bytes()


def test_the_package_holds_no_pickle_no_place_and_no_row(packaged: Path, raw: pa.Table) -> None:
    files = [path for path in packaged.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pt", ".pyc", ".bin")]
    card = (packaged / "MLmodel").read_text()
    assert str(Path(__file__).parents[3]) not in card
    assert "/tmp" not in card
    required = (packaged / "requirements.txt").read_text().split()
    assert f"torch=={torch.__version__.partition('+')[0]}" in required
    assert not [line for line in required if line.startswith("penstock")]
    example = json.loads((packaged / "input_example.json").read_text())
    assert example == {"columns": ["age", "job", "member", "town"], "data": [[0.0, "", False, ""]]}


def test_the_package_holds_policy_and_profile_byte_by_byte(packaged: Path, model: Path) -> None:
    for name in ("weights.safetensors", "state.json", "policy.json", "profile.json"):
        assert (packaged / "artifacts" / name).read_bytes() == (model / name).read_bytes()
    card = yaml.safe_load((packaged / "MLmodel").read_text())
    hashes = [of_file(model / n) for n in ("weights.safetensors", "state.json", "policy.json")]
    assert card["metadata"]["penstock_model"] == of_json(hashes)
    inputs = {c["name"]: c["required"] for c in json.loads(card["signature"]["inputs"])}
    assert inputs == {"age": False, "job": False, "member": False, "town": False}


@pytest.mark.slow
def test_the_package_scores_by_itself_as_the_training_did(
    packaged: Path, model: Path, raw: pa.Table
) -> None:
    expected = Model.load(model).predict(raw)
    parts = [raw.slice(0, 3), raw.slice(3, 0), raw.slice(3)]  # files come in many
    actual = rescore(packaged, pa.concat_tables(parts))
    assert actual.column_names == expected.column_names
    assert actual["prediction"].to_pylist() == expected["prediction"].to_pylist()
    for name in expected.column_names[1:]:
        assert np.abs(actual[name].to_numpy() - expected[name].to_numpy()).max() <= 1e-6


@pytest.mark.slow
def test_a_package_that_reaches_for_the_network_is_not_servable(
    packaged: Path, raw: pa.Table, tmp_path: Path
) -> None:
    broken = tmp_path / "model"
    for path in packaged.rglob("*"):
        target = broken / path.relative_to(packaged)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            target.write_bytes(path.read_bytes())
    with (broken / "code/penstock/model.py").open("a") as file:
        file.write("\nimport socket\nsocket.create_connection(('127.0.0.1', 9))\n")
    with pytest.raises(NotServable, match="reached for the network"):
        rescore(broken, raw)


def test_the_clean_process_has_a_time_limit(packaged: Path, raw: pa.Table) -> None:
    with pytest.raises(NotServable, match="no answer after"):
        rescore(packaged, raw, time_limit=0.05)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pd.Series([1, 2]), "double", [1.0, 2.0]),
        (pd.Series([1, None], dtype="Int64"), "double", [1.0, None]),
        (pd.Series([None]), "double", [None]),
        (pd.Series([" 2.5 ", "NA"]), "double", [2.5, None]),
        (pd.Series([np.nan]), "string", [None]),
        (pd.Series([1.0, None]), "string", ["1", None]),
        (pd.Series([1, "a"], dtype=object), "string", ["1", "a"]),
        (pd.Series(["a", None], dtype="category"), "string", ["a", None]),
        (pd.Series([True, None], dtype=object), "boolean", [True, None]),
        (pd.Series(["T", "false"]), "boolean", [True, False]),
        (pd.Series(["YWI=", None]), "binary", [b"ab", None]),
        (
            pd.Series(["2020-02-02T10:00:00+02:00", "2020-01-01", None]),
            "datetime",
            [pd.Timestamp("2020-02-02 08:00"), pd.Timestamp("2020-01-01"), None],
        ),
        (
            pd.Series([pd.Timestamp("2020-02-02 10:00", tz="Europe/Berlin"), None]),
            "datetime",
            [pd.Timestamp("2020-02-02 09:00"), None],
        ),
    ],
)
def test_raw_columns_are_read_by_kind(
    values: pd.Series[object], kind: str, expected: list[object]
) -> None:
    assert serving.as_kind(values, kind).to_pylist() == expected


def test_a_request_is_refused_with_all_its_mistakes() -> None:
    frame = pd.DataFrame({"age": ["forty"], "day": [5]})
    inputs = [("age", "double", True), ("day", "datetime", True), ("id", "string", False)]
    with pytest.raises(ValueError, match=r"'age'.*'day'.*'id' \(string\) is missing"):
        serving.as_table(frame, inputs)


def test_a_missing_nullable_column_is_all_null() -> None:
    table = serving.as_table(pd.DataFrame({"other": [1, 2]}), [("age", "double", True)])
    assert table.to_pydict() == {"age": [None, None]}


def test_other_code_than_the_packages_own_is_refused(packaged: Path, tmp_path: Path) -> None:
    serving.check_code(packaged / "code")  # this process runs equal code
    changed = tmp_path / "penstock"
    changed.mkdir()
    (changed / "errors.py").write_text("# another version\n")
    with pytest.raises(ImportError, match=r"whose errors\.py is not the model's own"):
        serving.check_code(tmp_path)
