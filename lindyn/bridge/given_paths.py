"""Paths given to `validate` or `train`, refused before anything heavy is loaded where they cannot be meant."""

from pathlib import Path

from lindyn.outputs.places import CHECKPOINTS, ENDINGS, as_folder, made_by

TRACE = "trace.jsonl"
AUTO = "auto"
"""The images that a run of `lindyn train` was trained on."""
EMBEDDED = {"mnist": 28, "digits": 8}
"""The images that come with installed packages, and their side in pixels."""


def checkpoint_path(path: Path) -> Path:
    """Return the path of a checkpoint, or of a folder that may hold one.

    Raises:
        ValueError: it is not there, or a folder of other files.
    """
    if not path.exists():
        raise ValueError(f"There is no checkpoint or folder {path}.")
    if path.is_dir() and all(entry.is_file() and _is_other(entry.name) for entry in path.iterdir()):
        raise no_checkpoint(path)
    return path


def _is_other(name: str) -> bool:
    """Return whether a file is neither a checkpoint, part of one, nor a trace, by its name."""
    other = name.lower().endswith(ENDINGS) and not name.lower().endswith((*CHECKPOINTS, ".json"))
    return other and name != TRACE


def no_checkpoint(folder: Path) -> ValueError:
    """Return the error of a folder without checkpoints."""
    return ValueError(
        f"{folder} holds no checkpoint: neither checkpoints/ of lindyn train, nor a file that ends in "
        f"{', '.join(CHECKPOINTS[:5])}, nor a {TRACE}."
    )


def features_file(path: Path) -> Path:
    """Return the path of a file of features.

    Raises:
        ValueError: another kind of file, or it is not there.
    """
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(
            f"features must be an .npy or .npz file; got {path}. Save them with numpy.save or numpy.savez."
        )
    if not path.is_file():
        raise ValueError(f"features: there is no file {path}.")
    return path


def images_folder(folder: Path) -> Path:
    """Return the path of a folder of images.

    Raises:
        ValueError: there is none.
    """
    if not folder.is_dir():
        raise ValueError(
            f"images must be a folder of image files, {', '.join(EMBEDDED)} or auto; there is no folder {folder}."
        )
    return folder


def check_run_folder(folder: str | Path, resume: bool, overwrite: bool) -> Path:
    """Return the folder of a training run.

    Raises:
        ValueError: a file, a file's name, another command's folder, or a run that is there already and not given up.
    """
    folder = as_folder(folder, "run.folder")
    maker = made_by(folder / "run.toml")
    if maker:
        raise ValueError(f"{folder} holds files of `{maker}`. Choose another run.folder.")
    if not resume and not overwrite and any((folder / "checkpoints").glob("[!.]*.ckpt")):
        raise ValueError(
            f"{folder} holds a run already. Add --resume to go on with it, --overwrite to drop it, or choose another "
            "run.folder."
        )
    return folder
