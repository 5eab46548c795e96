"""Answers built by hand, with numbers as real runs have them, for the tests of what is said about them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import lindyn as ld
from lindyn.bridge import diagnose
from lindyn.bridge.laws import LAWS
from lindyn.bridge.records import Curves, Finding, ModeReading, Pieces, PredictorMap, Validation
from lindyn.bridge.report import advice as advising
from lindyn.bridge.report.wording import headline
from lindyn.bridge.settings import Rates, Settings

RATES = Rates(alpha_p=1.0, beta=0.01, eta_s=0.02, eta_p=0.02, step_time=0.1, target="ema")
SETTINGS = Settings.of(
    {"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 0.02, "method.loss": "l2", "method.target": "ema"},
    "the checkpoint",
)


def reading(d=24, noise=0.02, samples=5000, seed=0):
    """Return the diagnosis of a nearly balanced network: p_j near sqrt(s_j), eigenspaces nearly shared."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.normal(size=(d, d)))[0]
    s = np.geomspace(0.9, 1e-3, d)
    W_p = U @ np.diag(np.sqrt(s)) @ U.T + noise * rng.normal(size=(d, d)) / np.sqrt(d)
    return diagnose(U @ np.diag(s) @ U.T, W_p, std=0.9 / np.sqrt(d), samples=samples)


def finding(law, verdict="holds", value=0.9, spread=0.02, group="theory", **more):
    """Return a finding with an interval around its value."""
    texts = {
        "title": f"{law} of the network",
        "statistic": f"the {law}, measured",
        "reason": "against 1",
        "source": "Eq. 7",
    }
    if law in LAWS:
        texts |= {"short": LAWS[law].short, "role": LAWS[law].role}
    return Finding(**{"law": law, "value": value, "low": value - spread, "high": value + spread, "verdict": verdict,
                      "group": group, "source": "Eq. 7", **texts, **more})  # fmt: skip


def untested(law, why="features of two views are needed", **more):
    """Return a finding that could not be tested."""
    return finding(law, "not testable", np.nan, np.nan, reason=why, **more)


def findings(diagnosis):
    """Return findings in every group with each verdict."""
    edge = ld.theory.fixed_points(eta=0.02, x=0.8, x_aug=0.2)
    d = len(diagnosis.p)
    boundary = {"p": diagnosis.p, "p_minus": np.full(d, edge.p_minus), "p_plus": np.full(d, edge.p_plus)}
    slope = diagnosis.slope
    return (
        finding("alignment", value=diagnosis.alignment_top, map_kind="exact"),
        finding("slope", value=slope.slope, spread=slope.high - slope.slope, map_kind="exact"),
        finding("symmetry", "fails", diagnosis.asymmetry, map_kind="exact"),
        finding("boundary", "fails", 0.7, 0.1, map_kind="exact", details=boundary),
        untested("balance"),
        finding("isotropy", "fails", 4.2, 0.3, group="assumption"),
        finding("stable rank", value=11.0, spread=1.0, group="richemond", map_kind="exact"),
        finding("effective rank", value=diagnosis.effective_rank, group="collapse"),
    )


def modes(d=24, below=6):
    """Return modes on the parabola s = p^2, the last `below` of them under p_- of x = 0.8, x' = 0.2, eta = 0.02."""
    edge = ld.theory.fixed_points(eta=0.02, x=0.8, x_aug=0.2).p_minus
    p = np.concatenate([np.linspace(0.7, 0.3, d - below), np.full(below, 0.8 * edge)])
    return ModeReading.of(p, p**2, np.ones(d), 0.8, 0.2)


def over_training(modes=6, readings=7):
    """Return readings along the mode flow with 3 % of noise, and the flow itself beside them."""
    rng = np.random.default_rng(1)
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.05, eta=0.02)
    start = ld.ModeState(np.geomspace(0.5, 0.05, modes), np.geomspace(0.3, 0.01, modes), np.ones(modes))
    ts = np.linspace(0, 60, readings)
    traj = ld.simulate(ld.ModeFlow(hp, x=0.8, x_aug=0.2), start, ts=ts, engine="scipy")
    theory = {name: np.asarray(getattr(traj.states, name)) for name in ("s", "p", "tau")}
    measured = {name: value * (1 + 0.03 * rng.normal(size=value.shape)) for name, value in theory.items()}
    for name in measured:
        measured[name][0] = theory[name][0]
    error = {name: np.linalg.norm(theory[name] - measured[name], axis=1) / np.linalg.norm(measured[name], axis=1)
             for name in ("s", "p")}  # fmt: skip
    ones = np.linspace(0.4, 0.9, readings)
    rest = {"alignment_top": ones, "asymmetry": 1 - ones, "effective_rank": 10 * ones, "trace_F": ones}
    return Curves(100 * np.arange(readings), "optimiser steps", measured | rest, theory, error,
                        "beta belongs to the first EMA rate", f"{readings} checkpoints")  # fmt: skip


def answer(**changes):
    """Return a whole answer."""
    diagnosis = reading()
    found = findings(diagnosis)
    maps = (PredictorMap(np.eye(24), "exact", 1.0),)
    settings, start = SETTINGS, modes()
    pieces = Pieces(Path("lindyn-out/train"), "lindyn", "lindyn train", step=320, epoch=10, settings=settings,
                    notes=("BatchNorm of the projector uses its running averages.",))  # fmt: skip
    advice = advising.advise(found, RATES, diagnosis, maps, settings, start, 5000)
    line = headline(found, diagnosis, "exact")
    whole = Validation(pieces, RATES, "two views of 5,000 digits images, BatchNorm in eval mode", 5000, maps, diagnosis,
                       found, over_training(), advice, line, start)  # fmt: skip
    return replace(whole, **changes)
