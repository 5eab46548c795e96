"""Random heads and backbones in every layout's naming, and whether they come back: exact, said, or silently wrong."""

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from hypothesis import strategies as st
from torch import nn

from lindyn.bridge.checkpoints import read_checkpoint
from lindyn.bridge.layers.stacks import ACTIVATIONS

EXACT, SAID, SILENT = "exact", "said", "silent"
CLOSE, WRONG = 1e-5, 0.01
NORMS = {
    "none": lambda n, eps: None,
    "batch": lambda n, eps: nn.BatchNorm1d(n, eps=eps),
    "batch, plain": lambda n, eps: nn.BatchNorm1d(n, eps=eps, affine=False),
    "batch, no statistics": lambda n, eps: nn.BatchNorm1d(n, eps=eps, track_running_stats=False),
    "layer": lambda n, eps: nn.LayerNorm(n, eps=eps),
    "layer, plain": lambda n, eps: nn.LayerNorm(n, eps=eps, elementwise_affine=False),
    "group": lambda n, eps: nn.GroupNorm(2, n, eps=eps),
    "rms": lambda n, eps: nn.RMSNorm(n, eps=eps),
}
KEYS = {"batch, no statistics": {"model.head_norm": "batch"}, "layer": {"model.head_norm": "layer"},
        "group": {"model.head_norm": "group", "model.head_groups": 2}}  # fmt: skip
WRITTEN = {
    "plain": lambda layer: layer,
    "weight norm": nn.utils.parametrizations.weight_norm,
    "weight norm, old": nn.utils.weight_norm,
    "spectral norm": nn.utils.parametrizations.spectral_norm,
    "spectral norm, old": nn.utils.spectral_norm,
}
NAMINGS = {
    "lightly": ("backbone", "projection_head", "prediction_head"),
    "lightly's classes": ("backbone", "projection_head.layers", "prediction_head.layers"),
    "solo-learn": ("backbone", "projector", "predictor"),
    "stable-pretraining": ("backbone.student", "projector.student", "predictor"),
    "byol-pytorch": ("online_encoder.net", "online_encoder.projector", "online_predictor"),
    "simsiam": ("encoder", "encoder.fc", "predictor"),
    "bolts": ("online_network.encoder", "online_network.projector.model", "predictor.model"),
    "mmpretrain": ("backbone", "neck", "head.predictor"),
}
WRAPPERS = ("", "module.", "_orig_mod.", "model.", "_forward_module.", "_fsdp_wrapped_module.", "byol.", "module.net.")
CONTAINERS = ("", "state_dict", "model")
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
STEMS = {(3, 1, False): {"model.stem": "cifar"}, (3, 1, True): {"model.stem": "cifar", "model.pool": "max"},
         (3, 2, True): {"model.stem": "imagenet"}, (7, 2, True): {"model.stem": "imagenet"},
         (7, 2, False): {"model.stem": "imagenet", "model.pool": "none"}}  # fmt: skip


@dataclass(repr=False)
class Drawn:
    """A network, the tree that a file of it holds, and the keys that say all of it."""

    parts: dict
    tree: dict
    naming: str
    keys: dict = field(default_factory=dict)
    dtype: torch.dtype = torch.float32


@st.composite
def heads(draw, inner, outer, norm, eps, simple):
    """One head: its module and its activation."""
    act = draw(st.sampled_from([*ACTIVATIONS, "relu", "relu", "prelu"] if not simple else [*ACTIVATIONS]))
    written = draw(st.sampled_from([*WRITTEN, *["plain"] * 6]))
    widths = [inner, *draw(st.lists(st.sampled_from((4, 6, 8)), max_size=2)), outer]
    layers = [] if simple or draw(st.integers(0, 9)) else [nn.Flatten()]
    for k, (a, b) in enumerate(pairwise(widths)):
        last = k == len(widths) - 2
        layers.append(WRITTEN[written](nn.Linear(a, b, bias=draw(st.booleans()))))
        middle = NORMS[norm](b, eps) if not last or draw(st.integers(0, 3)) == 0 else None
        layers += [middle] if middle is not None else []
        if not last:
            layers.append(nn.PReLU() if act == "prelu" else ACTIVATIONS[act]())
            layers += [nn.Dropout()] if not simple and draw(st.integers(0, 7)) == 0 else []
    return nn.Sequential(*layers), "relu" if act == "prelu" else act


