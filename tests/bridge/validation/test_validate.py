"""`validate` from files to the answer: a run of `lindyn train`, other layouts, features, traces, wrong input."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import lindyn.bridge
from lindyn.bridge.checkpoints import inputs, read_checkpoint
from lindyn.bridge.features import WEIGHTS_ONLY, calibrated, from_images
from lindyn.bridge.laws import KnownRun, findings
from lindyn.bridge.report import terminal
from lindyn.bridge.run import counterfactuals, describe
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training import run_folder
from lindyn.bridge.validation import validate

FIXTURES = Path(__file__).parent / "fixtures"
RUN = FIXTURES / "lindyn" / "linear"
SOLO = FIXTURES / "solo_learn" / "byol-x1-ep=5.ckpt"


@pytest.fixture(scope="module")
def of_run():
    return validate(RUN, samples=600)


def by_law(answer):
    return {found.law: found for found in answer.findings}


def views(n=3000, d=8, seed=0):
    """Return two views of aligned features, the target's at 0.8 of the first's."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d)) * np.geomspace(1, 0.1, d)
    noise = rng.normal(size=(2, n, d)) * 0.2 * np.geomspace(1, 0.1, d)
    return z + noise[0], z + noise[1], 0.8 * (z + noise[0])


def test_the_public_name_is_this_one():
    assert lindyn.bridge.validate is validate


def test_a_folder_is_one_run_over_training(of_run):
    assert of_run.pieces.step == 30 and of_run.pieces.path == RUN and of_run.pieces.layout == "lindyn"
    assert list(of_run.over_training.steps) == [0, 10, 20, 30] and set(of_run.over_training.error) >= {"s", "p"}
    assert of_run.samples > 500 and of_run.maps[0].kind == "exact" and of_run.diagnosis is not None
    assert of_run.modes.words == "a checkpoint not yet aligned (step 0)" and 5 <= len(of_run.modes) <= 8
    assert of_run.rates.alpha_p == 2.0 and of_run.rates.target == "ema"
    lines = terminal.summary(of_run, "report.html").splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 100


def test_order_of_files_does_not_matter(of_run):
    paths = [RUN / f"step=000000{k:02d}.ckpt" for k in (30, 0, 20, 10)]
    answer = validate(paths, samples=600)
    assert list(answer.over_training.steps) == [0, 10, 20, 30] and answer.pieces.step == 30
    assert [f.value for f in answer.findings] == pytest.approx([f.value for f in of_run.findings], nan_ok=True)
    assert np.array_equal(answer.modes.p, of_run.modes.p)


def test_the_reading_is_that_of_the_checkpoint_by_another_route(of_run):
    """p_j and s_j from F of the source's own batches, without the streaming sums."""
    pieces = read_checkpoint(RUN / "step=00000030.ckpt")
    batch = from_images(pieces, "auto", limit=600, batchnorm="batch")
    pieces = calibrated(pieces, batch)
    z = torch.cat([part.z1 for part in from_images(pieces, "auto", limit=600).batches()]).double().numpy()
    W_p = pieces.predictor[0].weight.detach().double().numpy()
    s, U = np.linalg.eigh(z.T @ z / len(z))
    p = np.sum(U * (W_p @ U), axis=0)[::-1]
    assert np.allclose(of_run.diagnosis.s, s[::-1], rtol=1e-4, atol=1e-6)
    assert np.allclose(of_run.diagnosis.p, p, atol=1e-3)


