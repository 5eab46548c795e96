"""Richemond 2023, claims 1, 2, 3 on data: regression projects, tends to I, and the best rank-k projection is k-PCA.

(a) Z P of a batch against the orthogonal projection of Z' on col Z, for the regression predictor and others.
(b) Z' = Z + sigma_t G: P - I = sigma_t (Z^T Z)^(-1) Z^T G exactly, of root mean square size
    sigma_t (f tr (Z^T Z)^(-1))^(1/2). Where both views carry the noise and b -> infinity, I - P = sigma_t^2
    (X + sigma_t^2 I)^(-1) instead: slope 2, and P = I only where there is no augmentation at all.
(c) Without augmentation and EMA the linear model trains W (k x f) and P. A direction of input eigenvalue x grows at
    the rate 2 (p (1 - p) x - eta). With decay p comes to rest where the largest x left balances eta, so every smaller
    one shrinks: the rows of W turn into the k leading eigenvectors. Without decay P = I ends the training first,
    on the rows that W has then.
"""

import sys
from typing import Any

import numpy as np
import scipy.linalg
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style
from lindyn.predictors import Rule, statistics

RULES = {
    "regression": Rule.of("linear_regression"),
    "Neumann, normalised": Rule.of("neumann", normalise="fro"),
    "Newton-Schulz": Rule.of("newton_schulz"),
    "Stiefel, polar": Rule.of("stiefel", scale="polar"),
}


def compute(
    f: int = 24,
    batches: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512),
    noise: float = 0.5,
    sigma_t: tuple[float, float] = (1e-4, 1.0),
    samples: int = 256,
    k: int = 3,
    eta: tuple[float, ...] = (0.0, 0.02, 0.05),
    runs: int = 4,
    horizon: float = 3000.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Return residuals by batch size, distance of the regression from I by sigma_t, angles to the k-PCA.

    Args:
        f: number of features; their covariance has eigenvalues 1, 1/2, 1/3, ... in random axes.
        batches: sizes of the batches of (a).
        noise: standard deviation between the views of (a).
        sigma_t: smallest and largest of (b).
        samples: batch of (b) and (c).
        k: rank of the projection in (c).
        eta: weight decays of the flow in (c), the first 0.
        runs: random starts in (c).
        horizon: flow time in (c).
        seed: of the data.

    Returns:
        Arrays: rule x batch size; sigma_t; eta x run x time.
    """
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(f, f)))[0] / np.sqrt(np.arange(1, f + 1))

    def features(b: int) -> np.ndarray:
        return rng.normal(size=(b, f)) @ axes.T

    views = [(Z, Z + noise * rng.normal(size=Z.shape)) for Z in map(features, batches)]
    Z = features(samples)
    X = Z.T @ Z / samples
    sigmas = np.geomspace(*sigma_t, 17)
    given = {"f": f, "batches": batches, "noise": noise, "sigma_t": sigma_t, "samples": samples, "k": k, "eta": eta}
    return {
        "residual": np.array([[_off_projection(rule, *pair) for pair in views] for rule in RULES.values()]),
        "rules": np.array(list(RULES)),
        "sigma": sigmas,
        "from_identity": np.array([_from_identity(Z, Z + s * rng.normal(size=Z.shape)) for s in sigmas]),
        "predicted": sigmas * np.sqrt(f * np.trace(np.linalg.inv(Z.T @ Z))),
        "both_noisy": np.array([_both_noisy(X, s) for s in sigmas]),
        **_of_flow(X, k, eta, runs, horizon),
        **_best_projection(Z, k, rng),
        "parameters": given | {"runs": runs, "horizon": horizon, "seed": seed},
    }


def _off_projection(rule: Rule, Z: np.ndarray, Z_target: np.ndarray) -> float:
    """Return ||Z P - Proj Z'||/||Proj Z'|| of the rule's P = W_p^T."""
    basis = scipy.linalg.orth(Z)
    projected = basis @ (basis.T @ Z_target)
    return float(np.linalg.norm(Z @ rule(*statistics(Z, Z_target)).T - projected) / np.linalg.norm(projected))


def _from_identity(Z: np.ndarray, Z_target: np.ndarray) -> float:
    return float(np.linalg.norm(RULES["regression"](*statistics(Z, Z_target)) - np.eye(Z.shape[1])))


def _both_noisy(X: np.ndarray, sigma: float) -> float:
    """Return ||W_p - I|| of the population whose views are both x + sigma g: F = X + sigma^2 I, H = X."""
    I = np.eye(len(X))
    return float(np.linalg.norm(RULES["regression"](X + sigma**2 * I, X) - I))


def _of_flow(X: np.ndarray, k: int, eta: tuple[float, ...], runs: int, horizon: float) -> dict[str, Any]:
    """Return the sine of the largest angle between the rows of W and the k leading eigenvectors, over time."""
    ts, leading = np.append(0.0, np.geomspace(1.0, horizon, 50)), np.linalg.eigh(X)[1][:, -k:]
    data = ld.Moments(X=X, X_aug=np.zeros_like(X))
    angles, ends = [], []
    for decay in eta:
        flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.0, decay), data, target="online")
        starts = [ld.WeightState.random(k, len(X), seed, target="copy") for seed in range(runs)]
        starts = [ld.WeightState(y.W, 0.5 * np.eye(k), y.W) for y in starts]
        paths = [ld.simulate(flow, y, ts, rtol=1e-7).states for y in starts]
        angles.append([[_sine(W.T, leading) for W in path.W] for path in paths])
        ends.append([np.linalg.norm(path.W_p[-1] - np.eye(k)) for path in paths])
    return {"t": ts, "angle": np.array(angles), "off_identity": np.array(ends)}


