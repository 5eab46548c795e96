"""Files that say more than they hold, name what lies outside, or would make pointers: one sentence, no room taken."""

import io
import pickle
import struct
import tarfile
import time
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
import torch

from lindyn.bridge.checkpoints import checkpoint_files, stubs
from lindyn.bridge.features import from_file
from lindyn.stored import archives, limits, pickle_scan, torch_archives

MOST = 30_000_000  # bytes of memory that a refusal may take


def refused(read, path, text=""):
    """Assert that a file is refused in one sentence, soon, and without taking room."""
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(ValueError, match=text) as caught:
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    assert peak < MOST and time.process_time() - start < 20


def named(value):
    return value if isinstance(value, str) else ""


def doubled(start, make, count=60):
    """Return a pickle in which each part holds the one before twice."""
    body = b"\x80\x02" + start + b"q\x000"
    for k in range(count):
        body += b"h" + bytes([k]) + b"h" + bytes([k]) + make + b"q" + bytes([k + 1]) + b"0"
    return body, b"h" + bytes([count])


def pickles():
    lists, top = doubled(b"]", b"\x86")
    yield "shared tuples", lists + b"}X\x01\x00\x00\x00w" + top + b"s."
    yield "a key", doubled(b")", b"\x86")[0] + b"}" + top + b"K\x01s."
    yield "keys at once", doubled(b")", b"\x86")[0] + b"}(" + top + b"K\x01u."
    yield "a set", doubled(b")", b"\x86")[0] + b"cbuiltins\nset\n](" + top + b"e\x85R."
    yield "a frozen set", doubled(b")", b"\x86")[0] + b"(" + top + b"\x91."
    yield "an ordered dict", doubled(b")", b"\x86")[0] + b"ccollections\nOrderedDict\n]" + top + b"K\x01\x86a\x85R."
    yield "as text", doubled(b")", b"\x86")[0] + b"}X\x01\x00\x00\x00wcbuiltins\nstr\n" + top + b"\x85Rs."
    many = b"\x80\x02](X\x01\x00\x00\x00ae" + b"q\x00(" + b"h\x00" * 3 + b"lq\x010"
    yield (
        "lists of lists",
        many
        + b"".join(b"(" + (b"h" + bytes([k])) * 10 + b"lq" + bytes([k + 1]) + b"0" for k in range(1, 20))
        + b"}X\x01\x00\x00\x00wh\x14s.",
    )
    yield "long bytes", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc."
    yield "long text", b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"abc."
    yield "long bytearray", b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"abc."
    yield "less long bytes", b"\x80\x03B" + struct.pack("<I", 1 << 31) + b"abc."
    yield "long frame", b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"}."
    yield "long integer", b"\x80\x02\x8b" + struct.pack("<i", 100_000) + bytes([7]) * 100_000 + b"."
    yield "far memo", b"\x80\x02}r" + struct.pack("<I", 0xFFFFFFF0) + b"."
    yield "asked for", b"\x80\x02}X\x01\x00\x00\x00wcbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85Rs."
    yield "asked of torch", b"\x80\x02}X\x01\x00\x00\x00wctorch\nFloatTensor\n\x8a\x05\x00\x00\x00\x00\x10\x85Rs."
    yield "deep", b"\x80\x02}X\x01\x00\x00\x00w" + b"]" * 5000 + b"a" * 4999 + b"s."
    yield "extension", b"\x80\x02\x82\x01."
    yield "buffer", b"\x80\x05\x97."


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize(
    ("name", "content"), list(pickles()), ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_pickle_that_would_make_more_than_it_is(tmp_path, name, content, form, unsafe):
    path = tmp_path / "a.pth"
    if form == "pickle":
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", content)
    refused(lambda path: checkpoint_files.read(path, unsafe), path, r"is damaged \(.+\)|only unpickling")
    with pytest.raises(ValueError):
        pickle_scan.scan(io.BytesIO(content))


class Reduced:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


POINTER = struct.pack("<Q", 0x4141414141414141)


def arrays_of_objects():
    reconstruct = np.ndarray.__reduce__(np.empty(0))[0]
    flags = Reduced(np.dtype, ("O", False, True), (3, "|", None, None, None, -1, -1, 0))
    fields = Reduced(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0))
    yield "buffer", Reduced(np.ndarray, ((1,), np.dtype("O"), POINTER))
    yield "flags", Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), flags, False, POINTER))
    yield "fields", Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), fields, False, POINTER))
    yield "state", Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), np.dtype("O"), False, POINTER))
    yield "scalar", Reduced(np.float64(1).__reduce__()[0], (np.dtype("O"), POINTER))
    yield "shape", Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (1 << 40,), np.dtype("f8"), False, POINTER))
    yield "negative", Reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (-1, -1), np.dtype("f8"), False, POINTER))


