"""Two answers side by side: laws, settings, and what the theory says of the difference."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lindyn.bridge import sections
from lindyn.bridge.records import Advice, Finding, ModeReading, Validation
from lindyn.bridge.report import sureness, wording
from lindyn.bridge.report.wording import law
from lindyn.bridge.run import counterfactuals
from lindyn.bridge.settings import Rates
from lindyn.display.brief import Brief, notebook

SAME, HIGHER, LOWER, ONE_SIDED = "the same within the intervals", "higher in B", "lower in B", "measured in one only"
NAMES = ("alpha_p", "beta", "eta_s", "eta_p", "target")


@dataclass(frozen=True, eq=False, repr=False)
class ComparedRow(Brief):
    """One law in both runs.

    Args:
        first: finding of run A, None where it has none.
        second: of run B.
        difference: in words: by whether the intervals overlap.
    """

    first: Finding | None
    second: Finding | None
    difference: str

    @property
    def either(self) -> Finding:
        """The finding that is there, for title and definition."""
        found = self.first or self.second
        assert found is not None
        return found


@dataclass(frozen=True, eq=False, repr=False)
class Compared(Brief):
    """Two runs held against the theory and each other.

    Args:
        first: run A.
        second: run B.
        headline: one sentence.
        rows: laws, those of A first.
        settings: key -> (value in A, value in B), only those that differ; None where it is not known.
        rates: name -> (A, B), only those that differ.
        theory: what the theory says of the difference.
    """

    first: Validation
    second: Validation
    headline: str
    rows: tuple[ComparedRow, ...]
    settings: dict[str, tuple[Any, Any]]
    rates: dict[str, tuple[Any, Any]]
    theory: tuple[Advice, ...]

    def __repr__(self) -> str:
        """Return one line: both runs and the headline."""
        return f"Compared({self.first.pieces.path} | {self.second.pieces.path}: {self.headline})"

    def _repr_html_(self) -> str:
        rows = [[law(row.either), _number(row.first), _number(row.second), row.difference] for row in self.rows]
        title = f"A: {self.first.pieces.path}, B: {self.second.pieces.path}"
        return notebook(title, ("law", "A", "B", "difference"), rows, self.headline)


def _number(found: Finding | None) -> Any:
    return "-" if found is None else found.value


def compared(first: Validation, second: Validation) -> Compared:
    """Return two answers side by side.

    Args:
        first: run A.
        second: run B.

    Returns:
        The comparison.
    """
    rows, settings, rates = _rows(first, second), _settings(first, second), _rates(first.rates, second.rates)
    theory = tuple(_theory(first, second, rates))
    return Compared(
        first, second, _collapse(first, second) + _headline(rows, settings, rates), rows, settings, rates, theory
    )


def _rows(first: Validation, second: Validation) -> tuple[ComparedRow, ...]:
    """Return every law once; the main map of A beside the main map of B, whatever their kinds."""
    here, there = _by_law(first), _by_law(second)
    rows = []
    for key in dict.fromkeys([*here, *there]):
        a, b = here.get(key), there.get(key)
        rows.append(ComparedRow(a, b, _difference(a, b)))
    return tuple(rows)


def _by_law(answer: Validation) -> dict[tuple[str, str], Finding]:
    main = answer.maps[0].kind if answer.maps else ""
    return {(f.law, f.group): f for f in answer.findings if f.map_kind in ("", main)}


def _difference(a: Finding | None, b: Finding | None) -> str:
    known = [f is not None and math.isfinite(f.value) for f in (a, b)]
    if not any(known):
        return "-"
    if a is None or b is None or not all(known):
        return ONE_SIDED
    (low, high), (low_b, high_b) = _ends(a), _ends(b)
    return HIGHER if low_b > high else LOWER if high_b < low else SAME


def _ends(found: Finding) -> tuple[float, float]:
    low = found.low if math.isfinite(found.low) else found.value
    return low, found.high if math.isfinite(found.high) else found.value


def _settings(first: Validation, second: Validation) -> dict[str, tuple[Any, Any]]:
    """Return the settings that decide the result and differ (not the folder of a run, or how often it is saved)."""
    here, there = first.pieces.settings.values, second.pieces.settings.values
    known = sections.VALIDATED.keys
    deciding = [k for k in dict.fromkeys([*here, *there]) if k not in known or not known[k].free]
    return {k: (here.get(k), there.get(k)) for k in deciding if here.get(k) != there.get(k)}


def _rates(first: Rates, second: Rates) -> dict[str, tuple[Any, Any]]:
    without = "online" in (first.target, second.target)  # no EMA, no beta: the target's difference says it
    pairs = {name: (getattr(first, name), getattr(second, name)) for name in NAMES if not (without and name == "beta")}
    return {name: pair for name, pair in pairs.items() if not _equal(*pair)}


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9)
    return bool(a == b)


def _headline(rows: Sequence[ComparedRow], settings: dict[str, Any], rates: dict[str, Any]) -> str:
    apart = [law(row.either) for row in rows if row.difference in (HIGHER, LOWER)]
    laws = f"{len(apart)} of {len(rows)} laws differ beyond their intervals"
    laws += f" ({_few(apart)})" if apart else ""
    keys = f"differing settings: {_few(list(settings))}" if settings else "no known setting differs"
    return f"{laws}; {keys}" + (f"; differing rates: {', '.join(rates)}." if rates else ".")


def _collapse(first: Validation, second: Validation) -> str:
    """Return the words on collapse of both runs, where either has one."""
    words = [answer.collapse for answer in (first, second)]
    if not any(each.word for each in words):
        return ""
    both = [f"{each.short or 'not known'} in {name}" for each, name in zip(words, "AB", strict=True)]
    return f"collapse: {', '.join(both)}; "


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _theory(first: Validation, second: Validation, rates: dict[str, tuple[Any, Any]]) -> list[Advice]:
    """Return what the theory says: each rate's own effect, then both runs' modes under both runs' rates."""
    known = {name for name, pair in rates.items() if None not in pair}
    weak = list(dict.fromkeys([*_weak(first), *_weak(second)]))
    found = list(_predictors(first, second))
    if not rates and not found:
        text = "The rates of both runs are the same: the theory sees a difference in start, data or luck only."
        basis = "alpha_p, beta, eta_s, eta_p and the target are equal"
        return [Advice(text, sureness.how_sure(weak), sureness.because(basis, weak))]
    trained = not any(counterfactuals.rule_of(answer.pieces.settings) for answer in (first, second))
    told = [name for name in NAMES if name in known and (trained or name not in ("alpha_p", "eta_p"))]
    found += [Advice(_effect(name, *rates[name]), wording.LIKELY, _SOURCES[name]) for name in told]
    unknown = sorted(set(rates) - known - (set() if trained else {"alpha_p", "eta_p"}))
    if unknown:
        text = f"Nothing can be said on {', '.join(unknown)}: known in one run only. Give the keys of the other."
        found.append(Advice(text, wording.UNCLAIMED, "The files do not say how both runs were trained."))
    for here, there, names in ((first, second, "AB"), (second, first, "BA")) if trained and rates else ():
        found += _exchanged(here, there, names, weak)
    return found


