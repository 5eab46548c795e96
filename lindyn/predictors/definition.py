"""What a closed-form rule is: a function of (F, cross) with its checks, and a frozen choice of its parameters."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lindyn import _checks
from lindyn._extensions import Extension, collected
from lindyn._records import Record, static
from lindyn.display.brief import Brief
from lindyn.equations import closed_form
from lindyn.predictors import arrays
from lindyn.predictors.arrays import Modes

CROSS = ("none", "optional", "required")


@dataclass(frozen=True, repr=False)
class Definition(Brief):
    """One rule as it was written.

    Args:
        name: of the function.
        core: (F, [cross], **parameters) -> W_p on checked arrays or `Modes`.
        function: the public rule made of it.
        parameters: names and defaults.
        cross: whether it reads the cross-correlation: "none", "optional", "required".
        products: d x d products apart from those of its steps.
        per_step: products of one step.
        eigen: whether it takes an eigendecomposition (which a GPU stops for).
    """

    name: str
    core: Callable[..., Any]
    function: Callable[..., Any]
    parameters: dict[str, Any] = field(repr=False)
    cross: str
    products: int
    per_step: int
    eigen: bool


class _Rules(Mapping[str, Definition]):
    """Rules by name: those defined so far; those of other packages (entry points) where a name is not among them."""

    def __init__(self) -> None:
        self.defined: dict[str, Definition] = {}

    def enter(self, rule: Definition) -> None:
        """Add a rule.

        Raises:
            ValueError: another module has one of this name.
        """
        there, home = self.defined.get(rule.name, rule), rule.core.__module__
        if there.core.__module__ not in (home, "__main__"):
            raise ValueError(
                f"rule {rule.name!r} is defined already, in {there.core.__module__}; give {home}'s another name"
            )
        self.defined[rule.name] = rule

    def added(self) -> tuple[str, ...]:
        """Import the rules that packages declare and return a sentence for each that is left out."""
        return collected("lindyn.rules", "rule", [], _defined_in, lambda rule: rule.name)[1]

    def check(self, what: str, name: Any, *more: str, first: tuple[str, ...] = ()) -> None:
        """Raise ValueError unless a rule, or one of the other words, has this name; it tells of packages at fault."""
        if isinstance(name, str) and (name in (*first, *more) or name in self):
            return
        try:
            _checks.one_of(what, name, (*first, *self, *more))
        except ValueError as error:
            raise ValueError(" ".join((str(error), *self.added()))) from None

    def __getitem__(self, name: str) -> Definition:
        if name not in self.defined:
            self.added()
        return self.defined[name]

    def __iter__(self) -> Iterator[str]:
        self.added()
        return iter(self.defined)

    def __len__(self) -> int:
        self.added()
        return len(self.defined)


def _defined_in(extension: Extension) -> Iterable[Definition]:
    given = vars(extension.value).values() if inspect.ismodule(extension.value) else [extension.value]
    return [each.definition for each in given if isinstance(getattr(each, "definition", None), Definition)]


RULES = _Rules()
"""Every rule by its name."""


def closed_form_rule(
    *, products: int = 0, per_step: int = 0, eigen: bool = False, cross: str = "none"
) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that makes a core function a public rule: checked matrices in, gradient stopped.

    The public function has the parameters of the core and `stop_gradient`; `.core` is the function as written, for
    arrays known to be good (no number is looked at, so nothing waits for an accelerator).

    Args:
        products: d x d products apart from those of its steps.
        per_step: products of one step.
        eigen: whether it takes an eigendecomposition.
        cross: "none", "optional" or "required".

    Returns:
        The decorator.
    """

    def make(core: Callable[..., Any]) -> Any:
        parameters = inspect.signature(core).parameters
        named = {n: p.default for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}

        @functools.wraps(core)
        def rule(F: Any, *args: Any, stop_gradient: bool = True, **given: Any) -> Any:
            bound = inspect.signature(core).bind(F, *args, **given).arguments
            matrices = checked(F, bound.pop("cross", None))
            bound.pop("F")
            return _finish(core(*(M for M in matrices if M is not None), **bound), stop_gradient)

        switch = inspect.Parameter("stop_gradient", inspect.Parameter.KEYWORD_ONLY, default=True, annotation=bool)
        rule.__signature__ = inspect.Signature([*parameters.values(), switch])  # type: ignore[attr-defined]
        definition = Definition(core.__name__, core, rule, named, cross, products, per_step, eigen)
        RULES.enter(definition)
        rule.core, rule.definition = core, definition  # type: ignore[attr-defined]
        return rule

    return make


def checked(F: Any, cross: Any = None) -> tuple[Any, Any]:
    """Return F and the cross-correlation as finite matrices of one size (a missing one stays None)."""
    F = arrays.as_matrix("F", F, symmetric=True)
    return F, None if cross is None else arrays.as_matrix("cross", cross, n=F.shape[0])


