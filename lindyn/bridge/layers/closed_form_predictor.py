"""`ClosedFormPredictor`: any closed-form rule as a layer that drops into a real training run, and one layer a rule."""

import json
import weakref
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from lindyn import _checks
from lindyn.bridge.layers import batch_sums
from lindyn.bridge.layers import predictor_base as base
from lindyn.bridge.layers.gathered_statistics import TALLY, Gathering
from lindyn.bridge.layers.predictor_base import full_precision, in_backward, outside_graph
from lindyn.display.brief import Brief
from lindyn.predictors import Recipe


def recipe_of(state: Any) -> Recipe | None:
    """Return the recipe that a layer's extra state holds; None where there is none that this lindyn knows."""
    if not isinstance(state, Tensor):
        return None
    try:
        return Recipe.from_dict(json.loads(bytes(state.tolist()).decode()))
    except (ValueError, TypeError, KeyError):  # of another version, or a rule of a package that is not installed
        return None


@dataclass(frozen=True, repr=False)
class Health(Brief):
    """What happened to a layer so far; `healthy` if nothing was left out.

    Args:
        calls: forward calls in training mode.
        updates: updates of F-hat.
        accepted: updates that had good statistics.
        rejected: calls (of any rank) left out for NaN or infinite features.
        refused: settings left out because the rule gave NaN or infinity.
    """

    calls: int
    updates: int
    accepted: int
    rejected: int
    refused: int

    @property
    def healthy(self) -> bool:
        """Whether every call and every setting was good."""
        return self.rejected == 0 and self.refused == 0


