"""The rows of the theorem x assumption table: each theorem as steps that a setting decides."""

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy

from lindyn.proofs import rows_alignment as alignment
from lindyn.proofs import rows_matrices as matrices
from lindyn.proofs import rows_modes as modes
from lindyn.proofs.assumptions import Setting
from lindyn.proofs.steps import Step


@dataclass(frozen=True)
class Theorem:
    """A row of the table.

    Args:
        name: short name.
        steps: setting -> the steps that decide it.
        home: what the theorem itself assumes; each column changes one thing of it.
        premise: setting -> "" where the theorem's premise can be fulfilled, else why not.
    """

    name: str
    steps: Callable[[Setting], list[Step]]
    home: Setting = field(default=Setting())
    premise: Callable[[Setting], str] = field(default=lambda setting: "")


_123 = Setting(level="123")
_ONLINE = Setting(target="online")
_NO_DECAY = Setting(decay_p=sympy.S.Zero, decay_s=sympy.S.Zero)
THEOREMS: tuple[Theorem, ...] = (
    Theorem("Theorem 1 (balancing)", matrices.theorem_1),
    Theorem("trace of the balance", matrices.trace_law),
    Theorem("Theorem 2 (dW = -HW)", matrices.theorem_2, _ONLINE, matrices.no_stop),
    Theorem("Theorem 2 (certain decay)", matrices.certain_decay, _ONLINE, matrices.no_stop),
    Theorem("no predictor: W -> 0", matrices.certain_decay, _ONLINE, matrices.online_only),
    Theorem("closure on (W_p, F)", matrices.closure, Setting(level="12")),
    Theorem("Theorem 3 (printed 3 eta/2)", matrices.theorem_3(True), _123),
    Theorem("Theorem 3 (eta_s + eta_p/2)", matrices.theorem_3(False), _123),
    Theorem("aligned stays aligned", matrices.decoupling, _123),
    Theorem("Eq. 14 (integral)", modes.integral, _123),
    Theorem("Eq. 15 (tau)", modes.eq_15, _123),
    Theorem("Eq. 16 (parabola)", modes.eq_16, _123),
    Theorem("p_+-, s = p^2/alpha_p", modes.fixed_points(True), _123),
    Theorem("p_+-, s = (eta_p/eta_s) p^2/alpha_p", modes.fixed_points(False), _123),
    Theorem("collapse above critical", modes.collapse_above, _123, modes.above_critical),
    Theorem("p_- falls with tau (Obs. #10)", modes.p_minus, _123),
    Theorem("p_- rises with eta (Obs. #4)", alignment.p_minus_with_eta, _123),
    Theorem("Eq. 17 (formula)", alignment.eq_17_formula, _123),
    Theorem("Eq. 17 (if: it aligns)", alignment.eq_17_if, _123),
    Theorem("Eq. 17 (only if)", alignment.eq_17_only_if, _123),
    Theorem("Eq. 17 by pairs (iff k_i + k_j > 0)", alignment.eq_17_pairs, _123),
    Theorem("Obs. #6 (at a given state)", alignment.obs_6(at_rest=False), _123),
    Theorem("Obs. #6 (at the living point)", alignment.obs_6(at_rest=True), _123),
    Theorem("Obs. #7 (at a given state)", alignment.obs_7(at_rest=False), _123),
    Theorem("Obs. #7 (at the living point)", alignment.obs_7(at_rest=True), _123),
    Theorem("Appendix D fixed points", matrices.manifold, _NO_DECAY),
    Theorem("scrambling: W_p W = W P rests", matrices.scrambled, _NO_DECAY, matrices.scrambled_applies),
)
