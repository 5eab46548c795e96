"""`lindyn.verify` on collapse with a moving target, on where runs come to rest, and on the reductions."""

import numpy as np
import pytest

import lindyn as ld

ISOTROPIC = ld.Moments.isotropic(6, 0.2)
COMMUTING = ld.Moments.commuting(
    [1.0, 0.8, 0.8, 0.5], [0.2, 0.1, 0.1, 0.3], np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
)
_half = np.random.default_rng(1).normal(size=(2, 4, 4))
GENERAL = ld.Moments(_half[0] @ _half[0].T / 4, _half[1] @ _half[1].T / 8)


def run(eta, data, t1, n2=3, **choices):
    flow = ld.WeightFlow(ld.Hyperparameters(1.5, 0.4, eta), data, **choices)
    ts = np.linspace(0.0, t1, 400)
    return ld.simulate(flow, ld.WeightState.random(n2, data.n1), ts=ts, engine="scipy")


def arrays(traj, **changes):
    states, data, hp = traj.states, traj.flow.data, traj.flow.hp
    rates = {"alpha_p": float(hp.alpha_p), "beta": float(hp.beta), "eta": float(hp.eta)}
    kept = {"t": traj.ts, "W": states.W, "W_p": states.W_p, "W_a": states.W_a, "X": data.X, "X_aug": data.X_aug}
    return kept | rates | {"target": traj.flow.target} | changes


@pytest.fixture(scope="module")
def rested():
    return run(0.02, COMMUTING, 2500.0)


@pytest.fixture(scope="module")
def free():
    return run(0.0, GENERAL, 300.0)


@pytest.fixture(scope="module")
def isotropic():
    return run(0.05, ISOTROPIC, 10.0, n2=4)


def test_above_the_critical_decay_the_larger_norm_falls():
    row = ld.verify(run(0.8, GENERAL, 10.0)).row("tian.critical_decay_ema")
    assert row.verdict == "holds" and row.premise_share == 1.0 and row.median_sharpness <= 1 + 1e-3
    online = ld.verify(run(0.8, GENERAL, 10.0, target="online")).row("tian.critical_decay_ema")
    assert online.verdict == "not applicable" and "online" in online.reason


def test_below_it_nothing_is_said_and_a_wrong_decay_is_found_out(isotropic):
    assert ld.verify(isotropic).row("tian.critical_decay_ema").verdict == "premise not fulfilled"
    growing = arrays(isotropic, W=np.asarray(isotropic.states.W) * np.exp(0.05 * isotropic.ts)[:, None, None], eta=0.5)
    assert ld.verify(growing).row("tian.critical_decay_ema").verdict == "fails"


def test_rest_at_the_fixed_points_of_every_mode(rested):
    row = ld.verify(rested).row("tian.fixed_points")
    assert row.verdict == "holds" and row.worst < 1e-8 and "p_+" in row.reason
    wrong = ld.verify(arrays(rested, eta=0.03)).row("tian.fixed_points")
    assert wrong.verdict == "fails" and wrong.worst > 1e-2


def test_rest_of_isotropic_data_and_of_the_reduced_flows():
    row = ld.verify(run(0.05, ISOTROPIC, 500.0, n2=4)).row("tian.fixed_points")
    assert row.verdict == "holds", row.as_text()
    flow = ld.CorrelationFlow(ld.Hyperparameters(1.0, 0.4, 0.05), sigma2=0.2)
    row = ld.verify(ld.simulate(flow, ld.CorrelationState.random(3), t1=500.0, engine="scipy")).row("tian.fixed_points")
    assert row.verdict == "holds", row.as_text()


@pytest.mark.parametrize(
    ("eta", "data", "t1", "verdict", "reason"),
    [
        (0.02, GENERAL, 20.0, "not applicable", "do not commute"),
        (0.0, COMMUTING, 20.0, "not applicable", "eta > 0"),
        (0.02, COMMUTING, 5.0, "premise not fulfilled", "did not come to rest"),
    ],
)
def test_fixed_points_where_they_say_nothing(eta, data, t1, verdict, reason):
    row = ld.verify(run(eta, data, t1)).row("tian.fixed_points")
    assert row.verdict == verdict and reason in row.reason


def test_manifold_of_appendix_d(free, rested):
    row = ld.verify(free).row("tian.fixed_point_manifold")
    assert row.verdict == "holds" and row.worst < 1e-6
    other = ld.verify(arrays(free, X_aug=2 * GENERAL.X_aug)).row("tian.fixed_point_manifold")
    assert other.verdict == "fails"
    assert ld.verify(rested).row("tian.fixed_point_manifold").verdict == "not applicable"
    singular = np.asarray(free.states.W_p).copy()
    singular[:, 0] = 0.0
    row = ld.verify(arrays(free, W_p=singular)).row("tian.fixed_point_manifold")
    assert row.verdict == "fails"  # a singular W_p rests on the manifold too, and this one does not


def test_the_reductions_of_isotropic_data(isotropic, rested):
    found = ld.verify(isotropic)
    assert found.row("tian.reduction_gram").verdict == "holds"
    assert found.row("tian.reduction_12").verdict == "premise not fulfilled"
    assert "Assumption 1" in found.row("tian.reduction_12").reason
    assert ld.verify(arrays(isotropic, beta=0.8)).row("tian.reduction_gram").verdict == "fails"
    online = run(0.05, ISOTROPIC, 10.0, n2=4, target="online")
    found = ld.verify(online)
    assert found.row("tian.reduction_12").verdict == "holds"
    assert found.row("tian.reduction_gram").verdict == "not applicable"
    assert ld.verify(arrays(online, alpha_p=2.5)).row("tian.reduction_12").verdict == "fails"
    assert ld.verify(rested).row("tian.reduction_gram").verdict == "not applicable"
