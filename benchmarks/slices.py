"""How often a weak slice is named where there is none, and found where there is one.

Losses are drawn, no model is trained: 20 columns of numbers and 10 of names, 180 slices. Each
set is judged by the stage's own check and the default gate; beside it, the slice that looks worst,
by its interval on the very rows that chose it.

    python benchmarks/slices.py
    python benchmarks/slices.py --sets 2000 --seed 1
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock.evidence import Check
from penstock.measure import slices
from penstock.measure.bins import Cut, Said
from penstock.measure.judging import judged
from penstock.measure.slices import MIN_ROWS, Means, Sliced
from penstock.spec import Gates

Floats = NDArray[np.float64]
ROWS = (500, 2000, 10_000)
NAMES = list("abcdefgh")


def log_loss(rng: np.random.Generator, rows: int) -> Floats:
    """Of a calibrated classifier that is right eight times of nine."""
    stated = rng.beta(8, 1, rows)
    truth = rng.random(rows) < stated
    return -np.log(np.where(truth, stated, 1 - stated).clip(1e-7))


def squared_error(rng: np.random.Generator, rows: int) -> Floats:
    """Of normal noise."""
    return rng.normal(size=rows) ** 2


def heavy_tail(rng: np.random.Generator, rows: int) -> Floats:
    """Log-normal, of deviation 1.5."""
    return np.exp(1.5 * rng.normal(size=rows))


def views(rng: np.random.Generator, rows: int) -> list[Sliced]:
    """Columns that have nothing to do with the losses."""
    columns = [pa.array(rng.random(rows)) for _ in range(20)]
    shares = np.arange(8, 0, -1) / 36
    columns += [pa.array(rng.choice(NAMES, rows, p=shares)) for _ in range(10)]
    found = []
    for place, values in enumerate(columns):
        cut = Cut.of(values, f"c{place}", Said())
        found.append(Sliced(f"c{place}", "", cut, cut.codes(values), rows))
    return found


def nowhere(found: list[Sliced]) -> list[tuple[Sliced, int]]:
    """No slice."""
    return []


def dark_part(found: list[Sliced]) -> list[tuple[Sliced, int]]:
    """The lowest bin of the fourth column."""
    return [(found[3], 0)]


def old_device(found: list[Sliced]) -> list[tuple[Sliced, int]]:
    """The fourth name of the 25th column: an eighth or a seventh of the rows."""
    return [(found[24], found[24].cut.names.index("= d"))]


def both(found: list[Sliced]) -> list[tuple[Sliced, int]]:
    """Only where both hold: three rows in a hundred."""
    return dark_part(found) + old_device(found)


def line(
    draw: Callable[[np.random.Generator, int], Floats],
    rows: int,
    where: Callable[[list[Sliced]], list[tuple[Sliced, int]]],
    times: float,
    args: argparse.Namespace,
) -> list[float]:
    """Shares of sets: noted by the gate, above 0 at all, rightly named, and above 0 by all rows."""
    gate = Gates().weak_slice
    noted = above = named = naive = 0
    for number in range(args.sets):
        rng = np.random.default_rng([args.seed, number])
        losses, found = draw(rng, rows), views(rng, rows)
        truth = where(found)
        hit = np.all([one.codes == code for one, code in truth], axis=0) if truth else False
        losses = np.where(hit, times * losses, losses)
        worst = slices.worst(found, losses, seed=number)
        naive += worst_of_all(found, losses) > losses.mean()
        if isinstance(worst, Check):
            continue
        noted += judged(worst.check("", ""), gate).outcome != "pass"
        above += worst.low > 0
        named += {(one.column, code) for one, code in worst.slices} == {
            (one.column, code) for one, code in truth
        }
    return [count / args.sets for count in (noted, above, named, naive)]


def worst_of_all(found: list[Sliced], losses: Floats) -> float:
    """The highest low end of all slices, on all rows."""
    every = [Means.of(one.codes, losses, len(one.cut.names)) for one in found]
    return float(np.max([np.where(m.rows >= MIN_ROWS, m.low, -np.inf).max() for m in every]))


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200, help="simulated sets a line")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    cases = [(nowhere, 1.0), (dark_part, 2.0), (old_device, 2.0), (both, 4.0)]
    print("| truth | loss | test rows | noted | above 0 | rightly named | above 0, on all rows |")
    print("|---|---|---|---|---|---|---|")
    for where, times in cases:
        said = "no effect" if where is nowhere else f"{where.__name__}, x {times:g}"
        for draw in (log_loss, squared_error, heavy_tail):
            for rows in ROWS:
                found = line(draw, rows, where, times, args)
                shown = " | ".join(f"{share:.1%}" for share in found)
                name = draw.__name__.replace("_", " ")
                print(f"| {said.replace('_', ' ')} | {name} | {rows} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
