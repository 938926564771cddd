"""What each row counts in training: the weights that a loss or a mitigation asks for.

target and group columns of each part -> weights of the rows of each part
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from penstock import tasks
from penstock.evidence import Table
from penstock.learning import losses
from penstock.measure import groups, weights
from penstock.records import Layout


@dataclass(frozen=True)
class Weighing:
    """Labels and groups of the rows, and how often they meet in the training rows.

    Attributes
    ----------
    target : dict of str to array
        By part: ``int64[n]`` class codes or ``float64[n]`` values.
    labels, groups : dict of str to int64[n]
        By part: class, or quarter of a number; group, 0 where there are none.
    label_names, group_names : list of str
        Of the codes.
    counts : int64[groups, labels]
        Training rows.
    reweighed : str
        The column that makes the groups; empty: none.
    given : dict of str to float64[n]
        By part: what ``data.weight`` says of each row; empty: nothing.
    """

    target: dict[str, NDArray[Any]]
    labels: dict[str, NDArray[np.int64]]
    groups: dict[str, NDArray[np.int64]]
    label_names: list[str]
    group_names: list[str]
    counts: NDArray[np.int64]
    reweighed: str
    given: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, tables: dict[str, pa.Table], layout: Layout, reweighed: str) -> Weighing:
        """From the rows of each part: the target, and the columns that make groups and weights."""
        task = tasks.load(layout.task)
        target = {n: task.encode_target(t[layout.target], layout) for n, t in tables.items()}
        label_names, coded = list(layout.classes), target
        if not layout.classes and "reweighing" in task.NOT_APPLICABLE:
            label_names = ["all"]
            coded = {name: np.zeros(len(values), np.int64) for name, values in target.items()}
        elif not layout.classes:
            edges = weights.quartiles(target["train"])
            label_names = [f"quarter {number + 1}" for number in range(len(edges) + 1)]
            coded = {name: np.searchsorted(edges, values) for name, values in target.items()}
        group_names, grouped = ["all"], {n: np.zeros(len(v), np.int64) for n, v in target.items()}
        if reweighed:
            grouping = groups.learn(tables["train"][reweighed], reweighed)
            group_names = groups.names_of(grouping)
            grouped = {n: groups.codes(t[reweighed], grouping) for n, t in tables.items()}
        given = {n: _numbers(t[name]) for name in layout.named("weight") for n, t in tables.items()}
        counts = weights.cells(grouped["train"], coded["train"], len(group_names), len(label_names))
        return cls(target, coded, grouped, label_names, group_names, counts, reweighed, given)

    def weighs(self, loss: str) -> bool:
        """Whether rows count differently under this loss."""
        return bool(self.reweighed or self.given) or loss in losses.BALANCED

    def cells(self, loss: str) -> NDArray[np.float64]:
        """What a row of each cell counts, ``float64[groups, labels]``, beside its own weight."""
        groups, labels, shape = self.groups["train"], self.labels["train"], self.counts.shape
        mass = weights.cells(groups, labels, shape[0], shape[1], self.given.get("train"))
        each = np.ones(self.counts.shape)
        if self.reweighed:
            each = each * weights.independent(mass)
        if loss in losses.BALANCED:
            each = each * weights.balanced(mass)
        return each

    def _raw(self, loss: str, part: str) -> NDArray[np.float64]:
        each = self.cells(loss)[self.groups[part], self.labels[part]]
        return each * self.given[part] if self.given else each

    def weights(self, loss: str, part: str) -> NDArray[np.float64] | None:
        """Weight of each row, by the training rows' rule: their mean is 1. None where all count
        the same."""
        if not self.weighs(loss):
            return None
        each: NDArray[np.float64] = self._raw(loss, part) / self._raw(loss, "train").mean()
        return each

    def table(self, loss: str) -> Table:
        """Rows and mean weight of each cell."""
        rows = self.weights(loss, "train")
        assert rows is not None
        groups, labels, shape = self.groups["train"], self.labels["train"], self.counts.shape
        total = weights.cells(groups, labels, shape[0], shape[1], rows)
        each = total / np.maximum(self.counts, 1)
        records = [
            {
                "group": group,
                "label": label,
                "rows": int(self.counts[g, y]),
                "weight": float(each[g, y]),
            }
            for g, group in enumerate(self.group_names)
            for y, label in enumerate(self.label_names)
            if self.counts[g, y]
        ]
        rules = ["each row counts what data.weight says"] if self.given else []
        rules += [f"label and {self.reweighed} are independent"] if self.reweighed else []
        rules += ["each class counts the same"] if loss in losses.BALANCED else []
        note = (
            f"So weighted that {' and '.join(rules)}; {len(rows)} rows are then worth"
            f" {weights.effective_rows(rows):.0f} equal ones. It is training that is weighted:"
            " on validation it stops by the same weights, in the test each row counts once."
        )
        return Table.of("What each training row counts", records, note)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return numbers
