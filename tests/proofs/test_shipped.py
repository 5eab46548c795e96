"""The proofs are fed with the functions that ship: damaging any of them turns a proof red."""

import pytest

from lindyn.equations import closed_form, correlation, modes, target
from lindyn.predictors.arrays import Modes
from lindyn.proofs import statement_named
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
