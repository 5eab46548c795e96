"""One step of a mode, as plain arithmetic: numbers under numba and arrays under JAX run the same lines.

    dop853    explicit, 8(5, 3), for lanes limited by accuracy
    rodas5p   linearly implicit, 5(4), L-stable, for lanes limited by stability (large beta)

Both are made from `make_rate`, which is made from `lindyn.equations`; nothing of the theory is typed here. A state
is y = (p, s, tau), a velocity k likewise, a lane's constants travel as c = (alpha_p, beta, eta_p, eta_s, x, x_aug).
A step returns two error estimates e, d to be combined as |e| / max(1, |d / e|), see `block.make_controller`;
`compiled` is what makes a function callable from the caller's loop: `numba.njit` with its flags, or `as_is`.

Coefficients: Dormand and Prince's method of order 8 with error estimates of order 5 and 3 (Hairer, Norsett and Wanner
1993, "Solving Ordinary Differential Equations I", sec. II.10); Steinebach 2022, "Construction of Rosenbrock-Wanner
method Rodas5P", in the transformed form: stage i solves (1/(h gamma) - J) u_i = f(y + sum_j a_ij u_j) +
(1/h) sum_j c_ij u_j; stages 7 and 8 start from the one before plus its u.
"""

from typing import Any

# fmt: off
DOP853_A = (  # without the zeros
    (0.05260015195876773,),
    (0.0197250569845379, 0.0591751709536137),
    (0.02958758547680685, 0.08876275643042054),
    (0.2413651341592667, -0.8845494793282861, 0.924834003261792),
    (0.037037037037037035, 0.17082860872947386, 0.12546768756682242),
    (0.037109375, 0.17025221101954405, 0.06021653898045596, -0.017578125),
    (0.03709200011850479, 0.17038392571223998, 0.10726203044637328, -0.015319437748624402, 0.008273789163814023),
    (0.6241109587160757, -3.3608926294469414, -0.868219346841726, 27.59209969944671, 20.154067550477894,
     -43.48988418106996),
    (0.47766253643826434, -2.4881146199716677, -0.590290826836843, 21.230051448181193, 15.279233632882423,
     -33.28821096898486, -0.020331201708508627),
    (-0.9371424300859873, 5.186372428844064, 1.0914373489967295, -8.149787010746927, -18.52006565999696,
     22.739487099350505, 2.4936055526796523, -3.0467644718982196),
    (2.273310147516538, -10.53449546673725, -2.0008720582248625, -17.9589318631188, 27.94888452941996,
     -2.8589982771350235, -8.87285693353063, 12.360567175794303, 0.6433927460157636),
)
DOP853_B = (
    0.054293734116568765, 4.450312892752409, 1.8915178993145003, -5.801203960010585, 0.3111643669578199,
    -0.1521609496625161, 0.20136540080403034, 0.04471061572777259,
)
DOP853_E5 = (
    0.01312004499419488, -1.2251564463762044, -0.4957589496572502, 1.6643771824549864, -0.35032884874997366,
    0.3341791187130175, 0.08192320648511571, -0.022355307863886294,
)
DOP853_E3 = (
    -0.18980075407240762, 4.450312892752409, 1.8915178993145003, -5.801203960010585, -0.4226823213237919,
    -0.1521609496625161, 0.20136540080403034, 0.02265179219836082,
)
RODAS5P_GAMMA = 0.21193756319429014
RODAS5P_A = (
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946),
)
RODAS5P_C = (
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
     -28.087943162872662),
    (37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
     -54.66780262877968, -9.48861652309627),
)
# fmt: on


EPSILON = 2.0**-199  # imaginary step of derivatives, exact for polynomials; a power of two: no rounding, no division
IMAGINARY = EPSILON * 1j


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


