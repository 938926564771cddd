"""Ratings as a plain regression through the whole pipe, against user and item biases.

    python benchmarks/ratings.py movielens.parquet [--seed 0]

A tenth of the rows, drawn at random, is the test, and a tenth of the rest is for validation. The
biases are ``mean + user + item``, each shrunk towards 0; by how much is chosen on the validation
rows, then they are learnt from train and validation rows together. ``penstock train`` runs with
default settings. Printed are both RMSEs and their difference with its 95% interval, paired over
the test rows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from penstock.measure.intervals import bootstrap

PIPELINE = """name: ratings
data: {{source: {source}, target: rating, task: regression}}
split: {{strategy: column, column: part}}
"""
SHRUNK = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
SWEEPS = 15


def main() -> None:
    """Train both, and print three lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", help="columns userId, movieId and rating")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rows = pd.read_parquet(asked.table)
    drawn = np.random.default_rng(asked.seed).random(len(rows))
    rows["part"] = np.select([drawn < 0.1, drawn < 0.19], ["test", "valid"], "train")
    test = rows[rows.part == "test"]
    truth = test["rating"].to_numpy(float)
    theirs = biases(rows[rows.part == "train"], rows[rows.part == "valid"], test)
    with tempfile.TemporaryDirectory() as place:
        mine, seconds, verdict = trained(rows, test, Path(place))

    def measure(some: np.ndarray) -> np.ndarray:
        both = [np.sqrt(np.mean((said - truth)[some] ** 2)) for said in (mine, theirs)]
        return np.array([*both, both[0] - both[1]])

    values = measure(np.arange(len(truth)))
    low, high = bootstrap(measure, len(truth), 0, 1_000)
    print(f"{verdict}, {seconds:.0f} s, {len(test)} test rows")
    for place_, what in enumerate(("penstock", "biases", "difference")):
        print(f"  {what:10} {values[place_]:+.4f}  95%: {low[place_]:+.4f} to {high[place_]:+.4f}")


def biases(train: pd.DataFrame, valid: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Predictions of the best shrunk biases."""
    errors = {
        (user, item): np.mean((fitted(train, valid, user, item) - valid["rating"]) ** 2)
        for user in SHRUNK
        for item in SHRUNK
    }
    best = min(errors, key=lambda pair: errors[pair])
    return fitted(pd.concat([train, valid]), test, *best)


def fitted(train: pd.DataFrame, asked: pd.DataFrame, user: float, item: float) -> np.ndarray:
    """``mean + user + item`` by alternating ridge regression."""
    mean = train["rating"].mean()
    rest = train["rating"].to_numpy(float) - mean
    found: dict[str, pd.Series] = {}
    for _ in range(SWEEPS):
        for name, shrunk in (("movieId", item), ("userId", user)):
            others = sum(
                train[other].map(found[other]).to_numpy(float) for other in found if other != name
            )
            each = pd.Series(rest - others).groupby(train[name].to_numpy())
            found[name] = each.sum() / (each.count() + shrunk)
    said = [asked[name].map(bias).fillna(0.0).to_numpy(float) for name, bias in found.items()]
    low, high = train["rating"].min(), train["rating"].max()
    return np.clip(mean + sum(said), low, high)


def trained(rows: pd.DataFrame, test: pd.DataFrame, place: Path) -> tuple[np.ndarray, float, str]:
    """What the registered package predicts for the test rows."""
    folder = place / "ratings"
    folder.mkdir()
    rows.to_parquet(place / "rows.parquet", index=False)
    (folder / "pipeline.yaml").write_text(PIPELINE.format(source=place / "rows.parquet"))
    (folder / "contract.yaml").write_text("expectations: []\n")
    os.environ["PENSTOCK_HOME"] = str(place / ".penstock")
    began = time.perf_counter()
    command = [sys.executable, "-m", "penstock.cli", "train", str(folder), "--json"]
    said = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if not said.stdout:
        sys.exit(said.stderr)
    answer = json.loads(said.stdout.strip().splitlines()[-1])
    print(answer["seconds"])
    mlflow.set_tracking_uri(f"sqlite:///{place}/.penstock/mlflow.db")
    model = mlflow.pyfunc.load_model("models:/ratings@champion")
    columns = [name for name in test.columns if name not in ("rating", "part")]
    found = model.predict(test[columns])
    return found["prediction"].to_numpy(float), seconds, answer["verdict"]


if __name__ == "__main__":
    main()
