"""Every figure computed once on a reduced problem; its thresholds are those of the full one."""

import pytest

from lindyn.papers import figure_scripts

SMALL = {
    3: {"lines": 12, "times": 60},
    4: {"starts": 12},
    5: {"step": 0.04, "steps": 2500, "kept": 201},
    7: {"eta": (0.0,), "gamma_a": (0.99, 0.996, 0.999), "runs": 8, "times": 41},
    8: {"eta": (0.001, 0.05), "tau": (0.3, 1.0), "times": 76},
    9: {"times": 101},
    10: {"arrows": 7},
}
RICHEMOND = {
    1: {"runs": 3, "horizon": 120.0, "times": 25},
    2: {"runs": 8, "gamma_a": (0.9, 0.99, 0.999), "times": 31, "twin_runs": 2, "twin_gamma_a": (0.9, 0.996)},
    3: {"ridge_copy": (0.0, 0.15), "runs": 1, "shown": (0.0, 10.0), "horizon": 200.0},
    4: {"x_aug": (0.05, 0.6, 3.0), "times": 40},
    5: {"modes": 12},
    6: {"f": 8, "batches": (4, 16, 64), "samples": 64, "k": 2, "runs": 2},
}


class Figures:
    """Scripts and their reduced data, made when first asked for."""

    def __init__(self, paper="tian2021", small=SMALL):
        self.paper, self.small = paper, small
        self.paths = figure_scripts.find(paper)
        self.script = {number: figure_scripts.load(path) for number, path in self.paths.items()}
        self._data = {}

    def data(self, number):
        if number not in self._data:
            self._data[number] = self.script[number].compute(**self.small[number])
        return self._data[number]


@pytest.fixture(scope="session")
def figures():
    return Figures()


@pytest.fixture(scope="session")
def richemond():
    return Figures("richemond2023", RICHEMOND)
