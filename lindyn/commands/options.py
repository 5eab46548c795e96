"""The options of `lindyn simulate`: one table that is read as flags, as TOML keys and as documentation."""

import argparse
import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lindyn._toml import read_tables


@dataclass(frozen=True)
class Option:
    """One option: `--name` on the command line, `name` in the TOML section.

    Args:
        section: TOML table it lives in ("" is the top).
        name: key; the flag has dashes for underscores.
        kind: float, int, str, bool, "floats" (comma-separated numbers) or "paths" (one or two file names).
        default: value when neither flag nor file gives one; None: not given.
        help: one line.
        choices: allowed words.
    """

    section: str
    name: str
    kind: Any
    default: Any
    help: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The command-line spelling."""
        return "--" + self.name.replace("_", "-")


SYSTEMS = ("weights", "gram", "correlation", "modes", "mode_weights", "parabola")
# written out, so that the help loads nothing; a test holds it to what the flows take
RULES = (
    *("direct_pred", "direct_set", "direct_copy", "linear_regression", "neumann", "visser"),
    *("newton_schulz", "newton_schulz_twice", "stiefel"),
    *("paper", "luckmatters", "directcopy", "implicit_var_reg", "richemond"),
)
PREDICTORS = ("trained", "symmetrised", "identity", *RULES)
_H, _D, _S, _F, _R, _T, _I = "hyperparameters", "data", "state", "flow", "solve", "descent", "images"

OPTIONS = (
    Option("", "system", str, "weights", "which variables: " + ", ".join(SYSTEMS), SYSTEMS),
    Option(_H, "alpha_p", float, 1.0, "learning-rate ratio predictor / online"),
    Option(_H, "beta", float, 0.4, "EMA rate of the target"),
    Option(_H, "eta", float, 0.04, "weight decay"),
    Option(_H, "eta_p", float, None, "decay of the predictor alone"),
    Option(_H, "eta_s", float, None, "decay of the online network alone"),
    Option(_D, "n1", int, 16, "input dimension"),
    Option(_D, "x", "floats", None, "eigenvalues of X (one number: isotropic; default 1)"),
    Option(_D, "x_aug", "floats", None, "eigenvalues of X' (default sigma2)"),
    Option(_D, "sigma2", float, 0.25, "variance of the augmentation, X' = sigma2 I"),
    Option(_D, "X", str, None, "file X.npy with X, n1 x n1 (give --X-aug-file too)"),
    Option(_D, "X_aug_file", str, None, "file with X', n1 x n1"),
    Option(_S, "n2", int, 8, "output dimension"),
    Option(_S, "seed", int, 0, "seed of the random initial weights"),
    Option(_S, "scale", float, 1.0, "size of the initial W (entries N(0, scale^2/n1))"),
    Option(_S, "scale_p", float, 1.0, "size of the initial W_p (entries N(0, scale_p^2/n2))"),
    Option(
        _S,
        "target_start",
        str,
        "copy",
        "W_a starts as a copy, at zero, or independent",
        ("copy", "zero", "independent"),
    ),
    Option(_S, "p", "floats", None, "initial p of the modes (default 0.5,0.3,0.1; a negative list: --p=-0.1,0.2)"),
    Option(_S, "s", "floats", None, "initial s of the modes (default 0.3,0.1,0.05)"),
    Option(_S, "tau0", "floats", None, "initial tau (default 1; 0 with --target-start zero)"),
    Option(_F, "target", str, "ema", "the target network", ("ema", "online", "frozen")),
    Option(_F, "stop_gradient", bool, True, "stop the gradient at the target branch"),
    Option(
        _F, "predictor", str, "trained", "trained, symmetrised, identity, or a closed-form rule or preset", PREDICTORS
    ),
    Option(_F, "rule", str, None, "changes of the closed-form rule, e.g. eps=0.01,ridge=0.1,rho=0.3,freq=5"),
    Option(
        _F, "statistics", str, "views", "what a closed-form rule sees: outputs, or weights alone", ("views", "weights")
    ),
    Option(_F, "tau", str, "dynamic", "tau of the correlation and mode systems", ("dynamic", "constant")),
    Option(_R, "t1", float, 100.0, "end of the run, in flow time: learning rate x steps / (1 - momentum)"),
    Option(_R, "points", int, 201, "number of times kept"),
    Option(_R, "rtol", float, 1e-10, "relative tolerance"),
    Option(_R, "engine", str, "auto", "who integrates", ("auto", "scipy", "diffrax")),
    Option(_R, "max_steps", int, 100_000, "limit on steps"),
    Option(_T, "learning_rate", float, None, "train in finite steps of this size instead of integrating"),
    Option(_T, "momentum", float, 0.0, "momentum of the finite steps"),
    Option(_T, "batch", int, None, "minibatch size of the finite steps (default: population loss)"),
    Option(
        _I, "images", "paths", None, "digits, photos, an image folder, or two .npy files of views (comma-separated)"
    ),
    Option(_I, "crop", float, None, "largest share of the side a random crop leaves out (default 0.25)"),
    Option(_I, "flip", float, None, "probability of a mirrored image (default 0)"),
    Option(_I, "noise", float, None, "standard deviation of pixel noise (default 0.1)"),
    Option(_I, "blur", float, None, "widest Gaussian blur, in pixels (default 0.7)"),
    Option(_I, "views", int, 4, "views of each image"),
    Option(_I, "size", int, None, "side of the patches of photos, or of a folder's resized images"),
    Option(_I, "patches", int, None, "number of random patches of the photos"),
    Option(_I, "remove_grey", bool, False, "subtract its own mean grey from every view"),
)
_TITLES = {
    "": "system",
    _H: "hyper-parameters (Lemma 1)",
    _D: "data (X, X')",
    _S: "initial state",
    _F: "ablations",
    _R: "solving",
    _T: "finite-step descent",
    _I: "real images",
}


def take_negative_values(parser: argparse.ArgumentParser) -> None:
    """Let `--p -0.5:1:40` be a value, not a flag (argparse knows only plain negative numbers)."""
    parser._negative_number_matcher = re.compile(r"^-\.?\d")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add every option of the table as a flag (unset flags are None, so that a file can speak)."""
    groups = {section: parser.add_argument_group(title) for section, title in _TITLES.items()}
    for option in OPTIONS:
        text = option.help + ("" if option.default is None else f" (default {_shown(option.default)})")
        extra: dict[str, Any] = {"dest": option.name, "default": None, "help": text}
        if option.kind is bool:
            extra["action"] = argparse.BooleanOptionalAction
        elif option.kind in (float, int):
            extra |= {"type": option.kind, "metavar": "N"}
        else:
            extra["metavar"] = "{" + ",".join(option.choices) + "}" if option.choices else "VALUE"
        groups[option.section].add_argument(option.flag, **extra)


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def configuration(args: argparse.Namespace) -> tuple[dict[str, Any], set[str]]:
    """Return the settings (defaults, then the TOML file, then the flags) and the names that were given.

    Raises:
        ValueError: an unknown section, key or word, a value of the wrong kind, a file that cannot be read.
    """
    given: dict[str, Any] = {}
    if args.config is not None:
        given |= read_toml(Path(args.config))
    flags = {option.name: getattr(args, option.name) for option in OPTIONS}
    given |= {name: value for name, value in flags.items() if value is not None}
    known = {option.name: option for option in OPTIONS}
    settings = {name: option.default for name, option in known.items()}
    settings |= {name: _typed(known[name], value) for name, value in given.items()}
    return settings, set(given)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys of a TOML file, each checked to stand in its section.

    Raises:
        ValueError: no such file, not TOML, an unknown section or key (the near one is suggested).
    """
    out: dict[str, Any] = {}
    for key, value in read_tables(path).items():
        if isinstance(value, dict):
            _known(path, f"section [{key}]", key, [section for section in _TITLES if section])
            names = [option.name for option in OPTIONS if option.section == key]
            for name in value:
                _known(path, f"key {name!r} in [{key}]", name, names)
            out |= value
        else:
            _known(path, f"key {key!r} outside any section", key, [o.name for o in OPTIONS if not o.section])
            out[key] = value
    return out


def _known(path: Path, what: str, name: str, allowed: list[str]) -> None:
    if name not in allowed:
        near = difflib.get_close_matches(name, allowed, n=1)
        home = next((option.section for option in OPTIONS if option.name == name), None)
        hint = f" Did you mean {near[0]!r}?" if near else f" It belongs in [{home}]." if home else ""
        raise ValueError(f"{path} has an unknown {what}.{hint} Known: {', '.join(allowed)}.")


def _typed(option: Option, value: Any) -> Any:
    """Return the value in the option's kind.

    Raises:
        ValueError: it is of another kind, or not one of the allowed words.
    """
    where = f"{option.name} ({option.flag})"
    if option.kind in ("floats", "paths"):
        return _list(where, option.kind, value)
    right = isinstance(value, option.kind) and not (option.kind is not bool and isinstance(value, bool))
    if option.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value, right = float(value), True
    if not right:
        raise ValueError(f"{where} must be of kind {option.kind.__name__}; got {value!r}.")
    if option.choices and value not in option.choices:
        near = difflib.get_close_matches(value, option.choices, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{where} must be one of {', '.join(option.choices)}; got {value!r}.{hint}")
    return value


def _list(where: str, kind: str, value: Any) -> Any:
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    if kind == "paths":
        if not all(isinstance(part, str) and part for part in parts):
            raise ValueError(f"{where} must be a name or one or two paths; got {value!r}.")
        return list(parts)
    try:
        return [float(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} must be numbers, comma-separated; got {value!r}.") from error


def to_toml(settings: dict[str, Any]) -> str:
    """Return the settings as a TOML file that gives the same run."""
    lines: list[str] = []
    for section in _TITLES:
        body = [
            f"{option.name} = {_toml(settings[option.name])}"
            for option in OPTIONS
            if option.section == section and settings.get(option.name) is not None
        ]
        if body:
            lines += ([f"[{section}]"] if section else []) + body + [""]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
