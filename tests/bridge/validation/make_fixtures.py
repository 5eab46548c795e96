"""Makes the checkpoints of `fixtures/`: small runs of `lindyn train` on digits, then each layout from one of them.

python -m tests.bridge.validation.make_fixtures
"""

import json
import pickle
import shutil
import sys
import tempfile
import types
from collections import namedtuple
from contextlib import nullcontext
from pathlib import Path

import torch

from tests.bridge.training.helpers import TINY, run
from tests.bridge.validation import conversions as to
from tests.bridge.validation import narrow
from tests.bridge.validation.originals import NARROW, RUN_FOLDERS

HERE = Path(__file__).parent / "fixtures"
BASE = TINY | {"run.epochs": 6, "run.checkpoint_every": 6, "run.probe": False, "optim.lr": 0.05,
               "optim.weight_decay": 1e-3, "optim.schedule": "cosine"}  # fmt: skip
RUNS = {
    "mlp": {"model.predictor": "mlp", "model.predictor_options": {"hidden_dim": 16}},
    "mlp_without_bias": {"model.predictor": "mlp", "model.predictor_options": {"hidden_dim": 16, "bias": False}},
    "linear": {"model.predictor": "linear", "run.checkpoint_every": 2, "run.diagnostics_every": 5,
               "optim.alpha_p": 2.0},
    "simsiam": {"method.name": "simsiam", "method.target": "online", "method.loss": "negative-cosine",
                "method.sides": "averaged", "model.projector": "simsiam", "model.predictor": "mlp",
                "model.predictor_options": {"hidden_dim": 4}},
    "direct_pred": {"model.predictor": "direct_pred"},
    "implicit_var_reg": {"model.predictor": "implicit_var_reg", "model.predictor_options": {"rho": 0.9}},
    NARROW: {"model.predictor": "mlp", "model.predictor_options": {"hidden_dim": 16, "bias": False}},
}  # fmt: skip
SOLO_ARGS = {
    "method": "byol",
    "max_epochs": 6,
    "devices": [0],
    "num_nodes": 1,
    "accumulate_grad_batches": 1,
    "optimizer": {"name": "sgd", "batch_size": 240, "lr": 0.05, "weight_decay": 1e-3, "classifier_lr": 0.1,
                  "exclude_bias_n_norm_wd": False, "kwargs": {"momentum": 0.9}},
    "scheduler": {"name": "warmup_cosine"},
    "momentum": {"base_tau": 0.99, "final_tau": 1.0, "classifier": False},
    "method_kwargs": {"proj_hidden_dim": 16, "proj_output_dim": 8, "pred_hidden_dim": 16},
}  # fmt: skip
OLD_ARGS = {"method": "byol", "optimizer": "sgd", "lr": 0.05, "weight_decay": 1e-3, "batch_size": 240, "gpus": [0],
            "num_nodes": 1, "scheduler": "warmup_cosine", "base_tau_momentum": 0.99, "final_tau_momentum": 1.0,
            "extra_optimizer_args": {"momentum": 0.9}, "max_epochs": 6, "encoder": "resnet18"}  # fmt: skip
MM_CONFIG = """model = dict(
    backbone=dict(depth=18, type='ResNet'),
    base_momentum=0.01,
    type='BYOL')
optim_wrapper = dict(optimizer=dict(lr=0.05, momentum=0.9, type='SGD', weight_decay=0.001))
"""


def main():
    for made in HERE.iterdir():
        if made.name != "miszkur":  # made by TensorFlow, see make_keras_fixture.py
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for name, changes in RUNS.items():
            with narrow.as_backbone() if name == NARROW else nullcontext():
                finished = run(Path(folder) / name, BASE | changes)
            keep(finished, folder_of(name))
    runs = {name: to.Run(last(name)) for name in RUNS}
    lightning(runs)
    torch_files(runs)
    luckmatters(runs)
    deepmind(runs[NARROW])
    print(f"{sum(file.stat().st_size for file in HERE.rglob('*') if file.is_file()) / 1e6:.2f} MB")


