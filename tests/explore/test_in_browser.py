"""The explorer driven in headless Chromium: every view, click, slider, export and copy."""

import os
import shlex
import signal
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import lindyn as ld

pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'lindyn[explore]'")

from lindyn.explore.live_session import REST_MS
from tests.explore import browser
from tests.explore.served import served

HEADS = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "csv": b"# lindyn "}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Saved files that a page may open."""
    root = tmp_path_factory.mktemp("runs")
    flow = ld.ModeFlow(ld.Hyperparameters(eta=0.02))
    start = ld.ModeState(p=np.array([0.2, 0.4]), s=np.array([0.1, 0.2]), tau=np.ones(2))
    ld.simulate(flow, start, t1=10.0).save(root / "run.nc")
    ld.sweep(eta=[0.01, 0.1], beta=[0.1, 1.0], t1=20.0).to_netcdf(root / "map.nc", engine="scipy")
    (root / "note.txt").write_text("no run")
    return root


@pytest.fixture(scope="module")
def chromium():
    browser.needs_browser()
    with browser.opened() as (context, asked):
        yield context, asked


@pytest.fixture(scope="module")
def started(folder):
    with served(folder) as one:
        yield one


@pytest.fixture
def tab(chromium, started):
    one = browser.ExplorerTab(chromium[0], started.address)
    yield one
    assert one.errors == []
    one.page.close()


def state(tab):
    return {name: texts[-1] for name, texts in parse_qs(urlsplit(tab.page.url).query).items()}


def dragged(tab, name, share):
    """Drag a slider and return its value once the address has it too; on its way there it may rest elsewhere."""
    tab.drag(f"dial-{name}", share)
    tab.settled("n => Math.abs(new URLSearchParams(location.search).get(n) - "
                "Bokeh.documents[0].get_model_by_name('dial-' + n).value) < 1e-4", name)  # fmt: skip
    return float(state(tab)[name])


def test_a_slider_moves_the_portrait_and_the_address(tab, chromium):
    eta = dragged(tab, "eta", 0.3)
    assert 0.12 < eta < 0.18 and tab.value("dial-eta") == pytest.approx(eta, rel=1e-4)
    tab.settled("w => Bokeh.documents[0].get_model_by_name('portrait-command').text.includes(w)", f"--eta {eta:.12g}")
    (asked,) = [chromium[1]]
    assert asked and all(url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "blob:", "data:")) for url in asked)


def test_the_page_of_an_address_shows_its_state(tab, started):
    tab.open(f"http://127.0.0.1:{started.port}/?eta=0.11&target=moving&beta=0.2&start=0.3,0.4")
    assert tab.value("dial-eta") == pytest.approx(0.11)
    assert tab.value("dial-target") == "moving"
    tab.settled("() => /0.3,0.4/.test(Bokeh.documents[0].get_model_by_name('portrait-command').text)")


def test_clicks_start_trajectories_and_undo_takes_them_back(tab):
    tab.click("portrait-figure", 0.4, 0.6)
    tab.settled("() => new URLSearchParams(location.search).getAll('start').length === 1")
    p, s = map(float, state(tab)["start"].split(","))
    assert abs(p - 0.4) < 0.02 and abs(s - 0.6) < 0.02
    tab.click("portrait-figure", -0.3, 0.2)
    tab.settled("() => new URLSearchParams(location.search).getAll('start').length === 2")
    tab.press("undo")
    tab.settled("() => new URLSearchParams(location.search).getAll('start').length === 1")
    tab.press("clear")
    tab.settled("() => !/start/.test(location.search)")


def test_a_click_on_the_map_sets_the_portrait(tab):
    tab.page.evaluate("Bokeh.documents[0].get_model_by_name('map-up').value = 'beta'")
    tab.settled("() => /up=beta/.test(location.search)")
    tab.click("map-figure", 0.2, -1.0)
    tab.settled("() => /eta=/.test(location.search)")
    found = state(tab)
    assert abs(float(found["eta"]) - 0.2) < 0.004 and 0.08 < float(found["beta"]) < 0.12
    assert tab.value("dial-eta") == pytest.approx(float(found["eta"]))
    command = tab.value("portrait-command", "text")
    assert f"--eta {float(found['eta']):.12g}" in command and f"--beta {float(found['beta']):.12g}" in command


def test_the_pointer_reads_values(tab):
    said = tab.point("portrait-figure", 0.9, 0.5, "dp/dt")
    assert "dp/dt" in said and "ds/dt" in said
    said = tab.point("map-figure", 0.28, 0.2, "final p")
    assert "collapsed" in said and "final p" in said


@pytest.mark.parametrize("name", ["portrait", "map"])
def test_exports_and_copies_of_the_first_view(name, tab):
    for ending, head in HEADS.items():
        called, content = tab.saved(f"{name}-{ending}")
        assert called == f"lindyn-{name}.{ending}" and content.startswith(head)
    assert tab.copied(f"{name}-copy-command").startswith("lindyn " + {"portrait": "phase", "map": "sweep"}[name])
    assert "from lindyn" in (text := tab.copied(f"{name}-copy-python")) or "import lindyn" in text


@pytest.mark.parametrize("view", ["modes", "bifurcation", "matrices", "normalised"])
def test_every_other_view_is_drawn_exported_and_copied(view, tab, command, tmp_path):
    tab.page.evaluate("Bokeh.documents[0].get_model_by_name('dial-eta').value = 0.01")
    tab.turn(view)
    words = f"() => Bokeh.documents[0].get_model_by_name('{view}-words').text.length > 60"
    tab.settled(words)
    for ending, head in HEADS.items():
        assert tab.saved(f"{view}-{ending}")[1].startswith(head)
    line = tab.copied(f"{view}-copy-command")
    (tmp_path / "seen.csv").write_bytes(tab.saved(f"{view}-csv")[1])
    more = ["--numbers", tmp_path / "n.csv"] if view == "bifurcation" else []
    assert command(*shlex.split(line)[1:], "--out", tmp_path / "out", *more)[0] == 0
    if view == "bifurcation":
        assert (tmp_path / "n.csv").read_text() == (tmp_path / "seen.csv").read_text()
    assert "lindyn" in tab.copied(f"{view}-copy-python")


def test_saved_files_are_opened_and_others_refused(tab):
    tab.turn("saved")
    for name in ("run.nc", "map.nc"):
        tab.page.evaluate("n => { Bokeh.documents[0].get_model_by_name('field-file').value = n }", name)
        tab.settled("n => Bokeh.documents[0].get_model_by_name('saved-command').text.includes(n)", name)
        assert tab.saved("saved-csv")[1].startswith(b"# lindyn explore")
    for name, said in (("../x.nc", "is not below the folder"), ("note.txt", "is no file that is shown here"),
                       ("no.nc", "There is no file no.nc below")):  # fmt: skip
        tab.page.evaluate("n => { Bokeh.documents[0].get_model_by_name('field-file').value = n }", name)
        tab.settled("w => Bokeh.documents[0].get_model_by_name('message').text.includes(w)", said)


def test_a_wrong_address_is_one_sentence_and_the_page_lives(tab, started):
    tab.open(f"http://127.0.0.1:{started.port}/?eta=7&nonsense=1")
    message = tab.value("message", "text")
    assert "eta must be at most 0.5; got 7" in message and "Unknown key" in message
    tab.drag("dial-alpha_p", 0.6)
    tab.settled("() => /alpha_p=/.test(location.search)")


def test_an_engine_that_is_killed_is_one_sentence_and_the_next_change_starts_another(tab, started):
    tab.turn("matrices")
    tab.settled("() => Bokeh.documents[0].get_model_by_name('matrices-words').text.length > 60")
    engines = workers(started.process.pid)
    assert len(engines) == 1
    os.kill(engines[0], signal.SIGSTOP)  # what it is asked for now cannot be done before it is killed
    tab.page.evaluate("Bokeh.documents[0].get_model_by_name('matrices-t1').value = 9999")
    tab.settled("() => Bokeh.documents[0].get_model_by_name('matrices-words').text.includes('computing')")
    os.kill(engines[0], signal.SIGKILL)
    tab.settled("() => Bokeh.documents[0].get_model_by_name('message').text.includes('the engine was ended')")
    tab.page.evaluate("Bokeh.documents[0].get_model_by_name('matrices-t1').value = 7")
    tab.settled("() => Bokeh.documents[0].get_model_by_name('matrices-words').text.includes('At t = 7')")


def workers(parent):
    """Return the engine processes of a server."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                owner = int(file.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{entry}/cmdline") as file:
                text = file.read()
        except (OSError, ValueError):
            continue
        if owner == parent and "spawn_main" in text:
            found.append(int(entry))
    return found


