"""`lindyn.sweep_matrices`: small systems of matrices over their parameters and random starts."""

from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.flows import choices
from lindyn.sweeps import axes as ax
from lindyn.sweeps.execution import execute
from lindyn.sweeps.grid import Grid
from lindyn.sweeps.matrix_plan import MatrixPlan
from lindyn.sweeps.outcome import GROWN

SYSTEMS = ("weights", "correlation")
SHARED = ("eta", "eta_p", "eta_s", "beta", "alpha_p", "x", "x_aug", "tau")
SCALES = (
    ax.Parameter("scale", "scale", "size of the initial W: entries N(0, scale^2/n1)", "1", 0.5, positive=True),
    ax.Parameter("scale_p", "scale_p", "size of the initial W_p: entries N(0, scale_p^2/n2)", "1", 1.0, positive=True),
)
TABLE = {name: ax.KNOWN[name] for name in SHARED} | {parameter.name: parameter for parameter in SCALES}


def sweep_matrices(
    *,
    eta: Any = None,
    eta_p: Any = None,
    eta_s: Any = None,
    beta: Any = None,
    alpha_p: Any = None,
    x: Any = None,
    x_aug: Any = None,
    tau: Any = None,
    scale: Any = None,
    scale_p: Any = None,
    seeds: Any = 16,
    system: str = "weights",
    n1: int = 8,
    n2: int = 8,
    t1: float = 50.0,
    target: str = "ema",
    predictor: str = "trained",
    rtol: float = 1e-8,
    max_steps: int = 100_000,
    grown: float = GROWN,
    store: Path | str | None = None,
    client: Any = None,
    threads: int | None = None,
    points: int | None = None,
    progress: bool = True,
    **unknown: Any,
) -> Any:
    """Run small matrix systems from random starts at every combination of parameters and seeds.

        ds = ld.sweep_matrices(eta=[0.0, 0.02, 0.05, 0.1], predictor="trained", seeds=32)
        ds["asymmetry"].mean("seed")

    Data are isotropic, X = x I, X' = x_aug I. A seed draws the same W and W_p at every parameter. With no axis but the
    seeds, eta runs over 0, 0.02, ..., 0.2.

    Args:
        eta: weight decay of both networks, number or axis; default 0.04.
        eta_p: decay of the predictor, instead of `eta`.
        eta_s: decay of the online network, instead of `eta`.
        beta: EMA rate of the target; default 0.4.
        alpha_p: learning-rate ratio predictor / online; default 1.
        x: variance of the data; default 1.
        x_aug: variance of the augmentation (sigma^2); default 0.25.
        tau: W_a(0) = tau W(0): a number, "copy" (1, the default), "zero" (0) or a list of these words.
        scale: size of the initial W; default 0.5.
        scale_p: size of the initial W_p; default 1.
        seeds: how many starts (0, 1, ...), or a list of seeds.
        system: "weights": (W, W_p, W_a) of Lemma 1, solved by its exact n2 x n2 reduction; "correlation": (W_p, F, tau)
            under Assumption 1, which also gives K_min.
        n1: input dimension of the initial W.
        n2: output dimension.
        t1: the end, in flow time (learning rate x steps).
        target: "ema", "online" or "frozen".
        predictor: "trained", or "symmetrised" (Assumption 3: a symmetric start and the symmetric part of the flow).
        rtol: relative tolerance of a step.
        max_steps: limit on steps of a system; beta x t1 / 3 is needed at large beta.
        grown: a living system has grown when tr F(t1) is at least this many times tr F(0).
        store: folder of a zarr store, as in `sweep`.
        client: a dask.distributed Client, as in `sweep`.
        threads: threads on this machine, default all cores.
        points: systems in a block, default 2048.
        progress: show progress on a terminal.
        unknown: any other name is refused, with the near one.

    Returns:
        `xarray.Dataset` over the axes and `seed`: alignment, asymmetry, commutator, collapse, modes_alive, outcome,
        p_max, s_max, tau, K_min, steps, status; labelled, with units, and the configuration in the attributes.

    Raises:
        ValueError: an unknown name, an empty or falling axis, a value out of range, a result that does not fit in
            memory, a store of another sweep.
        OSError: the store cannot be written; what was written is kept.
        SweepInterrupted: Ctrl-C; what was written is kept.
    """
    ax.check_names(unknown, (*TABLE, "seeds"))
    given = {
        "eta": eta, "eta_p": eta_p, "eta_s": eta_s, "beta": beta, "alpha_p": alpha_p, "x": x, "x_aug": x_aug,
        "tau": tau, "scale": scale, "scale_p": scale_p,
    }  # fmt: skip
    choices.check(target, True, predictor)
    if predictor == "identity":
        raise ValueError("predictor must be 'trained' or 'symmetrised'; got 'identity', under which nothing is learnt.")
    settings = {
        "system": _checks.one_of("system", system, SYSTEMS),
        "n1": _checks.as_whole("n1", n1),
        "n2": _checks.as_whole("n2", n2),
        "t1": _checks.as_scalar("t1", t1, minimum=0.0, exclusive=True),
        "target": target,
        "predictor": predictor,
        "rtol": _checks.as_scalar("rtol", rtol, minimum=0.0, exclusive=True),
        "max_steps": _checks.as_whole("max_steps", max_steps),
        "grown": _checks.as_scalar("grown", grown, minimum=0.0, exclusive=True),
    }
    parsed = _parameters(given, target)
    parsed["seed"] = _seed_axis(seeds)
    plan = MatrixPlan(Grid.of(parsed), settings)
    return execute(plan, store, client=client, threads=threads, points=points, progress=progress)


def _parameters(given: dict[str, Any], target: str) -> dict[str, float | ax.Axis]:
    given = {name: value for name, value in given.items() if value is not None}
    if {"eta", "eta_p", "eta_s"} <= set(given):
        raise ValueError("Give eta, or eta_p and eta_s: with both of these, eta has no meaning.")
    if target == "online" and given.get("tau", 1.0) not in (1.0, "copy"):
        raise ValueError("target='online' means tau = 1; leave tau out.")
    parsed = {name: ax.parse(name, value, TABLE[name]) for name, value in given.items()}
    if not any(isinstance(value, ax.Axis) for value in parsed.values()) and not {"eta", "eta_p", "eta_s"} & set(parsed):
        parsed["eta"] = ax.parse("eta", np.linspace(0.0, 0.2, 11))
    both = {"eta_p", "eta_s"} <= set(parsed)
    full = {name: parsed.get(name, parameter.default) for name, parameter in TABLE.items()}
    return {name: value for name, value in full.items() if value is not None and not (name == "eta" and both)}


def _seed_axis(seeds: Any) -> ax.Axis:
    """Return the axis of random starts."""
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        values = np.arange(_checks.as_whole("seeds", seeds))
    else:
        values = np.asarray(seeds)
        if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "iu" or np.any(values < 0):
            raise ValueError(f"seeds must be a whole number >= 1, or a list of whole numbers >= 0; got {seeds!r}.")
        if np.any(np.diff(values) <= 0):
            raise ValueError("seeds must increase; sort them and drop repeats.")
    return ax.Axis("seed", values.astype(np.int64), None, "random start", "1")