def keep(finished, folder):
    """Keep a run's checkpoints (of the linear run all, else the last) and its trace, without its progress counters."""
    folder.mkdir(parents=True)
    chosen = finished.checkpoints if folder.name == "linear" else finished.checkpoints[-1:]
    for path in chosen:
        whole = torch.load(path, weights_only=True)
        for optimizer in whole["optimizer_states"]:
            optimizer["state"] = {}
        config = finished.config.changed({"run.folder": f"runs/{folder.name}"})  # no path of the machine that made it
        whole |= {"callbacks": {}, "loops": {}, "lindyn": whole["lindyn"] | {"config": config.to_toml()}}
        torch.save(whole, folder / path.name)
    if finished.trace is not None:
        shutil.copy(finished.trace, folder / finished.trace.name)


def last(name):
    return torch.load(sorted(folder_of(name).glob("*.ckpt"))[-1], weights_only=True)


def folder_of(name):
    return HERE / RUN_FOLDERS.get(name, f"lindyn/{name}")


def save(value, *names):
    path = HERE.joinpath(*names)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    else:
        torch.save(value, path)


def checkpoint(run, weights, *groups):
    """Return what Lightning writes."""
    whole = {key: run.checkpoint[key] for key in ("epoch", "global_step", "pytorch-lightning_version")}
    return whole | {"state_dict": weights, "optimizer_states": [run.optimizer(*groups)], "lr_schedulers": []}


def lightning(runs):
    """Write lightly, solo-learn, implicit-var-reg and stable-pretraining."""
    from safetensors.torch import save_file

    mlp, simsiam, direct = runs["mlp"], runs["simsiam"], runs["implicit_var_reg"]
    byol = (("backbone", "byol"), "predictor")
    save(checkpoint(mlp, to.lightly(mlp), *byol), "lightly", "teacher.ckpt")
    save(own_code_of_lightly(mlp), "lightly", "own_code.ckpt")
    linear = runs["linear"]
    save_file(
        {key: value.contiguous() for key, value in to.lightly(linear).items()}, HERE / "lightly/linear.safetensors"
    )
    save(checkpoint(mlp, to.solo_learn(mlp), ("backbone", "backbone")), "solo_learn", "byol-x1-ep=5.ckpt")
    save(SOLO_ARGS, "solo_learn", "args.json")
    old = checkpoint(mlp, to.solo_learn(mlp, "encoder"), ("backbone", ""))
    save(old, "solo_learn_old", "byol-x0-ep=5.ckpt")
    save(OLD_ARGS, "solo_learn_old", "args.json")
    save(
        checkpoint(simsiam, to.solo_simsiam(simsiam), ("backbone", "backbone")), "solo_simsiam", "simsiam-x2-ep=5.ckpt"
    )
    save(SOLO_ARGS | {"method": "simsiam", "momentum": None}, "solo_simsiam", "args.json")
    save(
        checkpoint(direct, to.implicit_var_reg(direct), ("backbone", "backbone")), "implicit_var_reg", "dp-x3-ep=5.ckpt"
    )
    rule = {"dp_alpha": 0.5, "dp_normalize": True, "dp_tau": 0.9, "eps_iso": 0.0, "iso": False, "use_l2": False}
    save(SOLO_ARGS | {"method": "directpred", "method_kwargs": rule}, "implicit_var_reg", "args.json")
    save(checkpoint(mlp, to.stable_pretraining(mlp), ("backbone", ""), ("predictor", "")), "stable_pretraining.ckpt")


