"""The options of `lindyn simulate`, and how its settings come from defaults, a TOML file and flags."""

import argparse
from pathlib import Path
from typing import Any

from lindyn import _options
from lindyn._option_table import OptionTable
from lindyn._options import ABLATIONS, FLOW_TIME, QUANTITIES, Option
from lindyn._systems import SYSTEMS

SAME = ("x_aug", "sigma2")  # two spellings of one quantity; a list of eigenvalues goes before one variance


def _in(section: str, *options: Option) -> tuple[Option, ...]:
    return tuple(option.but(section=section) for option in options)


TABLE = OptionTable(
    (
        Option("system", str, "weights", f"which variables: {', '.join(SYSTEMS)} (list: of every package)"),
        *_in("hyperparameters", *(QUANTITIES[name] for name in ("alpha_p", "beta", "eta", "eta_p", "eta_s"))),
        *_in(
            "data",
            Option("n1", int, 16, "input dimension"),
            Option("x", "numbers", None, "eigenvalues of X (one number: isotropic; default 1)"),
            Option("x_aug", "numbers", None, "eigenvalues of X' (default sigma2)"),
            Option("sigma2", float, QUANTITIES["x_aug"].default, "variance of the augmentation, X' = sigma2 I"),
            Option("X", str, None, "file X.npy with X, n1 x n1 (give --X-aug-file too)", path=True),
            Option("X_aug_file", str, None, "file with X', n1 x n1", path=True),
        ),
        *_in(
            "state",
            Option("n2", int, 8, "output dimension"),
            Option("depth", int, 3, "layers of the projector of --system deep"),
            Option("hidden", int, None, "width between the layers of --system deep (default n2)"),
            Option("seed", int, 0, "seed of the random initial weights"),
            Option("scale", float, 1.0, "size of the initial W (entries N(0, scale^2/n1))"),
            Option("scale_p", float, 1.0, "size of the initial W_p (entries N(0, scale_p^2/n2))"),
            ABLATIONS["target_start"],
            Option("p", "numbers", None, "p(0) of the modes (default 0.5,0.3,0.1; a negative list: --p=-0.1,0.2)"),
            Option("s", "numbers", None, "s(0) of the modes (default 0.3,0.1,0.05)"),
            Option("tau0", "numbers", None, "tau(0) (default 1; 0 with --target-start zero)"),
        ),
        *_in(
            "flow",
            *(ABLATIONS[name] for name in ("target", "stop_gradient", "predictor")),
            Option("rule", str, None, "changes of the closed-form rule, e.g. eps=0.01,ridge=0.1,rho=0.3,freq=5"),
            *(ABLATIONS[name] for name in ("statistics", "loss", "normalise", "tau")),
        ),
        *_in(
            "solve",
            Option("t1", float, 100.0, f"end of the run, in flow time: {FLOW_TIME}"),
            Option("points", int, 201, "number of times kept"),
            Option("rtol", float, 1e-10, "relative tolerance"),
            Option("engine", str, "auto", "who integrates", choices=("auto", "scipy", "diffrax")),
            Option(
                "solver", str, "auto", "how: explicit (tsit5, dopri8), stiff (implicit), auto (stiff where it pays)",
                choices=("auto", "tsit5", "dopri8", "stiff"),
            ),
            Option("max_steps", int, 100_000, "limit on steps"),
        ),
        *_in(
            "descent",
            Option("learning_rate", float, None, "train in finite steps of this size instead of integrating"),
            Option("momentum", float, 0.0, "momentum of the finite steps"),
            Option("batch", int, None, "minibatch size of the finite steps (default: population loss)"),
        ),
        *_in(
            "images",
            Option(
                "images", "names", None,
                "digits, photos, an image folder, or two .npy files of views (comma-separated)", path=True,
            ),
            Option("crop", float, None, "largest share of the side a random crop leaves out (default 0.25)"),
            Option("flip", float, None, "probability of a mirrored image (default 0)"),
            Option("noise", float, None, "standard deviation of pixel noise (default 0.1)"),
            Option("blur", float, None, "widest Gaussian blur, in pixels (default 0.7)"),
            Option("views", int, 4, "views of each image"),
            Option("size", int, None, "side of the patches of photos, or of a folder's resized images"),
            Option("patches", int, None, "number of random patches of the photos"),
            Option("remove_grey", bool, False, "subtract its own mean grey from every view"),
        ),
    ),
    titles={
        "": "system",
        "hyperparameters": "hyper-parameters (Lemma 1)",
        "data": "data (X, X')",
        "state": "initial state",
        "flow": "ablations",
        "solve": "solving",
        "descent": "finite-step descent",
        "images": "real images",
    },
)  # fmt: skip


def check_paths(settings: dict[str, Any]) -> None:
    """Raise ValueError for a file or folder that is not there, before anything heavy is loaded."""
    for name in ("X", "X_aug_file"):
        if settings[name] is not None and not Path(settings[name]).is_file():
            raise ValueError(f"Cannot read {settings[name]}: it must be an .npy file of numbers (no such file).")
    images = [Path(name) for name in settings["images"] or ()]
    if len(images) == 1 and len(images[0].parts) > 1 and not images[0].exists():
        raise ValueError(f"images must be an existing folder; {str(images[0])!r} does not exist. Check the path.")
    for path in images if len(images) == 2 else ():
        if not path.is_file():
            raise ValueError(f"images must be two .npy files of views; there is no file {path}.")


IMAGES = {option.name for option in TABLE.options if option.section == "images"}


def configuration(args: argparse.Namespace) -> tuple[dict[str, Any], set[str]]:
    """Return the settings (defaults, then the TOML file, then the flags) and the names that were given.

    Raises:
        ValueError: an unknown section, key or word, a value of the wrong kind, a file that cannot be read, or --x-aug
            and --sigma2 that differ.
    """
    flags = TABLE.given(args)
    spelled = {name: flags[name] for name in SAME if name in flags}
    _options.agree(spelled)
    given = {} if args.config is None else TABLE.read_toml(Path(args.config))
    if spelled:  # a flag replaces the file's value of the same quantity, however either spells it
        given = {name: value for name, value in given.items() if name not in SAME}
    given |= flags
    return TABLE.defaults | TABLE.collected(given), set(given)
