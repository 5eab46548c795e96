"""The flow on the invariant parabola s = p^2 / alpha_p (eta_p = eta_s = eta), Eqs. 15-16.

There w = p / sqrt(alpha_p), so w and p grow at one rate g = p D - eta (`modes.growth`), tau obeys
`target.dtau` with that g, and d(tau p)/dt = beta (p - tau p) integrates to Eq. 15.
"""


def dp(p, g):
    """Return dp/dt = p g = p^2 [x tau - (x + x_aug) p] - eta p (Eq. 16), with g from `modes.growth`."""
    return p * g
