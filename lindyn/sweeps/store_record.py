"""What a store says about itself, in two places: .sweep.json, with a checksum, and the attributes of zarr.json."""

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lindyn.display.brief import Brief
from lindyn.sweeps.plan import Plan, clash, code_stamp, configuration

MARKS, ABOUT, HEAD = ".blocks", ".sweep.json", "zarr.json"
FORMAT = 2


@dataclass(frozen=True, repr=False)
class StoreRecord(Brief):
    """What is swept in a store, and by what.

    Args:
        path: of the store.
        configuration: of the sweep, as in `plan.configuration`.
        chunks: the shape of a block.
        code: stamp of the code that computed it, "" where that is lost.
        libraries: their versions when it was begun.
    """

    path: Path
    configuration: dict[str, Any]
    chunks: tuple[int, ...]
    code: str = ""
    libraries: dict[str, str] = field(default_factory=dict)

    def check(self, plan: Plan) -> None:
        """Raise ValueError unless a plan may go on with this store; the message names the difference."""
        there, here = self.configuration, json.loads(json.dumps(configuration(plan)))
        if there.get("lindyn") != here["lindyn"]:
            raise ValueError(
                f"The store {self.path} was computed by lindyn {there.get('lindyn')}, and this is {here['lindyn']}: "
                "give another place, or go on with that version."
            )
        if there != here:
            raise ValueError(
                f"The store {self.path} holds another sweep: {clash(there, here)}. "
                "Give another place, the same settings to go on with it, or remove it first (--overwrite does)."
            )
        if self.code not in ("", code_stamp()):
            raise ValueError(
                f"The store {self.path} was computed by other code of lindyn {here['lindyn']} (equations or kernels "
                "were edited since): give another place, or remove it first (--overwrite does)."
            )

    def other_libraries(self, plan: Plan) -> str:
        """Return the libraries that have another version now, in words."""
        now = libraries(plan)
        changed = {name: then for name, then in self.libraries.items() if now.get(name, then) != then}
        return ", ".join(f"{name} {then} (now {now[name]})" for name, then in changed.items())


def libraries(plan: Plan) -> dict[str, str]:
    """Return the versions of what may change the last digits."""
    names = ("numpy", "jax" if plan.settings.get("engine") == "jax" else "numba")
    return {name: importlib.metadata.version(name) for name in names}


def identity(plan: Plan, chunks: tuple[int, ...]) -> str:
    """Return a digest of all that decides the numbers of a block: settings, grid, code, and how it is cut."""
    return digest(_plain({"configuration": configuration(plan), "code": code_stamp(), "block_shape": list(chunks)}))


def record(plan: Plan, chunks: tuple[int, ...]) -> bytes:
    """Return the content of .sweep.json."""
    told = {
        "format": FORMAT, "configuration": configuration(plan), "code": code_stamp(), "block_shape": list(chunks),
        "libraries": libraries(plan),
    }  # fmt: skip
    return json.dumps(told | {"checksum": digest(_plain(told))}, indent=1).encode()


def is_store(path: Path) -> bool:
    """Return whether something is left in a folder of a store."""
    return (path / HEAD).is_file() or (path / MARKS).is_dir()


def told_by(path: Path) -> StoreRecord:
    """Return what a store says about itself, from whichever place is left.

    Raises:
        ValueError: it is no store, one of another format, or too much of it is lost.
    """
    told, attributes, marks = recorded(path), _attributes(path), path / MARKS
    if told.get("format", FORMAT) > FORMAT:
        raise ValueError(f"The store {path} was written by a newer lindyn: update lindyn, or give another place.")
    if not told and not attributes:
        if marks.is_dir():
            raise ValueError(
                f"The store {path} is damaged (neither {HEAD} nor {ABOUT} tells what was swept): "
                "give another place, or remove it first."
            )
        raise ValueError(f"{path} exists and is no store of a sweep; give another place, or remove it first.")
    if not told and marks.is_dir() and any(file.is_file() and file.stat().st_size == 0 for file in marks.iterdir()):
        raise ValueError(
            f"The store {path} was written by lindyn {attributes['configuration'].get('lindyn', '')} in an older "
            "format, without checksums, and cannot be continued: read it with xarray.open_zarr, or give another place "
            "to compute it again."
        )
    told = told or attributes
    shape = tuple(told["block_shape"])
    return StoreRecord(path, told["configuration"], shape, told.get("code", ""), told.get("libraries", {}))


def recorded(path: Path) -> dict[str, Any]:
    """Return the content of .sweep.json, {} where it cannot be trusted."""
    try:
        told = dict(json.loads(read(path / ABOUT)))
        return told if told.pop("checksum") == digest(_plain(told)) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def _attributes(path: Path) -> dict[str, Any]:
    """Return configuration and block_shape from zarr.json, {} where they are not in it."""
    try:
        told = json.loads(read(path / HEAD))["attributes"]
        there, shape = json.loads(told["configuration"]), [int(n) for n in told["block_shape"]]
        whole = len(shape) == len(there["axes"]) and all(n > 0 for n in shape)
        return {"configuration": there, "block_shape": shape} if whole else {}
    except (ValueError, KeyError, TypeError):
        return {}


def read(file: Path) -> bytes:
    """Return the content of a file, b"" where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def digest(content: bytes) -> str:
    """Return a checksum."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _plain(told: dict[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True).encode()
