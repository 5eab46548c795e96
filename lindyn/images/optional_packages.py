"""Packages of the extra `images`, asked for when they are needed."""

import importlib


def require(package: str, what: str) -> None:
    """Import an optional package.

    Raises:
        ImportError: it is not installed; the sentence says how to install it.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        known = {"sklearn": "scikit-learn", "PIL": "pillow"}[package]
        raise ImportError(f'{known} is needed for {what}; install it with pip install "lindyn[images]".') from error
