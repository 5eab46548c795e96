"""Gallery 5: BYOL's Tables 5a, 21 and 22 beside the linear theory's verdict: which rows it gets right, and which not.

Printed values (Top-1 of a linear evaluation on ImageNet, Grill et al. 2020) and measured values (share of modes alive
in the linear theory) are different things and stay in different columns; only the words fails / partly / works are
compared. Table 5a is the beta axis, beta = (1 - tau_base)/alpha; Tables 21 and 22 are the alpha_p axis with the online
network as target, alpha_p = lambda/mu, where decay is multiplied by the learning rate too (eta_p = alpha_p eta).
"""

import sys
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import norm, spearmanr

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main, second_route
from lindyn.plotting import style
from lindyn.sweeps.outcome import ALIVE, NOT_GROWING

TABLE_5A = {"1 (constant random)": 18.8, "0.999": 69.8, "0.99": 72.5, "0.9": 68.4, "0 (stop-gradient)": 0.3}
BASES = (1.0, 0.999, 0.99, 0.9, 0.0)
TABLE_21 = {0: 0.01, 1: 5.5, 2: 62.8, 10: 66.6, 20: 66.3}
FACTORS = (1.0, 1.5, 2.0, 5.0, 10.0)
TABLE_22 = np.array([
    [3.2, 25.7, 60.8, 66.7, 66.9], [1.4, 9.2, 55.2, 61.5, 66.0], [2.0, 5.3, 15.8, 60.9, 66.3],
    [1.5, 2.5, 2.5, 20.5, 60.5], [0.1, 2.1, 1.9, 2.8, 8.3],
])  # fmt: skip
TOP1, SHARE = (10.0, 50.0), (0.1, 0.5)  # fails up to the first, works from the second
ROWS, HEADS = np.array([1, 2, 3, 4, 5, 7, 8, 9, 10, 11]), (0, 6)  # heights of the bars and of the names of their tables
TABLES = ("Table 5a: EMA parameter", r"Table 21: predictor's rate")
SHADES = ("0.56", "0.75", "0.94")
LABELS = (r"fails: Top-1 $\leq$ 10 %, alive $\leq$ 0.1", "partly", r"works: Top-1 $\geq$ 50 %, alive $\geq$ 0.5")
DIFFERS: dict[str, Any] = {"color": style.STABLE, "marker": "x", "markersize": 5, "markeredgewidth": 1.6,
                           "linestyle": "none"}  # fmt: skip


def compute(
    eta: float = 0.04,
    alpha: float = 0.03,
    sigma2: float = 0.25,
    spread: float = 0.5,
    t1: float = 3000.0,
    starts: int = 40,
) -> dict[str, Any]:
    """Return the share of modes alive for each row of the three tables.

    Args:
        eta: weight decay in flow time.
        alpha: learning rate that turns tau_base into beta.
        sigma2: variance of the augmentation.
        spread: p0 is normal with this standard deviation (half of a random predictor's eigenvalues are negative).
        t1: end of the runs.
        starts: quantiles of p0, and of s0, log-uniform on 0.01..1.

    Returns:
        table5a, table21, table22 (mu, lambda): measured shares.
    """
    middle = (np.arange(starts) + 0.5) / starts
    kept = {
        "p": norm.ppf(middle) * spread,
        "s": 10.0 ** (-2 * (1 - middle)),
        "x_aug": sigma2,
        "t1": t1,
        "progress": False,
    }

    def alive(**how: Any) -> float:
        ds = ld.sweep(**how, **kept)
        return float(np.isin(ds["outcome"], (ALIVE, NOT_GROWING)).mean())

    def ratio(alpha_p: float) -> float:
        return alive(alpha_p=alpha_p, eta_s=eta, eta_p=alpha_p * eta, target="online")

    def base(tau: float) -> float:
        if tau in (0.0, 1.0):
            return alive(eta=eta, target="online" if tau == 0.0 else "frozen")
        return alive(eta=eta, beta=(1 - tau) / alpha)

    shares = {r: ratio(r) for r in sorted({lam / mu for mu in FACTORS for lam in FACTORS} | set(map(float, TABLE_21)))}
    return {
        "table5a": np.array([base(tau) for tau in BASES]),
        "table21": np.array([shares[float(lam)] for lam in TABLE_21]),
        "table22": np.array([[shares[lam / mu] for lam in FACTORS] for mu in FACTORS]),
        "parameters": {"eta": eta, "alpha": alpha, "sigma2": sigma2, "spread": spread, "t1": t1, "starts": starts},
    }  # fmt: skip


