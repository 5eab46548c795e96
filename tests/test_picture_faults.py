"""What `tests.pictures` must find: each fault once, and none in a good picture."""

import numpy as np
import pytest

from lindyn.plotting import style
from tests.pictures import faults


def picture(spoil=lambda figure, axes: None):
    figure, grid = style.new_figure(1, 1)
    axes = grid[0, 0]
    x = np.linspace(0, 1, 50)
    axes.plot(x, x, color=style.FLOW, label="rising")
    axes.plot(x, 1 - x, "--", color=style.STABLE, label="falling")
    style.key_above(axes)
    spoil(figure, axes)
    return faults(figure)


def on_the_lines(figure, axes):
    axes.legend(loc="center")


def two_texts(figure, axes):
    axes.text(0.5, 0.1, "one text")
    axes.text(0.52, 0.1, "another")


def unnamed(figure, axes):
    axes.plot([0, 1], [0.3, 0.4], ":", color=style.INK)


def beyond_the_edge(figure, axes):
    figure.text(0.97, 0.5, "a text that runs out of the figure")


def unnamed_bars(figure, axes):
    axes.errorbar([0.2, 0.6], [0.4, 0.3], 0.05, color=style.UNSTABLE, capsize=2, linestyle="none")


def bars_of_a_line(figure, axes):
    axes.errorbar([0.2, 0.6], [0.2, 0.6], 0.05, color=style.FLOW, capsize=2, linestyle="none")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (on_the_lines, "lies on"),
        (two_texts, "overlap"),
        (unnamed, "in no key"),
        (unnamed_bars, "in no key"),
        (beyond_the_edge, "cut off"),
    ],
)
def test_each_fault_is_found(spoil, words):
    found = picture(spoil)
    assert found and all(words in fault for fault in found)


def test_a_good_picture_has_none():
    assert picture() == []


def test_error_bars_are_told_by_the_colour_of_their_line():
    assert picture(bars_of_a_line) == []
