"""The keys of a training run: five frozen sections; everything that decides the result is a key here."""

from dataclasses import dataclass
from typing import Any

from lindyn._option_table import OptionTable
from lindyn._options import ABLATIONS, options_of
from lindyn._options import declared as key
from lindyn.display.brief import Brief

DATA_NAMES = ("mnist", "digits", "cifar10", "stl10", "imagefolder", "fake", "gaussian")
BACKBONES = ("small", "resnet18", "resnet50", "linear")
PROJECTORS = ("byol", "simsiam", "linear", "none")
LAST_NORMS = ("named", "batch", "none")
METHODS = ("byol", "simsiam")
TARGETS, TARGET_STARTS = ABLATIONS["target"].choices, ABLATIONS["target_start"].choices
LOSSES = ("cosine", "negative-cosine", "l2")
SIDES = ("one-sided", "symmetrised", "averaged")
SCHEDULES = ("cosine", "constant")
OPTIMISERS = ("sgd", "lars")
AUGMENTATIONS = ("batched", "byol", "simsiam", "noise", "none")
STEMS = ("imagenet", "cifar")
POOLS = ("stem", "max", "none")
ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "elu", "leaky_relu", "selu", "softplus", "sigmoid", "mish", "relu6",
               "hardswish", "none")  # fmt: skip
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "64-true")
EVALUATIONS = ("features", "images", "none")


@dataclass(frozen=True, repr=False)
class DataConfig(Brief):
    """Which images, and how two views of one are made."""

    name: str = key("mnist", "which images", DATA_NAMES)
    root: str = key("", "folder of cifar10, stl10 or imagefolder", free=True, path=True)
    download: bool = key(False, "let torchvision fetch cifar10 or stl10 into root", free=True)
    workers: int = key(0, "processes that decode photos", low=0, free=True)
    size: int = key(28, "side of a view in pixels", low=1)
    channels: int = key(1, "channels of the fake images", low=1)
    count: int = key(4096, "number of fake or gaussian samples in an epoch", low=1)
    classes: int = key(10, "classes of the fake images", low=2)
    test_share: float = key(0.2, "share of the embedded images held out for the probes", low=0.0, high=1.0)
    augmentation: str = key(
        "batched", "views: batched (whole tensors), byol or simsiam (lightly), noise, none", AUGMENTATIONS
    )
    crop: float = key(0.5, "smallest area of a random crop", low=0.0, high=1.0)
    ratio: float = key(1.33, "largest aspect ratio of a crop", low=1.0)
    rotate: float = key(10.0, "largest rotation in degrees (batched)", low=0.0)
    flip: float = key(0.0, "probability of a mirrored view", low=0.0, high=1.0)
    brightness: float = key(0.1, "largest shift of all pixels (batched)", low=0.0)
    contrast: float = key(0.2, "largest relative change of contrast (batched)", low=0.0)
    blur: float = key(0.8, "widest Gaussian blur in pixels (batched)", low=0.0)
    noise: float = key(0.1, "standard deviation of pixel noise (batched, noise)", low=0.0)
    jitter: float = key(1.0, "strength of lightly's colour jitter", low=0.0)
    centre: bool = key(False, "subtract the mean image of the training images")
    decay: float = key(1.0, "gaussian: eigenvalue j of X is j^(-decay), j = 1..size", low=0.0)


@dataclass(frozen=True, repr=False)
class ModelConfig(Brief):
    """Backbone, projector, predictor."""

    backbone: str = key("small", "small conv net, resnet18, resnet50, or linear (the paper's W)", BACKBONES)
    stem: str = key("imagenet", "first layers of a ResNet: imagenet, or cifar (3 x 3, no pooling)", STEMS)
    stem_stride: int = key(0, "stride of a ResNet's first layer; 0: that of its stem (imagenet 2, cifar 1)", low=0)
    pool: str = key(
        "stem", "pooling behind a ResNet's first layer: that of its stem (imagenet max, cifar none), max, none", POOLS
    )
    width: int = key(16, "channels of the first layer of `small`; outputs of `linear`", low=1)
    norm: str = key("batch", "normalisation in `small`", ("batch", "group", "none"))
    projector: str = key(
        "simsiam", "byol (2 layers), simsiam (3 layers, BatchNorm at the end), linear (no bias), none", PROJECTORS
    )
    projector_layers: int = key(0, "linear layers of the projector; 0: as its name has it", low=0)
    projector_norm: str = key(
        "named", "BatchNorm (no scale, no shift) at the projector's end: as its name has it, batch, none", LAST_NORMS
    )
    hidden: int = key(256, "hidden width of the projector", low=1)
    dim: int = key(64, "output width of the projector, d", low=1)
    activation: str = key("relu", "between the layers of projector and predictor", ACTIVATIONS)
    predictor_activation: str = key("same", "between the layers of the predictor, where it is another",
                                    ("same", *ACTIVATIONS))  # fmt: skip
    predictor: str = key("linear", "mlp, linear, mlp_symmetric, linear_symmetric, identity, or any rule or preset")
    predictor_options: tuple[tuple[str, Any], ...] = key((), "parameters of the predictor, by name")
    cut: float = key(1.0, "cut initialisation: every weight starts divided by this", low=0.0)


