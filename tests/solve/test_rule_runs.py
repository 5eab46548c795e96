"""Runs under closed-form rules: reductions, engines, what is conserved, where they rest, files, verdicts."""

import jax
import numpy as np
import pytest

import lindyn as ld
from lindyn.flows import rules
from lindyn.predictors import RULES
from lindyn.theory import fixed_points
from tests.helpers import block_difference, moments, orthogonal, relative, rng, weights

HP = ld.Hyperparameters(alpha_p=1.0, beta=0.6, eta=0.03)
NAMES = sorted(RULES)
X, X_AUG = np.array([1.5, 0.7, 0.2, 0.9, 0.05]), np.array([0.1, 0.6, 0.3, 0.0, 0.2])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reduction", ["isotropic", "commuting", "rotated"])
def test_reductions_are_exact_under_every_rule(name, reduction):
    """Rules read W through W S W^T and W_a X W^T alone, which no rotation of the inputs changes."""
    data = {
        "isotropic": ld.Moments.isotropic(5, 0.3),
        "commuting": ld.Moments.commuting(X, X_AUG, orthogonal(1, 5)),
        "rotated": moments(2, 5),
    }[reduction]
    flow, y = ld.WeightFlow(HP, data, predictor=name), weights(3, 2, 5)
    ts = [0.0, 1.0, 5.0]
    plain = ld.simulate(flow, y, ts, engine="scipy", reduction="printed", rtol=1e-11)
    small = ld.simulate(flow, y, ts, engine="scipy", reduction=reduction, rtol=1e-11)
    assert small.notes["reduction"] == reduction
    assert block_difference(small.states, plain.states) < 1e-9


@pytest.mark.parametrize("name", ["direct_pred", "linear_regression", "newton_schulz", "stiefel"])
def test_modes_run_as_the_weights_of_commuting_data_do(name):
    U, V, w, a = orthogonal(4, 3), orthogonal(5, 5), np.array([0.4, 0.9, 0.6]), np.array([0.2, 0.7, 0.9])
    y = ld.WeightState((U * w) @ V[:, :3].T, None, (U * a) @ V[:, :3].T)
    choices = {"predictor": name}
    ts = [0.0, 2.0, 20.0]
    full = ld.simulate(ld.WeightFlow(HP, ld.Moments.commuting(X, X_AUG, V), **choices), y, ts, engine="scipy")
    small = ld.ModeWeightFlow(HP, x=X[:3], x_aug=X_AUG[:3], **choices)
    few = ld.simulate(small, ld.ModeWeightState(np.ones(3), w, a), ts, engine="scipy")
    by_s = ld.ModeFlow(HP, x=X[:3], x_aug=X_AUG[:3], **choices)
    squares = ld.simulate(by_s, ld.ModeState(0.0, w**2, a / w), ts, engine="scipy")
    for k in range(3):
        assert relative((U * few.states.w[k]) @ V[:, :3].T, full.states.W[k]) < 1e-9
        assert relative((U * few.states.p[k]) @ U.T, full.states.W_p[k]) < 1e-9
    assert relative(squares.states.s, few.states.w**2) < 1e-8
    assert relative(squares.states.p, few.states.p) < 1e-8


def test_engines_agree_and_store_the_true_predictor():
    flow, y = ld.WeightFlow(HP, moments(6, 5), predictor="direct_pred"), weights(6, 3, 5)
    ts = [0.0, 1.0, 10.0]
    runs = [ld.simulate(flow, y, ts, engine=engine, dense=True) for engine in ("scipy", "diffrax")]
    assert block_difference(runs[0].states, runs[1].states) < 1e-8
    for run in runs:
        for state in (*(run[k] for k in range(3)), run(3.3)):
            assert relative(state.W_p, rules.complete(flow, state).W_p) < 1e-12
        between = run(np.array([0.5, 3.3]))
        assert between.W_p.shape == (2, 3, 3) and relative(between.W_p[1], run(3.3).W_p) < 1e-12