def test_a_server_that_is_gone_is_one_sentence_and_what_is_seen_stays(chromium):
    with served() as one:
        tab = browser.ExplorerTab(chromium[0], one.address)
        one.kill()
        tab.settled("() => document.getElementById('lindyn-lost') !== null")
        said = tab.page.inner_text("#lindyn-lost")
        assert said == (
            "The engine has stopped: start lindyn explore, or run the cell, again and reload; "
            "what is on the page stays."
        )
        tab.page.close()


def test_a_slider_is_followed_while_it_moves(tab):
    """Both panels, four times, and it never rested as long as the exact picture waits for."""
    values, pause = list(np.linspace(-0.5, 0.5, 7)), REST_MS / 8
    assert tab.redraws_while_moving("dial-alpha_p", values, 8, pause, most=browser.READY / 2) >= 8


@pytest.mark.parametrize("view", ["portrait", "modes", "bifurcation", "matrices", "normalised", "saved"])
def test_axe_finds_no_violation(tab, view):
    browser.needs_axe()
    if view != "portrait":
        tab.turn(view)
    named = "() => { const bare = node => [...node.querySelectorAll('*')].some(each => each.shadowRoot && " \
        "(each.shadowRoot.querySelector('.noUi-handle:not([aria-label]), .bk-spin-btn:not([aria-label])') || " \
        "bare(each.shadowRoot))); return !bare(document); }"  # fmt: skip
    tab.settled(named)
    assert browser.violations(tab.page) == []


