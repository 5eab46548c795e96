"""The linear theory of a run of `lindyn train`: beside its checkpoints, and of the untrained network before training.

Beside: where the network is the paper's (backbone "linear", no projector, squared distance, SGD) nothing is fitted and
nothing approximated but two things: the flow is the limit of small steps and of large batches. Elsewhere the last
linear layer of the projector stands for W and the features before it, frozen at one checkpoint, for the input.

Before: the theory's input is what the untrained network's projector gives for two views of the same images, every
vector scaled to length one (the loss compares directions only). Lemma 1 runs for the flow time of the whole training.
An input direction (the leading ones of X + X', to 99 % of its trace) is alive if W answers it with at least a tenth of
what it did at the start. A two-layer predictor has no place in the linear theory; a linear one with torch's initial
weights stands for it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _files, statistics
from lindyn.bridge.run import flow
from lindyn.bridge.run.clock import FlowClock, at_the_peak
from lindyn.bridge.run.flow import Motion, WeightStart
from lindyn.bridge.run.rates import hyperparameters, step_time
from lindyn.bridge.run.start import moments, of_features, weights_along
from lindyn.bridge.torch_defaults import under_plain_defaults
from lindyn.bridge.training import run_folder, trainer
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import Source
from lindyn.bridge.training.method import OVER_J, SIDES_OVER_J
from lindyn.bridge.training.networks import PredictorKind
from lindyn.bridge.training.run_folder import Run
from lindyn.bridge.training.two_view_network import TwoViewNetwork
from lindyn.display.brief import Brief
from lindyn.flows import WeightFlow, rules
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.states import WeightState

METHOD = 1  # to be raised when the prediction changes: it is then made again for runs that are finished
LEADING = 0.99  # share of tr(X + X') whose directions are counted
ALIVE = 0.1  # of |W v|^2 at the start
LIVES, COLLAPSES = 0.5, 0.1  # share of directions alive
STEP = 0.25  # of flow time, where a closed-form rule sets W_p


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Brief):
    """A run's weights at its checkpoints beside the flow from the same start.

    Args:
        config: of the run.
        flow: `WeightFlow` with the run's rates and moments.
        ts: flow time of every checkpoint.
        steps: optimiser step of every checkpoint.
        measured: (W, W_p, W_a) of the network, stacked.
        theory: the same of the flow, at the same times.
        note: what is only approximate, in words; "" where nothing is but step and batch.
        clock: times between the checkpoints, these among them.
        path: the flow at every time of the clock.
    """

    config: TrainConfig
    flow: WeightFlow
    ts: np.ndarray
    steps: np.ndarray
    measured: WeightState
    theory: WeightState
    note: str
    clock: FlowClock
    path: WeightState

    def error(self) -> np.ndarray:
        """Return max over (W, W_p) of |measured - theory| / |theory| (Frobenius) at every checkpoint."""
        pairs = [(self.measured.W, self.theory.W)]
        if not PredictorKind.of(self.config.model.predictor).rule:
            pairs.append((self.measured.W_p, self.theory.W_p))
        return np.asarray(np.max([_relative(here, there) for here, there in pairs], axis=0))

    def readings(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (measured, theory): s_j and p_j of F = W (X + X') W^T and the alignment, checkpoints x modes."""
        Sigma = np.asarray(self.flow.data.Sigma_s)
        return _readings(self.measured, Sigma), _readings(self.theory, Sigma)

    def between(self) -> dict[str, np.ndarray]:
        """Return the theory's part of `readings` at every time of the clock."""
        return _readings(self.path, np.asarray(self.flow.data.Sigma_s))


