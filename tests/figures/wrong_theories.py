"""Three wrong theories, and which figures ask for the lines that they damage: found out while a figure is computed."""

import contextlib
import sys
import types

import pytest

from lindyn.equations import correlation, cosine, matrices, modes, target, weights
from lindyn.flows import losses
from lindyn.solve.lanes import api, compiled, jax_engine, kernel, sign_change
from lindyn.sweeps import descent_kernel, matrix_kernel


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


def turned_beside(function):
    """Of a function that returns the target branch's part second, or None where the gradient is stopped."""

    def both(*args):
        rate, branch = function(*args)
        return rate, None if branch is None else -branch

    return both


WRONG = {
    "the growth term of tau dropped": [(target, "dtau", lambda plain: no_growth)],
    "K's factors dropped": [(modes, "alignment_rate", lambda plain: bare_rate), (matrices, "K", lambda plain: bare_K)],
    "sign of the target branch": [
        (modes, "target_branch", turned), (correlation, "target_branch", turned), (weights, "target_branch", turned),
        (cosine, "closure_target_branch", turned), (cosine, "mode_target_drives", turned),
        (losses, "_of_samples", turned_beside),
    ],
}  # fmt: skip
IN_LANES = {"alignment_rate": modes.alignment_rate, "dtau": target.dtau}
MODES, MATRICES, TAU = "modes.alignment_rate", "matrices.K", "target.dtau"
ASKED = {
    ("gallery", 1): {TAU, MODES}, ("gallery", 2): {MODES}, ("gallery", 3): {TAU, MODES}, ("gallery", 4): {TAU, MODES},
    ("gallery", 5): {TAU, MODES},
    ("halvagal2023", 2): {"modes.target_branch", "cosine.mode_target_drives", "losses._of_samples"},
    ("normalised", 2): {MODES}, ("richemond2023", 4): {TAU}, ("tian2021", 5): {TAU, MODES},
    ("tian2021", 9): {MATRICES},
}  # fmt: skip
"""What a figure asks for, of all figures; no other asks for any of the lines (`claims_of_figures.hold`)."""
UNMOVED = {"K's factors dropped": {("gallery", number) for number in (1, 2, 3, 5)}}
"""The figures that ask for a line and show nothing of it: lanes follow K, and the maps show p, s and the outcome."""


def line(home, name):
    """Return the name under which a line is listed."""
    return f"{home.__name__.rpartition('.')[2]}.{name}"


def asking(theory):
    """Return the figures that ask for one of the lines that a theory damages."""
    lines = {line(home, name) for home, name, _ in WRONG[theory]}
    return [figure for figure, asked in ASKED.items() if asked & lines]


def everywhere(patch, old, new):
    """Put a function in the place of another one wherever the package holds it, under whatever name."""
    for module in [module for name, module in sys.modules.items() if name.startswith("lindyn")]:
        for holder in (module, *(v for v in vars(module).values() if isinstance(v, types.SimpleNamespace))):
            for name in [name for name, value in vars(holder).items() if value is old]:
                patch.setattr(holder, name, new)


def forget(lanes=True):
    """Forget what was compiled or recorded from the equations."""
    caches = [matrix_kernel.recorded, descent_kernel.recorded, jax_engine.method_functions]
    for made in caches + [kernel.build, sign_change.build] * lanes:
        made.cache_clear()


def noting(function, name, asked):
    """Return the function; what is asked of it is noted, unless it has no target branch to give."""

    def noted(*args, **more):
        found = function(*args, **more)
        if not (isinstance(found, tuple) and found[-1] is None):
            asked.add(name)
        return found

    return noted


@contextlib.contextmanager
def noted():
    """Give a set that holds, at the end, the lines that were asked for; compiled lanes ask when they are sought."""
    asked, build = set(), kernel.build

    def sought(fixed_p, fixed_tau, cache=True):
        asked.update({MODES} if fixed_tau else {MODES, TAU})
        return build(fixed_p, fixed_tau, cache)

    assert api.build is build  # a module that is imported meanwhile would keep what is put in here
    forget(lanes=False)
    with pytest.MonkeyPatch.context() as patch:
        for rows in WRONG.values():
            for home, name, _ in rows:
                function = getattr(home, name)
                everywhere(patch, function, noting(function, line(home, name), asked))
        everywhere(patch, build, sought)
        yield asked
    forget(lanes=False)


@contextlib.contextmanager
def believed(theory):
    """Put a wrong theory in the place of the right one: in flows, in sweeps, in compiled lanes, which leave no file."""
    with pytest.MonkeyPatch.context() as patch:
        lanes = False
        for home, name, wrong in WRONG[theory]:
            function = getattr(home, name)
            damaged = wrong(function)
            everywhere(patch, function, damaged)
            if function is IN_LANES.get(name):  # lanes read the equations where they are compiled
                patch.setattr(compiled.EQUATIONS, name, compiled.inlined(damaged))
                lanes = True
        for module in (kernel, sign_change):
            patch.setattr(module, "compile_kernel", lambda f, variant, cache=True: in_memory(f, variant))
        forget(lanes)
        yield
    forget(lanes)


def in_memory(function, variant):
    return compiled.compile_kernel(function, variant, False)
