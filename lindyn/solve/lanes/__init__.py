"""Lanes: one mode (p, s, tau) each, integrated by the million on the CPU (numba) or with JAX (GPU, gradients).

    api          solve_lanes -> LaneResult: checks, chunks, threads
    problem      what both engines are asked and answer, with the checks; what counts as escape and collapse
    jax_engine   solve_lanes of the same signature in JAX, and the derivatives of the outcome
    methods      one step of DOP853 and of Rodas5P, plain arithmetic shared by both engines
    kernel       a chunk of lanes from start to end
    lane_events  the rare path: crossings, dips of K, underflow, each found by stepping to it
    block        one step of sixteen lanes, vectorised
    sign_change  lanes in which w changes sign and tau has a pole, in (p, w, a)
    compiled     numba flags, the equations as numba functions, the disk cache
    layout       rows of the work arrays
    tape         a flow's step recorded as matrix operations; tape_operations runs them, tape_blocks many systems

Neither numba nor jax is loaded before a sweep asks for it.
"""

from lindyn._faces import lazy

_HOME = {
    "solve_lanes": "lindyn.solve.lanes.api",
    "LaneResult": "lindyn.solve.lanes.api",
    "STATUSES": "lindyn.solve.lanes.layout",
    "EVENTS": "lindyn.solve.lanes.problem",
}

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME)
