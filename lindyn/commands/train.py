"""`lindyn train`: BYOL or SimSiam with any predictor, on embedded images or the user's, on one CPU or many GPUs."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lindyn._option_table import OptionTable
from lindyn._options import Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command
from lindyn.outputs import places

PACKAGES = ("torchvision", "lightly", "pytorch-lightning")  # beside torch
DESCRIPTION = """\
Train a network with BYOL or SimSiam and any predictor, watch spectra and alignment, and probe what it learned.
Without arguments: 5,000 embedded MNIST images, a small network, CPU, about two minutes, no download.

  lindyn train                                             the embedded default
  lindyn train model.predictor=direct_pred                 W_p set from F (Eq. 18); also newton_schulz, stiefel, ...
  lindyn train method.target=online optim.alpha_p=5        no EMA, a faster predictor
  lindyn train CONFIG.toml optim.lr=0.05                   a file, one key changed
  lindyn train CONFIG.toml --resume                        go on where it stopped; same weights to the last bit
  lindyn train data.name=imagefolder data.root=DIR         ResNet-50 on an ImageNet folder, on every GPU there is
  lindyn train --keys                                      every key, its default and meaning

A run is a folder (run.folder): run.toml repeats it, checkpoints/ are all kept, trace.jsonl is what the theory looks
at, metrics.jsonl, training.png, summary.txt. Several GPUs, nodes and SLURM: docs/training.md.
"""


TABLE = OptionTable(
    (
        Option("resume", "switch", False, "go on from the furthest checkpoint in run.folder"),
        Option("overwrite", "switch", False, "drop an earlier run in run.folder"),
        drawing.FORMAT,
        Option("keys", "switch", False, "print every key, its default and meaning"),
    )
)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    summary = "train a real network with BYOL or SimSiam and any predictor"
    parser = add_command(commands, "train", summary, DESCRIPTION, TABLE, run)
    parser.add_argument(
        "words", nargs="*", metavar="CONFIG.toml key=value",
        help="a configuration (default: the embedded images), and keys to change, e.g. optim.lr=0.05",
    )  # fmt: skip
    parser.words_anywhere, parser.keys = True, training_keys


def training_keys() -> OptionTable:
    """Return the table of the keys of a training run."""
    from lindyn.bridge import sections

    return sections.TABLE


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the run reached its end, 130 when it was interrupted.

    Raises:
        ValueError: a configuration that cannot run, or a loss that is no number.
        ImportError: a package of the extra `train` is missing.
        OSError: nothing can be written.
    """
    if args.keys:
        print(training_keys().documented())
        return 0
    require_training()
    from lindyn.bridge.given_paths import check_run_folder

    config, _ = config_of(args.words)
    check_run_folder(config.run.folder, args.resume, args.overwrite)  # again by `train`, once torch is loaded
    from lindyn.bridge.run.training_theory import train
    from lindyn.bridge.training.callbacks import TrainingStopped

    try:
        done = train(config, resume=args.resume, overwrite=args.overwrite)
    except TrainingStopped as stop:
        print(f"lindyn: {stop}", file=sys.stderr)
        return 130
    if done.first:
        print((done.folder / "summary.txt").read_text(encoding="utf-8"), end="")
    return 0


def config_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the configuration of a file and key=value words, and the words with the file first.

    Raises:
        ValueError: two files, an unknown key, or a wrong value.
    """
    from lindyn.bridge.training.config import TrainConfig

    files = [word for word in words if "=" not in word or Path(word).is_file()]
    if len(files) > 1:
        raise ValueError(f"One configuration at a time; got {', '.join(files)}. Keys are changed with key=value.")
    keys = [word for word in words if word not in files]
    return TrainConfig.read(places.expanded(files[0]) if files else None, keys), [*files, *keys]


def require_training() -> None:
    """Raise ImportError in one sentence unless every package of the extra `train` is there."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        raise ImportError('Training needs torch; install it and the rest with pip install "lindyn[train]".')
    missing = [name for name in PACKAGES if importlib.util.find_spec(name.replace("-", "_")) is None]
    if missing:
        raise ImportError(f'Training needs {", ".join(missing)}; install with pip install "lindyn[train]".')
