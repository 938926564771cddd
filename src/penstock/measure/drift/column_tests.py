"""Has a column changed? Later rows against the reference's sketch, by test and by effect size.

Three questions of each view: do its values fall into the reference's bins as they did
(chi-square); are as many of them missing (Fisher); do more of them lie where no value of the
reference was (a new value is beyond the range of N by chance 2 / (N + 1), an unseen level by
Good's 1953 estimate: levels seen once over N)?
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import stats

from penstock.measure.sketches import Levels, Numbers

MIN_EXPECTED = 5.0
"""Cells that expect fewer rows are counted together (Cochran, 1954)."""
PSI_ROWS = 0.5
"""Added to each cell of the population stability index, which has no value at 0."""


@dataclass(frozen=True)
class ViewTest:
    """One view of one column, then and now.

    Attributes
    ----------
    column, view : str
        What is compared.
    p_value : float
        Of all three questions together (Bonferroni).
    distance : float
        Jensen-Shannon distance with base 2, in [0, 1]; 0: the same shares in each cell.
    psi : float
        Population stability index over the same cells.
    shift : float
        Change of the mean in standard deviations of the reference; nan for names.
    missing_before, missing_now : float
        Shares.
    outside : float
        Share of the rows whose value no row of the reference had or reached.
    cells : list of str
        Names of the cells.
    before, now : list of float
        Share of rows in each cell.
    """

    column: str
    view: str
    p_value: float
    distance: float
    psi: float
    shift: float
    missing_before: float
    missing_now: float
    outside: float
    cells: list[str]
    before: list[float]
    now: list[float]

    @property
    def name(self) -> str:
        """Column, and view where that says more."""
        return self.column if self.view in ("value", "level") else f"{self.column}: {self.view}"


def compare(
    column: str, view: str, reference: Numbers | Levels, values: pa.Array
) -> ViewTest | None:
    """Hold values against a sketch; None where either side has no row.

    Examples
    --------
    >>> from penstock.measure.sketches import learn
    >>> found = compare("x", "value", learn(pa.array([1.0, 2.0] * 50)), pa.array([2.0] * 50))
    >>> found.p_value < 1e-6, found.shift
    (True, 1.0)
    """
    current = reference.of(values)
    before = np.asarray(_cells(reference), np.float64)
    now = np.asarray(_cells(current), np.float64)
    if not before.sum() or not now.sum():
        return None
    beyond, chance = outside(reference, values), outside_chance(reference)
    num_before, num_now = int(before.sum()), int(now.sum())
    known = [homogeneity(before[:-1], now[:-1])]
    known.append(missing_p(reference.missing, num_before, current.missing, num_now))
    if chance > 0:
        known.append(outside_p(reference, int(beyond.sum()), num_now - current.missing))
    shares = before / num_before, now / num_now
    return ViewTest(
        column=column,
        view=view,
        p_value=min(1.0, len(known) * min(known)),
        distance=distance(*shares),
        psi=psi(before, now),
        shift=_shift(reference, current),
        missing_before=reference.missing / num_before,
        missing_now=current.missing / num_now,
        outside=float(beyond.mean()),
        cells=cell_names(reference),
        before=shares[0].tolist(),
        now=shares[1].tolist(),
    )


def homogeneity(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """P-value of Pearson's chi-square: do two rows of counts come from one distribution?

    Cells with few expected rows are counted together, so that the distribution of the statistic
    holds.

    Examples
    --------
    >>> round(homogeneity(np.array([50.0, 50.0]), np.array([30.0, 70.0])), 4)
    0.0039
    """
    total = before.sum(), now.sum()
    if not min(total):
        return 1.0
    kept = _merged(np.stack([before, now]))
    if kept.shape[1] < 2:
        return 1.0
    wanted = kept.sum(axis=1, keepdims=True) * kept.sum(axis=0) / kept.sum()
    statistic = float((np.square(kept - wanted) / wanted).sum())
    return float(stats.chi2.sf(statistic, kept.shape[1] - 1))


def _merged(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cells of which each side expects enough rows; all others as one cell."""
    counts = counts[:, counts.sum(axis=0) > 0]
    share = counts.sum(axis=1).min() / counts.sum()
    expected = counts.sum(axis=0) * share
    few = expected < MIN_EXPECTED
    if not few.any():
        return counts
    rest = counts[:, few].sum(axis=1, keepdims=True)
    kept = counts[:, ~few]
    if rest.sum() * share >= MIN_EXPECTED or not kept.shape[1]:
        return np.hstack([kept, rest])
    least = int(kept.sum(axis=0).argmin())
    kept[:, least] += rest[:, 0]
    return kept