def beside(run: Run | str | Path, data: Moments | None = None, checkpoint: int = 0) -> Comparison:
    """Return a run's weights beside the flow that starts from its first checkpoint.

    Args:
        run: a run, or its folder.
        data: X and X'; default measured (`start.moments`).
        checkpoint: which one's features are frozen, for networks that are not linear.

    Returns:
        The `Comparison`.

    Raises:
        ValueError: a run without a counterpart in the theory.
    """
    run = run if isinstance(run, Run) else Run.load(run)
    config, method = run.config, run.config.method
    data = moments(run, checkpoint) if data is None else data
    steps, states = weights_along(run)
    clock = at_the_peak(config, steps)
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    motion = Motion(
        hyperparameters(config),
        clock.read_throughout(),
        method.target,
        kind.of_flow,
        stop_gradient=method.stop_gradient,
        rtol=1e-9,
    )
    W_a = None if method.target == "online" else states.W_a[0]
    moves = flow.flow_of(data, motion)
    begin = rules.complete(moves, WeightState(states.W[0], states.W_p[0], W_a))  # a rule sets W_p from the start
    path = flow.lemma_1(WeightStart(begin, data), motion)
    kept = {name: getattr(path, name)[clock.readings] for name in path._fields()}
    theory, note = WeightState._unchecked(**kept), approximations(config)
    return Comparison(config, moves, clock.ts[clock.readings], steps, states, theory, note, clock, path)


def approximations(config: TrainConfig) -> str:
    """Return what is only approximate in a comparison, in words."""
    found = []
    if config.method.loss != "l2":
        found.append(f"the run's loss is {config.method.loss}, the theory's the squared distance")
    if config.model.backbone != "linear" or config.model.projector != "none":
        found.append("features before the last linear layer are frozen in the theory, trained in the run")
    if config.optim.schedule != "constant" and config.method.target == "ema":
        found.append("beta belongs to the peak learning rate")
    if config.method.ema_schedule != "constant" and config.method.target == "ema":
        found.append("beta belongs to the first EMA rate")
    return "; ".join(found)


