"""The normalised flows: one exact right-hand side, a step of the closure in depth, the new proofs.

python benchmarks/normalised_flows.py [--json FILE]
"""

import time
from typing import Any

import jax
import numpy as np
from common import arguments, interleaved, report

import lindyn as ld
from lindyn import proofs
from lindyn.equations import cosine
from lindyn.flows import losses

HP = ld.Hyperparameters(alpha_p=1.5, beta=0.4, eta=0.0)
MODES, N2, N1, DEPTH = 32, 64, 64, 3
SHEETS = ("normalised.", "halvagal.", "bao.")


def exact_row() -> dict[str, Any]:
    """One exact right-hand side of 32 modes, beside the same mean over a million samples."""
    rng = np.random.default_rng(0)
    x = np.exp(-np.arange(MODES) / 8)
    flow = ld.ModeWeightFlow(HP, x, x * rng.uniform(0.1, 0.6, MODES), loss="cosine-exact")
    y = ld.ModeWeightState(rng.uniform(0.2, 0.5, MODES), rng.normal(size=MODES))
    n = 100_000
    mean = np.sqrt(x)[:, None] * rng.normal(size=(MODES, n))
    v1, v2 = (mean + np.sqrt(flow.x_aug)[:, None] * rng.normal(size=(MODES, n)) for _ in range(2))

    def sampled() -> Any:
        q, t = (y.p * y.w)[:, None] * v1, y.a[:, None] * v2
        inverse_q, inverse_t = (np.sum(each * each, axis=0) ** -0.5 for each in (q, t))
        return cosine.sample_moment(q, t, v1, inverse_q, inverse_t, np.sum(q * t, axis=0) * inverse_q * inverse_t, n)

    times = interleaved({"exact": lambda: flow(0.0, y), "sampled": sampled}, 11)
    return {
        "case": f"exact drive, {MODES} modes, {flow.nodes} nodes a side", "milliseconds": 1e3 * times["exact"],
        "mean_over_100000_samples_over_it": times["sampled"] / times["exact"],
        "against_twice_the_nodes": losses.quadrature_error(flow, y),
    }  # fmt: skip


def closure_row(normalise: str) -> dict[str, Any]:
    """One step of `descend` of the closure, population, general X and X', beside its right-hand side in numpy."""
    rng = np.random.default_rng(1)
    A, B = rng.normal(size=(2, N1, 2 * N1)) / np.sqrt(2 * N1)
    flow = ld.DeepFlow(HP, ld.Moments(A @ A.T, 0.4 * B @ B.T), loss="cosine", normalise=normalise)
    y = ld.DeepWeightState.random(N2, N1, depth=DEPTH, seed=2)
    plan: dict[str, Any] = {"learning_rate": 0.01, "momentum": 0.9}
    many, few = 2000, 1000

    def run(steps: int) -> Any:
        return ld.descend(flow, y, steps=steps, save_every=steps, **plan)

    run(few), run(many)  # compiled
    times = interleaved({"many": lambda: run(many), "few": lambda: run(few), "numpy": lambda: flow(0.0, y)}, 7)
    return {
        "case": f"a step of descend, closure, L = {DEPTH}, (n2, n1) = ({N2}, {N1}), normalise={normalise}",
        "microseconds": 1e6 * (times["many"] - times["few"]) / (many - few),
        "numpy_right_hand_side_microseconds": 1e6 * times["numpy"],
    }  # fmt: skip


def proof_row() -> dict[str, Any]:
    """Seconds of all proofs of the normalised theory, once."""
    names = [one.name for one in proofs.STATEMENTS if one.name.startswith(SHEETS)]
    start = time.perf_counter()
    found = proofs.prove(names)
    return {
        "case": f"{len(names)} proofs", "seconds": time.perf_counter() - start,
        "holding": sum(each.holds for each in found),
    }  # fmt: skip


if __name__ == "__main__":
    given = arguments("the normalised flows").parse_args()
    jax.config.update("jax_enable_x64", True)
    report("normalised flows", [exact_row(), closure_row("none"), closure_row("batchnorm"), proof_row()], "", given)
