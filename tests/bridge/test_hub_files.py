"""Models of the Hugging Face hub by name: from a local cache, and one sentence where they cannot be had."""

import shutil
from pathlib import Path

import pytest

from lindyn.bridge import hub_files

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: pip install 'lindyn[hub]'")
FIXTURES = Path(__file__).parent / "validation" / "fixtures"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the hub with one model in it, and no network."""
    import huggingface_hub.constants as constants

    model = next((FIXTURES / "solo_learn").glob("*.ckpt"))
    root = tmp_path / "hub"
    snapshot = root / "models--lab--byol" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    shutil.copy(model, snapshot / "last.ckpt")
    refs = root / "models--lab--byol" / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return snapshot


@pytest.mark.parametrize(
    ("word", "name"),
    [("hf://lab/byol", True), ("hf://lab/byol/last.ckpt", True), ("lab/byol", True), ("lab/byol.ckpt", False),
     ("lindyn-out/train", False), ("a/b/c", False), ("./byol", False), ("byol", False), ("optim.lr=0.1", False)],
)  # fmt: skip
def test_what_is_a_name_of_the_hub(word, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lindyn-out").mkdir()
    assert hub_files.is_named(word) is name


def test_a_model_in_the_cache_is_read(cache):
    assert hub_files.fetched("hf://lab/byol") == cache
    assert hub_files.fetched("lab/byol") == cache
    assert hub_files.fetched("hf://lab/byol/last.ckpt") == cache / "last.ckpt"
    assert hub_files.fetched("hf://lab/byol@main") == cache


@pytest.mark.parametrize("word", ["hf://lab/other", "lab/other", "hf://lab/byol/no.ckpt"])
def test_what_cannot_be_fetched_is_one_sentence(word, cache, command, tmp_path):
    code, out, err = command("validate", word, "--out", tmp_path / "v")
    assert code == 2 and out == "" and err.count("\n") == 1
    assert f"{word} is no path here, and the model lab/" in err and "could not be fetched" in err


def test_half_a_name_is_told():
    with pytest.raises(ValueError, match="A model of the hub is hf://user/repo"):
        hub_files.fetched("hf://lab")


def test_a_model_of_the_hub_is_validated(cache, command, tmp_path):
    code, _, _ = command("validate", "hf://lab/byol/last.ckpt", "--images", "digits", "--out", tmp_path / "v")
    assert code == 0 and "solo-learn" in (tmp_path / "v" / "report.json").read_text()
    assert "lindyn validate hf://lab/byol/last.ckpt" in (tmp_path / "v" / "report.json").read_text()