def _relative(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(there, axis=(-2, -1))
    return np.asarray(np.linalg.norm(here - there, axis=(-2, -1)) / np.where(size > 0, size, 1.0))


def _readings(states: WeightState, Sigma: np.ndarray) -> dict[str, np.ndarray]:
    """Return s_j, p_j = u_j^T W_p u_j and cosines, of F = W Sigma W^T, largest first."""
    W, W_p = np.asarray(states.W), np.asarray(states.W_p)
    F = W @ Sigma @ W.swapaxes(-1, -2)
    s, U = statistics.eigen((F + F.swapaxes(-1, -2)) / 2)
    p, alignment = statistics.alignment(W_p @ U, U)
    return {"s": s, "p": p, "alignment": alignment}


@under_plain_defaults
def train(
    config: TrainConfig | str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    **overrides: Any,
) -> Run:
    """Train as `trainer.train` does; where run.theory asks for it, add the theory beside (theory.png, summary.txt)."""
    run = trainer.train(config, resume=resume, overwrite=overwrite, **overrides)
    if run.first and run.config.run.theory:
        _write_theory(run.folder)
    return run


train.__doc__ = trainer.train.__doc__


def _write_theory(folder: Path) -> None:
    """Write theory.png and its line of the summary, or why there is none: a finished run is never lost to it."""
    from lindyn.plotting import style
    from lindyn.plotting.training_run import draw_beside

    path = folder / run_folder.SUMMARY
    told = path.read_text(encoding="utf-8")
    try:
        found = beside(folder)
    except ValueError as error:
        _files.write(path, told + f"No linear theory beside this run: {error}\n")
        return
    c = rf"; $c = {SIDES_OVER_J[found.config.method.sides]:g}$"
    figure = draw_beside(
        found.ts, found.readings()[0], found.clock.ts, found.between(), found.error(), f"Lemma 1 beside training: "
        f"{run_folder.title(found.config)}", f"{_rates(found)}; {found.note or 'nothing fitted'}{c}",
    )  # fmt: skip
    about = f" ({found.note})" if found.note else ""
    line = (
        f"The linear theory from the same start, nothing fitted{about}: largest relative distance of (W, W_p) "
        f"{np.max(found.error()):.3g}, at the end {found.error()[-1]:.3g}; theory.png.\n"
    )
    with _files.together(folder, what="the theory beside") as fresh:
        style.write(figure, fresh / "theory.png", "png")
        _files.write(fresh / path.name, told + line)


def _rates(found: Comparison) -> str:
    """Return the rates that enter in the paper's symbols."""
    hp, learned = found.flow.hp, found.flow.predictor in ("trained", "symmetrised")
    told = {r"\alpha_p": hp.alpha_p, r"\eta_p": hp.eta_p} if learned else {}
    told |= {r"\beta": hp.beta} if found.flow.target == "ema" else {}
    return ", ".join(f"${name} = {value:.3g}$" for name, value in (told | {r"\eta_s": hp.eta_s}).items())


def mean_rates(config: TrainConfig, steps: int) -> tuple[Hyperparameters, float]:
    """Return (alpha_p, beta, eta) of a training run and the flow time of its whole length.

    A cosine loss of unit vectors is twice J (2 - 2 cos = |q - z|^2), so that the learning rate counts twice and the
    decay half; a cosine schedule takes its mean, half the peak.

    Args:
        config: the run.
        steps: its optimiser steps.

    Returns:
        The hyper-parameters, and the duration in flow time.

    Raises:
        ValueError: LARS, which is no gradient flow.
    """
    share, over_J = 0.5 if config.optim.schedule == "cosine" else 1.0, OVER_J[config.method.loss]
    return hyperparameters(config, over_J, share), steps * step_time(config, over_J, share)


def prediction(config: TrainConfig, module: TwoViewNetwork, source: Source) -> dict[str, str | float]:
    """Return what the theory says of a run from its untrained network: alive share, verdict, and what it rests on.

    Args:
        config: the run.
        module: its untrained network.
        source: where its views come from.

    Returns:
        verdict ("lives", "partly", "collapses"), alive (share), modes (number counted), scale (tr F at the end over
        tr F at the start), rank (effective rank of F at the end), alpha_p, beta, eta_p, eta_s, flow_time, x and x_aug
        (means over the modes), predictor.

    Raises:
        ValueError: features that are no numbers.
        ArithmeticError: the flow leaves the numbers.
    """
    begin = of_features(config, module, source)
    data, F0 = begin.data, begin.data.Sigma_s
    hp, duration = mean_rates(config, module.steps)
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    clock = FlowClock(np.array([0.0, duration]), np.array([float(hp.beta)]), np.arange(2))
    motion = Motion(hp, clock, config.method.target, kind.of_flow, rtol=1e-4, atol=1e-8,
                    euler=STEP if kind.rule else None)  # fmt: skip
    W = _last_W(begin, motion)
    values, V = np.linalg.eigh(F0)
    counted = _leading(values)
    share = float(np.mean(np.sum((W @ V[:, counted]) ** 2, axis=0) >= ALIVE))
    x = np.einsum("ij,ij->j", V[:, counted], data.X @ V[:, counted])
    x_aug = np.einsum("ij,ij->j", V[:, counted], data.X_aug @ V[:, counted])
    found = {
        "alive": share, "modes": int(counted.sum()), "scale": float(np.trace(W @ F0 @ W.T) / np.trace(F0)),
        "rank": statistics.entropy_rank(np.clip(np.linalg.eigvalsh(W @ F0 @ W.T), 0, None)),
        "alpha_p": float(hp.alpha_p), "beta": float(hp.beta), "eta_p": float(hp.eta_p), "eta_s": float(hp.eta_s),
        "flow_time": duration, "x": float(x.mean()), "x_aug": float(x_aug.mean()),
    }  # fmt: skip
    stands = {"predictor": "linear in place of two layers"} if kind.two_layers else {}
    verdict = "lives" if share >= LIVES else "collapses" if share < COLLAPSES else "partly"
    return {"verdict": verdict, **{key: float(f"{value:.5g}") for key, value in found.items()}, **stands}


def _last_W(begin: WeightStart, motion: Motion) -> np.ndarray:
    """Return W at the end of the flow, or where it could be integrated to."""
    try:
        return np.asarray(flow.lemma_1(begin, motion).W[-1])
    except flow.Unfinished as stopped:
        return np.asarray(stopped.last.W)


def _leading(values: np.ndarray) -> np.ndarray:
    """Return which eigenvalues, taken from the largest, make up `LEADING` of their sum."""
    order = np.argsort(-values)
    before = np.cumsum(values[order]) - values[order]
    kept = np.zeros(len(values), dtype=bool)
    kept[order[before < LEADING * values.sum()]] = True
    return kept
