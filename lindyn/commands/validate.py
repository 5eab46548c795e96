"""`lindyn validate`: a checkpoint or a run held against the theory; report.html, report.json and figures."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command
from lindyn.outputs import places

DESCRIPTION = """\
Hold a trained network against the theory: does it describe the run, is it collapsing, and would less weight decay, a
faster predictor or another EMA have helped? Reads checkpoints of lindyn, lightly, solo-learn, facebookresearch/simsiam,
DirectPred's authors, mmpretrain, stable-pretraining, byol-pytorch, DeepMind and others (--layouts lists them).

  lindyn validate lindyn-out/train                         a run of lindyn train: all its checkpoints, its own images
  lindyn validate ckpt.pth.tar --images DIR                the checkpoint's own backbone on a folder of images
  lindyn validate last.ckpt --features views.npz           projections z1, z2 (rows are samples) that you saved
  lindyn validate --features views.npz                     features alone, with W_p beside them if the file holds it
  lindyn validate last.ckpt optim.lr=0.05 method.ema=0.99  hyper-parameters that the file does not hold
  lindyn validate hf://user/repo --features views.npz      a model of the Hugging Face hub, or hf://user/repo/file
  lindyn validate epoch_*.ckpt                             several checkpoints of one run: the theory over training
  lindyn validate --compare RUN_A RUN_B                    two runs side by side

Writes report.html (open it in a browser), report.json and figures/ to --out, all of them or none. Details, every
statistic and the schema: docs/validation.md.
"""
PARTS = ("predictor", "projector", "backbone", "target_backbone", "target_projector")
DEFAULT_OUT = "lindyn-out/validate"
_KEY = re.compile(r"^[a-z_]+(\.[a-z_0-9]+)*=")


def _part(name: str) -> Option:
    words = name.replace("_", " of the ").replace("target of the", "target's")
    return Option(name, str, None, f"where the {words} stands in the file", metavar="KEY")


TABLE = OptionTable(
    (
        Option("features", "texts", None, ".npy or .npz of projections z1, z2, target1", metavar="FILE", path=True),
        Option(
            "images", str, None, "image folder, mnist or digits (default: those of the run)", metavar="DIR", path=True,
        ),
        Option("samples", int, None, "at most so many images"),
        Option("layout", str, None, "layout of the file, where its keys do not tell", metavar="NAME"),
        *map(_part, PARTS),
        Option(
            "unsafe_pickle", "switch", False,
            "read a file that only unpickling can read, through stand-ins that run none of its code; only where you "
            "know who wrote the file",
        ),
        Option("prediction", str, None, "what lindyn predict wrote of this run (default: predict/ beside it)",
               metavar="FILE", path=True),
        Option("compare", "switch", False, "two runs (or report.json files) side by side"),
        Option("device", str, "auto", "cpu, cuda, ...", metavar="NAME", free=True),
        Option("seed", int, 0, "of images and intervals"),
        Option(
            "out", str, None, f"output folder (default {DEFAULT_OUT}, and what is validated)", metavar="DIR", free=True,
            path=True,
        ),
        drawing.FORMAT,
        Option("overwrite", "switch", False, "replace a report of something else", free=True),
        Option("layouts", "switch", False, "list the layouts that are read", free=True),
    )
)  # fmt: skip


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = add_command(commands, "validate", "hold a checkpoint or a run against the theory", DESCRIPTION, TABLE, run)
    parser.add_argument(
        "words", nargs="*", metavar="CHECKPOINT key=value",
        help="checkpoints, a folder of lindyn train or a trace.jsonl; keys of lindyn train that the file does not hold",
    )  # fmt: skip
    parser.words_anywhere, parser.keys = True, known_keys


def known_keys() -> OptionTable:
    """Return the table of the keys that may be given: those of a training run, and what a file's tensors do not say."""
    from lindyn.bridge import sections

    return sections.VALIDATED


def run(args: argparse.Namespace) -> int:
    """Validate and write the report; 0 when it is written.

    Raises:
        ValueError: input that cannot be validated, in one sentence; nothing is written then.
        OSError: the report cannot be written.
        ImportError: torch is missing.
    """
    _require_torch()
    if args.layouts:
        return _list_layouts()
    paths, keys = split_words(args.words)
    if args.compare:
        return _compare(args, paths, keys)
    _check_paths(args, paths)
    if not paths and not args.features:
        raise ValueError(
            "Give what to validate: a checkpoint, a folder of lindyn train (lindyn validate lindyn-out/train), a "
            "trace.jsonl, or --features FILE. --layouts lists the checkpoints that are read."
        )
    out, command = _place(args, paths, keys)
    from lindyn.bridge.report import page, terminal

    answer = _validate(args, paths, keys, args.features)
    folder = _files.write_folder(out, page.files(answer, command), "the report")
    print(terminal.summary(answer, str(folder / "report.html")), end="")
    return 0


