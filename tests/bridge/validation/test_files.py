"""Files are read whole or refused in one sentence, and nothing inside them is ever run."""

import argparse
import io
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lindyn.bridge.checkpoints import checkpoint_files, read_checkpoint, stubs
from tests.bridge.validation.originals import FIXTURES

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(3, dtype=torch.float64)}


def assert_weights(tree):
    assert tree.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        assert tree[name].dtype == value.dtype and torch.equal(tree[name], value)


class Payload:
    """Writes a file when it is unpickled by Python's own unpickler."""

    def __init__(self, mark, how):
        self.mark, self.how = mark, how

    def __reduce__(self):
        if self.how == "system":
            return os.system, (f"touch {self.mark}",)
        if self.how == "eval":
            return eval, (f"open({str(self.mark)!r}, 'w').close()",)
        return getattr(Path, "touch"), (self.mark,)  # noqa: B009


HOWS = ("system", "eval", "method")


@pytest.mark.parametrize("old", [False, True])
def test_torch_files_old_and_new(tmp_path, old):
    torch.save(WEIGHTS, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    assert_weights(checkpoint_files.read(tmp_path / "a.pth"))


@pytest.mark.parametrize("name", ["a.safetensors", "a.bin"])
def test_safetensors_by_name_or_by_content(tmp_path, name):
    save_file(WEIGHTS, tmp_path / name)
    assert_weights(checkpoint_files.read(tmp_path / name))


def test_safetensors_not_installed(tmp_path, monkeypatch):
    save_file(WEIGHTS, tmp_path / "a.safetensors")
    monkeypatch.setattr(checkpoint_files.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r'a\.safetensors needs safetensors; install it with pip install "lindyn\[val'
    ):
        checkpoint_files.read(tmp_path / "a.safetensors")


@pytest.mark.parametrize("how", HOWS)
def test_the_payload_of_these_tests_does_act_where_pickle_itself_reads_it(tmp_path, how):
    pickle.loads(pickle.dumps(Payload(tmp_path / "mark", how)))
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("form", ["pickle", "torch", "old torch"])
@pytest.mark.parametrize("how", HOWS)
def test_a_malicious_pickle_is_never_run(tmp_path, how, form, unsafe):
    path, mark = tmp_path / "evil.pth", tmp_path / "mark"
    tree = WEIGHTS | {"evil": Payload(mark, how)}
    if form == "pickle":
        arrays = {name: value.numpy() for name, value in WEIGHTS.items()}
        path.write_bytes(pickle.dumps(arrays | {"evil": Payload(mark, how)}, protocol=2))
    else:
        torch.save(tree, path, _use_new_zipfile_serialization=form == "torch")
    if unsafe:
        read = checkpoint_files.read(path, unsafe=True)
        for name, value in WEIGHTS.items():
            np.testing.assert_array_equal(read[name], value)
    else:
        with pytest.raises(ValueError, match=r"only unpickling can read; .* add --unsafe-pickle"):
            checkpoint_files.read(path)
    assert not mark.exists()


@pytest.mark.parametrize("how", HOWS)
def test_a_malicious_pickle_in_deepminds_layout_is_never_run(tmp_path, how):
    whole = stubs.plain(stubs.Unpickler(io.BytesIO((FIXTURES / "deepmind/pretrain.pkl").read_bytes())).load())
    whole["experiment_state"]["opt_state"] = [Payload(tmp_path / "mark", how)]
    whole["rng"] = Payload(tmp_path / "mark", how)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(whole, protocol=2))
    pieces = read_checkpoint(tmp_path / "evil.pkl", unsafe=True)
    assert pieces.layout == "deepmind" and len(pieces.predictor) == 4
    assert not (tmp_path / "mark").exists()


