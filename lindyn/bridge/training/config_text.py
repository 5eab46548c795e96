"""How a configuration is written: TOML files, `key=value`, and the names of keys."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from lindyn._toml import read_tables
from lindyn.bridge.training import sections
from lindyn.bridge.training.sections import OPTIONS, SECTIONS


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's keys as "section.name".

    Raises:
        ValueError: no such file, not TOML, an unknown section or key.
    """
    tables = read_tables(path)
    flat: dict[str, Any] = {}
    for section, table in tables.items():
        if section in ("paper", "printed"):
            continue  # a preset's notes: which table and row it repeats
        if not isinstance(table, dict):
            raise ValueError(f"{path}: key {section!r} stands outside any section. Known: {', '.join(SECTIONS)}.")
        if section not in SECTIONS:
            raise ValueError(f"{path} has an unknown section [{section}].{near_hint(section, SECTIONS)}")
        for name, value in table.items():
            flat[full_name(f"{section}.{name}")] = value
    return flat


def read_override(text: str) -> tuple[str, Any]:
    """Return (key, value) of "key=value"; the value is TOML, or a bare word.

    Raises:
        ValueError: no "=" in it, or an unknown key.
    """
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"An override is key=value, e.g. optim.lr=0.05; got {text!r}.")
    try:
        parsed: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return full_name(name.strip()), parsed


def full_name(name: str) -> str:
    """Return "section.name" of a key that may have been given without its section.

    Raises:
        ValueError: an unknown key (the near one is suggested), or one that stands in several sections.
    """
    known = sections.keys()
    if name in known or name.startswith(OPTIONS + "."):
        return name
    homes = [full for full in known if full.split(".", 1)[1] == name]
    if len(homes) == 1:
        return homes[0]
    if homes:
        raise ValueError(f"The key {name!r} stands in several sections; say which: {', '.join(homes)}.")
    bare = {full.split(".", 1)[1]: full for full in known}
    near = difflib.get_close_matches(name, known, n=1)
    if not near:
        near = [bare[word] for word in difflib.get_close_matches(name.split(".")[-1], bare, n=1)]
    hint = f"Did you mean {near[0]!r}?" if near else "docs/training.md has the table of keys."
    raise ValueError(f"Unknown key {name!r}. {hint}")


def near_hint(word: Any, known: Any) -> str:
    """Return the sentence that suggests the near word, or nothing."""
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(part) for part in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
