"""Features without a checkpoint: the laws that they and a W_p beside them permit, and no others."""

import numpy as np
import pytest

from lindyn.bridge import read_report, validate
from lindyn.cli import main
from tests.bridge.validation.synthetic import Aligned, of

MODEL = Aligned.of(8, 0, 0.5)


@pytest.fixture
def views(tmp_path):
    """Save two views (and what else is given) of an aligned model; return the path."""

    def save(**more):
        drawn = MODEL.draw(2000, 0)
        np.savez(tmp_path / "views.npz", z1=drawn.z1, z2=drawn.z2, **more)
        return tmp_path / "views.npz"

    return save


def test_a_matrix_beside_the_features_is_the_predictor(views):
    answer = validate(features=views(W_p=MODEL.W_p))
    assert answer.pieces.layout == "features" and answer.maps[0].kind == "exact"
    np.testing.assert_array_equal(answer.maps[0].W_p, MODEL.W_p)
    held = {law: of(answer.findings, law).verdict for law in ("alignment", "commutator", "slope", "psd", "symmetry")}
    assert set(held.values()) == {"holds"}
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0]
    other = validate(features=views(W_p=turned @ MODEL.W_p @ turned.T))
    assert {of(other.findings, law).verdict for law in ("alignment", "commutator")} == {"fails"}


def test_without_it_the_laws_of_the_predictor_are_not_tested(views, tmp_path, capsys):
    path = views()
    assert main(["validate", "--features", str(path), "--out", str(tmp_path / "out")]) == 0
    assert "2000 samples of two views from views.npz" in capsys.readouterr().out
    answer = read_report(tmp_path / "out" / "report.json")
    assert of(answer.findings, "alignment").verdict == "not testable"
    assert of(answer.findings, "collapse").verdict == "holds"
    with np.load(path) as arrays:
        same = validate(features=(arrays["z1"], arrays["z2"]))
    assert of(same.findings, "collapse").value == of(answer.findings, "collapse").value


@pytest.mark.parametrize(
    ("W_p", "text"),
    [
        (np.ones((8, 7)), r"W_p in .*views.npz must be d x d, acting on column vectors; got shape \(8, 7\)"),
        (np.eye(5), "5"),
        (np.full((8, 8), np.nan), "W_p"),
    ],
)
def test_a_matrix_that_does_not_fit_is_refused(views, W_p, text):
    with pytest.raises(ValueError, match=text) as raised:
        validate(features=views(W_p=W_p))
    assert "\n" not in str(raised.value)
    print(raised.value)