@dataclass(frozen=True, repr=False)
class UnsaidConfig(Brief):
    """What the tensors of a checkpoint do not say beside that; read by `lindyn validate` alone."""

    weights: str = key("current", "which of two sets of weights in a file: current, or their average over training",
                       ("current", "average"))  # fmt: skip
    head_norm: str = key("layer", "normalisation without running statistics in the heads: layer, batch (by the batch), "
                         "group (of head_groups)", ("layer", "batch", "group"))  # fmt: skip
    head_groups: int = key(32, "groups of a GroupNorm in the heads", low=1)
    eps: float = key(1e-5, "added to the variances by the normalisations", low=0.0)


@dataclass(frozen=True, repr=False)
class MethodConfig(Brief):
    """Loss and target."""

    name: str = key("byol", "which method's values are the defaults", METHODS)
    loss: str = key("cosine", "cosine (2 - 2 cos), negative-cosine (-cos), l2 (half the squared distance)", LOSSES)
    sides: str = key("symmetrised", "one-sided, symmetrised (sum of both directions), averaged (their mean)", SIDES)
    target: str = key("ema", "ema, online (SimSiam: the stopped online network), frozen", TARGETS)
    target_start: str = key("copy", "the target starts as a copy, independent, or zero", TARGET_STARTS)
    ema: float = key(0.99, "gamma_a of W_a <- gamma_a W_a + (1 - gamma_a) W", low=0.0, high=1.0)
    ema_schedule: str = key("constant", "constant, or cosine up to 1", SCHEDULES)
    stop_gradient: bool = key(True, "no gradient through the target branch")


@dataclass(frozen=True, repr=False)
class OptimConfig(Brief):
    """Optimiser and schedules."""

    name: str = key("sgd", "sgd, or lars (lightly's)", OPTIMISERS)
    batch: int = key(128, "global batch of one forward pass: all devices together", low=1, same=("batch_size",))
    accumulate: int = key(1, "forward passes in an optimiser step", low=1)
    lr: float = key(0.1, "learning rate alpha", low=0.0, same=("learning_rate",))
    scale_lr: bool = key(False, "multiply lr by batch x accumulate / 256")
    momentum: float = key(0.9, "heavy-ball momentum", low=0.0)
    weight_decay: float = key(4e-4, "decay of backbone and projector, added to the gradient", low=0.0)
    alpha_p: float = key(1.0, "learning-rate multiplier of the predictor", low=0.0)
    projector_multiplier: float = key(1.0, "learning-rate multiplier of the projector", low=0.0)
    predictor_weight_decay: float = key(-1.0, "decay of the predictor; -1: that of the others", low=-1.0)
    exclude_bias_norm: bool = key(False, "no decay (and no LARS adaptation) for biases and normalisation")
    trust: float = key(0.001, "trust coefficient of lars", low=0.0)
    schedule: str = key("cosine", "learning rate: cosine to 0, or constant", SCHEDULES)
    predictor_schedule: str = key("same", "learning rate of the predictor: same, or constant", ("same", "constant"))
    warmup_epochs: float = key(0.0, "epochs of linear warm-up", low=0.0)
    clip: float = key(0.0, "largest norm of the gradient; 0: no limit", low=0.0)


