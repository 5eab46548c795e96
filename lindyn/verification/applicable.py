"""Which statement applies to which run, and what is measured of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lindyn import observables, statistics
from lindyn.display.brief import Brief
from lindyn.flows import CorrelationFlow, DeepFlow, GramFlow, ModeFlow, ModeWeightFlow, ParabolaFlow, WeightFlow, losses
from lindyn.solve.trajectory import Trajectory
from lindyn.verification import at_rest, critical, integrals, matrix_checks, record
from lindyn.verification.record import VerificationRow

MATRIX = (WeightFlow, DeepFlow, GramFlow, CorrelationFlow)
MODES = (ModeFlow, ModeWeightFlow)


@dataclass(frozen=True, repr=False)
class Check(Brief):
    """One statement as something to measure.

    Args:
        name: the statement.
        title: a few words.
        applies: run -> "" where it applies, else the reason why not.
        measure: run -> the row.
        statement: of `lindyn.proofs` that it measures; None: that of its name, "": none.
    """

    name: str
    title: str
    applies: Callable[[Trajectory], str]
    measure: Callable[[Trajectory], VerificationRow]
    statement: str | None = None
    any_loss: bool = False
    """Whether it holds for every loss (a closure's too), not the squared one alone."""


def other_loss(check: Check, traj: Trajectory) -> str:
    """Return why a statement says nothing of this run's loss or normalisation, or an empty string."""
    if check.any_loss or losses.is_squared(traj.flow):
        return ""
    told = [losses.choice(traj.flow, "loss"), losses.choice(traj.flow, "normalise")]
    words = " and ".join(word for word, plain in zip(told, ("squared", "none"), strict=True) if word != plain)
    return f"it speaks of the squared loss without BatchNorm, the flow has {words}"


def _norms_apply(traj: Trajectory) -> str:
    flow = traj.flow
    return record.first(
        (losses.choice(flow, "loss") == losses.SQUARED, "it speaks of the cosine loss"),
        (losses.choice(flow, "normalise") != "none", "it speaks of flows without BatchNorm; there row norms stay"),
        (bool(traj.notes.get("engine") == "descent"), "finite steps let norms grow"),
    )


def _norms(traj: Trajectory) -> VerificationRow:
    """Measure |W_l|^2 = e^(-2 eta_s t) |W_l(0)|^2 of every layer, |W_p|^2 = e^(-2 eta_p t) |W_p(0)|^2."""
    names = [name for name in traj.states.blocks() if not name.startswith(("W_a", "a"))]
    if record.predictor(traj.flow) != "trained":
        names = [name for name in names if name not in ("W_p", "p")]
    square = lambda M: np.sum(M**2, axis=tuple(range(1, M.ndim)), keepdims=True)  # noqa: E731
    return _decaying("normalised.norms", "norms fall with the decay alone", traj, names, square)


def _row_norms_apply(traj: Trajectory) -> str:
    return record.first(
        (losses.choice(traj.flow, "normalise") != "batchnorm", "it speaks of flows with BatchNorm"),
        (not isinstance(traj.flow, WeightFlow), "it speaks of one layer"),
        (bool(traj.notes.get("engine") == "descent"), "finite steps let norms grow"),
    )


def _row_norms(traj: Trajectory) -> VerificationRow:
    """Measure |W_i|^2 = e^(-2 eta_s t) |W_i(0)|^2 of every row."""
    square = lambda M: np.sum(M**2, axis=-1)  # noqa: E731
    return _decaying("normalised.row_norms", "row norms fall with the decay alone", traj, ["W"], square)


def _decaying(
    name: str, title: str, traj: Trajectory, blocks: list[str], square: Callable[[np.ndarray], np.ndarray]
) -> VerificationRow:
    hp, t, worst = traj.flow.hp, np.asarray(traj.ts) - traj.ts[0], np.zeros(len(traj))
    for block in blocks:
        values = square(np.asarray(traj.states.blocks()[block])).reshape(len(t), -1)
        decay = np.exp(-2 * (hp.eta_p if block in ("W_p", "p") else hp.eta_s) * t)
        off = np.abs(values - decay[:, None] * values[0]) / np.maximum(values[0].max(), 1e-300)
        worst = np.maximum(worst, off.max(axis=1))
    return record.identity(name, title, worst, record.tolerance(traj))


def _balance_applies(kinds: tuple[type, ...], allowed: tuple[str, ...]) -> Callable[[Trajectory], str]:
    def applies(traj: Trajectory) -> str:
        named = " or ".join(kind.__name__ for kind in kinds)
        wrong = not isinstance(traj.flow, kinds)
        return f"it speaks of {named}" if wrong else observables.unbalanced(traj.flow, allowed)

    return applies


def _balance(name: str, title: str) -> Callable[[Trajectory], VerificationRow]:
    return lambda traj: record.identity(name, title, observables.balance_residual(traj), record.tolerance(traj))


def _trace_balance(traj: Trajectory) -> VerificationRow:
    hp = traj.flow.hp
    F, W_p = traj.states.beside_predictor(), observables.predictor(traj)
    parts = np.trace(F, axis1=-2, axis2=-1), np.sum(W_p**2, axis=(-2, -1)) / hp.alpha_p
    value = parts[0] - parts[1]
    left = np.abs(value - np.exp(-2 * hp.eta * (traj.ts - traj.ts[0])) * value[0])
    return record.identity(
        "beyond.symmetrised_balance",
        "trace of the balance",
        left / np.maximum(sum(parts), 1e-300),
        record.tolerance(traj),
    )


def _proportional_applies(traj: Trajectory) -> str:
    flow = traj.flow
    return record.first(
        (not isinstance(flow, WeightFlow | DeepFlow | GramFlow), "the flow has Assumption 1 built in"),
        (flow.target == "online", "W_a = W"),
    )


def _proportional(traj: Trajectory) -> VerificationRow:
    off = 1 - np.abs(observables.target_correlation(traj))
    known = np.isfinite(off)
    limit = 1e-6
    verdict = "premise not fulfilled" if not known.any() or np.nanmax(off) > limit else "holds"
    reason = f"|<W_a, W>| / (||W_a|| ||W||) >= {1 - np.nanmax(off):.4f}" if known.any() else "W_a = 0"
    return VerificationRow(
        "assumption_1",
        "W_a proportional to W (an assumption, not a theorem)",
        verdict,
        reason,
        np.where(known, off, np.nan),
        tolerance=limit,
    )


def _curriculum_applies(traj: Trajectory) -> str:
    flow = traj.flow
    if not isinstance(flow, ModeFlow | ParabolaFlow):
        return "it speaks of modes with tau"
    return record.first(
        (getattr(flow, "tau", "") != "dynamic" or flow.target != "ema", "tau is held"),
        (bool(np.any(np.asarray(traj.states.tau[0]) != 0)), "it starts from tau(0) = 0"),
    )


def _curriculum(traj: Trajectory) -> VerificationRow:
    states = traj.states
    size = np.sqrt(np.asarray(states.s)) if isinstance(traj.flow, ModeFlow) else np.abs(np.asarray(states.p))
    size, tau = size.reshape(len(traj), -1), np.asarray(states.tau).reshape(len(traj), -1)
    falls = np.diff(size, axis=0) < -1e-12 * size[:-1]
    premise = np.concatenate([np.zeros((1, size.shape[1]), bool), ~np.logical_or.accumulate(falls, axis=0)])
    bound = 1 - np.exp(-float(traj.flow.hp.beta) * (traj.ts - traj.ts[0]))[:, None]
    over = np.where(premise, np.maximum(tau - bound, 0.0), 0.0).max(axis=1)
    reached = np.where(premise, statistics.ratio(tau, bound), -np.inf).max(axis=1)
    row = record.identity(
        "tian.tau_bounds", "tau <= 1 - exp(-beta t) while nothing shrinks", over, 1e-7, premise.any(axis=1)
    )
    return replace(row, sharpness=np.where(np.isfinite(reached), reached, np.nan))


def _pairs_applies(traj: Trajectory) -> str:
    return record.first(
        (not isinstance(traj.flow, ModeFlow), "it speaks of decoupled modes"),
        record.by_rule(traj.flow),
        (not record.stopped(traj.flow), "it needs stop-gradient"),
    )


def _pairs(traj: Trajectory) -> VerificationRow:
    k = np.sort(np.asarray(observables.lambda_min_K(traj)).reshape(len(traj), -1), axis=1)
    single = k[:, 0] > 0
    pair = k[:, 0] + k[:, 1] > 0 if k.shape[1] > 1 else single
    reason = (
        f"pair sums positive at {100 * pair.mean():.0f} % of times, every single k_j at {100 * single.mean():.0f} %"
    )
    return VerificationRow(
        "tian.eq_17_pairs",
        "alignment of the modes is restored",
        "holds" if pair.all() else "premise not fulfilled",
        reason,
        premise=pair,
    )


CHECKS: tuple[Check, ...] = (
    Check("tian.lemma_1", "the states follow Lemma 1", integrals.lemma_1_applies, integrals.lemma_1, any_loss=True),
    Check(
        "closed_form.rule",
        "W_p is what its rule says",
        integrals.rule_applies,
        integrals.rule,
        statement="",
        any_loss=True,
    ),
    Check(
        "tian.theorem_1",
        "balancing",
        _balance_applies(MATRIX, ("trained",)),
        _balance("tian.theorem_1", "balancing (Eq. 5)"),
        any_loss=True,
    ),
    Check(
        "beyond.symmetrised_balance",
        "trace of the balance",
        _balance_applies(MATRIX, ("trained", "symmetrised")),
        _trace_balance,
    ),
    Check(
        "tian.integral_of_motion",
        "Eq. 14",
        _balance_applies(MODES, ("trained",)),
        _balance("tian.integral_of_motion", "s - p^2/alpha_p (Eq. 14)"),
        any_loss=True,
    ),
    Check("tian.theorem_2", "decay without stop-gradient", matrix_checks.theorem_2_applies, matrix_checks.theorem_2),
    Check(
        "tian.no_predictor", "decay without predictor", matrix_checks.no_predictor_applies, matrix_checks.no_predictor
    ),
    Check(
        "tian.theorem_3 (identity)",
        "the commutator's equation",
        matrix_checks.theorem_3_applies,
        matrix_checks.commutator_identity,
        statement="tian.theorem_3",
    ),
    Check("tian.theorem_3", "alignment", matrix_checks.theorem_3_applies, matrix_checks.theorem_3),
    Check("tian.theorem_3_sharp", "alignment, sharp", matrix_checks.theorem_3_applies, matrix_checks.theorem_3_sharp),
    Check(
        "assumption_1",
        "W_a proportional to W",
        _proportional_applies,
        _proportional,
        statement="tian.modes_without_assumption_1",
        any_loss=True,
    ),
    Check("tian.eq_15", "tau as an integral", integrals.eq_15_applies, integrals.eq_15),
    Check("tian.tau_bounds", "curriculum of tau", _curriculum_applies, _curriculum),
    Check("tian.critical_decay", "collapse above the critical decay", critical.with_tau_applies, critical.with_tau),
    Check("tian.critical_decay_full", "the same in the full flow", critical.full_applies, critical.full),
    Check(
        "tian.critical_decay_ema",
        "the same with a moving target",
        critical.moving_target_applies,
        critical.moving_target,
    ),
    Check("tian.eq_17_pairs", "Eq. 17, pair by pair", _pairs_applies, _pairs),
    Check("tian.fixed_points", "where it rests", at_rest.fixed_points_apply, at_rest.fixed_points_at_rest),
    Check("tian.fixed_point_manifold", "where it rests at eta = 0", at_rest.manifold_applies, at_rest.manifold),
    Check("tian.reduction_gram", "the exact isotropic reduction", integrals.gram_applies, integrals.gram),
    Check("normalised.norms", "norms under the cosine loss", _norms_apply, _norms, statement="", any_loss=True),
    Check(
        "normalised.row_norms", "row norms under BatchNorm", _row_norms_apply, _row_norms, statement="", any_loss=True
    ),
    Check("tian.reduction_12", "the closure on (W_p, F)", integrals.gram_applies, integrals.pair),
)
