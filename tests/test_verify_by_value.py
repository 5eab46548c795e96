"""`lindyn.verify` by value: a bound that is 5 % too strong fails, one that is 5 % too weak shows, a sharp one reads 1.

Every bound has a run that reaches it, so that a wrong factor in the code moves the sharpness off 1; every identity has
a run on which each rate that enters is 5 % too large and 5 % too small in turn. eta_p != eta_s wherever it is allowed.
"""

from dataclasses import replace

import numpy as np
import pytest

import lindyn as ld
from lindyn import observables
from lindyn.equations import matrices
from lindyn.verification import applicable, critical, matrix_checks

HP = ld.Hyperparameters(1.7, 0.3, eta_p=0.013, eta_s=0.04)
HELD = ld.Hyperparameters(1.7, 0.3, eta_p=0.0, eta_s=0.31)  # W_p of small features stands still
EQUAL = ld.Hyperparameters(1.7, 0.3, 0.04)


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


def run(flow, y0, t1=1.0, times=41, **how):
    return ld.simulate(flow, y0, ts=np.linspace(0.0, t1, times), engine="scipy", rtol=1e-11, **how)


def turned(w, p, x, x_aug, hp, w_a=None, t1=1.0, **choices):
    """Run two output modes w_i along data modes i, in bases that are not those of the coordinates."""
    U, V = rotation(2, 1), rotation(3, 2)
    place = lambda values: U @ np.hstack([np.diag(values), np.zeros((2, 1))]) @ V.T  # noqa: E731
    flow = ld.WeightFlow(hp, ld.Moments.commuting(x, x_aug, V), **choices)
    W_a = place(w if w_a is None else w_a)
    W_p = U @ np.diag(p) @ U.T if flow.predictor == "trained" else np.eye(2)
    return run(flow, ld.WeightState(W=place(w), W_p=W_p, W_a=W_a), t1)


def unstopped():
    """W has the one entry of H's smallest eigenvalue."""
    return turned([0.1, 0.0], [0.9, 0.2], [1.0, 0.5, 0.6], [0.1, 0.4, 0.5], HP, target="online", stop_gradient=False)


def bare(stop_gradient):
    flow = {"target": "online", "predictor": "identity", "stop_gradient": stop_gradient}
    return lambda: turned([0.3, 0.0], [1.0, 1.0], [1.0, 0.5, 0.6], [0.1, 0.4, 0.5], HP, **flow)


def nearly_round():
    """W_p and F are multiples of I but for a thousandth: all eigenvalues of K are alike."""
    rng = np.random.default_rng(3)
    A, B = (M + M.T for M in rng.normal(size=(2, 3, 3)))
    y0 = ld.CorrelationState(0.5 * np.eye(3) + 1e-4 * A, 0.3 * np.eye(3) + 1e-4 * B, 0.8)
    return run(ld.CorrelationFlow(HP, sigma2=0.2, symmetrised=True, tau="constant"), y0)


def two_modes():
    """With two outputs ||[F, W_p]|| falls at tr K exactly."""
    y0 = ld.CorrelationState([[0.9, 0.2], [0.2, 0.3]], [[0.5, -0.1], [-0.1, 0.2]], 0.7)
    return run(ld.CorrelationFlow(HP, sigma2=0.2, symmetrised=True), y0)


def growing_least(kind):
    """W_p at x tau/(2 (x + x')), where the growth is largest, and features too small to move it."""
    tau, x, x_aug = 0.8, 1.3, 0.4
    p = x * tau / (2 * (x + x_aug))
    if kind == "modes":
        flow = ld.ModeFlow(HELD, x=x, x_aug=x_aug, tau="constant")
        return lambda: run(flow, ld.ModeState(p=[p, 0.9 * p], s=[1e-8, 1e-16], tau=tau))
    if kind == "parabola":
        flow, y0 = ld.ParabolaFlow(ld.Hyperparameters(1.7, 0.3, 0.31), x=x, x_aug=x_aug, tau="constant"), p
        return lambda: run(flow, ld.ParabolaState(p=y0, tau=tau), t1=0.02)
    flow = ld.CorrelationFlow(HELD, x=x, sigma2=x_aug, tau="constant")
    F = 1e-8 * rotation(3, 4) @ np.diag([1.0, 0.5, 0.1]) @ rotation(3, 4).T
    return lambda: run(flow, ld.CorrelationState(p * np.eye(3), F, tau))


def steepest(target, w_a=None):
    """W along the top eigenvector of X (X + X')^-1 X, W_p W = W_a X (X + X')^-1/2."""
    x, x_aug = np.array([1.0, 0.5, 0.6]), np.array([0.1, 0.4, 0.5])
    p = x[0] / (2 * (x[0] + x_aug[0]))
    hp, t1 = (HELD, 1.0) if target == "online" else (HELD, 0.02)
    return lambda: turned([1e-6, 0.0], [p, 0.3], x, x_aug, hp, w_a=w_a, t1=t1, target=target)


