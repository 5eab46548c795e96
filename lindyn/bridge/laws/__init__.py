"""The laws held against a network: `findings(measured, run)`; each law stands with all that is known of it in a family.

    law_definition      `@law(...)`, what a law's function returns, the one runner
    eigenspaces         W_p and F share their eigenvectors: in the leading modes, in the whole matrix
    predictor_shape     W_p alone: symmetric, no negative eigenvalues, projection, rotation, growth of rank and trace
    balance             Theorem 1 between two layers; slope 1/2 and constant alpha_p of p against s
    directions          of losses that compare directions: rest, slopes by depth, angle per step, norm
    target_and_data     Assumptions 1 and 2: target, target_weights, isotropy, isotropy_views
    stability           Eq. 17 alone and in pairs, the collapse boundary
    collapse            spread, effective rank, RankMe

A user's own package adds laws by the entry point `lindyn.laws`: a law, or a module with laws.
"""

from collections.abc import Iterator, Mapping
from types import ModuleType

from lindyn._extensions import Extension, collected
from lindyn.bridge.laws import (
    balance,
    collapse,
    directions,
    eigenspaces,
    predictor_shape,
    stability,
    target_and_data,
)
from lindyn.bridge.laws.law_definition import (
    MODES_OF_PREDICTOR,
    Judgement,
    KnownRun,
    Law,
    by_limit,
    enough_modes,
    features,
    finding,
    judged,
    law,
    predictor_map,
    untestable,
)
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.records import Finding

__all__ = [
    "LAWS", "MODES_OF_PREDICTOR", "Judgement", "KnownRun", "Law", "by_limit", "enough_modes", "features", "finding",
    "findings", "judged", "known_laws", "law", "predictor_map", "untestable",
]  # fmt: skip

FAMILIES = (eigenspaces, predictor_shape, balance, directions, target_and_data, stability, collapse)
GROUPS = ("theory", "assumption", "richemond", "collapse")
"""In the order in which they are told; others follow."""


def _laws_of(module: ModuleType) -> Iterator[Law]:
    return (value for value in vars(module).values() if isinstance(value, Law))


def _in_order(laws: Mapping[str, Law]) -> dict[str, Law]:
    return dict(sorted(laws.items(), key=lambda item: (*GROUPS, item[1].group).index(item[1].group)))


LAWS: Mapping[str, Law] = _in_order({each.name: each for family in FAMILIES for each in _laws_of(family)})
"""lindyn's own laws by name."""


def known_laws() -> tuple[dict[str, Law], tuple[str, ...]]:
    """Return (every law by name: lindyn's own, then those of other packages; one sentence for each left out)."""
    found, notes = collected("lindyn.laws", "law", LAWS.values(), _given, lambda each: each.name)
    return _in_order(found), notes


def _given(extension: Extension) -> Iterator[Law]:
    """Yield the laws that an entry point names.

    Raises:
        ValueError: it is neither a law nor a module.
    """
    if isinstance(extension.value, Law):
        yield extension.value
    elif isinstance(extension.value, ModuleType):
        yield from _laws_of(extension.value)
    else:
        kind = type(extension.value).__name__
        raise ValueError(f"it must name a law, a function under @law(...), or a module with laws; got a {kind}.")


def findings(measured: MeasuredNetwork, run: KnownRun) -> tuple[Finding, ...]:
    """Return one finding per law.

    Args:
        measured: what was gathered of the network.
        run: what is known of its training; what is not makes the laws that need it "not testable".

    Returns:
        The findings, in the order of the groups.
    """
    return tuple(finding(each, measured, run) for each in known_laws()[0].values())
