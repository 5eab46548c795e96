"""Theory and measurement of one training run on one picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lindyn.plotting import style
from lindyn.plotting.over_time import family, marks

SHOWN = 8
TIME = r"flow time $t$ (learning rate $\times$ steps)"


@style.styled
def draw_beside(
    ts: Any, measured: Mapping[str, Any], theory: Mapping[str, Any], error: Any, title: str, note: str
) -> Figure:
    """Return four panels: s_j, p_j, alignment of training (marks) and of the flow (lines), and their distance.

    Args:
        ts: flow times, n.
        measured: s, p, alignment of the network, n x modes.
        theory: the same of the flow.
        error: relative distance of the weights, n.
        title: of the figure.
        note: under it.

    Returns:
        The figure.
    """
    figure, axes = style.new_figure(2, 2, height=6.2)
    panels = axes.ravel()
    texts = (
        ("s", r"eigenvalues of $F = W(X+X')W^{\top}$", r"$s_j$"),
        ("p", r"predictor along the modes", r"$p_j = u_j^{\top} W_p u_j$"),
        ("alignment", "alignment", r"cosine of $u_j$ and $W_p u_j$"),
    )
    for panel, (name, text, label) in zip(panels, texts, strict=False):
        lines, points = (np.asarray(found[name]).T[:SHOWN] for found in (theory, measured))
        family(panel, ts, lines, [""] * len(lines), linewidth=1.2)
        marks(panel, ts, points, every=max(1, len(ts) // 25))
        panel.set(title=text, ylabel=label)
        if name == "s" and np.nanmax(lines, initial=0.0) > 0:
            panel.set_yscale("log")
            low = np.nanmin(np.concatenate([lines[:, -1], lines[:, 0], points[:, -1]]))
            panel.set_ylim(bottom=max(low / 3, 1e-12))
    panels[2].set_ylim(None, 1.05)
    error = np.where(np.asarray(error) > 1e-12, error, np.nan)  # both start from the same weights
    panels[3].plot(ts, error, color=style.INK, marker=".", markersize=3)
    panels[3].set(title="distance of the weights", ylabel=r"$\|$training $-$ theory$\|\;/\;\|$theory$\|$", yscale="log")
    for panel in panels[2:]:
        panel.set_xlabel(TIME)
    style.letters(panels)
    style.frame(figure, title, f"{note}; the {min(SHOWN, np.shape(theory['s'])[1])} largest modes, darkest first")
    return figure