def test_runs_under_jit_and_grad():
    flow, y = ld.WeightFlow(HP, moments(7, 4), predictor="direct_copy"), weights(7, 2, 4)
    with jax.enable_x64(True):

        def end(W):
            return ld.simulate(flow, y._replace(W=W), [0.0, 2.0], reduction="printed", rtol=1e-6).states.W_p[-1].sum()

        value, slope = jax.jit(jax.value_and_grad(end))(jax.numpy.asarray(y.W))
    plain = ld.simulate(flow, y, [0.0, 2.0], engine="scipy")
    assert float(value) == pytest.approx(plain.final.W_p.sum(), rel=1e-4)
    step, nudge = 1e-5, rng(8).normal(size=y.W.shape)
    ends = [
        ld.simulate(flow, y._replace(W=y.W + sign * step * nudge), [0.0, 2.0], engine="scipy").final.W_p.sum()
        for sign in (1, -1)
    ]
    assert float(np.sum(np.asarray(slope) * nudge)) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3)


@pytest.mark.parametrize("target", ["ema", "online", "frozen"])
@pytest.mark.parametrize("eta", [0.0, 0.07])
def test_regression_conserves_the_outputs_gram_matrix(target, eta):
    """d(W W^T)/dt = -2 eta W W^T for any X, X' and target: G W^T = H - W_p F = 0."""
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.6, eta), moments(8, 5), target, predictor="linear_regression")
    y = weights(8, 3, 5, "copy" if target == "online" else "independent")
    rtol = 1e-9
    run = ld.simulate(flow, y, np.linspace(0.0, 30.0, 31), engine="scipy", rtol=rtol)
    F = run.states.W @ np.swapaxes(run.states.W, 1, 2) * np.exp(2 * eta * run.ts)[:, None, None]
    assert np.max(np.abs(F - F[0])) < 10 * rtol * np.max(np.abs(F[0]))
    assert relative(run.final.W, np.exp(-eta * 30.0) * y.W) > 1e-2  # its rows do turn
    trained = ld.simulate(flow._replace(predictor="trained"), y, [0.0, 30.0], engine="scipy").final.W
    assert relative(trained @ trained.T * np.exp(2 * eta * 30.0), F[0]) > 1e-2


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("statistics", rules.STATISTICS)
def test_every_power_rests_at_the_same_p(power, statistics):
    """DirectSet: p_+ of the trained flow whatever the power; s = p^(1/power) over v, or over 1 for F = W W^T."""
    hp = ld.Hyperparameters(1.0, 0.6, 0.04)
    flow = ld.ModeFlow(
        hp, x=np.array([1.0, 0.8]), x_aug=np.array([0.25, 0.1]), target="online",
        predictor=ld.predictors.Rule.of("direct_set", power=power), statistics=statistics,
    )  # fmt: skip
    v = np.array([1.25, 0.9]) if statistics == "views" else np.ones(2)
    points = fixed_points(eta=0.04, x=np.array([1.0, 0.8]), x_aug=np.array([0.25, 0.1]))
    start = (points.p_minus * 1.3) ** (1 / power) / v
    run = ld.simulate(flow, ld.ModeState(0.0, start), [0.0, 400.0], engine="scipy")
    assert relative(run.final.p, points.p_plus) < 1e-8
    assert relative(run.final.s, points.p_plus ** (1 / power) / v) < 1e-8
    below = ld.simulate(
        flow, ld.ModeState(0.0, (points.p_minus * 0.9) ** (1 / power) / v), [0.0, 400.0], engine="scipy"
    )
    assert np.max(below.final.s) < 1e-3 * np.min(start)


def end_of(predictor, s, eta=0.04):
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.6, eta), target="online", predictor=predictor)
    return ld.simulate(flow, ld.ModeState(0.0, s), [0.0, 600.0], engine="scipy").final


def test_a_ridge_between_the_branches_takes_the_basin_of_collapse_away():
    """p_- < a < p_+: even s = 1e-6 grows to p_+; a < p_- keeps a basin; a > p_+ collapses everything to p = a."""
    points = fixed_points(eta=0.04, x=1.0, x_aug=0.25)
    rule = ld.predictors.Rule.of
    for power in (0.5, 1.0):
        grown = end_of(rule("direct_set", power=power, ridge=0.3), 1e-6)
        assert float(grown.p) == pytest.approx(float(points.p_plus), rel=1e-8)
        assert float(grown.s) == pytest.approx((float(points.p_plus) - 0.3) ** (1 / power) / 1.25, rel=1e-8)
        assert float(end_of(rule("direct_set", power=power, ridge=0.02), 1e-6).s) < 1e-7
        gone = end_of(rule("direct_set", power=power, ridge=1.0), 0.5)
        assert float(gone.s) < 1e-8 and float(gone.p) == pytest.approx(1.0, abs=1e-3)


