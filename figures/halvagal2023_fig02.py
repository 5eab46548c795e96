"""Halvagal 2023, Fig. 2: a linear Siamese network with W_p = U diag(lambda) U^T, both losses, every ablation, IsoLoss.

lambda are the eigenvalues of W W^T, x ~ N(0, I), two views x + sigma n. Of the gradient W gets

    as is               W_p^T G                         no predictor   the same with W_p = I
    no stop-gradient    W_p^T G and the target branch   IsoLoss        G alone
    wrong side          the target branch alone

U and the right singular vectors of W stay, so that the singular values w_k move alone: exactly, for the cosine loss too
(Gaussian x). Of the squared loss each lambda has its own equation (`lindyn.equations.halvagal`). The cosine loss has
degree 0 in W while W_p is held, so each branch of its gradient is orthogonal to W and sum lambda stays, with the
stop-gradient anywhere or nowhere; under IsoLoss sum lambda^2 stays, from sum p_k w_k g_k = 0 with p = w^2.
"""

import itertools
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.integrate
import scipy.interpolate
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn._records import static
from lindyn.equations import cosine, halvagal
from lindyn.flows import losses, rules
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, phase_plane, style

OPEN, WRONG, NONE, SIAM, ISO = SETTINGS = (
    "no stop-gradient", "stop-gradient, wrong side", "no predictor", "as is", "IsoLoss"
)  # fmt: skip
LOSSES = {"squared": "squared loss", "cosine-exact": "cosine loss"}
RULE = ld.predictors.Rule.of("direct_set", power=1.0)
SHORT, LONG = 0.8, 150.0  # times of the two neurons; by the first one of them has died without stop-gradient, cosine
NODES = 48  # a side, of the exact drive: its error is below 1e-8 here
AT_HAND = 0.98  # share of the way to its escape that a mode is followed


@dataclass(frozen=True, eq=False, repr=False)
class PartFlow(ld.ModeWeightFlow):
    """Modes that get a part of the gradient: "drive", g without the predictor in front; "target", its branch alone."""

    part: str = static(default="drive")

    def __call__(self, t: Any, y: ld.ModeWeightState, args: Any = None) -> ld.ModeWeightState:
        """Return the rates of the modes; p follows by the rule."""
        y = rules.complete(self, y)
        g, branch = losses.mode_drives(self, y.p, y.w, y.w)
        dw = g if self.part == "drive" else branch
        return ld.ModeWeightState.rates(p=0.0 * y.p, w=dw, a=dw)


def flow_of(setting: str, loss: str, v: float) -> ld.ModeWeightFlow:
    """Return the flow of a setting, x = 1 and x_aug = v."""
    chosen: dict[str, Any] = {"target": "online", "loss": loss, "nodes": NODES}
    chosen["stop_gradient"] = setting not in (OPEN, WRONG)
    chosen |= {"predictor": "identity"} if setting == NONE else {"predictor": RULE, "statistics": "weights"}
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.0, eta=0.0)
    if setting in (WRONG, ISO):
        return PartFlow(hp, 1.0, v, part="drive" if setting == ISO else "target", **chosen)
    return ld.ModeWeightFlow(hp, 1.0, v, **chosen)


