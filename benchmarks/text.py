"""Text through the whole pipe, against TF-IDF with logistic regression on the same rows.

    python benchmarks/text.py spam.parquet     a table with a column ``label``; all others are read
    python benchmarks/text.py                  the made-up tasks alone

Each task is ``penstock init`` and ``penstock train`` with default settings, one seed; then the
registered package scores the test rows, and a logistic regression on words and pairs of words
(tf-idf, one table of weights a column) scores them too. It learns from train and valid rows
together. Printed are both ROC AUCs, their difference with its 95% interval over resampled test
rows, and the seconds of the whole flow, of the processor too.

``order``: the label says who paid whom, in sentences that hold the same words. ``keyword``: it
says whether one of forty words that are rare each stands in a long text.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from penstock import pipeline_file
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.measure.intervals import bootstrap
from penstock.records import Split
from penstock.stages.ingest import ingest
from penstock.stages.split import split

TARGET = "label"
NUM_ROWS = 4_000
SYLLABLES = ["ba", "do", "ki", "lu", "me", "no", "pa", "ri", "so", "tu", "va", "ze"]


def main() -> None:
    """Run the tasks and print some lines each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", nargs="?", help=f"a table with a column {TARGET}")
    parser.add_argument("--only", default="", help="the table's name, order or keyword")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        sources = {name: Path(place) / f"{name}.parquet" for name in MADE_UP}
        for number, (name, path) in enumerate(sources.items()):
            MADE_UP[name](np.random.default_rng(number)).to_parquet(path)
        if asked.table:
            sources = {Path(asked.table).stem: Path(asked.table).resolve(), **sources}
        for name, source in sources.items():
            if asked.only in ("", name):
                run(name, source, Path(place) / "project")


def run(name: str, source: Path, project: Path) -> None:
    """Train, score and compare."""
    folder = project / name
    os.environ["PENSTOCK_HOME"] = str(project / ".penstock")
    answer, seconds, used = trained(folder, source)
    print(f"{name}: {answer['verdict']}, {seconds:.0f} s, {used:.0f} s of the processor")
    print(f"  {answer['seconds']}")
    for check in answer["checks"]:
        if check["outcome"] not in ("pass", "note"):
            print(f"  {check['outcome']} {check['name']} {check['subject']}: {check['why']}")
    if answer["verdict"] != "registered":
        return
    parts, store = parts_of(folder, project / "again")
    test = store.table(parts.test)
    kinds = parts.layout.classes
    truth = np.array(test[TARGET].to_pylist()) == kinds[1]
    columns = [column.name for column in parts.layout.features]
    mine = packaged(name, project, test.select(columns))[f"probability_{kinds[1]}"].to_numpy()
    known = pa.concat_tables([store.table(parts.train), store.table(parts.valid)])
    theirs = linear(known, test, columns, kinds[1])

    def measure(rows: np.ndarray) -> np.ndarray:
        both = [roc_auc_score(truth[rows], scores[rows]) for scores in (mine, theirs)]
        return np.array([*both, both[0] - both[1]])

    values = measure(np.arange(len(truth)))
    low, high = bootstrap(measure, len(truth), 0, 1_000)
    for place, what in enumerate(("penstock", "tf-idf, logistic", "difference")):
        print(f"  {what:17} {values[place]:8.5f}  95%: {low[place]:8.5f} to {high[place]:8.5f}")


def trained(folder: Path, source: Path) -> tuple[dict[str, Any], float, float]:
    """What ``train --json`` says, its seconds, and those of the processor."""
    penstock = [sys.executable, "-m", "penstock.cli"]
    asked = [*penstock, "init", str(folder), "--source", str(source), "--target", TARGET]
    subprocess.run(asked, check=True, capture_output=True)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = subprocess.run(
        [*penstock, "train", str(folder), "--json"], capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if not said.stdout:
        sys.exit(said.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(said.stdout), seconds, used


def parts_of(folder: Path, place: Path) -> tuple[Split, LocalStore]:
    """The rows that training had, divided again."""
    store = LocalStore(place)
    pipeline = pipeline_file.read(folder / pipeline_file.FILE_NAME, {})
    source = open_source(pipeline.data, folder)
    return split(ingest(source, pipeline.data, pipeline.split, store), pipeline.split, store), store


def packaged(name: str, project: Path, rows: pa.Table) -> pd.DataFrame:
    """What the registered package says of rows."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{project / '.penstock' / 'mlflow.db'}")
    return mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(rows.to_pandas())


def linear(known: pa.Table, test: pa.Table, columns: list[str], positive: str) -> np.ndarray:
    """The rival's scores of the test rows."""
    from scipy.sparse import hstack

    left, right = [], []
    for column in columns:
        words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        left.append(words.fit_transform([text or "" for text in known[column].to_pylist()]))
        right.append(words.transform([text or "" for text in test[column].to_pylist()]))
    model = LogisticRegression(C=10.0, max_iter=1_000)
    model.fit(hstack(left), np.array(known[TARGET].to_pylist()) == positive)
    found: np.ndarray = model.predict_proba(hstack(right))[:, 1]
    return found


def words(count: int, rng: np.random.Generator) -> np.ndarray:
    """Made-up words of two to four syllables."""
    return np.array(["".join(rng.choice(SYLLABLES, rng.integers(2, 5))) for _ in range(count)])


def order(rng: np.random.Generator) -> pd.DataFrame:
    """Who paid whom: the same words, up to three words apart."""
    filler, names = words(400, rng), ["Anna", "Ben"]
    texts, labels = [], []
    for _ in range(NUM_ROWS):
        first = int(rng.integers(2))
        gap = [" ".join(rng.choice(filler, rng.integers(0, 3))) for _ in range(4)]
        told = [gap[0], names[first], gap[1], "paid", gap[2], names[1 - first], gap[3]]
        texts.append(" ".join(filter(None, [*told, *rng.choice(filler, 8)])))
        labels.append(names[first])
    return pd.DataFrame({"story": texts, TARGET: labels})


def keyword(rng: np.random.Generator) -> pd.DataFrame:
    """One of forty rare words in a long text of frequent ones; a tenth of the labels are wrong."""
    vocabulary = words(3_000, rng)
    telling, filler = vocabulary[:40], vocabulary[40:]
    often = 1 / np.arange(1, len(filler) + 1)
    texts, labels = [], []
    for _ in range(NUM_ROWS):
        text = rng.choice(filler, rng.integers(60, 300), p=often / often.sum())
        told = rng.random() < 0.5
        if told:
            text[rng.integers(len(text))] = rng.choice(telling)
        texts.append(" ".join(text))
        labels.append("yes" if told != (rng.random() < 0.1) else "no")
    return pd.DataFrame({"note": texts, TARGET: labels})


MADE_UP = {"order": order, "keyword": keyword}


if __name__ == "__main__":
    main()