class ClosedFormPredictor(Gathering):
    """A linear predictor z -> W_p z whose W_p is set from statistics of z: W_p = rule(F-hat, cross-hat).

        model.prediction_head = ClosedFormPredictor(256, rule="paper")
        model.prediction_head = ClosedFormPredictor(256, rule="newton_schulz", rho=0.3, steps=9)

    Rows of z are samples, the output is z W_p^T. In training each call adds Z^T Z to sums that wait (one all-reduce
    over ranks); nothing of this is differentiated, in float32 whatever autocast says (float64 in a float64 module).

    update="step" (default): at an update the calls since the last one are pooled (both views together),
    F-hat <- rho F-hat + (1 - rho) F, and every `freq` updates W_p is set. It happens at the first training call after
    a backward pass went through the output, or where `update()` is called, or after each step of the optimiser given
    to `attach`. So rho counts optimiser steps, not calls; W_p is the same for all calls of a step. With gradient
    accumulation, `attach` or accumulate=k makes k backward passes one update. Very first call: W_p is set from that
    call's own statistics (blended as an update would: with start="zero" they are weighed by 1 - rho); a rule that reads
    the cross-correlation takes cross = F then, if none was given. No random W_p is ever used; before any statistics
    W_p = I.

    update="call": F-hat and W_p follow from the very batch they are used on.

    Evaluation mode updates nothing; a training call under no_grad gathers too, as batch normalisation does.
    [B, T, d] is allowed; every position is a sample. A call with NaN or infinity is
    left out on the device: W_p keeps its last good value, and `health()` counts it (on the CPU a warning names it). A
    layer under DistributedDataParallel must be called by every rank alike. With trainable=True W_p is a parameter that
    follows its gradient between settings (freq > 1) and is set between steps.

    Args:
        input_dim: d.
        hidden_dim: ignored; it stands where other prediction heads have it.
        output_dim: d or None.
        rule: a preset ("paper", "luckmatters", "directcopy", "implicit_var_reg", "richemond"), the name of a rule, a
            `Rule` or a `Recipe`; default "paper".
        rho: share of F-hat kept at an update, 0 <= rho < 1; None keeps the recipe's.
        freq: W_p is set every `freq` updates; None keeps the recipe's.
        cross_from: where z' comes from for rules that read E[z' z^T]: "views" pairs the calls of a step two by two
            (each is the other's z', detached; an odd one is left out), "target" takes `forward(z, target=)` or
            `observe(z, z_target)`, "none" leaves it out where the rule allows.
        views: 2 if one call holds both views, [2B, d] (paired inside the call).
        trainable: whether W_p is a parameter.
        accumulate: backward passes per update.
        **changes: other fields of the recipe, ridge, or parameters of the rule.

    Raises:
        ValueError: a width, a name or a number that does not fit; a combination without meaning.

    Source: Tian, Chen, Ganguli 2021, Sec. 4; Wang et al. 2021; Richemond et al. 2023; see `lindyn.predictors`.
    """

    source: ClassVar[str] = "paper"
    changed: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int | None = None,
        output_dim: int | None = None,
        rule: Any = None,
        rho: float | None = None,
        freq: int | None = None,
        *,
        cross_from: str = "views",
        views: int = 1,
        trainable: bool = False,
        accumulate: int = 1,
        **changes: Any,
    ) -> None:
        super().__init__()
        self.input_dim = self.output_dim = base.square_width(input_dim, output_dim)
        changes |= {name: value for name, value in (("rho", rho), ("freq", freq)) if value is not None}
        self.recipe = self._recipe(rule, changes)
        self.cross_from = _checks.one_of("cross_from", cross_from, base.CROSS_FROM)
        self.views = int(_checks.one_of("views", str(views), ("1", "2")))
        self.accumulate = _checks.as_whole("accumulate", accumulate)
        base.check_practice(self.recipe, self.input_dim, cross_from, self.views, trainable)
        self.reads_cross = self.recipe.rule.reads_cross and cross_from != "none"
        self._make_state(self.input_dim, self.recipe, self.reads_cross, trainable)

    @classmethod
    def _recipe(cls, rule: Any, changes: dict[str, Any]) -> Recipe:
        own = Recipe.of(cls.source, **cls.changed)
        recipe = Recipe.of(own, **changes) if rule is None else Recipe.of(rule, **changes)
        if cls is not ClosedFormPredictor and recipe.rule.name != own.rule.name:
            raise ValueError(
                f"rule of a {cls.__name__} must be {own.rule.name!r}; got {recipe.rule.name!r}. "
                "Use ClosedFormPredictor."
            )
        return recipe

    def forward(self, z: Tensor, target: Tensor | None = None) -> Tensor:
        """Return z W_p^T.

        Args:
            z: online outputs, [..., d], samples along all axes but the last.
            target: the target's outputs of the other view, for cross_from="target"; rules that do not read the
                cross-correlation ignore it.

        Returns:
            The predictions, of z's shape.

        Raises:
            ValueError: no samples, another width, a target of another shape, a cross-correlation that was never given.
        """
        base.check_batch("z", z, self.input_dim, self.training)
        if self.training:
            self._before(z, target)
        weight = self.W_p.to(z.dtype, copy=torch.is_grad_enabled())
        out = functional.linear(z, weight)
        if self.training:
            self._watch(out)
        return out

    @outside_graph
    def observe(self, z: Tensor, z_target: Tensor) -> None:
        """Add E[z' z^T] of a batch to the statistics of this step, for cross_from="target"; before its backward pass.

        Args:
            z: online outputs, [..., d] (F is gathered by the forward call, not here).
            z_target: the target's outputs of the other view, of the same shape.

        Raises:
            ValueError: shapes that do not fit, or a layer that does not read the cross-correlation from here.
        """
        if not self.reads_cross or self.cross_from != "target":
            raise ValueError(
                f"observe needs a rule that reads E[z' z^T] and cross_from='target'; got {self.recipe.rule.name} and "
                f"cross_from={self.cross_from!r}."
            )
        base.check_batch("z", z, self.input_dim)
        base.check_same_shape("z_target", z_target, z, "Row k must be the other view of row k.")
        if self.training and not in_backward():
            if self.clock.crossings:
                self._turn()
            with full_precision(z):
                self._add(self._good_pairs(batch_sums.rows(z), batch_sums.rows(z_target)))
            self.clock.paired += 1
            self.clock.crossings += 1

    @outside_graph
    def update(self) -> None:
        """Blend what was gathered into F-hat and set W_p if it is its turn; nothing if nothing was gathered.

        Raises:
            ValueError: the rule reads the cross-correlation, and none was ever given.
        """
        if not self.clock.gathered:
            return
        self._need_cross()
        with full_precision(self.F_hat):
            F, H, good = self._averages()
            self.F_hat.copy_(F)
            if H is not None:
                self.cross_hat.copy_(H)
            self.clock.updates += 1
            if (self.clock.updates - 1) % self.recipe.freq == 0:
                self._place(F, H, good, first=not self.clock.placed)
            for block in self.waiting_sums().values():
                block.zero_()
        self._partner = None
        self.clock.gathered = self.clock.paired = self.clock.backwards = self.clock.went_back = 0

    def attach(self, optimizer: torch.optim.Optimizer | None) -> None:
        """Update once per step of this optimiser from now on, instead of once per backward pass; None undoes it.

        A checkpoint does not hold the optimiser: attach again after loading. A copy of the layer is not attached.

        Args:
            optimizer: the one that steps the online network.

        Raises:
            ValueError: update="call", which updates at every call.
        """
        if self.recipe.update == "call":
            raise ValueError("attach needs update='step'; got update='call', which updates at every call.")
        if self._handle is not None:
            self._handle.remove()
        me = weakref.ref(self)

        def after_step(*_: Any) -> None:
            layer = me()
            if layer is not None:
                layer.update()

        self._handle = None if optimizer is None else optimizer.register_step_post_hook(after_step)

    def health(self) -> Health:
        """Return the counts of calls, updates and what was left out (waits for the device)."""
        tally = dict(zip(TALLY, self.tally.tolist(), strict=True))
        del tally["accepted_cross"]
        return Health(calls=self.clock.calls, updates=self.clock.updates, **tally)

    def get_extra_state(self) -> Tensor:
        """Return the recipe as bytes: what a checkpoint's tensors alone do not say (a tensor, as safetensors wants)."""
        return torch.tensor(list(json.dumps(self.recipe.as_dict()).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Leave the recipe as it is: it is the layer's own, a checkpoint brings statistics only."""

    def extra_repr(self) -> str:
        """Return the line that printing a model shows."""
        r = self.recipe
        words = [str(self.input_dim), f"rule={r.rule!r}", f"rho={r.rho:g}", f"freq={r.freq}", f"update={r.update!r}"]
        words += [f"cross_from={self.cross_from!r}"] if r.rule.reads_cross else []
        return ", ".join(words + (["trainable=True"] if isinstance(self.W_p, torch.nn.Parameter) else []))

    @outside_graph
    def _before(self, z: Tensor, target: Tensor | None) -> None:
        """Do all that a training call does before it multiplies with W_p."""
        if in_backward():
            return
        if getattr(self, "_is_replica", False):
            raise RuntimeError(
                "A closed-form predictor cannot gather statistics in torch.nn.DataParallel, whose replicas are thrown "
                "away after each call; use DistributedDataParallel."
            )
        self._turn()
        partner = self._partner_of(z, target)
        per_call = self.recipe.update == "call"
        with full_precision(z):
            self._gather(batch_sums.rows(z), partner)
            if not per_call and not self.clock.placed:
                F, H, good = self._averages(count=False)
                self._place(F, H, good, first=True)
        if per_call:
            self.update()

    @outside_graph
    def _watch(self, out: Tensor) -> None:
        """Take note when a backward pass goes through the output."""
        if self.recipe.update == "call" or not out.requires_grad:
            return
        me = weakref.ref(self)

        def went_back(_: Tensor) -> None:
            layer = me()
            if layer is not None:
                layer.clock.went_back = 1

        out.register_hook(went_back)

    def _turn(self) -> None:
        """Update if the calls before this one have had their backward passes."""
        if not self.clock.went_back or self._handle is not None:
            return
        self.clock.went_back = 0  # first, so that a call after a refused update begins a step
        self._partner = None
        if self.clock.backwards + 1 >= self.accumulate:
            self.update()
        else:
            self.clock.backwards += 1


_RULES: dict[str, tuple[str, dict[str, Any], str]] = {
    "DirectPredPredictor": ("paper", {}, """\
DirectPred: W_p = U diag(sqrt(s) + eps max s) U^T, eps 0.1, rho 0.3 (Tian et al. 2021, Eq. 18, Table 6).

rule="luckmatters" takes the values of the released code."""),
    "DirectSetPredictor": ("direct_set", {"rho": 0.3}, """\
DirectSet: W_p = U diag(s^power) U^T, power 1/2, rho 0.3 as DirectPred (Wang, Chen, Du, Tian 2021).

rule="implicit_var_reg" takes that code's values."""),
    "DirectCopyPredictor": ("directcopy", {}, """\
DirectCopy: W_p = F / ||F||_F + 0.3 I, rho 0.5 (Wang et al. 2021; values of Hoeppe et al. 2022)."""),
    "LinearRegressionPredictor": ("linear_regression", {}, """\
LRP: W_p = H F^-1 of the last step's batch (Grill et al. 2020; Richemond et al. 2023).

Richemond et al. set it from the batch it is used on, which needs both views at the first call: update="call" with
cross_from="target" or views=2."""),
    "NeumannPredictor": ("neumann", {}, """\
NE: W_p = 2 H - H F of the last step's batch (Richemond et al. 2023); batchwise as `LinearRegressionPredictor`.

Meaningful only where F's eigenvalues lie in (0, 2); normalise="fro" is safe."""),
    "VisserPredictor": ("richemond", {"rule": "visser"}, """\
Visser's iteration towards F^(1/2), one product a step, from the batch it is used on (Richemond et al. 2023)."""),
    "NewtonSchulzPredictor": ("richemond", {}, """\
NS: Newton-Schulz towards F^(1/2), 9 steps, from the batch it is used on (Richemond et al. 2023)."""),
    "NewtonSchulzTwicePredictor": ("richemond", {"rule": "newton_schulz_twice"}, """\
NS^2: towards F^(1/4), 7 steps of each, from the batch it is used on (Richemond et al. 2023)."""),
    "StiefelPredictor": ("stiefel", {}, """\
Towards the polar factor of H of the last step's batch (Richemond et al. 2023).

cross_from="none" takes F instead of H, as printed. Batchwise as `LinearRegressionPredictor`."""),
}  # fmt: skip
"""A layer for each closed-form rule: the recipe that has the values of its source, what it changes in it, in words."""

for _name, (_source, _changed, _words) in _RULES.items():
    _words += "\n\nArguments: see `ClosedFormPredictor`."
    _fields = {"__module__": __name__, "__doc__": _words, "source": _source, "changed": _changed}
    globals()[_name] = type(_name, (ClosedFormPredictor,), _fields)
