import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from penstock.adapters import drawing
from penstock.evidence import Figure, Series

NAMES = ["audio: fast 0.2", "audio: noise 0.1", "audio: clipped 24", "audio: quiet 24"]


def drawn(*series, **more):
    """A figure and its axes, laid out as on the page."""
    with matplotlib.rc_context(drawing.STYLE):
        found = drawing.draw(
            Figure(title="t", x="how alike", y="drop", series=list(series), **more)
        )
        FigureCanvasAgg(found).draw()
    return found, found.axes[0]


def bars(x, y, **more):
    return Series(name="one", style="bars", x=x, y=y, **more)


def texts_of(found, axes):
    renderer = found.canvas.get_renderer()
    return {text.get_text(): text.get_window_extent(renderer) for text in axes.texts}


@pytest.mark.parametrize(
    "values",
    [[0.85, 0.44, 0.24, -0.5429], [-0.9, -0.8, -0.7, -0.6123], [0.1, 0.2, 0.3, 0.1234]],
    ids=["both", "below", "above"],
)
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_number_at_a_bar_stands_inside_the_axes_and_beside_the_whisker(values, spread):
    low, high = [v - spread for v in values], [v + spread for v in values]
    found, axes = drawn(bars(NAMES, values, low=low, high=high), horizontal=True)
    frame = axes.get_window_extent()
    written = texts_of(found, axes)
    assert len(written) == len(values)
    for (text, box), value, (from_, to) in zip(
        written.items(), values, zip(low, high, strict=True), strict=True
    ):
        assert float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value, abs=1e-4)
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1
        end = axes.transData.transform((to if value >= 0 else from_, 0))[0]
        assert box.x0 >= end if value >= 0 else box.x1 <= end


def test_of_many_categories_the_first_are_shown_and_the_page_says_so():
    many = [f"level {n}" for n in range(55)]
    _, axes = drawn(bars(many, list(range(55))), horizontal=True)
    assert len(axes.get_yticklabels()) == drawing.MAX_CATEGORIES
    assert "The first 40 of 55 are shown." in axes.get_xlabel()


def test_what_has_no_value_says_so():
    _, axes = drawn(Series(name="one", style="line", x=[0.0, 1.0], y=[None, None]))
    assert [text.get_text() for text in axes.texts] == ["no data"]


def test_a_point_between_gaps_is_drawn_though_no_line_passes_it():
    _, axes = drawn(Series(name="one", style="line", x=[0.0, 1.0, 2.0], y=[None, 5.0, None]))
    marked = [line for line in axes.lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in marked] == [[5.0]]


def test_a_dollar_in_a_name_is_a_dollar():
    found, axes = drawn(bars(["$a$", "b_1"], [1.0, 2.0]))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$a$", "b_1"]
    assert found.axes[0].get_xticklabels()[0].get_window_extent().width > 0