def _word(values: Any, limits: tuple[float, float]) -> np.ndarray:
    """Return 0 fails, 1 partly, 2 works."""
    values = np.asarray(values, dtype=float)
    return (values > limits[0]).astype(int) + (values >= limits[1])


def _agree(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which rows of the three tables the theory gets right."""
    printed = (list(TABLE_5A.values()), list(TABLE_21.values()), TABLE_22)
    measured = (data["table5a"], data["table21"], data["table22"])
    return tuple(_word(a, TOP1) == _word(b, SHARE) for a, b in zip(printed, measured, strict=True))  # type: ignore[return-value]


def check(data: dict[str, Any]) -> list[Claim]:
    """Return which rows come out right, and the order along the axes."""
    in_5a, in_21, in_22 = _agree(data)
    order = spearmanr(data["table22"].ravel(), TABLE_22.ravel()).statistic
    ratios = np.array([[lam / mu for lam in FACTORS] for mu in FACTORS]).ravel()
    along = data["table22"].ravel()[np.argsort(ratios, kind="stable")]
    collapse = _word(TABLE_22, TOP1) == 0
    rise = lambda values: float(values[-1] - values[0]) if np.all(np.diff(values) >= 0) else -1.0  # noqa: E731
    lam_alone = spearmanr(np.tile(FACTORS, 5), TABLE_22.ravel()).statistic
    nulls = _nulls(TABLE_22)
    return (
        Checklist("gallery", 5)
        .measure("table5a", float(in_5a.mean()), _scores(data["table5a"], in_5a, TABLE_5A, "EMA", BASES))
        .measure("table5a_zero", float(data["table5a"][-1]))
        .measure("table5a_route", *_off_second_route(data))
        .measure("table21", float(in_21.mean()), _scores(data["table21"], in_21, TABLE_21, "lambda", TABLE_21))
        .measure("table21_order", rise(data["table21"]))
        .measure("table22_order", float(order), f"{order:.2f}; lambda alone {lam_alone:.2f}")
        .measure("table22_ratio", rise(along))
        .measure(
            "table22_words", float(in_22.mean()) - max(nulls.values()),
            f"theory {in_22.mean():.2f}, " + ", ".join(f"{name} {score:.2f}" for name, score in nulls.items()),
        )
        .measure(
            "table22_collapse", float(in_22[collapse].mean()), f"{int(in_22[collapse].sum())} of {int(collapse.sum())}"
        )
        .done()
    )  # fmt: skip


def _off_second_route(data: dict[str, Any]) -> tuple[float, str]:
    """Return how far the shares with an EMA are from those of runs of the printed equations."""
    given = data["parameters"]
    middle = (np.arange(given["starts"]) + 0.5) / given["starts"]
    p, s = np.meshgrid(norm.ppf(middle) * given["spread"], 10.0 ** (-2 * (1 - middle)), indexing="ij")
    beta = (1 - np.array(BASES[1:4]))[:, None, None] / given["alpha"]
    alive = second_route.lives(p, s, 1.0, beta=beta, eta=given["eta"], sigma2=given["sigma2"], t1=600.0)
    own = alive.mean(axis=(-2, -1))
    return float(np.abs(data["table5a"][1:4] - own).max()), "shares " + listed(own, ".3f")


def _nulls(printed: Any) -> dict[str, float]:
    """Return the share of rows that theories get right which know nothing: everything works, everything fails."""
    words = _word(np.asarray(printed, dtype=float), TOP1)
    return {"everything works": float((words == 2).mean()), "everything fails": float((words == 0).mean())}


def _scores(share: np.ndarray, right: np.ndarray, printed: dict[Any, float], name: str, axis: Any) -> str:
    """Return which rows are right and in what order, and what null theories score: all alike, or the axis alone."""
    rows = [str(row) for row, one in zip(printed, right, strict=True) if one]
    null = ", ".join(f"{word} {score:.1f}" for word, score in _nulls(list(printed.values())).items())
    ours, alone = (spearmanr(list(one), list(printed.values())).statistic for one in (share, axis))
    ranks = f"ranks as printed: theory {ours:.2f}, order by {name} {alone:.2f}"
    return f"{right.mean():.2g} ({', '.join(rows)}); {null}; {ranks}"


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the rows of 5a and 21 as bars, and 22 as two grids; printed and measured side by side."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 4, height=4.8, gridspec_kw={"width_ratios": [0.9, 0.9, 1.15, 1.15]})
    in_5a, in_21, in_22 = _agree(data)
    printed = np.array([*TABLE_5A.values(), *TABLE_21.values()])
    measured = np.concatenate([data["table5a"], data["table21"]])
    _rows(axes[0, 0], printed, _word(printed, TOP1), "{:.3g}")
    _rows(axes[0, 1], measured, _word(measured, SHARE), "{:.2f}", np.concatenate([in_5a, in_21]))
    names = [rf"$\tau_{{base}}$ = {name}" for name in TABLE_5A] + [rf"$\lambda$ = {lam}" for lam in TABLE_21]
    axes[0, 0].set_yticks([*ROWS, *HEADS], [*names, *TABLES])
    axes[0, 0].set(title="Tables 5a, 21, printed", xlabel="Top-1 %")
    axes[0, 1].set(title="measured", xlabel="share of modes alive", yticks=[])
    _grid(axes[0, 2], TABLE_22, _word(TABLE_22, TOP1), "{:.1f}")
    _grid(axes[0, 3], data["table22"], _word(data["table22"], SHARE), "{:.2f}", in_22)
    axes[0, 2].set_title("Table 22, printed: Top-1 %")
    axes[0, 3].set_title("measured: share alive")
    style.letters(axes)
    key: list[Any] = [Patch(facecolor=shade, edgecolor=style.GREY, label=label)
                      for shade, label in zip(SHADES, LABELS, strict=True)]  # fmt: skip
    key.append(Line2D([], [], label="the words differ", **DIFFERS))
    style.frame(
        figure, "BYOL's tables beside the linear theory: it orders the rows, and misses the collapses",
        rf"Chosen: $\eta = {given['eta']:g}$, $\beta = (1-\tau_{{base}})/{given['alpha']:g}$, "
        rf"$\sigma^2 = {given['sigma2']:g}$, $p(0)$ normal ({given['spread']:g}), $s(0)$ log-uniform on 0.01..1, "
        r"$\alpha_p = \lambda/\mu$, $\eta_p = \alpha_p\,\eta$",
        key,
    )  # fmt: skip
    return figure


def _rows(panel: Axes, values: np.ndarray, words: np.ndarray, form: str, agree: np.ndarray | None = None) -> None:
    """Draw the rows of Tables 5a and 21 as bars, shaded by their words, with the values at their ends."""
    panel.barh(ROWS, values, height=0.72, color=[SHADES[word] for word in words], edgecolor=style.GREY, linewidth=0.6)
    panel.set(xlim=(0, 1.42 * values.max()), ylim=(ROWS[-1] + 0.6, HEADS[0] - 0.5))
    for y, value in zip(ROWS, values, strict=True):
        panel.annotate(form.format(value), (value, y), (3, 0), textcoords="offset points", va="center", fontsize=8)
    panel.tick_params(axis="y", length=0, labelsize=8.5)
    if agree is not None:
        wrong = np.flatnonzero(~agree)
        panel.plot(np.full(len(wrong), 1.36 * values.max()), ROWS[wrong], **DIFFERS)


def _grid(panel: Axes, values: np.ndarray, words: np.ndarray, form: str, agree: np.ndarray | None = None) -> None:
    """Draw a 5 x 5 grid, shaded by its words, with the values in it."""
    panel.imshow(words, cmap=ListedColormap(SHADES), vmin=0, vmax=len(SHADES) - 1, aspect="auto")
    for (mu, lam), value in np.ndenumerate(values):
        panel.text(lam, mu, form.format(value), ha="center", va="center", fontsize=8)
    names = [f"{factor:g}" for factor in FACTORS]
    panel.set_xticks(range(5), names)
    panel.set_yticks(range(5), names)
    panel.set(xlabel=r"predictor $\lambda$", ylabel=r"projector $\mu$")
    panel.tick_params(length=0)
    if agree is not None:
        mu, lam = np.nonzero(~agree)
        panel.plot(lam, mu + 0.26, **DIFFERS)


if __name__ == "__main__":
    sys.exit(main(__file__))
