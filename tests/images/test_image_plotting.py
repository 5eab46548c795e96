"""The figure of a survival study shows what the study holds."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.images import study_images, survival_study
from lindyn.plotting.survival_map import draw_directions, draw_survival


@pytest.fixture(scope="module")
def study():
    return study_images("digits", ld.Hyperparameters(eta=0.04), n2=16, t1=300.0)


def draw(study, panels):
    figure = Figure(figsize=(13, 4), layout="constrained")
    axes = figure.subplots(1, panels)
    draw_survival(study, axes)
    FigureCanvasAgg(figure).draw()
    return figure, axes


def by_label(ax, start):
    return next(line for line in ax.lines if str(line.get_label()).startswith(start))


def test_three_panels_hold_the_numbers_of_the_study(study):
    _, axes = draw(study, 3)
    measured, predicted = by_label(axes[0], "measured"), by_label(axes[0], "predicted from")
    assert np.array_equal(measured.get_ydata(), study.full.spectrum[: len(measured.get_ydata())])
    assert np.array_equal(predicted.get_ydata(), study.predicted_spectrum[: len(predicted.get_ydata())])
    survived, died = by_label(axes[1], "survived"), by_label(axes[1], "died")
    assert (survived.get_xdata() - 1).tolist() == np.flatnonzero(study.full.survived).tolist()
    assert np.allclose(survived.get_ydata(), study.prediction.threshold[study.full.survived])
    assert not study.full.survived[died.get_xdata() - 1].any()
    assert by_label(axes[1], "$\\eta$").get_ydata()[0] == 0.04
    assert len(axes[2].images) == 12
    heavy = [patch.get_linewidth() > 2 for patch in axes[2].patches]
    assert heavy == study.full.survived[:12].tolist()
    assert np.array_equal(axes[2].images[3].get_array(), study.prediction.V[:, 3].reshape(8, 8))


def test_nothing_overlaps(study):
    figure, axes = draw(study, 3)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in axes]
    assert all(a.x1 <= b.x0 + 1 for a, b in itertools.pairwise(boxes))
    legend = axes[0].get_legend().get_window_extent(renderer)
    points = axes[0].transData.transform(np.column_stack(by_label(axes[0], "measured").get_data()))
    assert not any(legend.contains(*point) for point in points)


def test_data_that_are_no_pictures_show_shares():
    study = survival_study(ld.Moments.isotropic(5, 0.2), ld.Hyperparameters(eta=0.05), 3, t1=200.0)
    _, axes = draw(study, 3)
    assert np.allclose([bar.get_height() for bar in axes[2].patches], study.full.share)
    with pytest.raises(ValueError, match="study must come from images to draw its directions"):
        draw_directions(study, axes[2])


def test_two_panels_and_collapse(study):
    draw(study, 2)
    dead = survival_study(study.moments, ld.Hyperparameters(eta=0.5), 4)
    _, axes = draw(dead, 2)
    assert len(by_label(axes[1], "survived").get_xdata()) == 0


def test_wrong_number_of_axes(study):
    with pytest.raises(ValueError, match=r"axes must be 2 or 3 Axes; got 1. Use figure.subplots"):
        draw_survival(study, Figure().subplots())
