"""`lindyn.sweep_descent`: finite steps of the deep normalised model over rates, depth, batch, seeds and spectra."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn._linalg import available_cores
from lindyn.display.brief import Brief
from lindyn.flows.deep_states import DeepWeightState
from lindyn.sweeps import axes as ax
from lindyn.sweeps import descent_parameters, descent_reading
from lindyn.sweeps.axes import Grid
from lindyn.sweeps.execution import execute
from lindyn.sweeps.plan import Variable

POINTS = 1024
CHOICES = ("target", "predictor", "loss", "normalise")


@dataclass(frozen=True, eq=False, repr=False)
class DescentPlan(Brief):
    """A sweep of finite steps of deep models.

    Args:
        grid: the parameters of `TABLE`, and seed.
        settings: n1, n2, steps, tail, target, predictor, loss, normalise, mean, target_start, spectra.
    """

    grid: Grid
    settings: dict[str, Any]
    title: str = "lindyn sweep of finite steps of the deep model, with the cosine loss and BatchNorm where chosen"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays of the result."""
        return descent_reading.VARIABLES

    @property
    def points(self) -> int:
        """How many points a block should have."""
        return POINTS

    def compute(self, region: tuple[slice, ...], threads: int | None = None) -> dict[str, np.ndarray]:
        """Return every variable over a region of the grid."""
        given, shape = self.grid.values(region)
        whole = np.stack([given[name] for name in descent_parameters.WHOLE])
        forms, which = np.unique(whole, axis=1, return_inverse=True)
        told = {v.name: np.empty(len(given["seed"]), v.dtype) for v in self.variables}
        for number, (depth, batch) in enumerate(forms.T.astype(int)):
            here = np.flatnonzero(which.ravel() == number)
            found = self._solve(int(depth), int(batch), {name: values[here] for name, values in given.items()}, threads)
            for name, values in found.items():
                told[name][here] = values
        return {name: values.reshape(shape) for name, values in told.items()}

    def _solve(self, depth: int, batch: int, given: dict[str, np.ndarray], threads: int | None) -> dict[str, Any]:
        """Return every variable of models of one depth and batch."""
        from lindyn.sweeps import descent_kernel

        told = self.settings
        chosen = tuple((name, told[name]) for name in CHOICES)
        form = descent_kernel.ModelForm(told["n1"], told["n2"], depth, batch, chosen, told["mean"])
        x, x_aug = self._spectra(given)
        rates, start = self._rates(given), self._start(depth, given)
        systems = descent_kernel.Systems(form, start, rates, x, x_aug, given["seed"])
        end, angles = descent_kernel.solve(systems, told["steps"], told["tail"], threads or available_cores())
        return descent_reading.read(end, start, angles, rates, x, x_aug, told)

    def _rates(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what a step is taken with."""
        rates = {name: given[name] for name in ("learning_rate", "momentum", "alpha_p")}
        for name in ("eta_p", "eta_s"):
            rates[name] = given[name] if name in given else given["eta"]
        gamma_a = np.ones(len(given["seed"]))
        if "beta" in given:
            gamma_a = 1 - given["learning_rate"] / (1 - given["momentum"]) * given["beta"]
        return rates | {"gamma_a": given.get("gamma_a", gamma_a)}

    def _spectra(self, given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the eigenvalues of X and X', (systems, n1) each."""
        n1, named = self.settings["n1"], list(self.settings["spectra"].values())
        x_aug = given["x_aug"] if "x_aug" in given else np.zeros(len(given["seed"]))
        if not named:
            power = np.arange(1, n1 + 1.0) ** -given["x_power"][:, None]
            return given["x"][:, None] * power, np.repeat(x_aug[:, None], n1, axis=1)
        which = given["x"].astype(int) if "x" in given else np.zeros(len(given["seed"]), int)
        x = np.array([pair[0] for pair in named])[which]
        if named[0][1] is None:
            return x, np.repeat(x_aug[:, None], n1, axis=1)
        return x, np.array([pair[1] for pair in named])[which]

    def _start(self, depth: int, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the initial states: one draw a seed, the same at every other parameter, then scaled."""
        told = self.settings
        seeds, where = np.unique(given["seed"], return_inverse=True)
        drawn = [start(told["n2"], told["n1"], depth, int(seed), told["predictor"], told["target_start"]).blocks()
                 for seed in seeds]  # fmt: skip
        stacked = {name: np.stack([each[name] for each in drawn])[where] for name in drawn[0]}
        scale = {name: given["scale_p" if name == "W_p" else "scale"][:, None, None] for name in stacked}
        if told["predictor"] == "identity":
            scale["W_p"] = np.ones((len(where), 1, 1))
        return {name: scale[name] * values for name, values in stacked.items()}


def start(n2: int, n1: int, depth: int, seed: int, predictor: str, target: str) -> DeepWeightState:
    """Return the state of unit scales from which a model of this seed starts."""
    y = DeepWeightState.random(n2, n1, depth, seed=seed, target=target, symmetric_predictor=predictor == "symmetrised")
    return y._replace(W_p=np.eye(n2)) if predictor == "identity" else y


def sweep_descent(
    *,
    learning_rate: Any = None,
    eta: Any = None,
    eta_p: Any = None,
    eta_s: Any = None,
    alpha_p: Any = None,
    gamma_a: Any = None,
    beta: Any = None,
    momentum: Any = None,
    depth: Any = None,
    batch: Any = None,
    x: Any = None,
    x_power: Any = None,
    x_aug: Any = None,
    scale: Any = None,
    scale_p: Any = None,
    seeds: Any = 4,
    n1: int = 16,
    n2: int = 8,
    steps: int = 2000,
    tail: int | None = None,
    loss: str = "cosine",
    normalise: str = "batchnorm",
    target: str = "ema",
    predictor: Any = "trained",
    mean: str = "samples",
    target_start: str = "copy",
    store: Any = None,
    client: Any = None,
    threads: int | None = None,
    points: int | None = None,
    progress: bool = True,
    **unknown: Any,
) -> Any:
    """Train the deep model step by step at every combination of parameters, and read its outputs at the end.

        ds = ld.sweep_descent(learning_rate=np.geomspace(0.01, 1, 9), eta=np.geomspace(1e-3, 0.1, 9), depth=[1, 3])
        ds["effective_rank"].mean("seed")

    The steps are those of `descend` of a `DeepFlow`, W = W_L ... W_1 with layers of width n2, on diagonal X and X':
    v <- momentum v + dW/dt, W <- W + learning_rate v, W_a <- gamma_a W_a + (1 - gamma_a) W; rates are constant. A seed
    draws the same start and the same samples at every parameter. With no axis but the seeds, learning_rate runs over
    0.01 ... 1 and eta over 0.001 ... 0.1.

    Args:
        learning_rate: step of the online network, number or axis; default 0.05.
        eta: weight decay of both networks, as a part of the gradient; default 0.04.
        eta_p: decay of the predictor (alpha_p times that of its optimiser), instead of `eta`.
        eta_s: decay of the layers, instead of `eta`.
        alpha_p: learning-rate ratio predictor / online; default 1.
        gamma_a: EMA parameter of an "ema" target, 0 ... 1; default 0.99.
        beta: EMA rate, instead of gamma_a = 1 - learning_rate beta / (1 - momentum).
        momentum: heavy-ball momentum, 0 <= momentum < 1; default 0.
        depth: number L of layers; default 3.
        batch: minibatch size, None or 0 for the population (a cosine loss by its closure); default the population. A
            minibatch is of Gaussian views; a cosine loss takes the mean over its samples, BatchNorm its statistics.
        x: largest eigenvalue of X, a number; or the spectrum, n1 numbers; or a pair (x, x_aug) of spectra; or an axis
            of these, {"name": spectrum or pair, ...}. Default 1.
        x_power: X has eigenvalues x k^-x_power; number or axis; default 1.
        x_aug: eigenvalue of X', the same for all modes, number or axis; default 0.25.
        scale: size of the initial layers; default 1.
        scale_p: size of the initial W_p; default 1.
        seeds: how many starts (0, 1, ...), or a list of seeds.
        n1: input dimension.
        n2: output dimension, the width of every layer.
        steps: number of steps.
        tail: the last steps, over which the squared angle is averaged; default a tenth of all.
        loss: "cosine" or "squared".
        normalise: "batchnorm" or "none".
        target: "ema", "online" or "frozen".
        predictor: "trained", "symmetrised" or "identity".
        mean: of a minibatch's cosine loss: over its "samples", or by the "closure" of its moments.
        target_start: "copy", "zero" or "independent".
        store: folder of a zarr store, as in `sweep`.
        client: a dask.distributed Client, as in `sweep`.
        threads: threads on this machine, default all cores.
        points: models in a block, default 1024.
        progress: show progress on a terminal.
        unknown: any other name is refused, with the near one.

    Returns:
        `xarray.Dataset` over the axes and `seed`: effective_rank, trace, norm_W, norm_W_p, angle, angle_p, angle_rest,
        living, outcome, p_max, s_max, tau, status; labelled, with units, and the configuration in the attributes.

    Raises:
        ValueError: an unknown name, an empty or falling axis, a value out of range, a closed-form predictor, a result
            that does not fit in memory, a store of another sweep.
        OSError: the store cannot be written; what was written is kept.
        SweepInterrupted: Ctrl-C; what was written is kept.
    """
    asked = locals()
    for name in unknown:
        descent_parameters.near(name)
    given = {name: asked[name] for name in descent_parameters.TABLE}
    plan = plan_of(given, {name: asked[name] for name in descent_parameters.SETTINGS}, seeds)
    return execute(plan, store, client=client, threads=threads, points=points, progress=progress)


def plan_of(given: dict[str, Any], told: dict[str, Any], seeds: Any) -> DescentPlan:
    """Return the plan of parameters, settings and seeds, checked; raise ValueError as `sweep_descent` does."""
    settings = descent_parameters.settings(told)
    parsed, spectra = descent_parameters.parameters(given, settings)
    return DescentPlan(Grid.of(parsed | {"seed": ax.seed_axis(seeds)}), settings | {"spectra": spectra})
