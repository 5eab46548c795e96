"""Choices of a flow: unknown names, combinations without meaning, states that cannot start it."""

import numpy as np
import pytest

import lindyn as ld
from tests.helpers import moments, weights

HP, DATA, Y = ld.Hyperparameters(1.0, 0.4, 0.01), moments(1), weights(1)
COPY = ld.WeightState(Y.W, (Y.W_p + Y.W_p.T) / 2)
SQUARE = ld.CorrelationState(Y.W_p, np.eye(3))

BAD_FLOWS = {
    "target": (
        lambda: ld.WeightFlow(HP, DATA, target="onlin"),
        "target must be one of 'ema', 'online', 'frozen'; got 'onlin'. Did you mean 'online'?",
    ),
    "predictor": (
        lambda: ld.WeightFlow(HP, DATA, predictor="symmetrized"),
        "got 'symmetrized'. Did you mean 'symmetrised'?",
    ),
    "nothing near": (
        lambda: ld.WeightFlow(HP, DATA, predictor="xyz"),
        "predictor must be one of 'trained', 'symmetrised', 'identity', 'neumann', 'visser', ",
    ),
    "rule": (
        lambda: ld.WeightFlow(HP, DATA, predictor="newton_schultz"),
        "got 'newton_schultz'. Did you mean 'newton_schulz'?",
    ),
    "preset": (lambda: ld.ModeFlow(HP, predictor="richmond"), "got 'richmond'. Did you mean 'richemond'?"),
    "no predictor at all": (lambda: ld.GramFlow(HP, predictor=None), "predictor must be one of 'trained', "),
    "rule symmetrised": (
        lambda: ld.CorrelationFlow(HP, symmetrised=True, predictor="visser"),
        "symmetrised=True needs a trained predictor; got predictor=Recipe(Rule.of('visser')).",
    ),
    "statistics": (
        lambda: ld.WeightFlow(HP, DATA, predictor="visser", statistics="weight"),
        "statistics must be one of 'views', 'weights'; got 'weight'. Did you mean 'weights'?",
    ),
    "statistics of nobody": (
        lambda: ld.ModeFlow(HP, statistics="weights"),
        "statistics='weights' is what a closed-form predictor sees; got predictor='trained'. Leave it out, or name a",
    ),
    "tau": (
        lambda: ld.ModeFlow(HP, tau="const"),
        "tau must be one of 'dynamic', 'constant'; got 'const'. Did you mean 'constant'?",
    ),
    "stop_gradient": (lambda: ld.WeightFlow(HP, DATA, stop_gradient=0), "stop_gradient must be True or False; got 0"),
    "gradient through an EMA": (
        lambda: ld.WeightFlow(HP, DATA, stop_gradient=False),
        "stop_gradient=False needs target='online'; got target='ema'",
    ),
    "gradient through a frozen target": (
        lambda: ld.ModeFlow(HP, target="frozen", stop_gradient=False),
        "stop_gradient=False needs target='online'; got target='frozen'",
    ),
    "no rates": (lambda: ld.WeightFlow(1.0, DATA), "hp must be Hyperparameters; got float"),
    "rates of modes": (lambda: ld.ModeFlow({"eta": 1}), "hp must be Hyperparameters; got dict"),
    "no moments": (
        lambda: ld.WeightFlow(HP, np.eye(3)),
        "data must be Moments; got ndarray. Wrap X and X' in Moments(X=, X_aug=).",
    ),
    "sigma2": (
        lambda: ld.CorrelationFlow(HP, sigma2=-0.1),
        "sigma2 must be finite and >= 0; got -0.1. It is a variance.",
    ),
    "NaN sigma2": (lambda: ld.GramFlow(HP, sigma2=np.nan), "sigma2 must be finite and >= 0; got nan"),
    "x": (lambda: ld.ModeFlow(HP, x=[1.0, -0.5]), "x must be >= 0; got -0.5. It is an eigenvalue of a moment."),
    "infinite x_aug": (lambda: ld.ModeWeightFlow(HP, x_aug=np.inf), "x_aug must be finite"),
    "gram online": (
        lambda: ld.GramFlow(HP, target="online"),
        "use CorrelationFlow(target='online'), which is exact then",
    ),
    "symmetrised identity": (
        lambda: ld.CorrelationFlow(HP, symmetrised=True, predictor="identity"),
        "symmetrised=True needs a trained predictor; got predictor='identity'",
    ),
    "parabola": (
        lambda: ld.ParabolaFlow(ld.Hyperparameters(eta_p=0.1, eta_s=0.2)),
        "eta is defined only for equal decays; got eta_p=0.1, eta_s=0.2",
    ),
    "appendix D": (lambda: ld.ModeWeightFlow.appendix_d(l_s=0.5, l_d=1.0), "l_d must be at most l_s"),
}

