"""The numbers that each picture of `lindyn phase` is drawn from, as series of columns."""

from typing import Any

import numpy as np

from lindyn.outputs.number_tables import Series


def _points(values: Any, *names: str) -> dict[str, Any]:
    return dict(zip(names, np.asarray(values).T, strict=False))


def of_portrait(data: Any, paths: Any = ()) -> Series:
    """Return fixed points, lines of them, nullclines, separatrix, parabola, flow lines and started paths."""
    found = data.fixed.points
    out: dict[str, Any] = {
        "fixed points": {
            "p": [point.point[0] for point in found],
            "s": [point.point[1] for point in found],
            "stability": [point.stability for point in found],
        }
    }
    for name, line in data.fixed.lines.items():
        out[f"line of fixed points ({name})"] = _points(line, "p", "s")
    for k, branch in enumerate(data.nullclines, 1):
        out[f"nullcline {k}: d{branch.variable}/dt = 0"] = _points(branch.points, "p", "s")
    for name, curve in (("edge of collapse", data.edge), ("parabola", data.parabola)):
        if curve is not None:
            out[name] = _points(curve, "p", "s")
    for k, line in enumerate(np.moveaxis(data.lines, 1, 0), 1):
        out[f"flow line {k}"] = _points(line, "p", "s")
    return out | of_paths(paths)


def of_paths(paths: Any) -> dict[str, Any]:
    """Return the trajectories from chosen starts."""
    return {
        f"start {k}, {path.fate}": {"t": path.t, **_points(path.points, "p", "s", "tau")}
        for k, path in enumerate(paths, 1)
    }


def of_bifurcation(data: Any) -> Series:
    """Return the alive curve, the collapsed point, the fold and the transcritical point."""
    return {
        "alive": {
            "eta": data.eta, **_points(data.points, "p", "s", "tau"),
            "stability": ["stable" if stable else "unstable" for stable in data.stable],
        },
        "collapsed": {
            "eta": data.collapsed_eta, "p": 0 * data.collapsed_eta, "largest eigenvalue": data.collapsed_eigenvalues,
        },
        "p_- on the parabola": _points(data.crossing, "eta", "p"),
        "fold": {"eta": [data.fold.parameter], "p": [data.fold.point[0]]},
        "transcritical": {"eta": [data.transcritical.parameter], "p": [0.0]},
    }  # fmt: skip


def of_fold_curve(data: Any) -> Series:
    """Return the fold over the second parameter, found and in closed form."""
    return {"fold": {data.name: data.values, "eta": data.eta, "eta, closed form": data.closed_form}}


def of_basin(data: Any) -> Series:
    """Return what becomes of each point of the map, and the lines between what collapses and what does not."""
    first, second = np.meshgrid(data.first, data.second, indexing="ij")
    one, two = data.names
    words = [str(word) for word in data.labels.ravel()]
    out: dict[str, Any] = {"runs": {one: first.ravel(), two: second.ravel(), "outcome": words}}
    return out | {f"edge of collapse {k}": _points(line, one, two) for k, line in enumerate(data.edge, 1)}


def of_edge(edge: Any) -> Series:
    """Return the smallest s that lives for every start of p and tau."""
    p, tau = np.meshgrid(edge.p, edge.tau, indexing="ij")
    return {"edge": {"p": p.ravel(), "tau": tau.ravel(), "s": edge.s.ravel()}}