def split_words(words: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Return (paths, keys with values); "step=00000320.ckpt" is a path, and so is every file that exists.

    Raises:
        ValueError: an unknown key.
    """
    from lindyn.bridge import hub_files

    paths, keys = [], {}
    for word in words:
        if hub_files.is_named(word):
            paths.append(word)
            continue
        path = Path(places.expanded(word))
        if path.exists() or word.lower().endswith(places.CHECKPOINTS) or not _KEY.match(word):
            paths.append(str(path))
        else:
            name, value = known_keys().read_override(word)
            keys[name] = value
    return paths, keys


def _check_paths(args: argparse.Namespace, paths: list[str]) -> None:
    """Raise ValueError for a path that cannot be meant, before torch is loaded."""
    from lindyn.bridge import given_paths, hub_files

    for path in (Path(path) for path in paths if not hub_files.is_named(path)):
        given_paths.checkpoint_path(path)
    for path in map(Path, args.features or []):
        given_paths.features_file(path)
    if args.images is not None and args.images not in (given_paths.AUTO, *given_paths.EMBEDDED):
        given_paths.images_folder(Path(args.images))


def _place(args: argparse.Namespace, paths: list[str], keys: dict[str, Any]) -> tuple[Path, str]:
    """Return the folder of the report, and the command line that makes it.

    Raises:
        ValueError: a file's name, or a folder with a report of something else.
    """
    settings = [f"{key}={value}" for key, value in keys.items()]
    given = TABLE.given(args)
    command = TABLE.command(" ".join(["lindyn validate", *map(_plainly, paths), *settings]), given)
    if args.out is not None:
        out = places.as_folder(args.out)
    else:  # named by the last part of every path; where another could be meant too, with letters of the digest
        root = str(Path(DEFAULT_OUT).parent) + os.sep
        every = [*paths, *given.get("features", ()), *filter(None, [given.get("images")])]
        lost = any(os.path.normpath(path).removeprefix(root) != Path(path).name for path in every)
        for name in given.keys() & {"features", "images"}:
            given[name] = [Path(path).name for path in given[name]] if name == "features" else Path(given[name]).name
        words = TABLE.command(" ".join(["validate", *(Path(path).name for path in paths), *settings]), given)
        out = Path(DEFAULT_OUT).with_name(places.run_name(words, command if lost else ""))
    places.check_free(out / "report.json", command, args.overwrite, (out / "report.html", out / "figures"))
    return out, command


def _plainly(path: str) -> str:
    """Return a path without detours; a name of the hub as it is."""
    from lindyn.bridge import hub_files

    return path if hub_files.is_named(path) else os.path.normpath(path)


def _validate(args: argparse.Namespace, paths: list[str], keys: dict[str, Any], features: list[str] | None) -> Any:
    from lindyn.bridge.validation import validate

    names = {part: getattr(args, part) for part in PARTS if getattr(args, part) is not None}
    more = {} if args.samples is None else {"samples": args.samples}
    return validate(
        paths, features=features, images=args.images or "auto", settings=keys, names=names or None, layout=args.layout,
        unsafe=args.unsafe_pickle, device=args.device, seed=args.seed, progress=True,
        prediction=args.prediction, **more,
    )  # fmt: skip


def _compare(args: argparse.Namespace, paths: list[str], keys: dict[str, Any]) -> int:
    if len(paths) != 2:
        raise ValueError(f"--compare takes two runs, RUN_A and RUN_B; got {len(paths)}.")
    features = args.features or [None, None]
    if len(features) != 2:
        raise ValueError(f"--compare with --features takes two of them, for A and for B; got {len(features)}.")
    _check_paths(args, [path for path in paths if not path.endswith(".json") or not Path(path).is_file()])
    out, command = _place(args, paths, keys)
    from lindyn.bridge.report import compare_text
    from lindyn.bridge.report.compare import compared
    from lindyn.bridge.report.schema import read_report

    answers = []
    for path, given in zip(paths, features, strict=True):
        is_report = path.endswith(".json") and not path.endswith(".index.json")
        answers.append(read_report(path) if is_report else _validate(args, [path], keys, given and [given]))
    found = compared(*answers)
    folder = _files.write_folder(out, compare_text.files(found, command), "the report")
    print(compare_text.summary(found, str(folder / "report.html")), end="")
    return 0


def _list_layouts() -> int:
    from lindyn.bridge.checkpoints.layouts import known_layouts

    layouts, notes = known_layouts()
    for layout in layouts:
        whence = "" if layout.package == "lindyn" else f" (of the package {layout.package})"
        print(f"{layout.name:<20} {layout.title}{whence}")
    for note in notes:
        print(note, file=sys.stderr)
    return 0


def _require_torch() -> None:
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        raise ImportError('lindyn validate needs PyTorch; install it with pip install "lindyn[torch]".')
