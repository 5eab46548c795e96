"""How training uses a rule: from which average of the statistics, how often, averaged how; and the sources' values."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from lindyn import _checks
from lindyn._records import Record, static
from lindyn.equations import descent
from lindyn.predictors import arrays, iterative, regression, spectral  # noqa: F401  the rules enter their table
from lindyn.predictors.definition import RULES, Rule

STARTS = ("first", "zero")
UPDATES = ("step", "call")


@dataclass(frozen=True, repr=False)
class Recipe(Record):
    """A rule and its practice: F-hat <- rho F-hat + (1 - rho) F_batch, W_p <- rho_p W_p + (1 - rho_p) rule(F-hat).

    Args:
        rule: the rule; its name is enough.
        rho: how much of F-hat (and of the cross-correlation) is kept at an update, 0 <= rho < 1; 0 takes the batch.
        rho_p: how much of W_p itself is kept, 0 <= rho_p < 1.
        freq: W_p is set every `freq` updates, >= 1; in between a trainable W_p follows its gradient (Table 8).
        start: F-hat starts at the "first" batch, or at "zero".
        update: statistics are averaged once per optimiser "step" (both views together), or at every "call".
        centre: subtract the batch mean (the papers do not).

    Raises:
        ValueError: an unknown rule or word, a share outside [0, 1), freq below 1.

    Source: Tian, Chen, Ganguli 2021, Eq. 19 and freq; Richemond et al. 2023 (average over the predictor).
    """

    rule: Any = static(default="direct_pred")
    rho: float = static(default=0.0)
    rho_p: float = static(default=0.0)
    freq: int = static(default=1)
    start: str = static(default="first")
    update: str = static(default="step")
    centre: bool = static(default=False)

    @classmethod
    def of(cls, given: "Recipe | Rule | str", **changes: Any) -> Self:
        """Return the recipe that a preset's name, a rule's name, a rule or a recipe stands for.

        Args:
            given: a `Recipe`, a `Rule`, or the name of a preset or of a rule.
            **changes: fields of the recipe (rho, freq, ...), ridge, or parameters of its rule.

        Returns:
            The recipe.

        Raises:
            ValueError: an unknown name or parameter; the message suggests the near one.
        """
        if isinstance(given, Rule):
            old: dict[str, Any] = {"rule": given}
        elif isinstance(given, Recipe):
            old = {name: getattr(given, name) for name in cls._fields()}
        elif given in PRESETS:
            old = dict(PRESETS[given])
        else:
            RULES.check("rule or preset", given, *PRESETS)
            old = {"rule": given}
        fields = {name: changes.pop(name) for name in cls._fields() if name in changes}
        merged = {**old, **fields}
        base = merged["rule"] if "rule" not in fields else fields["rule"]
        kept = old["rule"] if isinstance(old["rule"], Rule) and base is old["rule"] else base
        return cls(**{**merged, "rule": Rule.of(kept, **changes)})

    def _check(self) -> None:
        if isinstance(self.rule, str):
            self._set(rule=Rule.of(self.rule))
        if not isinstance(self.rule, Rule):
            raise ValueError(f"rule must be a Rule or the name of one; got {type(self.rule).__name__}.")
        for name in ("rho", "rho_p"):
            share = _checks.as_scalar(name, getattr(self, name), minimum=0.0)
            if share >= 1:
                raise ValueError(f"{name} must be below 1; got {share:g}: nothing new would ever enter.")
            self._set(**{name: share})
        _checks.as_whole("freq", self.freq)
        _checks.one_of("start", self.start, STARTS)
        _checks.one_of("update", self.update, UPDATES)
        if not isinstance(self.centre, bool):
            raise ValueError(f"centre must be True or False; got {self.centre!r}.")

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe in plain words and numbers (for JSON), see `from_dict`."""
        rule = self.rule
        plain = {name: getattr(self, name) for name in self._fields() if name != "rule"}
        return {"rule": rule.name, "parameters": dict(rule.parameters), "ridge": rule.ridge} | plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """Return the recipe that `as_dict` described.

        Raises:
            ValueError: as the class.
        """
        rest = dict(plain)
        name, parameters, ridge = (rest.pop(key) for key in ("rule", "parameters", "ridge"))
        return cls(rule=Rule.of(name, ridge=ridge, **parameters), **rest)

    def __repr__(self) -> str:
        """Return its rule and what is not at its default."""
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        shown = [f"{n}={v!r}" for n in usual if n != "rule" and (v := getattr(self, n)) != usual[n]]
        return f"Recipe({', '.join([repr(self.rule), *shown])})"

    def blend(self, old: Any, new: Any, count: Any) -> Any:
        """Return the statistics after one update, from those before; `count` updates went before (may be an array).

        rho old + (1 - rho) new; the first batch itself where start="first" and count = 0.
        """
        average = moving_average(old, new, self.rho)
        if self.start == "zero":
            return average
        xp = arrays.namespace(new)
        return xp.where(xp.asarray(count) == 0, new, average)

    def set(self, W_p: Any, F: Any, cross: Any = None) -> Any:
        """Return the new W_p from the old one and the averaged statistics (arrays known to be good)."""
        new = self.rule.unchecked(F, cross)
        return moving_average(W_p, new, self.rho_p) if self.rho_p else new


def moving_average(old: Any, new: Any, rho: Any) -> Any:
    """Return rho old + (1 - rho) new (Eq. 19; the line of the target's EMA).

    Args:
        old: what was.
        new: what comes in.
        rho: share kept.

    Returns:
        The average.
    """
    return descent.ema(old, new, rho)


PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"rule": Rule.of("direct_pred", eps=0.1), "rho": 0.3},
    "luckmatters": {"rule": Rule.of("direct_pred", eps=0.01, normalise="max", floor=1e-4), "rho": 0.3},
    "directcopy": {"rule": Rule.of("direct_copy", eps=0.3, normalise="fro"), "rho": 0.5},
    "implicit_var_reg": {
        "rule": Rule.of("direct_set", power=0.5, eps=0.0, eps_mode="inside", normalise="max"),
        "rho": 0.998,
        "start": "zero",
        "update": "call",
    },
    "richemond": {"rule": Rule.of("newton_schulz", steps=9), "rho": 0.0, "update": "call"},
}
"""Values of the sources: Tian 2021, Eq. 18 and Table 6; its released code; the independent reproduction (Hoeppe et al.
2022); the code of "implicit variance regularization"; Richemond 2023 (batchwise; give rule= for its other rules)."""


def preset(name: str = "paper", **changes: Any) -> Recipe:
    """Return the recipe of a source.

        ld.predictors.preset("paper", freq=5)
        ld.predictors.preset("richemond", rule="stiefel", ridge=0.3)

    Args:
        name: "paper", "luckmatters", "directcopy", "implicit_var_reg" or "richemond".
        **changes: fields of the `Recipe`, ridge, or parameters of its rule.

    Returns:
        The recipe.

    Raises:
        ValueError: an unknown preset or parameter; the message suggests the near one.
    """
    return Recipe.of(_checks.one_of("preset", name, PRESETS), **changes)