@pytest.mark.parametrize(
    ("name", "value"), list(arrays_of_objects()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_array_is_made_of_bytes_that_are_there_and_never_of_pointers(tmp_path, name, value):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"w": value, "good": np.arange(3.0)}, protocol=2))
    if name in ("shape", "negative"):
        refused(lambda path: checkpoint_files.read(path, unsafe=True), path, r"is damaged \(UnpicklingError: an array")
        return
    tree = checkpoint_files.read(path, unsafe=True)
    np.testing.assert_array_equal(tree["good"], np.arange(3.0))
    assert not isinstance(tree["w"], np.ndarray | np.generic)
    assert "0x41" not in repr(tree["w"])


def test_arrays_of_objects_are_lists_and_words_and_half_numbers_arrive(tmp_path):
    import ml_dtypes

    given = {"o": np.array([{"lr": 1}, None], dtype=object), "w": np.array(["ab", "c"]),
             "big": np.arange(2, dtype=">i4"), "half": np.array([1.5, -2.0], dtype=ml_dtypes.bfloat16),
             "none": np.zeros((0, 3))}  # fmt: skip
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(given, protocol=4))
    tree = checkpoint_files.read(tmp_path / "a.pkl", unsafe=True)
    assert tree["o"] == [{"lr": 1}, None] and tree["w"].tolist() == ["ab", "c"] and tree["big"].tolist() == [0, 1]
    assert tree["half"].tolist() == [1.5, -2.0] and tree["none"].shape == (0, 3)


def patched(path, old, new):
    """Replace bytes of the pickle in a file of torch, of the same length."""
    assert len(old) == len(new)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in entries if name.endswith("data.pkl"))
    assert entries[pickled].count(old) == 1
    entries[pickled] = entries[pickled].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"cpuq\x05M\xd3\x02", b"cpuq\x05M\xff\xff"),  # numel of the storage: more than its record
        (b"K\x00K\x1dK\x19\x86", b"K\x01K\x1dK\x19\x86"),  # offset: past the end
        (b"K\x1dK\x19\x86", b"K\x1eK\x19\x86"),  # a row more
        (b"K\x19K\x01\x86", b"K\xffK\x01\x86"),  # a stride that leaves the storage
    ],
)
def test_a_tensor_larger_than_its_storage(tmp_path, old, new, unsafe):
    path = tmp_path / "a.pth"
    torch.save({"w": torch.arange(725.0).reshape(29, 25)}, path)
    with zipfile.ZipFile(path) as archive:
        content = archive.read("a/data.pkl")
    old = old.replace(b"\xd3\x02", struct.pack("<H", 725)) if b"cpu" in old else old
    if old not in content:  # how torch numbers its memo is its own affair
        old, new = (value[:3] + b"q" + content[content.index(b"cpuq") + 4 :][:1] + value[5:] for value in (old, new))
    patched(path, old, new)
    refused(lambda path: checkpoint_files.read(path, unsafe), path, r"is damaged \((storage|a tensor)")


def test_negative_strides_and_shapes_far_beyond_the_file(tmp_path):
    storage = pickle_scan.Part("storage", name=pickle_scan.Storage("FloatStorage", "0", 10))
    follower = pickle_scan._Follower(limits.BoundedFile(io.BytesIO(b"")))
    kept = torch.storage.TypedStorage(wrap_storage=torch.UntypedStorage(40), dtype=torch.float32, _internal=True)
    for offset, sizes, strides in ((0, (2,), (-1,)), (0, (-2,), (1,)), (-1, (2,), (1,)), (0, (11,), (1,)),
                                   (1, (10,), (1,)), (0, (2, 2), (1,)), (0, (1 << 70,), (1,))):  # fmt: skip
        with pytest.raises(ValueError, match="tensor of it"):
            follower._tensor([storage, offset, pickle_scan.Part("tuple", sizes), pickle_scan.Part("tuple", strides)])
        with pytest.raises(pickle.UnpicklingError, match="tensor of it"):
            stubs._tensor(kept, offset, sizes, strides)
    path = tmp_path / "a.pth"
    torch.save({"w": torch.ones(1).expand(1 << 20, 1 << 10)}, path)  # one number for a thousand million
    refused(checkpoint_files.read, path, r"says that its tensors, each for itself, take")


