"""Options, each written once: name, section, kind, default, meaning, allowed words, range and unit.

`_option_table` reads them as flags, key=value, TOML and documentation; here are one option, how its value is read with
one set of sentences, the near word for an unknown one, and the theory's own quantities, which flows, sweeps and
commands share. Loads nothing heavy: the command line is built from it.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lindyn.outputs import places

FLOW_TIME = "learning rate x steps / (1 - momentum)"
"""What the time of every flow counts: a step with momentum m moves the weights 1 / (1 - m) times as far."""
RATE = "1 / flow time"
_KINDS = {float: "a number", int: "a whole number", str: "a text", bool: "true or false", "switch": "true or false",
          "table": "a table of names and values"}  # fmt: skip


def nearest(word: Any, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one, or None where none is."""
    import difflib

    found = difflib.get_close_matches(str(word), list(known), n=1)
    return found[0] if found else None


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """Return the sentence that suggests the near word, with a space before it, or nothing."""
    near = nearest(word, known)
    return f" Did you mean {near!r}?" if near else ""


@dataclass(frozen=True)
class Option:
    """One option.

    Args:
        name: key in TOML and in the settings; the flag has dashes for underscores.
        kind: float, int, str, bool; "switch" (a flag without a value), "numbers" (a list, comma-separated), "names"
            (file names or words, comma-separated), "range" (a number, list or range as text), "texts" (a flag that may
            be repeated), "words" (a flag with several values), "table" (names and values), "any".
        default: value where none is given; None: not given.
        help: one line.
        section: TOML table it lives in ("" is the top), and its heading in the help.
        choices: allowed words.
        low: smallest value.
        high: largest value.
        unit: of the value; "1" for a pure number.
        free: whether it leaves the result as it is.
        same: other flags for the same quantity.
        metavar: what stands for the value in the help.
        path: whether the text (or a part of it) is a path, in which ~ is the home folder.
    """

    name: str
    kind: Any = float
    default: Any = None
    help: str = ""
    section: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = "1"
    free: bool = False
    same: tuple[str, ...] = ()
    metavar: str | None = None
    path: bool = False

    @property
    def flag(self) -> str:
        """The command-line spelling."""
        return flag(self.name)

    @property
    def full(self) -> str:
        """The key with its section, "optim.lr"."""
        return f"{self.section}.{self.name}" if self.section else self.name

    def but(self, **changes: Any) -> "Option":
        """Return the option with some of these changed."""
        return dataclasses.replace(self, **changes)

    def convert(self, where: str, value: Any) -> Any:
        """Return a value in the option's kind: whole numbers as floats where floats are meant, lists from one entry.

        Args:
            where: what the message calls it.
            value: from Python or TOML.

        Raises:
            ValueError: another kind, not one of the allowed words, or out of range.
        """
        if self.kind in _LISTS:
            found: list[Any] = _LISTS[self.kind](where, value)  # type: ignore
            return [places.expanded(part) for part in found] if self.path else found
        if self.kind in ("range", "any"):
            return value
        if self.kind == "table" and isinstance(value, Mapping | tuple):
            return tuple(sorted(dict(value).items()))
        kind = bool if self.kind == "switch" else self.kind
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind == "table" or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{where} must be {_KINDS[self.kind]}; got {value!r}.")
        if self.choices and value not in self.choices:
            near = did_you_mean(value, self.choices)
            raise ValueError(f"{where} must be one of {', '.join(self.choices)}; got {value!r}.{near}")
        if self.low is not None and not self.low <= value < math.inf:
            finite = "" if kind is int else "finite and "
            raise ValueError(f"{where} must be {finite}at least {self.low:g}; got {value!r}.")
        if self.high is not None and value > self.high:
            raise ValueError(f"{where} must be at most {self.high:g}; got {value:g}.")
        return places.expanded(str(value)) if self.path else value

    def read(self, where: str, text: str) -> Any:
        """Return the value of a text: of a flag, or after key=; raise ValueError as `convert` does."""
        import tomllib

        value: Any = text
        if self.kind in (float, int):
            try:
                return self.convert(where, self.kind(text))
            except (ValueError, OverflowError):
                pass  # TOML may read it, and what it reads is in the message
        marks = "'\"" if self.kind in (str, "range") else "'\"[" if self.kind in _LISTS else text[:1]
        if text[:1] in marks:
            try:
                value = tomllib.loads(f"value = {text}")["value"]
            except tomllib.TOMLDecodeError:
                value = text
        return self.convert(where, value)


def _parts(value: Any) -> list[Any]:
    return value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]


def _numbers(where: str, value: Any) -> list[float]:
    try:
        return [float(part) for part in _parts(value)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} must be numbers, comma-separated; got {value!r}.") from error


def _names(where: str, value: Any) -> list[str]:
    parts = list(_parts(value))
    if not all(isinstance(part, str) and part for part in parts):
        raise ValueError(f"{where} must be a name or one or two paths; got {value!r}.")
    return parts


def _texts(where: str, value: Any) -> list[str]:
    return _names(where, [value] if isinstance(value, str) else value)


_LISTS = {"numbers": _numbers, "names": _names, "texts": _texts, "words": _texts}