def _sine(columns: np.ndarray, leading: np.ndarray) -> float:
    return float(np.sin(scipy.linalg.subspace_angles(columns, leading)[0]))


def _best_projection(Z: np.ndarray, k: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return ||Z - Z P||^2 relative to PCA's of random rank-k projections, and of descent over them from each."""
    X, leading = Z.T @ Z / len(Z), np.linalg.eigh(Z.T @ Z)[1][:, -k:]
    least = np.trace(X) - np.trace(leading.T @ X @ leading)
    random, found, angle = [], [], []
    for _ in range(20):
        V = np.linalg.qr(rng.normal(size=(len(X), k)))[0]
        random.append((np.trace(X) - np.trace(V.T @ X @ V)) / least)
        for _ in range(3000):  # steps along the gradient of tr V^T X V on the Stiefel manifold, put back by qr
            V = np.linalg.qr(V + (X @ V - V @ (V.T @ X @ V)))[0]
        found.append((np.trace(X) - np.trace(V.T @ X @ V)) / least)
        angle.append(_sine(V, leading))
    return {"random_loss": np.array(random), "found_loss": np.array(found), "found_angle": np.array(angle)}


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    sigma, off, angle = data["sigma"], data["from_identity"], data["angle"][..., -1]
    small = sigma < 0.03
    slope = np.polyfit(np.log(sigma), np.log(off), 1)[0]
    both = np.polyfit(np.log(sigma[small]), np.log(data["both_noisy"][small]), 1)[0]
    return (
        Checklist("richemond2023", 6)
        .measure("projects", data["residual"][0])
        .measure("others", data["residual"][1:])
        .measure("slope", abs(slope - 1), f"slope {slope:.3f}")
        .measure("size", np.abs(off / data["predicted"] - 1))
        .measure("both_views", abs(both - 2), f"slope {both:.3f} below sigma_t = 0.03")
        .measure("pca", data["random_loss"] - 1, f"{data['random_loss'].min():.2f} times the least loss or more")
        .measure("pca_found", data["found_angle"])
        .measure("pca_loss", np.abs(data["found_loss"] - 1))
        .measure("flow", angle[1:], "sines " + listed(angle[1:].max(axis=1), ".1e"))
        .measure("no_decay", float(angle[0].min()), f"sines {angle[0].min():.2f} to {angle[0].max():.2f}")
        .measure("no_decay_identity", data["off_identity"][0])
        .done()
    )  # fmt: skip


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: residuals, distance of the regression from I, angle of the flow to the k-PCA."""
    given, sigma, t = data["parameters"], data["sigma"], data["t"]
    figure, axes = style.new_figure(1, 3, height=4.2)
    left, middle, right = axes[0]
    for row, name, color, marker in zip(data["residual"], data["rules"], style.shades(len(RULES)), "os^D", strict=True):
        left.plot(given["batches"], row, color=color, marker=marker, markersize=4, label=str(name))
    left.axvline(given["f"], color=style.GREY, linewidth=0.8, linestyle="--", gid="f")
    left.annotate("$b = f$", (given["f"], 0.2), (4, 0), textcoords="offset points", fontsize=style.KEY, gid="f")
    words = f"{data['rules'][0]}: at most {data['residual'][0].max():.0e}"
    left.annotate(words, (given["batches"][-1], 0.0), (0, 6), textcoords="offset points", ha="right",
                  fontsize=style.KEY)  # fmt: skip
    left.set(title=r"claim 1: $Z P$ off the projection", xscale="log", ylim=(-0.03, 1.0))
    left.set_xticks(given["batches"], [f"{b}" for b in given["batches"]])
    left.minorticks_off()
    left.set(xlabel="batch $b$", ylabel=r"$\|ZP - \mathrm{Proj}\,Z'\| / \|\mathrm{Proj}\,Z'\|$")
    middle.plot(sigma, data["from_identity"], "o", color=style.FLOW, markersize=4, label=r"$Z' = Z + \sigma_t G$")
    middle.plot(sigma, data["predicted"], color=style.FLOW, label=r"its derived size, slope 1")
    middle.plot(sigma, data["both_noisy"], color=style.STABLE, label=r"both views noisy, $b \to \infty$: slope 2")
    middle.set(
        title=r"claim 2: regression $\to I$", xscale="log", yscale="log", xlabel=r"$\sigma_t$", ylabel=r"$\|P - I\|_F$"
    )
    for decay, runs, color in zip(given["eta"], data["angle"], style.shades(len(given["eta"])), strict=True):
        for number, run in enumerate(runs):
            right.plot(t[1:], run[1:], color=color, label="_" * (number > 0) + rf"$\eta = {decay:g}$", linewidth=1.1)
    over_time.level(right, 1.0)
    right.set(
        title=f"claim 3: rows of $W$ against {given['k']}-PCA", xscale="log", yscale="log", xlabel=r"flow time $t$"
    )
    right.set(ylabel="sine of the largest angle", ylim=(1e-9, 4))
    style.letters(axes)
    for panel, columns in ((left, 2), (middle, 1), (right, 3)):
        style.key_above(panel, columns)
    style.frame(
        figure,
        "Claims 1, 2 and 3 on data",
        rf"chosen here: {given['f']} features with covariance spectrum $1/j$, noise {given['noise']:g} in (a), "
        rf"$b = {given['samples']}$ in (b) and (c), $P(0) = I/2$, {given['runs']} random $W(0)$ per decay",
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