def missing_p(missing: int, rows: int, missing_now: int, rows_now: int) -> float:
    """P-value of two shares: Fisher's exact test, or chi-square where all cells expect enough.

    Examples
    --------
    >>> missing_p(0, 1000, 0, 100)
    1.0
    >>> missing_p(0, 1000, 5, 100) < 1e-4
    True
    """
    table = np.array([[missing, rows - missing], [missing_now, rows_now - missing_now]])
    both = table.sum(axis=0)
    if not both.min():
        return 1.0
    if both.min() * table.sum(axis=1).min() / table.sum() >= MIN_EXPECTED:
        return homogeneity(table[0].astype(np.float64), table[1].astype(np.float64))
    return float(stats.fisher_exact(table).pvalue)


def outside(reference: Numbers | Levels, values: pa.Array) -> NDArray[np.bool_]:
    """Rows whose value no row of the reference had or reached, ``bool[n]``; null is none.

    Where a sketch does not name every level, none counts as unseen.
    """
    if isinstance(reference, Numbers):
        raw = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if reference.low is None or reference.high is None:
            found: NDArray[np.bool_] = np.isfinite(raw)
            return found
        return np.isfinite(raw) & ((raw < reference.low) | (raw > reference.high))
    if _cut(reference):
        return np.zeros(len(values), dtype=bool)
    unseen = pc.invert(pc.is_in(values, value_set=pa.array(reference.levels, pa.string())))
    return pc.and_(unseen, pc.is_valid(values)).to_numpy(zero_copy_only=False)


def outside_chance(reference: Numbers | Levels) -> float:
    """How often a row that nothing happened to is outside; 0 where that cannot be told."""
    a, b = _beyond(reference)
    return a / (a + b) if a else 0.0


def outside_p(reference: Numbers | Levels, num_outside: int, num_rows: int) -> float:
    """How often as many of so many rows are outside by chance (beta-binomial).

    Examples
    --------
    >>> from penstock.measure.sketches import learn
    >>> round(outside_p(learn(pa.array(np.arange(99.0))), 1, 1), 6)
    0.02
    """
    a, b = _beyond(reference)
    if not num_outside or not a:
        return 1.0
    return float(stats.betabinom.sf(num_outside - 1, num_rows, a, b))


def _beyond(reference: Numbers | Levels) -> tuple[float, float]:
    """Of the beta distribution of the share outside: two ends of N values, or levels seen once."""
    num = float(sum(reference.counts))
    if isinstance(reference, Numbers):
        return (2.0, num - 1.0) if num > 1 else (0.0, 1.0)
    if _cut(reference) or not num:
        return 0.0, 1.0
    once = sum(count == 1 for count in reference.counts)
    return once + 1.0, num


def _cut(reference: Levels) -> bool:
    return reference.other > 0 or reference.num_distinct > len(reference.levels)


def distance(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Jensen-Shannon distance of two distributions, base 2 (Endres and Schindelin, 2003).

    Examples
    --------
    >>> distance(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    middle = (before + now) / 2
    parts = [
        float((one[one > 0] * np.log2(one[one > 0] / middle[one > 0])).sum())
        for one in (before, now)
    ]
    return float(np.sqrt(max(0.0, sum(parts) / 2)))


def psi(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Population stability index of two rows of counts (Lewis, 1994), half a row in each cell.

    Examples
    --------
    >>> round(psi(np.array([50.0, 50.0]), np.array([50.0, 50.0])), 3)
    0.0
    """
    one, other = ((c + PSI_ROWS) / (c + PSI_ROWS).sum() for c in (before, now))
    return float(((other - one) * np.log(other / one)).sum())


def cell_names(reference: Numbers | Levels) -> list[str]:
    """Names of the cells, for a figure."""
    if isinstance(reference, Levels):
        return [*reference.levels, "(other)", "(missing)"]
    if not reference.edges:
        return ["all", "(missing)"]
    shown = [f"{edge:.4g}" for edge in reference.edges]
    inner = [f"{a} to {b}" for a, b in pairwise(shown)]
    return [f"to {shown[0]}", *inner, f"over {shown[-1]}", "(missing)"]


def _cells(sketch: Numbers | Levels) -> list[int]:
    """Counts, the missing rows last."""
    if isinstance(sketch, Levels):
        return [*sketch.counts, sketch.other, sketch.missing]
    return [*sketch.counts, sketch.missing]


def _shift(reference: Numbers | Levels, current: Numbers | Levels) -> float:
    if not isinstance(reference, Numbers) or not isinstance(current, Numbers):
        return float("nan")
    if reference.mean is None or current.mean is None:
        return float("nan")
    apart = current.mean - reference.mean
    if not reference.variance:
        return 0.0 if not apart else float("nan")
    return float(apart / np.sqrt(reference.variance))
