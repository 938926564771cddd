import numpy as np
import pyarrow as pa
import pytest

from penstock.evidence import Check
from penstock.measure import slices
from penstock.measure.bins import Cut, Said
from penstock.measure.intervals import mean_interval
from penstock.measure.slices import Means, Sliced


def sliced(values, label="c", said=Said()):  # noqa: B008 - frozen
    cut = Cut.of(pa.array(values), label, said)
    return Sliced(label, label, cut, cut.codes(pa.array(values)), len(values))


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
    assert 250 < found.inside.sum() < 350
    check = found.check("Beside.", "Do.")
    assert check.subject == found.said
    assert check.why.startswith("Where photo brightness is 0.")
    assert check.why.endswith("worst of 8 slices on the other half of the test rows. Beside.")
    assert check.remedy == "Do."


def test_a_slice_that_is_high_by_luck_gives_way_to_one_that_is_shown():
    rng = np.random.default_rng(1)
    n = 4000
    shown = np.where(np.arange(n) < 2000, "many", "rest")
    few = np.where(np.arange(n) % 33 == 0, "few", "rest")
    losses = rng.exponential(size=n) + (shown == "many") * 0.5
    losses[few == "few"] *= 1.3  # a higher mean of 121 rows, hardly known
    assert slices.worst([sliced(few, "f"), sliced(shown, "s")], losses, 0).said == "s = many"


def test_a_slice_is_narrowed_down_by_another_view_where_that_is_shown():
    rng = np.random.default_rng(3)
    n = 8000
    light, device = rng.random(n), rng.choice(["old", "new"], n)
    others = [sliced(rng.random(n), f"x{i}") for i in range(10)]
    views = [sliced(light, "light"), sliced(device, "device"), *others]
    noise = rng.exponential(size=n)
    both = slices.worst(views, noise + 3 * ((light > 0.8) & (device == "old")), 0)
    assert both.said.startswith("light 0.8")
    assert both.said.endswith(" (highest fifth) and device = old")
    overall = 1 + 3 * 0.1
    assert both.rise == pytest.approx(4 / overall - 1, abs=0.2)
    alone = slices.worst(views, noise + 3 * (light > 0.8), 0)
    assert alone.said.endswith(" (highest fifth)")


def test_other_slices_of_the_same_rows_are_named():
    rng = np.random.default_rng(0)
    light = rng.random(2000)
    dark = light < 0.2
    night = np.where(dark | (rng.random(2000) < 0.02), "night", "day")
    views = [sliced(light, "light"), sliced(night, "when"), sliced(rng.random(2000), "x")]
    found = slices.worst(views, rng.exponential(size=2000) + 5 * dark, 0)
    assert found.said.startswith("light ")
    assert slices.nearly_equal(found, views) == ["when = night"]


def test_many_views_without_any_effect_seldom_look_weak():
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=3000)
    views = [sliced(rng.random(3000), f"x{i}") for i in range(30)]
    found = [slices.worst(views, losses, seed=seed) for seed in range(40)]
    assert sum(one.low > 0 for one in found) <= 4  # 2.5% of 40 is one
    naive = max(Means.of(v.codes, losses, 6).low[:5].max() for v in views)
    assert naive > losses.mean()  # the worst of all, on the rows that chose it, looks weak


def test_most_of_the_rows_are_no_weak_slice():
    rng = np.random.default_rng(0)
    most = np.where(rng.random(3000) < 0.01, "Greek", "Latin")
    views = [sliced(most, "script"), sliced(rng.random(3000), "x")]
    losses = rng.exponential(size=3000) ** 3
    assert [slices.worst(views, losses, seed).said[0] for seed in range(10)] == ["x"] * 10


def test_views_that_make_one_slice_make_none():
    assert slices.several([sliced(["u"] * 100), sliced([3.0] * 100)]) == []
    assert slices.several([sliced([None] * 50 + [3.0] * 50)])


@pytest.mark.parametrize(
    ("losses", "why"),
    [
        (np.zeros(200), "there is none to compare"),
        (np.where(np.arange(200) == 7, np.inf, 1.0), "there is none to compare"),
        (np.ones(200), "No slice of two thirds or less has 50"),
    ],
)
def test_nothing_to_measure_is_insufficient(losses, why):
    found = slices.worst([sliced(np.arange(200).astype(str), "c")], losses, 0)
    assert isinstance(found, Check)
    assert not found.enough
    assert why in found.why
