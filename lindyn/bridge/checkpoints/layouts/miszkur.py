"""miszkur/SelfSupervisedLearning (Keras): the encoder's weights, a ResNet-18; nothing else is saved."""

from collections.abc import Mapping

from torch import Tensor, nn

from lindyn.bridge.checkpoints import backbones
from lindyn.bridge.checkpoints.assembling import BACKBONE_ONLY
from lindyn.bridge.checkpoints.backbones import STAGES, Form
from lindyn.bridge.checkpoints.checkpoint_files import KERAS_LAYERS
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "miszkur", "miszkur/SelfSupervisedLearning (Keras)"
CODE = {
    "method.loss": "cosine",
    "method.sides": "symmetrised",
    "method.ema_schedule": "constant",
    "optim.name": "sgd",
    "optim.schedule": "constant",
    "optim.alpha_p": 1.0,
}
FORM = Form(same=True, eps=1e-3)  # Keras's own eps of BatchNorm
_LEAVES = {
    "conv": {"weight": "kernel:0", "bias": "bias:0"},
    "norm": {"weight": "gamma:0", "bias": "beta:0", "running_mean": "moving_mean:0",
             "running_var": "moving_variance:0"},
}  # fmt: skip
_GROUPS = ("conv2d", "batch_normalization", *["sequential"] * 4)


def matches(content: Content) -> bool:
    """Return whether a file of Keras has a first convolution, its BatchNorm and four stages."""
    groups = list(_modules(content.weights))
    return len(groups) == len(_GROUPS) and all(map(str.startswith, groups, _GROUPS))


def read(content: Content) -> Pieces:
    """Return the encoder."""
    net = encoder(content.weights)
    notes = [
        BACKBONE_ONLY,
        "The file holds no settings: give optim.lr, optim.weight_decay, optim.momentum and method.ema.",
    ]
    if net is not None:
        notes.append(backbones.said(net) + " Its strided layers pad as in TensorFlow.")
    return Pieces(content.path, NAME, TITLE, backbone=net, settings=Settings.of(CODE, f"the code of {TITLE}"),
                  notes=tuple(notes))  # fmt: skip


def encoder(found: Mapping[str, Tensor]) -> nn.Module | None:
    """Return the ResNet, the biases of its convolutions taken into the means of the BatchNorms behind them.

    Args:
        found: all tensors; kernels are height x width x in x out.

    Raises:
        ValueError: a tensor is missing or of the wrong shape; it is named as in the file.
    """
    names = _names(found)
    for name in names.values():
        if name not in found:
            raise ValueError(f"{name} is missing.")
    shifted = dict(found)
    for here in [here for here in names if here.endswith(".running_mean")]:
        place = here.removesuffix(".running_mean")
        before = place.replace("bn", "conv").replace("downsample.1", "downsample.0")
        bias = names.pop(f"{before}.bias")
        if found[bias].shape != found[names[here]].shape:
            shapes = f"{tuple(found[names[here]].shape)}; got {tuple(found[bias].shape)}"
            raise ValueError(f"{bias} must have shape {shapes}.")
        shifted[names[here]] = found[names[here]] - found[bias]
    return backbones.translated(shifted, names, FORM)


def _modules(found: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Return the modules of every layer of the file ("basic_block_2/conv2d_5"), in the order of the file."""
    groups: dict[str, list[str]] = {}
    for name in found:
        top, _, rest = name.partition(".")
        layer, _, weight = rest.partition(".")
        if top == KERAS_LAYERS:
            module = weight.rpartition("/")[0]
            groups.setdefault(layer, [])
            groups[layer] += [module] if module not in groups[layer] else []
    return groups


def _names(found: Mapping[str, Tensor]) -> dict[str, str]:
    """Return what each tensor is called in the file, by torchvision's names.

    Keras numbers its layers through, so it is their order that tells what they are: within a block the convolutions
    and norms in order; what stands in no block is the shortcut of the block before it.
    """
    names: dict[str, str] = {}
    for (layer, modules), stage in zip(_modules(found).items(), ("", "", *STAGES), strict=True):
        blocks: list[str] = []
        counts: dict[tuple[int, str], int] = {}
        for module in modules:
            parts = module.split("/")
            kind = "conv" if parts[-1].startswith("conv2d") else "norm"
            block = next((part for part in parts if part.startswith("basic_block")), "")
            shortcut = stage and (not block or any(part.startswith("sequential") for part in parts))
            blocks += [block] if block and block not in blocks else []
            number = len(blocks) - 1
            counts[number, kind] = counts.get((number, kind), 0) + (not shortcut)
            own = f"{'bn' if kind == 'norm' else 'conv'}{counts[number, kind] or 1}"
            here = f"downsample.{int(kind == 'norm')}" if shortcut else own
            place = f"{stage}.{number}.{here}" if stage else here
            for leaf, its in _LEAVES[kind].items():
                names[f"{place}.{leaf}"] = f"{KERAS_LAYERS}.{layer}.{module}/{its}"
    return names


LAYOUT = Layout(NAME, TITLE, matches, read)
