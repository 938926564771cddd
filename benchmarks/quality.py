"""penstock against simpler and stronger models on Adult: ROC AUC, log-loss, seconds.

All models learn from the same rows of the official training fold and are scored on the
official test fold. penstock gives a tenth of its rows up to stop by; the others use them.
Seeds change the network's weights and batches, the validation rows, and each rival's own seed.

Run: ``python benchmarks/quality.py [--seeds 3]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from penstock import pipeline_file, tasks
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.model import Model
from penstock.records import Split
from penstock.stages.fit import fit
from penstock.stages.ingest import ingest
from penstock.stages.split import split

DATA = Path(__file__).parents[1] / "data" / "adult"
TARGET = "income"


def main() -> None:
    """Print one line a model: mean over seeds and the range of AUC."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    table = pd.read_parquet(DATA / "adult.parquet")
    print(f"Adult, official test fold, {len(seeds)} seeds")
    print(
        f"{'model':28} {'ROC AUC':>8} {'lowest':>8} {'highest':>8} {'log-loss':>9} {'seconds':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        rivals = {"penstock": lambda seed: penstock(seed, LocalStore(Path(folder)))}
        rivals |= {name: _scored(make, table) for name, make in RIVALS.items()}
        for name, run in rivals.items():
            results = np.array([run(seed) for seed in seeds])
            auc, loss, seconds = results.mean(axis=0)
            low, high = results[:, 0].min(), results[:, 0].max()
            print(f"{name:28} {auc:8.4f} {low:8.4f} {high:8.4f} {loss:9.4f} {seconds:8.1f}")


def penstock(seed: int, store: LocalStore) -> tuple[float, float, float]:
    """AUC, log-loss and seconds of the default pipeline's network."""
    pipeline = pipeline_file.read(
        DATA / pipeline_file.FILE_NAME, {"model.seed": seed, "split.seed": seed}
    )
    snapshot = ingest(open_source(pipeline.data, DATA), pipeline.data, pipeline.split, store)
    parts: Split = split(snapshot, pipeline.split, store)
    goal = tasks.objective_of(pipeline.objective, parts.layout)
    started = time.perf_counter()
    fitted = fit(
        parts.train, parts.valid, parts.layout, goal, pipeline.model, pipeline.compute, store,
        lambda done, total, note="": None, f"quality-{seed}",
    )  # fmt: skip
    seconds = time.perf_counter() - started
    model = Model.read(store.path(fitted.weights), store.path(fitted.state))
    test = store.table(parts.test)
    truth = model.task.encode_target(test[TARGET], parts.layout)
    scores = model.scores(test)[:, 1]
    return roc_auc_score(truth, scores), log_loss(truth, scores), seconds


def _scored(make: Any, table: pd.DataFrame) -> Any:
    """A rival's run: AUC, log-loss and seconds for a seed."""
    features = table.drop(columns=[TARGET, "fold"])
    names = features.select_dtypes(exclude="number").columns
    features = features.astype(dict.fromkeys(names, "category"))
    truth = (table[TARGET] == ">50K").to_numpy(dtype=int)
    train = (table["fold"] == "train").to_numpy()

    def run(seed: int) -> tuple[float, float, float]:
        model = make(seed, names)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(features[train], truth[train])
            seconds = time.perf_counter() - started
            scores = model.predict_proba(features[~train])[:, 1]
        return roc_auc_score(truth[~train], scores), log_loss(truth[~train], scores), seconds

    return run


def _logistic(seed: int, names: Any) -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(names)),
        (StandardScaler(), make_column_selector(dtype_include="number")),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500, random_state=seed))


def _boosting(seed: int, names: Any) -> Any:
    return HistGradientBoostingClassifier(random_state=seed)


def _lightgbm(seed: int, names: Any) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=200, learning_rate=0.05, random_state=seed, verbose=-1)


class _CatBoost:
    """CatBoost reads missing categories as text."""

    def __init__(self, seed: int, names: Any):
        from catboost import CatBoostClassifier

        self.names = list(names)
        self.model = CatBoostClassifier(
            random_seed=seed, verbose=False, cat_features=self.names, allow_writing_files=False
        )

    def _read(self, features: pd.DataFrame) -> pd.DataFrame:
        return features.assign(
            **{name: features[name].astype(object).fillna("missing") for name in self.names}
        )

    def fit(self, features: pd.DataFrame, truth: np.ndarray) -> None:
        self.model.fit(self._read(features), truth)

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        return self.model.predict_proba(self._read(features))


RIVALS = {
    "logistic regression": _logistic,
    "histogram gradient boosting": _boosting,
    "LightGBM": _lightgbm,
    "CatBoost": _CatBoost,
}


if __name__ == "__main__":
    main()
