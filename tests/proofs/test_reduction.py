"""The reducer: words, transposes, cyclic words, rules, derivatives, and agreement with numpy."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from lindyn.flows import CorrelationFlow, ModeFlow, ModeWeightFlow, ParabolaFlow, WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.proofs import letters as sy
from lindyn.proofs.algebra import SIZES, Algebra, WordRates, derivative, evaluate, expand
from lindyn.proofs.steps import CommutingValue, Identity, Positivity, ScalarIdentity, ScalarSign
from lindyn.states import CorrelationState, ModeState, ModeWeightState, ParabolaState, WeightState

n = sympy.Symbol("n2", integer=True, positive=True)
A, B, C = (sympy.MatrixSymbol(name, n, n) for name in "ABC")
c = sympy.Symbol("c")


def test_products_do_not_commute():
    assert not Identity("", A * B, B * A).run().passed
    assert Identity("", (A + B) ** 2, A * A + A * B + B * A + B * B).run().passed


def test_transpose_of_a_product():
    assert Identity("", (A * B.T * C).T, C.T * B * A.T).run().passed
    assert not Identity("", (A * B).T, A.T * B.T).run().passed


def test_symmetric_letters():
    assert Identity("", (A * B).T, B * A, Algebra(symmetric=(A, B))).run().passed
    assert not Identity("", (A * B).T, B * A, Algebra(symmetric=(A,))).run().passed


def test_traces_are_cyclic_and_blind_to_transposition():
    trace = sympy.Trace
    assert Identity("", trace(A * B * C), trace(C * A * B)).run().passed
    assert Identity("", trace(A * B * C), trace((A * B * C).T)).run().passed
    assert not Identity("", trace(A * B * C), trace(A * C * B)).run().passed
    assert not Identity("", trace(A * B * C), trace(A * C * B), Algebra(symmetric=(A, B))).run().passed
    assert Identity("", trace(A * B * C), trace(A * C * B), Algebra(symmetric=(A, B, C))).run().passed


def test_rules_rewrite_inverse_commuting_and_named_products():
    one = sympy.Identity(n)
    assert Identity("", A * B * C, C, Algebra(rules=((A * B, one),)), numeric=False).run().passed
    assert Identity("", B * A * B, A * B * B, Algebra(rules=((B * A, A * B),)), numeric=False).run().passed
    assert Identity("", A * B * B.T * A.T, A * C * A.T, Algebra(symmetric=(C,), rules=((B * B.T, C),))).run().passed


def test_rules_that_run_in_circles_are_reported():
    with pytest.raises(ValueError, match="do not come to an end"):
        Algebra(rules=((A, B * B), (B, A * A))).reduce(expand(A))


def test_what_has_no_words_is_named_in_the_error():
    with pytest.raises(ValueError, match="Name it by a symbol"):
        expand(sympy.HadamardProduct(A, B))


def test_derivative_obeys_the_product_rule():
    rates = WordRates({"A": B * C}, {c: 2 * c})
    found = derivative(expand(c * A * A.T), rates)
    assert found == expand(2 * c * A * A.T + c * B * C * A.T + c * A * C.T * B.T)


def test_positivity_needs_nonnegative_coefficients():
    positive = sympy.Symbol("k", positive=True)
    assert Positivity("", positive * sympy.Trace(A.T * A), ((positive, A),)).run().passed
    assert not Positivity("", -positive * sympy.Trace(A.T * A), ((-positive, A),)).run().passed
    assert not Positivity("", c * sympy.Trace(A.T * A), ((c, A),)).run().passed


def test_scalar_steps_can_fail():
    x = sympy.Symbol("x", real=True)
    assert ScalarIdentity("", (x + 1) ** 2, x**2 + 2 * x + 1).run().passed
    assert not ScalarIdentity("", (x + 1) ** 2, x**2 + 1).run().passed
    assert not ScalarSign("", x**2 - 1, x**2 - 1).run().passed
    assert not ScalarSign("", x**2, x**2 + 1).run().passed
    assert not CommutingValue("", A * B, {A: x}, x).run().passed


words = st.lists(st.tuples(st.sampled_from("ABC"), st.booleans()), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(words, st.integers(-3, 3)), min_size=1, max_size=4))
def test_expansion_agrees_with_numpy(parts):
    letters = {"A": A, "B": B, "C": C}
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(3, 3)) for name in letters}
    expr, value = sympy.ZeroMatrix(n, n), np.zeros((3, 3))
    for word, coefficient in parts:
        symbol = sympy.MatMul(*[letters[k].T if flip else letters[k] for k, flip in word]).doit()
        expr = expr + coefficient * symbol * (A + B)
        value = value + coefficient * np.linalg.multi_dot(
            [np.eye(3), *[arrays[k].T if f else arrays[k] for k, f in word], arrays["A"] + arrays["B"]]
        )
    found, _ = evaluate(expand(expr), arrays, {}, 3)
    np.testing.assert_allclose(np.broadcast_to(found, (3, 3)), value, rtol=0, atol=1e-12 * (1 + np.abs(value).max()))


@pytest.mark.parametrize("target", ["ema", "online", "frozen"])
@pytest.mark.parametrize("predictor", ["trained", "symmetrised", "identity"])
def test_symbolic_rates_are_the_numeric_flow(target, predictor):
    rng = np.random.default_rng(3)
    n2, n1 = SIZES["n2"], SIZES["n1"]
    W, W_p, W_a = rng.normal(size=(n2, n1)), rng.normal(size=(n2, n2)), rng.normal(size=(n2, n1))
    X, X_aug = (M @ M.T for M in rng.normal(size=(2, n1, n1)))
    flow = WeightFlow(
        Hyperparameters(1.7, 0.3, eta_p=0.2, eta_s=0.1), Moments(X, X_aug), target=target, predictor=predictor
    )
    numbers = {sy.alpha_p: 1.7, sy.beta: 0.3, sy.eta_p: 0.2, sy.eta_s: 0.1}
    rates = sy.weight_rates(sy.eta_p, sy.eta_s, target=target, predictor=predictor)
    found = flow(0.0, WeightState._unchecked(W=W, W_p=W_p, W_a=W_a))
    arrays = {"W": W, "W_p": W_p, "W_a": W_a, "X": X, "X'": X_aug}
    for name in ("W", "W_p", "W_a"):
        value, _ = evaluate(expand(rates.matrices[name]), arrays, numbers, n2)
        np.testing.assert_allclose(value * np.ones_like(arrays[name]), getattr(found, name), rtol=1e-12, atol=1e-12)


def test_symbolic_rates_of_the_reduced_flows_are_the_numeric_ones():
    hp, rng = Hyperparameters(1.7, 0.3, eta_p=0.2, eta_s=0.1), np.random.default_rng(4)
    common = {sy.alpha_p: 1.7, sy.beta: 0.3, sy.eta_p: 0.2, sy.eta_s: 0.1, sy.x: 0.9, sy.x_aug: 0.4, sy.tau: 0.8}
    W_p, M = rng.normal(size=(2, 3, 3))
    F = M @ M.T
    rates = sy.correlation_rates(sy.eta_p, sy.eta_s, predictor="symmetrised")
    rate = CorrelationFlow(hp, sigma2=0.4, x=0.9, symmetrised=True)(0.0, CorrelationState(W_p, F, 0.8))
    for name in ("W_p", "F"):
        value, _ = evaluate(expand(rates.matrices[name]), {"W_p": W_p, "F": F}, common, 3)
        np.testing.assert_allclose(value, getattr(rate, name), rtol=1e-12, atol=1e-12)
    at = {sy.p: 0.5, sy.s: 0.7, sy.w: 0.6, sy.a: 0.3}
    cases = (
        (sy.mode_rates(sy.eta_p, sy.eta_s), ModeFlow(hp, x=0.9, x_aug=0.4)(0.0, ModeState(0.5, 0.7, 0.8))),
        (
            sy.mode_weight_rates(sy.eta_p, sy.eta_s),
            ModeWeightFlow(hp, x=0.9, x_aug=0.4)(0.0, ModeWeightState(0.5, 0.6, 0.3)),
        ),
    )
    for symbolic, numeric in cases:
        for symbol, value in symbolic.scalars.items():
            assert float(value.subs({**common, **at})) == pytest.approx(float(getattr(numeric, symbol.name)), rel=1e-12)
    equal = Hyperparameters(1.7, 0.3, 0.15)
    numeric = ParabolaFlow(equal, x=0.9, x_aug=0.4)(0.0, ParabolaState(0.5, 0.8))
    for symbol, value in sy.parabola_rates().scalars.items():
        assert float(value.subs({**common, **at, sy.eta: 0.15})) == pytest.approx(
            float(getattr(numeric, symbol.name)), rel=1e-12
        )
