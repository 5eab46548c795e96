"""Closed forms: fixed points and their stability, critical decay, what a mode can do."""

from lindyn.theory.stationary_points import FixedPoints, branches, critical_decay, fixed_points

__all__ = ["FixedPoints", "branches", "critical_decay", "fixed_points"]
