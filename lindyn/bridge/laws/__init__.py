"""The laws held against a network: `findings(measured, rates)`; what makes each hold is in `table`."""

from lindyn.bridge.laws import balance, collapse, data, eigenspaces, power_law, predictor_shape, stability, target_tau
from lindyn.bridge.laws.law_table import LAWS, Law
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.records import Finding
from lindyn.bridge.settings import Rates

__all__ = ["LAWS", "Law", "findings"]


def findings(measured: MeasuredNetwork, rates: Rates) -> tuple[Finding, ...]:
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
        *target_tau.findings(measured, rates),
        *data.findings(measured),
        *stability.findings(measured, rates),
        *collapse.findings(measured),
    ]
    by_law = {finding.law: finding for finding in found}
    return tuple(by_law[law] for law in LAWS)
