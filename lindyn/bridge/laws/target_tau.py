"""Assumption 1: the target is tau times the online network, by features and by weights."""

import numpy as np

from lindyn.bridge.laws.verdicts import held, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import fixed
from lindyn.bridge.records import Finding
from lindyn.bridge.settings import Rates


def findings(measured: MeasuredNetwork, rates: Rates) -> tuple[Finding, ...]:
    """Return `target` and `target_weights`."""
    return _by_features(measured, rates), _by_weights(measured, rates)


def _by_features(measured: MeasuredNetwork, rates: Rates) -> Finding:
    cosine = measured.readings.get("target_cosine")
    if cosine is None:
        return untestable("target", _no_target(rates, "the target's features were not given"))
    tau, low, high = measured.readings["tau"][: measured.leading].ends(together=max(measured.leading, 1))
    whole = measured.readings["tau_all"].interval()
    note = f"tau = {whole.value:.3g}"
    return held(
        "target", cosine.interval(-1.0, 1.0), "", note, tau=whole.value, tau_low=whole.low, tau_high=whole.high,
        tau_per_mode=tau, tau_per_mode_low=low, tau_per_mode_high=high,
    )  # fmt: skip


def _by_weights(measured: MeasuredNetwork, rates: Rates) -> Finding:
    V, V_a = measured.last, measured.last_target
    if V is None or V_a is None:
        return untestable("target_weights", _no_target(rates, "two projectors that end in a Linear layer are needed"))
    if V.shape != V_a.shape:
        return untestable("target_weights", f"The two last layers differ in shape, {V.shape} and {V_a.shape}.")
    cosine = float(np.sum(V * V_a) / max(np.linalg.norm(V) * np.linalg.norm(V_a), np.finfo(float).tiny))
    tau = float(np.sum(V * V_a) / max(np.sum(V * V), np.finfo(float).tiny))
    return held("target_weights", fixed(cosine), "", f"tau = {tau:.3g}", tau=tau)


def _no_target(rates: Rates, otherwise: str) -> str:
    if rates.target == "online":
        return "The target is the online network itself, so that tau = 1."
    return otherwise[0].upper() + otherwise[1:] + "."