@dataclass(frozen=True, repr=False)
class RunConfig(Brief):
    """Length, seed, hardware, what is kept."""

    epochs: int = key(30, "passes over the images", low=1)
    seed: int = key(0, "of weights, order and augmentation", low=0)
    folder: str = key("lindyn-out/train", "where everything is written", free=True, path=True)
    accelerator: str = key("auto", "cpu, gpu, auto, ... as pytorch_lightning names them", free=True)
    devices: int = key(0, "devices on a node; 0: one on CPU, every GPU otherwise", low=0, free=True)
    nodes: int = key(1, "number of nodes", low=1, free=True)
    strategy: str = key("auto", "how devices share the work (auto, ddp, ...)", free=True)
    precision: str = key("32-true", "32-true, 16-mixed, bf16-mixed, 64-true", PRECISIONS)
    sync_batchnorm: bool = key(True, "BatchNorm over all devices (GPUs only; on CPU a process normalises its own)")
    threads: int = key(0, "CPU threads; 0: OMP_NUM_THREADS, else by the size of the layers", low=0, free=True)
    checkpoint_every: int = key(5, "epochs between checkpoints; all are kept", low=1, free=True)
    evaluate_every: int = key(1, "epochs between k-NN and probe on the held-out images; 0: never", low=0, free=True)
    diagnostics_every: int = key(10, "steps between records of spectra and alignment; 0: never", low=0, free=True)
    diagnostics_top: int = key(16, "number of leading eigenvalues recorded", low=1, free=True)
    probe: bool = key(True, "train a linear probe beside (its gradient stops at the features)")
    probe_lr: float = key(0.1, "learning rate of the probe", low=0.0)
    knn: int = key(20, "neighbours of the k-NN; 0: none", low=0, free=True)
    knn_temperature: float = key(0.1, "temperature of the k-NN weights", low=0.0, free=True)
    bank: int = key(20000, "largest number of training images the k-NN looks at", low=1, free=True)
    evaluation: str = key(
        "features",
        "linear evaluation at the end: on features of unaugmented images, on augmented images (lightly), none",
        EVALUATIONS,
        free=True,
    )
    evaluation_epochs: int = key(90, "epochs of the linear evaluation on images", low=1, free=True)
    theory: bool = key(False, "draw the linear theory beside the run at its end", free=True)
    tensorboard: bool = key(False, "write TensorBoard events", free=True)
    csv: bool = key(False, "write the same to csv/metrics.csv", free=True)
    wandb: bool = key(False, "log to Weights & Biases (WANDB_PROJECT, WANDB_MODE; in wandb/)", free=True)
    mlflow: bool = key(False, "log to MLflow (MLFLOW_TRACKING_URI, else mlruns/ in the folder)", free=True)
    progress: bool = key(True, "show a progress bar on a terminal, a line per evaluation elsewhere", free=True)
    check_nan_every: int = key(0, "steps between looks for NaN; 0: every step on CPU, 50 elsewhere", low=0, free=True)


SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "method": MethodConfig,
    "optim": OptimConfig,
    "run": RunConfig,
}


TABLE = OptionTable(
    tuple(option for section, cls in SECTIONS.items() for option in options_of(section, cls)),
    dotted=True,
    ignored=("paper", "printed"),  # a preset's notes: which table and row it repeats
    where="docs/training.md has the table of keys.",
)
VALIDATED = OptionTable(
    (*TABLE.options, *options_of("model", UnsaidConfig)), dotted=True, ignored=TABLE.ignored, where=TABLE.where
)
"""The keys that `lindyn validate` takes: those of a training run, and what the tensors of a file do not say."""
OPTIONS = "model.predictor_options"

PHOTO = {"data.augmentation": "byol", "data.flip": 0.5, "data.workers": 4, "model.backbone": "resnet18",
         "data.crop": 0.08, "data.channels": 3, "model.hidden": 512, "model.dim": 128,
         "model.projector": "byol"}  # fmt: skip
GIVEN_BY_DATA: dict[str, dict[str, Any]] = {
    "digits": {"data.size": 8, "data.crop": 0.6, "data.blur": 0.5},
    "cifar10": {**PHOTO, "data.size": 32, "model.stem": "cifar", "data.crop": 0.2, "data.jitter": 0.5},
    "stl10": {**PHOTO, "data.size": 96, "data.crop": 0.2},
    "imagefolder": {**PHOTO, "data.size": 224, "model.backbone": "resnet50", "model.hidden": 4096, "model.dim": 256},
    "fake": {"data.augmentation": "none", "run.evaluation": "none", "run.evaluate_every": 0},
    "gaussian": {
        "data.size": 16,
        "data.augmentation": "noise",
        "data.noise": 0.5,
        "model.backbone": "linear",
        "model.width": 8,
        "model.projector": "none",
        "run.probe": False,
        "run.knn": 0,
        "run.evaluation": "none",
        "run.theory": True,
        "run.checkpoint_every": 1,
        "method.loss": "l2",
        "method.sides": "one-sided",
        "optim.momentum": 0.0,
        "optim.schedule": "constant",
        "optim.lr": 0.02,
        "optim.weight_decay": 0.02,
    },
}
GIVEN_BY_METHOD: dict[str, dict[str, Any]] = {
    "simsiam": {
        "method.loss": "negative-cosine",
        "method.sides": "averaged",
        "method.target": "online",
        "model.projector": "simsiam",
        "model.predictor": "mlp",
    },
}
