"""A model of text beside other codes for it: n-grams, zlib and xz.

    python benchmarks/next_token.py spam.parquet body     a table, and its column of text
    python benchmarks/next_token.py                       a made-up language alone

Each text is divided, learnt and measured by the stages of ``penstock train``, with default
settings, on one seed. Printed are bits per byte of test documents with their 95% intervals, and the
checks. Bits per byte are those of a code: 8 is the text as it lies on a disk. Then the same by how
much of a document stands in the training text word for word, in stretches of 50 bytes: a table of
what followed what needs no more than that to be good at copies.

In the made-up language each word leaves three that may follow, equally likely, so that the least
that any code can reach is known.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock import tasks
from penstock.adapters.sources import open_source
from penstock.adapters.store import LocalStore
from penstock.measure.intervals import bootstrap
from penstock.measure.language import memory, tallies
from penstock.model import Model
from penstock.records import Split
from penstock.spec import Compute, Data, DecisionSpec, ModelSpec, ObjectiveSpec, SplitSpec
from penstock.stages.decide import decide
from penstock.stages.evaluate import evaluate
from penstock.stages.fit import fit
from penstock.stages.ingest import ingest
from penstock.stages.objective import objective
from penstock.stages.split import split

NUM_SENTENCES, NUM_WORDS, FOLLOWERS = 6_000, 200, 3
SHARES = ((0.0, "none"), (1e-9, "up to half"), (0.5, "more than half"))
ALL = "all"


def main() -> None:
    """Measure the texts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", nargs="?")
    parser.add_argument("column", nargs="?", default="body")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        made_up = Path(place) / "sentences.parquet"
        frame, least = sentences(np.random.default_rng(0))
        frame.to_parquet(made_up)
        run("a made-up language", made_up, "text", Path(place))
        print(f"  the least that is possible  {least:.4f}")
        if asked.table:
            run(asked.table, Path(asked.table).resolve(), asked.column, Path(place))


def sentences(rng: np.random.Generator) -> tuple[pd.DataFrame, float]:
    """Sentences, and the bits per byte that their words cost at least."""
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = ["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(NUM_WORDS)]
    after = np.array([rng.permutation(NUM_WORDS)[:FOLLOWERS] for _ in range(NUM_WORDS)])
    texts, bits = [], 0.0
    for _ in range(NUM_SENTENCES):
        long = int(rng.integers(5, 60))
        chain = [int(rng.integers(NUM_WORDS))]
        for _ in range(long - 1):
            chain.append(int(after[chain[-1], rng.integers(FOLLOWERS)]))
        texts.append(" ".join(words[word] for word in chain))
        bits += np.log2(NUM_WORDS) + (long - 1) * np.log2(FOLLOWERS) + np.log2(55)
    frame = pd.DataFrame({"text": texts})
    return frame, bits / sum(len(text) for text in texts)


def run(name: str, source: Path, column: str, place: Path) -> None:
    """Divide, learn, measure and print."""
    store = LocalStore(place / "store")
    data = Data(source=str(source), target=column, task="next_token")
    rows = ingest(open_source(data, place), data, SplitSpec(), store, silent)
    parts = split(rows, SplitSpec(), store, silent)
    train, valid, layout = parts.train, parts.valid, parts.layout
    goal = objective(train, valid, layout, ObjectiveSpec(), ModelSpec(), "", store, silent)
    began, used = time.perf_counter(), time.process_time()
    fitted = fit(train, valid, layout, goal, ModelSpec(), Compute(), store, silent, name[-9:])
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    policy = decide(fitted, valid, DecisionSpec(), "", "", 0, store, silent)
    card = evaluate(fitted, policy, train, parts.test, 0, store, silent)
    print(f"{name}: training took {seconds:.0f} s, {cpu:.0f} s of the processor")
    for metric, found in card.metrics.items():
        print(f"  {metric:18} {found.value:.4f} ({found.low:.4f} to {found.high:.4f})")
    curve = ", ".join(f"{value:.3f}" for value in fitted.history["valid_loss"])
    print(f"  bits per byte of validation rows by epoch: {curve}")
    for check in card.evidence.checks:
        print(f"  {check.label}: {check.why}")
    model = Model.read(store.path(fitted.weights), store.path(fitted.state), policy)
    by_share(model, parts, store)


def by_share(model: Model, parts: Split, store: LocalStore) -> None:
    """Bits per byte by how much of a document stands in the training text."""
    seen, new = store.table(parts.train), store.table(parts.test)
    others = tasks.load("next_token").simpler(model, seen, new, 0)
    sides = {"model": model.scores(new)} | {name: one.scores for name, one in others.items()}
    name = model.layout.target
    training = b"\0".join(text.encode() for text in seen[name].to_pylist())
    share = np.array([memory.verbatim(text.encode(), training) for text in new[name].to_pylist()])
    part = np.searchsorted([least for least, _ in SHARES], np.nan_to_num(share), side="right") - 1
    for number, (_, said) in enumerate([*SHARES, (0.0, ALL)]):
        rows = np.flatnonzero(part == number) if number < len(SHARES) else np.arange(len(part))
        if len(rows) < 2:
            continue
        share_said = f" of which {said} stands in the training text" if said != ALL else ""
        print(f"  {len(rows)} test documents{share_said}:")
        for side, scores in sides.items():
            print(f"    {side:8} {interval(scores[rows])}")


def interval(scores: NDArray[np.void]) -> str:
    """Bits per byte with their interval over documents."""

    def measure(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.array([tallies.bits_per_byte(None, scores[rows])])

    low, high = bootstrap(measure, len(scores), seed=0)
    value = tallies.bits_per_byte(None, scores)
    return f"{value:.4f} ({low[0]:.4f} to {high[0]:.4f})"


def silent(done: int, total: int, note: str = "") -> None:
    """Say nothing."""


if __name__ == "__main__":
    main()
