"""Text, JSON, TOML, traces, trajectories and images within limits: what is too large or too deep is one sentence."""

import json
import struct

import numpy as np
import pytest
from PIL import Image
from scipy.io import netcdf_file

import lindyn as ld
from lindyn._option_table import read_tables
from lindyn.bridge.report.schema import read_report
from lindyn.bridge.watch.trace import read_trace
from lindyn.images.image_sources import ImageFolder
from lindyn.stored import limits, lines

DEEP = 100_000


@pytest.mark.parametrize("text", ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * 200 + "]" * 200])
def test_json_that_is_nested_too_deeply_is_one_sentence(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match="nested"):
        limits.read_json(tmp_path / "report.json")
    with pytest.raises(ValueError, match=r"report.json is no report of lindyn validate"):
        read_report(tmp_path / "report.json")


@pytest.mark.parametrize(
    "text", ["a = " + "[" * DEEP, "a = " + "{b = " * 5000 + "1" + "}" * 5000, ".".join("a" * 5000)]
)
def test_toml_that_is_nested_too_deeply_is_one_sentence(tmp_path, text):
    (tmp_path / "run.toml").write_text(text + (" = 1" if "=" not in text else ""))
    with pytest.raises(ValueError, match=r"run.toml is not TOML: .+"):
        read_tables(tmp_path / "run.toml")


def test_what_is_larger_than_its_kind_ever_is_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TEXT", 100)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(["x" * 200]))
    with pytest.raises(ValueError, match="no report of lindyn validate"):
        read_report(path)
    with pytest.raises(ValueError, match=r"has 204 bytes; more than 100 bytes are not read"):
        limits.read_text(path, 100)
    (tmp_path / "run.toml").write_bytes(b"#" * (limits.TABLES + 1))
    with pytest.raises(ValueError, match=r"run.toml is not TOML: .*more than 1.05 MB are not read"):
        read_tables(tmp_path / "run.toml")


def test_every_flip_of_a_line_is_found(tmp_path):
    record = {"step": 12, "s": [1.5, None], "alarm": "healthy"}
    line = lines.sealed(record).rstrip("\n").encode()
    assert lines.record_of(line) == (record, True)
    for at in range(len(line)):
        for bit in (1, 32):
            flipped = line[:at] + bytes([line[at] ^ bit]) + line[at + 1 :]
            with pytest.raises(lines.LineError):
                lines.record_of(flipped, must=True)
    (tmp_path / "a").write_bytes(b'{"old": 1}\n' + line + b'\n{"no": "sum"}\n' + b"[" * 100_000 + b"\n" + line[:20])
    found = [entry for _, _, entry in lines.read(tmp_path / "a")]
    assert found == [{"old": 1}, record, "it has no checksum", "it has no checksum", "it has no checksum"]


HEADER = {"lindyn_trace": 2, "lindyn": "0", "configuration": {}, "time": ""}


@pytest.mark.parametrize(
    "records",
    [
        [{"step": 1, "s": [1.0] * 100_000}, *({"step": k, "s": [1.0]} for k in range(2, 5000))],
        [{"step": 1, "s": [[1.0]]}],
        [{"step": 1, "s": {"a": 1}}],
        [{"step": 1, "d": [1, 2]}],
        [{"step": 1 << 80, "d": 1}],
        [{"step": 1, "s": 5}],
    ],
)
def test_a_trace_that_would_fill_the_memory_or_holds_no_numbers_is_one_sentence(tmp_path, records):
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in [HEADER, *records]))
    with pytest.raises(ValueError, match=r"trace.jsonl is damaged: a reading in it has no numbers where they belong"):
        read_trace(path)


def test_a_trajectory_that_says_more_than_it_holds_is_one_sentence(tmp_path):
    flow = ld.ModeFlow(ld.Hyperparameters())
    good = ld.simulate(flow, ld.ModeState(0.5, 0.2), t1=1.0, engine="scipy").save(tmp_path / "good.nc").read_bytes()
    path = tmp_path / "a.nc"
    at = good.index(b"\x00\x00\x00\x0a") + 16  # the length of the first dimension
    path.write_bytes(good[:at] + struct.pack(">i", 1 << 30) + good[at + 4 :])
    with pytest.raises(ld.solve.netcdf.FileError, match=r"Cannot read .*a\.nc: it is damaged"):
        ld.load(path)
    with netcdf_file(path, "w", version=2) as file:
        file.createDimension("t", 1000)
        for k in range(40):
            file.createVariable(f"v{k}", "b", ("t",))[:] = 1
    with pytest.raises(ld.solve.netcdf.FileError, match="holds no float64 numbers"):
        ld.load(path)
    with netcdf_file(path, "w", version=1) as file:
        file.createDimension("t", 1000)
        for k in range(40):
            file.createVariable(f"v{k:02d}", "d", ("t",))[:] = 1.0
    content = bytearray(path.read_bytes())
    for k in range(40):  # every variable begins where the first one does
        place = len(content) - (40 - k) * 8000
        where = content.find(struct.pack(">i", place), content.index(f"v{k:02d}".encode()))
        content[where : where + 4] = struct.pack(">i", len(content) - 40 * 8000)
    path.write_bytes(content[: len(content) - 39 * 8000])
    with pytest.raises(ld.solve.netcdf.FileError, match="the same bytes stand for many things"):
        ld.load(path)


def png(width, height):
    import zlib

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content", [png(20_000, 20_000), png(12_000, 12_000), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_an_image_of_too_many_pixels_or_one_that_is_a_program_is_refused(tmp_path, content):
    from lindyn.bridge.training.photos import read_rgb

    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"b\.png. cannot be read as an image \(.+\)\. Remove or repair it\."):
        list(ImageFolder(tmp_path, 4).batches(2))
    with pytest.raises(ValueError, match=r"b\.png cannot be read as an image\. Repair or remove it\."):
        read_rgb(tmp_path / "b.png")