BAD_STARTS = {
    "another W_a online": (
        ld.WeightFlow(HP, DATA, target="online"),
        Y,
        "target='online' means W_a = W; got a W_a that differs. Leave W_a out",
    ),
    "another W_p for identity": (
        ld.WeightFlow(HP, DATA, predictor="identity"),
        Y,
        "predictor='identity' needs W_p = I at the start; got another W_p. Leave W_p out.",
    ),
    "asymmetric W_p": (
        ld.WeightFlow(HP, DATA, predictor="symmetrised"),
        Y,
        "predictor='symmetrised' needs a symmetric W_p at the start; got max |W_p - W_p^T| = ",
    ),
    "columns": (ld.WeightFlow(HP, moments(2, n1=5)), Y, "W must have n1 = 5 columns, as X has; got shape (3, 4)"),
    "asymmetric in Eq. 7": (ld.CorrelationFlow(HP, symmetrised=True), SQUARE, "needs a symmetric W_p at the start"),
    "identity in the gram system": (
        ld.GramFlow(HP, predictor="identity"),
        ld.GramState(Y.W_p, np.eye(3), np.eye(3), np.eye(3)),
        "needs W_p = I",
    ),
    "tau online": (
        ld.CorrelationFlow(HP, target="online"),
        ld.CorrelationState(np.eye(3), np.eye(3), 0.5),
        "target='online' means tau = 1; got another tau. Leave tau out, or use tau='constant'.",
    ),
    "F = 0": (ld.CorrelationFlow(HP), ld.CorrelationState(np.eye(3), np.zeros((3, 3))), "F must not be 0 at the start"),
    "modes online": (ld.ModeFlow(HP, target="online"), ld.ModeState(0.1, 0.1, 0.5), "target='online' means tau = 1"),
    "modes identity": (
        ld.ModeFlow(HP, predictor="identity"),
        ld.ModeState(0.5, 0.1),
        "predictor='identity' means p = 1; got another p. Start from p = 1.",
    ),
    "weights of modes online": (
        ld.ModeWeightFlow(HP, target="online"),
        ld.ModeWeightState(0.5, 0.1, 0.2),
        "target='online' means a = w; got an a that differs",
    ),
    "modes over two axes": (
        ld.ModeFlow(HP, predictor="paper"),
        ld.ModeState(np.ones((2, 3)), 0.1),
        "takes all modes of one network together, along one axis; got shape (2, 3). Run one network at a time.",
    ),
    "parabola online": (
        ld.ParabolaFlow(HP, target="online"),
        ld.ParabolaState(0.5, 0.1),
        "target='online' means tau = 1",
    ),
    "spectrum": (
        ld.ModeFlow(HP, x=[1.0, 2.0, 3.0]),
        ld.ModeState([0.1, 0.2], 0.1),
        "x must be one number or one per mode; got shape (3,) for (2,) modes",
    ),
}


@pytest.mark.parametrize("case", BAD_FLOWS)
def test_flows_that_are_refused(case):
    make, text = BAD_FLOWS[case]
    with pytest.raises(ValueError) as caught:
        make()
    assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("case", BAD_STARTS)
def test_starts_that_are_refused(case):
    flow, y0, text = BAD_STARTS[case]
    for run in (ld.simulate, ld.descend) if isinstance(y0, ld.WeightState | ld.ModeWeightState) else (ld.simulate,):
        with pytest.raises(ValueError) as caught:
            run(flow, y0)
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("flow", "y0"),
    [
        (ld.WeightFlow(HP, DATA, target="online", stop_gradient=False), COPY),
        (ld.WeightFlow(HP, DATA, predictor="identity"), ld.WeightState(Y.W)),
        (ld.WeightFlow(HP, DATA, target="frozen", predictor="symmetrised"), COPY),
        (ld.CorrelationFlow(HP, target="online", tau="constant"), ld.CorrelationState(np.eye(3), np.eye(3), 0.5)),
        (ld.CorrelationFlow(HP, predictor="identity"), ld.CorrelationState(np.eye(3), np.eye(3), 0.5)),
        (ld.ModeFlow(HP, predictor="identity", target="frozen"), ld.ModeState(1.0, 0.1, 0.5)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_allowed_runs(flow, y0):
    assert ld.simulate(flow, y0, t1=1.0, engine="scipy").succeeded
