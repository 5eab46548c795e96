"""Normalised 2: Obs#1 to #10 of Tian et al. 2021, Table 4, under the cosine loss, each measured again.

The loss sees directions alone. So norms are conserved up to decay, equal decays only run the clock, and the size tau of
the target is not seen: what the paper says of collapse to 0, of the critical decay and of tau falls; what it says of
alpha_p, of memory at a given size and of a slow target stays. At rest p_k = r_k/kappa with |p| as at the start:
kappa = |r|/|p(0)| (r = x/c, c = x + x', no decay, W_a = W). All by the closure.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.integrate import solve_ivp

import lindyn as ld
from lindyn.equations import cosine, modes, rest
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import style

COSINE, SQUARED = "cosine", "squared"
RESTS = {"rtol": 1e-8, "solver": "stiff", "steady_state": True}
ALIVE = 0.5  # of p kappa / r: at rest it is 1 for what lives; what dies keeps w = 0


def compute(sigma2: float = 0.25, clock: float = 3000.0, points: int = 16, seed: int = 0) -> dict[str, Any]:
    """Return the curves.

    Args:
        sigma2: variance of the augmentation in the squared loss's critical decay, which the decays go past.
        clock: time of the flow without decay at which runs are compared; with decay t = log(1 + 2 eta clock)/(2 eta).
        points: starts a side of the basin's square.
        seed: of the spectrum of #2, #3, #5, #8, #9 and of the matrices of #6, #7.

    Returns:
        Arrays named x1, y1, ... x10, y10; c.. closed forms, s.. the squared loss; rest (depth x mode) and its law.
    """
    critical = float(ld.theory.critical_decay(1.0, 1.0, sigma2))
    found: dict[str, Any] = {}
    for part in (_basin, _growth, _memory, _past_critical, _alignment, _size_of_target, _slow_target, _depths):
        found |= part(critical, clock, points, seed)
    given = {"sigma2": sigma2, "clock": clock, "points": points, "seed": seed}
    return {**found, "critical": critical, "parameters": given}


def _spectrum(seed: int, count: int = 8) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return (x, x_aug, start) of modes with unequal shares."""
    rng = np.random.default_rng(seed)
    x = np.exp(-np.arange(count) / (count / 3))
    start = ld.ModeWeightState(rng.uniform(0.3, 0.6, count), rng.uniform(0.6, 1.0, count))
    return x, x * rng.uniform(0.1, 0.9, count), start


def _flow(x: Any, x_aug: Any, eta: float = 0.0, alpha_p: float = 1.0, loss: str = COSINE, **ablation: Any) -> Any:
    hp = ld.Hyperparameters(alpha_p, ablation.pop("beta", 0.0), eta)
    return ld.ModeWeightFlow(hp, x, x_aug, loss=loss, **{"target": "online", **ablation})


def _kappa(flow: Any, y: Any) -> float:
    m, c = y.p * y.w, flow.x + flow.x_aug
    return float((flow.x * m * y.a).sum() / (c * m * m).sum())


def _until(clock: float, eta: float) -> float:
    """Return the time at which the clock of a flow with decay has run so far: the inverse of `rest.decay_clock`."""
    return clock if eta == 0 else float(np.log1p(2 * eta * clock) / (2 * eta))


