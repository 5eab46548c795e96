"""Reads a TOML file that a user wrote."""

import tomllib
from pathlib import Path
from typing import Any


def read_tables(path: Path, what: str = "the configuration") -> dict[str, Any]:
    """Return what a TOML file holds.

    Args:
        path: of the file.
        what: the file is, for the message.

    Raises:
        ValueError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"Cannot read {what} {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}.") from error
