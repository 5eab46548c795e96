"""The statements of the papers measured along a trajectory.

applicable     which statement applies to which flow, and what is measured of it
matrix_checks  decay without stop-gradient or predictor, alignment of W_p and F
critical       decay bounds; collapse above the critical decay: with tau, in the full flow, with a moving target
at_rest        where a run that came to rest has come to rest
denser         more times of a run, integrated again between the saved ones
integrals      integrals over time; the full flow against the smaller systems of isotropic data
record         the answer: verdicts, residuals, premises, sharpness; as text and as a picture
verifier       verify; trajectories made elsewhere (.npz)
"""

from lindyn.verification.record import Verification, VerificationRow
from lindyn.verification.verifier import trajectory_from_arrays, verify

__all__ = ["Verification", "VerificationRow", "trajectory_from_arrays", "verify"]