@st.composite
def networks(draw, with_backbone=True):
    """A network with all of its parts, as a file holds it."""
    torch.manual_seed(draw(st.integers(0, 999)))
    naming = draw(st.sampled_from([*NAMINGS]))
    simple = naming == "mmpretrain"
    norm = draw(st.sampled_from(["batch", "batch", "none", *([] if simple else NORMS)]))
    eps = draw(st.sampled_from((1e-5, 1e-5, 1e-3)))
    keys = {"model.eps": eps, **KEYS.get(norm, {})}
    parts, inner = {}, 12
    if with_backbone and draw(st.integers(0, 3)) == 0:
        stem = draw(st.sampled_from([*STEMS]))
        parts["backbone"], inner = resnet(*stem, eps, 2 if naming == "solo-learn" else 1), 8  # as its code pads
        keys |= STEMS[stem]
    parts["projector"], keys["model.activation"] = draw(heads(inner, 6, norm, eps, simple))
    parts["predictor"], keys["model.predictor_activation"] = draw(heads(6, 6, norm, eps, simple))
    shapes = {"backbone": (8, 3, 16, 16), "projector": (40, inner), "predictor": (40, 6)}
    dtype = draw(st.sampled_from(DTYPES)) if norm != "rms" else torch.float32
    for name, part in parts.items():
        scale = draw(st.sampled_from((1.0, 0.1)))
        with torch.no_grad():
            for _ in range(4):
                part.train()(scale * torch.randn(shapes[name]))
        part.to(dtype).eval()
    names = dict(zip(("backbone", "projector", "predictor"), NAMINGS[naming], strict=True))
    found = {
        f"{names[name]}.{key}": value.clone()
        for name, part in parts.items()
        for key, value in part.state_dict().items()
    }
    if simple:
        found = {mm_name(key, parts): value for key, value in found.items()}
    if naming in ("solo-learn",) and "backbone" not in parts:
        found["backbone.0.weight"] = torch.ones(12, 3)
    wrapper, container = draw(st.sampled_from(WRAPPERS)), draw(st.sampled_from(CONTAINERS))
    found = {f"{wrapper}{key}": value for key, value in found.items()}
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    return Drawn({name: part.to(wide) for name, part in parts.items()}, {container: found} if container else found,
                 naming, keys, wide)  # fmt: skip


def mm_name(key, parts):
    """Return the name that mmpretrain has for a layer of a head: fc0, bn0, fc1, ..."""
    for prefix, part in (("neck.", "projector"), ("head.predictor.", "predictor")):
        if key.startswith(prefix):
            number, rest = key.removeprefix(prefix).split(".", 1)
            place = int(number)
            here = [k for k, layer in enumerate(parts[part]) if isinstance(layer, nn.Linear)]
            count = sum(k <= place for k in here) - 1
            return f"{prefix}{'fc' if place in here else 'bn'}{count}.{rest}"
    return key


def resnet(side, stride, pool, eps, padding):
    """A narrow ResNet of one block a stage."""
    from functools import partial

    from torchvision.models.resnet import BasicBlock, ResNet

    with torch.device("meta"):
        net = ResNet(BasicBlock, [1, 1, 1, 1])
    norm = partial(nn.BatchNorm2d, eps=eps)
    net.conv1, net.bn1 = nn.Conv2d(3, 4, side, stride, padding if side == 3 else 3, bias=False), norm(4)
    net.maxpool = net.maxpool if pool else nn.Identity()
    widths = (4, 4, 6, 6, 8)
    for k in range(4):
        step = 1 if k == 0 else 2
        short = (
            None
            if k == 0
            else nn.Sequential(nn.Conv2d(widths[k], widths[k + 1], 1, step, bias=False), norm(widths[k + 1]))
        )
        setattr(net, f"layer{k + 1}", nn.Sequential(BasicBlock(widths[k], widths[k + 1], step, short, norm_layer=norm)))
    net.fc = nn.Identity()
    return net


@torch.no_grad()
def error_of(built, part, dtype):
    """Return the relative error of a rebuilt part on random inputs."""
    layer = next(layer for layer in part.modules() if isinstance(layer, nn.Linear | nn.Conv2d))
    shape = (6, 3, 16, 16) if isinstance(layer, nn.Conv2d) else (32, layer.in_features)
    x = 0.7 * torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=dtype)
    y, got = part(x), built.to(dtype)(x)
    return float((got - y).norm() / y.norm().clamp_min(1e-12))


def outcome(drawn, path):
    """Return (what became of the network, of the part that fared worst; the same with everything named)."""
    torch.save(drawn.tree, path)
    pieces = read_checkpoint(path)
    first = {name: judged(pieces, name, part, drawn) for name, part in drawn.parts.items()}
    named = read_checkpoint(path, settings=drawn.keys)
    second = {name: judged(named, name, part, drawn) for name, part in drawn.parts.items()}
    return first, second


def judged(pieces, name, part, drawn):
    """Return what became of one part."""
    built = getattr(pieces, name)
    if built is None:
        words = {"backbone": "backbone", "projector": "projector", "predictor": "predictor"}[name]
        return SAID if any((words in note and "not built" in note) or "none that lindyn builds" in note
                           for note in pieces.notes) else SILENT  # fmt: skip
    error = error_of(built, part, drawn.dtype)
    if error <= CLOSE:
        return EXACT
    about = [each for each in pieces.assumptions if name in each.taken or each.about == "eps"]
    by_code = any("code" in source or "classes" in source for key, source in pieces.settings.sources.items()
                  if key in ("model.activation", "model.predictor_activation", "model.stem", "model.eps"))  # fmt: skip
    return SAID if about or by_code or error <= WRONG else SILENT
