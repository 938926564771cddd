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
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from whole_flow import Flow, compare

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
        if asked.only not in ("", *sources):
            parser.error(f"--only: no task {asked.only!r}; there are {list(sources)}")
        for name, source in sources.items():
            if asked.only in ("", name):
                run(name, source, Path(place) / "project")


def run(name: str, source: Path, project: Path) -> None:
    """Train, score and compare."""
    flow = Flow.run(project / name, str(source), TARGET)
    flow.tell()
    if flow.registered:
        known, test, columns = flow.rows()
        kinds = sorted(set(known[TARGET].to_pylist()))
        truth = np.array(test[TARGET].to_pylist()) == kinds[1]
        said = flow.predicted(test.select(columns))
        mine = said[f"probability_{kinds[1]}"].to_numpy()
        theirs = linear(known, test, columns, kinds[1])

        def measure(rows: np.ndarray) -> tuple[float, float]:
            return roc_auc_score(truth[rows], mine[rows]), roc_auc_score(truth[rows], theirs[rows])

        compare("tf-idf, logistic", len(truth), measure)


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