def _basin(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """#1: share of starts that die over alpha_p; every start is a mode of one network. #4: the edge on the parabola."""
    alpha_p = np.geomspace(0.1, 100.0, 7)
    p, s = np.meshgrid(np.linspace(-0.45, 0.95, points), np.geomspace(0.02, 1.0, points))
    start = ld.ModeWeightState(p.ravel(), np.sqrt(s.ravel()))
    dead, closed = [], []
    for a in alpha_p:
        flow = _flow(np.full(p.size, 0.8), np.full(p.size, 0.2), alpha_p=float(a))
        p_end, w_end = _held(flow, start.p, start.w, 1.0, 20 * clock)
        end = ld.ModeWeightState(p_end, w_end)
        kept = modes.integral_of_motion(start.p, start.w**2, a)  # < 0: w can reach 0, where p^2 = -alpha_p kept
        over = np.sqrt(np.maximum(-a * kept, 0.0)) * _kappa(flow, end) > 0.8
        closed.append((kept < 0) & ((start.p < 0) | over))
        dead.append(end.w**2 < 1e-3 * np.maximum(start.w**2, 1e-3))
    eta = np.linspace(0.0, 1.5 * critical, 4)
    faint = np.geomspace(1e-3, 1.0, 12)
    flows = [_flow(np.full(12, 0.8), np.full(12, 0.2), eta=float(e)) for e in eta]
    ends = [
        ld.simulate(f, ld.ModeWeightState(faint, faint), t1=_until(10 * clock, float(e)), rtol=1e-7, solver="stiff")
        for f, e in zip(flows, eta, strict=True)
    ]
    share = np.array([run.final.p * _kappa(f, run.final) / 0.8 for f, run in zip(flows, ends, strict=True)])
    lives = np.where(share > ALIVE, faint, np.inf).min(axis=1)
    below = np.linspace(0.02, 1.0, 50)
    p_minus = ld.theory.branches(below * critical, 1.0, 1.0, 1 / (4 * critical) - 1)[0]
    return {
        "x1": alpha_p, "y1": np.mean(dead, axis=1), "c1": np.mean(closed, axis=1),
        "wrong1": np.mean(np.array(dead) != np.array(closed), axis=1),
        "x4": eta / critical, "y4": lives, "sx4": below, "s4": p_minus, "rest4": share,
    }  # fmt: skip


def _growth(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """#2: s at rest over its start, over alpha_p, and its closed form from the two conserved quantities."""
    x, x_aug, start = _spectrum(seed)
    r, alpha_p = x / (x + x_aug), np.geomspace(1.0, 1000.0, 13)
    ends = [ld.simulate(_flow(x, x_aug, alpha_p=float(a)), start, t1=clock, **RESTS).final for a in alpha_p]
    p = rest.rest_predictor(r, np.linalg.norm(r) / np.linalg.norm(start.p))
    closed = [1 + (p**2 - start.p**2) / (a * start.w**2) for a in alpha_p]
    return {"x2": alpha_p, "y2": np.array([(end.w / start.w) ** 2 for end in ends]), "c2": np.array(closed)}


def _memory(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """#3: the start c_j that decay forgets, and its share of |W|^2, which it does not."""
    x, x_aug, start = _spectrum(seed)
    eta, t = np.linspace(0.0, 0.15, 7), 20.0
    left: dict[str, list[np.ndarray]] = {COSINE: [], SQUARED: []}
    for loss, found in left.items():
        for e in eta:
            end = ld.simulate(_flow(x, x_aug, eta=float(e), loss=loss), start, t1=t, rtol=1e-10).final
            now, then = (modes.integral_of_motion(y.p, y.w**2, 1.0) for y in (end, start))
            found.append(np.array([np.mean(now / then), np.mean(now / then) * (start.w**2).sum() / (end.w**2).sum()]))
    return {
        "x3": eta, "y3": np.array(left[COSINE])[:, 1], "s3": np.array(left[SQUARED])[:, 1],
        "memory3": np.array(left[COSINE])[:, 0], "c3": np.exp(-2 * eta * t),
    }  # fmt: skip


def _past_critical(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """#5: the spectrum, in shares, at one clock over the decay; the squared loss at the same clock."""
    x, x_aug, start = _spectrum(seed)
    eta = np.array([0.0, 0.5, 0.75, 1.0, 1.5, 3.0]) * critical
    shares, sizes = [], []
    for e in eta:
        t1 = _until(clock / 10, float(e))
        w = ld.simulate(_flow(x, x_aug, eta=float(e)), start, t1=t1, rtol=1e-9, solver="stiff").final.w
        shares.append(w**2 / (w**2).sum())
        ones = ld.ModeWeightState(np.array([0.8]), np.array([0.8]))
        squared = ld.simulate(_flow(1.0, 1 / (4 * critical) - 1, eta=float(e), loss=SQUARED), ones, t1=200.0).final
        sizes.append(float(squared.p[0]))
    off = np.abs(np.array(shares) / shares[0] - 1).max(axis=1)
    rank = np.array([float(ld.observables.entropy_rank(share)) for share in shares])
    return {"x5": eta / critical, "y5": rank, "s5": np.array(sizes), "off5": off}


def _alignment(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """#6 and #7: K of Theorem 3 under the closure, its rate on the commutator, and the commutator's share over eta."""
    n, sigma2 = 4, 1 / (4 * critical) - 1
    rng = np.random.default_rng(seed)
    data = ld.Moments.isotropic(n, sigma2)
    p, w = rng.uniform(0.3, 0.6, n), rng.uniform(0.6, 1.0, n)
    turn = rng.normal(size=(n, n))
    alpha_p = np.geomspace(0.1, 1000.0, 9)
    smallest, rate = [], []
    for a in alpha_p:
        flow = ld.WeightFlow(
            ld.Hyperparameters(float(a), 0.0, 0.0), data, target="online", predictor="symmetrised", loss=COSINE
        )
        K = _K(p, w, 1.0, sigma2, float(a))
        smallest.append(K.min())
        tilted = ld.WeightState(np.diag(w), np.diag(p) + 1e-7 * (turn + turn.T))
        now = flow(0.0, tilted)
        L, dL = _commutator(tilted), _commutator_rate(tilted, now)
        off = ~np.eye(n, dtype=bool)
        rate.append(np.abs(dL[off] / L[off] / -(K[:, None] + K[None, :])[off] - 1).max())
    eta = np.linspace(0.0, 0.15, 7)
    start = ld.WeightState.random(n, n, seed, symmetric_predictor=True)
    start = start._replace(W_p=start.W_p @ start.W_p.T)
    share = []
    for e in eta:
        hp = ld.Hyperparameters(1.0, 0.0, float(e))
        flow = ld.WeightFlow(hp, data, target="online", predictor="symmetrised", loss=COSINE)
        end = ld.simulate(flow, start, t1=_until(10.0, float(e)), rtol=1e-11).final
        sizes = np.linalg.norm(end.W @ end.W.T) * np.linalg.norm(end.W_p)
        share.append(float(np.linalg.norm(_commutator(end)) / sizes))
    return {
        "x6": alpha_p, "y6": np.array(smallest), "rate6": np.array(rate),
        "x7": eta, "y7": np.array(share),
    }  # fmt: skip


def _K(p: np.ndarray, w: np.ndarray, x: float, x_aug: float, alpha_p: float) -> np.ndarray:
    """Return the eigenvalues of K under the closure: the squared loss's, its prediction scaled by kappa, its clock too.

    K_k = pace (kappa c (alpha_p s/2 + p^2) - x p) + eta_s + eta_p/2, without decay.
    """
    c, m = x + x_aug, p * w
    Q, T = (c * m * m).sum(), (c * w * w).sum()
    kappa, pace = (x * m * w).sum() / Q, cosine.clock(Q, T)
    scaled = pace * x, pace * (kappa * c - x)
    return modes.alignment_rate(p, w * w, modes.drive(p, 1.0, *scaled), alpha_p, 0.0, 0.0, *scaled)


def _commutator(y: Any) -> np.ndarray:
    F = y.W @ y.W.T
    return F @ y.W_p - y.W_p @ F


def _commutator_rate(y: Any, now: Any) -> np.ndarray:
    F, dF = y.W @ y.W.T, now.W @ y.W.T + y.W @ now.W.T
    return dF @ y.W_p + F @ now.W_p - now.W_p @ F - y.W_p @ dF


def _size_of_target(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """#8: the rate at the start over the size tau of the target; #10: the edge of the basin at tau held."""
    x, x_aug, start = _spectrum(seed)
    tau, small = np.geomspace(0.01, 1.0, 5), start._replace(p=1e-4 * start.p)

    def speed(loss: str, size: float) -> float:
        flow = _flow(x, x_aug, loss=loss, target="ema", beta=1.0)
        return float(np.linalg.norm(flow(0.0, small._replace(a=size * start.w)).p))

    p0 = np.linspace(-0.49, -0.11, 20)
    edges = []
    for held in tau:
        flow = _flow(np.full(29, 0.8), np.full(29, 0.2), target="ema", beta=0.0)
        p, w = np.append(p0, np.full(9, 0.6)), np.append(np.full(20, 0.3), np.ones(9))  # nine that lead
        lives = _held(flow, p, w, float(held), clock)[0][:20] > 0
        edges.append(p0[lives].min() - 0.5 * (p0[1] - p0[0]))
    return {
        "x8": tau, "y8": np.array([speed(COSINE, a) for a in tau]) / speed(COSINE, 1.0),
        "s8": np.array([speed(SQUARED, a) for a in tau]) / speed(SQUARED, 1.0),
        "x10": tau, "y10": np.array(edges), "c10": np.full(len(tau), -0.3), "step10": p0[1] - p0[0],
    }  # fmt: skip


def _held(flow: Any, p: np.ndarray, w: np.ndarray, tau: float, t1: float) -> np.ndarray:
    """Return (p, w) at the end of a flow whose target is held at a = tau w."""
    n, start = len(p), ld.ModeWeightState(p, w)

    def rate(t: float, y: np.ndarray) -> np.ndarray:
        now = flow(t, start._replace(p=y[:n], w=y[n:], a=tau * y[n:]))
        return np.append(now.p, now.w)

    return solve_ivp(rate, (0.0, t1), np.append(p, w), method="LSODA", rtol=1e-7, atol=1e-10).y[:, -1].reshape(2, n)


def _slow_target(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """#9: time until p_k/r_k are equal to a tenth, over beta; the target starts as a copy."""
    x, x_aug, start = _spectrum(seed)
    r, beta, ts = x / (x + x_aug), np.geomspace(0.003, 30.0, 9), np.append(0.0, np.geomspace(0.05, clock / 3, 200))

    def time(**target: Any) -> float:
        p = ld.simulate(_flow(x, x_aug, **target), start, ts, rtol=1e-7, solver="stiff").states.p / r
        apart = np.log((p.max(axis=1) / p.min(axis=1)) - 1)
        late = np.flatnonzero(apart > np.log(0.1)).max()
        return float(np.interp(-np.log(0.1), -apart[late : late + 2], ts[late : late + 2]))

    times = np.array([time(target="ema", beta=float(b)) for b in beta])
    return {"x9": beta, "y9": times, "c9": np.full(len(beta), time())}


def _depths(critical: float, clock: float, points: int, seed: int) -> dict[str, Any]:
    """At rest p ~ r and s ~ c r^(2 L), balanced layers of one to three."""
    n = 6
    rng = np.random.default_rng(seed)
    c, r = np.exp(-np.arange(n) / 3), rng.uniform(0.4, 0.9, n)
    hp, data = ld.Hyperparameters(1.0, 0.0, 0.0), ld.Moments.commuting(c * r, c * (1 - r))
    p, s, law = [], [], []
    for depth in (1, 2, 3):
        layer = np.diag(rng.uniform(0.6, 1.0, n))
        flow = ld.DeepFlow(hp, data, target="online", loss=COSINE)
        end = ld.simulate(flow, ld.DeepWeightState((layer,) * depth, layer), t1=clock, rtol=1e-9).final
        p.append(np.diag(end.W_p))
        s.append(c * np.diag(end.W) ** 2)
        law.append(rest.rest_spectrum(c, r, depth, 1.0))
    s, law = (each / np.sum(each, axis=1, keepdims=True) for each in (np.array(s), np.array(law)))
    return {"r": r, "rest_p": np.array(p), "rest_s": s, "rest_law": law}


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the observations, measured."""
    p = data["rest_p"] / data["r"]
    apart = np.abs(data["rest_s"] / data["rest_law"] - 1).max(axis=1)
    ends, start = data["y9"], data["c9"][0]
    return (
        Checklist("normalised", 2)
        .measure("obs1", float(np.diff(data["y1"]).max()), _from_to(data["y1"], "share"))
        .measure("obs1_form", float(data["wrong1"].max()))
        .measure("obs2", float(np.abs(data["y2"] - data["c2"]).max()))
        .measure("obs2_still", float(np.abs(data["y2"][-1] - 1).max()))
        .measure("obs3", float(np.abs(data["memory3"] - data["c3"]).max()))
        .measure("obs3_share", float(np.abs(data["y3"] - 1).max()), f"squared loss: {data['s3'][-1]:.2g} is left")
        .measure("obs4", float(np.abs(data["rest4"] - 1).max()), f"smallest start that lives {data['y4'].max():.0e}")
        .measure("obs5", float(data["off5"].max()), f"effective rank {data['y5'].min():.4f} to {data['y5'].max():.4f}")
        .measure("obs6", float(np.diff(data["y6"]).min()), _from_to(data["y6"], "K"))
        .measure("obs6_rate", float(data["rate6"].max()))
        .measure("obs7", float(np.abs(data["y7"] / data["y7"][0] - 1).max()))
        .measure("obs8", float(np.abs(data["y8"] - 1).max()), f"squared loss: {data['s8'][0]:.2g} at tau = 0.01")
        .measure("obs9", float(np.diff(data["y9"]).max()), f"t = {ends[0]:.3g} at 0.003, {ends[-1]:.3g} at 30")
        .measure("obs9_limit", float(abs(ends[-1] / start - 1)))
        .measure("obs10", float(np.abs(data["y10"] - data["c10"]).max() / data["step10"]))
        .measure("rest", float(np.abs(p / p[:, :1] - 1).max()))
        .measure("rest_depth", float(apart.max()))
        .done()
    )


def _from_to(values: np.ndarray, name: str) -> str:
    return f"{name} {values[0]:.3g} at the smallest alpha_p, {values[-1]:.3g} at the largest"


STAYS, CHANGES, FALLS = "stays", "changes", "falls"
PANELS = (
    (1, CHANGES, "larger $\\alpha_p$:\na smaller basin", r"$\alpha_p$", "share that dies"),
    (2, CHANGES, "at too large $\\alpha_p$\n$s$ keeps its start", r"$\alpha_p$", "$s(t)/s(0)$ of modes"),
    (3, FALLS, "decay forgets $c$:\nnot its share", r"$\eta$", "share of $c$ left"),
    (4, FALLS, "decay moves\n$p_-$ right", r"$\eta/\eta_c$", "smallest $p(0)$ that lives"),
    (5, FALLS, "past $\\eta_c$ collapse\nis certain", r"$\eta/\eta_c$", "effective rank (grey: final $p$)"),
    (6, STAYS, "larger $\\alpha_p$\nloosens Eq. 17", r"$\alpha_p$", style.LOWEST_K),
    (7, FALLS, "decay helps\nalignment", r"$\eta$", "commutator's share"),
    (8, FALLS, "small $\\tau$:\na slow start", r"$\tau(0)$", "speed at the start"),
    (9, STAYS, "a slow target\ntrains slowly", r"$\beta$", "time to rest"),
    (10, FALLS, "small $\\tau$\nraises $p_-$", r"$\tau$ (held)", "edge of the basin, $p(0)$"),
)
LOG_X, LOG_Y = (1, 2, 6, 8, 9, 10), (3, 4, 6, 8, 9)


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the ten panels, and the rest at depths one to three."""
    figure, axes = style.new_figure(3, 4, height=7.8)
    panels = axes.ravel()
    for (number, fate, title, x, y), panel in zip(PANELS, panels, strict=False):
        panel.set_title(f"#{number} {fate}: {title}", fontsize=8.5)
        panel.set_xlabel(x, fontsize=9)
        panel.set_ylabel(y, fontsize=8.5)
        for key, look in (("s", {"color": style.GREY}), ("y", {"color": style.INK, "marker": ".", "markersize": 3})):
            if f"{key}{number}" in data:
                x = data.get(f"{key}x{number}", data[f"x{number}"])
                panel.plot(x, data[f"{key}{number}"], **look)
        if f"c{number}" in data and number != 3:
            panel.plot(data[f"x{number}"], data[f"c{number}"], color=style.STABLE, linestyle="--", linewidth=1.1)
        panel.set_xscale("log" if number in LOG_X else "linear")
        panel.set_yscale("log" if number in LOG_Y else "linear")
    panels[6].set_ylim(0.0, 2.0 * data["y7"].max())
    panels[8].set_yticks([20, 50, 100, 200], ["20", "50", "100", "200"])
    panels[9].set_ylim(-0.5, 0.0)
    for panel, (key, name, law) in zip(
        panels[10:], (("rest_p", "$p_k$", "\\propto r_k"), ("rest_s", "$s_k$", "\\propto c_k r_k^{2L}")), strict=True
    ):
        _at_rest(panel, data, key)
        panel.set_title(f"at rest {name} ${law}$,\n$L = 1, 2, 3$", fontsize=8.5)
        panel.set_xlabel("law", fontsize=9)
        panel.set_ylabel(f"{name}, in shares", fontsize=8.5)
    for panel in panels:
        panel.tick_params(labelsize=7.5)
        panel.minorticks_off()
    key = [
        Line2D([], [], color=style.INK, marker=".", label="cosine loss"),
        Line2D([], [], color=style.GREY, label="squared loss"),
        Line2D([], [], color=style.STABLE, linestyle="--", label="closed form"),
    ]
    style.frame(
        figure, "What the cosine loss keeps of Obs#1 to #10 (Tian, Chen, Ganguli 2021, Table 4), and what falls",
        rf"closure; target = online network but in #8 to #10; $\eta_c = {data['critical']:g}$ of the squared loss at "
        rf"$\sigma^2 = {data['parameters']['sigma2']:g}$; with decay at the same clock $(e^{{2\eta t}} - 1)/(2\eta)$; "
        "every point is an integrated run",
        key,
    )  # fmt: skip
    return figure


def _at_rest(panel: Any, data: dict[str, Any], key: str) -> None:
    laws = data["rest_law"] if key == "rest_s" else np.tile(data["r"] / data["r"].sum(), (3, 1))
    for depth, (found, law, color) in enumerate(zip(data[key], laws, style.shades(3), strict=True), 1):
        panel.plot(law, found / found.sum(), "o", color=color, markersize=3.5, label=f"$L = {depth}$")
    ends = np.array([laws.min(), laws.max()])
    panel.plot(ends, ends, color=style.STABLE, linestyle="--", linewidth=1.1)
    panel.legend(fontsize=style.KEY, loc="upper left")
    if key == "rest_s":
        panel.set(xscale="log", yscale="log")


if __name__ == "__main__":
    sys.exit(main(__file__))
