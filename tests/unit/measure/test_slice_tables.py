import numpy as np
import pyarrow as pa

from penstock.measure import slice_tables
from penstock.measure.bins import Cut, Said
from penstock.measure.slice_tables import MOST_SHOWN
from penstock.measure.slices import Sliced


def sliced(values, label="c", said=Said()):  # noqa: B008 - frozen
    cut = Cut.of(pa.array(values), label, said)
    return Sliced(label, label, cut, cut.codes(pa.array(values)), len(values))


def records(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_the_table_says_what_is_shown_first_and_what_it_leaves_out():
    n = 2000
    losses = np.where(np.arange(n) % 2, 2.0, 1.0)
    rare = np.where(np.arange(n) < 20, "few", "many")
    views = [sliced(np.where(np.arange(n) % 2, "odd", "even"), "parity"), sliced(rare, "size")]
    table = slice_tables.table(views, losses)
    first, *_, last = records(table)
    assert (first["column"], first["slice"], first["rows"]) == ("parity", "odd", 1000)
    assert (first["loss"], first["against all"]) == (2.0, "+33%")
    assert (last["slice"], last["against all"]) == ("few", "insufficient")
    assert "1 have fewer than 50 rows" in table.note


def test_the_table_is_one_page_however_many_slices_there_are():
    rng = np.random.default_rng(0)
    views = [sliced(rng.random(1000), f"x{i}") for i in range(40)]
    losses = rng.random(1000) + (views[3].codes == 2)
    table = slice_tables.table(views, losses)
    assert len(table.rows) == MOST_SHOWN
    assert f"The {200 - MOST_SHOWN} at the end are not shown" in table.note
    shown, others = [], []
    for record in records(table):
        (shown if record["low"] > losses.mean() else others).append(record)
    assert records(table) == shown + others
    for part, order in ((shown, "low"), (others, "loss")):
        values = [record[order] for record in part]
        assert values == sorted(values, reverse=True)


def test_missing_values_that_all_views_share_are_one_slice():
    values = pa.array([None, 1.0, 2.0] * 100)
    views = []
    for view in ("brightness", "contrast"):
        cut = Cut.of(values, f"photo {view}", Said(), "photo")
        views.append(Sliced("photo", view, cut, cut.codes(values), 300))
    found = records(slice_tables.table(views, np.arange(300.0)))
    assert [r["column"] for r in found if r["slice"] == "(missing)"] == ["photo"]


def test_the_figure_shows_bins_in_their_order_and_names_by_their_loss():
    x = np.arange(1000.0)
    losses = np.where(x < 200, 3.0, 1.0)
    (series,) = slice_tables.figure(sliced(x, "x"), losses).series
    assert series.y == [3.0, 1.0, 1.0, 1.0, 1.0, 1.4]
    assert series.x[-1] == "all rows"
    assert series.x[0] == "0 to 199 (lowest fifth)"
    names = np.where(x % 2, "even", "odd")
    (series,) = slice_tables.figure(sliced(names, "n"), x % 2).series
    assert (series.x, series.y) == (["even", "odd", "all rows"], [1.0, 0.0, 0.5])


def test_no_interval_of_a_loss_reaches_below_nothing():
    losses = np.where(np.arange(1000) == 7, 50.0, 0.0)
    (series,) = slice_tables.figure(sliced(np.arange(1000.0), "x"), losses).series
    assert min(series.low) == 0
    table = slice_tables.table([sliced(np.arange(1000.0), "x")], losses)
    assert min(record["low"] for record in records(table)) == 0
