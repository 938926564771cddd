"""What each row counts in training: the weights that a loss or a mitigation asks for.

target and group columns of each part -> weights of the rows of each part
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
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
    """

    target: dict[str, NDArray[Any]]
    labels: dict[str, NDArray[np.int64]]
    groups: dict[str, NDArray[np.int64]]
    label_names: list[str]
    group_names: list[str]
    counts: NDArray[np.int64]
    reweighed: str

    @classmethod
    def of(cls, columns: dict[str, Any], layout: Layout, reweighed: str) -> Weighing:
        """From the target column, and the one that makes groups, of each part."""
        task = tasks.load(layout.task)
        target = {name: task.encode_target(column, layout) for name, (column, _) in columns.items()}
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
            grouping = groups.learn(columns["train"][1], reweighed)
            group_names = groups.names_of(grouping)
            grouped = {
                name: groups.codes(column, grouping) for name, (_, column) in columns.items()
            }
        counts = weights.cells(grouped["train"], coded["train"], len(group_names), len(label_names))
        return cls(target, coded, grouped, label_names, group_names, counts, reweighed)

    def weighs(self, loss: str) -> bool:
        """Whether rows count differently under this loss."""
        return bool(self.reweighed) or loss in losses.BALANCED

    def cells(self, loss: str) -> NDArray[np.float64]:
        """Weight of each cell, ``float64[groups, labels]``, mean 1 over the training rows."""
        each = np.ones(self.counts.shape)
        if self.reweighed:
            each = each * weights.independent(self.counts)
        if loss in losses.BALANCED:
            each = each * weights.balanced(self.counts)
        return weights.normalised(each, self.counts)

    def weights(self, loss: str, part: str) -> NDArray[np.float64] | None:
        """Weight of each row, by the training rows' rule; None where all count the same."""
        if not self.weighs(loss):
            return None
        each: NDArray[np.float64] = self.cells(loss)[self.groups[part], self.labels[part]]
        return each

    def table(self, loss: str) -> Table:
        """Rows and weight of each cell."""
        each = self.cells(loss)
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
        rules = [f"label and {self.reweighed} independent"] if self.reweighed else []
        rules += ["each class counts the same"] if loss in losses.BALANCED else []
        left = weights.effective_rows(each, self.counts)
        note = (
            f"Weights that make {' and '.join(rules)}; so weighted, {int(self.counts.sum())} rows"
            f" are worth {left:.0f} equal ones. Cells without a training row weigh like the mean"
            " or by their class alone."
        )
        return Table.of("What each training row counts", records, note)
