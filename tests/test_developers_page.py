"""The package of docs/developers.md as a user would install it: one file each for a law, a layout, a rule, a flow."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lindyn as ld
from lindyn.cli import main
from tests.extensions import installed

PAGE = Path(__file__).parents[1] / "docs" / "developers.md"
D = 12


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Put the package of the page on sys.path, with the entry points of its pyproject.toml."""
    text = PAGE.read_text(encoding="utf-8")
    files = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    points = tomllib.loads(files.pop("pyproject.toml"))["project"]["entry-points"]
    assert set(points) == {"lindyn.laws", "lindyn.layouts", "lindyn.rules", "lindyn.flows"} and len(files) == 4
    with installed(tmp_path_factory.mktemp("site"), {"my_theory/__init__.py": ""} | files, points, "my-theory"):
        yield


def test_its_flow_is_run_drawn_saved_and_loaded(package, tmp_path):
    words = ["simulate", "--system", "no_predictor", "--s", "0.25,0.09", "--x-aug", "0.5", "--eta", "0.1", "--t1", "4"]
    for engine in ("scipy", "diffrax"):
        out = tmp_path / engine
        assert main([*words, "--engine", engine, "--out", str(out)]) == 0
        run = ld.load(out / "trajectory.nc")
        w = np.array([0.5, 0.3]) * np.exp(-0.6 * run.ts)[:, None]
        np.testing.assert_allclose(run.states.w, w, rtol=1e-9)
        assert next(out.glob("*.png")).stat().st_size > 5000
        assert main(["simulate", "--config", str(out / "run.toml"), "--out", str(tmp_path / f"{engine} again")]) == 0


def test_a_picture_of_one_curve_has_one_panel_with_its_axes(package):
    from lindyn.flows import registry
    from lindyn.plotting.trajectory_picture import draw

    flow = registry.flow_class("no_predictor")
    run = ld.simulate(flow(ld.Hyperparameters()), flow.state_type([0.5, 0.3]), t1=2.0, engine="scipy")
    figure = draw(run)
    (panel,) = figure.axes
    assert "flow time" in panel.get_xlabel() and panel.get_ylabel() == "$w_j$" and len(panel.lines) == 2
    assert any(label.get_visible() for label in panel.get_xticklabels())
    told = " ".join(text.get_text() for text in figure.texts)
    assert "target" not in told and r"\beta" not in told and r"\eta" in told  # it has none, and no EMA rate


