"""Pictures from Python: each takes data and Axes and returns the Axes, and refuses what it cannot draw."""

import matplotlib
import numpy as np
import pytest
import xarray
from matplotlib.axes import Axes

import lindyn as ld
from lindyn import phase, plotting
from lindyn.plotting import law_rows, style
from tests.pictures import faults


@pytest.fixture(autouse=True)
def _closed():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.fixture(scope="module")
def run():
    flow = ld.WeightFlow(ld.Hyperparameters(eta=0.04), ld.Moments.isotropic(8, 0.25))
    return ld.simulate(flow, ld.WeightState.random(4, 8), t1=20.0)


@pytest.fixture(scope="module")
def modes():
    y0 = ld.ModeState(p=np.array([0.4, 0.2]), s=np.array([0.2, 0.1]), tau=np.ones(2))
    return ld.simulate(ld.ModeFlow(ld.Hyperparameters(eta=0.04)), y0, t1=20.0)


@pytest.fixture(scope="module")
def swept():
    return ld.sweep(eta=np.linspace(0.01, 0.3, 9), beta=np.geomspace(0.01, 10, 7), p=[0.1, 0.3], t1=40.0)


ROWS = [
    law_rows.LawRow("law", "theory", (law_rows.LawReading(0.3, 0.2, 0.4, "holds"),), 0.5, (0.0, 1.0), "0.3; below 0.5"),
    law_rows.LawRow("other", "theory", (law_rows.LawReading(2.0, 1.5, 2.5, "fails"),), 0.5, (0.0, 1.0), "2; below 0.5"),
]


def drawn(run, swept):
    return {
        "portrait": lambda ax: plotting.portrait(phase.plane(eta=0.05), ax),
        "bifurcation": lambda ax: plotting.bifurcation(phase.plane(), ax),
        "sweep_map": lambda ax: plotting.sweep_map(swept, ax),
        "accessor": lambda ax: swept.lindyn.plot(ax),
        "plot": lambda ax: run.plot(ax),
        "spectrum": lambda ax: plotting.spectrum(run, ax),
        "alignment": lambda ax: plotting.alignment(run.final, ax),
        "findings": lambda ax: plotting.findings(ROWS, ax),
    }


NAMES = ("portrait", "bifurcation", "sweep_map", "accessor", "plot", "spectrum", "alignment", "findings")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(6.4, 4.6), (10.0, 7.0)])
def test_each_draws_on_the_axes_that_are_given(name, size, run, swept):
    with style.settings():
        figure = style.StyledFigure(figsize=size, layout="constrained")
        ax = figure.subplots()
    assert drawn(run, swept)[name](ax) is ax
    assert faults(figure) == []


@pytest.mark.parametrize("name", NAMES)
def test_each_makes_axes_of_its_own(name, run, swept):
    before = dict(matplotlib.rcParams)
    ax = drawn(run, swept)[name](None)
    assert isinstance(ax, Axes) and ax.has_data()
    assert dict(matplotlib.rcParams) == before


def test_a_notebook_shows_it():
    """A figure that is made while pyplot is interactive is drawn: the inline backend of a notebook goes by that."""
    from matplotlib import pyplot

    with pyplot.ion():
        assert matplotlib.is_interactive()
        with style.settings():
            assert matplotlib.is_interactive()
    with pyplot.ioff(), style.settings():
        assert not matplotlib.is_interactive()


@pytest.mark.parametrize("what", ["s", "p", "alignment", "tau", "asymmetry", "balance", "effective_rank"])
def test_every_quantity_of_a_run(what, run, modes):
    with style.settings():
        figure = style.StyledFigure(figsize=(7, 4.6), layout="constrained")
        ax = figure.subplots()
    run.plot(ax, what)
    assert ax.lines and faults(figure) == []
    if what in ("s", "p", "tau", "balance"):
        assert modes.plot(what=what).lines
    else:
        with pytest.raises(ValueError, match=f"{what} needs a run of matrices; got one of ModeFlow"):
            modes.plot(what=what)


def test_the_values_drawn_are_the_run_s(run, modes):
    ax = run.plot()
    assert np.allclose(ax.lines[0].get_ydata(), ld.observables.spectrum_F(run)[:, 0])
    assert np.allclose(modes.plot(what="p").lines[1].get_ydata(), modes.states.p[:, 1])


def test_a_map_from_a_file_has_the_accessor_and_draws_categories(swept, tmp_path):
    swept.isel(p0=0).to_netcdf(tmp_path / "map.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "map.nc", engine="scipy") as kept:
        ax = kept.lindyn.plot()
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "collapsed" in words and "alive" in words


def test_a_film_of_a_run(run, modes):
    film = plotting.animate(modes, frames=5)
    frames = list(film.new_frame_seq())
    assert frames[0] == 0 and frames[-1] == len(modes) - 1
    film._func(frames[-1])
    assert np.allclose(film._fig.axes[0].lines[0].get_xdata()[-1], modes.states.p[-1, 0])
    film._draw_was_started = True  # it was looked at, as far as matplotlib can tell
    second = plotting.animate(run, frames=3)
    second._draw_was_started = True
    assert len(second._fig.axes[0].lines) == 8


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda run: run.plot(what="q"), "what must be one of 's', 'p'"),
        (
            lambda run: plotting.sweep_map(xarray.Dataset()),
            "sweep_map needs a Dataset of lindyn.sweep; got one of none",
        ),
        (lambda run: plotting.sweep_map(ld.sweep(eta=[0.1, 0.2], beta=0.4)), "sweep_map needs two axes; got 1"),
        (lambda run: plotting.animate(run, frames=1), "frames must be a whole number >= 2; got 1"),
        (lambda run: plotting.bifurcation(phase.plane(eta=0.05), what=1), "unexpected keyword"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, words, run):
    with pytest.raises((ValueError, TypeError), match=words):
        call(run)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'portrat'"):
        plotting.portrat


@pytest.mark.parametrize("name", ["portrait", "bifurcation", "sweep_map", "trajectory", "animate"])
@pytest.mark.parametrize("wrong", [3, None])
def test_a_picture_of_something_else_is_one_sentence(name, wrong):
    with pytest.raises(ValueError, match=rf"^{name} needs .*; got {type(wrong).__name__}\.$"):
        getattr(plotting, name)(wrong)