def small_gram():
    """The same for the Gram system of isotropic data."""
    x, x_aug = 1.0, 0.25
    F = 1e-10 * np.diag([1.0, 0.5])
    y0 = ld.GramState(W_p=x / (2 * (x + x_aug)) * np.eye(2), F=F, H=F, J=F)
    return run(ld.GramFlow(HELD, x=x, sigma2=x_aug), y0, t1=0.02)


def standing(kind):
    """A mode that neither grows nor falls: tau = 1 - exp(-beta t) exactly."""
    hp = ld.Hyperparameters(1.7, 0.3, 0.0)
    if kind == "modes":
        return lambda: run(ld.ModeFlow(hp), ld.ModeState(p=[0.0, 0.0], s=[1e-13, 1e-14], tau=0.0), t1=4.0)
    return lambda: run(ld.ParabolaFlow(hp), ld.ParabolaState(p=1e-7, tau=0.0), t1=4.0)


SHARP = {
    "tian.theorem_2": [unstopped],
    "tian.no_predictor": [bare(True), bare(False)],
    "tian.theorem_3": [nearly_round],
    "tian.theorem_3_sharp": [nearly_round, two_modes],
    "tian.critical_decay": [growing_least(kind) for kind in ("modes", "parabola", "matrices")],
    "tian.critical_decay_full": [steepest("online")],
    "tian.critical_decay_ema": [steepest("ema"), small_gram],
    "tian.tau_bounds": [standing("modes"), standing("parabola")],
}
RUNS = [(name, make) for name, runs in SHARP.items() for make in runs]


def row_of(traj, name):
    check = next(check for check in applicable.CHECKS if check.name == name)
    assert check.applies(traj) == "", check.applies(traj)
    return check.measure(traj)


def scaled(monkeypatch, factor):
    """Let every bound on a rate be `factor` times what it is."""
    plain = critical.against_bound

    def stronger(name, title, ts, size, rate, premise, **how):
        return plain(name, title, ts, size, factor * rate, premise, **how)

    for module in (critical, matrix_checks):
        monkeypatch.setattr(module, "against_bound", stronger)


def at_beta(traj, factor):
    hp = traj.flow.hp
    other = ld.Hyperparameters(hp.alpha_p, factor * hp.beta, eta_p=hp.eta_p, eta_s=hp.eta_s)
    return replace(traj, flow=replace(traj.flow, hp=other))


@pytest.mark.parametrize(("name", "make"), RUNS)
def test_a_bound_that_is_reached_reads_one_and_five_percent_are_seen(name, make, monkeypatch):
    traj = make()
    row = row_of(traj, name)
    assert row.verdict == "holds" and row.premise_share > 0.9, row.as_text()
    assert row.median_sharpness == pytest.approx(1.0, abs=0.01)
    for factor, verdict in ((1.05, "fails"), (0.95, "holds")):
        with monkeypatch.context() as patch:
            if name == "tian.tau_bounds":  # here a larger beta is the weaker bound
                changed = row_of(at_beta(traj, 1 / factor), name)
            else:
                scaled(patch, factor)
                changed = row_of(traj, name)
        assert changed.verdict == verdict, changed.as_text()
        assert (changed.median_sharpness < 0.97) if factor < 1 else (changed.median_sharpness > 1.03)


def test_every_check_that_bounds_a_rate_is_looked_at():
    """A check whose row has a sharpness stands in `SHARP`; all others are identities, looked at below."""
    assert {check.name for check in applicable.CHECKS} == set(SHARP) | set(RATES) | set(ON_STATES)


def lemma_1(**choices):
    rng = np.random.default_rng(5)
    X, Y = (M @ M.T / 4 for M in rng.normal(size=(2, 4, 4)))
    hp = HP if not choices.pop("equal", False) else EQUAL
    y0 = ld.WeightState(*(0.5 * rng.normal(size=size) for size in ((3, 4), (3, 3), (3, 4))))
    return run(ld.WeightFlow(hp, ld.Moments(X, Y), **choices), y0, t1=3.0, times=201)


def isotropic(**choices):
    flow = ld.WeightFlow(HP, ld.Moments.isotropic(4, 0.3), **choices)
    return run(flow, ld.WeightState.random(3, 4), t1=3.0, times=201)


def correlation():
    return run(ld.CorrelationFlow(EQUAL, sigma2=0.2, symmetrised=True), ld.CorrelationState.random(3), t1=3.0)


def modes(hp):
    return run(ld.ModeFlow(hp, x=1.2, x_aug=0.3), ld.ModeState(p=[0.3, 0.5], s=[0.2, 0.1], tau=0.4), t1=3.0, times=201)


