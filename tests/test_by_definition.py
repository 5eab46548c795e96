"""Single numbers against their definitions, where a wrong one is hidden by what is made of it."""

from types import SimpleNamespace

import numpy as np
import pytest

import lindyn as ld
from lindyn import _extensions, conversions, moments, observables, statistics
from lindyn.bridge.laws import balance, collapse, directions, eigenspaces, stability
from lindyn.bridge.measure.sampled import Interval, Sampled
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.flows import from_settings, losses, registry
from lindyn.predictors import arrays
from lindyn.theory import living_directions
from lindyn.verification import applicable, at_rest, denser, matrix_checks, verifier

RNG = np.random.default_rng(0)


def sampled(*values, spread=0.0):
    """Values with 200 draws that spread around them."""
    draws = np.array(values) + spread * np.linspace(-1, 1, 200)[:, None]
    return Sampled(np.array(values), draws, 200)


def correlation_run(W_p, F, tau=1.0, ts=(0.0, 1.0), **rates):
    """A trajectory made by hand; nothing says that it follows the flow."""
    flow = ld.CorrelationFlow(ld.Hyperparameters(alpha_p=2.0, beta=0.3, **(rates or {"eta": 0.1})), sigma2=0.25)
    states = ld.CorrelationState._unchecked(W_p=np.array(W_p, float), F=np.array(F, float), tau=np.full(len(ts), tau))
    return ld.Trajectory(np.array(ts), states, 0, {}, flow, ts[-1])


def test_which_modes_are_resolved_is_told_at_each_time_by_itself():
    """A mode that is round-off beside the largest of its own time is not; the largest of another time says nothing."""
    s = np.array([[1.0, 1e-20], [1e-8, 1e-20], [1e-41, 0.0]])
    state = correlation_run(np.zeros((3, 2, 2)), np.zeros((3, 2, 2)), ts=(0.0, 1.0, 2.0)).states
    np.testing.assert_array_equal(observables.resolved(state, s), [[True, False], [True, True], [False, False]])


def test_balance_of_a_network_that_is_gone_and_of_one_half():
    """Nothing is off where nothing is left; W_p alone has a balance, -W_p^T W_p/alpha_p, that can be off."""
    zero, I = np.zeros((2, 2, 2)), np.eye(2)
    np.testing.assert_array_equal(observables.balance_residual(correlation_run(zero, zero)), [0.0, 0.0])
    stands_still = np.array([I, I])  # instead of decaying as exp(-2 eta t)
    residual = observables.balance_residual(correlation_run(stands_still, zero))
    np.testing.assert_allclose(residual, [0.0, 1 - np.exp(-0.2)], rtol=1e-12)


def test_K_of_two_decays():
    """The decay of L = [F, W_p] at tau = 0, far from all else: K -> (eta_s + eta_p/2) I."""
    run = correlation_run(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), tau=0.0, eta_p=0.3, eta_s=0.07)
    np.testing.assert_allclose(observables.K_matrix(run), np.tile((0.07 + 0.15) * np.eye(2), (2, 1, 1)))


@pytest.mark.parametrize(("width", "rows"), [(1, 15), (3, 5), (15, 1), (100, 1)])
def test_chunks_take_as_many_rows_as_they_may(monkeypatch, width, rows):
    monkeypatch.setattr(moments, "CHUNK_BYTES", 8 * 15)
    pieces = list(moments.chunks(32, width))
    assert pieces[0] == slice(0, rows) and pieces[-1].stop == 32
    assert sum(each.stop - each.start for each in pieces) == 32


def test_views_of_another_width_or_number_are_refused():
    sums = moments.MomentSums(3)
    for v1, v2 in ((np.ones((4, 2)), np.ones((4, 2))), (np.ones((4, 3)), np.ones((5, 3)))):
        with pytest.raises(ValueError, match="must be samples x 3, as many as v1"):
            sums.add(v1, v2)


def test_weights_lose_nothing_as_gram_matrices():
    W, W_p, W_a = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 2)), RNG.normal(size=(2, 3))
    found = conversions.weights_to_gram(ld.WeightState(W, W_p, W_a))
    assert found.defects == {"none": 0.0}
    np.testing.assert_allclose(found.state.H, W_a @ W.T)


def test_the_ridge_of_the_nearest_map_is_a_share_of_the_mean_eigenvalue():
    C, cross = np.diag([4.0, 1.0, 1e-6]), np.eye(3)
    ridge = statistics.DAMPING * 5.000001 / 3
    found = statistics.nearest_map(C, cross, np.array(5.0))
    np.testing.assert_allclose(found, np.diag(1 / (np.diag(C) + ridge)), rtol=1e-12)