def own_code_of_lightly(run):
    """Return a checkpoint of lightly's own modules in a LightningModule, in the naming of its examples."""
    import pytorch_lightning as pl
    from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead

    from lindyn.bridge.training import SmallNet

    class BYOL(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.backbone, self.backbone_momentum = SmallNet(1, 4), SmallNet(1, 4)
            self.projection_head, self.prediction_head = BYOLProjectionHead(16, 16, 8), BYOLPredictionHead(8, 16, 8)
            self.projection_head_momentum = BYOLProjectionHead(16, 16, 8)

    model = BYOL()
    model.load_state_dict(to.lightly(run, "backbone_momentum", "projection_head_momentum"))
    return checkpoint(run, model.state_dict(), ("backbone", ""), "predictor")


def torch_files(runs):
    """Write simsiam, mmpretrain, byol-pytorch and sthalles."""
    simsiam, mlp = runs["simsiam"], runs["mlp"]
    optimizer = simsiam.optimizer(("backbone", ""), ("predictor", ""))
    for group, fixed in zip(optimizer["param_groups"], (False, True), strict=True):
        group.pop("initial_lr")  # its own schedule writes lr alone
        group |= {"fix_lr": fixed, "lr": 0.05 if fixed else group["lr"]}
    whole = {"epoch": 6, "arch": "resnet18", "state_dict": to.simsiam(simsiam), "optimizer": optimizer}
    save(whole, "simsiam", "checkpoint_0005.pth.tar")
    meta = {"epoch": 6, "iter": 30, "cfg": MM_CONFIG, "seed": 0, "mmengine_version": "0.10.4"}
    weights, optimizer = to.mmpretrain(mlp), mlp.optimizer(("backbone", ""), "predictor")
    save({"meta": meta, "state_dict": weights, "optimizer": optimizer}, "mmpretrain", "epoch_6.pth")
    save(to.byol_pytorch(mlp), "byol_pytorch", "byol.pt")
    save(mlp.backbone, "byol_pytorch", "checkpoint.0.pt")
    save(to.sthalles(mlp) | {"optimizer_state_dict": mlp.optimizer(("backbone", ""))}, "sthalles", "checkpoints",
         "model.pth")  # fmt: skip
    text = "network:\n  name: resnet18\ntrainer:\n  batch_size: 240\n  m: 0.99 # momentum update\n  max_epochs: 6\n"
    (HERE / "sthalles" / "checkpoints" / "config.yaml").write_text(text, encoding="utf-8")


def luckmatters(runs):
    """Write the MLP, the linear predictor and the one behind a BatchNorm of its input; F-hat beside."""
    for name in ("mlp", "linear"):
        run = runs[name]
        z = projections(name)
        predictors = {name: to.biased(run.predictor)}
        if name == "mlp":
            predictors["input_bn"] = to.behind_batchnorm(run.predictor, z.mean(0), z.var(0, unbiased=False))
        for form, predictor in predictors.items():
            states = {"optimizer_state_dict": run.optimizer(("backbone", "")),
                      "predictor_optimizer_state_dict": run.optimizer(("predictor", ""))}  # fmt: skip
            save(to.luckmatters(run, predictor) | states, "luckmatters", form, "model_006.pth")
        F, mean = z.T @ z / len(z), z.mean(0)
        corr = {"cumulated_corr": F, "cumulated_corr_counter": 30, "cumulated_cross_corr": F, "cumulated_mean": mean,
                "cumulated_mean_ema": mean}  # fmt: skip
        save(corr, "luckmatters", name, "corr_006_iter30.pth")


@torch.no_grad()
def projections(name):
    """Return the online projections of the held-out digits by the run's own modules in eval mode."""
    from tests.bridge.validation.originals import images, original

    module = original(name)
    return module.projection_head(module(images()))


def deepmind(run):
    """Write the pickle of DeepMind's code: classes of haiku and of its own that are not installed here."""
    mapping = stranger("haiku._src.data_structures", type("FlatMapping", (dict,), {}))
    mapping.__reduce__ = lambda self: (mapping, (dict(self),))
    state = stranger("byol.byol_experiment", namedtuple("_ByolExperimentState", to.DEEPMIND_FIELDS))
    lars = stranger("byol.utils.optimizers", namedtuple("ScaleByLarsState", "mu"))
    trees = {
        name: mapping({key: mapping(leaf) for key, leaf in tree.items()}) for name, tree in to.deepmind(run).items()
    }
    trees["opt_state"] = [lars(mapping())]
    whole = {"experiment_state": state(**trees), "step": 30, "rng": torch.zeros(2).numpy()}
    path = HERE / "deepmind" / "pretrain.pkl"
    path.write_bytes(pickle.dumps(whole, protocol=2))


def stranger(module, made):
    """Return a class that says it comes from a module which is not installed."""
    for name in [module.rsplit(".", k)[0] for k in range(module.count("."), -1, -1)]:
        sys.modules.setdefault(name, types.ModuleType(name))
    made.__module__ = module
    setattr(sys.modules[module], made.__name__, made)
    return made


if __name__ == "__main__":
    main()
