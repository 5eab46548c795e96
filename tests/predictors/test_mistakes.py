"""One clear sentence for each mistake: the argument, the value received, the fix."""

import re

import jax
import numpy as np
import pytest
import torch

from lindyn.predictors import RULES, Recipe, Rule, preset, statistics

I3 = np.eye(3)
SKEW = I3 + np.array([[0, 0.5, 0], [0, 0, 0], [0, 0, 0]])


def says(*words):
    return "".join(f"(?=.*{re.escape(word)})" for word in words)


MATRICES = [
    ((np.ones((3, 2)),), ["F must be square", "(3, 2)"]),
    ((np.ones(3),), ["F must have 2 axes", "(3,)"]),
    ((np.zeros((0, 0)),), ["F must not be empty"]),
    ((np.full((2, 2), np.nan),), ["F must be finite", "4 NaN or infinite of 4"]),
    ((1j * I3,), ["F must be real"]),
    ((SKEW,), ["F must be symmetric", "0.5", "`cross`"]),
    ((I3.astype(np.float16),), ["F must be float32 or float64", "float16", "Gather it in float32"]),
    (([["a"]],), ["F must be a numeric array"]),
    ((I3, np.eye(2)), ["cross must be 3 x 3, as F is", "(2, 2)"]),
    ((I3, np.full((3, 3), np.inf)), ["cross must be finite"]),
]


@pytest.mark.parametrize(("given", "words"), MATRICES)
def test_matrices(given, words):
    for name in RULES:
        with pytest.raises(ValueError, match=says(*words)):
            Rule.of(name)(*given)


def test_matrices_of_the_other_libraries():
    rule = Rule.of("newton_schulz")
    for bad, words in [
        (torch.eye(3, dtype=torch.bfloat16), ["bfloat16"]),
        (torch.eye(3).half(), ["float16"]),
        (torch.eye(3, dtype=torch.int64), ["float32 or float64", "int64"]),
        (torch.tensor(SKEW), ["symmetric", "0.5"]),
        (torch.full((2, 2), torch.nan), ["finite"]),
        (jax.numpy.eye(3, dtype=jax.numpy.bfloat16), ["bfloat16"]),
        (jax.numpy.eye(3, dtype=int), ["int"]),
        (jax.numpy.ones((2, 3)), ["square", "(2, 3)"]),
        (jax.numpy.asarray(SKEW), ["symmetric"]),
    ]:
        with pytest.raises(ValueError, match=says("F must be", *words)):
            rule(bad)
    with pytest.raises(ValueError, match=says("F must be square", "(2, 3)")):
        jax.jit(rule)(jax.numpy.ones((2, 3)))


def test_round_off_is_no_asymmetry():
    noisy = I3 + 1e-12 * SKEW
    assert np.abs(Rule.of("direct_copy", normalise="none")(noisy) - I3).max() < 1e-11
    single = (I3 + 1e-7 * SKEW).astype(np.float32)
    for F in (single, torch.tensor(single), jax.numpy.asarray(single)):
        Rule.of("newton_schulz")(F)


def test_a_missing_cross_correlation():
    for name in ("linear_regression", "neumann"):
        with pytest.raises(ValueError, match=says(name, "E[z' z^T]", "give cross")):
            Rule.of(name)(I3)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("direct_prd", {}, ["rule must be one of", "'direct_prd'", "Did you mean 'direct_pred'?"]),
        ("direct_pred", {"epsilon": 0.1}, ["parameter of direct_pred must be one of", "'epsilon'", "'eps'"]),
        ("direct_pred", {"eps": -0.1}, ["eps must be", ">= 0", "-0.1"]),
        ("direct_pred", {"eps_mode": "realtive"}, ["eps_mode", "Did you mean 'relative'?"]),
        ("direct_pred", {"normalise": "frobenius"}, ["normalise must be one of", "'fro'"]),
        ("direct_pred", {"floor": np.nan}, ["floor must be finite"]),
        ("direct_pred", {"c": [[0.1]]}, ["c must have 1 axes", "(1, 1)"]),
        ("direct_set", {"power": 0.0}, ["power must be", "> 0", "got 0"]),
        ("linear_regression", {"damping": -1.0}, ["damping must be", "-1"]),
        ("visser", {"step": 0.0}, ["step must be", "> 0"]),
        ("visser", {"steps": 0}, ["steps must be a whole number >= 1", "got 0"]),
        ("newton_schulz", {"steps": 9.5}, ["steps must be a whole number", "9.5"]),
        ("newton_schulz_twice", {"steps": True}, ["steps must be a whole number", "True"]),
        ("stiefel", {"scale": "pole"}, ["scale must be one of", "'polar'"]),
        ("neumann", {"normalise": "max"}, ["normalise must be one of", "'fro'"]),
        ("visser", {"ridge": -0.1}, ["ridge must be", "-0.1"]),
    ],
)
def test_parameters(name, given, words):
    with pytest.raises(ValueError, match=says(*words)):
        Rule.of(name, **given)


def test_as_many_offsets_as_modes():
    with pytest.raises(ValueError, match=says("c must be a number or hold one entry per mode, 3", "(2,)")):
        Rule.of("direct_pred", c=(0.1, 0.2))(I3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rho": 1.0}, ["rho must be below 1", "got 1", "nothing new"]),
        ({"rho": -0.1}, ["rho must be", ">= 0", "-0.1"]),
        ({"rho": "much"}, ["rho must be a number", "'much'"]),
        ({"rho_p": 2}, ["rho_p must be below 1", "got 2"]),
        ({"freq": 0}, ["freq must be a whole number >= 1", "got 0"]),
        ({"freq": 2.5}, ["freq must be a whole number", "2.5"]),
        ({"start": "frist"}, ["start must be one of", "Did you mean 'first'?"]),
        ({"update": "batch"}, ["update must be one of", "'step'"]),
        ({"centre": 1}, ["centre must be True or False"]),
        ({"rule": "vissar"}, ["rule must be one of", "Did you mean 'visser'?"]),
        ({"rule": 3}, ["rule must be a Rule", "int"]),
    ],
)
def test_recipes(given, words):
    with pytest.raises(ValueError, match=says(*words)):
        Recipe(**given)


def test_names_of_presets():
    with pytest.raises(ValueError, match=says("preset must be one of", "Did you mean 'luckmatters'?")):
        preset("luckmatter")
    with pytest.raises(ValueError, match=says("rule or preset must be one of", "'papr'", "Did you mean 'paper'?")):
        Recipe.of("papr")
    with pytest.raises(ValueError, match=says("parameter of newton_schulz", "'step'")):
        preset("richemond", step=0.1)
    with pytest.raises(ValueError, match=says("rule must be one of", "got 3")):
        preset("richemond", rule=3)


def test_batches():
    with pytest.raises(ValueError, match=says("z must not be empty", "(0, 3)")):
        statistics(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=says("z_target must have shape (4, 3)", "(4, 2)")):
        statistics(np.zeros((4, 3)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match=says("z must be finite", "1 NaN or infinite of 4")):
        statistics(np.array([[1.0, np.nan], [0.0, 1.0]]))
    with pytest.raises(ValueError, match=says("z must have 2 axes")):
        statistics(np.zeros(3))
