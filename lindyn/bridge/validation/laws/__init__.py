"""The laws held against a network: `findings(measured, rates)`; what makes each hold is in `table`."""

from lindyn.bridge.validation.laws import (
    balance,
    collapse,
    data,
    eigenspaces,
    power_law,
    predictor_shape,
    stability,
    target,
)
from lindyn.bridge.validation.laws.table import LAWS, Law
from lindyn.bridge.validation.measured import Measured
from lindyn.bridge.validation.records import Finding
from lindyn.bridge.validation.settings import Rates

__all__ = ["LAWS", "Law", "findings"]


def findings(measured: Measured, rates: Rates) -> tuple[Finding, ...]:
    """Return one finding per law of the table, in its order.

    Args:
        measured: what was gathered of the network.
        rates: of the run; what is None makes the laws that need it "not testable".

    Returns:
        The findings.
    """
    found = [
        *eigenspaces.findings(measured),
        *predictor_shape.findings(measured),
        *power_law.findings(measured, rates),
        *balance.findings(measured, rates),
        *target.findings(measured, rates),
        *data.findings(measured),
        *stability.findings(measured, rates),
        *collapse.findings(measured),
    ]
    by_law = {finding.law: finding for finding in found}
    return tuple(by_law[law] for law in LAWS)
