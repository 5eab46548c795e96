"""The trace: round trip, interruption, a run that goes on or was set back, damage."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lindyn.bridge import diagnose, read_trace
from lindyn.bridge.watch.trace import QUANTITIES
from lindyn.bridge.watch.trace_writer import TraceWriter


def record(step, d=3, **more):
    s = np.arange(d, 0, -1.0)
    return {"step": step, **diagnose(np.diag(s), np.diag(np.sqrt(s) * step)).flat(), **more}


def written(path, steps=(50, 100, 150)):
    writer = TraceWriter(path, {"every": 50})
    for step in steps:
        writer.write(record(step))
    return path


def test_what_was_written_is_read_with_axes_and_units(tmp_path):
    ds = read_trace(written(tmp_path / "new folder" / "trace.jsonl"))
    assert list(ds.step.values) == [50, 100, 150] and ds.s.dims == ("step", "mode") and ds.sizes["mode"] == 3
    np.testing.assert_allclose(ds.s.sel(step=100), [3.0, 2.0, 1.0])
    np.testing.assert_allclose(ds.p.sel(step=100), 100 * np.sqrt([3.0, 2.0, 1.0]), rtol=1e-6)
    assert ds.s.attrs["units"] == "features^2" and "largest first" in ds.s.attrs["long_name"]
    assert set(ds.alarm.values) == {"healthy"} and ds.slope_verdict.values[0].startswith("not testable")
    assert (
        ds.attrs["schema"] == 2 and ds.attrs["starts"] == 1 and json.loads(ds.attrs["configuration"]) == {"every": 50}
    )
    assert set(ds.data_vars) <= set(QUANTITIES)


def test_nan_survives_and_every_line_is_strict_json(tmp_path):
    path = written(tmp_path / "trace.jsonl")
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(word))
    ds = read_trace(path)
    assert np.isnan(ds.slope).all() and np.isnan(ds.scale).all()


def test_cutting_the_file_anywhere_loses_at_most_the_last_reading(tmp_path):
    path = written(tmp_path / "trace.jsonl", steps=(1, 2, 3))
    whole = path.read_bytes()
    ends = [k + 1 for k, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(ends[0], len(whole) + 1, 37):
        path.write_bytes(whole[:cut])
        read = list(read_trace(path).step.values)
        complete = sum(end - 1 <= cut for end in ends[1:])  # a line without its end is whole
        assert read == [1, 2, 3][:complete]
        TraceWriter(path, {"every": 1}).write(record(9))
        ds = read_trace(path)
        assert list(ds.step.values) == [*read, 9] and ds.attrs["starts"] == 2


def test_a_header_that_was_cut_off_is_begun_again(tmp_path):
    path = written(tmp_path / "trace.jsonl", steps=())
    whole = path.read_bytes()
    for cut in (0, 1, 5, 40, len(whole) - 2):
        path.write_bytes(whole[:cut])
        written(path, steps=(7,))
        assert list(read_trace(path).step.values) == [7]


def test_a_run_that_was_set_back_replaces_what_it_does_again(tmp_path):
    path = written(tmp_path / "trace.jsonl")
    again = TraceWriter(path, {"every": 50})
    assert again.last["step"] == 150
    again.write(record(100, loss=-0.5))
    ds = read_trace(path)
    assert list(ds.step.values) == [50, 100] and ds.attrs["starts"] == 2
    assert math.isnan(ds.loss[0]) and ds.loss[1] == -0.5
    again.write(record(150))
    assert list(read_trace(path).step.values) == [50, 100, 150]


def test_an_unknown_reading_has_words_and_no_numbers(tmp_path):
    writer = TraceWriter(tmp_path / "trace.jsonl", {})
    writer.write(record(1))
    writer.write({"step": 2, "alarm": "unknown", "reason": "F must be finite."})
    ds = read_trace(writer.path)
    assert list(ds.alarm.values) == ["healthy", "unknown"] and np.isnan(ds.s.sel(step=2)).all()
    assert ds.slope_verdict.values[1] == ""


def test_a_trace_without_readings_is_empty(tmp_path):
    ds = read_trace(written(tmp_path / "trace.jsonl", steps=()))
    assert ds.sizes["step"] == 0


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "is no trace: it has no header"),
        ("hello\n", "is no trace: it has no header"),
        ('{"step": 1}\n', "is no trace: it has no header"),
        ('{"lindyn_trace": 1, "lindyn": "0", "configuration": {}, "time": ""}\n{"st\n{"step": 2}\n', "line 2 of"),
        ('{"lindyn_trace": 3}\n', "has trace schema 3, this lindyn reads 2; update lindyn."),
    ],
)
def test_other_files_and_damage_are_refused(tmp_path, content, message):
    path = tmp_path / "trace.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_trace(path)
    if content:
        with pytest.raises(ValueError, match=message):
            TraceWriter(path, {})
        assert path.read_text() == content


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = written(tmp_path / "trace.jsonl", steps=(1,))
    path.write_bytes(path.read_bytes() + b"\xff\xfe\x00\n" + b'{"step": 2}\n')
    with pytest.raises(ValueError, match=r"line 3 of .* is damaged"):
        read_trace(path)


def test_files_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_trace(tmp_path / "none.jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"path must be a file that can be written; got .*Choose another folder."):
        TraceWriter(tmp_path / "file" / "trace.jsonl", {})
    with pytest.raises(ValueError, match=r"path must be a file that can be written; got .*Choose another folder."):
        TraceWriter(tmp_path, {})
    path = written(tmp_path / "trace.jsonl")
    with pytest.raises(ValueError, match=r"path is a file already: .*; choose another, or resume=True to append."):
        TraceWriter(path, {}, resume=False)


STORED = Path(__file__).parent / "validation" / "fixtures" / "lindyn" / "linear" / "trace.jsonl"


def test_a_trace_of_schema_1_is_read_under_todays_names_and_goes_on(tmp_path):
    """The readings of the old part are brought to today's definition, those that are appended are today's already."""
    lines = [json.loads(line) for line in STORED.read_text().splitlines()]
    old = [line for line in lines if "step" in line]
    assert lines[0]["lindyn_trace"] == 1
    ds = read_trace(STORED)
    theta = np.arcsin([line["balance_residual"] for line in old])
    np.testing.assert_allclose(ds.balance_residual_fitted, np.sin(theta / 2), rtol=1e-6)
    np.testing.assert_allclose(ds.balance_c, [line["balance_c"] for line in old] / np.cos(theta), rtol=1e-6)
    assert "balance_residual" not in ds and ds.attrs["schema"] == 1 and set(ds.data_vars) <= set(QUANTITIES)
    path = tmp_path / "trace.jsonl"
    path.write_bytes(STORED.read_bytes())
    writer = TraceWriter(path, {})
    assert writer.last["step"] == old[-1]["step"]
    writer.write({"step": old[-1]["step"] + 5, "alarm": "healthy", "balance_residual_fitted": 0.25, "balance_c": 2.0})
    both = read_trace(path)
    np.testing.assert_array_equal(both.balance_residual_fitted[:-1], ds.balance_residual_fitted)
    assert float(both.balance_residual_fitted[-1]) == 0.25 and both.attrs["schema"] == 2
