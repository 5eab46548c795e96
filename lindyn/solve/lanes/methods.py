"""One step of a mode, as plain arithmetic: numbers under numba and arrays under JAX run the same lines.

    tsit5     explicit, 5(4), first-same-as-last, for lanes limited by accuracy
    rodas5p   linearly implicit, 5(4), L-stable, for lanes limited by stability (large beta)

Both are made from `make_rate`, which is made from `lindyn.equations`; nothing of the theory is typed here. A state
is y = (p, s, tau), a velocity k likewise, a lane's constants travel as c = (alpha_p, beta, eta_p, eta_s, x, x_aug).
`compiled` is what makes a function callable from the caller's loop: `numba.njit` with its flags, or `as_is`.
"""

from typing import Any

from lindyn.solve.lanes.tableaux import RODAS5P_A, RODAS5P_C, RODAS5P_GAMMA, TSIT5_A, TSIT5_B, TSIT5_ERROR

EPSILON = 1e-60  # imaginary step of derivatives; the equations are polynomials, so the derivative is exact
IMAGINARY = 1e-60j


def as_is(function: Any) -> Any:
    """Return the function itself, where numba would compile it."""
    return function


def make_rate(eqs: Any, fixed_p: bool, fixed_tau: bool, compiled: Any = as_is) -> Any:
    """Return (y, c) -> (dp, ds, dtau)/dt of Eqs. 11-13.

    Args:
        eqs: holder of drive, dp, growth, ds (`lindyn.equations.modes`) and dtau (`lindyn.equations.target`).
        fixed_p: the predictor is the identity.
        fixed_tau: tau is constant, or the target is the online network.
        compiled: see the module.

    Returns:
        The function.
    """
    drive, dp, growth, ds, dtau = eqs.drive, eqs.dp, eqs.growth, eqs.ds, eqs.dtau

    @compiled
    def rate(y, c):  # type: ignore[no-untyped-def]
        D = drive(y[0], y[2], c[4], c[5])
        g = growth(y[0], D, c[3])
        velocity_p = 0.0 * y[0] if fixed_p else dp(y[0], y[1], D, c[0], c[2])
        velocity_tau = 0.0 * y[2] if fixed_tau else dtau(y[2], g, c[1])
        return velocity_p, ds(y[1], g), velocity_tau

    return rate


def make_alignment(eqs: Any, compiled: Any = as_is) -> tuple[Any, Any]:
    """Return (y, c) -> K, the eigenvalue of Eq. 17, and (y, k, c) -> dK/dt by complex step along the velocity k."""
    drive, alignment_rate = eqs.drive, eqs.alignment_rate

    @compiled
    def alignment(y, c):  # type: ignore[no-untyped-def]
        D = drive(y[0], y[2], c[4], c[5])
        return alignment_rate(y[0], y[1], D, c[0], c[2], c[3], c[4], c[5])

    @compiled
    def slope(y, k, c):  # type: ignore[no-untyped-def]
        along = (y[0] + k[0] * IMAGINARY, y[1] + k[1] * IMAGINARY, y[2] + k[2] * IMAGINARY)
        return alignment(along, c).imag / EPSILON

    return alignment, slope


def make_tools(compiled: Any = as_is) -> tuple[Any, Any]:
    """Return (a, k) -> a k and (d, a, k) -> d + a k on triples."""

    @compiled
    def times(a, k):  # type: ignore[no-untyped-def]
        return a * k[0], a * k[1], a * k[2]

    @compiled
    def plus(d, a, k):  # type: ignore[no-untyped-def]
        return d[0] + a * k[0], d[1] + a * k[1], d[2] + a * k[2]

    return times, plus


def make_cubic(compiled: Any = as_is) -> Any:
    """Return (a, da, b, db, h, u) -> the cubic with values a, b and slopes da, db at the ends of a step h, at u h."""

    @compiled
    def cubic(a, da, b, db, h, u):  # type: ignore[no-untyped-def]
        v = 1.0 - u
        return v * v * ((1.0 + 2.0 * u) * a + h * u * da) + u * u * ((3.0 - 2.0 * u) * b - h * v * db)

    return cubic


def make_tsit5(rate: Any, compiled: Any = as_is) -> Any:
    """Return (y, k1, h, c) -> (y_new, k_new, error): one explicit step; k1, k_new are the velocities at its ends."""
    times, plus = make_tools(compiled)
    (a21,), (a31, a32), (a41, a42, a43), (a51, a52, a53, a54), (a61, a62, a63, a64, a65) = TSIT5_A
    b1, b2, b3, b4, b5, b6 = TSIT5_B
    e1, e2, e3, e4, e5, e6, e7 = TSIT5_ERROR

    @compiled
    def step(y, k1, h, c):  # type: ignore[no-untyped-def]
        k2 = rate(plus(y, h, times(a21, k1)), c)
        k3 = rate(plus(y, h, plus(times(a31, k1), a32, k2)), c)
        k4 = rate(plus(y, h, plus(plus(times(a41, k1), a42, k2), a43, k3)), c)
        k5 = rate(plus(y, h, plus(plus(plus(times(a51, k1), a52, k2), a53, k3), a54, k4)), c)
        d6 = plus(plus(plus(plus(times(a61, k1), a62, k2), a63, k3), a64, k4), a65, k5)
        k6 = rate(plus(y, h, d6), c)
        d7 = plus(plus(plus(plus(plus(times(b1, k1), b2, k2), b3, k3), b4, k4), b5, k5), b6, k6)
        y_new = plus(y, h, d7)
        k7 = rate(y_new, c)
        low = plus(plus(plus(times(e1, k1), e2, k2), e3, k3), e4, k4)
        return y_new, k7, times(h, plus(plus(plus(low, e5, k5), e6, k6), e7, k7))

    return step