@pytest.mark.parametrize(
    ("spectrum", "D", "scale", "kind", "live"),
    [
        ([1.0, 1.0, 1.0, 1.0], 4, 1.0, living_directions.NONE, 4),
        ([1.0, 1e-3, 0.0, 0.0], 4, 1.0, living_directions.COMPLETE, 1),
        ([1.0, 0.02, 0.0, 0.0], 4, 1.0, living_directions.PARTIAL, 2),
        ([1.0, 1.0, 0.05, 0.0], 4, 1.0, living_directions.NONE, 3),
        ([0.0, 0.0, 0.0, 0.0], 4, 1.0, living_directions.COMPLETE, 0),
        ([1.0, 1.0, 1.0, 1.0], 4, 1e-7, living_directions.COMPLETE, 4),
        ([1.0], 1, 1.0, living_directions.NONE, 1),
    ],
)
def test_collapse_by_its_definition(spectrum, D, scale, kind, live):
    """More than 0.99 in one direction of several, or no size: complete; half or fewer before a cliff: partial."""
    assert [int(found) for found in living_directions.collapse(spectrum, D, scale)] == [kind, live]


@pytest.mark.parametrize(("high", "limit"), [(0.2, 0.5**0.5), (0.7, 0.85)])
def test_the_limit_of_alignment_is_half_way_from_random_rotations(monkeypatch, high, limit):
    monkeypatch.setattr(eigenspaces, "_random", lambda measured: (high - 0.1, high))
    monkeypatch.setattr(eigenspaces, "_unseen", lambda measured: 0.0)
    measured = SimpleNamespace(leading=2, readings={"cosine": sampled(0.8, 0.9, 0.1)}, by_map={})
    assert eigenspaces.alignment(measured, None).limit == pytest.approx(limit)


def test_shares_of_the_mean_features_end_at_one():
    """A cosine of two views that noise has put above 1 leaves no X' below 0, and X is never above the whole."""
    readings = {"p": (0.5, 0.4), "s": (2.0, 1.0), "rho": (1.3, -0.2), "tau": (1.0, 1.0), "s_V": (1.0, 0.5)}
    measured = SimpleNamespace(leading=2, readings={name: sampled(*values) for name, values in readings.items()})
    known = stability._modes(measured, SimpleNamespace(target="ema"))
    np.testing.assert_allclose(known.x.full, [2.0, 0.0])
    np.testing.assert_allclose(known.x_aug.full, [0.0, 2.0])


@pytest.mark.parametrize(("p", "verdict"), [(0.9, HOLDS), (0.1, NOT_TESTABLE), (-0.1, NOT_TESTABLE), (-0.9, FAILS)])
def test_a_mode_whose_interval_holds_the_boundary_is_not_told(p, verdict):
    """Without decay the boundary is p = 0; the other mode is far above it."""
    readings = {"s": (2.0, 1.0), "rho": (0.5, 0.5), "tau": (1.0, 1.0), "s_V": (1.0, 0.5)}
    drawn = {name: sampled(*values) for name, values in readings.items()} | {"p": sampled(2.0, p, spread=0.2)}
    run = SimpleNamespace(rates=SimpleNamespace(eta_s=0.0, target="ema"))
    found = stability.boundary(SimpleNamespace(leading=2, readings=drawn), run)
    assert found.verdict == verdict and found.interval.value == (p < 0)


def test_pairs_that_tilt_are_counted_by_their_values(monkeypatch):
    """K = -1, 0.4, 3, 5: one pair of four modes has a negative sum, whatever the lower ends of the intervals are."""
    monkeypatch.setattr(stability, "_modes", lambda measured, rates: SimpleNamespace(assumed=""))
    monkeypatch.setattr(stability, "_alignment_rates", lambda known, rates: sampled(-1.0, 0.4, 3.0, 5.0, spread=3.0))
    found = stability.eq17_pairs(None, SimpleNamespace(rates=None))
    assert found.details["pairs_below"] == 1 and found.interval.value == pytest.approx(-0.6)


def test_noise_outside_the_basis_lowers_the_mean_cosine():
    """sum of the rest over N s_j, a mean over the leading modes; negative round-off counts for nothing."""
    measured = SimpleNamespace(s=np.array([2.0, 1.0, 0.1, -1e-3]), U=np.zeros((4, 2)), leading=2, samples=10)
    assert eigenspaces._unseen(measured) == pytest.approx(0.1 / 10 * (1 / 2 + 1 / 1) / 2)


