"""The bridge to torch, the only room that imports it."""

import importlib
from typing import Any

_HOME = {
    "Diagnosis": "lindyn.bridge.diagnosis",
    "diagnose": "lindyn.bridge.diagnosis",
    "Diagnostics": "lindyn.bridge.diagnostics",
    "DiagnosticsCallback": "lindyn.bridge.lightning",
    "SlopeFit": "lindyn.bridge.slopes",
    "collapse_alarm": "lindyn.bridge.alarms",
    "fit_slope": "lindyn.bridge.slopes",
    "read_trace": "lindyn.bridge.traces",
    "std_of_normalised": "lindyn.bridge.feature_sums",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lindyn.bridge' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