def test_a_tensor_set_by_its_state_is_looked_at_too(tmp_path):
    content = pickle.dumps({"w": torch.ones(3)}, protocol=2)
    assert b"_rebuild_tensor" in content
    begin = b"\x80\x02}X\x01\x00\x00\x00wctorch\nTensor\n)\x81(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    state = b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x03tQK\x00\x8a\x05\x00\x00\x00\x00\x10\x85K\x01\x85tbs."
    with pytest.raises(ValueError, match="a tensor of it has sizes"):
        pickle_scan.scan(io.BytesIO(begin.replace(b")\x81(", b")\x81((") + state))


def test_an_old_file_of_torch_that_asks_for_more_than_follows(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"w": torch.arange(725.0)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    at = content.index(b"M" + struct.pack("<H", 725))
    path.write_bytes(content[:at] + b"M\xff\xff" + content[at + 3 :])
    refused(checkpoint_files.read, path, r"its storages have 262 kB, and less follows")
    name = content[: content.index(b".") + 1]  # the pickle of the number is the name of the first entry of a tar file
    with tarfile.open(path, "w", encoding="latin-1") as tar:
        link = tarfile.TarInfo("storages")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(tarfile.TarInfo(name.decode("latin-1")))
        tar.addfile(link)
    if path.read_bytes().startswith(b"\x80\x02"):
        refused(lambda path: checkpoint_files.read(path, unsafe=True), path, "is damaged")


def zips(folder):
    """Yield (name, path) of zip files that are no honest checkpoint of torch."""
    torch.save({"w": torch.ones(3)}, folder / "good.pth")
    good = (folder / "good.pth").read_bytes()
    with zipfile.ZipFile(folder / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("a/data/0", bytes(1 << 20))
    with zipfile.ZipFile(folder / "link.pth", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, protocol=2))
        entry = zipfile.ZipInfo("a/data/0")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with zipfile.ZipFile(folder / "comment.pth", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, protocol=2))
        archive.comment = b"PK\x05\x06" + bytes(18)
    (folder / "before.pth").write_bytes(b"PK\x03\x04 something before" + good)
    end = good.rindex(b"PK\x05\x06")
    (folder / "many.pth").write_bytes(good[: end + 8] + b"\xff\xff\xff\xff" + good[end + 12 :])
    (folder / "two.pth").write_bytes(good.replace(b"good/version", b"good/data/00"[:12]))
    flipped = bytearray(good)
    flipped[good.index(struct.pack("<f", 1.0))] ^= 1
    (folder / "flipped.pth").write_bytes(flipped)
    return ("bomb", "link", "comment", "before", "flipped")


def test_zip_files_that_are_no_honest_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "SMALL", 1 << 16)
    for name in zips(tmp_path):
        refused(checkpoint_files.read, tmp_path / f"{name}.pth", r"is damaged \(")
    assert checkpoint_files.read(tmp_path / "good.pth")["w"].tolist() == [1, 1, 1]


def test_entries_that_share_their_bytes(tmp_path):
    content, body = io.BytesIO(), bytes(1000)
    with zipfile.ZipFile(content, "w") as archive:
        for k in range(5):
            archive.writestr(f"{k}.npy", body)
    whole = content.getvalue()
    start = whole.index(b"PK\x01\x02")
    first = whole[: whole.index(b"PK\x03\x04", 4)]  # all entries of the directory stand for the first
    directory = b"".join(
        entry[:38] + struct.pack("<I", 0) + entry[42:]
        for entry in (b"PK\x01\x02" + part for part in whole[start:].split(b"PK\x05\x06")[0].split(b"PK\x01\x02")[1:])
    )
    end = whole[whole.rindex(b"PK\x05\x06") :]
    (tmp_path / "a.npz").write_bytes(first + directory + end[:16] + struct.pack("<I", len(first)) + end[20:])
    refused(from_file, tmp_path / "a.npz", "share their bytes")


def npy(shape, descr="'<f8'", content=b""):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    "content",
    [
        npy("(1000000000, 1000)"),
        npy("(3, 2)", content=bytes(16)),
        npy("(-1, 2)", content=bytes(16)),
        npy("(1, 1)", "'|O'", POINTER),
        npy("(1, 1)", "[('a', '|O')]", POINTER),
        npy("(1, 1)", "('<f8', (1000000000,))"),
        npy("(1000000000000000000, 0)", "'|V0'"),
        npy("((" * 2000 + "))" * 2000),
        npy("(True, 'a')"),
    ],
    ids=range(9),
)
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_that_the_file_does_not_hold(tmp_path, content, packed):
    path = tmp_path / ("a.npz" if packed else "a.npy")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("z1.npy", content)
    else:
        path.write_bytes(content)
    refused(from_file, path, "features: ")
    with pytest.raises(ValueError):
        (archives.arrays if packed else archives.mapped)(path)


