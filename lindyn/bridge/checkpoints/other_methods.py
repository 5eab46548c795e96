"""Methods of self-supervised learning other than BYOL and SimSiam: by name, by what is in a file; what can be said.

The theory speaks of a predictor against a target. A contrastive, clustering or redundancy-reducing loss has other
dynamics even where a predictor or a momentum network is there: of those only the collapse measures say something.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from lindyn.bridge.assumptions import LAWS_ONLY, Assumption
from lindyn.bridge.checkpoints.content import Content
from lindyn.bridge.checkpoints.layer_rules import OF_TRAINING
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings
from lindyn.bridge.training.networks import NO_PREDICTOR

KINDS = {
    "contrastive: pairs are pushed apart": (
        "SimCLR", "SupCon", "DCL", "DCLW", "MoCo", "MoCo v2", "MoCo v2 plus", "MoCo v3", "NNCLR", "DenseCL", "PIRL",
        "ReSSL", "CPC v2", "AMDIM", "All4One", "SupMoCo",
    ),
    "decorrelation": ("Barlow Twins", "VICReg", "VICRegL", "TiCo", "VIbCReg", "W-MSE", "MMCR", "LeJEPA", "SimDINO"),
    "clustering, by prototypes": ("SwAV", "DeepCluster v2", "ODC", "SMoG", "MSN", "PMSN", "CAPI", "SiameseIM"),
    "distillation, held up by centring": ("DINO", "DINOv2", "DINOv3", "iBOT", "EsViT"),
    "masked prediction": ("MAE", "SimMIM", "BEiT", "MaskFeat", "MILAN", "EVA", "MixMIM", "SparK", "data2vec", "I-JEPA",
                          "V-JEPA", "V-JEPA 2", "AIM", "LeWM", "CAE"),
}  # fmt: skip
"""Methods that are not the theory's, by what keeps them from collapse."""
_SAME = {"barlow": "barlowtwins", "deepcluster": "deepclusterv2", "cpc": "cpcv2"}
ONLY_COLLAPSE = (
    "the theory speaks of BYOL and SimSiam, a predictor against a target, so that only the collapse measures say "
    "something."
)
SIGNS = (
    (r"(student|teacher)_(head|projection_head)\.|(student|teacher)\.\w*(dino|head)", "DINO"),
    (r"anchor_(backbone|projection_head)\.", "MSN"),
    (r"(\w+\.)?(mask_token$|decoder(_|\.))", "MAE"),
    (r"(\w+\.)?smog\.|group_features", "SMoG"),
    (r"local_projection_head\.|projection_head\.local", "VICRegL"),
    (r"(\w+\.)*prototypes", "SwAV"),
    (r"(queue|neg_queue|\w*memory_bank\w*)($|\.)", "MoCo"),
)
"""Names that one method's code has, the surest first."""
MAY_BE = {
    (False, False): "VICReg, Barlow Twins, SimCLR, TiCo, DCL or MMCR, or a SimSiam without its predictor",
    (False, True): "MoCo, TiCo, DenseCL or ReSSL, or a BYOL without its predictor",
}
"""What a file without a predictor may be of, by (predictor, target)."""


def _plain(name: Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def kind_of(name: Any) -> tuple[str, str]:
    """Return (title, what keeps it from collapse) of a method by its name in any spelling, "" for the theory's own."""
    plain = _SAME.get(_plain(name), _plain(name))
    for kind, titles in KINDS.items():
        for title in titles:
            if plain == _plain(title):
                return title, kind
    return "", ""


def told_of(name: Any) -> str:
    """Return what is to be said of a method, "" for the theory's own and those that are not known."""
    title, kind = kind_of(name)
    return f"This file is of {title} ({kind}): {ONLY_COLLAPSE}" if title else ""


def by_signs(content: Content) -> str:
    """Return the method whose own names are in a file, "" where there are none."""
    return next((method for pattern, method in SIGNS if content.has(pattern)), "")


def stored(content: Content) -> str:
    """Return the name of the method that the hyper-parameters of a file hold, or ""."""
    found = content.tree.get("hyper_parameters")
    found = found if isinstance(found, Mapping) else {}
    return str(next((found[key] for key in ("method", "method_name") if isinstance(found.get(key), str)), ""))


def target_of(saved: bool) -> Settings:
    """Return what the target is: by EMA where it was saved, else taken to be the online network."""
    if saved:
        return Settings.of({"method.target": "ema"}, "the checkpoint")
    return Settings.of({"method.target": "online"}, "taken, as the file holds no target")


def without_predictor(known: Settings) -> Settings:
    """Return the settings of a network without a predictor: no learning rate of one, no target that was guessed."""
    guessed = ("method.target",) * (known.get("method.target") == "online")
    kept = {key: value for key, value in known.values.items() if key not in (*OF_TRAINING, *guessed)}
    rest = Settings(kept, {key: source for key, source in known.sources.items() if key in kept})
    if rest.get("model.predictor"):
        return rest
    return Settings.of({"model.predictor": NO_PREDICTOR}, "the checkpoint, which holds none").over(rest)


def may_be(content: Content, has_target: bool) -> str:
    """Return what a file without a predictor may be of, in one sentence."""
    method = by_signs(content)
    if method:
        title, kind = kind_of(method)
        return f"By its names the file is of {title} or one of its kind ({kind}): {ONLY_COLLAPSE}"
    return f"The file may be of {MAY_BE[False, has_target]}: {ONLY_COLLAPSE}"


def with_guess(content: Content, pieces: Pieces, has_target: bool) -> Pieces:
    """Return the pieces of a file with a predictor, with what it was taken to be among their assumptions."""
    return replace(pieces, assumptions=(*pieces.assumptions, *taken_for(content, pieces.projector, has_target)))


def taken_for(content: Content, projector: nn.Module | None, has_target: bool) -> Iterator[Assumption]:
    """Yield what a file with a predictor was taken to be: BYOL beside a target, else SimSiam.

    NNCLR has SimSiam's heads but for the scale of the projector's last BatchNorm, and a memory bank in its loss, which
    may not be saved.
    """
    bank = by_signs(content) == "MoCo"
    last = None if projector is None else list(projector.children())[-1]
    scaled = isinstance(last, nn.BatchNorm1d) and last.affine
    if has_target:
        if bank:
            taken = "it is BYOL; with the memory bank in the file it may be contrastive, which is not the theory's"
            yield Assumption("method", taken, reach=LAWS_ONLY)
        return
    signs = "a memory bank is in the file" if bank else "its last BatchNorm has a scale, as NNCLR's" if scaled else ""
    other = f"; it may be NNCLR, which is contrastive ({signs})" if signs else "; NNCLR has heads like these"
    yield Assumption(
        "target",
        f"the target is the online network (SimSiam), as the file holds no other{other}",
        "method.target=ema",
        changed="a target that follows by EMA and is not in the file",
        reach=LAWS_ONLY,
    )
