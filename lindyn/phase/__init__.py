"""Phase space of one mode: where it can rest, which way it moves, what divides life from collapse.

system       `plane` (p, s) at held tau, `ema` (p, s, tau) with the moving target
equilibria   fixed points found on the flow, with residual, Jacobian, eigenvalues, stability, and a count by winding
portraits    nullclines and nullsurfaces, and the whole portrait of a plane
sketches     a portrait while a slider moves
paths_from_starts    trajectories from chosen starts, forward and backward
manifold     the separatrix of the plane: stable manifold of the saddle p_-
surface      the separatrix of the moving-target system, by trajectories on it and by halving between starts
integration  many trajectories at once, for both of these
numerical_fixed_points    roots and Jacobians of any flow by differences: the second route beside the closed forms
fates        what becomes of starts
basins       the basin of collapse: map with its edge, and fraction with its confidence interval
refinement   maps of outcomes of which only the cells along a boundary are asked
outlines     the lines between outcomes, through crossings found by halving
arclength    continuation of fixed points, folds and branch points
diagrams     bifurcation diagram in eta, fold in two parameters, search for oscillations

from lindyn import phase
system = phase.plane(eta=0.05, x_aug=0.25)
phase.find_fixed_points(system).points
phase.separatrix(system).curve
"""

from lindyn._faces import lazy

_HOME = {
    "PhaseSystem": ".system",
    "plane": ".system",
    "ema": ".system",
    "FixedPoint": ".equilibria",
    "FixedPointSet": ".equilibria",
    "classify": ".equilibria",
    "find_fixed_points": ".equilibria",
    "p_minus_of": ".manifold",
    "Portrait": ".portraits",
    "portrait": ".portraits",
    "sketch": ".sketches",
    "StartedPath": ".paths_from_starts",
    "started_paths": ".paths_from_starts",
    "Nullcline": ".portraits",
    "nullclines": ".portraits",
    "nullclines_by_sign": ".portraits",
    "Separatrix": ".manifold",
    "separatrix": ".manifold",
    "side_test": ".manifold",
    "SeparatrixSurface": ".surface",
    "separatrix_surface": ".surface",
    "edge_by_bisection": ".surface",
    "Fates": ".fates",
    "follow_fates": ".fates",
    "BasinMap": ".basins",
    "BasinFraction": ".basins",
    "basin_map": ".basins",
    "basin_fraction": ".basins",
    "wilson": ".basins",
    "continue_curve": ".arclength",
    "SpecialPoint": ".arclength",
    "bifurcation_diagram": ".diagrams",
    "find_fold": ".diagrams",
    "fold_curve": ".diagrams",
    "hopf_margin": ".diagrams",
}

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME)