def test_stand_ins_cannot_be_turned_into_something_that_acts(tmp_path):
    """BUILD on a stand-in's class, calls of its objects, attributes of modules: all stay inert."""
    mark = tmp_path / "mark"
    code = f"import pathlib; pathlib.Path({str(mark)!r}).touch()".encode()
    chains = (
        b"cbuiltins\nexec\n(S'" + code.replace(b"'", b"\\'") + b"'\ntR.",
        b"cposix\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.",
        b"cbuiltins\ngetattr\n(cposix\nsystem\nS'__call__'\ntR(S'touch " + str(mark).encode() + b"'\ntR.",
        b"ccollections\nOrderedDict.__init__.__globals__\n.",
    )
    for chain in chains:
        assert isinstance(stubs.Unpickler(io.BytesIO(chain)).load(), stubs.Inert | type)
    assert not mark.exists()
    before = torch._utils._rebuild_tensor_v2.__defaults__
    stubs.Unpickler(io.BytesIO(b"ctorch._utils\n_rebuild_tensor_v2\n(N(S'__defaults__'\n(I1\ntdtb.")).load()
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before
    with pytest.raises(pickle.UnpicklingError):
        stubs.Unpickler(io.BytesIO(b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.")).load()


def test_what_stands_beside_the_weights_arrives_as_plain_values(tmp_path):
    hyper = {"args": argparse.Namespace(lr=0.3, name="byol"), "scalar": np.float64(2.5), "dtype": torch.float16}
    torch.save({"state_dict": WEIGHTS, "hyper_parameters": hyper}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"holds objects of argparse\.Namespace that only unpickling|numpy"):
        checkpoint_files.read(tmp_path / "a.ckpt")
    tree = checkpoint_files.read(tmp_path / "a.ckpt", unsafe=True)
    assert_weights(tree["state_dict"])
    assert tree["hyper_parameters"]["args"] == {"lr": 0.3, "name": "byol"}
    assert tree["hyper_parameters"]["scalar"] == 2.5


def test_a_whole_module_gives_its_tensors(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4), nn.ReLU()))
    torch.save(net, tmp_path / "net.pt")
    tree = checkpoint_files.read(tmp_path / "net.pt", unsafe=True)
    assert tree.keys() == net.state_dict().keys()
    assert all(torch.equal(tree[name], value) for name, value in net.state_dict().items())


def test_arrays_of_jax_and_of_every_pickle_protocol(tmp_path):
    import jax.numpy as jnp

    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        for value in (array, jnp.asarray(array), array.T):
            (tmp_path / "a.pkl").write_bytes(pickle.dumps({"w": value}, protocol=protocol))
            np.testing.assert_array_equal(
                checkpoint_files.read(tmp_path / "a.pkl", unsafe=True)["w"], np.asarray(value)
            )


