"""The page's session without a browser: what changes, what is drawn, what is said, what goes back."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'lindyn[explore]'")
from bokeh.document import Document

import lindyn as ld
from lindyn import phase
from lindyn.explore.explorer_options import AXES, DIALS
from lindyn.explore.run_panels import MOST_LETTERS
from lindyn.sweeps.axes import KNOWN


def view(name="portrait", **values):
    document = Document()
    made = getattr(ld.explore, name)(**values)
    return document, made.fill(document)


def settle(document):
    """Run what waits for its time, until nothing waits."""
    for _ in range(50):
        waiting = list(document.session_callbacks)
        if not waiting:
            return
        for one in waiting:
            if one in document.session_callbacks:
                document.callbacks.remove_session_callback(one)
                one.callback()


def at(x, y):
    return SimpleNamespace(x=x, y=y)


def test_a_slider_sketches_first_and_then_draws_exactly():
    document, session = view()
    slider = document.get_model_by_name("dial-eta")
    exact = session.panels["portrait"].data
    slider.value = 0.12
    assert session.values["eta"] == 0.12
    drafts = [one for one in document.session_callbacks if one.timeout < 100]
    assert len(drafts) == 1  # however often it moves
    slider.value = 0.13
    assert len([one for one in document.session_callbacks if one.timeout < 100]) == 1
    settle(document)
    shown = session.panels["portrait"].data.portrait
    assert shown.system.eta_s == 0.13 and shown.fixed.complete and exact is not session.panels["portrait"].data
    assert "eta=0.13" in session.address.data["query"][0]


@pytest.mark.parametrize("dial", DIALS, ids=lambda dial: dial.name)
def test_every_slider_sets_its_quantity(dial):
    document, session = view(target="moving")
    slider = document.get_model_by_name(f"dial-{dial.name}")
    slider.value = slider.start + 0.25 * (slider.end - slider.start)
    want = 10**slider.value if dial.log else slider.value
    assert session.values[dial.name] == pytest.approx(want, rel=1e-4)
    session.change({dial.name: dial.high})
    assert slider.value == pytest.approx(slider.end)


def test_clicks_start_trajectories_and_go_back_one_by_one():
    document, session = view(eta=0.15)
    plane = session.panels["portrait"]
    plane._clicked(at(-0.1, 0.3))
    plane._clicked(at(0.01, 0.001))
    plane._clicked(at(0.01, -0.1))  # below the floor: nothing
    settle(document)
    assert [path.fate for path in plane.data.paths[1:]] == ["alive", "collapsed"]
    assert list(plane.starts.data["fate"])[1:] == ["lives", "collapses"]
    session.undo()
    settle(document)
    assert session.values["start"] == ["-0.1,0.3"] and len(plane.data.paths) == 2
    session.undo()
    session.undo()
    settle(document)
    assert session.values["start"] == []


def test_a_click_on_the_map_sets_the_portrait_to_its_cell():
    document, session = view(target="moving", up="beta", up_range="log:0.01:10:31", across_range="0:0.3:31")
    board = session.panels["map"]
    board._clicked(at(0.1004, -1.02))
    settle(document)
    assert session.values["eta"] == pytest.approx(0.1) and session.values["beta"] == pytest.approx(0.1)
    shown = session.panels["portrait"].data.system
    assert (shown.eta_s, shown.beta) == (session.values["eta"], session.values["beta"])
    code = int(board.data["outcome"].sel(eta=session.values["eta"], beta=session.values["beta"], method="nearest"))
    fate = session.panels["portrait"].data.paths[0].fate
    assert {0: "collapsed", 1: "alive", 2: "alive"}[code] == fate
    session.undo()
    assert session.values["eta"] == 0.05


def test_a_moving_slider_that_is_an_axis_runs_no_sweep(monkeypatch):
    document, session = view()
    calls = []
    monkeypatch.setattr("lindyn.sweep", lambda **given: calls.append(given), raising=False)
    session.set(eta=0.11)
    settle(document)
    assert calls == [] and session.panels["map"].here.data["x"] == [0.11]


def test_what_is_out_of_range_is_one_sentence_and_changes_nothing():
    document, session = view()
    before = dict(session.values)
    assert not session.set(eta=9.0)
    assert session.values == before and "eta must be at most 0.5; got 9" in session.message.text
    board = document.get_model_by_name("map-across-range")
    board.value = "0.3:0:10"
    assert "reversed" in session.message.text and board.value == "0:0.3:100"
    session.set(eta=0.2)
    assert session.message.text == ""


def test_an_engine_that_fails_is_one_sentence_and_the_page_lives_on(monkeypatch):
    document, session = view()

    def broken(*given, **more):
        raise MemoryError("no room")

    monkeypatch.setattr("lindyn.commands.phase_pictures.solve_portrait", broken)
    session.set(eta=0.2)
    settle(document)
    assert "The portrait could not be computed (MemoryError: no room)" in session.message.text
    monkeypatch.undo()
    session.set(eta=0.1)
    settle(document)
    assert session.message.text == "" and session.panels["portrait"].data.portrait.system.eta_s == 0.1


def test_an_axis_that_is_the_other_one_changes_places():
    document, session = view()
    document.get_model_by_name("map-across").value = "p"
    settle(document)
    assert (session.values["across"], session.values["up"]) == ("p", "eta")
    document.get_model_by_name("map-up").value = "beta"
    assert session.values["target"] == "moving"
    document.get_model_by_name("dial-target").value = "held"
    assert session.values["up"] != "beta"


def test_every_two_parameters_have_a_map():
    document, session = view(target="moving")
    board = session.panels["map"]
    for across, up in itertools.combinations(AXES, 2):
        session.set(across=across, up=up, across_range=None, up_range=None)
        settle(document)
        assert session.message.text == "", (across, up)
        assert board.data["outcome"].size == 100 * 100 and set(board.data["outcome"].dims) == labels(across, up)
        board.numbers(session.values)


def labels(*names):
    return {KNOWN[name].label for name in names}


def test_a_zoom_solves_the_window_again():
    document, session = view()
    plane = session.panels["portrait"]
    plane._zoomed(SimpleNamespace(x0=-0.1, x1=0.3, y0=-0.01, y1=0.1))
    settle(document)
    assert plane.data.portrait.box == ((-0.1, 0.3), (0.0, 0.1))
    assert plane.data.portrait.nullclines[0].points[:, 0].max() <= 0.3


def test_a_view_takes_a_system():
    shown = ld.explore.portrait(phase.ema(eta=0.03, beta=0.2, x_aug=0.5))
    assert repr(shown) == "LiveView('portrait', eta=0.03&x_aug=0.5&beta=0.2&target=moving)"
    with pytest.raises(ValueError, match="The explorer has one weight decay; got eta_p"):
        ld.explore.portrait(phase.plane(eta_p=0.1, eta_s=0.2))
    with pytest.raises(ValueError, match="eta must be at most"):
        ld.explore.bifurcation(eta=3.0)


def test_a_view_shows_its_text_where_no_kernel_answers():
    assert ld.explore.portrait()._repr_html_() is None


@pytest.mark.parametrize("name", ["modes", "matrices", "normalised"])
def test_the_titles_of_small_figures_fit(name):
    _, session = view(name, t1=5.0)
    titles = [plot.title.text for plot in session.panels[name].figures if plot.visible]
    assert any(titles) and max(len(line) for title in titles for line in title.split("\n")) <= MOST_LETTERS


def test_a_sketch_is_near_the_portrait():
    for system in (phase.plane(eta=0.05), phase.plane(eta=0.15, tau=0.9, alpha_p=2.0), phase.plane(eta=0.3)):
        quick, exact = phase.sketch(system), phase.portrait(system)
        assert quick.box == exact.box
        assert [p.stability for p in quick.fixed.points] == [p.stability for p in exact.fixed.points]
        for one, two in zip(quick.fixed.points, exact.fixed.points, strict=True):
            assert np.allclose(one.point, two.point, atol=1e-10)
        if exact.edge is not None:
            p, s = quick.edge.T
            near = np.interp(p, *exact.edge.T)
            assert np.max(np.abs(s - near)) < 2e-3 * exact.box[1][1]
        assert np.all(np.isfinite(quick.lines))
    assert phase.sketch(phase.plane(eta=0.0)).fixed.lines  # without decay it is the portrait itself
