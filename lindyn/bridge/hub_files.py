"""Checkpoints of the Hugging Face hub by name: `hf://user/repo`, `hf://user/repo/file`, or a plain `user/repo`."""

import re
from pathlib import Path

from lindyn.outputs.places import CHECKPOINTS, ENDINGS

PREFIX = "hf://"
_PLAIN = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_WANTED = [*(f"*{ending}" for ending in CHECKPOINTS), "config.json", "*.index.json", "trace.jsonl", "run.toml"]
REVISION = "main"


def is_named(word: str) -> bool:
    """Return whether a word names a model of the hub: by its prefix, or as user/repo where there is no such path."""
    if word.startswith(PREFIX):
        return True
    first = Path(word).parts[:1]
    return bool(
        _PLAIN.fullmatch(word)
        and not word.lower().endswith(ENDINGS)
        and not Path(word).exists()
        and not (first and Path(first[0]).exists())
    )


def fetched(word: str) -> Path:
    """Return the local path of a model of the hub, fetched if it is not in the cache.

    Args:
        word: hf://user/repo, hf://user/repo@revision, hf://user/repo/file, or user/repo.

    Returns:
        The file, or the folder of the repository with its checkpoints.

    Raises:
        ValueError: no such name, or it cannot be fetched, e.g. without a network.
        ImportError: huggingface_hub is missing.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            f"{word} is a name of the Hugging Face hub, which needs huggingface_hub; install it with "
            'pip install "lindyn[hub]".'
        ) from error
    parts = word.removeprefix(PREFIX).split("/", 2)
    if len(parts) < 2 or not all(parts):
        raise ValueError(f"A model of the hub is hf://user/repo or hf://user/repo/file; got {word}.")
    name, _, revision = parts[1].partition("@")
    repository, revision = f"{parts[0]}/{name}", revision or REVISION
    try:
        if len(parts) == 3:
            return Path(huggingface_hub.hf_hub_download(repository, parts[2], revision=revision))
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=_WANTED))
    except Exception as error:  # whatever the hub's client has for no network, no such model, no permission
        said = " ".join(str(error).split())
        reason = said if len(said) <= 160 else said[:157] + "..."
        raise ValueError(
            f"{word} is no path here, and the model {repository} of the Hugging Face hub could not be fetched: {reason}"
        ) from error
