"""Calls that cannot be meant, settings that contradict, runs without an end, features without variance."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge import compare, read_report, validate
from lindyn.bridge.layers import stacks
from lindyn.bridge.report import page, terminal
from lindyn.bridge.settings import Settings
from tests.bridge.validation.originals import FIXTURES
from tests.bridge.validation.runs import trained
from tests.bridge.validation.synthetic import of

LINEAR = FIXTURES / "lindyn" / "linear" / "step=00000030.ckpt"
SOLO = FIXTURES / "solo_learn" / "byol-x1-ep=5.ckpt"
FILES = [LINEAR, SOLO, FIXTURES / "lindyn" / "simsiam" / "step=00000030.ckpt"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"samples": 0}, "samples must be a whole number of 80 or more; got 0"),
        ({"samples": -5}, "got -5"),
        ({"samples": 100.0}, "got 100.0"),
        ({"samples": True}, "got True"),
        ({"seed": -1}, "seed must be a whole number of 0 or more; got -1"),
        ({"device": "cudaa"}, "device must name one that this machine has, cpu or cuda; got 'cudaa'"),
        ({"device": "meta:x"}, "device must name"),
        ({"features": (np.ones((100, 8)),), "images": "digits"}, "features and images='digits' were both given"),
    ],
)
def test_what_no_checkpoint_can_do_is_said_before_any_is_read(given, text):
    with pytest.raises(ValueError, match=text) as raised:
        validate("no/such/file.ckpt", **given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", [42, nn.Linear(2, 2), {"predictor.0.weight": torch.ones(2, 2)}, [3], b"x"])
def test_networks_and_numbers_are_no_paths(given):
    with pytest.raises(ValueError, match=rf"checkpoints must be paths; got {type(given).__name__}\. Save a network's"):
        validate(given)


def test_a_setting_given_in_place_of_another_is_told():
    read = Settings.of({"optim.alpha_p": 2.0, "optim.lr": 0.1}, "the checkpoint")
    given = Settings.of({"optim.alpha_p": 3.0, "optim.lr": 0.1, "method.ema": 0.9}, "the call")
    told = ["optim.alpha_p = 3.0 was given in place of 2.0, which the checkpoint says."]
    assert list(given.in_place_of(read)) == told
    answer = validate(LINEAR, settings={"optim.alpha_p": 3.0}, samples=200)
    assert told[0] in answer.pieces.notes and answer.rates.alpha_p == 3.0


def test_a_run_without_a_result_is_called_unfinished(tmp_path):
    run = trained(tmp_path / "run", run__epochs=3)
    assert "unfinished" not in validate(run.folder).pieces.title
    (run.folder / "result.json").unlink()
    answer = validate(run.folder)
    assert answer.pieces.title.endswith("(unfinished run)") and "unfinished run" in terminal.summary(answer)


def test_the_papers_own_network_is_held_against_theorem_1(tmp_path):
    """Its W is the backbone: without a projector it is the last layer."""
    run = trained(tmp_path / "run")
    answer = validate(run.folder)
    balance = of(answer.findings, "balance")
    module = run.module(-1)
    W, W_p = module.backbone.linear.weight, module.prediction_head.W_p
    alpha_p = answer.rates.alpha_p
    A, B = ((M.T @ M).detach().double().numpy() for M in (W.T, W_p / alpha_p**0.5))
    expected = np.linalg.norm(A - B) / (np.linalg.norm(A) + np.linalg.norm(B))
    assert balance.value == pytest.approx(expected, rel=1e-6)
    for law in ("constant", "isotropy", "target_weights"):
        assert np.isfinite(of(answer.findings, law).value), law
    whole = nn.Sequential(nn.Linear(2, 2))
    assert stacks.last_stack(module.backbone, whole) is whole and stacks.last_stack(None, None) is None


def flat(kind, views):
    rng = np.random.default_rng(0)
    one = rng.standard_normal(8)
    z = {
        "zero": np.zeros((400, 8)),
        "ones": np.ones((400, 8)),
        "one vector": np.tile(one, (400, 1)),
        "one vector in float32": np.tile(one.astype("f4"), (400, 1)),
        "a line": rng.standard_normal((400, 1)) * one,
    }[kind]
    return (z,) if views == 1 else (z, z.copy(), z.copy())


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("kind", ["zero", "ones", "one vector", "one vector in float32", "a line"])
def test_features_without_variance_have_collapsed(kind, views):
    for path in (None, *FILES):
        answer = validate(*([] if path is None else [path]), features=flat(kind, views))
        assert answer.headline.startswith("Collapsed (complete: "), (path, answer.headline)
        assert len(terminal.summary(answer).splitlines()) <= 40
        assert views == 1 or path not in (None, LINEAR) or "report.html" in page.files(answer)


def test_equal_views_tell_nothing_of_the_augmentation():
    z = np.random.default_rng(0).standard_normal((400, 8))
    found = of(validate(features=(z, z)).findings, "isotropy_views")
    assert found.verdict == "not testable" and "The two views are the same numbers" in found.reason


def test_numbers_whose_squares_are_none_are_refused():
    z = 1e150 * np.random.default_rng(0).standard_normal((400, 8))
    with pytest.raises(ValueError, match=r"z1 must be at most 1e\+15, .*; got \d\.\d+e\+150\. Divide all features"):
        validate(features=z)


def test_runs_are_compared_by_their_paths_and_by_their_reports(tmp_path):
    shutil.copy(LINEAR, tmp_path / "a.ckpt")
    by_path = compare(tmp_path / "a.ckpt", str(SOLO))
    by_answer = compare(validate(tmp_path / "a.ckpt"), validate(SOLO))
    assert by_path.headline == by_answer.headline
    text = page.files(by_answer.first)["report.json"]
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    assert read_report(tmp_path).headline == by_answer.first.headline
    assert compare(tmp_path, tmp_path / "report.json").settings == {}
    with pytest.raises(ValueError, match="checkpoints must be paths; got int"):
        compare(1, by_answer.second)


def test_a_target_without_ema_has_no_beta_to_ask_for():
    simsiam, byol = (validate(path) for path in (FIXTURES / "lindyn" / "simsiam" / "step=00000030.ckpt", LINEAR))
    found = compare(simsiam, byol)
    assert "beta" not in found.rates and not any("beta: known in one" in one.text for one in found.theory)
