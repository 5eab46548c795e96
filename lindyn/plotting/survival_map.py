"""Which directions of image data survive: a `SurvivalStudy` drawn on given Axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from lindyn.plotting.style import GREY, INK, key_above

if TYPE_CHECKING:
    from lindyn.images.direction_survival import SurvivalStudy

MARGIN = 6  # how many dead modes or directions to show past the last living one
TILES = 12


def draw_survival(study: "SurvivalStudy", axes: Sequence[Any]) -> Sequence[Any]:
    """Draw a survival study: the spectrum of F, the threshold of each direction, and the directions as images.

    Args:
        study: the result of `survival_study` or `study_images`.
        axes: two Axes (spectrum, thresholds) or three (and the directions as images, or, where the data are no
            pictures, the share of each direction that survived).

    Returns:
        The same axes.

    Raises:
        ValueError: another number of axes.
    """
    panels = list(np.ravel(np.asarray(axes, dtype=object)))
    if len(panels) not in (2, 3):
        raise ValueError(f"axes must be 2 or 3 Axes; got {len(panels)}. Use figure.subplots(1, 3).")
    draw_spectrum(study, panels[0])
    draw_thresholds(study, panels[1])
    if len(panels) == 3:
        shape = None if study.source is None else study.source.image_shape
        if shape is not None and len(shape) == 2:
            draw_directions(study, panels[2])
        else:
            draw_shares(study, panels[2])
    return axes


def draw_spectrum(study: "SurvivalStudy", ax: Any) -> Any:
    """Draw the eigenvalues of F measured beside the predicted ones, largest first."""
    predicted, single = study.predicted_spectrum, study.single_spectrum
    alive = max(study.full.rank, int(np.count_nonzero(predicted)), 1)
    shown = min(alive + MARGIN, len(predicted))
    j = np.arange(1, shown + 1)
    ax.plot(j, study.full.spectrum[:shown], "o", color=INK, ms=6, label="measured")
    ax.plot(j, predicted[:shown], "s", mfc="none", mec=GREY, mew=1.4, ms=9, label="predicted from $x_j$, $x'_j$")
    if single is not None and study.commuting is not study.full:
        ax.plot(j, single[:shown], "+", color=INK, mew=0.8, ms=14, label="one-mode fixed points")
    ax.set(xlabel="mode $j$", ylabel="eigenvalue $s_j$ of $F$", title=r"spectrum of $F = WW^{\top}$")
    finite = predicted[np.isfinite(predicted)]
    ax.set_ylim(bottom=-0.03 * max(float(np.max(study.full.spectrum)), float(np.max(finite, initial=0.0)), 1e-12))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    key_above(ax)
    return ax


def draw_thresholds(study: "SurvivalStudy", ax: Any) -> Any:
    """Draw x^2 / (4 (x + x')) of each direction against eta, survivors filled."""
    prediction, survived = study.prediction, study.full.survived
    both = np.flatnonzero(survived | prediction.can_live)
    shown = min((int(both[-1]) + 1 if len(both) else 1) + MARGIN, len(prediction.x))
    j, height = np.arange(1, shown + 1), prediction.threshold[:shown]
    error = np.nan_to_num(prediction.threshold_error[:shown])
    visible, lives = height > 0, survived[:shown]
    lower = np.minimum(error, 0.9 * height)  # the axis is logarithmic
    ax.errorbar(j[visible], height[visible], (lower[visible], error[visible]), fmt="none", ecolor=GREY, lw=1)
    for mask, fill, label in ((lives & visible, INK, "survived"), (~lives & visible, "white", "died")):
        ax.plot(j[mask], height[mask], "o", mfc=fill, mec=INK, ms=6, label=label)
    ax.set_yscale("log")
    if study.hp.eta_s > 0:
        ax.axhline(study.hp.eta_s, color=INK, lw=1, ls="--", label=f"$\\eta$ = {study.hp.eta_s:g}")
    ax.set(xlabel="direction $v_j$ of the data (largest $x_j$ first)", ylabel="$x_j^2\\,/\\,(4\\,(x_j + x'_j))$")
    ax.set_title("can live only if above $\\eta$")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    key_above(ax)
    return ax


def draw_directions(study: "SurvivalStudy", ax: Any) -> Any:
    """Draw the leading directions v_j as images, those that survived in a heavy frame."""
    source = study.source
    if source is None or len(source.image_shape) != 2:
        raise ValueError("study must come from images to draw its directions; use draw_shares for other data.")
    height, width = source.image_shape
    aspect, columns = height / width, 4
    count = min(TILES, study.moments.n1)
    rows = -(-count // columns)
    for k in range(count):
        left, bottom = (k % columns) * 1.15, -(k // columns) * (aspect + 0.3)
        picture = study.prediction.V[:, k].reshape(height, width)
        top = float(np.max(np.abs(picture)))
        extent = (left, left + 1, bottom, bottom + aspect)
        ax.imshow(picture, cmap="gray", vmin=-top, vmax=top, extent=extent, interpolation="nearest")
        lives = bool(study.full.survived[k])
        frame = Rectangle((left, bottom), 1, aspect, fill=False, ec=INK if lives else GREY, lw=2.5 if lives else 0.8)
        ax.add_patch(frame)
        ax.text(left, bottom + aspect + 0.04, f"{k + 1}", fontsize="small", va="bottom")
    ax.set_xlim(-0.1, columns * 1.15 - 0.05)
    ax.set_ylim(-(rows - 1) * (aspect + 0.3) - 0.1, aspect + 0.3)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title("directions $v_j$ (framed: survived)")
    return ax


def draw_shares(study: "SurvivalStudy", ax: Any) -> Any:
    """Draw how much of each direction lies in the row space of what lives, largest x first."""
    shown = min(study.full.rank + MARGIN + TILES, len(study.full.share))
    ax.bar(np.arange(1, shown + 1), study.full.share[:shown], color=GREY, edgecolor=INK, lw=0.6)
    ax.axhline(0.5, color=INK, lw=1, ls="--")
    ax.set(xlabel="direction $v_j$ of the data", ylabel="share of $v_j$ that survived", ylim=(0, 1.02))
    ax.set_title("what the network kept")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ax
