"""Recommendation through the whole pipe, against simpler recommenders on the same users.

    python benchmarks/ranking.py movielens.parquet     columns userId, movieId, timestamp
    python benchmarks/ranking.py                       a made-up table of tastes alone

Each table is ``penstock init`` and ``penstock train`` with default settings: each user's last fifth
of the rows is the test. Printed are NDCG at 10 over the whole catalogue, without what was seen; the
gain over popularity, item neighbours and matrix factorisation with its 95% interval, paired over
users; and the seconds of the whole flow, of the processor too.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from whole_flow import Flow

NUM_USERS, NUM_ITEMS, A_USER = 600, 800, 60


def main() -> None:
    """Run the tables and print some lines each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", nargs="?", help="columns userId, movieId and timestamp")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        made_up = Path(place) / "tastes.parquet"
        tastes(np.random.default_rng(0)).to_parquet(made_up)
        for source in [made_up, *([Path(asked.table).resolve()] if asked.table else [])]:
            run(source, Path(place))


def tastes(rng: np.random.Generator) -> pd.DataFrame:
    """Each user has two of twenty tastes, leaves the first for the second, and likes what is
    popular."""
    taste = rng.integers(0, 20, NUM_ITEMS)
    pull = rng.gamma(0.4, 1.0, NUM_ITEMS) + 0.02
    rows = []
    for user in range(NUM_USERS):
        first, second = rng.choice(20, 2, replace=False)
        left = np.ones(NUM_ITEMS)
        turn = rng.integers(15, 45)
        for step in range(A_USER):
            likes = 1 + 30 * (taste == (first if step < turn else second))
            weight = pull * likes * left
            item = rng.choice(NUM_ITEMS, p=weight / weight.sum())
            left[item] = 0
            rows.append((user, item, step, f"genre {taste[item]}"))
    return pd.DataFrame(rows, columns=["userId", "movieId", "timestamp", "genre"])


def run(source: Path, place: Path) -> None:
    """Train, and say how it compares."""
    ranking = ["--task", "ranking", "--user", "userId"]
    flow = Flow.run(place / "project" / source.stem, str(source), "movieId", init=ranking)
    flow.tell()
    for metric, value in flow.answer["metrics"].items():
        print(f"  {metric:14} {value:.4f}")
    for check in flow.answer["checks"]:
        if check["name"].startswith("beats_") and check["name"] != "beats_champion":
            print(
                f"  gain over {check['name'][6:]:22} {check['value']:+.4f}"
                f"  95%: {check['low']:+.4f} to {check['high']:+.4f}"
            )


if __name__ == "__main__":
    main()
