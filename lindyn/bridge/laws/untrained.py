"""Laws of a predictor that is trained, for networks whose W_p a closed-form rule sets: there is nothing to test."""

from collections.abc import Sequence
from dataclasses import replace

from lindyn.bridge.records import NOT_TESTABLE, Finding
from lindyn.bridge.run.counterfactuals import rule_of
from lindyn.bridge.settings import Settings

TRAINED = ("constant", "balance", "eq17", "eq17_pairs")
"""Laws that follow from Eq. 11, the flow of a predictor with a learning rate and a decay."""


def without_training(findings: Sequence[Finding], settings: Settings) -> tuple[Finding, ...]:
    """Return the findings; where a rule sets W_p, those that follow from its training are not testable.

    Args:
        findings: all laws.
        settings: of the run.
    """
    rule = rule_of(settings)
    reason = (
        f"W_p is set by the rule {rule}, not trained: it has neither alpha_p nor eta_p, and Eq. 11 is not its flow."
    )
    return tuple(
        replace(found, verdict=NOT_TESTABLE, reason=reason) if rule and found.law in TRAINED else found
        for found in findings
    )