def test_an_early_checkpoint_is_not_called_collapsed_for_its_running_statistics():
    """At step 10 a third of the start is left in every BatchNorm layer: features look constant, and are not."""
    answer = validate(RUN / "step=00000010.ckpt", samples=600)
    assert answer.diagnosis.alarm != "collapsed"
    assert any("running statistics say little before step 100" in note for note in answer.pieces.notes)
    pieces = read_checkpoint(RUN / "step=00000010.ckpt")
    before = [value.clone() for value in pieces.backbone.state_dict().values()]
    changed = calibrated(pieces, from_images(pieces, "auto", limit=600, batchnorm="batch"))
    after = list(pieces.backbone.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    z = torch.cat([b.z1 for b in from_images(changed, "auto", limit=600).batches()])
    raw = torch.cat([b.z1 for b in from_images(pieces, "auto", limit=600).batches()])
    assert spread(z) > 2 * spread(raw)


def test_the_predictors_own_statistics_are_taken_too():
    """Mean and variance that its first BatchNorm meets on the images' projections, by a plain product."""
    pieces = read_checkpoint(FIXTURES / "lindyn" / "mlp" / "step=00000030.ckpt")
    changed = calibrated(pieces, from_images(pieces, "auto", limit=600, batchnorm="batch"))
    batches = [b.z1 for b in from_images(pieces, "auto", limit=600, batchnorm="batch").batches()]
    met = [changed.predictor[0](z) for z in batches]
    assert torch.allclose(changed.predictor[1].running_mean, torch.stack([m.mean(0) for m in met]).mean(0), atol=1e-5)
    assert torch.allclose(changed.predictor[1].running_var, torch.stack([m.var(0) for m in met]).mean(0), rtol=1e-4)
    assert not changed.predictor.training and not changed.predictor[1].training


def spread(z):
    return float((z / z.norm(dim=1, keepdim=True)).std(dim=0).mean())


def test_a_foreign_checkpoint_alone_is_tested_by_its_weights():
    answer = validate(SOLO)
    assert answer.samples == 0 and answer.diagnosis is None and answer.modes is None
    assert WEIGHTS_ONLY in answer.pieces.notes
    assert (
        by_law(answer)["balance"].verdict in ("holds", "fails")
        and by_law(answer)["alignment"].verdict == "not testable"
    )
    assert "cannot be told without features" in answer.headline
    assert answer.advice[0].text.startswith("Without features nobody can tell")


def test_features_are_arrays_files_or_a_source(tmp_path):
    z1, z2, target1 = views()
    np.savez(tmp_path / "z.npz", z1=z1, z2=z2, target1=target1)
    answers = [validate(SOLO, features=given) for given in ((z1, z2, target1), str(tmp_path / "z.npz"))]
    values = [[f.value for f in answer.findings] for answer in answers]
    assert values[0] == pytest.approx(values[1], nan_ok=True, rel=1e-6) and answers[0].samples == 3000
    assert by_law(answers[0])["target"].value == pytest.approx(1, abs=1e-6)
    assert answers[0].maps[0].kind == "least squares"


def test_a_bare_backbone_with_images_is_told_from_collapse():
    path = FIXTURES / "byol_pytorch" / "checkpoint.0.pt"
    answer = validate(path, images="digits", samples=600)
    assert answer.headline.startswith(
        "Not collapsing (none: 16 of 16 directions live; likely); no law"
    ) and answer.advice[0].text.startswith("It is not collapsing")
    with pytest.raises(ValueError, match="holds no predictor, no projector and no F: without features no law"):
        validate(path)


def test_a_trace_alone_gives_the_diagnosis_over_training():
    answer = validate(RUN / "trace.jsonl")
    last = lindyn.bridge.read_trace(RUN / "trace.jsonl").isel(step=-1)
    assert answer.diagnosis.effective_rank == float(last["effective_rank"]) and answer.pieces.step == int(last["step"])
    assert (
        np.array_equal(answer.diagnosis.s, last["s"].values) and answer.diagnosis.slope.s_high == last["slope_s_high"]
    )
    assert len(answer.over_training.steps) == 6 and answer.findings == () and answer.maps == ()
    assert "A trace holds spectra and readings, not the network" in answer.pieces.notes[0]


def test_few_checkpoints_with_a_trace_show_the_trace(tmp_path):
    for name in ("step=00000000.ckpt", "step=00000030.ckpt", "trace.jsonl"):
        shutil.copy(RUN / name, tmp_path / name)
    answer = validate(tmp_path, samples=600)
    assert answer.over_training.source.startswith("the trace") and len(answer.over_training.steps) == 6
    assert answer.over_training.error and answer.pieces.step == 30


def test_settings_given_go_before_those_read():
    answer = validate(SOLO, settings={"optim.alpha_p": 7.0, "method.ema": 0.5})
    assert answer.rates.alpha_p == 7.0 and answer.pieces.settings.sources["optim.alpha_p"] == "the call"
    assert answer.pieces.settings.sources["optim.lr"] != "the call"


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ([], {}, "got nothing"),
        ("nothing.ckpt", {}, "There is no checkpoint or folder nothing.ckpt"),
        (SOLO, {"features": np.full((200, 8), np.nan)}, "must be finite; sample 0 has NaN"),
        (SOLO, {"features": np.ones((200, 5))}, "must map 5 features to 5; got one that takes 8"),
        (SOLO, {"features": np.ones((20, 8))}, "At least 80 samples are needed; got 20"),
        (SOLO, {"features": ["a.npz", "b.npz"]}, "features must be one of each checkpoint"),
        (SOLO, {"images": "no/folder"}, "there is no folder no/folder"),
        (SOLO, {"settings": {"optim.lrr": 1}}, "Did you mean 'optim.lr'"),
        (SOLO, {"layout": "mmpretrain"}, "has not the layout mmpretrain"),
        (FIXTURES / "deepmind" / "pretrain.pkl", {}, "only unpickling can read"),
        ([RUN, FIXTURES / "lindyn" / "linear" / "trace.jsonl"], {}, "One run at a time; got two traces"),
    ],
)
def test_wrong_input_is_one_sentence(given, options, message):
    with pytest.raises(ValueError, match=r"\w") as found:
        validate(given, **options)
    assert message in str(found.value) and "\n" not in str(found.value)


def test_a_folder_of_luckmatters_is_its_network_with_F_beside_it():
    answer = validate(FIXTURES / "luckmatters" / "linear")
    assert answer.pieces.layout == "luckmatters" and answer.pieces.predictor is not None
    assert any("F was read from corr_006_iter30.pth" in note for note in answer.pieces.notes)


