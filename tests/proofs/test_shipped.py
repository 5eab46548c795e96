"""The proofs are fed with the functions that ship: damaging any of them turns a proof red."""

import pytest
import sympy

from lindyn.equations import closed_form, correlation, modes, target
from lindyn.predictors import arrays, spectral
from lindyn.predictors.arrays import Modes
from lindyn.proofs import statement_named
from lindyn.proofs.symbolic_arrays import SymbolArray, larger
from lindyn.theory import certain_collapse, jacobians, regression_equilibria, stationary_points, transit


def doubled(function):
    return lambda *args, **more: 2 * function(*args, **more)


def entry_doubled(row, column):
    def damage(function):
        def damaged(*args):
            rows = function(*args)
            rows[row][column] = 2 * rows[row][column]
            return rows

        return damaged

    return damage


def of_kind(wanted):
    """Double one branch of a function whose first argument names it."""

    def damage(function):
        return lambda kind, *args, **more: function(kind, *args, **more) * (2 if kind == wanted else 1)

    return damage


def coefficient(point, which, moving):
    """Double one coefficient of a characteristic polynomial."""

    def damage(function):
        def damaged(kind, *args, beta=None, **more):
            found = function(kind, *args, beta=beta, **more)
            if kind == point and (beta is not None) == moving:
                found[which] = 2 * found[which] + 1
            return found

        return damaged

    return damage


SLOW, BASIN = pytest.mark.slow, "beyond.basin_without_decay"
JACOBIANS = [
    pytest.param(jacobians, "characteristic", coefficient(point, which, moving), "beyond.jacobians", marks=SLOW)
    for point, moving, which in (
        ("zero", False, 1), ("zero", True, 3), ("alive", False, 2), ("alive", True, 2), ("dead_branch", False, 1),
        ("dead_branch", True, 1), ("alive_branch", False, 1), ("alive_branch", True, 2),
    )
]  # fmt: skip
CASES = [
    (stationary_points, "critical_of", doubled, "tian.critical_decay"),
    (stationary_points, "roots_of", lambda f: lambda *args: f(*args)[::-1], "tian.p_minus_monotone"),
    (stationary_points, "roots_of", lambda f: lambda eta, *args: f(2 * eta, *args), "tian.fixed_points"),
    (stationary_points, "roots_of", lambda f: lambda *a: (2 * f(*a)[0], f(*a)[1]), "closed_form.direct_set"),
    (stationary_points, "size_of", lambda f: lambda p, ratio, a: f(p, 2 * ratio, a), "tian.fixed_points"),
    *((stationary_points, "jacobian_of", entry_doubled(k // 2, k % 2), "tian.stability") for k in range(4)),
    (stationary_points, "ends_dead", lambda f: lambda p, *args: f(-p, *args), BASIN),
    (stationary_points, "ends_dead", lambda f: lambda p, s, a, c, v: f(p, s, a, 2 * c, v), BASIN),
    (stationary_points, "ends_dead", lambda f: lambda p, s, *args: f(p, 2 * s, *args), BASIN),
    *(
        pytest.param(transit, "antiderivative", of_kind(kind), "beyond.time_on_the_parabola", marks=SLOW)
        for kind in ("below", "critical", "above", "no_decay", "no_drive")
    ),
    pytest.param(transit, "bottleneck_time", doubled, "beyond.time_past_the_critical_decay", marks=SLOW),
    (jacobians, "characteristic", coefficient("alive", 1, True), "beyond.no_oscillations"),
    (jacobians, "characteristic", coefficient("alive", 2, False), "beyond.no_oscillations"),
    *JACOBIANS,
    pytest.param(jacobians, "tau_at_collapse", doubled, "beyond.jacobians", marks=SLOW),
    (regression_equilibria, "departure_rate", doubled, "closed_form.regression_linear"),
    (certain_collapse, "moving_target_decay", lambda f: lambda *a: (2 * f(*a)[0], f(*a)[1]), "tian.critical_decay_ema"),
    (certain_collapse, "moving_target_decay", lambda f: lambda *a: (f(*a)[0], 2 * f(*a)[1]), "tian.critical_decay_ema"),
    (correlation, "target_branch", doubled, "tian.reduction_no_stop_gradient"),
    (modes, "target_branch", doubled, "tian.reduction_no_stop_gradient"),
    (target, "gamma_at", doubled, "grill.tau_schedule"),
    (closed_form, "neumann", lambda f: lambda F, H: f(F, H) + H, "closed_form.neumann_mode"),
    (closed_form, "shifted_power", lambda f: lambda q, power, e: f(q, 2 * power, e), "closed_form.direct_set"),
    (spectral, "_offset", lambda f: lambda s, c: f(s, -c), "closed_form.direct_set_core"),
    (spectral, "_norm", lambda f: lambda s, kind: f(s, "max"), "closed_form.direct_set_core"),
    (arrays, "eigen", lambda f: lambda F: f(F)._replace(s=-f(F).s), "closed_form.direct_set_core"),
    (arrays, "trace", doubled, "closed_form.direct_pred_core"),
    (arrays, "identity", lambda f: lambda M: 2 * f(M), "closed_form.direct_pred_core"),
    (closed_form, "regression_eigenvalue", lambda f: lambda h, s: f(s, h), "closed_form.regression_core"),
    (arrays, "positive", lambda f: lambda norm: f(norm) * f(norm), "closed_form.iteration_cores"),
    (arrays, "frobenius", doubled, "closed_form.iteration_cores"),
    (closed_form, "visser_step", lambda f: lambda P, F, h: f(P, F, h) + F, "closed_form.iteration_cores"),
    (closed_form, "newton_schulz_step", lambda f: lambda A, B, I: (A, 2 * f(A, B, I)[1]), "closed_form.stiefel_core"),
    (closed_form, "ridge", lambda f: lambda P, a, I: f(P, 2 * a, I), "closed_form.ridge"),
    (Modes, "__matmul__", lambda f: lambda self, other: self + other, "closed_form.neumann_mode"),
    (Modes, "__sub__", lambda f: lambda self, other: self + other, "closed_form.neumann_mode"),
]  # fmt: skip


@pytest.mark.parametrize(("home", "name", "damage", "statement"), CASES)
def test_a_damaged_function_turns_a_proof_red(home, name, damage, statement, monkeypatch):
    monkeypatch.setattr(home, name, damage(getattr(home, name)))
    try:
        proof = statement_named(statement).prove()
    except (TypeError, ValueError):  # it does not even come to a proof
        return
    assert not proof.holds, f"{statement} is proved with a damaged {name}"


def test_a_branch_is_decided_by_the_assumptions_or_not_at_all():
    s, d = sympy.symbols("s d", positive=True)
    assert larger(s + d, s) and not larger(s, s + d) and not larger(s, s)
    with pytest.raises(ValueError, match="the assumptions do not say whether 2\\*s > d"):
        larger(2 * s, d)
    two = SymbolArray((s, s + d))
    xp = two.__array_namespace__()
    assert xp.max(two).entries == (s + d,) and xp.argsort(-two).entries == (1, 0)
    assert xp.where(two > s, two, xp.zeros_like(two)).entries == (0, s + d)
    assert (1 - two / 0.25).entries == (1 - 4 * s, 1 - 4 * (s + d))
    with pytest.raises(ValueError, match="do not say"):
        spectral.direct_set.core(Modes(SymbolArray(sympy.symbols("u v", positive=True))), eps=0.1)
