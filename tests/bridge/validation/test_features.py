"""Features from arrays and files: the same numbers in batches, little memory, one sentence for what is wrong."""

import tracemalloc

import numpy as np
import pytest
import torch

from lindyn.bridge import features
from lindyn.bridge.features import NAMES, ROWS, from_arrays, from_file


def drawn(N=2 * ROWS + 7, d=5, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(N, d)).astype(dtype)


def gathered(source, name="z1"):
    return torch.cat([getattr(batch, name) for batch in source.batches()]).numpy()


def test_batches_are_the_arrays_in_order_every_time():
    z1, z2, target1 = (drawn(seed=k) for k in range(3))
    source = from_arrays(z1, z2, target1)
    assert (source.count, source.dim) == z1.shape
    assert [len(batch.z1) for batch in source.batches()] == [ROWS, ROWS, 7]
    for _ in range(2):
        for name, array in {"z1": z1, "z2": z2, "target1": target1}.items():
            np.testing.assert_array_equal(gathered(source, name), array)


def test_one_view_has_neither_second_view_nor_target():
    batch = next(from_arrays(drawn()).batches())
    assert batch.z2 is None
    assert batch.target1 is None
    assert "one view" in from_arrays(drawn()).description


@pytest.mark.parametrize(
    ("given", "kept"), [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int32", "float64")]
)
def test_numbers_are_float32_at_least(given, kept):
    z = np.arange(20).reshape(10, 2).astype(given)
    found = gathered(from_arrays(z))
    assert found.dtype == kept
    np.testing.assert_array_equal(found, z.astype(kept))


def test_torch_tensors_of_any_precision():
    z = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    batch = next(from_arrays(z).batches())
    assert batch.z1.dtype == torch.float32
    assert not batch.z1.requires_grad
    torch.testing.assert_close(batch.z1, z.detach().float(), rtol=0, atol=0)


def test_an_npy_of_one_view_and_of_two(tmp_path):
    z1, z2 = drawn(), drawn(seed=1)
    np.save(tmp_path / "one.npy", z1)
    np.save(tmp_path / "two.npy", np.stack([z1, z2], axis=1))
    one, two = from_file(tmp_path / "one.npy"), from_file(tmp_path / "two.npy")
    np.testing.assert_array_equal(gathered(one), z1)
    np.testing.assert_array_equal(gathered(two), z1)
    np.testing.assert_array_equal(gathered(two, "z2"), z2)
    assert "two views" in two.description
    assert "two.npy" in two.description
    assert next(one.batches()).z2 is None


@pytest.mark.parametrize("at", range(min(len(names) for names in NAMES.values())))
def test_an_npz_by_any_of_the_names(tmp_path, at):
    arrays = {names[at].upper() if at == 1 else names[at]: drawn(seed=k) for k, names in enumerate(NAMES.values())}
    np.savez(tmp_path / "features.npz", **arrays, labels=np.arange(3))
    source = from_file(tmp_path / "features.npz")
    for name, array in zip(NAMES, arrays.values(), strict=True):
        np.testing.assert_array_equal(gathered(source, name), array)


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path):
    path = tmp_path / "large.npy"
    z = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(60_000, 256))
    z[:] = 1.0
    z.flush()
    size = z.nbytes
    del z
    tracemalloc.start()
    try:
        total = sum(float(batch.z1.sum()) for batch in from_file(path).batches())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 60_000 * 256
    assert peak < size / 5


