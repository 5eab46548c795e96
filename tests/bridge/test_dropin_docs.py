"""The Python blocks of docs/layers.md run as they are printed, on lightly's BYOL."""

import re
from pathlib import Path

import numpy as np
import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.utils import update_momentum

from lindyn.bridge import LinearPredictor
from tests.bridge.real_images import backbone, byol_batches
from tests.bridge.test_dropin_lightly import BYOL

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = BYOL(backbone(), d=256)
    names = {
        "model": model,
        "loader": byol_batches() * 17,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.05),
        "criterion": NegativeCosineSimilarity(),
        "update_momentum": update_momentum,
        "torch": torch,
    }
    head, *others = blocks()
    assert len(head.strip().splitlines()) == 3
    exec(head, names)
    closed_form = model.prediction_head
    for block in others:
        exec(block, names)
    trace = names["trace"]
    assert list(trace.step.values) == [50] and np.isfinite(trace.loss.values).all()
    assert capsys.readouterr().out.startswith(f"step 50: {trace.alarm.values[0]} (collapse: ")
    assert closed_form.health().healthy and closed_form.health().calls == 102
    assert isinstance(model.prediction_head, LinearPredictor)
    assert [group["lr"] for group in names["optimizer"].param_groups] == [0.03, 0.3]
    # what the page says of the thresholds and the windows is what the code has
    text = PAGE.read_text(encoding="utf-8")
    from lindyn.bridge.watch import collapse_words, diagnosis
    from lindyn.predictors import PRESETS, RULES

    assert f"over {collapse_words.CONCENTRATION_COLLAPSED:g} of tr F" in text
    for limit in (f"over {collapse_words.CONCENTRATION_AT_RISK:g}", f"below {collapse_words.SPREAD_AT_RISK:.2g}"):
        assert f"{limit}, or" in text
    assert "tr F below a thousandth" in text
    assert diagnosis.OTHER_WINDOWS == (0.1, 0.01, 0.001) and collapse_words.SCALE_AT_RISK == 1e-3
    assert all(f"`{name}`" in text for name in [*RULES, *PRESETS])