def flag(name: str) -> str:
    """Return the command-line spelling of a name."""
    return "--" + name.replace("_", "-")


def declared(default: Any, text: str, choices: tuple[str, ...] = (), **more: Any) -> Any:
    """Declare an option as a field of a dataclass; its name, section and kind are the field's (see `options_of`)."""
    return dataclasses.field(default=default, metadata={"help": text, "choices": choices, **more})


def options_of(section: str, cls: type) -> tuple[Option, ...]:
    """Return the options that a dataclass declares."""
    return tuple(
        Option(f.name, "table" if f.default == () else type(f.default), f.default, section=section, **f.metadata)
        for f in dataclasses.fields(cls)
    )


def agree(spelled: Mapping[str, Any]) -> None:
    """Raise ValueError where spellings of one quantity were given different values."""
    names, values = [flag(name) for name in spelled], list(spelled.values())
    if any(_number(value) != _number(values[0]) for value in values[1:]):
        got = " and ".join(f"{name} {shown(value)}" for name, value in zip(names, values, strict=True))
        raise ValueError(f"{' and '.join(names)} are one quantity; got {got}. Give one of them.")


def _number(value: Any) -> Any:
    try:
        return float(value[0] if isinstance(value, list) and len(value) == 1 else value)
    except (TypeError, ValueError):
        return value


def spelled(option: Option, value: Any) -> str:
    """Return the flag that gives an option its value, as one would type it."""
    import shlex

    if option.kind in (bool, "switch"):
        return option.flag if value else "--no-" + option.flag.removeprefix("--")
    parts = value if isinstance(value, list | tuple) else [value]
    text = [
        f"{part:.12g}" if isinstance(part, float) and float(f"{part:.12g}") == part else str(part) for part in parts
    ]
    if option.kind == "texts":
        return " ".join(f"{option.flag} {shlex.quote(part)}" for part in text)
    return f"{option.flag} {shlex.quote(','.join(text))}"


def shown(value: Any) -> str:
    """Return a value as the help shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


QUANTITIES = {
    option.name: option
    for option in (
        Option("eta", float, 0.04, "weight decay of both networks", unit=RATE),
        Option("eta_p", float, None, "weight decay of the predictor", unit=RATE),
        Option("eta_s", float, None, "weight decay of the online network", unit=RATE),
        Option("beta", float, 0.4, "EMA rate of the target", unit=RATE),
        Option("alpha_p", float, 1.0, "learning-rate ratio predictor / online"),
        Option("x", float, 1.0, "eigenvalue of the moment X of the data"),
        Option("x_aug", float, 0.25, "eigenvalue of the moment X' of the augmentation (sigma^2)", same=("sigma2",)),
        Option("p", float, 0.15, "initial predictor eigenvalue p(0)"),
        Option("s", float, 0.03, "initial eigenvalue s(0) of F = W W^T"),
        Option("tau", float, 1.0, "initial target / online ratio tau(0)"),
    )
}
"""The theory's own quantities with their defaults: rates of Tian et al. 2021, Fig. 5, and the start of a mode."""
DEFAULTS = {name: option.default for name, option in QUANTITIES.items()}

DESCENT = {
    option.name: option
    for option in (
        Option("learning_rate", float, 0.05, "step of the online network"),
        Option("gamma_a", float, 0.99, "EMA parameter of the target, W_a <- gamma_a W_a + (1 - gamma_a) W"),
        Option("momentum", float, 0.0, "heavy-ball momentum"),
        Option("depth", int, 3, "layers of the projector, each n2 wide"),
        Option("batch", int, 0, "minibatch size (0: the population)"),
        Option("x_power", float, 1.0, "X has eigenvalues x k^-x_power, k = 1 ... n1"),
        Option("scale", float, 1.0, "size of the initial layers: entries N(0, scale^2/columns)"),
        Option("scale_p", float, 1.0, "size of the initial W_p: entries N(0, scale_p^2/n2)"),
    )
}
"""What a sweep of finite steps of the deep model varies besides."""

ABLATIONS = {
    option.name: option
    for option in (
        Option("target", str, "ema", "the target network", choices=("ema", "online", "frozen")),
        Option("stop_gradient", bool, True, "stop the gradient at the target branch"),
        Option("predictor", str, "trained",
               "trained, symmetrised, identity, or a closed-form rule or preset (list: all)"),
        Option("statistics", str, "views", "what a closed-form rule sees: outputs, or weights alone",
               choices=("views", "weights")),
        Option("loss", str, "squared", "the loss: squared, cosine (by the closure), cosine-exact (modes only)",
               choices=("squared", "cosine", "cosine-exact")),
        Option("normalise", str, "none", "BatchNorm at the end of the online and of the target network",
               choices=("none", "batchnorm")),
        Option("tau", str, "dynamic", "tau of the correlation and mode systems", choices=("dynamic", "constant")),
        Option("target_start", str, "copy", "W_a starts as a copy, at zero, or independent",
               choices=("copy", "zero", "independent")),
    )
}  # fmt: skip
"""What is left out or put in another's place: the choices of a flow and of its start, with their defaults."""
PREDICTORS = ("trained", "symmetrised", "identity")
"""The choices of predictor that are no closed-form rule."""