def with_nan(row, name="z1"):
    arrays = {"z1": drawn(), "z2": drawn(seed=1)}
    arrays[name][row, 2] = np.nan if name == "z1" else np.inf
    return arrays


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        (with_nan(ROWS + 3), rf"z1 \(first view\) must be finite; sample {ROWS + 3} has NaN"),
        (with_nan(0, "z2"), r"z2 \(second view\) must be finite; sample 0 has NaN or infinity"),
        ({"z1": drawn(), "z2": drawn(d=6)}, r"z2 must have the shape of z1, \(8199, 5\); got \(8199, 6\)"),
        ({"z1": drawn(), "target1": drawn(9)}, r"target1 must have the shape of z1"),
        ({"z1": [[1.0, 2.0], [3.0]]}, r"z1 must be an array N x d; got ragged rows"),
        ({"z1": drawn(0)}, r"N of 2 or more samples; got shape \(0, 5\)"),
        ({"z1": drawn(1)}, r"N of 2 or more samples; got shape \(1, 5\)"),
        ({"z1": drawn(4, 0)}, r"got shape \(4, 0\)"),
        ({"z1": drawn(8).reshape(2, 2, 10)}, r"must be N x d, rows are samples; got shape \(2, 2, 10\)"),
        ({"z1": drawn(8)[0]}, r"must be N x d"),
        ({"z1": drawn(8).astype(complex)}, r"must hold real numbers; got dtype complex128"),
        ({"z1": np.array([["a", "b"], ["c", "d"]])}, r"must hold real numbers"),
        ({"z1": None, "z2": drawn()}, r"z1 must be the projections of the first view, N x d; got None"),
    ],
)
def test_what_is_wrong_with_arrays_is_said(arrays, text):
    with pytest.raises(ValueError, match=text):
        list(from_arrays(**arrays).batches())


def written(folder, kind):
    path = folder / {"npz": "f.npz", "short npz": "f.npz", "other names": "f.npz", "suffix": "f.txt"}.get(kind, "f.npy")
    if kind == "short npy":
        np.save(path, drawn())
        path.write_bytes(path.read_bytes()[:-1000])
    elif kind == "short npz":
        np.savez(path, z1=drawn())
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "no array":
        path.write_bytes(b"these are no features")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "objects":
        np.save(path, np.array([[1], [1, 2]], dtype=object), allow_pickle=True)
    elif kind == "other names":
        np.savez(path, weights=drawn(), bias=drawn())
    elif kind == "three views":
        np.save(path, np.zeros((4, 3, 5)))
    elif kind == "suffix":
        path.write_text("1 2 3", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("short npy", "features: .*f.npy cannot be read"),
        ("short npz", "features: .*f.npz is no whole .npz file"),
        ("no array", "features: .*f.npy cannot be read"),
        ("empty", "features: .*f.npy is no whole .npy file"),
        ("objects", "ragged rows or Python objects, not numbers"),
        ("other names", "must hold the projections z1 .* by these names; it holds weights, bias"),
        ("three views", r"N x d, or N x 2 x d for two views; got shape \(4, 3, 5\)"),
        ("suffix", "must be an .npy or .npz file; got .*f.txt"),
        ("missing", "features: there is no file .*f.npy"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path, kind, text):
    with pytest.raises(ValueError, match=text) as raised:
        from_file(written(tmp_path, kind))
    assert "\n" not in str(raised.value)


def test_the_sources_of_features_stand_in_one_place():
    assert {"from_arrays", "from_file", "from_images"} <= set(features.__all__)


def test_labels_called_target_are_left_out_and_named(tmp_path):
    z = np.random.default_rng(0).normal(size=(90, 4))
    np.savez(tmp_path / "f.npz", z1=z, target=np.arange(90) % 10)
    with pytest.warns(UserWarning, match="90 whole numbers, one a sample: they are taken for labels and left out"):
        found = from_file(tmp_path / "f.npz")
    assert set(found.arrays) == {"z1"}
    np.savez(tmp_path / "g.npz", z1=z, target=np.arange(90.0))
    with pytest.raises(ValueError, match=r"target1 \(the target's first view\) must be N x d"):
        from_file(tmp_path / "g.npz")


def test_features_with_samples_as_columns_are_named():
    with pytest.warns(UserWarning, match=r"4 rows and 90 columns, and rows are samples.*give z1\.T"):
        from_arrays(np.ones((4, 90)))
