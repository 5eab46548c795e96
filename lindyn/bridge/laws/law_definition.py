"""What a law is, and how a measurement becomes a finding: one decorator, one runner.

    from lindyn.bridge.laws import by_limit, features, law

    @law(
        title="no direction carries half of the features", statistic="largest eigenvalue of F over tr F",
        source="my notes, Eq. 3", limit=0.5, good="below", why="one half of everything", needs=(features,),
    )
    def first_share(measured, run):
        return by_limit(measured.readings["concentration"].interval(0.0, 1.0))

All that is known of a law stands in its decorator, and `finding` alone decides: not testable for want of something it
needs, because a rule sets W_p, or by its limit. A verdict compares a whole interval (99 %) with the limit: "holds"
where all of it is on the good side, "fails" where none of it is, "not testable" where the limit lies inside, so that
more samples are needed. The limits are set between what the law says and what a predictor or a target that knows
nothing of the features gives.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from lindyn._extensions import at_fault
from lindyn.bridge.along_run import NORMALISED, SQUARED, TheoryBeside
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval
from lindyn.bridge.readings import StepTaken
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding
from lindyn.bridge.run.description import RunDescription
from lindyn.bridge.settings import Rates
from lindyn.bridge.training.networks import rule_words
from lindyn.display.brief import Brief

TIAN = "Tian, Chen, Ganguli 2021"
RICHEMOND = "Richemond et al. 2023"
FEWEST_MODES = 3
"""Fewer leading modes than this say nothing on a law of modes."""
COUNTED = ("law", "foundation")
ROLES = (*COUNTED, "prediction", "alarm")
BESIDE = "beside"
"""Role of a finding whose law speaks of another loss than the run's."""
OF_LOSS = {SQUARED: "squared loss", NORMALISED: "loss of directions"}
NO_LIMIT = "No paper sets a limit; compare it along a run or between runs."
NOTHING = Interval(math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False, repr=False)
class KnownRun(Brief):
    """What a law may know beside the measured network.

    Args:
        rates: of the run.
        rates_of_loss: the same in the flow time of its loss, see `RunDescription.rates_under`; None: the same.
        gain: of its loss over J.
        rule: the closed-form rule that sets W_p, "" where the predictor is trained or not known.
        first: the first checkpoint of a run, None for a single one.
        first_at: its place in words.
        theory: which theory speaks of its loss, "squared" or "normalised", "" where the loss is not known.
        beside: the normalised theory along the run, None where it could not be run.
        last_step: of the optimiser, None where no checkpoint holds its momentum.
        last_step_at: place of that checkpoint in words.
    """

    rates: Rates
    rates_of_loss: Rates | None = None
    gain: float = 1.0
    rule: str = ""
    first: MeasuredNetwork | None = None
    first_at: str = ""
    theory: str = ""
    beside: TheoryBeside | None = None
    last_step: StepTaken | None = None
    last_step_at: str = ""

    @classmethod
    def of(cls, run: RunDescription, measured: MeasuredNetwork, **along: Any) -> Self:
        """Return what is known of the run of a measured network, and of its course where it has several checkpoints."""
        return cls(run.rates, *run.rates_under(measured.F), run.predictor.rule, theory=run.loss.theory, **along)


@dataclass(frozen=True, eq=False, repr=False)
class Judgement(Brief):
    """What a law's function returns; made by `by_limit`, `judged` or `untestable`.

    Args:
        interval: of the statistic.
        verdict: "" leaves it to the law's limit.
        reason: the sentence of a verdict; without one a note that is put after the limit's own sentence.
        limit: in place of the law's.
        details: further numbers and arrays by name.
    """

    interval: Interval
    verdict: str = ""
    reason: str = ""
    limit: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def by_limit(interval: Interval, note: str = "", limit: float | None = None, **details: Any) -> Judgement:
    """Return a measurement that the law's limit, or another `limit`, decides on."""
    return Judgement(interval, "", note, limit, details)


def judged(interval: Interval, verdict: str, reason: str, **details: Any) -> Judgement:
    """Return a measurement with its verdict and the sentence that says against what."""
    return Judgement(interval, verdict, reason, None, details)


def untestable(reason: str, interval: Interval = NOTHING, **details: Any) -> Judgement:
    """Return why a law cannot be tested, with the number where there is one."""
    return Judgement(interval, NOT_TESTABLE, reason, None, details)


