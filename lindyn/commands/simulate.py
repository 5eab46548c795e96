"""`lindyn simulate`: one system from flags or a TOML file; saves the trajectory and a picture."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import FLOW_TIME, Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command, add_flags
from lindyn.commands.simulate_options import IMAGES, TABLE, check_paths, configuration
from lindyn.outputs import places

DESCRIPTION = """\
Integrate one system of Tian, Chen, Ganguli 2021 and look at it. Without flags: the full flow of (W, W_p, W_a),
n1 = 16, n2 = 8, isotropic data, to t = 100. Files written to --out: trajectory.nc (opens in xarray),
trajectory.png, run.toml (the complete configuration; `lindyn simulate --config run.toml` repeats the run).

  lindyn simulate --eta 0.3                                  too much decay: everything collapses
  lindyn simulate --target online --stop-gradient            SimSiam
  lindyn simulate --target online --no-stop-gradient         Theorem 2: without stop-gradient, collapse
  lindyn simulate --system modes --p 0.1,0.5 --s 0.05,0.2    Eqs. 11-13
  lindyn simulate --learning-rate 0.05 --batch 64            minibatch SGD instead of the flow
  lindyn simulate --predictor direct_pred --rule eps=0.1     DirectPred: W_p set from the outputs at every instant
  lindyn simulate --images digits --eta 0.02                 which directions of real images survive
