"""Gathering: the same numbers whatever the batches, the numbers of plain numpy, and clear refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lindyn.bridge.measure import gathering, measuring
from lindyn.bridge.measure.bootstrap import BLOCKS, CHUNK, BlockSums, chunks
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.records import FeatureBatch
from tests.bridge.validation.synthetic import Aligned, Arrays, linear

MODEL = Aligned.of(6, 1)


def mlp(d=6):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(d, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, d)).double().eval()


def assert_same(one, other):
    for name in ("F", "X", "X_aug", "tau", "s"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.readings.keys() == other.readings.keys()
    for name, reading in one.readings.items():
        np.testing.assert_array_equal(reading.full, other.readings[name].full, err_msg=name)
        np.testing.assert_array_equal(reading.draws, other.readings[name].draws, err_msg=name)


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=8))
def test_chunks_do_not_depend_on_the_batches(sizes):
    z = torch.arange(float(sum(sizes)))[:, None]

    class Source:
        dim, count, description = 1, None, ""

        def batches(self):
            for part in z.split(sizes):
                yield FeatureBatch(part, 2 * part)

    found = list(chunks(Source()))
    assert torch.equal(torch.cat([chunk.z1 for chunk in found]), z)
    assert all(len(chunk.z1) == CHUNK for chunk in found[:-1]) and len(found[-1].z1) <= CHUNK
    assert all(torch.equal(chunk.z2, 2 * chunk.z1) and chunk.target1 is None for chunk in found)


def test_a_stream_gives_what_one_batch_gives():
    source = MODEL.draw(2500, 0)
    parts = source.z1, source.z2, source.target1
    whole = measure(Arrays(*parts, batch=2500), mlp(), linear(MODEL.V))
    for batch in (1, 37, 1024, 2000):
        assert_same(whole, measure(Arrays(*parts, batch=batch), mlp(), linear(MODEL.V)))


def test_moments_are_numpys():
    source = MODEL.draw(1500, 2)
    z1, z2, t = source.z1 + 0.3, source.z2 + 0.3, source.target1
    found = measure(Arrays(z1, z2, t))
    n = len(z1)
    F = z1.T @ z1 / n
    np.testing.assert_allclose(found.F, F, atol=1e-13)  # not centred
    np.testing.assert_allclose(found.X, (z1.T @ z2 + z2.T @ z1) / (2 * n), atol=1e-12)
    np.testing.assert_allclose(found.X_aug, (z1 - z2).T @ (z1 - z2) / (2 * n), atol=1e-12)
    s, U = np.linalg.eigh(F)
    s, U = s[::-1], U[:, ::-1]
    np.testing.assert_allclose(found.s, s, atol=1e-13)
    np.testing.assert_allclose(found.tau, np.einsum("ij,ik,kj->j", U, t.T @ z1 / n, U) / s, rtol=1e-10)
    unit = z1 / np.linalg.norm(z1, axis=1, keepdims=True)
    np.testing.assert_allclose(found.readings["std"].full, unit.std(axis=0, ddof=1).mean(), rtol=1e-12)
    expected = np.sum(t * z1) / np.sqrt(np.sum(t**2) * np.sum(z1**2))
    np.testing.assert_allclose(found.readings["target_cosine"].full, expected, rtol=1e-12)
    assert found.samples == n and found.maps == () and found.diagnosis is None


def test_readings_of_all_samples_are_those_of_the_diagnosis():
    found = measure(MODEL.draw(1500, 3), mlp())
    np.testing.assert_allclose(found.readings["p"].full, found.diagnosis.p, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.readings["cosine"].full, found.diagnosis.alignment, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.readings["rankme"].full, found.diagnosis.rankme, rtol=1e-9)
    np.testing.assert_allclose(found.readings["effective_rank"].full, found.diagnosis.effective_rank, rtol=1e-9)


@pytest.mark.parametrize("n", [BLOCKS, 999, 2500])
def test_every_sample_is_in_one_block_and_blocks_are_equal(n):
    source = MODEL.draw(n, 0)
    sums = BlockSums(seed=1)
    for chunk in chunks(source):
        sums.add(chunk, None)
    arrays = sums.arrays()
    assert arrays["count"].sum() == n and np.ptp(arrays["count"]) <= 2
    np.testing.assert_allclose(arrays["zz"].sum(0), source.z1.T @ source.z1, rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(arrays["size"].sum(), np.sum(source.z1**2), rtol=1e-12)


def test_blocks_do_not_follow_the_order_of_the_source():
    """Sorted by class, consecutive samples are alike; a block of neighbours would be a class."""
    z = np.repeat(np.arange(4.0), 500)[:, None]
    sums = BlockSums()
    for chunk in chunks(Arrays(z)):
        sums.add(chunk, None)
    arrays = sums.arrays()
    means = arrays["z"][:, 0] / arrays["count"]
    np.testing.assert_allclose(means, 1.5, atol=0.25)


def test_the_seed_draws_the_blocks_and_the_bootstrap():
    source = MODEL.draw(500, 0)
    one, again, other = (measure(source, mlp(), seed=seed).readings["p"].draws for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-4
    assert len(one) == 200 and one.std(axis=0).min() > 0


def test_a_second_pass_in_a_basis_reads_the_same_leading_modes(monkeypatch):
    model = Aligned.of(24, 0, 0.6)
    source = model.draw(4000, 0)
    whole = measure(source, linear(model.W_p), linear(model.V))
    for module in (measuring, gathering):
        monkeypatch.setattr(module, "MODES", 8)
    reduced = measure(source, linear(model.W_p), linear(model.V))
    assert reduced.U.shape == (24, 8) and reduced.readings["p"].full.shape == (8,)
    for name in ("s", "p", "cosine", "rho", "tau", "s_V"):
        np.testing.assert_allclose(reduced.readings[name].full, whole.readings[name].full[:8], rtol=1e-9, err_msg=name)
    for name in ("rankme", "effective_rank", "concentration", "std", "target_cosine"):
        np.testing.assert_allclose(reduced.readings[name].full, whole.readings[name].full, rtol=1e-9, err_msg=name)
    spread = [each.readings["p"].draws.std(axis=0)[:4] for each in (whole, reduced)]
    np.testing.assert_allclose(spread[1], spread[0], rtol=0.5)
    assert np.isnan(reduced.tau[8:]).all() and len(reduced.tau) == 24


def test_a_fitted_map_in_a_basis_sends_some_of_itself_out_of_it(monkeypatch):
    """The cosine's length |W_p u| counts what leaves the basis."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 24)).double()
    source = Aligned.of(24, 0, 0.8).draw(4000, 0)
    whole = measure(source, net).readings["cosine"].full[:4]
    for module in (measuring, gathering):
        monkeypatch.setattr(module, "MODES", 8)
    np.testing.assert_allclose(measure(source, net).readings["cosine"].full[:4], whole, atol=0.05)


