"""`lindyn.verify`: what holds, what fails, what does not apply, and trajectories made elsewhere."""

import argparse
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.commands import prove as prove_command
from lindyn.commands import verify as verify_command

HP = ld.Hyperparameters(1.5, 0.4, 0.05)
DATA = ld.Moments.isotropic(6, 0.2)


def run(flow, y0, t1: float | None = 20.0, **how):
    return ld.simulate(flow, y0, t1=t1, engine="scipy", **how)


@pytest.fixture(scope="module")
def weights():
    return run(ld.WeightFlow(HP, DATA), ld.WeightState.random(4, 6))


def arrays(traj):
    states = traj.states
    return {"t": traj.ts, "W": states.W, "W_p": states.W_p, "W_a": states.W_a, "X": DATA.X, "X_aug": DATA.X_aug} | {
        "alpha_p": 1.5, "beta": 0.4, "eta": 0.05,
    }  # fmt: skip


def test_full_flow(weights):
    found = ld.verify(weights)
    assert found.holds
    assert found.row("tian.theorem_1").verdict == "holds" and found.row("tian.theorem_1").worst < 1e-8
    assert found.row("tian.lemma_1").verdict == "holds"
    assert found.row("assumption_1").verdict == "premise not fulfilled"
    for name in ("tian.theorem_2", "tian.theorem_3", "tian.critical_decay"):
        assert found.row(name).verdict == "not applicable" and found.row(name).reason


def test_theorem_2_bound_and_sharpness():
    flow = ld.WeightFlow(HP, DATA, target="online", stop_gradient=False)
    row = ld.verify(run(flow, ld.WeightState.random(4, 6))).row("tian.theorem_2")
    assert row.verdict == "holds" and row.premise_share == 1.0 and 0.1 < row.median_sharpness <= 1.0
    assert np.all(row.actual[1:] <= row.bound[1:] * (1 + 1e-6))


def test_symmetrised_flow_swaps_theorem_1_for_the_trace_law():
    flow = ld.CorrelationFlow(HP, sigma2=0.2, symmetrised=True)
    found = ld.verify(run(flow, ld.CorrelationState.random(4)))
    assert found.row("tian.theorem_1").verdict == "not applicable"
    for name in ("beyond.symmetrised_balance", "tian.theorem_3 (identity)", "tian.theorem_3", "tian.theorem_3_sharp"):
        assert found.row(name).verdict == "holds", found.row(name).as_text()
    assert (
        found.row("tian.theorem_3").median_sharpness <= found.row("tian.theorem_3_sharp").median_sharpness <= 1 + 1e-3
    )


def test_modes():
    found = ld.verify(run(ld.ModeFlow(HP), ld.ModeState(p=[0.3, 0.5], s=[0.2, 0.1], tau=1.0), t1=400.0))
    for name in ("tian.integral_of_motion", "tian.fixed_points", "tian.eq_17_pairs"):
        assert found.row(name).verdict == "holds", found.row(name).as_text()
    above = ld.verify(run(ld.ModeFlow(ld.Hyperparameters(1, 0.4, 0.3), tau="constant"), ld.ModeState(0.3, 0.2, 1.0)))
    assert above.row("tian.critical_decay").verdict == "holds"


def test_unequal_decays_are_not_applicable_never_holding():
    hp = ld.Hyperparameters(1.0, 0.4, eta_p=0.1, eta_s=0.02)
    row = ld.verify(run(ld.WeightFlow(hp, DATA), ld.WeightState.random(4, 6))).row("tian.theorem_1")
    assert row.verdict == "not applicable" and "eta_p = eta_s" in row.reason


def test_a_finite_step_run_holds_to_its_step():
    traj = ld.descend(ld.WeightFlow(HP, DATA), ld.WeightState.random(4, 6), learning_rate=0.005, steps=2000)
    row = ld.verify(traj).row("tian.theorem_1")
    assert row.verdict == "holds" and 1e-8 < row.worst < row.tolerance


def test_a_trajectory_made_elsewhere(weights, tmp_path):
    path = tmp_path / "run.npz"
    np.savez(path, **arrays(weights))
    assert ld.verify(path).row("tian.theorem_1").verdict == "holds"
    assert ld.verify(arrays(weights)).holds
    saved = weights.save(tmp_path / "run.nc")
    assert ld.verify(saved).row("tian.theorem_1").verdict == "holds"


