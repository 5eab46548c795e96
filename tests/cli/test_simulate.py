"""`lindyn simulate`: what it writes, what it says, and what it answers to a user's mistakes."""

import subprocess
import sys
import tomllib

import numpy as np
import pytest
import xarray

import lindyn as ld
from lindyn.cli import main
from lindyn.commands import simulate_options


@pytest.mark.rendered
def test_without_arguments_runs_something_useful(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("simulate")
    assert code == 0 and err == ""
    assert "reached the end, t = 100" in out and "Theorem 1" in out
    folder = tmp_path / "lindyn-out" / "simulate"
    assert (folder / "trajectory.png").stat().st_size > 10_000
    with xarray.open_dataset(folder / "trajectory.nc", engine="scipy") as data:
        assert data.W.dims == ("t", "n2", "n1") and data.W.shape == (201, 8, 16)


@pytest.mark.parametrize("system", simulate_options.SYSTEMS)
def test_every_system_runs_and_its_file_repeats_the_run(system, tmp_path, command):
    first, again = tmp_path / "first", tmp_path / "again"
    code, out, _ = command("simulate", "--system", system, "--t1", "5", "--eta", "0.1", "--out", str(first))
    assert code == 0 and "reached the end, t = 5" in out
    code, _, _ = command("simulate", "--config", str(first / "run.toml"), "--out", str(again))
    assert code == 0
    one, two = ld.load(first / "trajectory.nc"), ld.load(again / "trajectory.nc")
    for name, block in one.states.blocks().items():
        np.testing.assert_array_equal(block, two.states.blocks()[name])
    assert one.flow.hp.eta == 0.1


def test_flags_override_the_file_and_the_file_overrides_the_defaults(tmp_path, command):
    file = tmp_path / "run.toml"
    file.write_text('system = "modes"\n[hyperparameters]\neta = 0.2\nbeta = 1.5\n[solve]\nt1 = 3\n')
    code, _, _ = command("simulate", "--config", str(file), "--eta", "0.1", "--out", str(tmp_path / "o"))
    run_made = ld.load(tmp_path / "o" / "trajectory.nc")
    assert code == 0
    assert (run_made.flow.hp.eta, run_made.flow.hp.beta, run_made.flow.hp.alpha_p) == (0.1, 1.5, 1.0)
    assert run_made.ts[-1] == 3.0


def test_the_verdict_follows_the_critical_decay(tmp_path, command):
    _, out, _ = command("simulate", "--eta", "0.3", "--out", str(tmp_path / "one"))
    assert "above the critical decay" in out and "collapsed" in out
    _, out, _ = command("simulate", "--eta", "0.05", "--out", str(tmp_path / "two"))
    assert "below the critical decay" in out and "modes above" in out


def test_x_and_x_aug_from_files(tmp_path, command):
    np.save(tmp_path / "X.npy", np.diag([1.0, 0.5, 0.2]))
    np.save(tmp_path / "Xa.npy", 0.1 * np.eye(3))
    flags = ("--X", str(tmp_path / "X.npy"), "--X-aug-file", str(tmp_path / "Xa.npy"), "--n2", "2", "--t1", "2")
    code, _, _ = command("simulate", *flags, "--out", str(tmp_path / "o"))
    assert code == 0
    np.testing.assert_array_equal(np.diag(ld.load(tmp_path / "o" / "trajectory.nc").flow.data.X), [1.0, 0.5, 0.2])


def test_finite_steps_and_minibatches(tmp_path, command):
    flags = ("--learning-rate", "0.05", "--momentum", "0.5", "--batch", "16", "--t1", "2")
    code, out, _ = command("simulate", *flags, "--out", str(tmp_path))
    assert code == 0 and "20 steps of 0.1, descent" in out
    assert (
        (tmp_path / "run.toml")
        .read_text()
        .startswith("# t1 is flow time: learning rate x steps / (1 - momentum) = 0.1 x steps here\n")
    )
    assert len(ld.load(tmp_path / "trajectory.nc")) == 21 and ld.load(tmp_path / "trajectory.nc").t1 == 2.0
    code, _, err = command("simulate", "--learning-rate", "0.05", "--t1", "-5", "--out", str(tmp_path / "o"))
    assert code == 2 and "t1 must be finite and > 0; got -5" in err


def test_a_run_that_blows_up_keeps_what_was_computed(tmp_path, command):
    flags = ("--learning-rate", "5", "--beta", "0.01", "--t1", "200")
    code, out, _ = command("simulate", *flags, "--out", str(tmp_path))
    assert code == 1
    assert "blew up: not finite past t =" in out and "asked for t = 200" in out
    kept = ld.load(tmp_path / "trajectory.nc")
    assert len(kept) > 1 and np.all(np.isfinite(kept.states.W)) and not kept.succeeded
    assert (tmp_path / "trajectory.png").exists()


def test_a_run_that_does_not_reach_its_end_says_where(tmp_path, command):
    code, out, _ = command("simulate", "--max-steps", "20", "--out", str(tmp_path))
    assert code == 1 and "short of t = 100: the step limit was reached" in out
    assert ld.load(tmp_path / "trajectory.nc").ts[-1] < 100


TOML_MISTAKES = {
    "[hyperparameters]\netta = 0.1\n": r"unknown key 'etta' in \[hyperparameters\]\. Did you mean 'eta'\?",
    "[hyperparamters]\neta = 0.1\n": r"unknown section \[hyperparamters\]\. Did you mean 'hyperparameters'\?",
    "[solve]\neta = 0.1\n": r"unknown key 'eta' in \[solve\]",
    "eta = 0.1\n": r"unknown key 'eta' outside any section\. It belongs in \[hyperparameters\]",
    '[hyperparameters]\neta = "much"\n': r"eta \(--eta\) must be a number; got 'much'",
    "[hyperparameters]\neta = true\n": r"must be a number; got True",
    "[solve]\nt1 = nan\n": r"t1 must be finite",
    "[state]\nn2 = 0\n": r"n2 must be a whole number >= 1; got 0",
    '[data]\nX = "a.npy"\n': r"Cannot read a.npy: .*no such file",
    "[data\n": r"is not TOML",
    "[data]\nx = [1, 2, 3]\nx_aug = [1, 2]\n": r"x_aug must hold 1 or 3 numbers; got 2",
}


@pytest.mark.parametrize("text", TOML_MISTAKES)
def test_mistakes_in_a_file_get_one_sentence(text, tmp_path, command):
    file = tmp_path / "run.toml"
    file.write_text(text)
    code, out, err = command("simulate", "--config", str(file), "--out", str(tmp_path / "o"))
    assert code == 2 and out == ""
    assert err.startswith("lindyn: error: ") and err.count("\n") == 1
    import re

    assert re.search(TOML_MISTAKES[text], err), err


FLAG_MISTAKES = {
    ("--p", "0.3"): "system='weights' has no p. Leave it out.",
    ("--system", "modes", "--n2", "7"): "system='modes' has no n2. Leave it out.",
    ("--batch", "32"): "batch needs --learning-rate: the flow has no finite steps.",
    ("--remove-grey",): "remove_grey needs --images.",
    ("--n1", "16", "--x", "1,2,3"): "n1 must be the number of eigenvalues given, 3; got 16.",
    ("--rtol", "1"): "rtol must be at most 0.01; got 1.",
    ("--seed", "-1"): "seed must be a whole number >= 0; got -1.",
    ("--system", "mode"): "got 'mode'. Did you mean 'modes'?",
    ("--sytem", "modes"): "Did you mean --system?",
    ("--eta", "-1"): "eta must be finite and >= 0; got -1.",
    ("--eta", "nan"): "eta must be finite and >= 0; got nan.",
    ("--sigma2", "-0.1"): "sigma2 must be finite and >= 0; got -0.1. It is a variance.",
    ("--target", "onlin"): "got 'onlin'. Did you mean 'online'?",
    ("--no-stop-gradient",): "stop_gradient=False needs target='online'; got target='ema'",
    ("--system", "gram", "--tau", "constant"): "system='gram' has no choice of tau",
    ("--system", "correlation", "--x", "1,2"): "needs isotropic data",
    ("--learning-rate", "3", "--beta", "0.4"): "must be at most 1",
    ("--learning-rate", "0.1", "--momentum", "1"): "momentum must be below 1; got 1.",
    ("--points", "1"): "points must be at least 2; got 1.",
    ("--config", "nowhere.toml"): "Cannot read the configuration nowhere.toml",
    ("--images", "digits", "--sigma2", "0.1"): "it has no sigma2. Leave it out.",
    ("--X", "nowhere.npy", "--X-aug-file", "nowhere.npy"): "Cannot read nowhere.npy: it must be an .npy file",
}


@pytest.mark.parametrize("flags", FLAG_MISTAKES)
def test_mistakes_in_flags_get_one_sentence(flags, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("simulate", *flags)
    assert code == 2 and out == ""
    assert "Traceback" not in err and err.count("\n") == 1
    assert FLAG_MISTAKES[flags] in err, err


def test_an_output_folder_that_is_a_file(tmp_path, command):
    (tmp_path / "taken").write_text("here before")
    code, _, err = command("simulate", "--out", str(tmp_path / "taken" / "deeper"))
    assert code == 2 and "Cannot make the output folder" in err
    assert (tmp_path / "taken").read_text() == "here before"


def test_digits_end_to_end(tmp_path, command):
    code, out, err = command("simulate", "--images", "digits", "--eta", "0.02", "--n2", "8", "--out", str(tmp_path))
    assert code == 0, err
    assert "commut" in out
    for name in ("trajectory.nc", "survival.png", "summary.txt", "run.toml"):
        assert (tmp_path / name).stat().st_size > 0
    kept = tomllib.loads((tmp_path / "run.toml").read_text())
    assert kept["images"]["images"] == ["digits"] and kept["hyperparameters"]["eta"] == 0.02
    code, _, err = command("simulate", "--config", str(tmp_path / "run.toml"), "--out", str(tmp_path / "again"))
    assert code == 0, err
    one, two = ld.load(tmp_path / "trajectory.nc"), ld.load(tmp_path / "again" / "trajectory.nc")
    np.testing.assert_array_equal(one.ts, two.ts)
    np.testing.assert_array_equal(one.states.W, two.states.W)


def test_a_collapse_to_the_smallest_numbers_is_no_singularity(tmp_path, command):
    flags = ("--target", "online", "--no-stop-gradient", "--eta", "0", "--t1", "2000")
    code, out, _ = command("simulate", *flags, "--out", str(tmp_path))
    assert code == 0 and "reached the end, t = 2000" in out and "collapsed" in out


def test_no_picture_of_another_run_is_left_beside_the_numbers(tmp_path, command):
    (tmp_path / "survival.png").write_text("of a run on images")
    command("simulate", "--t1", "1", "--out", str(tmp_path), "--overwrite")
    assert (tmp_path / "trajectory.png").exists() and not (tmp_path / "survival.png").exists()


def test_help_loads_nothing_heavy():
    script = "import sys; from lindyn.cli import main\ntry: main(['simulate', '--help'])\nexcept SystemExit: pass\n"
    script += "print(sorted({'numpy', 'scipy', 'jax', 'torch', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    for flag in ("--alpha-p", "--eta", "--images", "--config", "--target"):
        assert flag in done.stdout


def test_systems_and_predictors_can_be_listed(command):
    from lindyn.flows import choices, registry
    from lindyn.predictors import PRESETS, RULES

    code, out, _ = command("simulate", "--predictor", "list")
    assert code == 0 and out.split() == [*choices.PREDICTORS, *RULES, *PRESETS]
    code, out, _ = command("simulate", "--system", "list")
    assert code == 0 and out.split() == list(registry.names()) and set(out.split()) >= set(simulate_options.SYSTEMS)


@pytest.mark.parametrize(
    "flags",
    [
        ["--predictor", "paper", "--rule", "eps=0.2,freq=3", "--n1", "5", "--n2", "3"],
        ["--predictor", "direct_set", "--rule", "power=0.25", "--system", "modes"],
        ["--predictor", "newton_schulz", "--system", "gram", "--statistics", "weights", "--n1", "5", "--n2", "3"],
        ["--predictor", "linear_regression", "--system", "correlation", "--n1", "5", "--n2", "3"],
        ["--predictor", "stiefel", "--system", "mode_weights"],
    ],
    ids=lambda flags: flags[1],
)
def test_closed_form_predictors_run_and_repeat(flags, tmp_path):
    first, second = (str(tmp_path / name) for name in ("first", "second"))
    assert main(["simulate", *flags, "--t1", "5", "--out", first]) == 0
    assert main(["simulate", "--config", f"{first}/run.toml", "--out", second]) == 0
    one, two = (ld.load(f"{folder}/trajectory.nc") for folder in (first, second))
    assert one.flow.predictor == two.flow.predictor and one.flow.predictor.rule.name in str(one.flow)
    for name in one.states._fields():
        assert np.array_equal(getattr(one.states, name), getattr(two.states, name))


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--predictor", "direct_pre"], "got 'direct_pre'. Did you mean 'direct_pred'?"),
        (["--rule", "eps=1"], "rule='eps=1' changes a closed-form predictor; got predictor='trained'. Name its rule."),
        (["--predictor", "visser", "--rule", "steps"], "rule must be name=value pairs, e.g. eps=0.01,rho=0.3; got"),
        (["--predictor", "visser", "--rule", "stepps=3"], "Did you mean 'steps'?"),
        (["--statistics", "weights"], "is what a closed-form predictor sees; got predictor='trained'"),
        (["--predictor", "paper", "--system", "parabola"], "system='parabola' has no choice of predictor"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_closed_form_predictors_that_are_refused(flags, text, tmp_path, command):
    code, _, err = command("simulate", *flags, "--out", str(tmp_path))
    assert code == 2 and text in err