@pytest.mark.parametrize(
    ("word", "std", "share", "verdict"),
    [
        ("none", 0.4, 0.3, HOLDS), ("none", 0.1, 0.3, FAILS),
        ("none", 0.4, 0.95, FAILS), (collapse.PARTIAL, 0.4, 0.3, FAILS),
    ],
)  # fmt: skip
def test_each_sign_of_collapse_is_enough(word, std, share, verdict):
    """The spread sqrt(d) std below 0.32, one direction's share above 0.9, or a cliff in the spectrum."""
    readings = {"std": sampled(std), "concentration": sampled(share)}
    readings = {name: each.map(lambda values: values[..., 0]) for name, each in readings.items()}
    measured = SimpleNamespace(readings=readings, dim=4, collapse=SimpleNamespace(word=word, live=2, reason="seen"))
    assert collapse.collapse(measured, None).verdict == verdict


@pytest.mark.parametrize(("side", "verdict"), [(0.4, HOLDS), (0.7, NOT_TESTABLE)])
def test_how_wide_an_interval_of_the_slope_of_depth_may_be(monkeypatch, side, verdict):
    """Half of 1/(2 L) to either side; three layers."""
    interval = Interval(1 / 6, (1 - side) / 6, (1 + side) / 6, 1 / 6)
    given = SimpleNamespace(modes=5, verdict="fitted", s_low=0.1, s_high=1.0)
    monkeypatch.setattr(balance, "fit_slope", lambda p, s: given)
    monkeypatch.setattr(balance, "with_scatter", lambda slope, fit: interval)
    drawn = {"p": sampled(0.5, 0.4), "s": sampled(1.0, 0.1), "slope": None}
    measured = SimpleNamespace(depth=3, window=2, readings=drawn, by_map={})
    assert directions.slope_of_depth(measured, None).verdict == verdict


def test_the_error_of_a_slope_of_three_modes():
    """One degree of freedom: the residual's square over sum (x - mean)^2."""
    x, y = np.array([0.0, 1.0, 3.0]), np.array([0.1, 0.5, 1.8])
    found, error = statistics.slope(np.exp(y), np.exp(x))
    line, off = np.polyfit(x, y, 1, full=True)[:2]
    assert found == pytest.approx(line[0]) and error == pytest.approx(np.sqrt(off[0] / np.sum((x - x.mean()) ** 2)))


@pytest.mark.parametrize("predictor", ["trained", "symmetrised"])
def test_only_a_symmetrised_predictor_starts_symmetric(predictor):
    given = {"n2": 3, "seed": 0, "scale": 1.0, "scale_p": 1.0, "predictor": predictor}
    W_p = from_settings.weight_start(given, 4).W_p
    assert np.allclose(W_p, W_p.T) == (predictor == "symmetrised")


@pytest.mark.parametrize(("of_online", "of_target"), [(1e3, 1.0), (1.0, 1e3), (1.0, 1e-3)])
def test_the_exact_drive_sees_no_scale(of_online, of_target):
    """The cosine is of degree 0 in both networks: its slopes are of degree -1, at any size to round-off."""
    p, w = np.array([0.7, 0.4, 0.2]), np.array([0.9, 0.8, 0.5])
    hp, x_aug = ld.Hyperparameters(1.0, 0.0, 0.0), np.array([0.1, 0.4, 0.3])
    flow = ld.ModeWeightFlow(hp, x=1.0, x_aug=x_aug, loss="cosine-exact", target="online", stop_gradient=False)
    plain, scaled = losses.mode_drives(flow, p, w, w), losses.mode_drives(flow, p, w * of_online, w * of_target)
    np.testing.assert_allclose(of_online * scaled[0], plain[0], rtol=1e-9)
    np.testing.assert_allclose(of_target * scaled[1], plain[1], rtol=1e-9)


@pytest.mark.parametrize(
    ("decays", "known"),
    [({"eta": 0.1}, True), ({"eta_p": 0.1, "eta_s": 0.2}, True), ({"eta_p": 0.1}, False), ({}, False)],
)
def test_rates_of_a_file_need_one_decay_or_both(decays, known):
    arrays = {"alpha_p": 1.0, "beta": 0.3, **decays}
    if known:
        hp = verifier._rates(arrays, None)
        assert (hp.eta_p, hp.eta_s) == (decays.get("eta_p", 0.1), decays.get("eta_s", 0.1))
    else:
        with pytest.raises(ValueError, match=r"eta \(or eta_p and eta_s\) missing"):
            verifier._rates(arrays, None)


def test_round_off_beside_an_entry_that_is_zero_is_not_asymmetry():
    """Asymmetry counts against the largest entry."""
    F = np.array([[1.0, 1e-13], [0.0, 1.0]])
    np.testing.assert_array_equal(arrays.as_matrix("F", F, symmetric=True), [[1.0, 5e-14], [5e-14, 1.0]])
    with pytest.raises(ValueError, match="F must be symmetric"):
        arrays.as_matrix("F", np.array([[1.0, 1e-9], [0.0, 1.0]]), symmetric=True)


