"""Three wrong theories: every figure that uses the line has a claim that each of them fails."""

import pytest

from lindyn.equations import correlation, cosine, matrices, modes, target, weights
from lindyn.papers import figure_scripts
from lindyn.solve.lanes import compiled, kernel
from tests.figures.conftest import HALVAGAL, SMALL

GALLERY = {
    1: {"points": 40}, 2: {"points": 40}, 3: {"rates": 9, "starts": 20}, 4: {}, 5: {"starts": 10},
}  # fmt: skip
SIZES = {"tian2021": SMALL, "gallery": GALLERY, "halvagal2023": HALVAGAL}


def no_growth(tau, growth, beta):
    """The target's ratio without the growth of the online network."""
    return beta * (1 - tau) + 0 * tau * growth


def bare_rate(p, s, D, alpha_p, eta_p, eta_s, x, x_aug):
    """K of a mode without alpha_p/2 and with one half of the decay."""
    return (x + x_aug) * s - p * D + (eta_s + eta_p) / 2


def bare_K(W_p, F, tau, alpha_p, eta_p, eta_s, x, x_aug, I):
    """The same for matrices."""
    return (x + x_aug) * (F + W_p @ W_p) - x * tau * W_p + (eta_s + eta_p) / 2 * I


def turned(function):
    return lambda *args: -function(*args)


WRONG = {
    "the growth term of tau dropped": [(target, "dtau", lambda plain: no_growth)],
    "K's factors dropped": [(modes, "alignment_rate", lambda plain: bare_rate), (matrices, "K", lambda plain: bare_K)],
    "sign of the target branch": [
        (modes, "target_branch", turned), (correlation, "target_branch", turned), (weights, "target_branch", turned),
        (cosine, "closure_target_branch", turned), (cosine, "mode_target_drives", turned),
    ],
}  # fmt: skip
CASES = [
    ("the growth term of tau dropped", "tian2021", 5), ("the growth term of tau dropped", "gallery", 1),
    ("the growth term of tau dropped", "gallery", 3), ("the growth term of tau dropped", "gallery", 4),
    ("the growth term of tau dropped", "gallery", 5),
    ("K's factors dropped", "tian2021", 5), ("K's factors dropped", "tian2021", 9),
    ("K's factors dropped", "gallery", 4), ("sign of the target branch", "halvagal2023", 2),
]  # fmt: skip
"""The figures that use the line: of several modes with an EMA, of K, and without stop-gradient."""


def patched(theory, patch, used):
    """Put a wrong theory in the place of the right one, in flows and in compiled lanes; note in `used` who asks it."""
    for home, name, wrong in WRONG[theory]:
        function = wrong(getattr(home, name))

        def asked(*args, _function=function, _name=name, **more):
            used.add(_name)
            return _function(*args, **more)

        patch.setattr(home, name, asked)
        if hasattr(compiled.EQUATIONS, name):  # lanes read the equations where they are compiled
            patch.setattr(compiled.EQUATIONS, name, compiled.inlined(function))
    patch.setattr(kernel, "compile_kernel", lambda f, variant, cache=True: compiled.compile_kernel(f, variant, False))
    kernel.build.cache_clear()


@pytest.fixture(scope="module")
def wrong_theory(request):
    """One wrong theory at a time, its kernels compiled once and kept from the disk."""
    used = set()
    with pytest.MonkeyPatch.context() as patch:
        patched(request.param, patch, used)
        yield request.param, used
    kernel.build.cache_clear()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("wrong_theory", "paper", "number"), CASES, indirect=["wrong_theory"])
def test_a_wrong_theory_fails_a_claim(wrong_theory, paper, number):
    script = figure_scripts.load(figure_scripts.find(paper)[number])
    claims = script.check(script.compute(**SIZES[paper][number]))
    failed = [claim.text for claim in claims if not claim.as_expected]
    assert failed, f"{paper}, figure {number} comes out as expected with {wrong_theory[0]}"