def test_neumann_may_rest_at_p_minus():
    """p = (x tau/v)(1 - (1 - f)^2) falls past f = v s = 1: there p_- attracts, below it p_+ does."""
    points = fixed_points(eta=0.04, x=1.0, x_aug=0.25)
    low, high = end_of("neumann", 0.5), end_of("neumann", 1.3)
    assert float(low.p) == pytest.approx(float(points.p_plus), rel=1e-8) and float(low.s) < 0.8
    assert float(high.p) == pytest.approx(float(points.p_minus), rel=1e-8) and 0.8 < float(high.s) < 1.6


def test_regression_of_modes_stands_still():
    """W_p = x tau/(x + x') per mode, D = 0: without decay nothing moves."""
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.6, 0.0), predictor="linear_regression", x=X, x_aug=X_AUG)
    rate = flow(0.0, ld.ModeState(0.0, [0.3, 0.2, 0.6, 0.1, 0.4], [1.0, 0.5, 0.7, 1.2, 0.9]))
    assert np.max(np.abs(rate.s)) < 1e-15


@pytest.mark.parametrize("predictor", ["paper", "directcopy", "stiefel", ld.predictors.Recipe.of("visser", freq=4)])
def test_files_keep_the_recipe(predictor, tmp_path):
    flow = ld.WeightFlow(HP, moments(9, 4), predictor=predictor, statistics="weights")
    run = ld.simulate(flow, weights(9, 3, 4), [0.0, 1.0, 2.0], engine="scipy")
    again = ld.load(run.save(tmp_path / "run.nc"))
    assert again.flow.predictor == flow.predictor and again.flow.statistics == "weights"
    assert block_difference(again.states, run.states) == 0
    assert relative(again.flow(0.0, again[1]).W, flow(0.0, run[1]).W) < 1e-15


def test_offsets_survive_a_file(tmp_path):
    rule = ld.predictors.Rule.of("direct_pred", c=[0.1, 0.0, -0.05])
    run = ld.simulate(ld.ModeFlow(HP, predictor=rule), ld.ModeState(0.0, [0.3, 0.2, 0.1]), t1=1.0, engine="scipy")
    assert ld.load(run.save(tmp_path / "run.nc")).flow.predictor == run.flow.predictor


NEED_TRAINING = ("tian.theorem_1", "beyond.symmetrised_balance", "tian.integral_of_motion", "tian.eq_17_pairs",
                 "tian.fixed_points", "tian.fixed_point_manifold", "tian.theorem_3")  # fmt: skip


@pytest.mark.parametrize("predictor", ["paper", "linear_regression", "newton_schulz"])
def test_verdicts(predictor):
    """What needs a trained predictor does not apply; what holds for any W_p is measured and holds."""
    fine = np.linspace(0.0, 20.0, 401)
    full = ld.simulate(
        ld.WeightFlow(HP, ld.Moments.isotropic(4, 0.3), predictor=predictor), weights(1, 2, 4), fine, engine="scipy"
    )
    modes = ld.simulate(
        ld.ModeFlow(ld.Hyperparameters(1.0, 0.6, 0.3), predictor=predictor), ld.ModeState(0, [0.2, 0.1]), fine,
        engine="scipy",
    )  # fmt: skip
    for run in (full, modes):
        found = ld.verify(run)
        assert found.holds, str(found)
        assert {found.row(name).verdict for name in NEED_TRAINING} == {"not applicable"}
        assert found.row("closed_form.rule").verdict == "holds"
    assert ld.verify(full).row("tian.lemma_1").verdict == "holds"
    assert ld.verify(full).row("tian.reduction_gram").verdict == "holds"
    assert ld.verify(modes).row("tian.critical_decay").verdict == "holds"
    broken = full._replace(states=full.states._replace(W_p=1.01 * full.states.W_p))
    assert ld.verify(broken).row("closed_form.rule").verdict == "fails"
    trained = ld.simulate(ld.WeightFlow(HP, ld.Moments.isotropic(4, 0.3)), weights(1, 2, 4), fine, engine="scipy")
    assert ld.verify(trained).row("closed_form.rule").verdict == "not applicable"