def test_directions_of_repeated_and_of_single_eigenvalues():
    """Where x_j and x'_j repeat the eigenvectors are those whose responses are orthogonal."""
    W = RNG.normal(size=(3, 3)) @ np.diag([1.0, 1.0, 0.0]) + np.diag([0.0, 0.0, 2.0])
    vectors, x, x_aug, _ = at_rest._directions(W, ld.Moments(np.diag([1.0, 1.0, 0.4]), np.diag([0.1, 0.1, 0.3])))
    pair = vectors[:, np.isclose(x, 1.0)]
    assert pair.shape == (3, 2) and abs(pair[:, 0] @ pair[:, 1]) < 1e-12
    np.testing.assert_allclose(sorted(x_aug), [0.1, 0.1, 0.3])
    np.testing.assert_allclose(np.sum(vectors**2), np.sum(W**2))


def test_what_the_commutator_identity_divides_by(monkeypatch):
    """With K twice too large the identity is off by L K + K L; all three products stand below it."""
    flow = ld.CorrelationFlow(ld.Hyperparameters(1.0, 0.0, 0.05), sigma2=0.25, symmetrised=True, tau="constant")
    start = ld.CorrelationState.random(3, seed=2, tau=1.0)
    run = correlation_run(start.W_p[None], start.F[None], ts=(0.0,))._replace(flow=flow)
    values, size, K = matrix_checks.commutator_rows(run)
    monkeypatch.setattr(matrix_checks, "commutator_rows", lambda traj: (values, size, 2 * K))
    rate, L = flow(0.0, start), start.F @ start.W_p - start.W_p @ start.F
    norm = np.linalg.norm
    sizes = norm(rate.F) * norm(start.W_p) + norm(start.F) * norm(rate.W_p) + norm(L) * norm(2 * K[0])
    found = matrix_checks.commutator_identity(run)
    assert found.residual[0] == pytest.approx(norm(L @ K[0] + K[0] @ L) / sizes, rel=1e-9)


@pytest.mark.parametrize(("moved", "rests"), [(50, True), (93, False)])
@pytest.mark.parametrize("length", [100.0, 0.1])
def test_a_run_rests_where_its_last_tenth_stands_still(length, moved, rests):
    """Long or short: 101 times, one of which differs."""
    F = np.tile(np.eye(2), (101, 1, 1))
    F[moved] *= 2
    assert at_rest.at_rest(correlation_run(F, F, ts=np.linspace(0, length, 101))) == rests


def test_row_norms_decay_from_the_first_time_that_was_kept():
    """A run that begins at t = 2: its norms there are the ones that decay."""
    flow = ld.WeightFlow(
        ld.Hyperparameters(1.0, 0.3, 0.1), ld.Moments.isotropic(3, 0.2), loss="cosine", normalise="batchnorm"
    )
    ts, W = np.array([2.0, 3.0, 5.0]), RNG.normal(size=(2, 3))
    Ws = np.exp(-0.1 * (ts - 2.0))[:, None, None] * W
    states = ld.WeightState._unchecked(W=Ws, W_p=np.zeros((3, 2, 2)), W_a=Ws)
    np.testing.assert_allclose(
        applicable._row_norms(ld.Trajectory(ts, states, 0, {}, flow, 5.0)).residual, 0, atol=1e-14
    )


def test_a_descent_that_kept_nearly_every_step_is_not_run_again():
    """Six steps in four gaps: less than two steps a gap, so that nothing lies between."""
    flow = ld.ModeWeightFlow(ld.Hyperparameters(1.0, 0.3, 0.1), x=1.0, x_aug=0.2)
    run = ld.descend(flow, ld.ModeWeightState(p=[0.3], w=[0.5], a=[0.5]), learning_rate=0.1, steps=4)
    assert len(run) == 5
    assert denser._descended(run._replace(stats={**run.stats, "steps": 6}), 2) is None
    assert denser._descended(run._replace(stats={**run.stats, "steps": 8}), 2) is not None


def test_a_flow_of_a_package_that_has_the_name_of_one_is_left_out(monkeypatch):
    """By its name, not by its class."""
    given = [SimpleNamespace(package="other", name="one")]
    monkeypatch.setattr(_extensions, "extensions", lambda group: (given, ()))
    for name, kept in (("modes", {}), ("mine", {"mine": Theirs})):
        monkeypatch.setattr(registry, "_read", lambda extension, name=name: [(name, Theirs)])
        flows, notes = registry.added()
        assert flows == kept and len(notes) == (not kept)


class Theirs(ld.ModeFlow):
    """A flow of another package."""
