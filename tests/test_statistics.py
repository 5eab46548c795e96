"""Statistics: known answers, a stack is its members one by one, three readers say the same, damage is seen."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lindyn as ld
from lindyn import observables
from lindyn import statistics as stat
from lindyn.bridge import diagnose
from lindyn.bridge.measure.bootstrap import Frame, readings
from tests.helpers import orthogonal

SEEDS = st.integers(0, 2**32 - 1)


def system(seed, lead=(), d=4):
    """Return F (PSD), W_p, s, U and another PSD matrix over leading axes."""
    rng = np.random.default_rng(seed)
    A, W_p, B = (rng.standard_normal((*lead, d, d)) for _ in range(3))
    F = A @ stat.transposed(A)
    return F, W_p, *stat.eigen(F), B @ stat.transposed(B)


FUNCTIONS = {
    "norm": lambda F, W, s, U, G: stat.norm(W),
    "trace": lambda F, W, s, U, G: stat.trace(W),
    "eigen": lambda F, W, s, U, G: stat.eigen(F)[0],
    "symmetric_spectrum": lambda F, W, s, U, G: stat.symmetric_spectrum(W),
    "along": lambda F, W, s, U, G: stat.along(W, U),
    "turned": lambda F, W, s, U, G: stat.turned(W, U),
    "alignment": lambda F, W, s, U, G: np.stack(stat.alignment(W @ U, U)),
    "alignment, outside": lambda F, W, s, U, G: np.stack(stat.alignment(W @ U, U, G)),
    "prediction_square": lambda F, W, s, U, G: stat.prediction_square(s, *stat.alignment(W @ U, U)),
    "random_alignment": lambda F, W, s, U, G: np.moveaxis(stat.random_alignment(W, 2, rotations=3), 0, -1),
    "tau": lambda F, W, s, U, G: stat.tau(W, F),
    "tau_per_mode": lambda F, W, s, U, G: stat.tau_per_mode(W, s, U),
    "cosine": lambda F, W, s, U, G: stat.cosine(stat.inner(F, W), stat.inner(F, F), stat.inner(W, W)),
    "commutator_norm": lambda F, W, s, U, G: stat.commutator_norm(F, W),
    "commutator_share": lambda F, W, s, U, G: stat.commutator_share(F, W),
    "commutator_sq": lambda F, W, s, U, G: stat.commutator_sq(s, stat.turned(W, U)),
    "random_commutator_sq": lambda F, W, s, U, G: stat.random_commutator_sq(s, W),
    "gram": lambda F, W, s, U, G: stat.gram(W),
    "balance": lambda F, W, s, U, G: stat.balance(F, W, 1.7),
    "balance_residual": lambda F, W, s, U, G: stat.balance_residual(F, G, 1.7, 0.1 * W),
    "balance_residual_fitted": lambda F, W, s, U, G: np.stack(stat.balance_residual_fitted(F, G)),
    "slope": lambda F, W, s, U, G: np.stack(stat.slope(np.abs(stat.along(W, U)), s)),
    "entropy_rank": lambda F, W, s, U, G: stat.entropy_rank(s),
    "rankme": lambda F, W, s, U, G: stat.rankme(s),
    "stable_rank": lambda F, W, s, U, G: stat.stable_rank(s),
    "concentration": lambda F, W, s, U, G: stat.concentration(s),
    "std_of_unit": lambda F, W, s, U, G: stat.std_of_unit(0.1 * s, s**2 + 1, s.sum(-1) + 2),
    "spread_sq": lambda F, W, s, U, G: stat.spread_sq(G, s, 3),
    "asymmetry": lambda F, W, s, U, G: stat.asymmetry(W),
    "projection_sq": lambda F, W, s, U, G: stat.projection_sq(stat.symmetric_spectrum(W), stat.inner(W, W)),
    "polar_sq": lambda F, W, s, U, G: stat.polar_sq(np.linalg.svd(W, compute_uv=False)),
    "shape_of": lambda F, W, s, U, G: np.stack(list(stat.shape_of(W).values())),
    "nearest_map": lambda F, W, s, U, G: stat.nearest_map(F, W, stat.trace(F)),
    "explained_share": lambda F, W, s, U, G: stat.explained_share(W, F, G, stat.trace(F)),
}
PAIRS = (
    "alignment",
    "alignment, outside",
    "balance_residual_fitted",
    "slope",
    "shape_of",
)  # their parts stand in front


@pytest.mark.parametrize("name", FUNCTIONS)
@given(seed=SEEDS, lead=st.sampled_from([(1,), (3,), (2, 3)]))
@settings(max_examples=15, deadline=None)
def test_a_stack_gives_what_its_members_give(name, seed, lead):
    given_, f = system(seed, lead), FUNCTIONS[name]
    stacked = f(*given_)
    stacked = np.moveaxis(stacked, 0, -1) if name in PAIRS else stacked
    for index in np.ndindex(*lead):
        one = f(*(part[index] for part in given_))
        one = np.moveaxis(one, 0, -1) if name in PAIRS else one
        np.testing.assert_allclose(stacked[index], one, rtol=1e-9, atol=1e-12, err_msg=name)


def test_every_public_function_is_in_the_table():
    public = {name for name, value in vars(stat).items() if callable(value) and value.__module__ == stat.__name__}
    helpers = {"ratio", "transposed", "inner", "asymmetry_sq"}
    assert public - helpers == {name.split(",")[0] for name in FUNCTIONS}


def test_leading_axes_broadcast():
    F, W_p, s, _, G = system(0, (5,))
    np.testing.assert_allclose(stat.commutator_norm(F, W_p[0]), [stat.commutator_norm(each, W_p[0]) for each in F])
    np.testing.assert_allclose(stat.balance_residual(F, G[0], 2.0), [stat.balance_residual(M, G[0], 2.0) for M in F])
    assert stat.random_commutator_sq(s, W_p[0]).shape == (5,)


def test_nothing_but_numpy_is_imported():
    text = Path(stat.__file__).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.lstrip().startswith(("import ", "from "))]
    assert lines == ["from typing import Any, TypeAlias", "import numpy as np", "import numpy.typing as npt"]


# ---- balance


def test_known_balances():
    """At theta degrees between F and G: sin(theta/2) fitted, and with alpha_p given what the formula says."""
    F, G = np.diag([1.0, 0.0]), np.diag([np.cos(np.pi / 3), np.sin(np.pi / 3)])
    residual, c = stat.balance_residual_fitted(5 * F, 2 * G)
    assert residual == pytest.approx(0.5) and c == pytest.approx(2.5)
    assert stat.balance_residual(5 * F, 2 * G, 0.4) == pytest.approx(0.5)
    assert stat.balance_residual(F, 0 * G, 1.0) == 1.0 and stat.balance_residual(0 * F, G, 1.0) == 1.0
    for nothing in (stat.balance_residual_fitted(F, 0 * G), stat.balance_residual_fitted(0 * F, G)):
        assert np.isnan(nothing[0]) and (np.isnan(nothing[1]) or nothing[1] == 0)
    assert np.isnan(stat.balance_residual(0 * F, 0 * G, 1.0))


@given(SEEDS, st.floats(1e-3, 1e3), st.floats(1e-6, 1e6))
def test_the_fitted_residual_is_the_smallest_over_alpha_p_and_free_of_scale(seed, alpha_p, scale):
    F, _, _, _, G = system(seed)
    fitted, c = stat.balance_residual_fitted(F, G)
    assert 0 <= fitted <= 0.5**0.5 + 1e-12
    assert fitted <= stat.balance_residual(F, G, alpha_p) + 1e-12 <= 1 + 2e-12
    assert stat.balance_residual(F, G, 1 / c) == pytest.approx(fitted, rel=1e-10)
    assert stat.balance_residual(F, c * G, 1.0) == pytest.approx(fitted, rel=1e-10)
    other, back = stat.balance_residual_fitted(G, scale * F)
    assert other == pytest.approx(fitted, rel=1e-10) and back == pytest.approx(1 / (c * scale), rel=1e-10)


def test_a_small_angle_keeps_its_digits():
    F = np.diag([1.0, 0.0])
    for angle in (1e-3, 1e-9):
        G = np.diag([np.cos(angle), np.sin(angle)])
        assert stat.balance_residual_fitted(F, G)[0] == pytest.approx(np.sin(angle / 2), rel=1e-9)


def test_independent_square_weights_are_half_off():
    F, G = (stat.gram(np.random.default_rng(k).standard_normal((400, 400))) for k in (0, 1))
    assert stat.balance_residual_fitted(F, G)[0] == pytest.approx(0.5, abs=0.01)
    assert stat.balance_residual(F, G, 1.0) == pytest.approx(0.5, abs=0.01)


def test_the_theorem_holds_where_its_memory_is_known():
    rng = np.random.default_rng(3)
    W_p, C = rng.standard_normal((4, 4)), np.diag([0.3, 0.1, -0.1, 0.0])
    decay = np.exp(-0.2 * np.arange(6.0))[:, None, None]
    F = stat.gram(W_p) / 1.7 + decay * C
    G = np.broadcast_to(stat.gram(W_p), F.shape)
    assert stat.balance_residual(F, G, 1.7, decay * C).max() < 1e-15
    without = stat.balance_residual(F, G, 1.7)
    assert without[0] > 0.01 and np.all(np.diff(without) < 0)
    assert stat.balance_residual(F, G, 1.8, decay * C).min() > 0.01  # another alpha_p is seen


# ---- the three readers


def test_times_one_reading_and_draws_say_the_same():
    """observables (time axis), diagnose (one), the bootstrap (draws) to 1e-14 on the same matrices."""
    d, n = 6, 5
    F, W_p, *_ = system(11, (n,), d)
    W_p[:] = W_p[0]
    frame = Frame(W_p[0], False, np.zeros((d, d)), None, np.empty(0), d, d)
    drawn = readings({"zz": F}, frame)
    states = ld.CorrelationState._unchecked(W_p=W_p, F=F, tau=np.ones(n))
    p, s = observables.mode_values(states)
    close = {"rtol": 1e-14, "atol": 1e-14 * np.abs(s).max()}
    cosine, ranks = observables.alignment(states), observables.entropy_rank(s)
    for k in range(n):
        one = diagnose(F[k], W_p[k])
        for a, b, c in (
            (s[k], one.s, drawn["s"][k]),
            (p[k], one.p, drawn["p"][k]),
            (cosine[k], one.alignment, drawn["cosine"][k]),
            (ranks[k], one.effective_rank, drawn["effective_rank"][k]),
            (observables.entropy_rank(np.sqrt(s[k])), one.rankme, drawn["rankme"][k]),
            (s[k, 0] / s[k].sum(), one.concentration, drawn["concentration"][k]),
        ):
            np.testing.assert_allclose(b, a, **close)
            np.testing.assert_allclose(c, a, **close)
        null = stat.random_commutator_sq(s[k], W_p[k])
        np.testing.assert_allclose(observables.commutator_norm(states)[k], one.commutator_norm, rtol=1e-14)
        np.testing.assert_allclose(drawn["commutator_sq"][k], one.commutator_norm**2 / null, rtol=1e-12)
        np.testing.assert_allclose(observables.asymmetry(states)[k], one.asymmetry, rtol=1e-14)
        np.testing.assert_allclose(observables.spectrum_W_p(states)[k], one.spectrum_W_p, **close)


def test_the_slope_of_a_diagnosis_is_that_of_the_draws():
    s = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.125])
    p = np.sqrt(3 * s) * np.exp(0.1 * np.array([1.0, -1, 2, 0, -1, 1]))
    Q = orthogonal(0, 6)
    F, W_p = (Q * s) @ Q.T, (Q * p) @ Q.T
    drawn = readings({"zz": F[None]}, Frame(W_p, False, np.zeros((6, 6)), None, np.empty(0), 6, 6))["slope"][0]
    fit = diagnose(F, W_p).slope
    slope, error = stat.slope(p, s)
    assert fit.slope == pytest.approx(drawn, rel=1e-13) and fit.slope == pytest.approx(float(slope), rel=1e-12)
    assert fit.slope == pytest.approx(np.polyfit(np.log(s), np.log(p), 1)[0], rel=1e-12)
    assert fit.high - fit.low == pytest.approx(2 * 2.7764451051977987 * float(error), rel=1e-9)


# ---- damage


def of_modes(s, p, seed=0):
    Q = orthogonal(seed, len(s))
    return (Q * s) @ Q.T, (Q * p) @ Q.T


DAMAGE = {
    "alignment": lambda F, W: 1 - stat.alignment(W @ stat.eigen(F)[1], stat.eigen(F)[1])[1].min(),
    "commutator": stat.commutator_share,
    "asymmetry": lambda F, W: stat.asymmetry(W),
    "balance": lambda F, W: stat.balance_residual(F, stat.gram(W), 3.0),
    "balance fitted": lambda F, W: stat.balance_residual_fitted(F, stat.gram(W))[0],
    "slope": lambda F, W: abs(stat.slope(*_modes(F, W))[0] - 0.5),
}


def _modes(F, W):
    s, U = stat.eigen(F)
    return stat.along(W, U), s


@pytest.mark.parametrize("name", DAMAGE)
def test_a_statistic_that_is_zero_sees_a_damage_in_proportion(name):
    s = np.array([4.0, 2.0, 1.0, 0.5])
    F, W_p = of_modes(s, np.sqrt(3 * s))
    off = np.random.default_rng(1).standard_normal((4, 4))
    found = [float(DAMAGE[name](F, W_p + size * off)) for size in (0.0, 1e-4, 1e-2)]
    assert abs(found[0]) < 1e-12
    power = 2 if name == "alignment" else 1  # a cosine is off by the square of the angle
    assert found[1] > 1e-6**power / 10 and 20**power < found[2] / found[1] < 500**power


def test_shapes_of_known_matrices_and_their_damage():
    U = orthogonal(1, 6)[:, :4]
    P, R = 3 * U @ U.T, 0.3 * orthogonal(2, 6)
    assert stat.shape_of(P)["projection_sq"] < 1e-14 and stat.shape_of(R)["polar_sq"] < 1e-14
    off = 0.1 * np.random.default_rng(0).standard_normal((6, 6))
    assert stat.shape_of(P + off)["projection_sq"] > 1e-3 and stat.shape_of(R + off)["polar_sq"] > 1e-2


def test_the_nearest_map_is_regression_and_damage_explains_less():
    rng = np.random.default_rng(5)
    z = rng.standard_normal((2000, 3)) @ rng.standard_normal((3, 3)) + [1.0, -2.0, 0.5]
    A = rng.standard_normal((3, 3))
    q = z @ A.T + 0.3 + 0.1 * rng.standard_normal((2000, 3))
    whole = np.cov(z.T, q.T, bias=True)
    C, C_qz, total = whole[:3, :3], whole[3:, :3], np.trace(whole[3:, 3:])
    W_p = stat.nearest_map(C, C_qz, np.mean(z**2))
    design = np.column_stack([z, np.ones(len(z))])
    np.testing.assert_allclose(W_p, np.linalg.lstsq(design, q, rcond=None)[0][:3].T, rtol=1e-4, atol=1e-4)
    best = stat.explained_share(W_p, C, C_qz, total)
    rest = q - q.mean(0) - (z - z.mean(0)) @ W_p.T
    assert best == pytest.approx(1 - np.sum(rest**2) / (len(z) * total), rel=1e-10)
    assert stat.explained_share(W_p + 0.1 * A, C, C_qz, total) < best
    assert np.isnan(stat.explained_share(W_p, C, C_qz, 0.0))
    constant = stat.nearest_map(1e-17 * np.eye(3), 1e-17 * A, np.array(1.0))  # round-off of constant features
    assert np.abs(constant).max() < 0.01


def test_the_predictions_square_is_its_trace_from_three_curves():
    F, W_p, s, U, _ = system(3, (2,))
    p, cosine = stat.alignment(W_p @ U, U)
    found = stat.prediction_square(s, p, cosine)
    np.testing.assert_allclose(found, stat.trace(W_p @ F @ stat.transposed(W_p)), rtol=1e-12)
    assert np.abs(stat.prediction_square(s, p, 1.1 * cosine) / found - 1).min() > 0.1
