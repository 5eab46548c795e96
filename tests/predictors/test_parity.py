"""One rule, three libraries, one answer; precision and library stay."""

import jax
import numpy as np
import pytest
import torch

from lindyn.predictors import RULES, Rule, statistics
from tests.predictors.cases import LIBRARIES, MATRICES, VARIANTS, D, batch, entrywise, in_float64


@pytest.mark.parametrize("rule", VARIANTS, ids=repr)
@pytest.mark.parametrize("case", MATRICES)
def test_numpy_jax_and_torch_agree(rule, case):
    F, H = MATRICES[case]
    want = rule(F, H)
    assert np.all(np.isfinite(want)) and want.shape == F.shape
    with in_float64():
        for library in ("jax", "torch"):
            convert = LIBRARIES[library]
            got = rule(convert(F), convert(H))
            assert type(got) is type(convert(F)) and got.dtype == convert(F).dtype
            assert entrywise(np.asarray(got), want) < 1e-10, library


@pytest.mark.parametrize("case", MATRICES)
def test_stiefel_of_the_correlation_itself_agrees(case):
    F, _ = MATRICES[case]
    want = Rule.of("stiefel")(F)
    with in_float64():
        for convert in LIBRARIES.values():
            assert entrywise(np.asarray(Rule.of("stiefel")(convert(F))), want) < 1e-10


@pytest.mark.parametrize("rule", VARIANTS, ids=repr)
def test_compiled_and_mapped_is_the_same(rule):
    batches = [batch(seed, 30) for seed in (4, 5, 6)]
    F, H = (np.stack(parts) for parts in zip(*batches, strict=True))
    want = np.stack([rule(f, h) for f, h in batches])
    with in_float64():
        assert entrywise(jax.jit(jax.vmap(rule))(F, H), want) < 1e-12
        assert entrywise(jax.jit(rule)(F[0], H[0]), want[0]) < 1e-12


@pytest.mark.parametrize("rule", VARIANTS, ids=repr)
def test_single_precision_stays_single(rule):
    F, H = MATRICES["full rank"]
    want = rule(F, H)
    for convert in LIBRARIES.values():
        got = rule(convert(F.astype(np.float32)), convert(H.astype(np.float32)))
        assert "float32" in str(got.dtype)
        assert entrywise(np.asarray(got), want) < 1e-5


def test_the_functions_are_the_rules():
    import lindyn.predictors as predictors

    F, H = MATRICES["full rank"]
    for name, definition in RULES.items():
        given = {"none": (F,), "optional": (F, H), "required": (F, H)}[definition.cross]
        assert np.array_equal(getattr(predictors, name)(*given), Rule.of(name)(*given))
        assert set(definition.parameters) < set(__import__("inspect").signature(getattr(predictors, name)).parameters)
        if definition.cross == "none":
            assert np.array_equal(Rule.of(name)(F, H), Rule.of(name)(F))  # it reads one view's features alone


def test_lists_are_taken_for_numbers():
    assert np.array_equal(Rule.of("direct_copy")([[2, 0], [0, 0]]), [[1.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("library", LIBRARIES)
def test_statistics_of_a_batch(library):
    Z, T = np.random.default_rng(0).normal(size=(2, 7, D)) + 1.0
    with in_float64():
        convert = LIBRARIES[library]
        F, H = statistics(convert(Z), convert(T))
        assert entrywise(np.asarray(F), sum(np.outer(z, z) for z in Z) / 7) < 1e-13
        assert entrywise(np.asarray(H), sum(np.outer(t, z) for z, t in zip(Z, T, strict=True)) / 7) < 1e-13
        F, H = statistics(convert(Z), convert(T), centre=True)
        assert entrywise(np.asarray(F), np.cov(Z.T, bias=True)) < 1e-13
        assert entrywise(np.asarray(H), np.cov(T.T, Z.T, bias=True)[:D, D:]) < 1e-13
        assert statistics(convert(Z))[1] is None


def test_a_gradient_tape_on_the_input_changes_nothing():
    F, H = (torch.tensor(M, requires_grad=True) for M in MATRICES["full rank"])
    for rule in VARIANTS:
        assert entrywise(rule(F, H).numpy(), rule(F.detach(), H.detach()).numpy()) == 0.0
