"""Presets hold the sources' values; recipes average, start and wait as they say."""

import numpy as np
import pytest

from lindyn.predictors import PRESETS, Recipe, Rule, moving_average, preset
from tests.helpers import psd
from tests.predictors.cases import D, entrywise

F = psd(1, D)
S, U = np.linalg.eigh(F)


def on_axes(p):
    return (U * p) @ U.T


def test_paper():
    recipe = preset("paper")
    assert (recipe.rho, recipe.freq, recipe.start, recipe.update, recipe.centre) == (0.3, 1, "first", "step", False)
    assert entrywise(recipe.rule(F), on_axes(np.sqrt(S) + 0.1 * S.max())) < 1e-13


def test_luckmatters():
    """q = clamp(s, 0)/max s; p = max(sqrt(q) + eps, 1e-4), eps 0.01, rho 0.3, the first batch starts F-hat."""
    recipe = preset("luckmatters")
    assert (recipe.rho, recipe.start, recipe.update, recipe.centre) == (0.3, "first", "step", False)
    for eps in (0.01, 0.0):
        q = np.clip(S, 0, None) / S.max()
        want = np.maximum(np.sqrt(q) + eps, 1e-4)
        assert entrywise(preset("luckmatters", eps=eps).rule(F), on_axes(want)) < 1e-13
    lost = (U * np.append(0.0, S[1:])) @ U.T  # the floor is seen where a mode is lost and eps = 0
    assert np.linalg.eigvalsh(preset("luckmatters", eps=0.0).rule((lost + lost.T) / 2))[0] == pytest.approx(1e-4)
    # up to its scale, eps sqrt(s_max) instead of Eq. 18's eps s_max
    relative = Rule.of("direct_pred", eps=0.01, eps_mode="relative")(F) / S.max() ** 0.5
    assert entrywise(recipe.rule(F), relative) < 1e-13


def test_directcopy():
    recipe = preset("directcopy")
    assert recipe.rho == 0.5
    assert entrywise(recipe.rule(F), F / np.linalg.norm(F) + 0.3 * np.eye(D)) < 1e-14


@pytest.mark.parametrize(("alpha", "eps"), [(0.5, 0.0), (0.5, 0.1), (1.0, 0.2)])
def test_implicit_var_reg(alpha, eps):
    recipe = preset("implicit_var_reg", power=alpha, eps=eps)
    assert (recipe.rho, recipe.start, recipe.update) == (0.998, "zero", "call")
    assert entrywise(recipe.rule(F), on_axes((S / S.max() + eps) ** alpha)) < 1e-13
    default = preset("implicit_var_reg").rule
    assert dict(default.parameters)["power"] == 0.5 and dict(default.parameters)["eps"] == 0.0


def test_richemond():
    recipe = preset("richemond")
    assert (recipe.rule, recipe.rho, recipe.update) == (Rule.of("newton_schulz", steps=9), 0.0, "call")
    other = preset("richemond", rule="stiefel", ridge=0.3)
    assert other.rule == Rule.of("stiefel", steps=9, ridge=0.3) and other.update == "call"
    assert Rule.of("newton_schulz_twice").products == 6 * 7  # its n = 7 is the default


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_recipe_that_changes_field_by_field(name):
    changed = preset(name, freq=5, rho_p=0.2, ridge=0.1)
    assert (changed.freq, changed.rho_p, changed.rule.ridge) == (5, 0.2, 0.1)
    assert changed.rho == preset(name).rho and changed.rule.parameters == preset(name).rule.parameters
    assert Recipe.of(preset(name)) == preset(name) == Recipe.of(name)


def test_recipe_of_what_stands_for_it():
    assert Recipe.of("visser").rule == Rule.of("visser")
    assert Recipe.of(Rule.of("visser"), steps=20, rho=0.1).rule == Rule.of("visser", steps=20)
    assert Recipe(rule="neumann").rule == Rule.of("neumann")


def test_rules_are_values():
    assert Rule.of("visser", steps=20) == Rule.of("visser", steps=20) != Rule.of("visser", steps=21)
    assert len({Rule.of("direct_pred", c=[0.1, 0.2]), Rule.of("direct_pred", c=np.array([0.1, 0.2]))}) == 1
    for rule in (Rule.of("direct_pred", eps=0.2, ridge=0.15), Rule.of("stiefel", scale="polar")):
        assert eval(repr(rule)) == rule
    assert Rule.of(Rule.of("visser", steps=20, ridge=0.1), step=0.2) == Rule.of("visser", steps=20, step=0.2, ridge=0.1)


def test_the_average_after_k_batches():
    """F-hat_k = sum_i rho^(k - i) (1 - rho) F_i, with the first batch whole or as the rest."""
    batches, rho = np.random.default_rng(0).normal(size=(6, 3, 3)), 0.7
    weights = (1 - rho) * rho ** np.arange(5, -1, -1.0)
    zero = first = np.zeros((3, 3))
    for k, batch in enumerate(batches):
        zero = Recipe(rho=rho, start="zero").blend(zero, batch, k)
        first = Recipe(rho=rho).blend(first, batch, k)
    assert np.allclose(zero, np.tensordot(weights, batches, 1), rtol=0, atol=1e-14)
    weights[0] = rho**5
    assert np.allclose(first, np.tensordot(weights, batches, 1), rtol=0, atol=1e-14) and weights.sum() == pytest.approx(
        1
    )


def test_the_average_of_the_predictor():
    old, rule = np.eye(D), Rule.of("newton_schulz")
    assert np.array_equal(Recipe(rule).set(old, F), rule(F))
    assert np.allclose(Recipe(rule, rho_p=0.9).set(old, F), 0.9 * old + 0.1 * rule(F), rtol=0, atol=1e-15)
    assert moving_average(2.0, 4.0, 0.25) == 3.5