def compute(
    n1: int = 15,
    n2: int = 10,
    sigma: float = 0.1,
    learning_rate: tuple[float, float] = (0.01, 0.1),
    steps: int = 1500,
    steps_no_predictor: int = 100_000,
    steps_wrong: int = 250,
    batch: int = 1000,
    neurons: tuple[int, int] = (2, 6),
    seed: int = 2,
    times: int = 101,
) -> dict[str, Any]:
    """Return the spectra over time in every setting, with the second routes that the claims need.

    Args:
        n1: inputs of the large network.
        n2: its outputs.
        sigma: deviation of an augmentation; v = sigma^2.
        learning_rate: of the squared loss and of the cosine loss; flow time is learning rate x steps.
        steps: of every setting but the next.
        steps_no_predictor: without predictor, at the larger learning rate.
        steps_wrong: of the cosine loss with the stop-gradient on the wrong side, which soon is stiff.
        batch: samples of a step in the runs with minibatches.
        neurons: outputs and inputs of the small network whose responses are drawn.
        seed: of the weights, entries N(0, 1/16).
        times: kept, the first two 0 and early, the others evenly in their logarithm.

    Returns:
        Arrays loss x setting x time (x mode).
    """
    rng, v = np.random.default_rng(seed), sigma**2
    W, small = rng.normal(size=(n2, n1)) / 4, np.random.default_rng(seed).normal(size=neurons) / 4
    w = np.linalg.svd(W, compute_uv=False)
    U, few, V = np.linalg.svd(small, full_matrices=False)
    ends = np.outer(learning_rate, np.full(5, steps))
    ends[:, SETTINGS.index(NONE)] = max(learning_rate) * steps_no_predictor
    ends[1, SETTINGS.index(WRONG)] = learning_rate[1] * steps_wrong
    ts = np.array([[[0.0, end / 1e5, *np.geomspace(end / 1e3, end, times - 2)] for end in row] for row in ends])
    spectra, twos = np.full((2, 5, times, n2), np.nan), np.full((2, 5, times, neurons[0]), np.nan)
    for (i, loss), (j, s) in itertools.product(enumerate(LOSSES), enumerate(SETTINGS)):
        flow = flow_of(s, loss, v)
        spectra[i, j] = _path(flow, w, ts[i, j])
        end = SHORT if i == 1 and s in (OPEN, WRONG) else min(LONG, ts[i, j, -1])
        twos[i, j] = _path(flow, few, ts[i, j] * (end / ts[i, j, -1]))
    data = {
        "t": ts, "spectra": spectra, "twos": twos, "U": U, "V": V, "inputs": rng.normal(size=(neurons[1], 14)),
        "equation": np.array([_equation(s, w**2, ts[0, j], v) for j, s in enumerate(SETTINGS)]),
    }  # fmt: skip
    given = {"n1": n1, "n2": n2, "sigma": sigma, "learning_rate": learning_rate, "steps": steps, "seed": seed}
    given |= {"steps_no_predictor": steps_no_predictor, "steps_wrong": steps_wrong, "batch": batch, "neurons": neurons}
    return data | _in_steps(W, v, given) | _gradients(W, sigma, given, rng) | {"parameters": given}


def _escape(l0: np.ndarray, v: float) -> np.ndarray:
    """Return when a mode of the squared loss runs away with the stop-gradient on the wrong side; inf where it dies."""
    return np.where(l0 > 1 + v, np.log(l0 / np.where(l0 > 1 + v, l0 - 1 - v, 1.0)) / (2 + 2 * v), np.inf)


def _path(flow: ld.ModeWeightFlow, w: np.ndarray, ts: np.ndarray) -> np.ndarray:
    """Return lambda over time, NaN past a mode's escape; modes that can escape are run one by one."""
    if isinstance(flow, PartFlow) and flow.part == "target" and flow.loss == "squared":
        out = np.full((len(ts), len(w)), np.nan)
        for k, end in enumerate(_escape(w**2, float(flow.x_aug))):
            there = ts <= min(AT_HAND * end, ts[-1])
            out[there, k] = _run(flow, w[k : k + 1], ts[there])[:, 0]
        return out
    return _run(flow, w, ts)


def _run(flow: ld.ModeWeightFlow, w: np.ndarray, ts: np.ndarray) -> np.ndarray:
    y0 = ld.ModeWeightState(np.ones(len(w)) if flow.predictor == "identity" else w**2, w)
    return ld.simulate(flow, y0, ts, engine="scipy", rtol=1e-9).states.w ** 2


def _equation(setting: str, l0: np.ndarray, ts: np.ndarray, v: float) -> np.ndarray:
    """Return lambda of the squared loss by the eigenvalue's own equation: closed form, or a second integrator."""
    c, t = 1 + v, ts[:, None]
    if setting == NONE:
        return l0 * np.exp(-2 * v * t)
    if setting == ISO:
        return 1 / (c + (1 / l0 - c) * np.exp(-2 * t))
    if setting == WRONG:
        there = t <= np.minimum(AT_HAND * _escape(l0, v), ts[-1])
        growth = np.exp(np.where(there, 2 * c * t, 0.0))
        return np.where(there, c / (1 + (c / l0 - 1) * growth), np.nan)
    rate = halvagal.population_euclidean if setting == SIAM else halvagal.population_no_stop_gradient
    of_log = lambda _, u: rate(np.exp(u), np.exp(u), v) / np.exp(u)  # noqa: E731
    found = scipy.integrate.solve_ivp(of_log, (0, ts[-1]), np.log(l0), "DOP853", ts, rtol=1e-12, atol=1e-12)
    return np.exp(found.y.T)


