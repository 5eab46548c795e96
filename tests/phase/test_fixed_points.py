"""Fixed points and nullclines: found on the flow, held against closed forms, counted by winding."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import phase, theory
from lindyn.phase.equilibria import classify, winding_number

PLANES = [
    {"eta": 0.05}, {"eta": 0.01, "alpha_p": 7.0}, {"eta": 0.199}, {"eta": 1e-4}, {"eta": 0.1, "tau": 0.8, "x": 1.3},
    {"eta_p": 0.001, "eta_s": 0.1}, {"eta_p": 0.4, "eta_s": 0.05, "x_aug": 0.0},
]  # fmt: skip
SPACES = [
    {"eta": 0.05},
    {"eta": 0.15, "beta": 3.0},
    {"eta_p": 0.002, "eta_s": 0.1, "beta": 0.05},
    {"eta": 0.01, "alpha_p": 9.0},
]


def make(given):
    return phase.ema(**given) if "beta" in given else phase.plane(**given)


def closed(system):
    return theory.fixed_points(
        eta_p=system.eta_p,
        eta_s=system.eta_s,
        tau=system.rest_tau,
        x=system.x,
        x_aug=system.x_aug,
        alpha_p=system.alpha_p,
    )


def test_the_rates_are_those_of_the_flow():
    rng = np.random.default_rng(0)
    p, s, tau = rng.normal(size=9), rng.uniform(0, 2, 9), rng.uniform(0, 2, 9)
    hp = ld.Hyperparameters(1.7, 0.3, eta_p=0.05, eta_s=0.11)
    for mode in ("dynamic", "constant"):
        flow = ld.ModeFlow(hp, x=1.2, x_aug=0.4, tau=mode)
        at = ld.ModeState(p=p, s=s, tau=tau if mode == "dynamic" else np.full(9, 0.7))
        rate = flow(0.0, at)
        if mode == "dynamic":
            system = phase.ema(beta=0.3, alpha_p=1.7, x=1.2, x_aug=0.4, eta_p=0.05, eta_s=0.11)
            np.testing.assert_array_equal(system(np.stack([p, s, tau])), np.stack([rate.p, rate.s, rate.tau]))
        else:
            system = phase.plane(tau=0.7, alpha_p=1.7, x=1.2, x_aug=0.4, eta_p=0.05, eta_s=0.11)
            np.testing.assert_array_equal(system(np.stack([p, s])), np.stack([rate.p, rate.s]))


def test_the_jacobian_is_the_derivative():
    for system, y in ((phase.plane(0.05), [0.3, 0.2]), (phase.ema(0.05), [0.3, 0.2, 0.8])):
        y, h = np.array(y), 1e-6
        numeric = np.stack([(system(y + h * e) - system(y - h * e)) / (2 * h) for e in np.eye(len(y))], axis=1)
        np.testing.assert_allclose(system.jacobian(y), numeric, atol=1e-9)
        slope = (system.at(eta=0.05 + h)(y) - system.at(eta=0.05 - h)(y)) / (2 * h)
        np.testing.assert_allclose(system.slope(y, "eta"), slope, atol=1e-9)


@pytest.mark.parametrize("given", [*PLANES, *({"beta": 0.4} | space for space in SPACES)])
def test_all_fixed_points_are_those_of_the_theory(given):
    system = make(given)
    found, known = phase.find_fixed_points(system), closed(system)
    assert found.complete and found.index == 1 and not found.lines
    alive = [point for point in found.points if point.point[1] > 0]
    np.testing.assert_allclose([q.point[0] for q in alive], [known.p_minus, known.p_plus], rtol=1e-10)
    np.testing.assert_allclose([q.point[1] for q in alive], [known.s_minus, known.s_plus], rtol=1e-9)
    assert [q.stability for q in alive] == ["saddle", "stable"]
    assert [q.unstable_dimensions for q in alive] == [1, 0]
    assert all(q.residual < 2e-12 and q.isolated for q in found.points)
    collapsed = [point for point in found.points if point.point[1] == 0]
    if system.beta is None:
        assert len(collapsed) == 1 and collapsed[0].stability == "stable"
        for name, point in zip(("zero", "minus", "plus"), found.points, strict=True):
            want = np.sort_complex(known.eigenvalues[name])[::-1]
            np.testing.assert_allclose(np.sort_complex(point.eigenvalues)[::-1], want, rtol=1e-10, atol=1e-13)
    else:
        np.testing.assert_allclose([q.point[2] for q in alive], 1.0, rtol=1e-12)


def test_the_collapsed_point_of_the_moving_target():
    # tau rests at beta / (beta - eta_s) while all collapses, and runs away when the target is slower than the decay
    (point,) = phase.find_fixed_points(phase.ema(0.3, beta=1.0)).points
    np.testing.assert_allclose(point.point, [0, 0, 1 / 0.7], atol=1e-14)
    np.testing.assert_allclose(np.sort(point.eigenvalues.real), [-0.7, -0.6, -0.3])
    assert point.stability == "stable"
    assert phase.find_fixed_points(phase.ema(0.3, beta=0.2)).points == ()
    slow = phase.follow_fates(phase.ema(0.3, beta=0.2), np.linspace(0.1, 1, 5), 0.3)
    assert slow.collapsed.all()


def test_classes_at_and_above_the_critical_decay():
    at = phase.find_fixed_points(phase.plane(0.2))
    assert [point.stability for point in at.points] == ["stable", "marginal"] and at.complete
    np.testing.assert_allclose(at.points[1].point, [0.4, 0.16], rtol=1e-7)
    assert [q.stability for q in phase.find_fixed_points(phase.ema(0.2)).points] == ["stable", "marginal"]
    above = phase.find_fixed_points(phase.plane(0.21))
    assert len(above.points) == 1 and above.complete and above.points[0].stability == "stable"


def test_a_focus_appears_with_separate_decays_only():
    kinds = {}
    for eta_p in (0.1, 0.02, 0.3):
        kinds[eta_p] = phase.find_fixed_points(phase.plane(eta_p=eta_p, eta_s=0.1)).of("stable")[-1].kind
    assert kinds == {0.1: "node", 0.02: "focus", 0.3: "node"}


def test_lines_of_fixed_points_without_decay():
    found = phase.find_fixed_points(phase.plane(0.0))
    assert found.points == () and found.complete is None and set(found.lines) == {"dead", "alive"}
    p = found.lines["dead"][:, 0]
    want = np.where((p > 1e-12) & (p < 0.8 - 1e-12), "unstable", "stable")
    keep = np.abs(p) > 1e-9
    np.testing.assert_array_equal(found.line_stability["dead"][keep], want[keep])
    assert (found.line_stability["alive"] == "stable").all()
    distance = np.minimum(np.abs(found.blind[:, 1]), np.abs(found.blind[:, 0] - 0.8))
    assert len(found.blind) > 100 and distance.max() < 1e-8
    moving = phase.find_fixed_points(phase.ema(0.0))
    for line in moving.lines.values():
        assert np.abs(phase.ema(0.0)(line.T)).max() < 1e-14
    dead = phase.find_fixed_points(phase.plane(eta_p=0.0, eta_s=0.1))
    p, words = dead.lines["dead"][:, 0], dead.line_stability["dead"]
    known = theory.fixed_points(0.1)
    np.testing.assert_array_equal(words == "unstable", (p > known.p_minus) & (p < known.p_plus))


def test_a_missed_point_would_be_noticed():
    system = phase.plane(0.05)
    whole = winding_number(system, [(-1.2, 1.2), (-0.1, 1.5)])
    saddle = winding_number(system, [(0.02, 0.3), (0.001, 0.1)])
    assert (whole, saddle) == (1, -1)
    with pytest.raises(ValueError, match="lies on the edge"):
        winding_number(system, [(0.0, 1.0), (0.0, 1.0)])
    off = classify(system, [0.054, 0.0029])
    assert off.residual > 1e-3


@pytest.mark.parametrize(
    "given", [*PLANES, {"eta": 0.0}, {"eta": 0.2}, {"eta": 0.5}, {"eta_p": 0.0, "eta_s": 0.1}, {"beta": 0.4}]
)
def test_nullclines_hold_on_their_whole_length(given):
    system = make(given)
    branches = phase.nullclines(system)
    assert all(branch.residual < 1e-13 for branch in branches)
    for branch in branches:
        inside = branch.points[np.isfinite(branch.points).all(axis=-1)]
        rate = system(inside.T)[system.names.index(branch.variable)]
        assert np.abs(rate).max() < 1e-12 and len(inside) > 10


@pytest.mark.parametrize("given", [*PLANES[:3], {"eta": 0.0}, {"eta": 0.5}, {"eta_p": 0.3, "eta_s": 0.1}])
def test_no_branch_of_a_nullcline_is_missing(given):
    system = phase.plane(**given)
    branches = phase.nullclines(system, n=4001)
    for variable in ("p", "s"):
        found = phase.nullclines_by_sign(system, variable)
        known = np.concatenate([b.points for b in branches if b.variable == variable])
        gap = np.abs((found[:, None] - known[None]) / system.scale).max(axis=2).min(axis=1)
        assert gap.max(initial=0.0) < 2e-3
        if variable == "p" or system.eta_s < 0.2:
            assert len(found) >= 40


def test_bad_input():
    for text, call in (
        ("tau must be finite and > 0; got -1", lambda: phase.plane(0.05, tau=-1)),
        ("eta_p must be finite and >= 0; got -0.1", lambda: phase.plane(-0.1)),
        ("To hold tau, use phase.plane", lambda: phase.ema(0.05, beta=0)),
        ("The range of p must run from low", lambda: phase.find_fixed_points(phase.plane(), [(1, 0), (0, 1)])),
        ("box needs one .low, high. for each of p, s; got 1", lambda: phase.find_fixed_points(phase.plane(), [(0, 1)])),
        ("Did you mean 'alpha_p'", lambda: phase.plane().at(alphap=2.0)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            call()


SYSTEMLESS = {
    "portrait": (), "nullclines": (), "bifurcation_diagram": (), "separatrix": (), "separatrix_surface": (),
    "find_fixed_points": (), "sketch": (), "started_paths": ([[0.1, 0.2]],), "follow_fates": (0.1, 0.2),
    "fold_curve": ("x_aug", [0.1, 0.2]), "basin_map": ({"p": [0.0, 1.0], "s": [0.0, 1.0]},), "basin_fraction": ({}, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", SYSTEMLESS)
def test_what_is_no_system_is_named(name):
    with pytest.raises(ValueError, match=r"system must be a PhaseSystem, phase\.plane\(eta=0\.05\).*; got ModeFlow"):
        getattr(phase, name)(ld.ModeFlow(ld.Hyperparameters(eta=0.1)), *SYSTEMLESS[name])
