import numpy as np
import pyarrow as pa
import pytest

from penstock.evidence import Check
from penstock.measure import slices
from penstock.measure.bins import Cut, Said
from penstock.measure.intervals import mean_interval
from penstock.measure.slices import MIN_ROWS, MOST_SHOWN, Means, Sliced


def sliced(values, label="c", said=Said()):  # noqa: B008 - frozen
    cut = Cut.of(pa.array(values), label, said)
    return Sliced(cut, cut.codes(pa.array(values)), len(values))


def records(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_means_and_intervals_are_those_of_each_slice():
    rng = np.random.default_rng(0)
    codes, losses = rng.integers(-1, 3, 300), rng.exponential(size=300)
    found = Means.of(codes, losses, 4)
    for code in range(3):
        part = losses[codes == code]
        assert found.rows[code] == len(part)
        assert found.mean[code] == pytest.approx(part.mean())
        assert (found.low[code], found.high[code]) == pytest.approx(mean_interval(part))
    assert found.rows[3] == 0


def test_the_weak_slice_is_named_and_measured_on_rows_that_did_not_choose_it():
    rng = np.random.default_rng(0)
    town = rng.choice(["Ulm", "Bonn", "Köln"], 3000)
    light = rng.random(3000)
    dark = (light < 0.2).astype(float)
    losses = rng.normal(1.0, 0.1, 3000) + dark
    said = Said("darkest", "brightest")
    views = [sliced(town, "town"), sliced(light, "photo brightness", said)]
    found = slices.worst(views, losses, seed=0)
    assert found.said.startswith("photo brightness ")
    assert found.said.endswith(" (darkest fifth)")
    assert found.rise == pytest.approx(2 / losses.mean() - 1, abs=0.03)
    assert found.low < found.rise < found.high
    assert 250 < found.rows < 350
    check = found.check(" Beside.")
    assert check.subject == found.said
    assert check.why.endswith("rows that did not choose it. Beside.")


def test_a_slice_that_is_high_by_luck_gives_way_to_one_that_is_shown():
    rng = np.random.default_rng(1)
    n = 4000
    shown = np.where(np.arange(n) < 2000, "many", "rest")
    few = np.where(np.arange(n) % 33 == 0, "few", "rest")
    losses = rng.exponential(size=n) + (shown == "many") * 0.5
    losses[few == "few"] *= 1.3  # a higher mean of 121 rows, hardly known
    assert slices.worst([sliced(few, "f"), sliced(shown, "s")], losses, 0).said == "s = many"


def test_many_views_without_any_effect_seldom_look_weak():
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=3000)
    views = [sliced(rng.random(3000), f"x{i}") for i in range(30)]
    found = [slices.worst(views, losses, seed=seed) for seed in range(40)]
    assert sum(one.low > 0 for one in found) <= 4  # 2.5% of 40 is one
    naive = max(Means.of(v.codes, losses, 6).low[:5].max() for v in views)
    assert naive > losses.mean()  # the worst of all, on the rows that chose it, looks weak


def test_the_table_says_what_is_shown_first_and_what_it_leaves_out():
    n = 2000
    losses = np.where(np.arange(n) % 2, 2.0, 1.0)
    rare = np.where(np.arange(n) < 20, "few", "many")
    views = [sliced(np.where(np.arange(n) % 2, "odd", "even"), "parity"), sliced(rare, "size")]
    table = slices.table(views, losses)
    first, *_, last = records(table)
    assert (first["column"], first["slice"], first["rows"]) == ("parity", "odd", 1000)
    assert (first["loss"], first["against all"]) == (2.0, "+33%")
    assert (last["slice"], last["against all"]) == ("few", "insufficient")
    assert "1 have fewer than 50 rows" in table.note


def test_the_table_is_one_page_however_many_slices_there_are():
    rng = np.random.default_rng(0)
    views = [sliced(rng.random(1000), f"x{i}") for i in range(40)]
    table = slices.table(views, rng.random(1000))
    assert len(table.rows) == MOST_SHOWN
    assert f"The {200 - MOST_SHOWN} at the end are not shown" in table.note
    lows = [record["low"] for record in records(table)]
    assert lows == sorted(lows, reverse=True)


def test_missing_values_that_all_views_share_are_one_slice():
    values = pa.array([None, 1.0, 2.0] * 100)
    views = []
    for view in ("brightness", "contrast"):
        cut = Cut.of(values, f"photo {view}", Said(), "photo")
        views.append(Sliced(cut, cut.codes(values), 300))
    found = records(slices.table(views, np.arange(300.0)))
    assert [r["column"] for r in found if r["slice"] == "(missing)"] == ["photo"]


def test_the_figure_shows_bins_in_their_order_and_names_by_their_loss():
    x = np.arange(1000.0)
    losses = np.where(x < 200, 3.0, 1.0)
    (series,) = slices.figure(sliced(x, "x"), losses).series
    assert series.y == [3.0, 1.0, 1.0, 1.0, 1.0]
    assert series.x[0] == "0 to 199 (lowest fifth)"
    names = np.where(x % 2, "even", "odd")
    (series,) = slices.figure(sliced(names, "n"), x % 2).series
    assert (series.x, series.y) == (["even", "odd"], [1.0, 0.0])


def test_views_that_make_one_slice_make_none():
    assert slices.several([sliced(["u"] * 100), sliced([3.0] * 100)]) == []
    assert slices.several([sliced([None] * 50 + [3.0] * 50)])


@pytest.mark.parametrize(
    ("losses", "why"),
    [
        (np.zeros(200), "there is none to compare"),
        (np.where(np.arange(200) == 7, np.inf, 1.0), "there is none to compare"),
        (np.ones(200), f"No slice has {MIN_ROWS}"),
    ],
)
def test_nothing_to_measure_is_insufficient(losses, why):
    found = slices.worst([sliced(np.arange(200).astype(str), "c")], losses, 0)
    assert isinstance(found, Check)
    assert not found.enough
    assert why in found.why
