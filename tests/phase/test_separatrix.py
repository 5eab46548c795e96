"""The separatrix: invariant, divides the two fates, and equals the exact basin where that is known."""

import numpy as np
import pytest

from lindyn import phase
from lindyn.phase.surface import _patch, edge_at

PLANES = [
    {"eta": 0.05},
    {"eta": 0.19},
    {"eta": 0.02, "alpha_p": 5.0},
    {"eta": 0.1, "tau": 0.9},
    {"eta_p": 0.3, "eta_s": 0.1},
]


@pytest.mark.parametrize("given", PLANES)
def test_the_separatrix_of_the_plane_is_invariant_and_divides(given):
    system = phase.plane(**given)
    found = phase.separatrix(system)
    assert found.error < 1e-7 and found.saddle.stability == "saddle"
    np.testing.assert_array_equal(found.curve[found.at_saddle], found.saddle.point)
    assert phase.side_test(system, found.curve, offset=1e-4).passed
    swapped = phase.side_test(system, found.curve * [1.0, 1.01])
    assert not swapped.passed  # a curve 1 % off is no separatrix
    p, s = found.curve[:250].T  # Eq. 14: from any point of it, c(t) follows its law while it runs into the saddle
    if system.eta_p == system.eta_s:
        saddle = found.saddle.point
        assert abs(saddle[1] - saddle[0] ** 2 / system.alpha_p) < 1e-15
        assert np.all(s > p**2 / system.alpha_p)  # the left branch stays above the parabola


def test_forward_trajectories_stay_on_the_curve():
    import lindyn as ld

    system = phase.plane(0.05)
    curve = phase.separatrix(system, n=4000).curve
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.0, 0.05), tau="constant")
    for start in (curve[400], curve[-400]):
        run = ld.simulate(flow, ld.ModeState(p=start[:1], s=start[1:], tau=np.ones(1)), t1=20.0, rtol=1e-12)
        p, s = run.states.p[:, 0], run.states.s[:, 0]
        np.testing.assert_allclose(np.log(s), np.interp(p, curve[:, 0], np.log(curve[:, 1])), atol=2e-4)


def test_the_exact_basin_without_decay():
    # alpha_p s - p^2 = -q^2 is kept: collapse where p < 0 and q^2 >= 0, or p > 0 and q >= p*
    system = phase.plane(0.0, alpha_p=1.7)
    p, s = np.meshgrid(np.linspace(-1, 1.6, 53), np.linspace(0.003, 1.2, 31))
    q2 = p**2 - 1.7 * s
    exact = np.where(p < 0, q2 >= 0, q2 >= 0.64)
    clear = np.minimum(np.abs(q2), np.abs(q2 - 0.64)) > 1e-2
    told = phase.follow_fates(system, p, s)
    np.testing.assert_array_equal(told.collapsed[clear], exact[clear])
    assert not told.undecided[clear].any()


def test_the_separatrix_tends_to_the_exact_one():
    errors = []
    for eta in (0.04, 0.01, 0.0025):
        curve = phase.separatrix(phase.plane(eta), [(-0.8, 0.8), (0.0, 1.0)]).curve
        p = np.linspace(-0.7, -0.3, 9)
        errors.append(np.abs(np.interp(p, curve[:, 0], curve[:, 1]) - p**2).max())
    assert errors[2] < 0.1 * errors[0] < 0.01


def test_the_moving_target_is_divided_by_a_surface():
    system = phase.ema(0.05)
    found = phase.separatrix_surface(system, curves=16, far=4)
    lines = np.concatenate([found.curves, found.far])
    points = lines[:, 60::20].reshape(-1, 3)
    assert phase.side_test(system, points, offset=1e-4, count=80).passed
    assert np.ptp(points[:, 2]) > 0.8 and len(found.far) == 4
    some = found.curves[::4, 120]
    some = some[some[:, 0] > 0]
    by_bisection = edge_at(system, some[:, 0], some[:, 2], 1.0, 1e-9, 40)
    np.testing.assert_allclose(by_bisection, some[:, 1], rtol=1e-7)  # two ways, one surface