def test_a_bomb_of_features_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, z1=np.zeros((500, 1000)), z2=np.zeros((500, 1000)))
    assert from_file(path).count == 500  # so little may be as empty as it likes
    monkeypatch.setattr(limits, "SMALL", 1 << 20)
    refused(from_file, path, r"says that its content takes 8 MB, which is not unpacked; save it without compression")
    np.savez_compressed(path, z1=np.random.default_rng(0).normal(size=(500, 1000)))
    assert from_file(path).count == 500


def keras(folder, kind):
    """Return a file of Keras whose weight is not, or not all, in it."""
    path = folder / "a.h5"
    with h5py.File(folder / "other.h5", "w") as other:
        other["secret"] = np.arange(4.0)
    (folder / "raw.bin").write_bytes(np.arange(4.0).tobytes())
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"dense"]
        group = file.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0"]
        if kind == "external link":
            group["dense/kernel:0"] = h5py.ExternalLink("other.h5", "secret")
        elif kind == "external group":
            del file["dense"]
            file["dense"] = h5py.ExternalLink("other.h5", "/")
        elif kind == "soft link":
            file["there"] = np.arange(4.0)
            group["dense/kernel:0"] = h5py.SoftLink("/there")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "f8")
            layout[:] = h5py.VirtualSource(folder / "other.h5", "secret", (4,))
            group.create_virtual_dataset("dense/kernel:0", layout)
        elif kind == "raw":
            group.create_dataset("dense/kernel:0", (4,), "f8", external=[(str(folder / "raw.bin"), 0, 32)])
        elif kind == "huge":
            group.create_dataset("dense/kernel:0", (1 << 20, 1 << 20), "f8", chunks=(1, 1024))
        elif kind == "chunk":
            group.create_dataset("dense/kernel:0", (4,), "f8", chunks=(1 << 28,), maxshape=(None,), compression="gzip")
        elif kind == "many":
            one = group.create_dataset("one", (1 << 22,), "f8", compression="gzip")
            one[:] = 0.0
            names = [f"w{k}".encode() for k in range(40)]
            group.attrs["weight_names"] = names
            for name in names:
                group[name.decode()] = one
        elif kind == "names":
            space = h5py.h5s.create_simple((4,))
            kept = h5py.h5t.C_S1.copy()
            kept.set_size(1 << 30)
            with_size = h5py.h5a.create
            del group.attrs["weight_names"]
            try:
                with_size(group.id, b"weight_names", kept, space)
            except (OSError, RuntimeError, ValueError):
                pytest.skip("this HDF5 writes no such attribute")
    return path


@pytest.mark.parametrize(
    "kind", ["external link", "external group", "soft link", "virtual", "raw", "huge", "chunk", "many", "names"]
)
def test_a_file_of_keras_gives_only_what_it_holds(tmp_path, kind):
    path = keras(tmp_path, kind)
    start = time.process_time()
    with pytest.raises(ValueError, match=r"a\.h5") as caught:
        checkpoint_files.read(path)
    assert "\n" not in str(caught.value) and time.process_time() - start < 20


def test_a_header_of_safetensors_without_end(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 40) + b"{" + bytes(100))
    refused(checkpoint_files.read, path, r"is damaged \(its header has 1.1 TB\)")


def test_every_limit_lets_honest_files_through(tmp_path):
    """A whole module with its optimiser, shared weights, views of one storage, long lists: nothing is refused."""
    net = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(30)))
    net[1].weight = net[0].weight
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 4)).sum().backward()
    optimiser.step()
    base = torch.arange(1000.0)
    tree = {"state_dict": net.state_dict(), "net": net, "optimizer": optimiser.state_dict(), "lr": [0.1] * 50_000,
            "views": [base[k:] for k in range(10)], "rng": torch.get_rng_state(), "t": base.reshape(10, 100).T,
            "one": torch.tensor(3.0).expand(7), "none": torch.empty(0, 5)}  # fmt: skip
    for new in (True, False):
        torch.save(tree, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
        read = checkpoint_files.read(tmp_path / "a.pth", unsafe=True)
        assert torch.equal(read["t"], tree["t"]) and read["one"].tolist() == [3.0] * 7 and len(read["lr"]) == 50_000
        assert torch.equal(read["net"]["1.weight"], net[0].weight)
    torch_archives.check_pickle(tmp_path / "a.pth")
