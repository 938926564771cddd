"""How often the bias gate refuses equal groups, and how often it finds a gap of 0.7.

Decisions are drawn at fixed selection rates, no model is trained; each set is judged by the
stage's own check and the default gate, and by the bare four-fifths rule beside it.

    python benchmarks/bias.py
    python benchmarks/bias.py --sets 2000 --seed 1
"""

from __future__ import annotations

import argparse

import numpy as np
import pyarrow as pa

from penstock.measure.bias.by_group import Groups, Scored
from penstock.measure.bias.fairness import PARITY, Judging
from penstock.measure.judging import judged
from penstock.records import Layout
from penstock.spec import BiasSpec, Gates

LAYOUT = Layout(columns=[], target="y", task="classification", classes=["no", "yes"])
EQUAL = [(100, [rate] * num) for num in (2, 3, 5) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)]
UNEQUAL = [(500, [rate, 0.7 * rate]) for rate in (0.3, 0.35, 0.4, 0.43, 0.5, 0.6)]


def refusals(rates: list[float], num_rows: int, num_sets: int, seed: int) -> tuple[float, float]:
    """Shares of simulated sets that the gate and that the bare rule refuse."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"group {i}" for i in range(len(rates))], num_rows)
    column = pa.chunked_array([pa.array(names)])
    by = Groups.of(column, column, "group")
    n = len(names)
    target, scores, losses = np.arange(n) % 2, np.full((n, 2), 0.5), np.full(n, 0.7)
    gate, ours, bare = Gates().demographic_parity, 0, 0
    for number in range(num_sets):
        decided = (rng.random(n) < np.repeat(rates, num_rows)).astype(np.int64)
        rows = Scored(target, scores, decided, losses, LAYOUT, "accuracy")
        check = judged(Judging(rows, by, PARITY, BiasSpec().min_rows, number).parity(), gate)
        ours += check.blocks
        shares = by.count(decided == 1) / num_rows
        bare += bool(shares.min() < gate.limit * shares.max())
    return ours / num_sets, bare / num_sets


def main() -> None:
    """Print both tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="simulated sets a line")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for title, cases in (
        ("Equal groups: refused though nothing is wrong", EQUAL),
        ("A ratio of 0.7: refused, as it should be", UNEQUAL),
    ):
        print(f"\n{title} ({args.sets} sets a line)\n")
        print("| groups | rows a group | selection rates | penstock | bare four-fifths rule |")
        print("|---|---|---|---|---|")
        for num_rows, rates in cases:
            ours, bare = refusals(rates, num_rows, args.sets, args.seed)
            shown = " and ".join(f"{rate:.3g}" for rate in dict.fromkeys(rates))
            print(f"| {len(rates)} | {num_rows} | {shown} | {ours:.1%} | {bare:.1%} |", flush=True)


if __name__ == "__main__":
    main()
