"""Rules with their variants, matrices, and the three libraries."""

import contextlib

import jax
import numpy as np
import torch

from lindyn.predictors import RULES, Rule
from tests.helpers import orthogonal, rng

VARIANTS = [
    Rule.of("direct_pred"),
    Rule.of("direct_pred", eps=0.01, normalise="max", floor=1e-4),
    Rule.of("direct_pred", eps_mode="relative", ridge=0.15),
    Rule.of("direct_pred", eps_mode="inside"),
    Rule.of("direct_pred", c=0.05),
    Rule.of("direct_pred", c=(0.3, 0.1, 0.05, 0.0, 0.2)),
    Rule.of("direct_set"),
    Rule.of("direct_set", power=0.25, normalise="trace"),
    Rule.of("direct_set", power=1.0, eps=0.2, eps_mode="relative", normalise="fro"),
    Rule.of("direct_set", power=2.0),
    Rule.of("direct_copy"),
    Rule.of("direct_copy", eps=0.3, normalise="none"),
    Rule.of("direct_copy", normalise="max"),
    Rule.of("direct_copy", normalise="trace", ridge=0.01),
    Rule.of("linear_regression"),
    Rule.of("linear_regression", damping=1e-4),
    Rule.of("neumann"),
    Rule.of("neumann", normalise="fro"),
    Rule.of("visser"),
    Rule.of("visser", steps=20, step=0.3),
    Rule.of("newton_schulz"),
    Rule.of("newton_schulz", steps=4, ridge=0.9),
    Rule.of("newton_schulz_twice"),
    Rule.of("stiefel"),
    Rule.of("stiefel", scale="polar"),
]
assert {rule.name for rule in VARIANTS} == set(RULES)
D = 5  # side of the matrices below; one variant holds five numbers


def with_spectrum(s, seed=0):
    """A symmetric matrix with these eigenvalues in random axes."""
    Q = orthogonal(seed, len(s))
    F = (Q * np.asarray(s, float)) @ Q.T
    return (F + F.T) / 2


def batch(seed, samples, d=D):
    """F and H of a batch Z, Z' of correlated views."""
    Z = rng(seed).normal(size=(samples, d))
    Z_target = 0.8 * Z + 0.3 * rng(seed + 1).normal(size=(samples, d))
    return Z.T @ Z / samples, Z_target.T @ Z / samples


MATRICES = {
    "full rank": batch(0, 40),
    "ill-conditioned": (with_spectrum(np.geomspace(1.0, 1e-8, D)), batch(3, 40)[1]),
    "rank-deficient": batch(1, 3),
    "one direction": batch(2, 1),
}


@contextlib.contextmanager
def in_float64():
    with jax.enable_x64(True):
        yield


def to_numpy(M):
    return np.asarray(M)


def to_jax(M):
    return jax.numpy.asarray(M)


LIBRARIES = {"numpy": to_numpy, "jax": to_jax, "torch": torch.tensor}


def entrywise(got, want):
    """The largest difference over the largest entry."""
    return float(np.max(np.abs(np.asarray(got) - np.asarray(want))) / max(np.max(np.abs(want)), 1e-300))