def cosine(normalise):
    flow = ld.WeightFlow(HP, ld.Moments.isotropic(4, 0.3), loss="cosine", normalise=normalise)
    return run(flow, ld.WeightState.random(3, 4), t1=3.0)


def rested():
    hp = ld.Hyperparameters(1.7, 0.3, eta_p=0.06, eta_s=0.04)
    return run(ld.ModeFlow(hp, x=1.2, x_aug=0.3), ld.ModeState(p=[0.6, 0.5], s=[0.4, 0.3], tau=1.0), t1=1500.0)


RATES = {
    "tian.lemma_1": (lemma_1, ("alpha_p", "beta", "eta_p", "eta_s")),
    "tian.theorem_1": (lambda: lemma_1(equal=True), ("alpha_p", "eta")),
    "beyond.symmetrised_balance": (correlation, ("alpha_p", "eta")),
    "tian.integral_of_motion": (lambda: modes(EQUAL), ("alpha_p", "eta")),
    "tian.eq_15": (lambda: modes(HP), ("beta",)),
    "tian.reduction_gram": (isotropic, ("alpha_p", "beta", "eta_p", "eta_s")),
    "tian.reduction_12": (lambda: isotropic(target="online"), ("alpha_p", "eta_p", "eta_s")),
    "normalised.norms": (lambda: cosine("none"), ("eta_p", "eta_s")),
    "normalised.row_norms": (lambda: cosine("batchnorm"), ("eta_s",)),
    "tian.fixed_points": (rested, ("alpha_p", "eta_p", "eta_s")),
}
ON_STATES = {  # what no rate enters: a state is moved in place of it
    "closed_form.rule", "tian.theorem_3 (identity)", "assumption_1", "tian.eq_17_pairs", "tian.fixed_point_manifold",
}  # fmt: skip


def with_rate(traj, name, factor):
    """Return a run whose record says that one of its rates was `factor` times as large."""
    hp = traj.flow.hp
    values = {one: float(getattr(hp, one)) for one in ("alpha_p", "beta", "eta_p", "eta_s")}
    for one in ("eta_p", "eta_s") if name == "eta" else (name,):
        values[one] *= factor
    return replace(traj, flow=replace(traj.flow, hp=ld.Hyperparameters(**values)))


@pytest.mark.parametrize("name", RATES)
def test_an_identity_fails_at_rates_five_percent_off_in_both_directions(name):
    make, rates = RATES[name]
    traj = make()
    assert row_of(traj, name).verdict == "holds", row_of(traj, name).as_text()
    for rate in rates:
        for factor in (1.05, 0.95):
            assert row_of(with_rate(traj, rate, factor), name).verdict == "fails", (rate, factor)


def moved(traj, name, factor):
    return replace(traj, states=replace(traj.states, **{name: factor * np.asarray(getattr(traj.states, name))}))


def test_states_five_percent_off_are_seen():
    rule = run(ld.ModeFlow(HP, predictor="direct_pred"), ld.ModeState(p=[0.3, 0.5], s=[0.2, 0.1], tau=0.4))
    assert row_of(rule, "closed_form.rule").verdict == "holds"
    free = ld.Hyperparameters(1.7, 0.3, 0.0)
    U = rotation(3, 6)
    data = ld.Moments(U @ np.diag([1.0, 0.7, 0.4]) @ U.T, np.diag([0.2, 0.4, 0.3]))
    rest = run(ld.WeightFlow(free, data), ld.WeightState.random(2, 3), t1=2000.0)
    assert row_of(rest, "tian.fixed_point_manifold").verdict == "holds", row_of(
        rest, "tian.fixed_point_manifold"
    ).as_text()
    for factor in (1.05, 0.95):
        assert row_of(moved(rule, "p", factor), "closed_form.rule").verdict == "fails"
        other = replace(rest, flow=replace(rest.flow, data=ld.Moments(data.X, factor * data.X_aug)))
        assert row_of(other, "tian.fixed_point_manifold").verdict == "fails"


def test_the_angle_of_assumption_1_is_told_by_its_cosine():
    W = np.random.default_rng(7).normal(size=(2, 5))
    across = np.array([W[1], -W[0]])
    across -= W * np.sum(W * across) / np.sum(W * W)
    across *= np.linalg.norm(W) / np.linalg.norm(across)
    for tilt, verdict in ((0.05, "premise not fulfilled"), (1e-4, "holds")):
        y0 = ld.WeightState(W, np.eye(2), 0.7 * (W + tilt * across))
        row = row_of(run(ld.WeightFlow(HP, ld.Moments.isotropic(5, 0.2)), y0, t1=1e-6, times=3), "assumption_1")
        assert row.verdict == verdict
        assert row.residual[0] == pytest.approx(1 - 1 / np.sqrt(1 + tilt**2), rel=1e-5, abs=1e-15)


