"""A headless Chromium of the machine, driven by playwright; a page of the explorer in a tester's words."""

import contextlib
import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("LINDYN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
AXE = os.environ.get("LINDYN_AXE", "")
READY = int(os.environ.get("LINDYN_BROWSER_MS", "60000"))  # ms
_AT = """([name, x, y]) => {
  const model = Bokeh.documents[0].get_model_by_name(name), view = Bokeh.index.find_one(model);
  view.el.scrollIntoView({block: 'center'});
  const box = view.el.getBoundingClientRect();
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)];
}"""
_HANDLE = """name => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name));
  const box = view.shadow_el.querySelector('.noUi-handle').getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""
_TRACK = """name => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name));
  const box = view.shadow_el.querySelector('.noUi-base').getBoundingClientRect();
  return [box.x, box.width];
}"""
_BUTTON = """name => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name));
  view.shadow_el.querySelector('button').click();
}"""
_TOOLTIP = """() => {
  const out = [];
  const walk = node => {
    for (const each of node.querySelectorAll('*')) {
      const inner = each.shadowRoot && each.shadowRoot.querySelector('.bk-tooltip-content');
      if (each.classList.contains('bk-Tooltip') || inner) out.push((inner || each).textContent);
      if (each.shadowRoot) walk(each.shadowRoot);
    }
  };
  walk(document);
  return out.join(' ');
}"""
REACHES = """() => {
  let right = 0;
  const walk = node => {
    for (const each of node.querySelectorAll('*')) {
      if (!each.classList.contains('bk-GlyphRenderer')) right = Math.max(right, each.getBoundingClientRect().right);
      if (each.shadowRoot) walk(each.shadowRoot);
    }
  };
  walk(document);
  return right;
}"""
"""How far to the right something stands, px; bokeh's box of a curve holds nothing, and may lag behind its figure."""
_TIME = """async ([name, values, redraws]) => {
  const doc = Bokeh.documents[0], slider = doc.get_model_by_name(name), drawn = doc.get_model_by_name('drawn');
  const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
  const out = [];
  for (const value of values) {
    const began = performance.now();
    const ends = await new Promise(done => {
      const times = [];
      const one = () => frame().then(() => {
        times.push(performance.now() - began);
        if (times.length === redraws) { drawn.properties.data.change.disconnect(one); done(times); }
      });
      drawn.properties.data.change.connect(one);
      slider.value = value;
    });
    out.push(ends);
    for (let seen = -1; seen !== drawn.data.count[0];) {  // until the exact picture is there, and nothing more comes
      seen = drawn.data.count[0];
      await new Promise(done => setTimeout(done, 700));
    }
  }
  return out;
}"""

_MOVING = """async ([name, values, redraws, pause, most]) => {
  const doc = Bokeh.documents[0], slider = doc.get_model_by_name(name), drawn = doc.get_model_by_name('drawn');
  let seen = 0;
  const one = () => { seen += 1; };
  drawn.properties.data.change.connect(one);
  const began = performance.now();
  for (let k = 0; seen < redraws && performance.now() - began < most; k += 1) {
    slider.value = values[k % values.length];
    await new Promise(done => setTimeout(done, pause));
  }
  drawn.properties.data.change.disconnect(one);
  return seen;
}"""


def needs_browser():
    """Skip, saying why, where no browser can be driven."""
    pytest.importorskip("playwright", reason="playwright is not installed: pip install 'lindyn[test]'")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")


def needs_axe():
    """Skip, saying why, where the rules of accessibility are not on this machine."""
    if not os.path.isfile(AXE):
        pytest.skip("no axe-core: npm install axe-core, and LINDYN_AXE=.../axe.min.js")


def violations(page):
    """Return what axe-core finds on a page, a line each."""
    with open(AXE, encoding="utf-8") as file:
        page.evaluate(file.read())
    told = "v => v.id + ': ' + v.help + ' ' + v.nodes[0].html"
    return page.evaluate(f"async () => (await axe.run()).violations.map({told})")


