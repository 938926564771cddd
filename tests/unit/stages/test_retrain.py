"""When a retraining is due, and which rows are new."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.adapters.store import LocalStore
from penstock.outcomes import RetrainOrder
from penstock.records import Column, Layout, Snapshot
from penstock.spec import RetrainSpec
from penstock.stages.retrain import new_rows, retrain

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAYOUT = Layout(
    columns=[
        Column(name="x", modality="numeric", arrow_type="int64"),
        Column(name="y", modality="category", arrow_type="string", role="target"),
    ],
    target="y",
    task="classification",
    classes=["no", "yes"],
)


def table(numbers, target="no"):
    return pa.table({"x": numbers, "y": [target] * len(numbers)})


def order(days_ago: float, status: str = "done") -> RetrainOrder:
    then = (NOW - timedelta(days=days_ago)).isoformat()
    return RetrainOrder(
        id=f"o{days_ago}", model="toy", status=status, asked_at=then,
        ended_at="" if status == "open" else then,
    )  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path):
    """Ask for a retraining on 30 rows, 20 of which are new."""
    store = LocalStore(tmp_path)
    past = store.keep_table(table(list(range(10))))
    now = store.keep_table(table(list(range(30))))
    snapshot = Snapshot(rows=now, layout=LAYOUT, source="rows.csv")

    def ask(history=(), if_due=True, **rules):
        spec = RetrainSpec(**({"min_new_rows": 20} | rules))
        return retrain(list(history), "Why.", snapshot, past, spec, store, "toy", if_due, NOW)

    return ask


def test_enough_new_rows_open_an_order(asked):
    found = asked()
    assert (found.status, found.num_new_rows, found.reason) == ("open", 20, "Why.")
    assert found.why == "20 of 30 labelled rows are new."
    assert (found.model, found.ended_at) == ("toy", "")


@pytest.mark.parametrize(
    ("history", "rules", "says"),
    [
        ([], {"min_new_rows": 21}, "asks for 21"),
        ([order(1.5)], {"cooldown_days": 2}, "end in 12.0 hours"),
        ([order(9, "open")], {}, "still open"),
        ([order(20), order(25)], {"budget_runs_per_30_days": 2}, "2 retrainings in the last 30"),
        ([], {"budget_runs_per_30_days": 0}, "use up"),
        ([order(3, "failed")], {"budget_runs_per_30_days": 1}, "1 retrainings"),
    ],
)
def test_each_rule_declines_with_its_numbers(asked, history, rules, says):
    found = asked(history, **rules)
    assert found.status == "declined"
    assert says in found.why
    assert found.ended_at == found.asked_at
    person = asked(history, if_due=False, **rules)
    assert person.status == "open"
    assert person.why.startswith("A person asked for it, though: ")


@pytest.mark.parametrize(
    ("history", "rules"),
    [
        ([order(2)], {"cooldown_days": 2}),
        ([order(0.1, "failed")], {"cooldown_days": 2}),  # what failed may be tried again at once
        ([order(0.1, "declined")], {"cooldown_days": 2}),
        ([order(20), order(31)], {"budget_runs_per_30_days": 2}),
        ([order(1, "declined")] * 9, {"budget_runs_per_30_days": 1}),
    ],
)
def test_what_is_over_speaks_against_nothing(asked, history, rules):
    assert asked(history, **rules).status == "open"


def test_a_row_is_new_by_its_content_and_label(tmp_path):
    store = LocalStore(tmp_path)
    past = store.keep_table(table([1, 2, 3]))
    same = store.keep_table(table([3, 2, 1]))
    assert new_rows(same, past, "y", store) == 0
    assert new_rows(past, past, "y", store) == 0
    relabelled = store.keep_table(table([1, 2, 3], "yes"))
    assert new_rows(relabelled, past, "y", store) == 3
    more = store.keep_table(table([1, 4, 4]).append_column("z", pa.array([0, 0, 0])))
    assert new_rows(more, past, "y", store) == 2  # z is in one of the two only
    assert new_rows(same, None, "y", store) == 3
    store.path(past.blob).unlink()
    assert new_rows(same, past, "y", store) == 3  # nobody knows what it was
