"""What training needs beside lindyn itself, asked for in one sentence."""

import importlib.util

PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "lightly": "lightly",
    "pytorch_lightning": "pytorch-lightning",
}


def require_training() -> None:
    """Raise ImportError, saying how to install them, unless every package of the extra `train` is there."""
    missing = [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ImportError(f'Training needs {", ".join(missing)}; install with pip install "lindyn[train]".')


def require(module: str, name: str, what: str) -> None:
    """Raise ImportError, saying how to install it, unless the package is there."""
    if importlib.util.find_spec(module) is None:
        raise ImportError(f'{name} is needed for {what}; install it with pip install "lindyn[train]".')