def test_wrong_rates_are_found_out(weights):
    found = ld.verify(arrays(weights) | {"eta": 0.2})
    assert not found.holds
    assert found.row("tian.theorem_1").verdict == "fails" and found.row("tian.lemma_1").verdict == "fails"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("W_p"), "has no W_p"),
        (lambda a: a.update(W=a["W"][:5]), "times as first axis"),
        (lambda a: a.update(W_a=a["W_a"][:, :, :3]), "W_a must have shape"),
        (lambda a: a.update(W=np.where(a["W"] == a["W"].max(), np.nan, a["W"])), "W must be finite"),
        (lambda a: a.update(t=a["t"][::-1].copy()), "t must"),
        (lambda a: a.pop("beta"), "rates are not known: beta"),
        (lambda a: a.pop("X"), "moments are not known: X"),
    ],
)
def test_bad_trajectories_are_refused_in_one_sentence(weights, change, message):
    given = arrays(weights)
    change(given)
    with pytest.raises(ValueError, match=message):
        ld.verify(given)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="there is no such file"):
        ld.verify(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(ValueError, match="Cannot read"):
        ld.verify(tmp_path / "text.npz")
    with pytest.raises(ValueError, match="Did you mean 'tian"):
        ld.verify(run(ld.WeightFlow(HP, DATA), ld.WeightState.random(2, 6), t1=1.0)).row("tian.theorem_11")


def parse(module, *argv):
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    return parser.parse_args(list(argv))


def test_verify_command(weights, tmp_path, capsys):
    path = tmp_path / "run.npz"
    np.savez(path, **{name: value for name, value in arrays(weights).items() if name != "eta"})
    args = parse(verify_command, "verify", str(path), "--eta", "0.05")
    assert verify_command.run(args) == 0
    assert "tian.theorem_1" in capsys.readouterr().out
    assert (tmp_path / "run-verified.png").stat().st_size > 5_000


def test_prove_command(tmp_path, capsys):
    assert prove_command.run(parse(prove_command, "prove", "tian.theorem_1", "--damaged")) == 0
    out = capsys.readouterr().out
    assert "proved" in out and "6 of 6 damaged statements rejected" in out
    latex = tmp_path / "proofs.tex"
    assert prove_command.run(parse(prove_command, "prove", "--latex", str(latex))) == 0
    assert latex.read_text().count(r"\subsection*") > 40
    with pytest.raises(ValueError, match="does not exist"):
        prove_command.run(parse(prove_command, "prove", "--latex", str(tmp_path / "no" / "x.tex")))


@pytest.fixture(scope="module")
def coarse():
    """A run whose 21 times are too few for the integral of the rates."""
    return run(ld.WeightFlow(HP, DATA), ld.WeightState.random(4, 6), ts=np.linspace(0, 60, 21), t1=None)


def test_a_run_saved_too_coarsely_is_integrated_again(coarse, tmp_path):
    for one in (coarse, ld.load(coarse.save(tmp_path / "run.nc")), arrays(coarse)):
        found = ld.verify(one)
        row = found.row("tian.lemma_1")
        assert row.verdict == "holds" and row.tolerance < 1e-2 and found.told and "Integrated again" in found.note
        assert len(found.ts) == 21 == len(row.residual)
    few = ld.verify(run(ld.WeightFlow(HP, DATA), ld.WeightState.random(4, 6), ts=[0.0, 1.0, 9.0], t1=None))
    assert few.row("tian.lemma_1").verdict == "holds"


def test_what_does_not_follow_fails_between_coarse_times_too(coarse):
    """A state that is moved, and a wrong rate, are found out though the times alone could not have told."""
    moved = arrays(coarse)
    moved["W"] = np.array(moved["W"])
    moved["W"][10] *= 1.2
    assert ld.verify(moved).row("tian.lemma_1").verdict == "fails"
    assert ld.verify(arrays(coarse) | {"beta": 0.8}).row("tian.lemma_1").verdict == "fails"


def test_what_cannot_be_told_is_a_word_of_its_own(tmp_path, capsys):
    steps = ld.descend(ld.WeightFlow(HP, DATA), ld.WeightState.random(4, 6), learning_rate=0.05, momentum=0.9, steps=60)
    found = ld.verify(steps)
    row = found.row("tian.lemma_1")
    assert row.verdict == "could not tell" and "finite steps are too long" in row.reason
    assert found.row("tian.theorem_1").verdict == "could not tell"  # a tolerance of 10 says nothing
    assert found.holds and not found.told and "4 could not tell" in str(found)
    path, numbers = steps.save(tmp_path / "run.nc"), tmp_path / "found.json"
    assert verify_command.run(parse(verify_command, "verify", str(path), "--json", str(numbers))) == 3
    assert "could not tell         tian.lemma_1" in capsys.readouterr().out
    told = json.loads(numbers.read_text())
    verdicts = {one["statement"]: one["verdict"] for one in told["statements"]}
    assert verdicts["tian.lemma_1"] == "could not tell" and told["holds"] and not told["told"]
    panels = Figure().subplots(1, 2)
    found.draw(panels)
    assert any("could not tell" in line.get_label() for line in panels[0].lines)


def test_the_lag_of_finite_steps_counts_their_momentum():
    """v settles over 1/(1 - m) steps: the descent lags by step m/(1 - m), and the limit must not be shorter."""
    flow, y0 = ld.WeightFlow(HP, DATA), ld.WeightState.random(4, 6)
    kept = [ld.verify(ld.descend(flow, y0, learning_rate=1e-3 * (1 - m), momentum=m, steps=4000)) for m in (0.0, 0.9)]
    limits = [found.row("tian.lemma_1").tolerance for found in kept]
    assert limits[0] == pytest.approx(2e-3, rel=0.5) and limits[1] == pytest.approx(2e-2, rel=0.5)
    assert all(found.row("tian.lemma_1").worst < limit for found, limit in zip(kept, limits, strict=True))


def test_what_is_no_run_is_named():
    with pytest.raises(ValueError, match="run must be a Trajectory, a file of one, or arrays by name; got int"):
        ld.verify(3)
