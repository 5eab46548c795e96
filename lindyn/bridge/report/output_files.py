"""The files of an answer, written whole or not at all."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_whole(folder: str | Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder; either all of them are there afterwards, or the folder is as it was.

    They are written into a folder beside it and moved when they are complete. Files and folders of the same names are
    replaced as a whole ("figures/" holds no picture of an earlier report), others stay.

    Args:
        folder: made where it is not there.
        files: content by path in the folder ("report.html", "figures/spectra.png").

    Returns:
        The folder.

    Raises:
        ValueError: `folder` is a file.
        OSError: it could not be written; nothing was changed.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out must be a folder; {folder} is a file. Choose another.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fresh, old = draft / "new", draft / "old"
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        if folder.exists():
            _exchange(folder, fresh, old)
        else:
            fresh.rename(folder)
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"Cannot write the report into {folder}: {why}. Nothing was changed.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _exchange(folder: Path, fresh: Path, old: Path) -> None:
    """Put the entries of `fresh` in place of those in `folder`, and back where one of them cannot be moved."""
    old.mkdir()
    done: list[str] = []
    try:
        for entry in sorted(fresh.iterdir()):
            if (folder / entry.name).exists():
                (folder / entry.name).rename(old / entry.name)
            done.append(entry.name)
            entry.rename(folder / entry.name)
    except OSError:
        for name in done:
            _remove(folder / name)
            if (old / name).exists():
                (old / name).rename(folder / name)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
