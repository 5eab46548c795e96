"""Every figure computed once on a reduced problem; its thresholds are those of the full one."""

import functools

import numpy as np
import pytest

from lindyn.papers import figure_scripts, second_route
from tests.figures import wrong_theories

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
NORMALISED = {
    1: {"learning_rate": (0.05, 0.0125), "batch": (256, 1024), "runs": 2, "t1": 1.6, "times": 5},
    2: {"points": 6},
    3: {"depth": (1, 3), "eps": (1e-6, 1e-5, 1e-4, 1e-2), "seeds": 1},
    4: {"learning_rate": (0.2, 0.1), "runs": 10, "faint": (0.1, 0.6, 1.0, 1.4), "t1": 300.0},
    5: {"learning_rate": (0.01, 0.4, 5), "eta": (1e-3, 0.1, 5), "small": 0.005},
}
DRAGANOV = {
    1: {"horizon": 200.0, "learning_rate": (0.5, 0.25, 0.125), "path_steps": 60, "noisy_steps": 12_000, "scales": 7},
    2: {"steps": 60, "cuts": 13, "deep_cuts": (1.0, 2.0, 3.0), "shown": (1.0, 9.0), "deep_rate": 0.002},
}
HALVAGAL = {
    2: {"steps_no_predictor": 20_000},  # of its own size: modes that compete amplify the noise of minibatches
    5: {"times": 121},
    6: {"steps": 1200},
}
BAO = {
    1: {"points": 200},
    2: {"steps": 1600, "times": 81},
}
GALLERY = {
    1: {"points": 40},
    2: {"points": 40},
    3: {"rates": 9, "starts": 20},
    4: {},
    5: {"starts": 10},
    6: {"beta": (0.02, 0.1, 20.0), "seeds": 60, "again": 4},
}


class Figures:
    """Scripts, their reduced data and which lines these ask for, made when first asked for."""

    def __init__(self, paper="tian2021", small=SMALL):
        self.paper, self.small = paper, small
        self.paths = figure_scripts.find(paper)
        self.script = {number: figure_scripts.load(path) for number, path in self.paths.items()}
        self._data, self._asked = {}, {}

    def data(self, number):
        if number not in self._data:
            with wrong_theories.noted() as self._asked[number]:
                self._data[number] = self.script[number].compute(**self.small[number])
        return self._data[number]

    def asked(self, number):
        """Return which of the lines that a wrong theory damages the figure asks for while it is computed."""
        self.data(number)
        return self._asked[number]


@pytest.fixture(scope="session")
def figures():
    return Figures()


@pytest.fixture(scope="session")
def richemond():
    return Figures("richemond2023", RICHEMOND)


@pytest.fixture(scope="session")
def normalised():
    return Figures("normalised", NORMALISED)


@pytest.fixture(scope="session")
def draganov():
    return Figures("draganov2025", DRAGANOV)


@pytest.fixture(scope="session")
def normalised_papers():
    return {"halvagal2023": Figures("halvagal2023", HALVAGAL), "bao2023": Figures("bao2023", BAO)}


@pytest.fixture(scope="session")
def gallery():
    return Figures("gallery", GALLERY)


def remembered(function):
    """Return a pure function of numbers and arrays that answers what it was asked before from memory."""
    answers = {}

    @functools.wraps(function)
    def asked(*args, **more):
        given = (*args, *(more[name] for name in sorted(more)))
        key = (len(args), *sorted(more), *((v if v is None else (np.shape(v), np.asarray(v).tobytes())) for v in given))
        if key not in answers:
            answers[key] = function(*args, **more)
        return answers[key]

    return asked


@pytest.fixture(scope="session", autouse=True)
def _second_route_once():
    """The printed equations, which no damage to data or theory touches, are integrated once for all tests of claims."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("mode_run", "lives", "edge_of_collapse", "matrix_ends"):
            patch.setattr(second_route, name, remembered(getattr(second_route, name)))
        yield