Need = Callable[[MeasuredNetwork, KnownRun], str]
"""Returns why a law cannot be tested for want of something, in one sentence, or nothing."""


def predictor_map(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why no law of the predictor can be tested, or nothing; a law that needs it is told by the main map."""
    return "" if measured.maps else "There is no predictor that could be read."


def features(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why no law of F can be tested, or nothing."""
    return "" if measured.readings else "There are no features, and F is not in the checkpoint."


def enough_modes(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why there are too few modes for a law of modes, or nothing."""
    if measured.leading >= FEWEST_MODES:
        return ""
    return (
        f"Only {measured.leading} of {measured.dim} modes are ten times above the noise of {measured.samples} samples, "
        f"{FEWEST_MODES} are needed; give more samples."
    )


MODES_OF_PREDICTOR = (predictor_map, features, enough_modes)


@dataclass(frozen=True, eq=False, repr=False)
class Law(Brief):
    """A law: what is measured, where it is printed, what makes it hold, and whom it speaks of.

    Args:
        name: short, stable, unique; that of its function.
        title: the law in words.
        statistic: what is measured, with its formula.
        source: paper and equation.
        judge: (measured network, run) -> `Judgement`.
        group: "theory", "assumption", "richemond", "collapse", or one of its own.
        short: its name as people read it in a list; "" takes `name`.
        scope: where it is looked at, in words, where one statement is tested in two scopes; "{limit}" is filled in.
        limit: what the statistic is held against, None where no single reading can decide.
        good: it holds "below" or "above" the limit, or "near" it, which its function judges.
        why: where the limit comes from.
        needs: what must be measured or known, in the order in which it is asked for.
        scaled_by_loss: whether decay stands beside the gradient in it, so that its rates scale with the run's loss.
        only_if_trained: whether it follows from Eq. 11, the flow of a predictor with a learning rate and a decay.
        statements: of `lindyn.proofs` that it tests on a network.
        role: "law"; "prediction" (holding or failing says nothing on the theory); "foundation" (without it modes have
            no meaning); "alarm" (says what the collapse alarm says).
        theory: whose law it is, "squared" (of the squared loss alone) or "normalised" (of losses of directions alone);
            "" speaks of any loss. In a run of the other kind it is shown and not counted.
    """

    name: str
    title: str
    statistic: str
    source: str
    judge: Callable[[MeasuredNetwork, KnownRun], Judgement]
    group: str = "theory"
    short: str = ""
    scope: str = ""
    limit: float | None = None
    good: str = ""
    why: str = ""
    needs: tuple[Need, ...] = ()
    scaled_by_loss: bool = False
    only_if_trained: bool = False
    role: str = "law"
    statements: tuple[str, ...] = ()
    theory: str = ""

    def __post_init__(self) -> None:
        for name in ("title", "statistic", "source"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ValueError(f"{name} of the law {self.name} must be words; got {getattr(self, name)!r}.")
        if self.role not in ROLES:
            raise ValueError(f"role of the law {self.name} must be one of {', '.join(ROLES)}; got {self.role!r}.")
        if self.theory not in ("", *OF_LOSS):
            raise ValueError(f"theory of the law {self.name} must be squared, normalised or ''; got {self.theory!r}.")
        if self.limit is not None and self.good not in ("below", "above", "near"):
            raise ValueError(f"good of the law {self.name} must be 'below', 'above' or 'near'; got {self.good!r}.")

    @property
    def where(self) -> str:
        """The scope in words."""
        return self.scope.format(limit="" if self.limit is None else f"{self.limit:g}")

    @property
    def words(self) -> str:
        """The law in words, with its scope."""
        return _with_scope(self.title, self.where)

    @property
    def package(self) -> str:
        """The package that it comes from."""
        return self.judge.__module__.partition(".")[0]

    def __call__(self, measured: MeasuredNetwork, run: KnownRun) -> Judgement:
        """Return what its function says, whatever the law needs."""
        return self.judge(measured, run)


def _with_scope(title: str, scope: str) -> str:
    return f"{title}: {scope}" if scope else title


def law(*, title: str, statistic: str, source: str, **known: Any) -> Callable[[Callable[..., Judgement]], Law]:
    """Return a decorator that makes a law of (measured, run) -> `Judgement`; it is called as the function.

    Args:
        title: the law in words.
        statistic: what is measured, with its formula.
        source: paper and equation.
        **known: further fields of `Law`.

    Returns:
        The decorator.
    """

    def make(judge: Callable[..., Judgement]) -> Law:
        return Law(judge.__name__, title, statistic, source, judge, **known)

    return make


def finding(law: Law, measured: MeasuredNetwork, run: KnownRun) -> Finding:
    """Return a law held against a network; nothing changes a finding afterwards.

    Args:
        law: any.
        measured: what was gathered of the network.
        run: what is known of its training.

    Returns:
        The finding.
    """
    found = _decided(law, measured, run)
    interval, details = found.interval, {"limit": law.limit, "why": law.why, **found.details}
    if found.limit is not None:
        details["limit"] = found.limit
    main = measured.main.kind if measured.main is not None and predictor_map in law.needs else ""
    scope, role = law.where, law.role
    if run.theory and law.theory not in ("", run.theory):
        scope = ", ".join(filter(None, (scope, f"{OF_LOSS[law.theory]}, not counted")))
        role = BESIDE if role in COUNTED else role
    return Finding(
        law.name, _with_scope(law.title, scope), law.statistic, interval.value, interval.low, interval.high,
        found.verdict, found.reason, law.source, law.group, main, {"raw": interval.raw, **details}, law.short, scope,
        role,
    )  # fmt: skip


def _decided(law: Law, measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    """Return the judgement on a law with verdict and reason."""
    found = _judgement(law, measured, run)
    if law.only_if_trained and run.rule:
        rule = f"W_p is set by {rule_words(run.rule)}, not trained"
        return replace(
            found, verdict=NOT_TESTABLE, reason=f"{rule}: it has neither alpha_p nor eta_p, and Eq. 11 is not its flow."
        )
    if not found.verdict:
        found = _by_limit(law, found)
    if law.scaled_by_loss and run.gain != 1 and found.verdict != NOT_TESTABLE:
        scale = f"decays are times tr F = {1 / run.gain:.3g} (what x and x' over it would be)"
        words = f"{found.reason.rstrip('.')}; {scale}, as the run's loss compares directions."
        return replace(found, reason=words)
    return found


def _judgement(law: Law, measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    missing = next((reason for need in law.needs if (reason := need(measured, run))), "")
    if missing:
        return untestable(missing)
    seen = replace(run, rates=run.rates_of_loss) if law.scaled_by_loss and run.rates_of_loss is not None else run
    if law.package == "lindyn":
        return law(measured, seen)
    try:
        found = law(measured, seen)
        if not isinstance(found, Judgement):
            raise TypeError(f"it must return by_limit(...), judged(...) or untestable(...); got {type(found).__name__}")
    except Exception as error:  # of code that is not ours: the rest goes on working
        told = str(error).strip().partition("\n")[0].rstrip(".")
        return untestable(f"{at_fault(law.package)} its law stopped ({type(error).__name__}: {told}).")
    return found


def _by_limit(law: Law, found: Judgement) -> Judgement:
    """Return the judgement by a limit: the whole interval must be on one side; without ends the number decides."""
    limit = law.limit if found.limit is None else found.limit
    interval, note = found.interval, found.reason
    if math.isnan(interval.value):
        return replace(
            found, verdict=NOT_TESTABLE, limit=None,
            reason="The statistic has no value here (a norm it is divided by is 0).",
        )  # fmt: skip
    if limit is None:
        return replace(found, verdict=NOT_TESTABLE, reason=NO_LIMIT)
    verdict = side(interval, limit, law.good)
    words = {
        HOLDS: f"It is {law.good} {limit:.2g} ({law.why})",
        FAILS: f"It must be {law.good} {limit:.2g} ({law.why})",
        NOT_TESTABLE: f"The limit {limit:.2g} lies inside the interval; more samples would narrow it ({law.why})",
    }[verdict]
    tail = "; no interval, the samples behind F are not known" if math.isnan(interval.low) else ""
    return replace(found, verdict=verdict, reason=f"{words}{tail}{'; ' + note if note else ''}.", limit=limit)


def side(interval: Interval, limit: float, good: str) -> str:
    """Return the verdict on an interval and a limit that is good "below" or "above"."""
    unknown = math.isnan(interval.low)
    low, high = (interval.value, interval.value) if unknown else (interval.low, interval.high)
    inside, outside = (high <= limit, low > limit) if good == "below" else (low >= limit, high < limit)
    return HOLDS if inside else FAILS if outside else NOT_TESTABLE
