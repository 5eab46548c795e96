"""Checkpoints of anyone's code, opened without running any of it, as modules under names free of their layout.

    read_checkpoint, known_layouts      the pieces of a file, and the layouts that it may have
    Layout, Content, Names, assemble    what a layout is made of (`layouts/`: a file each; or in a package of your own)
    Form, backbone, head                networks from their tensors, `filled` with them; `translated` from another code
    group_settings, with_notes          what an optimiser's state tells, and what is to be said of a file
    checkpoint_files, stubs             the file itself: torch, safetensors, Keras, pickles through stand-ins
    inputs                              which files a path stands for

Layouts stand in `layouts/`, a file each; a package of your own adds one by the entry point `lindyn.layouts`.
"""

from lindyn._faces import lazy

_FILES = {
    ".layouts": ("known_layouts", "matching", "read_checkpoint"),
    ".content": ("Content", "Layout", "group_settings", "peak"),
    ".wrappers": ("container", "unwrapped", "weights_of"),
    ".assembling": ("BACKBONE_ONLY", "Names", "assemble", "check_fit", "with_notes"),
    ".backbones": ("Form", "backbone", "translated"),
    ".padding": ("SameConv2d", "SameMaxPool2d", "pad_same", "same_padding"),
    ".heads": ("head", "stack", "symmetric_linear", "symmetric_mlp"),
    ".single_layers": ("NotBuiltError", "batchnorm", "filled", "multiplied_out"),
    ".inputs": ("ENDINGS", "Inputs", "paths_of"),
    "lindyn.bridge.records": ("Pieces",),
    "lindyn.bridge.settings": ("Settings",),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}
_MODULES = ("backbones", "checkpoint_files", "heads", "inputs", "single_layers", "stubs")

__all__ = [*_HOME, *_MODULES]

__getattr__, __dir__ = lazy(__name__, _HOME, _MODULES)
