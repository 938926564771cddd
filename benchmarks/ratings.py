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
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from whole_flow import Flow, compare

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
        rows.to_parquet(Path(place) / "rows.parquet", index=False)
        by_part = ["--set", "split.strategy=column", "--set", "split.column=part"]
        source = str(Path(place) / "rows.parquet")
        flow = Flow.run(Path(place) / "project" / "ratings", source, "rating", *by_part)
        flow.tell()
        columns = [name for name in test.columns if name not in ("rating", "part")]
        said = flow.predicted(pa.Table.from_pandas(test[columns], preserve_index=False))
    mine = said["prediction"].to_numpy(float)

    def measure(some: np.ndarray) -> tuple[float, float]:
        left, right = (np.sqrt(np.mean((said - truth)[some] ** 2)) for said in (mine, theirs))
        return left, right

    print(f"  root mean squared error of {len(test)} test rows")
    compare("biases", len(truth), measure)


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


if __name__ == "__main__":
    main()
