"""Gradients: stopped where the papers stop them, and the true ones where asked for."""

import jax
import numpy as np
import pytest
import torch

from lindyn.predictors import Rule, direct_pred
from tests.helpers import rng
from tests.predictors.cases import MATRICES, VARIANTS, D, in_float64, with_spectrum

WEIGHT = rng(7).normal(size=(D, D))
F = with_spectrum([1.0, 0.7, 0.45, 0.25, 0.12], seed=1)
H = MATRICES["full rank"][1]
# where c_j or a floor bends the function it has no derivative
SMOOTH = [rule for rule in VARIANTS if not {"c", "floor"} & set(dict(rule.parameters))]


@pytest.mark.parametrize("rule", VARIANTS, ids=repr)
def test_stopped_by_default(rule):
    given = [torch.tensor(M, requires_grad=True) for M in (F, H)]
    assert not rule(*given).requires_grad and not rule.unchecked(*given).requires_grad
    with in_float64():
        slopes = jax.grad(lambda F, H: (WEIGHT * rule(F, H)).sum(), argnums=(0, 1))(F, H)
    assert all(np.all(np.asarray(slope) == 0) for slope in slopes)


def along(rule, direction_F, direction_H, step=1e-5):
    """The derivative of <WEIGHT, rule> along a direction by central differences of fourth order."""

    def value(k):
        return np.sum(WEIGHT * rule(F + k * step * direction_F, H + k * step * direction_H))

    return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * step)


@pytest.mark.parametrize("rule", SMOOTH, ids=repr)
def test_flowing_where_asked_for(rule):
    symmetric = rng(8).normal(size=(D, D))
    symmetric, other = symmetric + symmetric.T, rng(9).normal(size=(D, D))
    want = along(rule, symmetric, other)
    given = [torch.tensor(M, requires_grad=True) for M in (F, H)]
    loss = (torch.tensor(WEIGHT) * rule(*given, stop_gradient=False)).sum()
    slopes = torch.autograd.grad(loss, given, allow_unused=True)
    parts = [torch.zeros(D, D) if slope is None else slope for slope in slopes]
    got = sum(np.sum(part.numpy() * along) for part, along in zip(parts, (symmetric, other), strict=True))
    assert got == pytest.approx(want, rel=1e-6, abs=1e-8)
    with in_float64():
        value = lambda F, H: (WEIGHT * rule(F, H, stop_gradient=False)).sum()  # noqa: E731
        slopes = jax.jit(jax.grad(value, argnums=(0, 1)))(F, H)
    got = np.sum(np.asarray(slopes[0]) * symmetric) + np.sum(np.asarray(slopes[1]) * other)
    assert got == pytest.approx(want, rel=1e-6, abs=1e-8)


def test_the_functions_have_the_switch_too():
    given = torch.tensor(F, requires_grad=True)
    assert not direct_pred(given).requires_grad
    assert direct_pred(given, stop_gradient=False).requires_grad
    assert isinstance(Rule.of("direct_pred")(F, stop_gradient=False), np.ndarray)
