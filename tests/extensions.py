"""A package of a user's own, as pip would leave it: a folder on sys.path with its files and its metadata."""

import contextlib
import sys
from pathlib import Path
from textwrap import dedent

from lindyn import _extensions
from lindyn.predictors import RULES


@contextlib.contextmanager
def installed(folder: Path, files: dict[str, str], entry_points: dict[str, dict[str, str]], name: str = "my_pkg"):
    """Put a package with entry points on sys.path for the length of a `with`, and forget it afterwards.

    `files`: text by path in the folder ("my_pkg/__init__.py"); `entry_points`: {group: {name: value}}.
    """
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(dedent(text), encoding="utf-8")
    info = folder / f"{name}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n", encoding="utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in entry_points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    _extensions.extensions.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _extensions.extensions.cache_clear()
        mine = {path.split("/")[0].removesuffix(".py") for path in files}
        for module in set(sys.modules) - before:
            if module.split(".")[0] in mine:
                del sys.modules[module]
        defined = RULES.defined  # a rule that was asked for stays in the table, which a session has once
        for rule in [name for name, each in defined.items() if each.core.__module__.split(".")[0] in mine]:
            del defined[rule]
