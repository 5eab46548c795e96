"""`lindyn simulate --images`: the full flow on the moments of real images, beside the prediction."""

from pathlib import Path
from typing import Any

from lindyn import _files

_FIXED = ("n1", "x", "x_aug", "sigma2", "X", "X_aug_file", "system", "scale", "scale_p", "target_start", "p", "s")
_FIXED_TOO = (
    "tau0",
    "stop_gradient",
    "predictor",
    "tau",
    "learning_rate",
    "momentum",
    "batch",
    "points",
    "rtol",
    "max_steps",
)
N2 = 32


def run_images(settings: dict[str, Any], given: set[str], out: Path) -> int:
    """Measure X and X', run the flow, write trajectory, picture, summary and configuration; 0 if all went well.

    Raises:
        ValueError: a setting that has no meaning with images, or a source that cannot be read.
    """
    check_settings(given)
    from matplotlib.figure import Figure

    from lindyn.commands.options import to_toml
    from lindyn.flows.from_settings import hyperparameters
    from lindyn.images import study_images
    from lindyn.plotting.survival_map import draw_survival

    images = settings["images"]
    study = study_images(
        images[0] if len(images) == 1 else tuple(images),
        hyperparameters(settings),
        settings["n2"] if "n2" in given else N2,
        crop=settings["crop"],
        flip=settings["flip"],
        noise=settings["noise"],
        blur=settings["blur"],
        views=settings["views"],
        size=settings["size"],
        patches=settings["patches"],
        remove_grey=settings["remove_grey"],
        seed=settings["seed"],
        t1=settings["t1"] if "t1" in given else None,
        target=settings["target"],
        engine="scipy" if settings["engine"] == "auto" else settings["engine"],
    )
    figure = Figure(figsize=(13.5, 4.2), layout="constrained")
    draw_survival(study, figure.subplots(1, 3))
    summary = study.summary()
    figure.savefig(out / "survival.png", dpi=110)
    _files.write(out / "summary.txt", summary + "\n")
    kept = {name: value for name, value in settings.items() if name not in (*_FIXED, *_FIXED_TOO)}
    kept |= {"n2": settings["n2"] if "n2" in given else N2, "t1": float(study.full.trajectory.t1)}
    if study.source is not None and study.source.augmentation is not None:
        kept |= {name: getattr(study.source.augmentation, name) for name in ("crop", "flip", "noise", "blur")}
    _files.write(out / "run.toml", to_toml(kept))
    data = study.full.trajectory.save(out / "trajectory.nc")
    (out / "trajectory.png").unlink(missing_ok=True)  # the picture of another run would stand beside these numbers
    print(summary)
    print(f"Wrote {data}, {out / 'survival.png'}, {out / 'summary.txt'} and {out / 'run.toml'}.")
    return 0


def check_settings(given: set[str]) -> None:
    """Raise ValueError for settings that images replace."""
    wrong = sorted(given.intersection((*_FIXED, *_FIXED_TOO)))
    if wrong:
        raise ValueError(
            f"--images takes X and X' from the images and runs the full flow; it has no {', '.join(wrong)}. "
            "Leave it out."
        )