def test_single_precision_features_and_a_double_predictor():
    source = MODEL.draw(1200, 0)
    single = Arrays(*(each.astype(np.float32) for each in (source.z1, source.z2, source.target1)))
    one, other = measure(single, mlp()), measure(source, mlp())
    np.testing.assert_allclose(one.readings["p"].full, other.readings["p"].full, atol=1e-5)
    half = Arrays(torch.as_tensor(source.z1).half())
    np.testing.assert_allclose(measure(half).F, other.F, atol=0.01)


def test_progress_is_told():
    told = []
    measure(MODEL.draw(3000, 0), mlp(), progress=lambda stage, share: told.append((stage, share)))
    assert [share for stage, share in told if stage == "features"] == [1024 / 3000, 2048 / 3000, 1.0]
    assert told[-1] == ("bootstrap", 1.0)


def test_without_features_there_are_weights_and_perhaps_F():
    F = torch.as_tensor((MODEL.U * MODEL.s) @ MODEL.U.T)
    found = measure(None, linear(MODEL.W_p), linear(MODEL.V), F=F)
    np.testing.assert_allclose(found.readings["p"].full, MODEL.p, rtol=1e-9)
    assert found.samples == 0 and found.readings["p"].draws.shape == (0, 6)
    only = measure(None, linear(MODEL.W_p))
    assert only.F is None and only.readings == {} and only.shape["trace"] == pytest.approx(MODEL.p.sum())


def test_features_that_are_all_zero_can_be_measured():
    found = measure(Arrays(np.zeros((200, 6))), linear(MODEL.W_p))
    assert found.leading == 0 and found.diagnosis.alarm == "collapsed"


def bad(**change):
    source = MODEL.draw(300, 0)
    parts = {"z1": source.z1.copy(), "z2": source.z2.copy(), "target1": source.target1.copy()} | change
    return Arrays(**parts, batch=100)


def with_nan():
    z = MODEL.draw(300, 0).z1.copy()
    z[217, 3] = np.nan
    return z


class Uneven:
    dim, count, description = 6, 200, ""

    def batches(self):
        z = torch.zeros(100, 6)
        yield FeatureBatch(z, z)
        yield FeatureBatch(z)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((bad(z1=with_nan()),), r"z1 must be finite; got NaN or infinity in 1 of 100 samples, the first in sample 217"),
        ((bad(z2=with_nan()),), "z2 must be finite"),
        ((bad(target1=np.zeros((300, 5))),), r"target1 must be samples x 6; got shape \(100, 5\)"),
        ((bad(z2=np.zeros((250, 6))),), "z2 must have as many rows as z1, 100; got 50"),
        ((Uneven(),), "Every batch must have the same parts; got z1 after z1, z2"),
        ((MODEL.draw(79, 0),), "At least 80 samples are needed; got 79"),
        ((bad(), nn.Linear(5, 6)), "must map 6 features to 6; got one that takes 5"),
        ((bad(), nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 4))), "got one that gives 4"),
        ((bad(), None, nn.Linear(9, 4)), "projector must give the 6 features that the predictor takes; got 4"),
        ((bad(), None, None, nn.Linear(9, 4)), "target_projector must give the 6 features"),
        ((None,), "nothing to measure; got no features, no F and no head"),
    ],
)
def test_bad_input_is_one_clear_sentence(given, message):
    with pytest.raises(ValueError, match=message):
        measure(*given)
