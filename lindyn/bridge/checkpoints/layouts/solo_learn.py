"""solo-learn: a Lightning checkpoint with args.json beside it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lindyn.bridge.checkpoints import other_methods, unsaid
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.backbones import Form
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.checkpoints.layouts import stable_pretraining
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "solo-learn", "solo-learn"
ARGS = "args.json"
FORM = Form(stem_padding=2)  # of its CIFAR stem, a 3 x 3 convolution


def is_solo(content: Content) -> bool:
    """Return whether the parts have solo-learn's names."""
    theirs = stable_pretraining.is_marked(content) or stable_pretraining.is_paired(content)
    return content.has(r"(momentum_)?projector\.\d") and content.has(r"(backbone|encoder)\.") and not theirs


def matches(content: Content) -> bool:
    """Return whether the parts have solo-learn's names and there is no running F of implicit-var-reg."""
    return is_solo(content) and "C" not in content.weights


def read(content: Content) -> Pieces:
    """Return the pieces."""
    return pieces_of(content, NAME, TITLE)


def pieces_of(content: Content, name: str, title: str, predictor_saved: bool = True) -> Pieces:
    """Return the pieces of solo-learn's names, with the settings of args.json."""
    net = "backbone" if content.has(r"backbone\.") else "encoder"
    target = content.has(r"momentum_projector\.") or content.has(rf"momentum_{net}\.")
    args, wrong = content.beside(ARGS)
    method = str(args.get("method") or other_methods.stored(content))
    other = other_methods.told_of(method)
    stored = group_settings(content.groups("optimizer_states"), content.has(r"predictor\."))
    stored = {key: value for key, value in stored.items() if key not in ("optim.alpha_p",)}  # its groups have no names
    known = Settings.of(stored, "the checkpoint") if stored else Settings()
    known = other_methods.target_of(target).over(known)
    known = Settings.of(of_method(method), "solo-learn's code").over(known)
    known = unsaid.by_code(content.under(net), "solo-learn's code").over(known)
    known = Settings.of(of_args(args), ARGS).over(known)
    names = Names(net, "projector", "" if other else "predictor", f"momentum_{net}", "momentum_projector")
    pieces = assemble(
        content, name, title, names, settings=known, form=FORM, predictor_saved=predictor_saved,
        target_expected=False,
    )  # fmt: skip
    missing = "" if args or wrong else f"There is no {ARGS} beside the checkpoint: give the run's settings yourself."
    pieces = with_notes(replace(pieces, epoch=content.number("epoch", "ep")), wrong, missing)
    if other or not (content.has(r"predictor\.") or not predictor_saved):
        return with_notes(pieces, other or other_methods.may_be(content, target))
    if method == "simsiam":
        return with_notes(pieces, "SimSiam has no target network: tau = 1.")
    return other_methods.with_guess(content, pieces, target)


def of_method(method: str) -> dict[str, Any]:
    """Return what the code of a method fixes."""
    if method == "simsiam":
        return {"method.loss": "negative-cosine", "method.sides": "averaged", "optim.predictor_schedule": "constant",
                "optim.alpha_p": 1.0}  # fmt: skip
    return {"method.loss": "cosine", "method.sides": "symmetrised", "optim.alpha_p": 1.0} if method == "byol" else {}


def of_args(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in args.json, of the nested form (2022 on) or the flat one before.

    Its lr is the one that acted: solo-learn multiplies by batch x devices / 256 before it writes.
    """
    nested = isinstance(args.get("optimizer"), Mapping)
    optim = _table(args, "optimizer") if nested else dict(args)
    more = _table(optim, "kwargs") if nested else _table(args, "extra_optimizer_args")
    target = _table(args, "momentum") if nested else {
        "base_tau": args.get("base_tau_momentum", args.get("base_tau")),
        "final_tau": args.get("final_tau_momentum", args.get("final_tau")),
    }  # fmt: skip
    schedule = _table(args, "scheduler").get("name") if nested else args.get("scheduler")
    base, final = target.get("base_tau"), target.get("final_tau")
    devices = args.get("devices", args.get("gpus"))
    devices = len(devices) if isinstance(devices, list) else devices if isinstance(devices, int) else 1
    batch = optim.get("batch_size")
    name = optim.get("name") if nested else ("lars" if args.get("lars") else args.get("optimizer"))
    return {
        "optim.name": name,
        "optim.lr": optim.get("lr"),
        "optim.weight_decay": optim.get("weight_decay"),
        "optim.momentum": more.get("momentum"),
        "optim.trust": more.get("eta"),
        "optim.exclude_bias_norm": optim.get("exclude_bias_n_norm_wd", more.get("exclude_bias_n_norm")),
        "optim.batch": batch * max(devices, 1) * int(args.get("num_nodes") or 1) if isinstance(batch, int) else None,
        "optim.accumulate": args.get("accumulate_grad_batches"),
        "optim.schedule": {"none": "constant"}.get(str(schedule), "cosine" if "cosine" in str(schedule) else None),
        "method.ema": base,
        "method.ema_schedule": None if base is None or final is None else "cosine" if final > base else "constant",
        "run.epochs": args.get("max_epochs"),
        "data.size": _size(args),
    }


def _size(args: Mapping[str, Any]) -> int | None:
    """Return the side of the views, of the first of its augmentations."""
    first = args.get("augmentations")
    first = first[0] if isinstance(first, list) and first and isinstance(first[0], Mapping) else {}
    size = first.get("crop_size", args.get("crop_size"))
    size = size[0] if isinstance(size, list) and size else size
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None


def _table(args: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = args.get(name)
    return dict(value) if isinstance(value, Mapping) else {}


LAYOUT = Layout(NAME, TITLE, matches, read)