@pytest.mark.parametrize("factor", [1.05, 0.95])
def test_the_commutator_s_equation_fails_for_a_K_five_percent_off(factor, monkeypatch):
    traj = two_modes()
    assert row_of(traj, "tian.theorem_3 (identity)").verdict == "holds"
    plain = observables.K_matrix
    monkeypatch.setattr(observables, "K_matrix", lambda run: factor * plain(run))
    assert row_of(traj, "tian.theorem_3 (identity)").verdict == "fails"


def test_K_by_value_with_unequal_decays():
    """Of matrices and of modes, written out; the decays exchanged give another number."""
    traj = two_modes()
    W_p, F, tau = (np.asarray(getattr(traj.states, name))[7] for name in ("W_p", "F", "tau"))
    wanted = 1.2 * (0.85 * F + W_p @ W_p) - tau * W_p + (0.04 + 0.0065) * np.eye(2)
    np.testing.assert_allclose(observables.K_matrix(traj)[7], wanted, rtol=1e-12)
    np.testing.assert_allclose(observables.lambda_min_K(traj)[7], np.linalg.eigvalsh(wanted)[0], rtol=1e-12)
    p, s, tau = (np.asarray(getattr(modes(HP).states, name))[7] for name in ("p", "s", "tau"))
    wanted = 0.85 * 1.5 * s - p * (1.2 * tau - 1.5 * p) + 0.04 + 0.0065
    np.testing.assert_allclose(observables.lambda_min_K(modes(HP))[7], wanted, rtol=1e-12)


def test_eq_17_by_pairs_is_judged_by_the_rate_of_a_tilt():
    """k_1 + k_2 a twentieth above and below 0, by eta_s: what the matrix flow does to a tilt, and what the row says."""
    p, s, tau = np.array([0.45, 0.5]), np.array([1e-3, 2e-3]), 1.0
    k = 0.85 * 1.2 * s - p * (tau - 1.2 * p) + 0.0065  # without eta_s
    for share, verdict in ((1.05, "holds"), (0.95, "premise not fulfilled")):
        hp = ld.Hyperparameters(1.7, 0.3, eta_p=0.013, eta_s=-share * k.sum() / 2)
        traj = run(ld.ModeFlow(hp, x_aug=0.2), ld.ModeState(p, s, tau), t1=1e-6, times=3)
        assert row_of(traj, "tian.eq_17_pairs").verdict == verdict
        tilt = 1e-7 * np.array([[0.0, 1.0], [1.0, 0.0]])
        y0 = ld.CorrelationState(np.diag(p) + tilt, np.diag(s), tau)
        flow = ld.CorrelationFlow(hp, sigma2=0.2, symmetrised=True)
        rate = flow(0.0, y0)
        L = matrices.commutator(np.diag(s), tilt)[0, 1]
        dL = (matrices.commutator(rate.F, y0.W_p) + matrices.commutator(y0.F, rate.W_p))[0, 1]
        assert -dL / L == pytest.approx((share - 1) * -k.sum(), rel=1e-4)


def test_one_output_dies_between_its_own_threshold_and_that_of_many_outputs():
    """X and X' that do not commute: sup (w X w)^2/(4 w S w w w) is below lambda_max(X S^-1 X)/4, and it decides."""
    rng = np.random.default_rng(8)
    X, Y = (M @ M.T / 3 for M in rng.normal(size=(2, 3, 3)))
    data, S = ld.Moments(X, Y), X + Y
    value = lambda w: (w @ X @ w) ** 2 / (4 * (w @ S @ w) * (w @ w))  # noqa: E731
    w = np.linalg.eigh(X @ np.linalg.inv(S) @ X)[1][:, -1]
    for _ in range(4000):  # ascent along the gradient of log value
        w = w + 0.05 * (2 * X @ w / (w @ X @ w) - S @ w / (w @ S @ w) - w / (w @ w))
        w = w / np.linalg.norm(w)
    own, many = value(w), np.linalg.eigvalsh(X @ np.linalg.inv(S) @ X)[-1] / 4
    assert own < 0.97 * many
    a, b = w @ X @ w, w @ S @ w
    for eta_s, lives in ((0.999 * own, True), (1.01 * own, False)):
        hp = ld.Hyperparameters(1.0, 0.3, eta_p=0.05, eta_s=eta_s)
        y0 = ld.WeightState(1.1 * np.sqrt(0.05 / b) * w[None], [[1.1 * a / (2 * b)]])
        end = ld.simulate(ld.WeightFlow(hp, data, target="online"), y0, t1=3000.0, engine="scipy").final
        assert bool(np.linalg.norm(end.W) > 0.5 * np.linalg.norm(y0.W)) == lives
