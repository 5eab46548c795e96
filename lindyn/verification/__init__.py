"""The statements of the papers measured along a trajectory.

checks    which statement applies to which flow, and what is measured of it
bounds    decay bounds against the measured decay
critical  collapse above the critical decay: with tau, in the full flow, with a moving target
at_rest   where a run that came to rest has come to rest
reductions    a run of the full flow against the smaller systems of isotropic data
record    the answer: verdicts, residuals, premises, sharpness; as text and as a picture
external  trajectories made elsewhere (.npz)
run       verify
"""

from lindyn.verification.external import trajectory_from_arrays
from lindyn.verification.record import Verification, VerificationRow
from lindyn.verification.verifier import verify

__all__ = ["Verification", "VerificationRow", "trajectory_from_arrays", "verify"]
