"""The plotting functions: data and Axes in, and what a grey print needs."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from lindyn.plotting import outcome_map, over_time, phase_plane, style


@pytest.fixture
def axes():
    panel = Figure().subplots()
    panel.set(xlim=(0, 1), ylim=(0, 1))
    return panel


def luminance(color):
    return float(np.dot(matplotlib.colors.to_rgb(color), (0.299, 0.587, 0.114)))


def test_families_are_ordered_in_grey():
    grey = [luminance(color) for color in style.shades(6)]
    assert np.all(np.diff(grey) > 0.05)


def test_stability_shows_in_shape_and_fill_not_only_in_colour(axes):
    words = ["stable", "unstable", "half-stable left", "half-stable right"]
    phase_plane.points(axes, [0.1, 0.2, 0.3, 0.4], [0.5] * 4, words)
    looks = {(line.get_marker(), line.get_fillstyle(), line.get_markerfacecolor()) for line in axes.lines}
    assert len(looks) == 4
    assert {line.get_marker() for line in axes.lines[:2]} == {"o", "D"}


def test_points_outside_the_window_are_left_out(axes):
    phase_plane.points(axes, [0.5, 1.5], [0.5, 0.5], ["stable", "stable"])
    assert len(axes.lines) == 1


def test_a_line_of_points_changes_its_look_where_stability_changes(axes):
    x = np.linspace(0, 1, 11)
    phase_plane.line_of_points(axes, x, 0 * x, np.where(x < 0.45, "stable", "unstable"))
    assert [line.get_color() for line in axes.lines] == [style.STABLE, style.UNSTABLE]
    assert axes.lines[0].get_xdata()[-1] == axes.lines[1].get_xdata()[0]  # no gap


def test_flow_lines_have_an_arrow_inside_the_window(axes):
    t = np.linspace(0, 3, 50)
    phase_plane.flow_lines(axes, np.stack([t, 5 + t], axis=1), np.stack([t / 3, t / 3], axis=1))
    assert len(axes.lines) == 2 and len(axes.texts) == 1  # the second line runs outside


def test_arrows_of_a_direction_field_have_the_length_asked_for(axes):
    phase_plane.unit_arrows(axes, [0.2, 0.7], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0], length=0.1)
    quiver = axes.collections[0]
    assert np.allclose(np.hypot(quiver.U, quiver.V) / quiver.scale, 0.1)


def test_phase_line_points_the_way_x_moves(axes):
    x = np.linspace(-1, 2, 301)
    axes.set(xlim=(-1, 2), ylim=(-1, 1))
    phase_plane.phase_line(axes, x, x * (1 - x), [0.0, 1.0], ["unstable", "stable"])
    ways = [text.xy[0] - text.xyann[0] for text in axes.texts]
    assert np.array_equal(np.sign(ways), [-1, 1, -1])


def test_bands_and_marks_follow_the_family(axes):
    t, curves = np.linspace(0, 1, 20), np.ones((3, 20))
    over_time.band(axes, t, curves, 0.1 * curves, ["a", "b", "c"])
    over_time.marks(axes, t, curves, every=4)
    over_time.level(axes, 0.9, "0.9")
    assert len(axes.collections) == 3 and len(axes.lines) == 7
    assert axes.get_legend_handles_labels()[1] == ["a", "b", "c"]


def test_bars_of_a_family_stand_apart_and_are_as_long_as_its_spread(axes):
    t, mean, deviation = np.arange(24.0), np.zeros((3, 24)), np.tile([[0.1], [0.2], [0.3]], 24)
    over_time.bars(axes, t, mean, deviation, ["a", "b", "c"], every=12)
    ends = [bars.get_segments() for bars in axes.collections]
    at = [segment[0][0] for segments in ends for segment in segments]
    assert len(set(at)) == len(at) == 6
    assert [np.ptp(segments[0], axis=0)[1] for segments in ends] == pytest.approx([0.2, 0.4, 0.6])
    assert axes.get_legend_handles_labels()[1] == ["a", "b", "c"]


def test_a_boundary_is_seen_on_dark_and_light_and_keeps_the_window(axes):
    outcome_map.cased_upright(axes, 0.4, "--")
    assert [line.get_color() for line in axes.lines] == ["white", style.INK]
    assert axes.lines[0].get_linewidth() > axes.lines[1].get_linewidth()
    assert [tuple(line.get_xdata()) for line in axes.lines] == [(0.4, 0.4)] * 2
    assert axes.get_ylim() == (0, 1) and axes.get_xlim() == (0, 1)


def test_responses_have_a_line_and_an_end_per_input(axes):
    z = np.stack([np.linspace(0, [1.0, 2.0, -4.0], 9)] * 2, axis=1)
    phase_plane.responses(axes, z, low=-1.0)
    lines = axes.lines[:-1]
    assert [line.get_xdata()[-1] for line in lines] == [1.0, 2.0, -4.0] == list(axes.lines[-1].get_xdata())
    assert axes.get_xlim() == pytest.approx((-4.4, 4.4))


def test_the_users_settings_do_not_reach_the_figures(figures):
    import io

    def picture():
        file = io.BytesIO()
        style.write(figures.script[4].draw(figures.data(4)), file, "png")
        return file.getvalue()

    plain = picture()
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 20, "axes.facecolor": "yellow"}):
        assert picture() == plain
