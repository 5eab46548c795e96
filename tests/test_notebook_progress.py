"""In a notebook progress is a bar of tqdm; elsewhere nothing of it is loaded."""

import sys
import types

import pytest

from lindyn import _progress


@pytest.fixture
def bars(monkeypatch):
    """Stand in for a notebook's kernel and for tqdm; give the bars that are made."""
    made = []

    class Bar:
        def __init__(self, **given):
            self.given, self.n, self.closed = given, 0.0, False
            made.append(self)

        def update(self, more):
            self.n += more

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    auto = types.ModuleType("tqdm.auto")
    auto.tqdm = Bar
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    monkeypatch.setattr(_progress, "INTERVAL", 0.0)
    return made


def test_a_run_is_a_bar(bars):
    progress = _progress.Progress("sweep", 8.0)
    progress(2.0)
    progress(6.0)
    (bar,) = bars
    assert bar.given["total"] == 8.0 and bar.given["desc"] == "sweep" and bar.n == 6.0
    progress.close()
    assert bar.closed


def test_without_tqdm_it_is_silent(bars, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    progress = _progress.Progress("sweep", 8.0)
    progress(2.0)
    progress.close()
    assert bars == [] and not progress.notebook


def test_elsewhere_there_is_no_bar(bars, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel")
    progress = _progress.Progress("sweep", 8.0)
    progress(2.0)
    assert bars == []