def test_a_system_that_is_not_there_leaves_no_folder(tmp_path):
    assert main(["simulate", "--system", "nosuch", "--out", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()


def test_its_flow_and_its_rule_are_offered(package, capsys):
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    told = capsys.readouterr().out
    assert "no_predictor" in told and "trace_copy" in told


def test_its_rule_is_one_of_the_rules(package, tmp_path):
    from lindyn.bridge import ClosedFormPredictor

    F = np.diag([3.0, 1.0])
    wanted = F / 4 + 0.1 * np.eye(2)
    np.testing.assert_allclose(ld.predictors.Rule("trace_copy")(F), wanted)
    hp, data = ld.Hyperparameters(eta=0.05), ld.Moments.isotropic(4, 0.2)
    run = ld.simulate(ld.WeightFlow(hp, data, predictor="trace_copy"), ld.WeightState.random(2, 4, seed=0), t1=1.0)
    E = 1.2 * run.states.W[-1] @ run.states.W[-1].T
    np.testing.assert_allclose(run.states.W_p[-1], E / np.trace(E) + 0.1 * np.eye(2), atol=1e-12)
    modes = ld.simulate(ld.ModeFlow(hp, predictor="trace_copy"), ld.ModeState([0.2, 0.1], [0.2, 0.1]), t1=1.0)
    np.testing.assert_allclose(modes.states.p.sum(axis=-1), 1.2, rtol=1e-12)
    layer = ClosedFormPredictor(2, rule="trace_copy")
    assert layer(torch.randn(8, 2)).shape == (8, 2)
    assert main(["simulate", "--predictor", "trace_copy", "--t1", "1", "--out", str(tmp_path / "run")]) == 0


def networks(folder):
    """Write a checkpoint in the layout of the page, and features of its neck."""
    torch.manual_seed(0)
    neck, guess = nn.Sequential(nn.Linear(2 * D, D)), nn.Sequential(nn.Linear(D, D))
    weights = {f"lab.{name}.{key}": value for name, net in (("neck", neck), ("guess", guess))
               for key, value in net.state_dict().items()}  # fmt: skip
    torch.save({"state_dict": weights, "step": 7}, folder / "lab.pt")
    z = torch.randn(400, D, generator=torch.Generator().manual_seed(1)).numpy()
    np.savez(folder / "views.npz", z1=z, z2=z + 0.1 * np.random.default_rng(0).standard_normal(z.shape))
    return folder / "lab.pt", folder / "views.npz"


def test_its_layout_is_listed_and_read_and_its_law_is_told_everywhere(package, tmp_path, capsys):
    assert main(["validate", "--layouts"]) == 0
    assert "our lab's own BYOL" in capsys.readouterr().out
    checkpoint, views = networks(tmp_path)
    for more in ([], ["--layout", "my-lab"]):
        out = tmp_path / f"out{len(more)}"
        assert main(["validate", str(checkpoint), "--features", str(views), "--out", str(out), *more]) == 0
        assert "no direction carries half" in capsys.readouterr().out
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        (law,) = (each for each in report["findings"] if each["law"] == "first_share")
        assert law["verdict"] == "holds" and law["low"] < law["value"] < law["high"] < 0.5
        assert "no direction carries half" in (out / "report.html").read_text(encoding="utf-8")
    both = [str(tmp_path / name / "report.json") for name in ("out0", "out2")]
    assert main(["validate", "--compare", *both, "--out", str(tmp_path / "compared")]) == 0
    assert "first_share" in (tmp_path / "compared" / "report.json").read_text(encoding="utf-8")


def test_what_is_wrong_with_a_package_costs_one_sentence(tmp_path, capsys):
    """A rule and a flow of a taken name, a layout and a law that fail to import: each named, nothing else is lost."""
    files = {
        "bad_theory.py": """
            from lindyn.bridge.checkpoints.layouts import lightly
            from lindyn.bridge.laws import by_limit, law

            LAYOUT = lightly.LAYOUT

            @law(title="mine", statistic="mine", source="me")
            def balance(measured, run):
                return by_limit(1.0)

            @law(title="stops", statistic="mine", source="me")
            def stops(measured, run):
                raise KeyError("nope")
        """,
        "broken_theory.py": "import not_there_at_all",
    }
    points = {
        "lindyn.laws": {"taken": "bad_theory", "broken": "broken_theory"},
        "lindyn.flows": {"broken": "broken_theory"},
        "lindyn.rules": {"broken": "broken_theory"},
        "lindyn.layouts": {"broken": "broken_theory"},
    }
    with installed(tmp_path / "site", files, points, "bad-theory"):
        assert main(["validate", "--features", str(networks(tmp_path)[1]), "--out", str(tmp_path / "out")]) == 0
        page = re.sub(r"\s+", " ", (tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
        assert page.count("The package bad-theory is at fault") >= 2 and "its law stopped (KeyError" in page
        assert main(["simulate", "--t1", "1", "--out", str(tmp_path / "run")]) == 0
        capsys.readouterr()
        assert main(["simulate", "--system", "broken", "--t1", "1", "--out", str(tmp_path / "run2")]) == 2
        told = capsys.readouterr().err
        assert "The package bad-theory is at fault" in told and told.count("\n") == 1
        assert main(["simulate", "--predictor", "broken", "--t1", "1", "--out", str(tmp_path / "run3")]) == 2
        assert "The package bad-theory is at fault" in capsys.readouterr().err
