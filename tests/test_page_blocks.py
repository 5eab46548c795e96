"""The Python blocks of the pages run as they are printed, but for the sizes said here; layers.md has its own test."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import lindyn as ld

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "docs/conf.py").exists(), reason="the pages are not in this installation")
SMALLER = {
    "docs/cluster.md": {"n_workers=4, threads": "n_workers=1, processes=False, dashboard_address=':0', threads",
                        "0.3, 3000": "0.3, 30", "10, 3000": "10, 20"},
    "docs/normalised.md": {", 20)": ", 2)", "steps=2000": "steps=20", "seeds=8": "seeds=2"},
    "docs/prediction.md": {'"run.steps": 5000': '"run.steps": 20'},
    "docs/training.md": {"run__epochs=20": "run__epochs=1"},
}  # fmt: skip
"""What is written smaller so that a test can wait for it; each must stand in the page."""


def blocks(page):
    """Return the blocks of a page, smaller."""
    found = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for large, small in SMALLER.get(page, {}).items():
        assert any(large in block for block in found), f"{page} does not have {large}"
        found = [block.replace(large, small) for block in found]
    return found


def run(page, which=slice(None), **names):
    """Run blocks of a page one after the other and return what they leave."""
    names = {"__name__": "__main__", **names}
    for block in blocks(page)[which]:
        exec(compile(block, page, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_library():
    left = run("docs/library.md")
    assert left["traj"].status == "reached the end, t = 40"  # as the page says
    assert left["simsiam"].succeeded and left["sgd"].ts[-1] == pytest.approx(40.0)
    assert 0 < left["fp"].p_minus < left["fp"].p_plus


def test_readme():
    left = run("README.md", slice(1, None))
    assert left["traj"].status == "reached the end, t = 40" and left["ds"].sizes == {"eta": 3, "beta": 2}
    plt.close("all")


def test_explorer(monkeypatch):
    pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'lindyn[explore]'")
    from lindyn.explore.notebook_view import LiveView

    shown, make = [], LiveView.__init__
    monkeypatch.setattr(
        LiveView, "__init__", lambda view, name, *more: (shown.append(name), make(view, name, *more))[1]
    )
    run("docs/explorer.md")
    assert shown == ["portrait", "portrait", "modes"]


def test_normalised():
    hp, data = ld.Hyperparameters(alpha_p=1.0, beta=0.3, eta=0.01), ld.Moments.isotropic(n1=32, sigma2=0.1)
    flow, y0 = ld.WeightFlow(hp, data, loss="cosine"), ld.WeightState.random(8, 32)
    left = run(
        "docs/normalised.md", ld=ld, np=np, data=data, flow=flow, y0=y0, rates=np.full(10, 0.01), emas=np.full(10, 0.9),
        x=np.ones(3), x_aug=np.full(3, 0.2), p=np.full(3, 0.3), w=np.full(3, 0.4),
    )  # fmt: skip
    assert left["ds"]["effective_rank"].sizes["seed"] == 2 and np.isfinite(left["ds"]["effective_rank"]).all()


@pytest.mark.slow
def test_cluster():
    pytest.importorskip("distributed", reason="dask's distributed is not installed: pip install 'lindyn[cluster]'")
    assert run("docs/cluster.md", slice(0, 1))["ds"].sizes == {"eta": 30, "beta": 20}


@pytest.mark.slow
def test_training_prediction_and_validation(command):
    pytest.importorskip("torch", reason="torch is not installed: pip install 'lindyn[torch]'")
    from tests.bridge.prediction import networks

    trained = run("docs/training.md")["run"]
    assert trained.checkpoints and trained.result["linear"] > 0
    pair = networks.views()
    model = networks.Named(networks.linear_stack(), networks.linear_stack((4, 4), seed=2))
    Path("run.toml").write_bytes(Path("lindyn-out/train/run.toml").read_bytes())
    told = run("docs/prediction.md", model=model, v1=pair[0], v2=pair[1])["told"]
    assert isinstance(told.collapsed, bool) and told.sure in ("likely", "possible", "a guess")
    assert command("validate", "lindyn-out/train", "--out", "other")[0] == 0
    assert run("docs/validation.md")["answer"].headline
