"""What a page of the explorer shows: one table, read as flags of `lindyn explore`, as its address, as sliders."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lindyn._option_table import OptionTable
from lindyn._options import ABLATIONS, QUANTITIES, Option

VIEWS = {
    "portrait": "Portrait and map",
    "modes": "Modes over time",
    "bifurcation": "Bifurcation",
    "matrices": "Matrices",
    "normalised": "Normalised model",
    "saved": "Saved run",
}
"""View -> its tab."""
MOST_POINTS = 160_000  # of a map that is drawn while a slider moves


@dataclass(frozen=True)
class Dial:
    """A slider: the range of a quantity, and whether it runs on a log scale.

    Args:
        name: of the option.
        words: what it is called beside the slider.
        low: left end.
        high: right end.
        log: whether it is even in the logarithm.
    """

    name: str
    words: str
    low: float
    high: float
    log: bool = False


DIALS = (
    Dial("eta", "weight decay η", 0.0, 0.5),
    Dial("alpha_p", "learning-rate ratio α_p", 0.05, 50.0, log=True),
    Dial("x", "data eigenvalue x", 0.1, 3.0),
    Dial("x_aug", "augmentation σ²", 0.0, 2.0),
    Dial("tau", "target / online τ", 0.05, 2.0),
    Dial("beta", "EMA rate β", 0.001, 100.0, log=True),
    Dial("p", "start p(0)", -2.0, 2.0),
    Dial("s", "start s(0)", 1e-6, 4.0, log=True),
)
AXES = tuple(dial.name for dial in DIALS)
RANGES = {
    "eta": "0:0.3:100", "alpha_p": "log:0.1:10:100", "x": "0.2:2:100", "x_aug": "0:2:100", "tau": "0.05:1.5:100",
    "beta": "log:0.01:10:100", "p": "0:1:100", "s": "log:0.0001:1:100",
}  # fmt: skip
"""The range of a parameter that becomes an axis of the map."""


def _dialled(dial: Dial) -> Option:
    option = QUANTITIES[dial.name]
    return option.but(low=dial.low, high=dial.high, default=0.05 if dial.name == "eta" else option.default)


_MAP, _RUN, _PLANE = "the map", "runs over time", "the portrait"
OPTIONS = (
    Option("view", str, "portrait", ", ".join(VIEWS), choices=tuple(VIEWS), metavar="WORD"),
    *map(_dialled, DIALS),
    Option("target", str, "held", "tau held, or moving (an EMA)", choices=("held", "moving")),
    Option("window_p", "range", None, "window of p, LOW:HIGH:2", _PLANE),
    Option("window_s", "range", None, "window of s, LOW:HIGH:2", _PLANE),
    Option("start", "texts", [], "a trajectory through P,S; may be repeated", _PLANE, metavar="P,S"),
    Option("way", str, "both", "where trajectories go", _PLANE, choices=("both", "forward", "backward")),
    Option("across", str, "eta", f"parameter along the map: {', '.join(AXES)}", _MAP, AXES, metavar="WORD"),
    Option("up", str, "p", "parameter up the map", _MAP, AXES, metavar="WORD"),
    Option("across_range", "range", None, "its range, LOW:HIGH:COUNT or log:LOW:HIGH:COUNT", _MAP, metavar="RANGE"),
    Option("up_range", "range", None, "its range", _MAP, metavar="RANGE"),
    Option("t_map", float, 200.0, "end of the runs of the map, in flow time", _MAP, low=1.0, high=100000.0),
    Option("modes_p", "numbers", [0.5, 0.3, 0.1], "p(0) of the modes", _RUN),
    Option("modes_s", "numbers", [0.3, 0.1, 0.05], "s(0) of the modes", _RUN),
    Option("t1", float, 100.0, "end of a run, in flow time", _RUN, low=0.1, high=10000.0),
    Option("max_steps", int, 2500, "limit on steps of a run", _RUN, low=10, high=100000),
    Option("n1", int, 16, "input dimension", _RUN, low=1, high=64),
    Option("n2", int, 8, "output dimension", _RUN, low=1, high=32),
    Option("seed", int, 0, "seed of the random start", _RUN, low=0, high=9999),
    Option("network", str, "ema", "target network of matrices", _RUN, ABLATIONS["target"].choices),
    ABLATIONS["stop_gradient"].but(section=_RUN),
    Option("depth", int, 1, "layers of the normalised model", _RUN, low=1, high=4),
    ABLATIONS["loss"].but(default="cosine", choices=("squared", "cosine"), section=_RUN),
    ABLATIONS["normalise"].but(default="batchnorm", section=_RUN),
    Option("file", str, None, "saved trajectory, sweep, trace.jsonl or report.json to show", _RUN, metavar="FILE"),
)  # fmt: skip
TABLE = OptionTable(OPTIONS, titles={name: name for name in (_PLANE, _MAP, _RUN)})
Values = dict[str, Any]


def checked(values: Mapping[str, Any]) -> Values:
    """Return the values of a page, complete and each in its kind and range.

    Raises:
        ValueError: an unknown name, a value out of its range, two axes of one parameter, a map of too many points, a
            start that is none.
    """
    from lindyn import _checks  # numpy: the command's help does without

    for name in values:
        _checks.one_of("a value of the page", name, TABLE.keys)
    found = {**TABLE.defaults, **{name: TABLE.keys[name].convert(name, value) for name, value in values.items()
                                  if value is not None}}  # fmt: skip
    if found["across"] == found["up"]:
        raise ValueError(f"The map needs two parameters; across and up are both {found['up']}.")
    _check_ranges(found)
    if found["start"]:
        from lindyn.commands.phase_pictures import start_of

        for text in found["start"]:
            start = start_of(text, found["tau"] if found["target"] == "moving" else None)
            if not all(map(math.isfinite, start)) or min(start[1:]) <= 0:
                raise ValueError(f"--start must be finite with s (and tau) > 0; got {text!r}.")
    return found


def _check_ranges(found: Values) -> None:
    from lindyn.sweeps.axes import span

    count = 1
    for axis in ("across", "up"):
        text = range_of(found, axis)
        values = span(text, f"{axis}_range")
        if isinstance(values, float) or len(values) < 2:
            raise ValueError(f"{axis}_range must be a range of two values or more; got {text}.")
        low = TABLE.keys[found[axis]].low
        if low is not None and min(values) < min(low, 0.0) and found[axis] != "p":
            raise ValueError(f"{axis}_range must be >= 0; got {text}.")
        count *= len(values)
    if count > MOST_POINTS:
        raise ValueError(f"The map has {count} points; up to {MOST_POINTS} are drawn live. Lower a COUNT.")
    for name in ("window_p", "window_s"):
        if found[name] is not None:
            ends = span(found[name], name)
            if isinstance(ends, float) or not ends[0] < ends[-1] or (name == "window_s" and ends[0] < 0):
                raise ValueError(f"{name} must be LOW:HIGH:2, rising{', >= 0' if 's' in name[7:] else ''}; "
                                 f"got {found[name]}.")  # fmt: skip


def range_of(values: Mapping[str, Any], axis: str) -> str:
    """Return the range of an axis of the map, "across" or "up", as text."""
    return values[f"{axis}_range"] or RANGES[values[axis]]


def address(values: Mapping[str, Any]) -> str:
    """Return the page's state as the query of its address; what is at its default is left out."""
    pairs: list[tuple[str, str]] = []
    for name, option in TABLE.keys.items():
        value = values[name]
        if value == option.default or value is None:
            continue
        if option.kind == "texts":
            pairs += [(name, part) for part in value]
        elif option.kind == "numbers":
            pairs.append((name, ",".join(repr(part) for part in value)))
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return urlencode(pairs, safe=",:")


def of_address(query: str) -> tuple[Values, list[str]]:
    """Return (values, what was wrong in sentences) of an address; what is wrong keeps its default."""
    found: Values = {}
    wrong: list[str] = []
    for name, text in parse_qsl(query, keep_blank_values=True):
        try:
            key = TABLE.full_name(name)
            value = TABLE.keys[key].read(key, text)
            trial = found | {key: found.get(key, []) + value if TABLE.keys[key].kind == "texts" else value}
            checked(_apart(trial))
            found = trial
        except ValueError as error:
            wrong.append(f"In the address: {error}")
    try:
        return checked(found), wrong
    except ValueError as error:
        kept = {name: value for name, value in found.items() if not name.startswith(("across", "up"))}
        return checked(kept), [*wrong, f"In the address: {error}"]


def _apart(values: Values) -> Values:
    """Return the values where only one of two axes may be known yet."""
    alike = values.get("across", "eta") == values.get("up", "p")
    return {name: value for name, value in values.items() if name not in ("across", "up")} if alike else values
