"""Finite steps of many deep models: the step of `descend`, recorded from `DeepFlow` once per form and run in blocks.

Minibatches are Gaussian views x_i = xbar + n_i. A seed draws the same start and the same samples whatever the other
parameters are: the numbers of a step are `default_rng([seed, STREAM]).standard_normal((3, n1, batch))`, for xbar, n_1
and n_2 each in the eigenbasis of X and X'.
"""

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief
from lindyn.flows.deep import DeepFlow
from lindyn.flows.deep_states import DeepWeightState
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.operators import Diagonal
from lindyn.solve.lanes.eight import ABREAST
from lindyn.solve.lanes.tape import Program, Tape, Traced
from lindyn.solve.lanes.tape_blocks import Block, fits_abreast
from lindyn.solve.one_step import as_seen, minibatch, move_target, move_weights
from lindyn.solve.reductions import StructuredMoments

RATES = ("learning_rate", "momentum", "gamma_a", "alpha_p", "eta_p", "eta_s")
DRAWN = ("z", "z_1", "z_2")
STREAM = 0xDE5C
AT_ONCE = 1 << 18
"""Random numbers held at a time."""
STRETCH = 1000
"""Steps of a population between two looks at whether anything is finite."""


@dataclass(frozen=True, repr=False)
class ModelForm(Brief):
    """What makes two models take the same operations.

    Args:
        n1: input dimension.
        n2: output dimension and width of the layers.
        depth: number of layers.
        batch: minibatch size, 0 for the population.
        choices: of the flow: target, predictor, loss, normalise, stop_gradient, as pairs.
        mean: of a minibatch, see `descend`.
    """

    n1: int
    n2: int
    depth: int
    batch: int
    choices: tuple[tuple[str, Any], ...]
    mean: str = "samples"

    @property
    def flow(self) -> DeepFlow:
        """The flow with these choices; its rates and data are the recorded ones, or those of each point."""
        return DeepFlow(Hyperparameters(), Moments.isotropic(self.n1, 1.0), **dict(self.choices))

    @property
    def abreast(self) -> bool:
        """Whether the systems run eight abreast."""
        return fits_abreast(self.n2, self.n1)


def each(function: Any, *trees: Any) -> Any:
    """Return a function's values on every array of tuples, or of arrays."""
    if isinstance(trees[0], tuple):
        return tuple(each(function, *parts) for parts in zip(*trees, strict=True))
    return function(*trees)


@functools.cache
def recorded(form: ModelForm) -> Program:
    """Return the step of a form as a program."""
    tape = Tape()
    rates = {name: tape.input(name, (1, 1), steady=True) for name in RATES}
    hp = Hyperparameters._unchecked(beta=0.0, **{name: rates[name] for name in ("alpha_p", "eta_p", "eta_s")})
    x, x_aug = (tape.input(name, (1, form.n1), steady=True) for name in ("x", "x_aug"))
    flow = form.flow._replace(hp=hp, data=StructuredMoments._unchecked(X=Diagonal(x), X_aug=Diagonal(x_aug)))
    y = _state(tape, form)
    v = {"Ws": tuple(tape.input(f"v_{k}", W.shape) for k, W in enumerate(y.Ws, 1)),
         "W_p": tape.input("v_p", y.W_p.shape)}  # fmt: skip
    seen = minibatch(flow, *_views(tape, form, flow), mean=form.mean) if form.batch else flow
    moved, v_moved = move_weights(y, v, seen(0.0, y), y.roles[0], rates["learning_rate"], rates["momentum"], each)
    moved = move_target(flow, moved, rates["gamma_a"], each)
    ends = {f"v_{k}": V for k, V in enumerate(v_moved["Ws"], 1)} | {"v_p": v_moved["W_p"]} | moved.blocks()
    return tape.program({name: end for name, end in ends.items() if flow.target == "ema" or "W_a" not in name})


def _state(tape: Tape, form: ModelForm) -> DeepWeightState:
    """Return the layers, the predictor and the target's layers as inputs."""
    columns = (form.n1, *[form.n2] * (form.depth - 1))
    Ws, W_as = (
        tuple(tape.input(f"{name}_{k}", (form.n2, n)) for k, n in enumerate(columns, 1)) for name in ("W", "W_a")
    )
    return DeepWeightState._unchecked(Ws=Ws, W_p=tape.input("W_p", (form.n2, form.n2)), W_as=W_as)