def test_laws_of_a_trained_predictor_are_not_tested_where_a_rule_sets_it():
    answer = validate(FIXTURES / "lindyn" / "direct_pred" / "step=00000030.ckpt", samples=400)
    found = {f.law: f for f in answer.findings}
    for law in ("constant", "balance", "eq17", "eq17_pairs"):
        assert found[law].verdict == "not testable" and "set by the rule direct_pred, not trained" in found[law].reason
    assert found["alignment"].verdict != "not testable"


def test_a_folder_without_checkpoints_and_a_truncated_one(tmp_path):
    with pytest.raises(ValueError, match=r"holds no checkpoint: neither checkpoints/"):
        validate(tmp_path)
    whole = (RUN / "step=00000030.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.ckpt") as found:
        validate(tmp_path / "cut.ckpt")
    assert "\n" not in str(found.value)


def test_checkpoints_of_a_folder_stand_by_their_numbers_and_are_thinned(tmp_path):
    for k in range(30):
        (tmp_path / f"epoch_{k}.pth").touch()
    (tmp_path / ".draft.pth").touch()
    found = inputs.find(tmp_path, most=4)
    assert [path.name for path in found.files] == ["epoch_0.pth", "epoch_10.pth", "epoch_19.pth", "epoch_29.pth"]
    assert found.notes == ("4 of 30 checkpoints were measured: the first, the last and an even choice between.",)
    assert len(inputs.find(tmp_path, most=30).files) == 30
    assert run_folder.every(tmp_path) == []


def test_a_loss_of_directions_moves_as_the_squared_distance_over_tr_F(of_run):
    """Eq. 16's edge at decay eta tr F: p_- of the finding is that of the scaled decay; details say so."""
    from lindyn.bridge.measure.measuring import measure

    pieces = read_checkpoint(FIXTURES / "lindyn" / "direct_pred" / "step=00000030.ckpt")
    measured = measure(
        from_images(pieces, "auto", limit=600), pieces.predictor, pieces.projector, pieces.target_projector,
        lambda *_: None,
    )  # fmt: skip
    rates = Rates(1.0, 0.01, 1e-3, 1e-3, 0.1, "ema")
    plain, scaled = (
        {f.law: f for f in findings(measured, KnownRun.of(replace(describe(settings), rates=rates), measured))}
        for settings in (Settings.of({"method.loss": loss}, "here") for loss in ("l2", "cosine"))
    )
    trace = float(np.trace(measured.F))
    assert trace > 1.5 and describe(Settings()).loss.gain(measured.F) == pytest.approx(1 / trace)
    edges = [found["boundary"].details for found in (plain, scaled)]
    critical = edges[0]["eta_critical"]
    assert np.array_equal(critical, edges[1]["eta_critical"])
    living = [np.isfinite(edge["p_minus"]) for edge in edges]
    assert np.array_equal(living[0], critical >= 1e-3) and np.array_equal(living[1], 1e-3 * trace <= critical)
    for edge, eta in zip(edges, (1e-3, 1e-3 * trace), strict=True):
        x_v = eta / (edge["p_minus"] * edge["p_plus"])  # p_- p_+ = eta / (x + x')
        assert np.nanmax(np.abs(edge["p_minus"] + edge["p_plus"] - np.sqrt(4 * critical / x_v))) < 1e-9
    assert "tr F" in scaled["boundary"].reason and "tr F" not in plain["boundary"].reason


def test_modes_of_a_reading_are_in_the_flows_variables(of_run):
    """x s + x' s of the modes is g k s = g s_F: in the flow's variables F of the network over its trace comes back."""
    modes = of_run.modes
    share = (modes.x + modes.x_aug) * modes.s
    first = validate(RUN / "step=00000000.ckpt", samples=600).diagnosis
    assert np.allclose(share, first.s[: len(share)] / first.trace_F, rtol=1e-4)
    assert counterfactuals.modes_of_run([], describe(of_run.pieces.settings)) is None


def test_the_linear_models_own_run_is_described(tmp_path):
    """The paper's network: the theory beside it is a few per cent off, and modes start where they are aligned."""
    from lindyn.bridge import train

    run = train(
        data__name="gaussian", run__epochs=20, run__folder=str(tmp_path / "run"), run__progress=False, run__threads=1,
        run__checkpoint_every=5, optim__lr=0.05,
    )  # fmt: skip
    answer = validate(run.folder)
    over = answer.over_training
    assert over.reason.startswith("Lemma 1 on the weights from the first checkpoint with the run's own X and X'")
    assert np.max(over.error["s"]) < 0.06 and np.max(over.error["p"][1:]) < 0.06
    assert answer.modes.words.startswith("the first aligned checkpoint (step ")
    other = validate(list(run.checkpoints))
    assert np.allclose(other.over_training.measured["s"], over.measured["s"])
    assert other.modes.words == answer.modes.words


def test_tau_of_modes_that_were_not_measured_is_not_known():
    from types import SimpleNamespace

    from lindyn.bridge.run import start

    assert np.array_equal(start.tau_of(SimpleNamespace(tau=None), 2), [np.nan, np.nan], equal_nan=True)
    assert np.array_equal(start.tau_of(SimpleNamespace(tau=np.ones(2)), 3), [1, 1, np.nan], equal_nan=True)
