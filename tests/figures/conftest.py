"""Every figure computed once on a reduced problem; its thresholds are those of the full one."""

import pytest

from lindyn.reproduction import scripts

SMALL = {
    3: {"lines": 12, "times": 60},
    4: {"starts": 12},
    5: {"step": 0.04, "steps": 2500, "kept": 201},
    7: {"eta": (0.0,), "gamma_a": (0.99, 0.996, 0.999), "runs": 8, "times": 41},
    8: {"eta": (0.001, 0.05), "tau": (0.3, 1.0), "times": 76},
    9: {"times": 101},
    10: {"arrows": 7},
}


class Figures:
    """Scripts and their reduced data, made when first asked for."""

    def __init__(self):
        self.paths = scripts.find("tian2021")
        self.script = {number: scripts.load(path) for number, path in self.paths.items()}
        self._data = {}

    def data(self, number):
        if number not in self._data:
            self._data[number] = self.script[number].compute(**SMALL[number])
        return self._data[number]


@pytest.fixture(scope="session")
def figures():
    return Figures()
