"""Where a run may write: the place it is given or named after it, and never over, or beside, another run's files.

Without --out the folder or file is named after the run (`run_name`). With --out it is as asked: what a command writes
says which command line made it (`made_by`), the same one may write in place, another is refused (`check_free`) until
--overwrite gives the earlier run up, of which then nothing stays.
The commands import this before they are asked for anything, so what it needs itself is loaded late.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

CHECKPOINTS = (".ckpt", ".pth", ".pt", ".pth.tar", ".tar", ".safetensors", ".pkl", ".pickle", ".dill", ".bin", ".h5")
"""Endings that a checkpoint has; a file that is named itself may have any."""
ENDINGS = (
    *CHECKPOINTS, ".nc", ".zarr", ".hdf5", ".npy", ".npz", ".csv", ".tsv", ".json", ".jsonl", ".toml", ".yaml", ".yml",
    ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".ps", ".eps", ".pgf", ".mp4", ".html", ".htm", ".md", ".tex",
    ".txt", ".log", ".py", ".zip", ".gz", ".tgz", ".xz", ".bz2", ".7z",
)  # fmt: skip
"""Endings that a file has, and an output folder most likely not."""
PICTURES = ("png", "pdf", "svg", "eps", "jpg", "jpeg", "tif", "tiff", "webp")
_LONGEST = 72  # letters of a name made from a command line
_HEAD = re.compile(r"^[#%] (lindyn .*)$", re.MULTILINE)


def expanded(path: str) -> str:
    """Return a path with ~ replaced by the home folder, as a shell does at the start of a word only.

    Raises:
        ValueError: nobody's home.
    """
    whole = os.path.expanduser(path)
    if whole.startswith("~") and not os.path.lexists(whole):
        raise ValueError(f"There is no home folder {Path(whole).parts[0]} (in {path}). Write the path out.")
    return whole


def as_folder(path: str | Path, flag: str = "--out") -> Path:
    """Return the path of an output folder; nothing is made.

    Raises:
        ValueError: an empty path, a file, or a name that ends like a file's.
    """
    folder, ending = Path(path), Path(path).suffix.lower()
    if not str(path).strip():
        raise ValueError(f"{flag} must be a folder; got an empty path.")
    if folder.exists():
        if not folder.is_dir():
            raise ValueError(f"Cannot make the output folder {folder}: it is a file. Choose another with {flag}.")
    elif ending in ENDINGS and not str(path).endswith(os.sep):
        raise ValueError(f"{flag} is a folder, for several files; got {path}, a file's name. Leave the {ending} out.")
    return folder


def as_picture(path: str | Path, flag: str = "--picture") -> Path:
    """Return the path of a picture that can be written; its folder need not be there.

    Raises:
        ValueError: a folder, or an ending of which no picture is made.
    """
    file = Path(path)
    if file.is_dir() or not file.name:
        raise ValueError(f"{flag} must be a file; {file} is a folder.")
    if file.suffix and file.suffix[1:].lower() not in PICTURES:
        raise ValueError(f"{flag} must end in .{', .'.join(PICTURES)}; got {file}.")
    return file


def run_name(words: str, whole: str = "") -> str:
    """Return a name for the folder or file of a run, made from its command line after `lindyn`.

        run_name("simulate --eta 0.3 --no-stop-gradient")  # "simulate-eta-0.3-no-stop-gradient"

    Different command lines give different names: where something is lost a few letters of their digest are added.

    Args:
        words: that the name is made from.
        whole: the command line, where `words` is only what is telling of it.
    """
    import hashlib

    whole = whole or words
    plain = re.sub(r"[ :=]+", lambda found: "-" if found[0] == " " else "_", words.replace(" --", " "))
    name = re.sub(r"[^\w.,+-]", "_", plain, flags=re.ASCII)
    if name == plain and whole == words and len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST].rstrip('_')}-{hashlib.sha1(whole.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"


def made_by(path: Path) -> str:
    """Return the command line that made a file ("lindyn simulate --eta 0.3") as the file says; "" if it does not.

    PNG and netCDF carry it as an attribute, JSON under "command", a text as a comment.
    """
    import json

    try:
        if path.suffix == ".png":
            from PIL import Image

            with Image.open(path) as picture:
                return str(picture.info.get("Description", ""))
        if path.suffix == ".nc":
            from scipy.io import netcdf_file

            with netcdf_file(path, mmap=False) as file:
                found = getattr(file, "command", b"")
            return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
        from lindyn.stored import limits

        text = limits.read_text(path)
        if path.suffix == ".json":
            return str(json.loads(text).get("command", ""))
        head = _HEAD.search(text)
        return head[1] if head else ""
    except Exception:  # whatever a damaged or foreign file brings up: it does not say
        return ""


def check_folder(path: Path, flag: str) -> None:
    """Raise ValueError where the folder of a file that is named by a flag is not there."""
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {path.parent} for {flag} {path.name}; make it, or choose another.")


def check_free(
    head: Path, command: str, overwrite: bool, others: Iterable[Path] = (), flag: str = "--out", same: bool = False
) -> None:
    """Raise ValueError where this run would write over, or beside, files of another one.

    Args:
        head: the file that says which command made it and all the others.
        command: line of this run.
        overwrite: whether the other run was given up.
        others: files that are written with it.
        flag: that names the place.
        same: whether the earlier run is known to be this one.
    """
    there = [path for path in (head, *others) if path.exists()]
    if not there or overwrite or same:
        return
    earlier = made_by(head) if head.exists() else ""
    if earlier != command:
        whose = f"was written by `{earlier}`" if earlier else "is there already, and is not known to be of this run"
        raise ValueError(f"{there[0]} {whose}. Add --overwrite to replace it, or choose another place with {flag}.")
