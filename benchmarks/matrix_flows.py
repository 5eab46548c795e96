"""Matrix flows: products per right-hand side, exact reductions against the printed equations, whole solves.

python benchmarks/matrix_flows.py [--json FILE]
"""

from typing import Any

import numpy as np
from common import interleaved, report
from scipy.integrate import solve_ivp

import lindyn as ld
from lindyn.equations import correlation, weights
from lindyn.solve.reductions import reduce_flow

N2, N1, SIGMA2 = 256, 1024, 0.25
HP = ld.Hyperparameters(alpha_p=1.5, beta=0.4, eta=0.04)


class Counted(np.ndarray):
    """An array that counts the matrix products it takes part in."""

    products = 0

    def __matmul__(self, other: Any) -> Any:
        Counted.products += 1
        return np.asarray(self).__matmul__(np.asarray(other)).view(Counted)


def count_products(right_hand_side: Any, *blocks: np.ndarray) -> int:
    Counted.products = 0
    right_hand_side(*(block.view(Counted) for block in blocks))
    return Counted.products


def symmetrised(W_p: Any, F: Any, tau: float = 0.9) -> tuple:
    """Eq. 7 as it is integrated."""
    Y = correlation.drive(W_p, F, tau, 1.0, SIGMA2)
    dW_p = correlation.dW_p(W_p, weights.symmetric_part(Y), HP.alpha_p, HP.eta_p)
    return dW_p, correlation.dF(W_p, F, Y, HP.eta_s)


def eq7_as_printed(W_p: Any, F: Any, tau: float = 0.9) -> tuple:
    """Eq. 7 read off the page, anticommutators written out."""
    v = 1 + SIGMA2
    dW_p = -(HP.alpha_p / 2) * v * (W_p @ F + F @ W_p) + HP.alpha_p * tau * F - HP.eta_p * W_p
    dF = -v * (W_p @ W_p @ F + F @ W_p @ W_p) + tau * (W_p @ F + F @ W_p) - 2 * HP.eta_s * F
    return dW_p, dF


def difference(a: tuple, b: tuple) -> float:
    """Largest entry of a - b, relative to the largest of b; blocks that are 0 count absolutely."""
    sizes = [float(np.max(np.abs(y))) or 1.0 for y in b]
    return max(float(np.max(np.abs(x - y))) / size for x, y, size in zip(a, b, sizes, strict=True))


def symmetrised_row() -> dict[str, Any]:
    start = ld.CorrelationState.random(N2, seed=0)
    W_p, F = start.W_p, start.F
    times = interleaved({"ours": lambda: symmetrised(W_p, F), "printed": lambda: eq7_as_printed(W_p, F)}, 21)
    return {
        "case": f"Eq. 7, d = {N2}",
        "products": count_products(symmetrised, W_p, F),
        "products_printed": count_products(eq7_as_printed, W_p, F),
        "faster": times["printed"] / times["ours"],
        "difference": difference(symmetrised(W_p, F), eq7_as_printed(W_p, F)),
    }


def reduction_row(target_start: str) -> dict[str, Any]:
    """One right-hand side of Lemma 1, isotropic, reduced against printed."""
    y0 = ld.WeightState.random(N2, N1, seed=1, target=target_start)
    flow = ld.WeightFlow(HP, ld.Moments.isotropic(N1, SIGMA2))
    reduced = reduce_flow(flow, y0)
    times = interleaved({"ours": lambda: reduced.flow(0.0, reduced.y0), "printed": lambda: flow(0.0, y0)})
    ours, printed = reduced.restore(reduced.flow(0.0, reduced.y0)), flow(0.0, y0)
    names = ("W", "W_p", "W_a")
    return {
        "case": f"Lemma 1, isotropic, (n2, n1) = ({N2}, {N1}), W_a starts {target_start}",
        "columns": reduced.y0.W.shape[1],
        "faster": times["printed"] / times["ours"],
        "difference": difference(tuple(getattr(ours, n) for n in names), tuple(getattr(printed, n) for n in names)),
    }


def gram_row() -> dict[str, Any]:
    """The n2 x n2 system (W_p, F, H, J) against the printed Lemma 1: the same F' by either road."""
    y0 = ld.WeightState.random(N2, N1, seed=1, target="independent")
    flow = ld.WeightFlow(HP, ld.Moments.isotropic(N1, SIGMA2))
    gram, g0 = ld.GramFlow(HP, SIGMA2), ld.conversions.weights_to_gram(y0).state
    times = interleaved({"ours": lambda: gram(0.0, g0), "printed": lambda: flow(0.0, y0)})
    dy, dg = flow(0.0, y0), gram(0.0, g0)
    dF = dy.W @ y0.W.T + y0.W @ dy.W.T
    return {
        "case": f"(W_p, F, H, J), ({N2}, {N1})",
        "faster": times["printed"] / times["ours"],
        "difference": difference((dg.W_p, dg.F), (dy.W_p, dF)),
    }


def solve_rows(n2: int = N2, n1: int = N1, t1: float = 0.5, rtol: float = 1e-8) -> list[dict[str, Any]]:
    """A whole solve: lindyn with and without reductions, and scipy on the printed equations."""
    y0 = ld.WeightState.random(n2, n1, seed=1, target="independent")
    flow = ld.WeightFlow(HP, ld.Moments.isotropic(n1, SIGMA2))
    shapes = [y0.W.shape, y0.W_p.shape, y0.W_a.shape]
    cuts = np.cumsum([a * b for a, b in shapes])[:-1]

    def printed(t: float, vector: np.ndarray) -> np.ndarray:
        W, W_p, W_a = (part.reshape(shape) for part, shape in zip(np.split(vector, cuts), shapes, strict=True))
        dy = flow(t, ld.WeightState._unchecked(W=W, W_p=W_p, W_a=W_a))
        return np.concatenate([dy.W.ravel(), dy.W_p.ravel(), dy.W_a.ravel()])

    start = np.concatenate([y0.W.ravel(), y0.W_p.ravel(), y0.W_a.ravel()])
    solves = {
        "lindyn": lambda: ld.simulate(flow, y0, ts=[0.0, t1], rtol=rtol).final.W,
        "lindyn, scipy engine": lambda: ld.simulate(flow, y0, ts=[0.0, t1], rtol=rtol, engine="scipy").final.W,
        "lindyn, reduction=printed": lambda: (
            ld.simulate(flow, y0, ts=[0.0, t1], rtol=rtol, reduction="printed").final.W
        ),
        "scipy DOP853, printed": lambda: (
            solve_ivp(printed, (0, t1), start, "DOP853", rtol=rtol, atol=1e-12).y[: n2 * n1, -1].reshape(n2, n1)
        ),
    }
    answers = {name: run() for name, run in solves.items()}
    times = interleaved(solves, 5)
    reference = answers["scipy DOP853, printed"]
    return [
        {
            "case": f"solve to t = {t1:g}, ({n2}, {n1}), rtol {rtol:g}: {name}",
            "seconds": seconds,
            "faster_than_scipy": times["scipy DOP853, printed"] / seconds,
            "difference": float(np.max(np.abs(answers[name] - reference)) / np.max(np.abs(reference))),
        }
        for name, seconds in times.items()
    ]


if __name__ == "__main__":
    table = [symmetrised_row(), reduction_row("independent"), reduction_row("copy"), gram_row(), *solve_rows()]
    report("Matrix flows", table, "faster: time of the printed form / time of ours, medians in turns")
