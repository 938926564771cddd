"""What a user does from the command line, timed; and the rows and the package it left behind."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from penstock import pipeline_file
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.measure.intervals import bootstrap
from penstock.stages.ingest import ingest
from penstock.stages.split import split

PENSTOCK = [sys.executable, "-m", "penstock.cli"]
NUM_DRAWS = 1_000


@dataclass(frozen=True)
class Flow:
    """One ``penstock init`` and ``penstock train``.

    Attributes
    ----------
    folder : Path
        Of the pipeline; what it stores lies in ``.penstock`` beside it.
    answer : dict
        What ``train --json`` says.
    seconds, processor : float
        Of the training: on the clock, and of all cores together.
    """

    folder: Path
    answer: dict[str, Any]
    seconds: float
    processor: float

    @classmethod
    def run(
        cls, folder: Path, source: str, target: str, *settings: str, init: Sequence[str] = ()
    ) -> Flow:
        """Make the pipeline and train it; ends the script where it could not run.

        Parameters
        ----------
        folder, source, target
            As ``penstock init`` takes them.
        settings
            More of ``penstock train``.
        init
            More of ``penstock init``.
        """
        os.environ["PENSTOCK_HOME"] = str(folder.parent / ".penstock")
        asked = [*PENSTOCK, "init", str(folder), "--source", source, "--target", target, *init]
        made = subprocess.run(asked, capture_output=True, text=True)
        if made.returncode:
            sys.exit(made.stderr)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        train = [*PENSTOCK, "train", str(folder), *settings, "--json"]
        said = subprocess.run(train, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if not said.stdout:
            sys.exit(said.stderr)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cls(folder, json.loads(said.stdout), seconds, used)

    @property
    def registered(self) -> bool:
        """Whether there is a package to ask."""
        return bool(self.answer["verdict"] == "registered")

    def tell(self) -> None:
        """The verdict, the time, and every check that did not pass."""
        verdict, seconds = self.answer["verdict"], self.answer["seconds"]
        print(
            f"{self.folder.name}: {verdict}, {self.seconds:.0f} s, processor {self.processor:.0f} s"
        )
        print("  " + ", ".join(f"{stage} {took:.0f} s" for stage, took in seconds.items()))
        for check in self.answer["checks"]:
            if check["outcome"] not in ("pass", "note"):
                print(f"  {check['outcome']} {check['name']} {check['subject']}: {check['why']}")

    def rows(self) -> tuple[pa.Table, pa.Table, list[str]]:
        """The rows that are learnt from and chosen by (train and valid), those of test, and the
        names of the features."""
        store = LocalStore(self.folder.parent / "again")
        pipeline = pipeline_file.read(self.folder / pipeline_file.FILE_NAME, {})
        source = open_source(pipeline.data, self.folder)
        snapshot = ingest(source, pipeline.data, pipeline.split, store)
        parts = split(snapshot, pipeline.split, store)
        known = pa.concat_tables([store.table(parts.train), store.table(parts.valid)])
        return known, store.table(parts.test), [column.name for column in parts.layout.features]

    def predicted(self, rows: pa.Table) -> pd.DataFrame:
        """What the registered package says of rows."""
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self.folder.parent / '.penstock' / 'mlflow.db'}")
        package = mlflow.pyfunc.load_model(f"models:/{self.folder.name}@champion")
        answer: pd.DataFrame = package.predict(rows.to_pandas())
        return answer


def compare(
    rival: str, num_rows: int, measure: Callable[[np.ndarray], tuple[float, float]]
) -> None:
    """Print a metric of penstock and of a rival on the same rows, and their difference.

    Parameters
    ----------
    rival
        What it is called.
    num_rows
        Test rows, which the 95% intervals resample.
    measure
        From numbers of rows to the metric of both.
    """

    def both(rows: np.ndarray) -> np.ndarray:
        mine, theirs = measure(rows)
        return np.array([mine, theirs, mine - theirs])

    values = both(np.arange(num_rows))
    low, high = bootstrap(both, num_rows, 0, NUM_DRAWS)
    for place, what in enumerate(("penstock", rival, "difference")):
        print(f"  {what:17} {values[place]:8.5f}  95%: {low[place]:8.5f} to {high[place]:8.5f}")