def make_solver(rate: Any, compiled: Any = as_is) -> tuple[Any, Any]:
    """Return (y, shift, c) -> factors of shift I - J and (factors, right side) -> solution.

    J is the Jacobian of `rate` by complex step. Elimination takes tau first (the stiff one), then p, then s, without
    pivoting, so that the row of s keeps its scale, s itself, on collapsed lanes.
    """

    @compiled
    def factor(y, shift, c):  # type: ignore[no-untyped-def]
        jp = rate((y[0] + IMAGINARY, y[1] + 0j, y[2] + 0j), c)
        js = rate((y[0] + 0j, y[1] + IMAGINARY, y[2] + 0j), c)
        jt = rate((y[0] + 0j, y[1] + 0j, y[2] + IMAGINARY), c)
        pp, ps, pt = shift - jp[0].imag / EPSILON, -js[0].imag / EPSILON, -jt[0].imag / EPSILON
        sp, ss, st = -jp[1].imag / EPSILON, shift - js[1].imag / EPSILON, -jt[1].imag / EPSILON
        tp, ts, tt = -jp[2].imag / EPSILON, -js[2].imag / EPSILON, shift - jt[2].imag / EPSILON
        over_t = 1.0 / tt
        lp, ls = pt * over_t, st * over_t
        pp, ps, sp, ss = pp - lp * tp, ps - lp * ts, sp - ls * tp, ss - ls * ts
        over_p = 1.0 / pp
        l = sp * over_p
        return lp, ls, l, ps, tp, ts, over_t, over_p, 1.0 / (ss - l * ps)

    @compiled
    def solve(factors, r):  # type: ignore[no-untyped-def]
        lp, ls, l, ps, tp, ts, over_t, over_p, over_s = factors
        rp = r[0] - lp * r[2]
        s = (r[1] - ls * r[2] - l * rp) * over_s
        p = (rp - ps * s) * over_p
        return p, s, (r[2] - tp * p - ts * s) * over_t

    return factor, solve


def make_rodas5p(rate: Any, compiled: Any = as_is) -> Any:
    """Return (y, k1, h, c) -> (y_new, k_new, error): one linearly implicit step, same contract as `make_tsit5`."""
    times, plus = make_tools(compiled)
    factor, solve = make_solver(rate, compiled)
    (a21,), (a31, a32), (a41, a42, a43), (a51, a52, a53, a54), (a61, a62, a63, a64, a65) = RODAS5P_A
    (c21,), (c31, c32), (c41, c42, c43), (c51, c52, c53, c54), (c61, c62, c63, c64, c65) = RODAS5P_C[:5]
    (c71, c72, c73, c74, c75, c76), (c81, c82, c83, c84, c85, c86, c87) = RODAS5P_C[5:]
    over_gamma = 1.0 / RODAS5P_GAMMA

    @compiled
    def step(y, k1, h, c):  # type: ignore[no-untyped-def]
        over_h = 1.0 / h
        w = factor(y, over_gamma * over_h, c)
        u1 = solve(w, k1)
        k = rate(plus(y, a21, u1), c)
        u2 = solve(w, plus(k, over_h, times(c21, u1)))
        k = rate(plus(plus(y, a31, u1), a32, u2), c)
        u3 = solve(w, plus(k, over_h, plus(times(c31, u1), c32, u2)))
        k = rate(plus(plus(plus(y, a41, u1), a42, u2), a43, u3), c)
        u4 = solve(w, plus(k, over_h, plus(plus(times(c41, u1), c42, u2), c43, u3)))
        k = rate(plus(plus(plus(plus(y, a51, u1), a52, u2), a53, u3), a54, u4), c)
        u5 = solve(w, plus(k, over_h, plus(plus(plus(times(c51, u1), c52, u2), c53, u3), c54, u4)))
        z = plus(plus(plus(plus(plus(y, a61, u1), a62, u2), a63, u3), a64, u4), a65, u5)
        d = plus(plus(plus(plus(times(c61, u1), c62, u2), c63, u3), c64, u4), c65, u5)
        u6 = solve(w, plus(rate(z, c), over_h, d))
        z = plus(z, 1.0, u6)
        d = plus(plus(plus(plus(plus(times(c71, u1), c72, u2), c73, u3), c74, u4), c75, u5), c76, u6)
        u7 = solve(w, plus(rate(z, c), over_h, d))
        z = plus(z, 1.0, u7)
        d = plus(plus(plus(plus(plus(times(c81, u1), c82, u2), c83, u3), c84, u4), c85, u5), c86, u6)
        u8 = solve(w, plus(rate(z, c), over_h, plus(d, c87, u7)))
        y_new = plus(z, 1.0, u8)
        return y_new, rate(y_new, c), u8

    return step