def _in_steps(W: np.ndarray, v: float, given: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return spectra of training in steps on W itself: as is, population and lambda's recursion; minibatches."""
    steps, slow, fast = given["steps"], *given["learning_rate"]
    hp, data, every = ld.Hyperparameters(1.0, 0.0, 0.0), ld.Moments.isotropic(W.shape[1], v), max(1, steps // 50)

    def train(loss: str, stop: bool, rate: float, **drawn: Any) -> np.ndarray:
        chosen = {"target": "online", "predictor": RULE, "statistics": "weights", "loss": loss, "stop_gradient": stop}
        plan = {"learning_rate": rate, "steps": steps, "save_every": every, **drawn}
        run = ld.descend(ld.WeightFlow(hp, data, **chosen), ld.WeightState(W), **plan)
        return np.linalg.svd(run.states.W, compute_uv=False) ** 2

    l, path, kept = np.linalg.svd(W, compute_uv=False) ** 2, [], [*range(0, steps, every), steps]
    p = l  # W_p is set after the step of W from the outputs before it: p is the lambda of one step ago
    for _ in range(steps + 1):
        path.append(l)
        l, p = l * (1 + slow * halvagal.population_euclidean(l, p, v) / (2 * l)) ** 2, l
    cases, drawn = [("squared", True, slow), ("cosine", True, fast), ("cosine", False, fast)], given["batch"]
    sampled = np.array([train(*case, batch=drawn, seed=given["seed"]) for case in cases])
    found = {"steps": train(*cases[0]), "recursion": np.array(path)[kept], "sampled": sampled}
    return found | {"steps_t": np.array(kept)}


def _gradients(W: np.ndarray, sigma: float, given: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return rates of W of the cosine loss without stop-gradient on one batch, three ways, and a run as released."""
    import jax
    import jax.numpy as jnp

    P, (x_1, x_2) = W @ W.T, _views(W.shape[1], sigma, given["batch"], rng)

    def loss(W: Any) -> Any:
        q, t = P @ W @ x_1, W @ x_2
        return -jnp.mean((q * t).sum(0) / jnp.sqrt((q * q).sum(0) * (t * t).sum(0)))

    with jax.enable_x64(True):
        automatic = -np.array(jax.grad(loss)(jnp.asarray(W)))
    q, t = P @ W @ x_1, W @ x_2
    one, other = 1 / np.linalg.norm(q, axis=0), 1 / np.linalg.norm(t, axis=0)
    cos, count = (q * t).sum(0) * one * other, x_1.shape[1]
    G = cosine.sample_moment(q, t, x_1, one, other, cos, count)
    ours = P.T @ G + cosine.sample_moment(t, q, x_2, other, one, cos, count)
    rate, M, sums = given["learning_rate"][1], W.copy(), [np.sum(W**2)]
    for _ in range(given["steps"]):
        M = M + rate * _released(M, *_views(W.shape[1], sigma, given["batch"] // 4, rng))
        sums.append(np.sum(M**2))
    return {"W": W, "rates": np.array([automatic, ours, _released(W, x_1, x_2)]), "released": np.array(sums)}


def _views(n1: int, sigma: float, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, one, other = rng.normal(size=(3, n1, batch))
    return x + sigma * one, x + sigma * other


def _released(W: np.ndarray, x_1: np.ndarray, x_2: np.ndarray) -> np.ndarray:
    """Return the rate that the authors' toy takes for the cosine loss without stop-gradient.

    Both branches meet the first view, and t is weighted by q.t/(|q|^3 |t|), as q is, in place of q.t/(|q| |t|^3).
    """
    P, z_1, t = W @ W.T, W @ x_1, W @ x_2
    q = P @ z_1
    sizes = np.linalg.norm(q, axis=0), np.linalg.norm(t, axis=0)
    along = (q * t).sum(0) / (sizes[0] ** 3 * sizes[1])
    return ((q + P @ t) / (sizes[0] * sizes[1]) - along * (t + P @ q)) @ x_1.T / x_1.shape[1]


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    return _measure_steps(_measure_cosine(_measure_squared(Checklist("halvagal2023", 2), data), data), data).done()


def _measure_squared(claims: Checklist, data: dict[str, Any]) -> Checklist:
    spectra, equation, t = data["spectra"][0], data["equation"], data["t"][0]
    v = data["parameters"]["sigma"] ** 2
    c, (opened, ends, none, l0, iso) = 1 + v, spectra
    off = np.abs(spectra / equation - 1)
    off[np.isnan(spectra) & np.isnan(equation)] = 0.0
    slopes = [np.log(l[-1] / l[-2]) / (t[j, -1] - t[j, -2]) for j, l in ((0, opened), (2, none))]
    escaped = _escape(l0[0], v)
    gone = np.flatnonzero(np.isfinite(escaped))
    last = [np.flatnonzero(np.isfinite(ends[:, k]))[-1] for k in gone]
    when = [t[1, i] + _escape(ends[i, k], v) for i, k in zip(last, gone, strict=True)]
    halves, waits = _half_times(t, spectra, v)
    ratios = listed(halves.max(axis=1) / halves.min(axis=1), ".4g")
    return (
        claims.measure("equations", off.max(axis=(1, 2)))
        .measure("rest", np.abs(c * iso[-1] - 1), f"1/(1 + v) = {1 / c:.6f}")
        .measure("half_times", np.abs(halves / waits - 1), f"slowest over fastest mode {ratios}")
        .measure("collapse_open", np.abs(slopes[0] / (-2 * c) - 1), f"-2 (1 + v) = {-2 * c:g}")
        .measure("collapse_none", np.abs(slopes[1] / (-2 * v) - 1), f"-2 v = {-2 * v:g}")
        .measure("escape", np.abs(np.array(when) / escaped[gone] - 1), f"{len(gone)} of {len(escaped)} modes")
    )


def _half_times(t: np.ndarray, spectra: np.ndarray, v: float) -> tuple[np.ndarray, np.ndarray]:
    """Return when modes reach half their rest as run and as integrated by hand: as is, then under IsoLoss."""
    c, found, wanted = 1 + v, [], []
    for setting in (SIAM, ISO):
        j = SETTINGS.index(setting)
        for l in spectra[j].T:
            iso = np.log((1 - c * l[0]) / (c * l[0])) / 2 if c * l[0] < 0.5 else np.nan
            wait = iso if setting == ISO else (1 / l[0] - 2 * c) / 2 + c * iso
            on_the_way = c * l < 0.9
            wanted.append(wait if wait < t[j, -1] else np.nan)
            found.append(np.nan)
            if wait < t[j, -1]:
                path = scipy.interpolate.PchipInterpolator(np.log(l[on_the_way]), t[j, on_the_way])
                found[-1] = float(path(np.log(0.5 / c)))
    both = np.reshape([found, wanted], (2, 2, -1))
    there = ~np.isnan(both).any(axis=(0, 1))  # modes that get there in both settings
    return both[0][:, there], both[1][:, there]


def _measure_cosine(claims: Checklist, data: dict[str, Any]) -> Checklist:
    spectra, W, rates = data["spectra"][1], data["W"], data["rates"]
    (_, wrong, _, _, iso), total = spectra, spectra.sum(axis=-1)[:4]
    square, starts = (iso**2).sum(axis=-1), data["spectra"][:, 3:, :2]
    first = np.log(starts[:, :, 1] / starts[:, :, 0])
    ratio = first[:, 0] / first[:, 1] / spectra[3, 0]
    size = np.linalg.norm(rates[0])
    along = [float(np.sum(W * rate) / np.linalg.norm(W) / np.linalg.norm(rate)) for rate in rates]
    return (
        claims.measure("multiplier", np.abs(ratio - 1))
        .measure("norm", np.abs(total / total[:, :1] - 1))
        .measure("iso_integral", np.abs(square / square[0] - 1))
        .measure("iso_rest", np.abs(iso[-1] / np.sqrt(square[0] / iso.shape[1]) - 1))
        .measure("wrong_rest", 1 - wrong[-1].max() / total[0, 0])
        .measure("autodiff", [float(np.linalg.norm(rates[1] - rates[0]) / size), abs(along[0])])
        .measure("released", float(np.linalg.norm(rates[2] - rates[0]) / size), f"cosine with W {along[2]:.3f}, not 0")
        .measure("released_norm", float(data["released"][-1] / data["released"][0]))
    )


def _measure_steps(claims: Checklist, data: dict[str, Any]) -> Checklist:
    steps, (slow, fast) = data["steps"], data["parameters"]["learning_rate"]
    paths = [_at(data, 0, SIAM, slow), _at(data, 1, SIAM, fast), _at(data, 1, OPEN, fast)]
    off = [np.abs(run - path).max() / path.max() for run, path in zip(data["sampled"], paths, strict=True)]
    return (
        claims.measure("recursion", np.abs(steps / data["recursion"] - 1))
        .measure("flow", np.abs(steps - paths[0]) / paths[0].max())
        .measure("sampled", off, "squared, cosine, cosine without stop-gradient: " + listed(off, ".3f"))
    )


def _at(data: dict[str, Any], loss: int, setting: str, rate: float) -> np.ndarray:
    """Return lambda of a flow at the times of the runs in steps, largest first."""
    ts, l = (data[key][loss, SETTINGS.index(setting)] for key in ("t", "spectra"))
    at = [np.exp(np.interp(data["steps_t"] * rate, ts, np.log(one))) for one in l.T]
    return np.sort(np.array(at).T, axis=1)[:, ::-1]


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: responses of two neurons and the spectrum of ten, a column per setting, for both losses."""
    given = data["parameters"]
    figure, axes = style.new_figure(4, 5, height=8.8)
    for i, loss in enumerate(LOSSES.values()):
        for j, setting in enumerate(SETTINGS):
            phase_plane.responses(axes[2 * i, j], _responses(data, i, j))
            panel, t, l = axes[2 * i + 1, j], data["t"][i, j], data["spectra"][i, j]
            over_time.family(panel, t[1:], l[1:].T, [""] * l.shape[1], linewidth=1.0)
            panel.set(xscale="log", yscale="log", ylim=(1e-2, 12), xlim=(t[-1] / 1e3, t[-1]))
            panel.set_xlabel(r"flow time $t$", fontsize=8.5)
            panel.tick_params(labelsize=7.5)
            axes[0, j].set_title(setting)
        axes[2 * i, 0].set_ylabel(f"{loss}\ntwo neurons, $z_2$ over $z_1$", fontsize=8.5)
        axes[2 * i + 1, 0].set_ylabel(rf"$\lambda$, {given['n1']} to {given['n2']}")
    over_time.level(axes[1, 4], 1 / (1 + given["sigma"] ** 2), "$1/(1 + v)$")
    t, sums = given["learning_rate"][1] * np.arange(len(data["released"])), data["released"]
    exact, released = {"color": style.INK, "linestyle": "--"}, {"color": style.STABLE, "linestyle": "--"}
    axes[3, 0].plot(t[1:], sums[1:] / given["n2"], **released)
    axes[3, 0].plot(data["t"][1, 0][1:], data["spectra"][1, 0][1:].mean(axis=1), **exact)
    key = [*phase_plane.legend_entries("response", "end"), *style.mode_key(given["n2"], 3, r"\lambda_j, j"),
           Line2D([], [], label=r"mean $\lambda$ by the gradient", **exact),
           Line2D([], [], label="as released", **released)]  # fmt: skip
    style.frame(
        figure,
        r"Linear Siamese network, $W_p = U \mathrm{diag}(\lambda)\, U^T$: where the eigenvalues of $W W^T$ go",
        rf"$\sigma = {given['sigma']:g}$, $W(0)$ of entries $N(0, 1/16)$; {given['steps']} steps of "
        rf"{given['learning_rate'][0]:g} (squared) and {given['learning_rate'][1]:g} (cosine), "
        f"{given['steps_no_predictor']} of {given['learning_rate'][1]:g} without predictor",
        key,
    )
    return figure


def _responses(data: dict[str, Any], i: int, j: int) -> np.ndarray:
    """Return the small network's responses z(t) = U diag(w(t)) V x, times x 2 x inputs."""
    w = np.sqrt(data["twos"][i, j])
    z = np.einsum("ok,tk,kp->top", data["U"], w[~np.isnan(w).any(axis=1)], data["V"] @ data["inputs"])
    return np.asarray(z)


if __name__ == "__main__":
    sys.exit(main(__file__))
