"""Networks of other kinds, named so that none is taken for another: no linear head of the theory's kind is in them.

lightly-train, DINO to DINOv3, I-JEPA and V-JEPA, LeJEPA, LeWM: of their features the collapse measures say something.
"""

from collections.abc import Callable

from lindyn.bridge.checkpoints import other_methods
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

FEATURES = "Give projections or features of two views with --features: lindyn does not build its networks."
_DINO = r"(dino_head|ibot_head)\."
_HEADS = rf"((teacher|student)\.)?{_DINO}|(teacher|student)\.(\w+\.)?(head\.last_layer|{_DINO})"
_TRAIN = (r"(student|teacher)_embedding_model\.", r"embedding_model\.wrapped_model\.")


def _lightly_train(content: Content) -> bool:
    return "lightly_train" in content.tree or any(content.has(names) for names in _TRAIN)


def _dino(content: Content) -> bool:
    return content.has(_HEADS) or (content.has(r"(\w+\.)*storage_tokens$") and content.has(r"(\w+\.)*blocks\.\d"))


def _jepa(content: Content) -> bool:
    return content.has(r"target_encoder\.") and content.has(r"predictor\.(\w+\.)?(predictor_\w+|mask_tokens?)(\.|$)")


def _lejepa(content: Content) -> bool:
    own = content.has(r"backbone\.") and content.has(r"proj\.")
    return own and not content.has(r"(pred|target|teacher|momentum|ema|q\.)")


def _lewm(content: Content) -> bool:
    beside, _ = content.beside("config.json")
    return content.path.name == "weights.pt" and "lewm" in str(beside).lower().replace("_", "").replace("-", "")


def _title(content: Content, method: str) -> str:
    """Return the method as nearly as the names tell it."""
    if method == "DINO":
        newest = content.has(r"(\w+\.)*storage_tokens$")
        return "DINOv3" if newest else "DINOv2" if content.has(r"(\w+\.)*ibot_head\.") else "DINO"
    if method == "V-JEPA 2":
        return "V-JEPA 2" if content.has(r"predictor\.\w+\.") else "I-JEPA"
    return other_methods.stored(content) or method


def _reader(name: str, title: str, method: str) -> Callable[[Content], Pieces]:
    def read(content: Content) -> Pieces:
        its = _title(content, method)
        told = other_methods.told_of(its) or f"A file of {title}: {other_methods.ONLY_COLLAPSE}"
        return Pieces(
            content.path, name, title, step=content.number("global_step", "step", "iteration"),
            epoch=content.number("epoch"), settings=other_methods.without_predictor(Settings()),
            notes=(told, FEATURES, *content.notes), assumptions=content.assumptions,
        )  # fmt: skip

    return read


_KINDS = (
    ("lightly-train", "lightly-train", "", _lightly_train),
    ("dino", "DINO, DINOv2, DINOv3 (facebookresearch)", "DINO", _dino),
    ("jepa", "I-JEPA, V-JEPA, V-JEPA 2 (facebookresearch)", "V-JEPA 2", _jepa),
    ("lejepa", "LeJEPA", "LeJEPA", _lejepa),
    ("lewm", "LeWM (weights.pt beside config.json)", "LeWM", _lewm),
)
LAYOUTS = tuple(Layout(name, title, matches, _reader(name, title, method)) for name, title, method, matches in _KINDS)