def cut(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def written(folder, kind):
    """Return a file of some kind that is no whole checkpoint."""
    path = folder / "a.pth"
    if kind in ("torch", "old torch"):
        torch.save({"w": torch.zeros(200, 200)}, path, _use_new_zipfile_serialization=kind == "torch")
        return cut(path)
    if kind == "safetensors":
        path = folder / "a.safetensors"
        save_file({"w": torch.zeros(50, 50)}, path)
        return cut(path)
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"w": np.zeros(500)}, protocol=2))
        return cut(path)
    if kind == "npz":
        np.savez(folder / "a.npz", z=np.zeros(3))
        (folder / "a.npz").rename(path)
    if kind == "npy":
        np.save(folder / "a.npy", np.zeros(3))
        (folder / "a.npy").rename(path)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "hello")
    if kind == "keras":
        path.write_bytes((FIXTURES / "miszkur" / "pre_trained_encoder.h5").read_bytes())
        return cut(path)
    if kind in ("hdf5", "layer", "weight", "group", "words"):
        with h5py.File(path, "w") as file:
            if kind != "hdf5":
                file.attrs["layer_names"] = ["dense"]
            if kind in ("group", "words"):
                group = file.create_group("dense")
                group.attrs["weight_names"] = ["dense/kernel:0"]
                _ = group.create_group("dense/kernel:0") if kind == "group" else None
                if kind == "words":
                    group["dense/kernel:0"] = "no numbers"
            if kind == "weight":
                file.create_group("dense").attrs["weight_names"] = ["dense/kernel:0"]
    if kind == "list":
        torch.save([torch.ones(2)], path)
    if kind == "torchscript":
        path.unlink(missing_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", b"\x80\x02N.")
            archive.writestr("net/constants.pkl", b"\x80\x02).")
    raw = {"empty": b"", "text": b"hello world", "json": b'{"lr": 1}', "png": b"\x89PNG\r\n\x1a\n" + bytes(20),
           "h5": b"\x89HDF\r\n\x1a\n" + bytes(20)}  # fmt: skip
    if kind in raw:
        path.write_bytes(raw[kind])
    return path


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("torch", r"is damaged \(it ends before its directory of contents\); copy it again"),
        ("old torch", r"is damaged \(.+\); copy it again, or take the checkpoint before it"),
        ("safetensors", r"is damaged \(.+\)"),
        ("pickle", r"is damaged \(its pickle ends too early\)"),
        ("empty", "is empty; the run was probably stopped while it wrote it"),
        ("text", "is no checkpoint: it is neither a torch, safetensors, Keras nor pickle file"),
        ("json", "is no checkpoint: it is a text file"),
        ("png", "is no checkpoint: it is a picture"),
        ("npy", "is no checkpoint: it is a NumPy array; features are given as features"),
        ("npz", "is a zip file but no checkpoint of torch; features are given as features"),
        ("zip", r"is a zip file but no checkpoint of torch\."),
        ("h5", r"is damaged \(Unable to .*\); copy it again"),
        ("keras", r"is damaged \(Unable to .*truncated file.*\); copy it again"),
        ("hdf5", r'is an HDF5 file, but not one of Keras.s save_weights\("x.h5"\): it has no layer_names'),
        ("layer", r"is damaged \(.*'dense'.*\); copy it again"),
        ("group", r"lists dense/kernel:0 as a tensor, but it holds no numbers; save the weights again"),
        ("words", r"lists dense/kernel:0 as a tensor, but it holds no numbers; save the weights again"),
        ("weight", r"lists dense/kernel:0, but the tensor is missing; save the weights again"),
        ("list", "holds a list and no weights by name; save the network's state_dict"),
        ("torchscript", "is a TorchScript archive; save the state_dict"),
    ],
)
def test_a_file_that_is_no_whole_checkpoint(tmp_path, kind, text, unsafe):
    with pytest.raises(ValueError, match=text) as caught:
        checkpoint_files.read(written(tmp_path, kind), unsafe)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_places_without_a_file(tmp_path):
    with pytest.raises(ValueError, match=r"There is no checkpoint .*absent\.pt\."):
        checkpoint_files.read(tmp_path / "absent.pt")
    with pytest.raises(ValueError, match="is a directory; give the checkpoint file; there is none that looks like"):
        checkpoint_files.read(tmp_path)
    torch.save(WEIGHTS, tmp_path / "epoch_3.pth")
    with pytest.raises(ValueError, match=r"is a directory; give the checkpoint file, such as epoch_3\.pth\."):
        checkpoint_files.read(tmp_path)


def test_objects_that_contain_themselves(tmp_path):
    loop = types.SimpleNamespace()
    loop.inside = [loop]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"loop": loop}, protocol=2))
    with pytest.raises(ValueError, match="its objects contain themselves"):
        checkpoint_files.read(tmp_path / "a.pkl", unsafe=True)


@pytest.mark.parametrize("whole_model", [False, True])
def test_layers_and_weights_of_keras_in_the_order_of_the_file(tmp_path, whole_model):
    """Of weights alone or of a model; Keras cuts a list of names that is too long for HDF5 into numbered parts."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        top = file.create_group("model_weights") if whole_model else file
        top.attrs["layer_names"] = [b"z", b"a"]
        names = [f"z/weight_{k}:0" for k in range(24)]
        group = top.create_group("z")
        for k in range(12):
            group.attrs[f"weight_names{k}"] = names[2 * k : 2 * k + 2]
        for k, name in enumerate(names):
            group[name] = np.full(2, k, np.float32)
        top.create_group("a").attrs["weight_names"] = np.zeros(0)
    layers = checkpoint_files.read(tmp_path / "a.h5")["keras_layers"]
    assert list(layers) == ["z", "a"] and layers["a"] == {}
    assert list(layers["z"]) == names and [float(value[0]) for value in layers["z"].values()] == list(range(24))


def test_a_file_of_keras_needs_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(checkpoint_files.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs h5py; install it with pip install \"lindyn\[validate\]\""):
        checkpoint_files.read(FIXTURES / "miszkur" / "pre_trained_encoder.h5")
