"""validate: every fixture's report, with and without images and features, runs, traces and comparisons."""

from pathlib import Path

import numpy as np

from tests.golden.run import Case

FILES = {
    "byol-pytorch": "byol_pytorch/byol.pt",
    "implicit-var-reg": "implicit_var_reg/dp-x3-ep=5.ckpt",
    "lightly-linear": "lightly/linear.safetensors",
    "lightly-own-code": "lightly/own_code.ckpt",
    "lightly-teacher": "lightly/teacher.ckpt",
    "luckmatters-input-bn": "luckmatters/input_bn/model_006.pth",
    "luckmatters-linear": "luckmatters/linear/model_006.pth",
    "luckmatters-mlp": "luckmatters/mlp/model_006.pth",
    "luckmatters-corr": "luckmatters/mlp/corr_006_iter30.pth",
    "mmpretrain": "mmpretrain/epoch_6.pth",
    "simsiam": "simsiam/checkpoint_0005.pth.tar",
    "solo-learn": "solo_learn/byol-x1-ep=5.ckpt",
    "solo-learn-old": "solo_learn_old/byol-x0-ep=5.ckpt",
    "solo-simsiam": "solo_simsiam/simsiam-x2-ep=5.ckpt",
    "stable-pretraining": "stable_pretraining.ckpt",
    "sthalles": "sthalles/checkpoints/model.pth",
}
"""Checkpoints that are told by their weights alone; the others need images or --unsafe-pickle."""
OWN = ("direct_pred", "implicit_var_reg", "mlp", "mlp_without_bias", "simsiam")
"""Runs of lindyn train of one checkpoint, which are shown their own images."""
SEEN = ("luckmatters-linear", "simsiam", "solo-learn", "sthalles")
"""Checkpoints that are shown digits; only the third is then also told by its weights alone."""
RUN, OTHER, SOLO = "fixtures/lindyn/linear", "fixtures/lindyn/direct_pred", f"fixtures/{FILES['solo-learn']}"
DIGITS = "--images digits --samples 300 --out o"


def views(here: Path) -> None:
    """Write two views of aligned features of 8 numbers, the target's at 0.8 of the first's, and W_p beside others."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1, 0.1, 8)
    z = rng.normal(size=(900, 8)) * sizes
    noise = rng.normal(size=(2, 900, 8)) * 0.2 * sizes
    z1, z2 = z + noise[0], z + noise[1]
    np.savez(here / "views.npz", z1=z1, z2=z2)
    np.savez(here / "target.npz", z1=z1, z2=z2, target1=0.8 * z1)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    np.savez(here / "with_W_p.npz", z1=z1, z2=z2, W_p=np.diag(0.9 * sizes) + 0.01 * turn)
    np.save(here / "one.npy", z1)


def folder_of_two(here: Path) -> None:
    """Write a run of two checkpoints with a trace, whose curves then come from the trace."""
    import shutil

    (here / "run").mkdir()
    for name in ("step=00000000.ckpt", "step=00000030.ckpt", "trace.jsonl"):
        shutil.copy(here / RUN / name, here / "run" / name)


def _case(name: str, *commands: str, like: str = "", **more) -> Case:
    lines = tuple(f"validate {line}" for line in commands)
    return Case(f"validate-{name}", lines, like=f"validate-{like}" if like else "", **more)


def _alone(name: str, path: str) -> Case:
    """By its weights alone; all of them are much like one."""
    return _case(name, f"fixtures/{path} --out o", like="" if name == "solo-learn" else "solo-learn")


ALONE = tuple(_alone(name, path) for name, path in FILES.items() if name == "solo-learn" or name not in SEEN)
SHOWN = "solo-learn-digits"
ON_IMAGES = (
    *(_case(f"{name}-digits", f"fixtures/{FILES[name]} {DIGITS}",
            like="solo-learn" if f"{name}-digits" == SHOWN else SHOWN) for name in SEEN),
    _case("byol-pytorch-backbone-digits", f"fixtures/byol_pytorch/checkpoint.0.pt {DIGITS}", like=SHOWN),
    _case("keras-digits", f"fixtures/miszkur/pre_trained_encoder.h5 {DIGITS}", like=SHOWN),
    _case("deepmind-digits", f"fixtures/deepmind/pretrain.pkl --unsafe-pickle {DIGITS}", like=SHOWN),
    *(_case(f"lindyn-{name}", f"fixtures/lindyn/{name}/step=00000030.ckpt --samples 300 --out o",
            like="run" if name == "mlp" else "lindyn-mlp") for name in OWN),
)  # fmt: skip
RUNS = (
    _case("run", f"{RUN} --samples 600 --seed 1 --out o", pages=True, like=SHOWN),
    _case("checkpoints", f"{RUN}/step=00000030.ckpt {RUN}/step=00000010.ckpt --samples 300 --out o", like="run"),
    _case("run-with-trace", "run --samples 300 --out o", given=folder_of_two, like="run"),
    _case("trace", f"{RUN}/trace.jsonl --out o", like="run"),
    _case("settings", f"{SOLO} optim.alpha_p=7 method.ema=0.5 optim.lr=0.05 --out o", like="solo-learn"),
)
FEATURES = (
    _case("features-of-checkpoint", f"{SOLO} --features target.npz --out o", given=views, like=SHOWN),
    _case("features-alone", "--features views.npz --out o", given=views, like=SHOWN),
    _case("features-with-W_p", "--features with_W_p.npz optim.weight_decay=0.01 optim.alpha_p=1 --out o", given=views,
          like=SHOWN),
    _case("features-of-one-view", "--features one.npy --out o", given=views, like="solo-learn"),
)  # fmt: skip
COMPARED = (
    _case("compare", f"--compare {RUN} {OTHER} --samples 300 --out o", pages=True),
    _case("compare-reports", f"{SOLO} --out a", f"fixtures/{FILES['solo-simsiam']} --out b",
          "--compare a/report.json b/report.json --out o",
          leave=("a/*", "b/*"), like="compare"),
    _case("layouts", "--layouts"),
)  # fmt: skip
CASES = (*ALONE, *ON_IMAGES, *RUNS, *FEATURES, *COMPARED)