def _views(tape: Tape, form: ModelForm, flow: DeepFlow) -> tuple[Traced, Traced]:
    """Return the two views of a minibatch as the outputs see them."""
    root, root_aug = (tape.input(name, (form.n1, 1), steady=True) for name in ("root", "root_aug"))
    z, z_1, z_2 = (tape.input(name, (form.n1, form.batch)) for name in DRAWN)
    mean = root * z
    return as_seen(flow, (mean + root_aug * z_1, mean + root_aug * z_2))


@dataclass(frozen=True, repr=False)
class Systems(Brief):
    """Models of one form.

    Args:
        form: what they share.
        start: their states, an array (systems, rows, columns) by its name in `DeepWeightState.blocks`.
        rates: `RATES`, a number per system each.
        x: eigenvalues of X, (systems, n1).
        x_aug: of X'.
        seeds: of their samples.
    """

    form: ModelForm
    start: dict[str, np.ndarray]
    rates: dict[str, np.ndarray]
    x: np.ndarray
    x_aug: np.ndarray
    seeds: np.ndarray

    def tasks(self, threads: int = 1) -> list[list[np.ndarray]]:
        """Return the systems that are worked on in one go, in blocks: of one seed where samples are drawn.

        Samples are drawn once for up to eight blocks, for fewer where some of the threads would have nothing to do.
        """
        width = ABREAST if self.form.abreast else 1
        if not self.form.batch:
            return [[part] for part in _parts(np.arange(len(self.seeds)), width)]
        same = [np.flatnonzero(self.seeds == seed) for seed in np.unique(self.seeds)]
        tasks = math.ceil(2 * threads / len(same)) if threads > 1 else 1  # of a seed, at least
        blocks = min(8, max(1, max(map(len, same)) // (tasks * width)))
        return [_parts(part, width) for group in same for part in _parts(group, blocks * width)]


def _parts(indices: np.ndarray, size: int) -> list[np.ndarray]:
    return [indices[k : k + size] for k in range(0, len(indices), size)]


def solve(systems: Systems, steps: int, tail: int, threads: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Take finite steps with many models.

    Args:
        systems: the models.
        steps: how many steps.
        tail: the last of them, over which the squared angles are averaged.
        threads: threads; the result does not depend on them.

    Returns:
        The final states by name, and the root mean square angle per step in radians of all layers together and of W_p,
        (systems, 2).
    """
    end = {name: np.empty_like(values) for name, values in systems.start.items()}
    angles = np.empty((len(systems.seeds), 2))

    def work(parts: list[np.ndarray]) -> None:
        blocks = [_block(systems, part) for part in parts]
        turning = [block.tracked((_online(systems.form), ("W_p",))) for block in blocks]
        _march(systems, blocks, turning, steps, tail, int(systems.seeds[parts[0][0]]))
        for part, block, (*_, sums) in zip(parts, blocks, turning, strict=True):
            angles[part] = np.sqrt(sums.T[: len(part)] / tail)
            for name in end:
                end[name][part] = block.get(name)[: len(part)]

    tasks = systems.tasks(threads)
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            work(task)
    else:
        _block(systems, tasks[0][0])  # compiles once: what is done before the first step runs in the same loop
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, tasks))
    return end, angles


def _online(form: ModelForm) -> tuple[str, ...]:
    return tuple(f"W_{k}" for k in range(1, form.depth + 1))


def _block(systems: Systems, part: np.ndarray) -> Block:
    """Return a block at its start."""
    form = systems.form
    block = Block(recorded(form), form.abreast)
    for name, values in systems.start.items():
        block.put(name, values[part])
    for name, values in systems.rates.items():
        block.put(name, values[part][:, None, None])
    for name, values in (("x", systems.x), ("x_aug", systems.x_aug)):
        block.put(name, values[part][:, None, :])
    if form.batch:
        for name, values in (("root", systems.x), ("root_aug", systems.x_aug)):
            block.put(name, np.sqrt(values[part])[:, :, None])
    block.prepare()
    return block


def _march(systems: Systems, blocks: list[Block], turning: list[Any], steps: int, tail: int, seed: int) -> None:
    """Take all steps of blocks that see the same samples; stop where nothing in any of them is finite."""
    form = systems.form
    drawn, stretch, rng = None, STRETCH, np.random.default_rng([seed, STREAM])
    if form.batch:
        stretch = max(1, AT_ONCE // (3 * form.n1 * form.batch))
    for first in range(0, steps, stretch):
        count = min(stretch, steps - first)
        if form.batch:
            drawn = rng.standard_normal((count, 3, form.n1 * form.batch))
        for block, turned in zip(blocks, turning, strict=True):
            block.march(count, drawn, DRAWN if form.batch else (), max(0, steps - tail - first), turned)
        if not any(np.isfinite(block.get("W_p")).all(axis=(1, 2)).any() for block in blocks):
            break