@contextlib.contextmanager
def opened(width=1500, height=1000):
    """Give a browser context that may read the clipboard, and the addresses that it has asked for."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
            context.set_default_timeout(READY)
            asked = []
            context.on("request", lambda request: asked.append(request.url))
            yield context, asked
        finally:
            browser.close()


class ExplorerTab:
    """A page of the explorer."""

    def __init__(self, context, address):
        origin = "/".join(address.split("/")[:3])
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=origin)
        self.page = context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open(address)

    def open(self, address):
        self.page.goto(address)
        self.page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0", timeout=READY)
        self.drawn(1)

    def count(self):
        return self.page.evaluate("Bokeh.documents[0].get_model_by_name('drawn').data.count[0]")

    def drawn(self, least):
        """Wait until so many panels were drawn."""
        ready = "n => Bokeh.documents[0].get_model_by_name('drawn').data.count[0] >= n"
        self.page.wait_for_function(ready, arg=least, timeout=READY)

    def value(self, name, attribute="value"):
        return self.page.evaluate(f"name => Bokeh.documents[0].get_model_by_name(name).{attribute}", name)

    def settled(self, holds, arg=None):
        """Wait until a JavaScript statement holds."""
        self.page.wait_for_function(holds, arg=arg, timeout=READY)

    def drag(self, name, share):
        """Drag the handle of a slider to a share of its track, as a mouse does."""
        (x, y), (left, width) = self.page.evaluate(_HANDLE, name), self.page.evaluate(_TRACK, name)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(left + share * width, y, steps=8)
        self.page.mouse.up()

    def click(self, figure, x, y):
        """Click a figure at a place of its axes."""
        self.page.mouse.click(*self.page.evaluate(_AT, [figure, x, y]))

    def point(self, figure, x, y, awaited):
        """Move the pointer there and return what the tooltip says, once it says what is awaited."""
        place = self.page.evaluate(_AT, [figure, x, y])

        def asked():
            self.page.mouse.move(place[0] - 3, place[1] - 3)
            self.page.mouse.move(*place, steps=3)
            return self.page.evaluate(_TOOLTIP)

        return self.asked_until(asked, lambda said: awaited in said)

    def asked_until(self, asked, holds):
        """Ask again and again and return the answer that holds, or the last one."""
        for _ in range(READY // 100):
            if holds(answer := asked()):
                break
            self.page.wait_for_timeout(100)
        return answer

    def press(self, name):
        self.page.evaluate(_BUTTON, name)

    def saved(self, name):
        """Press an export and return (name, content) of what is downloaded."""
        with self.page.expect_download(timeout=READY) as waiting:
            self.press(name)
        download = waiting.value
        with open(download.path(), "rb") as file:
            return download.suggested_filename, file.read()

    def copied(self, name):
        """Press a copy button and return the clipboard."""
        self.page.evaluate("navigator.clipboard.writeText('')")
        self.press(name)
        text = self.asked_until(lambda: self.page.evaluate("navigator.clipboard.readText()"), bool)
        assert text, "nothing was copied"
        return text

    def turn(self, view):
        """Turn to a view, and wait until it is drawn."""
        before = self.count()
        titles = {"portrait": 0, "modes": 1, "bifurcation": 2, "matrices": 3, "normalised": 4, "saved": 5}
        self.page.evaluate("k => { Bokeh.documents[0].get_model_by_name('views').active = k }", titles[view])
        self.settled("n => Bokeh.documents[0].get_model_by_name(n) !== null", f"{view}-words")
        self.drawn(before + 1)

    def time_redraws(self, slider, values, redraws):
        """Return ms from the slider to each redraw on the screen, a row for each value."""
        return self.page.evaluate(_TIME, [slider, values, redraws])

    def redraws_while_moving(self, slider, values, redraws, pause, most):
        """Return how many redraws, `redraws` at the most, come while a slider never rests for longer than `pause` ms.

        It goes through `values` again and again, `most` ms at the most.
        """
        return self.page.evaluate(_MOVING, [slider, values, redraws, pause, most])
