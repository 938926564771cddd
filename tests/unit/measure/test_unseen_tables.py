import numpy as np
import pyarrow as pa

from penstock.measure import unseen_tables
from penstock.measure.departure import Departure
from penstock.measure.unseen_tables import Gap, Likely

GAP = Gap("accuracy", 0.9, 0.7, (0.2, 0.1, 0.3), 240, 120)
FAR = {"call": Departure(np.ones(2), np.ones((3, 2)), 1.5, 1.2, 1.8, 0.3)}


def views():
    """Test rows quieter by two deviations, longer by three; as bright as training rows."""
    steps = np.linspace(-1, 1, 101)
    unit = steps.std(ddof=1)
    here = {"loudness": steps - 20, "seconds": steps + 5, "brightness": steps}
    there = {"loudness": steps - 20 - 2 * unit, "seconds": steps + 5 + 3 * unit}
    seen, unseen = ({n: pa.array(v) for n, v in side.items()} for side in (here, here | there))
    return unseen_tables.views("call", seen, unseen)


def likely(likeness, drop):
    return [Likely("call", "noise", "call is noisy", 1.0, likeness, drop, {})]


def test_where_no_shift_is_like_the_test_rows_the_views_that_differ_are_named():
    said = unseen_tables.notes(GAP, FAR, likely((0.0, -0.1, 0.1), (0, 0, 0)), {"call": 0}, views())
    assert said[-1] == (
        "No shift of call that was tried goes the same way and costs something. What differs most"
        " in call: seconds (6.758 instead of 5, +3.00 deviations), loudness (-21.17 instead of -20,"
        " -2.00 deviations)."
    )


def test_where_a_shift_is_like_them_it_is_named_instead():
    shown = likely((0.8, 0.7, 0.9), (0.1, 0.05, 0.15))
    said = unseen_tables.notes(GAP, FAR, shown, {"call": 0.6}, views())
    assert said[-1].startswith("Most like it: call is noisy")
