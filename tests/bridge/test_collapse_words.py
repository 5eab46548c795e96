"""Collapse in three words: constructed features are all named right, spectra of healthy networks are not named."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge import Diagnostics, compare, diagnose, read_report, read_trace, validate
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.report import page
from lindyn.bridge.watch.collapse_words import count_above, largest_without, read_collapse
from lindyn.bridge.watch.trace import last_reading
from tests.bridge.validation.synthetic import Arrays, rotation

N, d = 600, 32
R = np.random.default_rng(0)
Q = rotation(d, 7)
g = R.standard_normal
FEW = g((N, 2)) @ Q[:2]
TURNS = np.linspace(0, 12 * np.pi, N)


def noisy(z, size=1e-4):
    return z + size * np.random.default_rng(1).standard_normal(z.shape)


def falling(power):
    return (g((N, d)) * np.arange(1, d + 1) ** (-power / 2)) @ Q


COMPLETE = {
    "zero": np.zeros((N, d)),
    "constant": np.tile(g(d), (N, 1)),
    "constant with noise": noisy(np.tile(g(d), (N, 1))),
    "constant in float32": np.tile(g(d), (N, 1)).astype("f4"),
    "two points": noisy(np.where(np.arange(N)[:, None] < N // 2, Q[:, 0], Q[:, 1])),
    "a line through the origin": noisy(g((N, 1)) * Q[0]),
    "a line beside the origin": noisy(Q[0] + g((N, 1)) * Q[1]),
    "a line far from the origin": 30 * Q[0] + g((N, 1)) * Q[1],
    "a line in half precision": (Q[0] + g((N, 1)) * Q[1]).astype("f2"),
    "a tiny line": 1e-25 * (Q[0] + g((N, 1)) * Q[1]).astype("f4"),
}
PARTIAL = {
    "rank 2 of 32": (noisy(FEW), 2),
    "rank 2 of 32, more noise": (noisy(FEW, 0.02), 2),
    "rank 2 in half precision": (FEW.astype("f2"), 2),
    "rank 2, quantised": (np.round(FEW * 64) / 64, 2),
    "rank 2, tiny": ((1e-25 * FEW).astype("f4"), 2),
    "rank 2 beside the origin": (noisy(FEW + 3 * Q[5]), 2),
    "a circle": (np.stack([np.cos(TURNS), np.sin(TURNS)], 1) @ Q[:2], 2),
    "three points": (noisy(Q[np.arange(N) % 3]), 2),
    "half of the dimensions constant": (g((N, d)) * (np.arange(d) < 16) + 2.0 * (np.arange(d) >= 16), 16),
    "every dimension twice": (np.tile(g((N, 16)), (1, 2)), 16),
    "rank 20 of 512": (g((N, 20)) @ g((20, 512)), 20),
}
NONE = {
    "isotropic": g((N, d)),
    "isotropic beside the origin": (g((N, d)) + 1).astype("f4"),
    "tiny": (1e-25 * g((N, d))).astype("f4"),
    "tiny in double": 1e-120 * g((N, d)),
    "on the sphere": (lambda z: z / np.linalg.norm(z, axis=1, keepdims=True))(g((N, d))),
    "half precision": g((N, d)).astype("f2"),
    "quantised": np.round(2 * g((N, d))) / 2,
    "heavy tails": R.standard_t(3, (N, d)),
    "lengths of all sizes": g((N, d)) * np.exp(g((N, 1))),
    "j^-1": falling(1), "j^-2": falling(2), "j^-3": falling(3), "exp(-j)": g((N, d)) * np.exp(-np.arange(d) / 2),
    "ten clusters": noisy(g((10, d))[np.arange(N) % 10], 0.3),
    "one dead dimension": g((N, d)) * (np.arange(d) > 0),
    "fewer samples than dimensions": g((100, 256)),
    "one dimension": g((N, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_collapse_is_named(name):
    found = measure(Arrays(COMPLETE[name])).collapse
    assert (found.word, found.alarm) == ("complete", "collapsed"), found.told
    assert name == "zero" or "a point" in found.shape or found.live == 1
    assert "line" not in name or found.shape.startswith("a line" if "far" not in name else "a point")


@pytest.mark.parametrize("name", PARTIAL)
def test_partial_collapse_is_named_with_its_number(name):
    z, live = PARTIAL[name]
    found = measure(Arrays(z)).collapse
    assert (found.word, found.alarm, found.live) == ("partial", "at risk", live), found.told
    assert found.live_low <= live <= found.live_high and (found.live_high <= live + 4)
    assert f"{live} of {z.shape[1]} directions live" in found.reason


@pytest.mark.parametrize("name", NONE)
def test_healthy_spectra_are_not_named(name):
    found = measure(Arrays(NONE[name])).collapse
    assert (found.word, found.alarm) == ("none", "healthy"), found.told


def test_rank_that_samples_or_layers_limit_is_said_and_is_no_collapse():
    few = measure(Arrays(g((100, 256)))).collapse
    assert few.directions == 99 and few.told.endswith("directions live, no more with 100 samples")
    narrow, plain = g((N, 8)) @ g((8, d)), nn.Linear(8, d)
    assert measure(Arrays(narrow)).collapse.word == "partial"
    found = measure(Arrays(narrow), projector=nn.Sequential(nn.Linear(64, 8), nn.ReLU(), plain)).collapse
    assert found.word == "none" and found.told.endswith("no more with the 8 units before the last linear layer")
    head = nn.Sequential(plain, nn.BatchNorm1d(d))
    assert measure(Arrays(narrow), projector=nn.Sequential(nn.Linear(64, 8), nn.ReLU(), *head)).collapse.word == "none"
    worse = measure(Arrays(narrow * (np.arange(d) < 1)), projector=nn.Sequential(nn.Linear(64, 8), plain)).collapse
    assert worse.word == "complete"


def test_the_alarm_is_on_the_worse_of_both_readings_and_the_interval_holds_the_truth():
    s = np.concatenate([np.full(3, 1.0), np.full(29, 1e-9)])
    centred = np.concatenate([[1.0], np.full(31, 1e-9)])
    assert read_collapse(s, centred).word == "complete" and read_collapse(s).word == "partial"
    smooth = np.arange(1, 33) ** -3.0
    found = [measure(Arrays(np.random.default_rng(k).standard_normal((N, d)) * np.sqrt(smooth))).collapse
             for k in range(10)]  # fmt: skip
    truth = int(np.sum(smooth >= smooth.sum() / 3200))
    assert all(each.live_low <= truth <= each.live_high for each in found)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_eigenvalues_without_the_mean_are_counted_without_solving_for_them(n):
    A = g((3, n, n + 2))
    F, m = A @ A.swapaxes(1, 2), 0.4 * g((3, n))
    s, U = (x[..., ::-1] for x in np.linalg.eigh(F))
    v = (U.swapaxes(1, 2) @ m[..., None])[..., 0]
    C = np.linalg.eigvalsh(F - m[:, :, None] * m[:, None, :])[:, ::-1]
    for edge in (0.01, 0.5, 2.0, 8.0):
        np.testing.assert_array_equal(count_above(s, v, np.full(3, edge)), np.sum(edge < C, axis=1))
    np.testing.assert_allclose(largest_without(s, v), np.maximum(C[:, 0], 0), rtol=1e-9, atol=1e-12)


def test_watch_diagnose_validate_and_compare_say_the_same(tmp_path):
    """One set of features, rank 2 of 32 beside the origin: the word and its number everywhere."""
    z = noisy(FEW + 3 * Q[5])
    F, mean = z.T @ z / N, z.mean(0)
    given = diagnose(F, np.eye(d), samples=N, mean=mean).collapse
    head, lines = nn.Linear(d, d).double(), []
    watch = Diagnostics(head, tmp_path / "trace.jsonl", every=1, tell=lines.append)
    head(torch.from_numpy(z))
    watched = watch.step().collapse
    np.savez(tmp_path / "few.npz", z1=z, z2=z + 0.1 * g((N, 2)) @ Q[:2], W_p=np.eye(d))
    answer = validate(features=tmp_path / "few.npz")
    for found in (given, watched, answer.collapse, answer.diagnosis.collapse):
        assert (found.word, found.live, found.live_uncentred, found.directions) == ("partial", 2, 3, d)
    assert answer.headline.startswith("Partly collapsed (partial: 2 of 32 directions live, 3 not centred); ")
    assert lines[0].startswith("step 1: at risk (collapse: partial: 2 of 32 directions live, 3 not centred).")
    assert answer.advice[0].text.startswith("It has collapsed in part: 2 of 32")
    report = json.loads(page.files(answer)["report.json"])
    assert (report["collapse"]["word"], report["collapse"]["live"]) == ("partial", 2.0)
    for name, text in page.files(answer).items():
        if name.startswith("report"):
            (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_report(tmp_path).collapse == answer.collapse
    other = validate(features=(g((N, d)), g((N, d))))
    assert "collapse: partial (2 of 32 directions live) in A, none in B" in compare(answer, other).headline
    trace = read_trace(tmp_path / "trace.jsonl")
    assert trace.collapse.values[0] == "partial" and trace.live.values[0] == 2
    assert last_reading(tmp_path / "trace.jsonl")[0].collapse.told == watched.told


def test_a_trace_of_before_is_read_by_its_eigenvalues(tmp_path):
    head = nn.Linear(d, d).double()
    watch = Diagnostics(head, tmp_path / "trace.jsonl", every=1)
    head(torch.from_numpy(noisy(FEW)))
    watch.step()
    new = ("collapse", "live", "live_low", "live_high", "live_uncentred", "directions", "concentration_centred", "crc")
    lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    old = [{name: value for name, value in line.items() if name not in new} for line in lines]
    (tmp_path / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in old))
    found = last_reading(tmp_path / "trace.jsonl")[0].collapse
    assert (found.word, found.live, found.directions) == ("partial", 2, d)
    assert "collapse" not in read_trace(tmp_path / "trace.jsonl")


def test_the_watch_knows_the_width_of_the_projector_before_the_predictor(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.projection_head = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, d), nn.BatchNorm1d(d))
            self.prediction_head = nn.Linear(d, d)

        def forward(self, x):
            return self.prediction_head(self.projection_head(x))

    torch.manual_seed(0)
    net = Net()
    watch = Diagnostics(net, tmp_path / "trace.jsonl", every=1)
    net(torch.randn(N, 4))
    found = watch.step().collapse
    assert found.word == "none" and found.directions == 8