def make_dop853(rate: Any, compiled: Any = as_is) -> Any:
    """Return (y, k1, h, c) -> (y_new, k_new, e5, e3): one explicit step of order 8 with both of its error estimates."""
    times, plus = make_tools(compiled)
    (
        (a2_1,),
        (
            a3_1,
            a3_2,
        ),
        (
            a4_1,
            a4_3,
        ),
        (
            a5_1,
            a5_3,
            a5_4,
        ),
        (
            a6_1,
            a6_4,
            a6_5,
        ),
    ) = DOP853_A[:5]
    (a7_1, a7_4, a7_5, a7_6) = DOP853_A[5]
    (a8_1, a8_4, a8_5, a8_6, a8_7) = DOP853_A[6]
    (a9_1, a9_4, a9_5, a9_6, a9_7, a9_8) = DOP853_A[7]
    (a10_1, a10_4, a10_5, a10_6, a10_7, a10_8, a10_9) = DOP853_A[8]
    (a11_1, a11_4, a11_5, a11_6, a11_7, a11_8, a11_9, a11_10) = DOP853_A[9]
    (a12_1, a12_4, a12_5, a12_6, a12_7, a12_8, a12_9, a12_10, a12_11) = DOP853_A[10]
    b1, b6, b7, b8, b9, b10, b11, b12 = DOP853_B
    e1, e6, e7, e8, e9, e10, e11, e12 = DOP853_E5
    d1, d6, d7, d8, d9, d10, d11, d12 = DOP853_E3

    @compiled
    def step(y, k1, h, c):  # type: ignore[no-untyped-def]
        k2 = rate(plus(y, h, times(a2_1, k1)), c)
        k3 = rate(plus(y, h, plus(times(a3_1, k1), a3_2, k2)), c)
        k4 = rate(plus(y, h, plus(times(a4_1, k1), a4_3, k3)), c)
        k5 = rate(plus(y, h, plus(plus(times(a5_1, k1), a5_3, k3), a5_4, k4)), c)
        k6 = rate(plus(y, h, plus(plus(times(a6_1, k1), a6_4, k4), a6_5, k5)), c)
        k7 = rate(plus(y, h, plus(plus(plus(times(a7_1, k1), a7_4, k4), a7_5, k5), a7_6, k6)), c)
        d = plus(plus(plus(times(a8_1, k1), a8_4, k4), a8_5, k5), a8_6, k6)
        k8 = rate(plus(y, h, plus(d, a8_7, k7)), c)
        d = plus(plus(plus(times(a9_1, k1), a9_4, k4), a9_5, k5), a9_6, k6)
        k9 = rate(plus(y, h, plus(plus(d, a9_7, k7), a9_8, k8)), c)
        d = plus(plus(plus(times(a10_1, k1), a10_4, k4), a10_5, k5), a10_6, k6)
        k10 = rate(plus(y, h, plus(plus(plus(d, a10_7, k7), a10_8, k8), a10_9, k9)), c)
        d = plus(plus(plus(times(a11_1, k1), a11_4, k4), a11_5, k5), a11_6, k6)
        k11 = rate(plus(y, h, plus(plus(plus(plus(d, a11_7, k7), a11_8, k8), a11_9, k9), a11_10, k10)), c)
        d = plus(plus(plus(times(a12_1, k1), a12_4, k4), a12_5, k5), a12_6, k6)
        k12 = rate(
            plus(y, h, plus(plus(plus(plus(plus(d, a12_7, k7), a12_8, k8), a12_9, k9), a12_10, k10), a12_11, k11)), c
        )
        low = plus(plus(plus(times(b1, k1), b6, k6), b7, k7), b8, k8)
        y_new = plus(y, h, plus(plus(plus(plus(low, b9, k9), b10, k10), b11, k11), b12, k12))
        k_new = rate(y_new, c)
        low = plus(plus(plus(times(e1, k1), e6, k6), e7, k7), e8, k8)
        fifth = plus(plus(plus(plus(low, e9, k9), e10, k10), e11, k11), e12, k12)
        low = plus(plus(plus(times(d1, k1), d6, k6), d7, k7), d8, k8)
        third = plus(plus(plus(plus(low, d9, k9), d10, k10), d11, k11), d12, k12)
        return y_new, k_new, times(h, fifth), times(0.1 * h, third)

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
    """Return (y, k1, h, c) -> (y_new, k_new, e, e): one linearly implicit step."""
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
        return y_new, rate(y_new, c), u8, u8

    return step