def _finish(W_p: Any, stop_gradient: bool) -> Any:
    return arrays.stopped(W_p) if stop_gradient else W_p


@dataclass(frozen=True, repr=False)
class Rule(Record):
    """A rule with its parameters chosen: W_p = rule(F, cross) + ridge I. Made by `Rule.of`.

        rule = ld.predictors.Rule.of("newton_schulz", steps=9, ridge=0.15)
        W_p = rule(F)                    # rule(F, cross) where the rule reads the cross-correlation
        p = rule.modes(s)                # the same on eigenvalues: one entry per mode

    Args:
        name: of the rule.
        parameters: pairs (name, value) of what is not at its default.
        ridge: a of W_p + a I, >= 0 (Richemond et al. 2023: 0 to 0.9).

    Raises:
        ValueError: an unknown rule or parameter (the message suggests the near one), a ridge below 0.
    """

    name: str = static()
    parameters: tuple[tuple[str, Any], ...] = static(default=())
    ridge: float = static(default=0.0)

    @classmethod
    def of(cls, name: "str | Rule" = "direct_pred", *, ridge: float | None = None, **parameters: Any) -> Self:
        """Return the rule of this name with some parameters changed.

        Args:
            name: of the rule, or a rule to start from.
            ridge: a of W_p + a I.
            **parameters: those of the function of this name.

        Returns:
            The rule.

        Raises:
            ValueError: as the class.
        """
        old: dict[str, Any] = {}
        if isinstance(name, Rule):
            old, ridge, name = dict(name.parameters), name.ridge if ridge is None else ridge, name.name
        return cls(name, tuple(sorted({**old, **parameters}.items())), 0.0 if ridge is None else ridge)

    def _check(self) -> None:
        RULES.check("rule", self.name)
        known = self.definition.parameters
        for name, value in self.parameters:
            _checks.one_of(f"parameter of {self.name}", name, [*known, "ridge"])
            if hasattr(value, "shape") or isinstance(value, list):
                values = _checks.to_numpy(_checks.as_array(name, value, ndim=1))
                fixed = tuple((n, tuple(values.tolist()) if n == name else v) for n, v in self.parameters)
                self._set(parameters=fixed)
        self._set(ridge=_checks.as_scalar("ridge", self.ridge, minimum=0.0))
        probe = Modes(arrays.example(self._side()))
        self._run(probe, probe)  # a parameter out of range is refused here, not in the middle of a run

    def _side(self) -> int:
        return max([len(v) for _, v in self.parameters if isinstance(v, tuple)], default=2)

    @property
    def definition(self) -> Definition:
        """How the rule was written."""
        return RULES[self.name]

    @property
    def needs_cross(self) -> bool:
        """Whether the rule cannot do without the cross-correlation."""
        return self.definition.cross == "required"

    @property
    def reads_cross(self) -> bool:
        """Whether the rule reads the cross-correlation where it is given."""
        return self.definition.cross != "none"

    @property
    def products(self) -> int:
        """Number of d x d products that setting W_p takes, beside an eigendecomposition where there is one."""
        steps = dict(self.parameters).get("steps", self.definition.parameters.get("steps", 0))
        return self.definition.products + self.definition.per_step * steps

    def __call__(self, F: Any, cross: Any = None, *, stop_gradient: bool = True) -> Any:
        """Return W_p for checked F and cross; see the function of this name."""
        return self.unchecked(*checked(F, cross), stop_gradient=stop_gradient)

    def unchecked(self, F: Any, cross: Any = None, *, stop_gradient: bool = True) -> Any:
        """Return W_p for arrays known to be good: traceable, and nothing waits for an accelerator."""
        return _finish(self._run(F, cross), stop_gradient)

    def modes(self, s: Any, h: Any = None) -> Any:
        """Return p_j for eigenvalues s_j of F (and h_j of the cross-correlation), all modes together."""
        return self._run(Modes(s), None if h is None else Modes(h)).values

    def _run(self, F: Any, cross: Any) -> Any:
        if self.needs_cross and cross is None:
            raise ValueError(f"{self.name} reads the cross-correlation E[z' z^T]; give cross, d x d, beside F.")
        given = (F,) if cross is None or not self.reads_cross else (F, cross)
        W_p = self.definition.core(*given, **dict(self.parameters))
        return closed_form.ridge(W_p, self.ridge, arrays.identity(F)) if self.ridge else W_p

    def __repr__(self) -> str:
        """Return it as one would write it."""
        shown = [f"{name}={value!r}" for name, value in self.parameters]
        shown += [f"ridge={self.ridge:g}"] if self.ridge else []
        return f"Rule.of({', '.join([repr(self.name), *shown])})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rule) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        every = {**self.definition.parameters, **dict(self.parameters)}  # a default written out changes nothing
        return self.name, tuple(every.items()), self.ridge
