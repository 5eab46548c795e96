"""The basin of collapse: fates, maps and fractions against closed forms."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.stats import binomtest

from lindyn import phase, theory

SYSTEM = phase.plane(0.05)
STARTS = {"p": ("uniform", -0.1, 0.3), "s": "parabola"}
EXACT = (float(theory.fixed_points(0.05).p_minus) + 0.1) / 0.4  # on the parabola a start collapses iff p < p_-


def test_on_the_parabola_collapse_is_below_p_minus():
    p_minus = float(theory.fixed_points(0.05).p_minus)
    p = np.concatenate([np.linspace(-0.5, 1.5, 400), p_minus * (1 + np.array([-1e-6, 1e-6]))])
    told = phase.follow_fates(SYSTEM, p, p**2)
    np.testing.assert_array_equal(told.collapsed, p < p_minus)
    assert not told.undecided.any()


def test_the_moving_target_shares_the_threshold_at_tau_one():
    p_minus = float(theory.fixed_points(0.05).p_minus)
    p = p_minus * (1 + np.array([-1e-4, 1e-4]))
    for beta in (0.02, 0.4, 50.0):
        assert list(phase.follow_fates(phase.ema(0.05, beta=beta), p, p**2).labels) == ["collapsed", "alive"]


def test_the_interval_covers_the_exact_share_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        share = phase.basin_fraction(SYSTEM, STARTS, 400, seed=seed)
        hits += share.low <= EXACT <= share.high
        assert share.undecided == 0
    assert 184 <= hits <= 199  # 95 % of 200, within three deviations


def test_the_fraction_converges_and_is_repeatable():
    widths = []
    for count in (1_000, 100_000):
        share = phase.basin_fraction(SYSTEM, STARTS, count, seed=3)
        assert share == phase.basin_fraction(SYSTEM, STARTS, count, seed=3)
        assert abs(share.fraction - EXACT) < 4 * np.sqrt(EXACT * (1 - EXACT) / count)
        widths.append(share.high - share.low)
    np.testing.assert_allclose(widths[0] / widths[1], 10.0, rtol=0.1)
    assert share.distribution == "p uniform(-0.1, 0.3), s on the parabola s = p^2/alpha_p"


@pytest.mark.parametrize(("successes", "count"), [(0, 10), (3, 10), (10, 10), (481, 1000)])
def test_wilson_is_scipys(successes, count):
    known = binomtest(successes, count).proportion_ci(0.9, method="wilson")
    np.testing.assert_allclose(phase.wilson(successes, count, 0.9), (known.low, known.high), atol=1e-12)


def test_the_map_over_p_and_s_follows_the_separatrix():
    p, s = np.linspace(-0.6, 0.3, 61), np.linspace(0.001, 0.4, 50)
    data = phase.basin_map(SYSTEM, {"p": p, "s": s})
    curve = phase.separatrix(SYSTEM).curve
    edge = np.exp(np.interp(p, curve[:, 0], np.log(curve[:, 1])))[:, None]
    clear = np.abs(s / edge - 1) > 1e-2
    np.testing.assert_array_equal(
        (data.labels == "collapsed")[clear], np.broadcast_to(s < edge, data.labels.shape)[clear]
    )
    assert data.fixed == {"alpha_p": 1.0, "eta_p": 0.05, "eta_s": 0.05, "x": 1.0, "x_aug": 0.25, "tau": 1.0}


def test_the_map_over_parameters():
    eta, tau = np.linspace(0.0, 0.25, 26), np.linspace(0.3, 1.0, 8)
    data = phase.basin_map(SYSTEM, {"eta": eta, "tau": tau}, p=0.1, s=0.01)  # on the parabola
    edge = 0.1 * tau - 1.25 * 0.01  # p_- = 0.1 there, if p D = eta
    clear = np.abs(eta[:, None] - edge) > 1e-9
    np.testing.assert_array_equal((data.labels == "collapsed")[clear], (eta[:, None] > edge)[clear])
    moving = phase.basin_map(phase.ema(0.05), {"eta": eta, "beta": [0.1, 1.0]}, p=0.3, s=0.003, tau=0.0)
    slow, fast = (moving.labels == "alive").sum(axis=0)
    assert 0 < slow < fast  # Obs#9-10: a slow target that starts at zero collapses at smaller decay
    assert set(moving.fixed) == {"p", "s", "tau", "alpha_p", "x", "x_aug"}


MAPS = [
    (phase.plane(0.05), {"p": np.linspace(-0.6, 1.0, 81), "s": np.linspace(0.0, 0.5, 61)}, {}),
    (phase.ema(0.05, beta=0.1), {"p": np.linspace(-0.9, 0.6, 65), "s": np.geomspace(1e-5, 2.0, 49)}, {}),
    (phase.ema(0.05), {"tau": np.linspace(0.0, 1.5, 41), "s": np.geomspace(1e-4, 0.1, 57)}, {"p": 0.1}),
    (phase.plane(eta_p=0.001, eta_s=0.19), {"p": np.linspace(0.0, 1.0, 70), "s": np.geomspace(1e-6, 1.0, 70)}, {}),
]


@pytest.mark.parametrize(("system", "axes", "start"), MAPS)
def test_a_refined_map_has_the_cells_of_the_full_grid(system, axes, start):
    data = phase.basin_map(system, axes, **start)
    grid = dict(zip(axes, np.meshgrid(*axes.values(), indexing="ij"), strict=True)) | start
    full = phase.follow_fates(system, grid["p"], grid["s"], grid.get("tau", 1.0) if system.beta else None).labels
    np.testing.assert_array_equal(data.labels, full)
    assert data.followed.mean() < 0.4


def _between(data, axis):
    """Points of the edge at which `axis` is between two values of its grid, the other one on it."""
    line = np.concatenate(data.edge)
    other = (data.first, data.second)[1 - axis]
    return line[np.isin(line[:, 1 - axis], other)]


def test_the_edge_is_the_invariant_manifold():
    p = np.linspace(-0.6, 0.7, 41)
    data = phase.basin_map(SYSTEM, {"p": p, "s": np.linspace(0.0, 0.5, 31)})
    curve = phase.separatrix(SYSTEM, [(-0.7, 0.8), (0.0, 0.7)], n=3000).curve
    manifold = CubicSpline(curve[:, 0], np.log(curve[:, 1]))
    edge = _between(data, 1)
    assert len(edge) == 41 and data.precision <= 1e-6
    np.testing.assert_allclose(edge[:, 1], np.exp(manifold(edge[:, 0])), rtol=2e-6)
    assert edge[:, 1].min() < 1e-5 * edge[:, 1].max()  # relative even where s has all but vanished


def test_the_edge_without_decay_is_the_parabola():
    data = phase.basin_map(
        phase.plane(0.0, alpha_p=1.7), {"p": np.linspace(-1.0, -0.1, 19), "s": np.linspace(0, 0.8, 33)}
    )
    p, s = np.concatenate(data.edge).T
    np.testing.assert_allclose(1.7 * s, p**2, rtol=2e-6, atol=3e-7)  # nearer to it a mode dies too slowly to be seen to


def test_the_edge_over_parameters_is_the_closed_form():
    """From a start on the parabola: p_- = p below the fold, the critical decay past it."""
    grid = {"eta": np.linspace(0.0, 0.25, 33), "tau": np.linspace(0.4, 1.0, 13)}
    for start in (0.1, 0.45):
        data = phase.basin_map(SYSTEM, grid, p=start, s=start**2)
        eta, tau = _between(data, 0).T
        known = np.where(start < tau / 2.5, start * tau - 1.25 * start**2, theory.critical_decay(tau))
        np.testing.assert_allclose(eta, known, rtol=1e-5)
        assert len(eta) == 13


def test_a_map_without_an_edge_is_one_area():
    data = phase.basin_map(phase.plane(0.3), {"p": [0.1, 0.2, 0.3], "s": [0.1, 0.2]})
    assert data.edge == () and data.precision == 0.0
    assert {label: len(loops) for label, loops in data.areas.items()} == {"collapsed": 1, "alive": 0, "undecided": 0}


def test_above_the_critical_decay_all_collapses():
    rng = np.random.default_rng(1)
    for system in (phase.plane(0.21), phase.ema(0.21), phase.ema(0.21, beta=0.05)):
        tau = None if system.beta is None else rng.uniform(0, 1.5, 300)
        told = phase.follow_fates(system, rng.uniform(-1, 2, 300), rng.uniform(0, 2, 300), tau)
        assert told.collapsed.all()


def test_undecided_starts_widen_the_interval(monkeypatch):
    monkeypatch.setattr("lindyn.phase.fates.ROUNDS", 0)
    share = phase.basin_fraction(SYSTEM, STARTS, 400)
    assert share.undecided > 0 and share.low < share.fraction <= share.high and share.high - share.low > 0.2


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("axes must name two of", lambda: phase.basin_map(SYSTEM, {"p": [0, 1]})),
        ("Did you mean 'alpha_p'", lambda: phase.basin_map(SYSTEM, {"p": [0, 1], "alpha": [1, 2]})),
        ("p must increase over two or more values", lambda: phase.basin_map(SYSTEM, {"p": [1, 0], "s": [0, 1]})),
        ("leaves out s; give e.g.", lambda: phase.basin_fraction(SYSTEM, {"p": 0.1})),
        ("Did you mean 'uniform'", lambda: phase.basin_fraction(SYSTEM, {"p": ("unifrm", 0, 1), "s": 0.1})),
        ("run from low to high; got 1 to 0", lambda: phase.basin_fraction(SYSTEM, {"p": ("uniform", 1, 0), "s": 0})),
        ("uniform of p takes 2 numbers; got 1", lambda: phase.basin_fraction(SYSTEM, {"p": ("uniform", 1), "s": 0.1})),
        ("needs a lower end > 0", lambda: phase.basin_fraction(SYSTEM, {"p": 0.1, "s": ("loguniform", 0, 1)})),
        ("draws -", lambda: phase.basin_fraction(SYSTEM, {"p": 0.1, "s": ("normal", 0, 1)})),
        ("level must be between 0 and 1; got 95", lambda: phase.wilson(3, 10, 95)),
        ("count must be a whole number >= 1", lambda: phase.basin_fraction(SYSTEM, STARTS, 0)),
    ],
)  # fmt: skip
def test_bad_input(text, call):
    with pytest.raises(ValueError, match=text):
        call()