@pytest.mark.parametrize("view", ["portrait", "matrices"])
def test_a_narrow_page_is_not_cut(view, tab):
    tab.page.set_viewport_size({"width": 1050, "height": 1000})
    if view != "portrait":
        tab.turn(view)
    tab.settled(f"() => document.documentElement.scrollWidth <= 1050 && ({browser.REACHES})() <= 1050")
    assert tab.page.evaluate(browser.REACHES) <= 1050


NOTEBOOK = """
import asyncio, sys
import lindyn as ld
async def cell():
    print(ld.explore.modes(t1=5.0)._repr_html_(), flush=True)
    await asyncio.Event().wait()
asyncio.run(cell())
"""


def test_a_view_in_a_notebook_is_live_and_needs_no_network(chromium, tmp_path):
    """A page of any other address stands for Jupyter's, whose port the view does not know."""
    context, asked = chromium
    with subprocess.Popen([sys.executable, "-c", NOTEBOOK], stdout=subprocess.PIPE, text=True) as kernel:
        try:
            page, before = context.new_page(), len(asked)
            (tmp_path / "cell.html").write_text(kernel.stdout.readline())
            page.goto((tmp_path / "cell.html").as_uri())
            frame = page.frames[1]
            frame.wait_for_function("() => window.Bokeh && Bokeh.documents.length > 0")
            frame.wait_for_function("() => Bokeh.documents[0].get_model_by_name('modes-words').text.includes('t = 5')")
            frame.evaluate("Bokeh.documents[0].get_model_by_name('modes-t1').value = 7")
            frame.wait_for_function("() => Bokeh.documents[0].get_model_by_name('modes-words').text.includes('t = 7')")
            assert all(url.startswith(("file:", "http://127.0.0.1:", "ws://127.0.0.1:")) for url in asked[before:])
            page.close()
        finally:
            kernel.kill()


def test_the_page_without_a_server(chromium, tmp_path):
    from lindyn.explore import write_page

    path = write_page(tmp_path / "page.html", {"eta": 0.1})
    context, asked = chromium
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    before = len(asked)
    page.goto(path.as_uri())
    page.wait_for_function("() => document.getElementById('command').textContent.includes('--eta 0.1')")
    page.locator("#portrait").click()
    page.wait_for_function("() => location.hash.includes('start=')")
    page.locator("#map").click()
    page.wait_for_function("() => location.hash.includes('eta=')")
    page.select_option("#target", "moving")
    page.wait_for_function("() => !document.getElementById('tau-figure').hidden")
    page.evaluate("location.hash = 'eta=9'")
    page.wait_for_function("() => document.getElementById('message').textContent.includes('eta must be between 0 and')")
    assert errors == [] and asked[before:] == [path.as_uri()]
    if browser.AXE:
        assert browser.violations(page) == []
    page.close()
