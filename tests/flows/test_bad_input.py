"""A bad call or a bad file: exit status 2, one message with all mistakes, nothing left behind."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from penstock import cli, pipeline_file, spec
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.errors import BadInput
from penstock.stages.ingest import ingest

ROWS = 200


def csv(**columns: list) -> str:
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def shop(**changed: list) -> str:
    """An honest table, but for the columns that are changed."""
    random = np.random.default_rng(0)
    columns = {
        "age": [int(x) for x in random.integers(18, 90, ROWS)],
        "spent": [round(float(x), 2) for x in random.gamma(2, 30, ROWS)],
        "city": [str(x) for x in random.choice(["Oslo", "Rome", "Lima"], ROWS)],
        "bought": [str(x) for x in random.choice(["yes", "no"], ROWS)],
    }
    return csv(**columns | changed)


def truncated_parquet() -> bytes:
    whole = pa.BufferOutputStream()
    pq.write_table(pa.table({"age": list(range(ROWS)), "bought": ["yes", "no"] * 100}), whole)
    return whole.getvalue().to_pybytes()[:-40]


def broken_images() -> dict[str, bytes]:
    return {
        f"images/{label}_{i}.png": b"\x89PNG\r\n\x1a\n" + bytes(40)
        for label in "ab"
        for i in range(60)
    }


@dataclass
class Fault:
    """Files to write, what the spec says, and what the message must say."""

    files: dict[str, str | bytes]
    says: list[str]
    source: str = "rows.csv"
    target: str = "bought"
    rest: str = ""
    init: bool = True
    sensitive: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        pipeline = folder / "shop" / "pipeline.yaml"
        pipeline.parent.mkdir(exist_ok=True)
        pipeline.write_text(
            f"name: shop\ndata:\n  source: ../{self.source}\n  target: {self.target}\n{self.rest}"
        )
        return pipeline


BEFORE_THE_FLOW = {
    "missing file": Fault({}, ["rows.csv"]),
    "empty file": Fault({"rows.csv": ""}, ["rows.csv", "empty"]),
    "header only": Fault({"rows.csv": "age,bought\n"}, ["rows.csv", "row"]),
    "columns absent": Fault(
        {"rows.csv": shop()},
        ["3 mistakes", "'brought'", "did you mean bought?", "'sity'", "did you mean city?", "fold"],
        target="brought",
        rest="  sensitive: [sity]\nsplit: {strategy: column, column: fold}\n",
        init=False,
    ),
    "spec, source and contract": Fault(
        {
            "rows.csv": shop(),
            "shop/contract.yaml": "- {type: expect_column_to_exits, kwargs: {column: age}}\n",
        },
        [
            "6 mistakes",
            "modle",
            "did you mean model?",
            "pipeline.yaml:5",
            "sead",
            "did you mean seed?",
            "split.test",
            "less than 1",
            "epochs",
            "'brought'",
            "expect_column_to_exits",
        ],
        target="brought",
        rest="modle: {epochs: 2}\nsplit:\n  sead: 1\n  test: 1.5\nmodel: {epochs: many}\n",
        init=False,
    ),
    "equal header names": Fault({"rows.csv": "age,age,bought\n1,2,yes\n"}, ["age", "once"]),
    "truncated parquet": Fault(
        {"rows.parquet": truncated_parquet()}, ["rows.parquet"], source="rows.parquet"
    ),
    "pattern that matches nothing": Fault(
        {"images/cat.png": b"x"},
        ["images/{label}_{index}.png", "none of 1 files"],
        source="images/{label}_{index}.png",
        target="label",
    ),
}

IN_THE_FLOW = {
    "one class": Fault({"rows.csv": shop(bought=["yes"] * ROWS)}, ["bought", "class"]),
    "null column declared numeric": Fault(
        {"rows.csv": shop(spent=[""] * ROWS, age=["young"] * ROWS)},
        ["2 mistakes", "spent", "age"],
        rest="  features: {spent: numeric, age: numeric}\n",
        init=False,
    ),
    "ragged rows": Fault({"rows.csv": shop() + "1,2,Oslo\n"}, ["rows.csv", "202"]),
    "broken images": Fault(
        broken_images(),
        ["image"],
        source="images/{label}_{index}.png",
        target="label",
    ),
    "split column with one value": Fault(
        {"rows.csv": shop(fold=["train"] * ROWS)},
        ["split.column: fold", "test"],
        rest="split: {strategy: column, column: fold}\n",
        init=False,
    ),
}


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def penstock(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = ("PENSTOCK_", "MLFLOW_", "PREFECT_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "penstock.cli", *words],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def holds(done: subprocess.CompletedProcess[str], says: list[str]) -> None:
    shown = done.stdout + done.stderr
    assert done.returncode == 2, shown
    assert "Traceback" not in shown
    assert done.stdout == ""
    for words in says:
        assert words in done.stderr, f"{words!r} is not in:\n{done.stderr}"


@pytest.mark.parametrize("name", BEFORE_THE_FLOW)
def test_train_finds_it_before_the_flow(name, tmp_path):
    fault = BEFORE_THE_FLOW[name]
    fault.write(tmp_path)
    before = listing(tmp_path)
    holds(penstock(tmp_path, "train", "shop", "--json"), fault.says)
    assert listing(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_THE_FLOW)
def test_train_finds_it_in_the_flow(name, tmp_path):
    fault = IN_THE_FLOW[name]
    fault.write(tmp_path)
    before = listing(tmp_path)
    done = penstock(tmp_path, "train", "shop", "--json")
    holds(done, fault.says)
    assert done.stderr.count("to do:") <= len(fault.says)  # told once
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", IN_THE_FLOW)
def test_ingest_finds_it(name, tmp_path):
    fault = IN_THE_FLOW[name]
    pipeline = pipeline_file.read(fault.write(tmp_path))
    with pytest.raises(BadInput) as caught:
        ingest(
            open_source(pipeline.data, tmp_path / "shop"),
            pipeline.data,
            pipeline.split,
            LocalStore(tmp_path / "store"),
        )
    for words in fault.says:
        assert words in caught.value.message
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "name", [name for name, fault in (BEFORE_THE_FLOW | IN_THE_FLOW).items() if fault.init]
)
def test_init_finds_it_and_makes_no_folder(name, tmp_path, monkeypatch, capsys):
    fault = (BEFORE_THE_FLOW | IN_THE_FLOW)[name]
    fault.write(tmp_path)
    before = listing(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["init", "new/place", "--source", fault.source, "--target", fault.target]
    monkeypatch.setattr(sys, "argv", ["penstock", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    for said in fault.says:
        assert said in told.err
    assert listing(tmp_path) == before


def test_an_unreadable_registry_is_no_bad_input(tmp_path):
    Fault({"rows.csv": shop()}, []).write(tmp_path)
    corrupt = tmp_path / "mlflow.db"
    corrupt.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 40)
    before = listing(tmp_path)
    for address in (f"sqlite:///{corrupt}", "http://127.0.0.1:9"):
        done = penstock(tmp_path, "train", "shop", "--json", MLFLOW_TRACKING_URI=address)
        assert done.returncode == 1, done.stderr
        assert "nothing was promoted" in done.stderr
        assert address in done.stderr
        assert "Traceback" not in done.stderr + done.stdout
        assert done.stdout == ""
        assert listing(tmp_path) == before


def test_a_home_that_cannot_be_is_told_with_the_other_mistakes(tmp_path):
    Fault({"rows.csv": shop(), "home": "a file"}, [], target="brought").write(tmp_path)
    before = listing(tmp_path)
    done = penstock(tmp_path, "train", "shop", PENSTOCK_HOME=str(tmp_path / "home" / "inside"))
    holds(done, ["2 mistakes", "did you mean bought?", "PENSTOCK_HOME", "home is no folder"])
    assert listing(tmp_path) == before


def test_a_few_broken_images_are_counted_and_the_rest_is_read(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for label in ("dark", "light"):
        for i in range(60):
            values = random.integers(0, 100, (8, 8), dtype=np.uint8) + (label == "light") * 100
            Image.fromarray(values).save(tmp_path / "images" / f"{label}_{i}.png")
    for i in range(3):
        (tmp_path / "images" / f"dark_{i}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    data = spec.Data(source="images/{label}_{index}.png", target="label")
    snapshot = ingest(
        open_source(data, tmp_path), data, spec.SplitSpec(), LocalStore(tmp_path / "store")
    )
    assert snapshot.rows.num_rows == 117
    checks = {check.name: check for check in snapshot.evidence.checks}
    assert checks["unreadable_rows"].value == pytest.approx(3 / 120)
