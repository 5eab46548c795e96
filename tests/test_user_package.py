"""A flow and a rule of a user's own package, a file each: taken by the command line, engines, files and pictures."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import observables
from lindyn.cli import main
from lindyn.flows import registry
from lindyn.predictors import RULES, Recipe, Rule
from tests.extensions import installed

FLOW = '''
    """The pair (p, s) of a mode whose target is the online network."""

    from dataclasses import dataclass
    from typing import Any

    from lindyn.equations import modes
    from lindyn.flows import Flow, from_settings
    from lindyn.hyperparameters import Hyperparameters
    from lindyn.states import State


    @dataclass(frozen=True, eq=False, repr=False)
    class PairState(State):
        p: Any
        s: Any

        elementwise = True

        def sizes(self, alpha_p):
            return self.s


    @dataclass(frozen=True, eq=False, repr=False)
    class PairFlow(Flow):
        hp: Hyperparameters
        x: Any = 1.0
        x_aug: Any = 0.25
        s: Any = 1.0  # a number of the flow may have the name of a variable

        state_type = PairState
        title = "(p, s) of SimSiam's modes"
        takes = frozenset(("p", "s", "x", "x_aug", "sigma2"))

        @classmethod
        def from_settings(cls, given):
            p, s, _ = from_settings.mode_start(given)
            return cls(from_settings.hyperparameters(given), **from_settings.spectrum(given)), PairState(p, s)

        def __call__(self, t, y, args=None):
            D = modes.drive(y.p, 1.0, self.x, self.x_aug)
            dp = modes.dp(y.p, y.s, D, self.hp.alpha_p, self.hp.eta_p)
            return PairState.rates(p=dp, s=self.s * modes.ds(y.s, modes.growth(y.p, D, self.hp.eta_s)))
'''
RULE = '''
    """W_p = c F."""

    from lindyn.predictors import closed_form_rule


    @closed_form_rule()
    def scaled(F, *, c: float = 0.5):
        return c * F
'''
FILES = {"my_package/__init__.py": "", "my_package/pair.py": FLOW, "my_package/scaled.py": RULE}
POINTS = {"lindyn.flows": {"pair": "my_package.pair"}, "lindyn.rules": {"scaled": "my_package.scaled"}}
MODES = ("--p", "0.4,0.3", "--s", "0.2,0.1", "--t1", "5", "--eta", "0.02")


@pytest.fixture
def package(tmp_path):
    with installed(tmp_path / "site", FILES, POINTS, name="my-package"):
        yield
    RULES.defined.pop("scaled", None)


@pytest.mark.parametrize("engine", ["scipy", "diffrax"])
def test_a_flow_runs_from_the_command_line_and_is_saved_loaded_and_drawn(package, engine, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["simulate", "--system", "pair", *MODES, "--engine", engine, "--verify", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "PairFlow" in told and "reached the end, t = 5" in told and "2 of 2 modes" in told
    assert (out / "trajectory.png").stat().st_size > 10_000
    run = ld.load(out / "trajectory.nc")
    assert type(run.flow) is registry.flow_class("pair") and run.flow.s == 1.0 and run.states.s.shape == (201, 2)
    hp = ld.Hyperparameters(eta=0.02)
    want = ld.simulate(ld.ModeFlow(hp, target="online"), ld.ModeState([0.4, 0.3], [0.2, 0.1]), run.ts, engine="scipy")
    np.testing.assert_allclose(run.states.s, want.states.s, rtol=1e-8)
    np.testing.assert_allclose(observables.collapse(run), observables.collapse(want), rtol=1e-8)
    assert main(["simulate", "--config", str(out / "run.toml"), "--out", str(tmp_path / "again")]) == 0
    np.testing.assert_array_equal(ld.load(tmp_path / "again" / "trajectory.nc").states.p, run.states.p)


def test_its_settings_are_checked_and_its_name_is_listed(package, tmp_path, capsys):
    assert main(["simulate", "--system", "pair", "--n1", "3", "--out", str(tmp_path)]) == 2
    assert "system='pair' has no n1" in capsys.readouterr().err
    assert main(["simulate", "--system", "pairs", "--out", str(tmp_path)]) == 2
    assert "Did you mean 'pair'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "--system also takes, of other packages: pair" in told
    assert "--predictor also takes, of other packages: scaled" in told
    assert main(["simulate", "--system", "list"]) == 0 and "pair" in capsys.readouterr().out.split()


def test_a_descent_of_it_is_refused_in_words(package):
    flow = registry.flow_class("pair")
    y0 = flow.state_type([0.4], [0.2])
    with pytest.raises(ValueError, match="descend trains weights: give a WeightFlow or ModeWeightFlow; got PairFlow"):
        ld.descend(flow(ld.Hyperparameters()), y0)


def test_a_rule_is_taken_wherever_rules_are(package, tmp_path, capsys):
    argv = ["simulate", "--predictor", "scaled", "--rule", "c=0.3", "--statistics", "weights", "--t1", "2"]
    assert main([*argv, "--out", str(tmp_path)]) == 0
    run = ld.load(tmp_path / "trajectory.nc")
    assert run.flow.predictor == Recipe.of("scaled", c=0.3)
    np.testing.assert_allclose(run.states.W_p[-1], 0.3 * run.states.W[-1] @ run.states.W[-1].T, rtol=1e-10)
    assert "scaled" in RULES and ld.predictors.scaled(np.eye(2)).tolist() == (0.5 * np.eye(2)).tolist()


def test_its_rule_is_a_layer_of_torch(package):
    torch = pytest.importorskip("torch")
    layer = ld.bridge.ClosedFormPredictor(3, rule="scaled", c=2.0)
    z = torch.randn(50, 3)
    layer.train()
    layer(z)
    torch.testing.assert_close(layer.W_p.detach(), 2.0 * z.T @ z / 50, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("files", "points", "fault"),
    [
        ({"my_package.py": "1 / 0"}, {"lindyn.flows": {"bad": "my_package"}}, "ZeroDivisionError"),
        ({"my_package.py": "A = 1"}, {"lindyn.flows": {"bad": "my_package"}}, "holds no flow"),
    ],
)
def test_a_package_at_fault_costs_one_sentence_and_the_rest_goes_on(files, points, fault, tmp_path, capsys):
    with installed(tmp_path / "site", files, points):
        assert main(["simulate", "--system", "bad", "--out", str(tmp_path)]) == 2
        told = capsys.readouterr().err
        assert "The package my_pkg is at fault" in told and fault in told
        assert main(["simulate", "--system", "modes", "--t1", "1", "--out", str(tmp_path)]) == 0
        assert main(["simulate", "--system", "list"]) == 0 and "my_pkg is at fault" in capsys.readouterr().err


def test_names_that_are_taken_are_left_out(tmp_path):
    flow = FLOW.replace("class PairFlow", "class ModeFlow")
    rule = RULE.replace("def scaled", "def direct_pred")
    files = {"a.py": FLOW, "b.py": flow, "c.py": rule}
    points = {"lindyn.flows": {"weights": "a", "twin": "b"}, "lindyn.rules": {"c": "c"}}
    with installed(tmp_path / "site", files, points):
        found, notes = registry.added()
        assert not found and registry.flow_class("weights") is ld.WeightFlow
        assert "its flow 'weights' has the name of one of lindyn" in " ".join(notes)
        assert "The flow 'twin' of b is left out: another has its class name ModeFlow." in notes
        (note,) = RULES.added()
        assert "my_pkg is at fault" in note and "'direct_pred' is defined already" in note
        with pytest.raises(ValueError, match=r"rule must be one of 'neumann'.* The package my_pkg is at fault"):
            Rule.of("nothing")
        assert RULES["direct_pred"].core.__module__ == "lindyn.predictors.spectral"
