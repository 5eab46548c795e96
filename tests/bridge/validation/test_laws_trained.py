"""The linear model trained by the bridge: what is proved of it is what the verdicts say."""

import numpy as np
import pytest

from lindyn import statistics
from lindyn.bridge import laws
from lindyn.bridge.laws import KnownRun
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.bridge.run import hyperparameters, start, step_time
from lindyn.bridge.settings import Rates
from lindyn.bridge.training import TrainConfig, train
from lindyn.theory import fixed_points
from tests.bridge.validation.synthetic import Arrays, linear, of

GIVEN = {
    "data.name": "gaussian",
    "data.size": 12,
    "data.count": 2560,
    "data.decay": 0.0,
    "data.noise": 0.5,
    "model.width": 6,
    "model.predictor": "linear",
    "method.loss": "l2",
    "method.sides": "one-sided",
    "method.ema": 0.96,
    "optim.batch": 256,
    "optim.lr": 0.1,
    "optim.alpha_p": 1.5,
    "optim.momentum": 0.0,
    "optim.weight_decay": 0.03,
    "optim.predictor_weight_decay": 0.02,  # eta_p = alpha_p x this
    "optim.schedule": "constant",
    "run.precision": "64-true",
    "run.epochs": 60,
    "run.checkpoint_every": 20,
    "run.diagnostics_every": 0,
    "run.evaluation": "none",
    "run.evaluate_every": 0,
    "run.probe": False,
    "run.progress": False,
    "run.threads": 1,
    "run.theory": False,
}


def trained(folder, **more):
    """Return (rates, stacked states, the data's moments) of a run; two underscores stand for the dot."""
    changes = {key.replace("__", "."): value for key, value in more.items()}
    run = train(TrainConfig.of({**GIVEN, "run.folder": str(folder), **changes}))
    hp = hyperparameters(run.config)
    rates = Rates(hp.alpha_p, hp.beta, hp.eta_s, hp.eta_p, step_time(run.config), "ema")
    return rates, start.weights_along(run)[1], start.moments(run)


def answer(rates, states, data, at=-1, n=20_000):
    """Return the findings at a checkpoint, on fresh views."""
    rng = np.random.default_rng(5)
    base, *own = rng.standard_normal((3, n, data.n1))
    roots = [np.sqrt(np.diag(M)) for M in (data.X, data.X_aug)]
    views = [base * roots[0] + each * roots[1] for each in own]
    W, W_p, W_a = (np.asarray(getattr(states, name))[at] for name in ("W", "W_p", "W_a"))
    source = Arrays(views[0] @ W.T, views[1] @ W.T, views[0] @ W_a.T)
    return laws.findings(measure(source, linear(W_p), linear(W), linear(W_a)), KnownRun(rates))


@pytest.fixture(scope="module")
def isotropic(tmp_path_factory):
    """2 eta t = 3.6 at the end: the start is forgotten, and every mode is near the same p_+."""
    return trained(tmp_path_factory.mktemp("isotropic"))


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    """X = diag(1/j): modes go to different p_+, so that alignment says more than W_p ~ I."""
    change = {"optim__weight_decay": 0.006, "optim__predictor_weight_decay": 0.004, "optim__lr": 0.2}
    change |= {"data__decay": 1.0, "data__size": 6, "method__ema": 0.92}
    return trained(tmp_path_factory.mktemp("unlike"), **change)


def test_the_end_is_balanced_and_alive(isotropic):
    """Theorem 1 with equal decays, Eqs. 14, 16 and 17 at the living point, Assumptions 1 to 3."""
    found = answer(*isotropic)
    true = ("symmetry", "psd", "constant", "balance", "target", "target_weights", "isotropy", "isotropy_views", "eq17",
            "eq17_pairs", "boundary", "polar", "projection", "collapse")  # fmt: skip
    assert {law: of(found, law).verdict for law in true} == dict.fromkeys(true, HOLDS)
    assert of(found, "alignment").verdict == NOT_TESTABLE and of(found, "alignment").low > 0.999  # W_p ~ p_+ I
    assert of(found, "slope").verdict == NOT_TESTABLE and "spreads by a factor" in of(found, "slope").reason
    rates, _, data = isotropic
    p_plus = fixed_points(eta=rates.eta_s, tau=1.0, x=1.0, x_aug=float(data.X_aug[0, 0])).p_plus
    np.testing.assert_allclose(of(found, "boundary").details["p"], p_plus, rtol=0.05)
    np.testing.assert_allclose(of(found, "boundary").details["p_plus"], p_plus, rtol=0.05)


def test_the_start_is_not(isotropic):
    found = answer(*isotropic, at=0)
    false = ("alignment", "commutator", "symmetry", "psd", "slope", "constant", "balance", "boundary", "projection")
    assert {law: of(found, law).verdict for law in false} == dict.fromkeys(false, FAILS)


def test_the_residual_decays_as_exp_minus_two_eta_t(isotropic):
    """||B(t)|| = exp(-2 eta t) ||B(0)|| along the run, to the order of the step."""
    rates, states, _ = isotropic
    B = [W @ W.T - W_p.T @ W_p / rates.alpha_p for W, W_p in zip(states.W, states.W_p, strict=True)]
    t = np.arange(len(B)) * 200 * rates.step_time
    sizes = np.array([np.linalg.norm(each) for each in B])
    np.testing.assert_allclose(sizes, sizes[0] * np.exp(-2 * rates.eta_s * t), atol=0.03 * sizes[0])
    F, G = states.W @ states.W.swapaxes(1, 2), statistics.gram(states.W_p)
    residuals = statistics.balance_residual(F, G, rates.alpha_p)
    assert residuals[0] > 0.5 and residuals[-1] < 0.05


def test_alignment_and_symmetry_are_gained(unlike):
    """Theorem 3: W_p comes to share F's eigenvectors, and (Fig. 8) loses its antisymmetric part."""
    start, end = answer(*unlike, at=0), answer(*unlike)
    for law in ("alignment", "commutator", "symmetry"):
        assert (of(start, law).verdict, of(end, law).verdict) == (FAILS, HOLDS), law
    assert of(end, "alignment").details["random"] < 0.95
    # eta t = 0.7 has not made the modes forget their start: Eq. 14 still holds c_j, and slope and balance say so
    assert of(end, "balance").verdict == FAILS and of(end, "slope").verdict == FAILS


def test_a_decay_above_the_critical_one_is_told(tmp_path):
    heavy = {"optim__weight_decay": 0.4, "optim__predictor_weight_decay": 0.4 / 1.5}
    rates, states, data = trained(tmp_path, run__epochs=15, run__checkpoint_every=15, **heavy)
    found = answer(rates, states, data)
    assert of(found, "boundary").verdict == FAILS and "critical decay" in of(found, "boundary").reason
    assert np.trace(states.W[-1] @ states.W[-1].T) < 0.05 * np.trace(states.W[0] @ states.W[0].T)
