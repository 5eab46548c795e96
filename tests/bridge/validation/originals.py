"""The runs behind the fixtures as the training code itself builds them: what every reader is held against."""

import functools
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.bridge.validation import narrow

FIXTURES = Path(__file__).parent / "fixtures"
NARROW = "narrow_resnet"  # not a network that `lindyn train` offers
RUN_FOLDERS = {NARROW: "deepmind/run"}


@functools.cache
def original(name, checkpoint=-1):
    """Return the run's module, built by the training code from the configuration inside, in eval mode."""
    from lindyn.bridge.training import build, open_source, run_folder

    path = run_folder.every(FIXTURES / RUN_FOLDERS.get(name, f"lindyn/{name}"))[checkpoint]
    config = run_folder.config_of(path)
    with narrow.as_backbone() if name == NARROW else nullcontext():
        module = build(config, open_source(config))
    module.load_state_dict(run_folder.read(path)["state_dict"])
    return module.eval().requires_grad_(False)


def images(count=64):
    """Return digits as the backbone takes them, B x 1 x 8 x 8."""
    from sklearn.datasets import load_digits

    return torch.as_tensor(load_digits().images[:count] / 16, dtype=torch.float32)[:, None]


@dataclass(frozen=True)
class Case:
    """A fixture: its file, its layout, the run behind it, and what is not in it."""

    file: str
    layout: str
    run: str
    lacks: tuple[str, ...] = ()

    @property
    def path(self):
        return FIXTURES / self.file


NO_TARGET = ("target_backbone", "target_projector")
CASES = {
    "lindyn mlp": Case("lindyn/mlp/step=00000030.ckpt", "lindyn", "mlp"),
    "lindyn mlp without bias": Case("lindyn/mlp_without_bias/step=00000030.ckpt", "lindyn", "mlp_without_bias"),
    "lindyn linear": Case("lindyn/linear/step=00000030.ckpt", "lindyn", "linear"),
    "lindyn simsiam": Case("lindyn/simsiam/step=00000030.ckpt", "lindyn", "simsiam", NO_TARGET),
    "lindyn direct_pred": Case("lindyn/direct_pred/step=00000030.ckpt", "lindyn", "direct_pred"),
    "lightly benchmarks": Case("lightly/teacher.ckpt", "lightly", "mlp"),
    "lightly examples, its own code": Case("lightly/own_code.ckpt", "lightly", "mlp"),
    "lightly safetensors": Case("lightly/linear.safetensors", "lightly", "linear"),
    "solo-learn": Case("solo_learn/byol-x1-ep=5.ckpt", "solo-learn", "mlp"),
    "solo-learn old": Case("solo_learn_old/byol-x0-ep=5.ckpt", "solo-learn", "mlp"),
    "solo-learn simsiam": Case("solo_simsiam/simsiam-x2-ep=5.ckpt", "solo-learn", "simsiam", NO_TARGET),
    "implicit-var-reg": Case("implicit_var_reg/dp-x3-ep=5.ckpt", "implicit-var-reg", "implicit_var_reg"),
    "simsiam": Case("simsiam/checkpoint_0005.pth.tar", "simsiam", "simsiam", NO_TARGET),
    "luckmatters mlp": Case("luckmatters/mlp/model_006.pth", "luckmatters", "mlp"),
    "luckmatters linear": Case("luckmatters/linear/model_006.pth", "luckmatters", "linear"),
    "luckmatters input BN": Case("luckmatters/input_bn/model_006.pth", "luckmatters", "mlp"),
    "mmpretrain": Case("mmpretrain/epoch_6.pth", "mmpretrain", "mlp"),
    "stable-pretraining": Case("stable_pretraining.ckpt", "stable-pretraining", "mlp"),
    "byol-pytorch": Case("byol_pytorch/byol.pt", "byol-pytorch", "mlp"),
    "byol-pytorch's trainer": Case("byol_pytorch/checkpoint.0.pt", "backbone", "mlp",
                                   ("projector", "predictor", *NO_TARGET)),
    "deepmind": Case("deepmind/pretrain.pkl", "deepmind", NARROW),
    "sthalles": Case("sthalles/checkpoints/model.pth", "sthalles", "mlp", ("predictor",)),
}  # fmt: skip
