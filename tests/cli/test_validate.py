"""`lindyn validate`: what it prints, writes and refuses."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lindyn.cli import parser
from lindyn.commands.validate import split_words
from tests.bridge.validation.test_page import read

FIXTURES = Path(__file__).parents[1] / "bridge" / "validation" / "fixtures"
RUN, OTHER = FIXTURES / "lindyn" / "linear", FIXTURES / "lindyn" / "direct_pred"
SOLO = FIXTURES / "solo_learn" / "byol-x1-ep=5.ckpt"


@pytest.mark.rendered
def test_a_run_gives_one_screen_and_the_whole_report(command, tmp_path):
    out = tmp_path / "report"
    code, text, _ = command("validate", str(RUN), "--samples", "600", "--out", str(out))
    assert code == 0
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 100
    assert "4 checkpoints" in text and "Laws of the theory" in text and "alpha_p 2" in text
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["lindyn_validation"] == 2 and report["read"]["step"] == 30
    page = (out / "report.html").read_text(encoding="utf-8")
    assert report["headline"] in " ".join("".join(read(page).text).split())
    figures = {path.name for path in (out / "figures").iterdir()}
    assert {"spectra.png", "alignment.png", "over_training.png", "findings.png"} <= figures
    assert page.count("data:image/png") == len(figures)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_foreign_checkpoint_loads_neither_lightning_nor_jax(tmp_path):
    """They would be half of the time of the command."""
    words = ["validate", str(SOLO), "--out", str(tmp_path / "report")]
    script = f"import sys, lindyn.cli; assert lindyn.cli.main({words!r}) == 0; print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[0] for name in ast.literal_eval(said.splitlines()[-1])}
    assert "torch" in loaded and not {"pytorch_lightning", "lightning_fabric", "torchvision", "jax"} & loaded


def test_every_layout_by_its_own_file(command, tmp_path):
    """One file a layout: the command answers each by its weights, or says what is missing."""
    files = [
        "lightly/teacher.ckpt", "solo_learn_old/byol-x0-ep=5.ckpt", "simsiam/checkpoint_0005.pth.tar",
        "luckmatters/linear/model_006.pth", "mmpretrain/epoch_6.pth", "stable_pretraining.ckpt", "byol_pytorch/byol.pt",
        "implicit_var_reg/dp-x3-ep=5.ckpt", "sthalles/checkpoints/model.pth", "lightly/linear.safetensors",
    ]  # fmt: skip
    bare = ["byol_pytorch/checkpoint.0.pt", "miszkur/pre_trained_encoder.h5"]
    layouts = set()
    for file in [*files, *bare]:
        images = ["--images", "digits", "--samples", "300"] if file in bare else []
        assert command("validate", FIXTURES / file, *images, "--out", tmp_path, "--overwrite")[0] == 0, file
        layouts.add(json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["read"]["layout"])
    assert len(layouts) == 11
    code, text, _ = command(
        "validate", FIXTURES / "deepmind" / "pretrain.pkl", "--unsafe-pickle", "--out", tmp_path, "--overwrite"
    )
    assert code == 0 and "DeepMind" in text


@pytest.mark.parametrize("file", ["deepmind/pretrain.pkl", "miszkur/pre_trained_encoder.h5"])
def test_networks_of_haiku_and_keras_are_run_on_images(command, tmp_path, file):
    words = ["validate", str(FIXTURES / file), "--images", "digits", "--samples", "300", "--out", str(tmp_path)]
    code, shown, _ = command(*words, "--unsafe-pickle")
    assert code == 0 and "300 images of digits" in shown
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    found = {finding["law"]: finding["verdict"] for finding in report["findings"]}
    assert any(verdict != "not testable" for law, verdict in found.items()), found


def test_two_runs_side_by_side_and_from_their_reports(command, tmp_path):
    code, text, _ = command(
        "validate", "--compare", str(RUN), str(OTHER), "--samples", "600", "--out", str(tmp_path / "ab")
    )
    assert code == 0
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 100
    assert "higher in B" in text and "The predictors differ, linear in A and direct_pred in B" in " ".join(text.split())
    assert "alpha_p                            A 2   B not known" in text and "alpha_p and eta_p do nothing" in text
    assert "faster predictor" not in text and "modes of run" not in text  # neither is anything for a rule
    report = json.loads((tmp_path / "ab" / "report.json").read_text(encoding="utf-8"))
    for side in "ab":
        path = tmp_path / side / "report.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(report[side]), encoding="utf-8")
    words = [str(tmp_path / side / "report.json") for side in "ab"]
    assert command("validate", "--compare", *words, "--out", tmp_path / "again")[0] == 0
    again = json.loads((tmp_path / "again" / "report.json").read_text(encoding="utf-8"))
    for key in ("headline", "laws", "settings", "rates", "theory"):
        assert again[key] == report[key], key


def test_layouts_are_listed(command):
    code, out, _ = command("validate", "--layouts")
    assert code == 0
    assert all(word in out for word in ("solo-learn", "facebookresearch/simsiam", "DeepMind", "mmpretrain", "lightly"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "lindyn validate lindyn-out/train), a trace.jsonl, or --features FILE"),
        (["nothing.ckpt"], "There is no checkpoint or folder nothing.ckpt"),
        ([str(SOLO), "optim.lrr=3"], "Did you mean 'optim.lr'"),
        ([str(SOLO), "optim.lr=abc"], "optim.lr must be a number"),
        ([str(SOLO), "--images", "no/such"], "there is no folder no/such"),
        ([str(SOLO), "--predictor", "nothing"], "nothing"),
        ([str(SOLO), "--layout", "solo"], "layout must be one of"),
        ([str(FIXTURES / "deepmind" / "pretrain.pkl")], "--unsafe-pickle"),
        (["--compare", str(RUN)], "--compare takes two runs, RUN_A and RUN_B; got 1"),
    ],
)
def test_wrong_calls_are_one_sentence_and_write_nothing(command, tmp_path, words, message):
    out = tmp_path / "report"
    code, _, error = command("validate", *words, "--out", str(out))
    assert code == 2
    assert message in error and error.count("\n") == 1 and error.startswith("lindyn: error: ")
    assert list(tmp_path.iterdir()) == []


def test_flags_stand_anywhere_with_their_values():
    args = parser().parse_args(["validate", "a.ckpt", "--out", "DIR", "optim.lr=1", "--device", "cpu", "b.ckpt"])
    assert args.words == ["a.ckpt", "optim.lr=1", "b.ckpt"] and (args.out, args.device) == ("DIR", "cpu")
    args = parser().parse_args(["validate", "--features=x.npz", "a.ckpt", "--target-backbone", "net.b"])
    assert args.features == ["x.npz"] and args.target_backbone == "net.b" and args.words == ["a.ckpt"]
    args = parser().parse_args(["train", "optim.lr=1", "--resume", "run.epochs=2"])
    assert args.words == ["optim.lr=1", "run.epochs=2"] and args.resume


def test_paths_with_an_equals_sign_are_paths(tmp_path):
    shutil.copy(RUN / "step=00000030.ckpt", tmp_path / "step=30")
    words = ["step=00000030.ckpt", str(tmp_path / "step=30"), "run/x=1/last.pth", "ema=0.9", "optim.lr=0.5"]
    paths, keys = split_words(words)
    assert paths == words[:3] and keys == {"method.ema": 0.9, "optim.lr": 0.5}