def _predictors(first: Validation, second: Validation) -> Iterator[Advice]:
    """Yield what is said of runs with different predictors."""
    a, b = (answer.pieces.settings.get("model.predictor") for answer in (first, second))
    if a is None or b is None or a == b:
        return
    rules = [name for answer in (first, second) if (name := counterfactuals.rule_of(answer.pieces.settings))]
    text = (
        f"The predictors differ, {a} in A and {b} in B: with equal rates the theory sees other paths to the same p_+."
    )
    if rules:
        text += f" Where a rule sets W_p ({', '.join(rules)}), alpha_p and eta_p do nothing."
    yield Advice(
        text, wording.LIKELY, "Tian et al. 2021, Eqs. 16, 18: the fixed points of p do not depend on how W_p moves."
    )


def _weak(answer: Validation) -> list[sureness.WeakPoint]:
    settings = answer.pieces.settings
    return sureness.weak_points(
        answer.findings, answer.rates, answer.diagnosis, answer.maps, settings, answer.samples, (),
        answer.pieces.assumptions,
    )  # fmt: skip


_SOURCES = {
    "alpha_p": "Tian et al. 2021, Obs. #1, #2, #6.",
    "beta": "Tian et al. 2021, Obs. #8, #9, #10.",
    "eta_s": "Tian et al. 2021, Obs. #3, #4, #5: p_- and the critical decay of Eq. 16.",
    "eta_p": "Tian et al. 2021, Table 5; s_- = (eta_p/eta_s) p_-^2/alpha_p.",
    "target": "Tian et al. 2021, Obs. #8, #10, Lemma 1.",
}


def _effect(name: str, a: Any, b: Any) -> str:
    """Return in words what going from A's rate to B's does."""
    if name == "target":
        return (
            f"A's target is {a}, B's {b}: with an EMA tau starts low where the target lags, which raises p_- early and "
            "slows the modes; without one tau = 1 at all times."
        )
    grows = b > a
    change = f"{name} is {a:.3g} in A and {b:.3g} in B"
    more = "larger" if grows else "smaller"
    effects = {
        "alpha_p": "a larger alpha_p lowers the s that a mode needs to escape collapse, and slows the growth of s when "
        "it is too large",
        "beta": "a larger beta brings tau to 1 sooner, which lowers p_-; a smaller one trains slowly",
        "eta_s": "more decay raises p_- and nears the critical decay, and makes the memory of the start fade faster",
        "eta_p": "more decay of the predictor alone raises the s of the saddle",
    }
    return f"{change} ({more}): {effects[name]}."


def _exchanged(here: Validation, there: Validation, names: str, weak: Sequence[sureness.WeakPoint]) -> list[Advice]:
    """Return how many of one run's modes live under its own and under the other's rates."""
    start: ModeReading | None = here.modes
    if start is None or not len(start) or counterfactuals.missing(here.rates) or counterfactuals.missing(there.rates):
        return []
    own, other = (counterfactuals.outcome_under(start, rates) for rates in (here.rates, there.rates))
    a, b = names[0], names[1]
    text = (
        f"By the theory {own.alive} of {len(start)} modes of run {a} live under its own rates and {other.alive} under "
        f"those of run {b}."
    )
    basis = f"Modes simulated from {start.words} of run {a} (Eqs. 11-13)"
    return [Advice(text, sureness.how_sure(weak), sureness.because(basis, weak))]
