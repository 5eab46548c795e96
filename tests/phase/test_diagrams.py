"""Continuation: fold, transcritical, two parameters, no oscillation; against the closed forms and against bice."""

import numpy as np
import pytest
import sympy

from lindyn import phase, theory
from lindyn.phase.system import rates

SYSTEMS = [phase.plane(), phase.plane(tau=0.6, x_aug=1.1, alpha_p=4.0), phase.ema(), phase.ema(beta=0.03, x=2.0)]


def critical(system):
    return float(theory.critical_decay(system.rest_tau, system.x, system.x_aug))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_bifurcation_diagram(system):
    found = phase.bifurcation_diagram(system)
    want, fold = critical(system), found.fold
    assert fold.kind == "fold" and abs(fold.parameter - want) < 1e-12 * max(1, want)
    assert fold.bracket[0] <= want <= fold.bracket[1] and fold.precision < 1e-12
    assert np.abs(fold.eigenvalues.real).min() < 1e-7
    assert abs(found.transcritical.parameter) < 1e-12 and abs(found.transcritical.point[0]) < 1e-12
    assert found.transcritical.kind == "branch point"
    inside = (found.eta > 0) & (found.eta < 0.9999 * want)
    known = theory.fixed_points(found.eta[inside], tau=system.rest_tau, x=system.x, x_aug=system.x_aug)
    p = found.points[inside, 0]
    assert np.minimum(np.abs(p - known.p_minus), np.abs(p - known.p_plus)).max() < 1e-10
    np.testing.assert_array_equal(found.stable[inside], p > fold.point[0])
    assert found.residual < 1e-12
    np.testing.assert_array_equal(found.collapsed_eigenvalues < 0, found.collapsed_eta > 0)
    assert (np.sign(found.crossing[[0, -1], 1]) == [1, -1]).all()


def test_two_fixed_points_below_the_fold_and_none_above():
    fold = phase.find_fold(phase.plane()).parameter
    assert len(phase.find_fixed_points(phase.plane(fold * (1 - 1e-8))).points) == 3
    assert len(phase.find_fixed_points(phase.plane(fold * (1 + 1e-8))).points) == 1


@pytest.mark.parametrize(
    ("name", "values"), [("tau", [0.2, 0.5, 1.0]), ("x_aug", [0.0, 0.5, 3.0]), ("alpha_p", [0.1, 10.0])]
)
def test_the_fold_in_two_parameters(name, values):
    found = phase.fold_curve(phase.plane(), name, values)
    np.testing.assert_allclose(found.eta, found.closed_form, rtol=1e-8)
    np.testing.assert_allclose(found.eta, [critical(phase.plane().at(**{name: v})) for v in values], rtol=1e-12)


def test_the_independent_package_agrees(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    bice = pytest.importorskip("bice")
    system = phase.plane()

    class Mode(bice.Equation):
        def __init__(self):
            super().__init__()
            self.eta = 0.1
            self.u = phase.p_minus_of(system.at(eta=0.1)).point.copy()

        def rhs(self, u):
            return rates(u, system.values | {"eta_p": self.eta, "eta_s": self.eta})

        def jacobian(self, u):
            return system.at(eta=float(self.eta)).jacobian(u)

    problem, mode = bice.Problem(), Mode()
    problem.add_equation(mode)
    problem.continuation_parameter = (mode, "eta")
    problem.settings.neigs = 0
    stepper = problem.continuation_stepper
    stepper.ds, stepper.ds_max, stepper.convergence_tolerance, stepper.fd_epsilon = 5e-3, 0.01, 1e-12, 1e-6
    theirs = []
    for _ in range(100):
        problem.continuation_step()
        theirs.append([mode.eta, *problem.u])
    theirs = np.array(theirs)
    ours = phase.bifurcation_diagram(system, step=0.002)
    order = np.argsort(ours.points[:, 0])
    near = (theirs[:, 1] > 0.05) & (theirs[:, 1] < 0.78)
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(ours.points[order, 0], ours.eta[order])
    assert near.sum() > 60
    np.testing.assert_allclose(spline(theirs[near, 1]), theirs[near, 0], atol=1e-10)
    top = int(theirs[:, 0].argmax())
    around = slice(top - 2, top + 3)
    quartic = np.polyfit(theirs[around, 1] - theirs[top, 1], theirs[around, 0], 4)
    peak = np.roots(np.polyder(quartic))
    peak = peak[np.abs(peak).argmin()].real
    assert abs(np.polyval(quartic, peak) - ours.fold.parameter) < 1e-10


def test_no_oscillation_anywhere():
    # Routh-Hurwitz at p_+ and p_-, numbers at random and the signs in symbols
    rng = np.random.default_rng(5)
    for _ in range(300):
        alpha_p, beta, eta_p = np.exp(rng.uniform(-5, 5, 3))
        x_aug = rng.uniform(0, 2)
        eta_s = rng.uniform(0.01, 0.99) * theory.critical_decay(1.0, 1.0, x_aug)
        system = phase.ema(beta=beta, alpha_p=alpha_p, x_aug=x_aug, eta_p=eta_p, eta_s=eta_s)
        known = theory.fixed_points(eta_p=eta_p, eta_s=eta_s, x_aug=x_aug, alpha_p=alpha_p)
        margin, growth = phase.hopf_margin(system, [known.p_plus, known.s_plus, 1.0])
        assert margin > 0 and growth < 0
        _, growth = phase.hopf_margin(system, [known.p_minus, known.s_minus, 1.0])
        values = np.linalg.eigvals(system.jacobian([known.p_minus, known.s_minus, 1.0]))
        assert growth > 0 and (values.real > 0).sum() == 1


def test_the_coefficients_of_the_stability_polynomial_in_symbols():
    a, b, ep, es, x, v, p = sympy.symbols("alpha_p beta eta_p eta_s x v p", positive=True)
    u = v * p**2
    y = sympy.Matrix(sympy.symbols("P S T"))
    values = {"alpha_p": a, "beta": b, "eta_p": ep, "eta_s": es, "x": x, "x_aug": v - x}
    rate = sympy.Matrix(list(rates(list(y), values)))
    at = {y[0]: p, y[1]: ep / es * p**2 / a, y[2]: 1}
    J = rate.jacobian(y).subs(at).subs(x, (es + u) / p)
    assert rate.subs(at).subs(x, (es + u) / p).applyfunc(sympy.simplify) == sympy.zeros(3, 1)
    _, a2, a1, a0 = (sympy.simplify(c) for c in J.charpoly().all_coeffs())
    xp = es + u
    assert sympy.simplify(a2 - (ep * (1 + u / es) + b + xp)) == 0
    assert sympy.simplify(a1 - (2 * ep * xp + b * ep * (1 + u / es) + 2 * ep * (u - es))) == 0
    assert sympy.simplify(a0 - 2 * b * ep * (u - es)) == 0
    assert not (a2 * a1 * a0).has(a)  # alpha_p drops out


def test_bad_input():
    with pytest.raises(ValueError, match=r"the second parameter must be one of .* Did you mean 'x_aug'"):
        phase.fold_curve(phase.plane(), "xaug", [0.1, 0.2])
    with pytest.raises(ValueError, match="beta is no parameter of this system"):
        phase.fold_curve(phase.plane(), "beta", [0.1, 0.2])
    with pytest.raises(ValueError, match="tau must increase over two or more values"):
        phase.fold_curve(phase.plane(), "tau", [0.9, 0.2])
