"""A layout from a package of a user's own: listed, tried on files, used; whatever it does wrong costs one sentence."""

import shutil

import pytest
import torch

from lindyn.bridge.checkpoints import Layout, known_layouts, read_checkpoint
from lindyn.bridge.checkpoints.layouts import luckmatters
from lindyn.cli import main
from tests.bridge.validation.originals import CASES
from tests.extensions import installed

GROUP = "lindyn.layouts"
LIGHTLY = CASES["lightly benchmarks"].path
MINE = """
    from lindyn.bridge.checkpoints import Content, Layout, Names, Pieces, Settings, assemble


    def matches(content: Content) -> bool:
        return content.has({key!r})


    def read(content: Content) -> Pieces:
        known = Settings.of({{"optim.lr": 0.25}}, "my notes")
        return assemble(content, {name!r}, "my own code", Names("net", "proj", "pred"), settings=known)


    LAYOUT = Layout({name!r}, "my own code", matches, read)
"""


def mine(name="mine", key=r"pred\.", text=MINE):
    return text.format(name=name, key=key)


def own(folder, text, name="my_pkg", module="my_layout"):
    """Install a package with one layout."""
    files = {f"{name}/__init__.py": "", f"{name}/{module}.py": text}
    return installed(folder / name, files, {GROUP: {module: f"{name}.{module}"}}, name)


@pytest.fixture
def checkpoint(tmp_path):
    W = torch.arange(12.0).reshape(3, 4) / 10
    torch.save(
        {"net.linear.weight": W, "proj.weight": torch.eye(3), "pred.weight": 2 * torch.eye(3)}, tmp_path / "a.pt"
    )
    return tmp_path / "a.pt"


def test_a_layout_of_an_own_package_is_listed_found_and_asked_for(tmp_path, checkpoint, capsys):
    with own(tmp_path, mine()):
        assert main(["validate", "--layouts"]) == 0
        out, err = capsys.readouterr()
        assert f"{'mine':<20} my own code (of the package my_pkg)" in out.splitlines() and err == ""
        for layout in (None, "mine"):
            pieces = read_checkpoint(checkpoint, layout=layout)
            assert pieces.layout == "mine" and pieces.settings.get("optim.lr") == 0.25 and pieces.backbone is not None
            assert torch.equal(pieces.predictor[0].weight, 2 * torch.eye(3))
            assert not any("at fault" in note for note in pieces.notes)
        words = ["validate", str(checkpoint), "--layout", "mine", "--out", str(tmp_path / "report")]
        assert main(words) == 0 and "my own code" in " ".join(capsys.readouterr().out.split())
        assert read_checkpoint(LIGHTLY).layout == "lightly"
    assert "mine" not in [layout.name for layout in known_layouts()[0]]
    with pytest.raises(ValueError, match=r"layout must be one of .*; got 'mine'"):
        read_checkpoint(checkpoint, layout="mine")


def test_two_layouts_that_match_are_named_with_their_packages(tmp_path, checkpoint):
    with own(tmp_path, mine(key="prediction_head")):
        with pytest.raises(ValueError) as caught:
            read_checkpoint(LIGHTLY)
        assert str(caught.value) == (
            f"{LIGHTLY} has the keys of 2 layouts, lightly (of the package lindyn) and mine (of the package my_pkg); "
            "say which by --layout NAME."
        )
        assert read_checkpoint(LIGHTLY, layout="lightly").layout == "lightly"
    with own(tmp_path, mine("one"), "first"), own(tmp_path, mine("two"), "second"):
        with pytest.raises(ValueError, match=r"one \(of the package first\) and two \(of the package second\)"):
            read_checkpoint(checkpoint)
        assert read_checkpoint(checkpoint, layout="two").layout == "two"


def test_the_bare_backbone_is_a_last_resort(tmp_path):
    path = CASES["byol-pytorch's trainer"].path
    assert read_checkpoint(path).layout == "backbone"
    with own(tmp_path, mine(key="layer")):
        assert read_checkpoint(path).layout == "mine"
        assert read_checkpoint(path, layout="backbone").layout == "backbone"


FAULTS = {
    "a name that is taken": (mine("lightly"), "its layout 'lightly' has the name of one of lindyn and is left out."),
    "no import": ("import not_installed_anywhere", "cannot be imported and is left out (ModuleNotFoundError"),
    "no layout": ("LAYOUT = 3", "it holds no LAYOUT, made by lindyn.bridge.checkpoints.Layout; it is left out."),
    "a bad name": (mine("two words"), "name of a layout must be one word; got 'two words'.)."),
    "keys": (mine(text=MINE.replace("content.has({key!r})", "content.tree['never'] == 1")),
             f"its layout 'mine' failed looking at {LIGHTLY} and is left out (KeyError: 'never')."),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_package_at_fault_costs_one_sentence_and_the_rest_goes_on(tmp_path, fault, capsys):
    text, told = FAULTS[fault]
    with own(tmp_path, text):
        pieces = read_checkpoint(LIGHTLY)
        (note,) = (note for note in pieces.notes if "at fault" in note)
        assert note.startswith("The package my_pkg is at fault: ") and told in note and "\n" not in note
        assert pieces.layout == "lightly" and pieces.predictor is not None
        assert main(["validate", "--layouts"]) == 0
        out, err = capsys.readouterr()
        assert "mmpretrain" in out and (err == ("" if fault == "keys" else f"{note}\n"))
    assert not any("at fault" in note for note in read_checkpoint(LIGHTLY).notes)


def test_a_layout_that_could_not_be_imported_is_explained_where_it_is_asked_for(tmp_path, checkpoint):
    with own(tmp_path, "1 / 0"):
        with pytest.raises(ValueError, match=r"got 'mine'.*package my_pkg is at fault: .*ZeroDivisionError"):
            read_checkpoint(checkpoint, layout="mine")
        with pytest.raises(ValueError, match=r"is not known[\s\S]*package my_pkg is at fault"):
            read_checkpoint(checkpoint)


@pytest.mark.parametrize(
    ("text", "told"),
    [("content.tree['never']", r"\(KeyError: 'never'\)\."), ("3", ": it must give Pieces; got int.")],
)
def test_a_reader_that_fails_is_one_sentence(tmp_path, checkpoint, text, told):
    package = own(tmp_path, mine(text=MINE.replace("return assemble(", f"return {text} or assemble(")))
    told = f"package my_pkg is at fault: its layout 'mine' failed reading .*{told}"
    with package, pytest.raises(ValueError, match=told):
        read_checkpoint(checkpoint)


def test_files_that_go_beside_checkpoints_are_left_out_of_a_folder(tmp_path):
    from lindyn.bridge.checkpoints import inputs

    for name in ("corr_006_iter30.pth", "model_006.pth", "extra_1.pth"):
        shutil.copy(LIGHTLY, tmp_path / name)
    assert [path.name for path in inputs.find(tmp_path).files] == ["extra_1.pth", "model_006.pth"]
    with own(tmp_path / "site", mine().replace("matches, read)", "matches, read, aside=lambda p: 'extra' in p.name)")):
        assert [path.name for path in inputs.find(tmp_path).files] == ["model_006.pth"]


def test_a_layout_is_checked_on_creation():
    assert luckmatters.LAYOUT.package == "lindyn"
    with pytest.raises(ValueError, match=r"name of a layout must be one word; got ''\."):
        Layout("", "nothing", luckmatters.matches, luckmatters.read)
    with pytest.raises(ValueError, match="matches of layout mine must be a function; got None"):
        Layout("mine", "nothing", None, luckmatters.read)