@pytest.mark.parametrize(
    "system",
    [phase.ema(0.05), phase.ema(0.12, beta=0.05), phase.ema(0.1, beta=2.0, alpha_p=3.0), phase.ema(0.02, beta=0.01)],
)
def test_the_slow_direction_is_reached(system):
    """The runs along the surface come in to the saddle along the slow eigenvector and lie on it to 1e-6 of s."""
    found = phase.separatrix_surface(system, [(0.01, 0.9), (0.0, 5.0), (0.2, 1.4)], curves=4, far=5, n=80)
    values, vectors = np.linalg.eig(found.saddle.jacobian)
    slow = vectors[:, np.argsort(-values.real)[1]].real
    size = np.abs(found.saddle.point)
    came = (found.far[:, 0] - found.saddle.point) / size
    assert len(found.far) == 5 and np.all(np.linalg.norm(came, axis=1) < 3e-2)
    along = np.abs(came @ (slow / size)) / np.linalg.norm(slow / size) / np.linalg.norm(came, axis=1)
    np.testing.assert_allclose(along, 1.0, atol=1e-2)
    some = found.far[:, 2::7].reshape(-1, 3)
    assert phase.side_test(system, some, offset=1e-6, count=len(some)).passed


def test_the_surface_by_refinement_is_that_of_every_column():
    system, p, tau = phase.ema(0.05), np.linspace(-0.3, 1.0, 17), np.linspace(0.0, 1.5, 11)
    edge = phase.edge_by_bisection(system, p, tau)
    top = 100 * system.scale[1]
    grid_p, grid_tau = (each.ravel() for each in np.meshgrid(p, tau, indexing="ij"))
    every = edge_at(system, grid_p, grid_tau, top, 1e-12 * top, 30).reshape(17, 11)
    assert edge.relative_error < 1e-6
    np.testing.assert_allclose(edge.s, every, rtol=1e-6)


def test_the_patch_at_the_saddle_is_good_to_third_order():
    system, errors = phase.ema(0.05), []
    patch, slow, fast = _patch(system, phase.p_minus_of(system))
    assert fast.real < slow.real < 0
    for radius in (0.1, 0.05, 0.025):
        y = np.array([patch(radius * np.array([np.cos(a), np.sin(a)])) for a in np.linspace(0, 6, 7)])
        edge = edge_at(system, y[:, 0], y[:, 2], 1.0, 1e-9, 45)
        errors.append(np.abs(edge / y[:, 1] - 1).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 3.0, atol=0.1)


def test_the_slow_curves_are_a_focus_pair_as_well():
    system = phase.ema(eta_p=0.01, eta_s=0.1, beta=0.05)
    found = phase.separatrix_surface(system, curves=8, far=0)
    assert phase.side_test(system, found.curves[:, 30:60:10].reshape(-1, 3), offset=1e-4).passed


def test_life_can_be_an_island():
    # with eta_p far below eta_s too large an s collapses as well: two thresholds in s at one p
    system = phase.plane(eta_p=0.001, eta_s=0.19)
    labels = phase.follow_fates(system, 0.3, [1e-4, 0.003, 0.5]).labels
    assert list(labels) == ["collapsed", "alive", "collapsed"]


def test_negative_p_passes_through_zero_weight():
    # w reaches 0 in finite time, where tau = a/w ends; in (p, w, a) the run goes on, and may live
    import lindyn as ld

    flow = ld.ModeWeightFlow(ld.Hyperparameters(1.0, 0.4, 0.05))
    run = ld.simulate(flow, ld.ModeWeightState(p=[-0.5], w=[0.16], a=[0.16]), t1=400.0)
    assert run.states.w.min() < 0
    fate = phase.follow_fates(phase.ema(0.05), -0.5, 0.16**2).labels.item()
    assert fate == ("alive" if run.states.p[-1, 0] > 0.5 else "collapsed")


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (
            "There is no saddle, hence no separatrix: eta = 0.3 .* = 0.2, where",
            lambda: phase.separatrix(phase.plane(0.3)),
        ),
        ("There is no saddle, hence no separatrix: eta = 0.2 ", lambda: phase.separatrix(phase.plane(0.2))),
        ("no isolated saddle without decay", lambda: phase.separatrix(phase.plane(0.0))),
        ("use phase.separatrix_surface", lambda: phase.separatrix(phase.ema(0.05))),
        ("use phase.separatrix.system", lambda: phase.separatrix_surface(phase.plane(0.05))),
        ("tau must increase; got 1 to 0", lambda: phase.edge_by_bisection(phase.ema(), [0.1, 0.2], [1.0, 0.0])),
        ("s must be >= 0; got -1", lambda: phase.follow_fates(phase.plane(), 0.1, -1.0)),
        ("tau is held at 1 in this plane", lambda: phase.follow_fates(phase.plane(), 0.1, 0.1, 0.5)),
        (
            "beta is no parameter of this system",
            lambda: phase.follow_fates(phase.plane(), 0.1, 0.1, parameters={"beta": 1}),
        ),
    ],
)
def test_bad_input(text, call):
    with pytest.raises(ValueError, match=text):
        call()
