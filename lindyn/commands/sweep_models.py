"""What `lindyn sweep --model` can run: one mode of Tian's theory, or the deep normalised model step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lindyn._options import ABLATIONS, DESCENT, QUANTITIES, Option
from lindyn.display.brief import Brief

DEEP = "of --model normalised"
DEEP_RANGES = DEEP + " (number, list or range)"
RANGE: dict[str, Any] = {"kind": "range", "metavar": "RANGE"}
MODE_SETTINGS = ("t1", "target", "tau_mode", "predictor", "rtol", "engine", "threads", "points")
DEEP_SETTINGS = ("n1", "n2", "steps", "tail", "seeds", "loss", "normalise", "target", "predictor", "mean", "threads",
                 "points")  # fmt: skip
DEEP_OPTIONS = (
    *(option.but(**RANGE, section=DEEP_RANGES) for option in DESCENT.values()),
    Option("n1", int, 16, "input dimension", DEEP),
    Option("n2", int, 8, "output dimension, the width of every layer", DEEP),
    Option("steps", int, 2000, "number of steps", DEEP),
    Option("tail", int, None, "the last steps, over which the squared angle is averaged (default a tenth)", DEEP),
    Option("seeds", int, 4, "random starts at every point", DEEP),
    Option("loss", str, "cosine", "the loss: squared, or cosine (of a population by its closure)", DEEP,
           ("squared", "cosine"), metavar="WORD"),
    ABLATIONS["normalise"].but(default="batchnorm", section=DEEP),
    Option("mean", str, "samples", "a minibatch's cosine loss: over its samples, or the closure of its moments", DEEP,
           ("samples", "closure"), metavar="WORD"),
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class SweepModel(Brief):
    """One model.

    Args:
        name: as --model takes it.
        ranges: the parameters it varies.
        settings: what else it takes.
        call: parameters and settings -> Dataset.
        read: Dataset -> (reading in words, models that failed).
        draw: Dataset, path, command line -> picture written.
        one: Dataset of a single run -> its numbers in words.
    """

    name: str
    ranges: frozenset[str]
    settings: tuple[str, ...]
    call: Callable[..., Any]
    read: Callable[[Any], tuple[str, int]]
    draw: Callable[[Any, Path, str], Path]
    one: Callable[[Any], str]

    def check(self, given: dict[str, Any], options: dict[str, Option]) -> None:
        """Raise ValueError for a flag that another model has.

        Args:
            given: what the flags give that is not their default, by name.
            options: all flags by name.
        """
        own = {*self.ranges, *self.settings}
        shared = {name for model in MODELS.values() for name in (*model.ranges, *model.settings)}
        for name in given:
            if name in shared - own:
                other = next(model.name for model in MODELS.values() if name in (*model.ranges, *model.settings))
                raise ValueError(f"{options[name].flag} belongs to --model {other}; got --model {self.name}.")


def _sweep_mode(**given: Any) -> Any:
    import lindyn

    return lindyn.sweep(**given)


def _read_mode(ds: Any) -> tuple[str, int]:
    from lindyn.sweeps.sweep_text import tally, words

    told = tally(ds)
    return words(ds, told), int(told["counts"][-1])


def _draw_mode(ds: Any, path: Path, command: str) -> Path:
    from lindyn.plotting.outcome_map import save_map

    return save_map(ds, path, command)


def _sweep_deep(**given: Any) -> Any:
    import lindyn

    return lindyn.sweep_descent(**given)


def _read_deep(ds: Any) -> tuple[str, int]:
    from lindyn.sweeps.descent_text import describe_descents, tally_descents

    told = tally_descents(ds)
    return describe_descents(ds, told), int(told["counts"][-1])


def _draw_deep(ds: Any, path: Path, command: str) -> Path:
    from lindyn.plotting.descent_map import save_descent_map

    return save_descent_map(ds, path, command)


def _numbers(*names: str) -> Callable[[Any], str]:
    return lambda ds: ", ".join(f"{name} = {ds[name].item():.6g}" for name in names)


MODELS = {
    model.name: model
    for model in (
        SweepModel("mode", frozenset(QUANTITIES), MODE_SETTINGS, _sweep_mode, _read_mode, _draw_mode,
                   _numbers("p", "s", "tau")),
        SweepModel("normalised", frozenset((*QUANTITIES, *DESCENT)) - {"p", "s", "tau"}, DEEP_SETTINGS, _sweep_deep,
                   _read_deep, _draw_deep, _numbers("effective_rank", "trace", "angle")),
    )
}  # fmt: skip
