"""Pictures: every function takes data and Axes and never solves.

From Python, each (data, ax=None) -> Axes:
    portrait, bifurcation     of a phase system (solved first) or what was solved of it
    sweep_map                 what became of each run; also `ds.lindyn.plot()`
    trajectory                one quantity over time; also `traj.plot()`
    spectrum, alignment       of a run's end, a state, a network's reading, a validation
    findings, over_training   of a validation
    animate                   a run as a film

style        sizes, colours, markers; a new figure; writing one
phase_plane  flow lines, nullclines, fixed points by stability, direction fields, phase lines
phase_portrait    portrait, edge of collapse; bifurcation, two-parameter and basin pictures
over_time    families of curves over time, with their spread
outcome_map, descent_map, survival_map    maps of sweeps and of image data
trajectory_picture    the picture of one run
network_pictures, law_rows, theories_picture, prediction_pictures, training_run    real networks beside the theory
"""

from lindyn._faces import lazy

_HOME = {
    "portrait": ".axes_pictures",
    "bifurcation": ".axes_pictures",
    "sweep_map": ".axes_pictures",
    "trajectory": ".axes_pictures",
    "spectrum": ".axes_pictures",
    "alignment": ".axes_pictures",
    "findings": ".axes_pictures",
    "over_training": ".axes_pictures",
    "animate": ".run_animation",
}
_ROOMS = (
    "style", "phase_plane", "phase_portrait", "over_time", "outcome_map", "descent_map", "survival_map",
    "trajectory_picture", "network_pictures", "law_rows", "theories_picture", "prediction_pictures", "training_run",
    "study_pictures",
)  # fmt: skip

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME, _ROOMS)