"""

DEFAULT_OUT = "lindyn-out/simulate"
HEAD = "run.toml"
_PICTURES = tuple(f"{n}.{e}" for n in ("trajectory", "trajectory-verified", "survival") for e in drawing.FORMATS)
WRITTEN = ("trajectory.nc", *_PICTURES, "summary.txt")  # beside it
FILES = OptionTable(
    (
        Option("config", str, None, "TOML file with the same keys as the flags, by section", metavar="FILE", path=True),
        Option(
            "out",
            str,
            None,
            f"output folder (default {DEFAULT_OUT}, and the flags that are given)",
            metavar="DIR",
            path=True,
        ),
        drawing.FORMAT,
        Option("overwrite", "switch", False, "drop another run that is in the output folder"),
        Option("verify", "switch", False, "test the papers' statements along the run"),
    )
)
N2 = 32  # output dimension on images
_REPLACED = (  # by the images, or by the full flow that runs on them
    *("n1", "x", "x_aug", "sigma2", "X", "X_aug_file", "system", "scale", "scale_p", "target_start", "p", "s", "tau0"),
    *("stop_gradient", "predictor", "tau", "learning_rate", "momentum", "batch", "points", "rtol", "max_steps"),
)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands, "simulate", "run one system from flags or a TOML file", DESCRIPTION, TABLE, run, defaults=False
    )
    add_flags(FILES, parser)
    plain = parser.format_help
    parser.format_help = lambda: plain() + _of_packages()  # type: ignore[method-assign]


def _of_packages() -> str:
    """Return what other packages add to the help; they are looked up only when it is asked for."""
    from lindyn._extensions import declared

    found = ("--system", declared("lindyn.flows")), ("--predictor", declared("lindyn.rules"))
    return "".join(f"\n{flag} also takes, of other packages: {', '.join(names)}\n" for flag, names in found if names)


def run(args: argparse.Namespace) -> int:
    """Run the system and write its files; 0 if it reached the end, 1 if it ended early."""
    settings, given = configuration(args)
    if "list" in (settings["system"], settings["predictor"]):
        return _list(settings)
    check_paths(settings)
    command = TABLE.command("lindyn simulate", settings)
    out = Path(DEFAULT_OUT).with_name(places.run_name(command.removeprefix("lindyn ")))
    if args.out is not None:
        out = places.as_folder(args.out)
    _check_free(out, command, settings, args.overwrite)
    with _files.output_folder(out):  # what is refused, by the solver too, leaves no empty folder
        if settings["images"] is not None:
            return run_images(settings, given, out, command)
        return run_system(settings, given, out, command, args.verify)


def run_system(settings: dict[str, Any], given: set[str], out: Path, command: str, check: bool) -> int:
    """Run one system and write its files, and with `check` test the papers' statements; return the exit code.

    Raises:
        ValueError: a setting that has no meaning for this system, or is out of its range.
    """
    from lindyn._progress import Progress
    from lindyn.commands import flow_settings

    flow_settings.check_relevant(settings, given)
    settings = flow_settings.relevant(settings)
    flow, y0 = flow_settings.build(settings)
    progress = Progress("simulate", settings["t1"], hint=flow_settings.hint(flow, settings))
    try:
        trajectory = flow_settings.solve(flow, y0, settings, progress)
    finally:
        progress.close()
    code = write(trajectory, settings, out, command)
    if not check:
        return code
    from lindyn.commands.verify import show
    from lindyn.verification import verify

    return max(code, show(verify(trajectory), out / "trajectory-verified.png", "lindyn verify trajectory.nc"))


def _check_free(out: Path, command: str, settings: dict[str, Any], overwrite: bool) -> None:
    """Raise ValueError where the folder holds another run: of `lindyn train`, or of other settings and not given up."""
    if (out / "checkpoints").is_dir():
        raise ValueError(f"{out} holds a run of lindyn train. Choose another --out.")
    same = False
    if (out / HEAD).is_file() and places.made_by(out / HEAD) != command:
        with contextlib.suppress(ValueError):  # what cannot be read is another's
            kept = TABLE.collected(TABLE.read_toml(out / HEAD))
            same = TABLE.defaults | kept == settings  # --config of this very file
    places.check_free(out / HEAD, command, overwrite, (out / name for name in WRITTEN), same=same)


def _list(settings: dict[str, Any]) -> int:
    """Print the names that --system, or --predictor, takes."""
    from lindyn.flows import choices, registry
    from lindyn.predictors import PRESETS, RULES

    if settings["system"] == "list":
        added, notes = registry.added()
        found = [*registry.OWN, *added]
    else:
        found, notes = [*choices.PREDICTORS, *RULES, *PRESETS], RULES.added()
    print("\n".join(found))
    print("".join(f"{note}\n" for note in notes), end="", file=sys.stderr)
    return 0


def write(trajectory: Any, settings: dict[str, Any], out: Path, command: str) -> int:
    """Save trajectory, configuration and picture; print what happened; return the exit code."""
    import numpy as np

    from lindyn.commands.flow_settings import describe
    from lindyn.plotting.trajectory_picture import save_picture

    with _files.together(out, gone=WRITTEN, what="the run") as fresh:
        _files.write(fresh / HEAD, TABLE.to_toml(settings, f"{_clock(trajectory)}\n{command}"))
        trajectory.save(fresh / "trajectory.nc")
        with np.errstate(over="ignore", invalid="ignore"):  # a run that blew up is drawn as far as it goes
            save_picture(trajectory, fresh / "trajectory.png", command)
    print(describe(trajectory))
    print(f"Wrote {out / 'trajectory.nc'}, {out / 'trajectory.png'} and {out / 'run.toml'}.")
    return 0 if trajectory.succeeded else 1


def _clock(traj: Any) -> str:
    """Return what t1 counts, for the head of run.toml."""
    from lindyn.solve.trajectory import step_of

    descent = traj.notes["engine"] == "descent"
    return f"t1 is flow time: {FLOW_TIME}" + (f" = {step_of(traj):g} x steps here" if descent else "")


def run_images(settings: dict[str, Any], given: set[str], out: Path, command: str) -> int:
    """Measure X and X', run the flow, write trajectory, picture, summary and configuration; 0 if all went well.

    Raises:
        ValueError: a setting that has no meaning with images, or a source that cannot be read.
    """
    check_settings(given)
    from lindyn.flows import choices
    from lindyn.flows.from_settings import hyperparameters
    from lindyn.images import study_images
    from lindyn.plotting import style
    from lindyn.plotting.survival_map import draw_survival

    images = settings["images"]
    study = study_images(
        images[0] if len(images) == 1 else tuple(images),
        hyperparameters(settings),
        settings["n2"] if "n2" in given else N2,
        **{name: settings[name] for name in (*IMAGES - {"images"}, "seed", "target")},
        t1=settings["t1"] if "t1" in given else None,
        engine="scipy" if settings["engine"] == "auto" else settings["engine"],
    )
    with style.settings():
        figure, axes = style.new_figure(1, 3, height=4.4)
        draw_survival(study, list(axes.ravel()))
        hp = study.hp
        rates = [rf"$\alpha_p = {hp.alpha_p:g}$"] + ([rf"$\beta = {hp.beta:g}$"] if settings["target"] == "ema" else [])
        decays = rf"$\eta = {hp.eta_s:g}$" if hp.equal_decays else rf"$\eta_p = {hp.eta_p:g}$, $\eta_s = {hp.eta_s:g}$"
        title = f"Directions of {', '.join(images)} under {choices.in_words(settings['target'])}"
        style.frame(figure, title, ", ".join([*rates, decays]))
    summary = study.summary()
    kept = {name: value for name, value in settings.items() if name not in _REPLACED}
    kept |= {"n2": settings["n2"] if "n2" in given else N2, "t1": float(study.full.trajectory.t1)}
    if study.source is not None and study.source.augmentation is not None:
        kept |= {name: getattr(study.source.augmentation, name) for name in ("crop", "flip", "noise", "blur")}
    with _files.together(out, gone=WRITTEN, what="the run") as fresh:
        style.write(figure, fresh / "survival.png", dpi=110, command=command)
        _files.write(fresh / "summary.txt", summary + "\n")
        _files.write(fresh / HEAD, TABLE.to_toml(kept, f"{_clock(study.full.trajectory)}\n{command}"))
        study.full.trajectory.save(fresh / "trajectory.nc")
    print(summary)
    print(f"Wrote {out / 'trajectory.nc'}, {out / 'survival.png'}, {out / 'summary.txt'} and {out / 'run.toml'}.")
    return 0


def check_settings(given: set[str]) -> None:
    """Raise ValueError for settings that images replace."""
    wrong = sorted(given.intersection(_REPLACED))
    if wrong:
        raise ValueError(
            f"--images takes X and X' from the images and runs the full flow; it has no {', '.join(wrong)}. "
            "Leave it out."
        )
