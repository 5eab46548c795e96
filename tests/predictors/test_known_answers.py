"""Known answers: two by two by hand, each rule and variant typed again from its formula in 50 digits."""

import mpmath as mp
import numpy as np
import pytest

from lindyn import predictors
from lindyn.predictors import Rule
from lindyn.predictors.arrays import Modes
from tests.predictors.cases import MATRICES, entrywise, with_spectrum

F2 = np.array([[2.0, 1.0], [1.0, 2.0]])  # eigenvalues 3 on (1, 1), 1 on (1, -1)
H2 = np.array([[1.0, 0.0], [2.0, 1.0]])
R3 = 3**0.5


def pair(on_sum, on_difference):
    """The matrix with these eigenvalues on (1, 1) and (1, -1)."""
    a, b = (on_sum + on_difference) / 2, (on_sum - on_difference) / 2
    return np.array([[a, b], [b, a]])


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        (Rule.of("direct_pred"), pair(R3 + 0.3, 1.3)),
        (Rule.of("direct_pred", eps_mode="relative"), pair(1.1 * R3, 1 + 0.1 * R3)),
        (Rule.of("direct_pred", eps_mode="inside"), pair(3.3**0.5, 1.3**0.5)),
        (Rule.of("direct_pred", eps=0.0, c=2.0), pair(1.0, 0.0)),
        (Rule.of("direct_pred", eps=0.0, c=(2.0, -3.0)), pair(1.0, 2.0)),  # the first c is the largest mode's
        (Rule.of("direct_pred", eps=0.0, floor=1.5), pair(R3, 1.5)),
        (Rule.of("direct_pred", eps=0.0, normalise="max"), pair(1.0, 3**-0.5)),
        (Rule.of("direct_set", power=2.0), pair(9.0, 1.0)),
        (Rule.of("direct_set", power=1.0, eps=0.5, normalise="trace"), pair(0.75 + 0.375, 0.25 + 0.375)),
        (Rule.of("direct_copy"), F2 / 10**0.5),
        (Rule.of("direct_copy", eps=0.3), F2 / 10**0.5 + 0.3 * np.eye(2)),
        (Rule.of("direct_copy", normalise="max"), F2 / 3),
        (Rule.of("direct_copy", normalise="trace", ridge=0.5), F2 / 4 + 0.5 * np.eye(2)),
        (Rule.of("direct_copy", normalise="none"), F2),
        (Rule.of("linear_regression"), [[2 / 3, -1 / 3], [1.0, 0.0]]),
        (Rule.of("neumann"), 2 * H2 - np.array([[2.0, 1.0], [5.0, 4.0]])),
        (Rule.of("visser", steps=1, step=0.25), 2 * np.eye(2) + (F2 - 4 * np.eye(2)) / 4),
        (Rule.of("newton_schulz", steps=1), 10**0.25 * (F2 / 10**0.5) @ (3 * np.eye(2) - F2 / 10**0.5) / 2),
        (Rule.of("stiefel", steps=40, scale="polar"), np.array([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5),
    ],
    ids=repr,
)
def test_two_by_two_by_hand(rule, want):
    assert entrywise(rule(F2, H2), want) < 1e-14


def test_diagonal_regression_with_damping_by_hand():
    F, H = np.diag([4.0, 2.0]), np.diag([1.0, 3.0])  # mean eigenvalue 3
    assert entrywise(predictors.linear_regression(F, H, damping=0.5), np.diag([1 / 5.5, 3 / 3.5])) < 1e-15


def spectral(p):
    """The rule with p(list of eigenvalues, largest last) on F's axes, in 50 digits."""

    def rule(F, H):
        s, U = mp.eigsy(F)
        return U * mp.diag(p([max(value, mp.mpf(0)) for value in s])) * U.T

    return rule


def norm(A):
    return mp.sqrt(sum(a**2 for a in A))


def newton(S, n):
    A, B, I = S / norm(S), mp.eye(S.rows), mp.eye(S.rows)
    for _ in range(n):
        A, B = A * (3 * I - B * A) / 2, (3 * I - B * A) * B / 2  # as printed, B from the old A
    return A, B


def root(S, n):
    return newton(S, n)[0] * mp.sqrt(norm(S))


def visser(F, n, h):
    P = mp.eye(F.rows) / (2 * h)
    for _ in range(n):
        P = P + h * (F - P * P)
    return P


def polar(M, n, scale):
    B = newton(M * M.T, n)[1]
    return B * M / (norm(B) if scale == "print" else mp.sqrt(norm(M * M.T)))


def shifted(F, c):
    return F + c * mp.eye(F.rows)


AGAIN = [
    (Rule.of("direct_pred", eps=0.1), spectral(lambda s: [mp.sqrt(v) + mp.mpf(0.1) * max(s) for v in s])),
    (Rule.of("direct_pred", eps=0.1, eps_mode="relative"),
     spectral(lambda s: [mp.sqrt(v) + mp.mpf(0.1) * mp.sqrt(max(s)) for v in s])),
    (Rule.of("direct_pred", eps=0.1, eps_mode="inside"),
     spectral(lambda s: [mp.sqrt(v + mp.mpf(0.1) * max(s)) for v in s])),
    (Rule.of("direct_pred", eps=0.01, normalise="max", floor=1e-4),
     spectral(lambda s: [max(mp.sqrt(v / max(s)) + mp.mpf(0.01), mp.mpf(1e-4)) for v in s])),
    (Rule.of("direct_pred", c=0.05, eps=0.0), spectral(lambda s: [mp.sqrt(max(v - mp.mpf(0.05), 0)) for v in s])),
    (Rule.of("direct_set", power=0.25, eps=0.2, normalise="trace"),
     spectral(lambda s: [(v / sum(s)) ** mp.mpf(0.25) + mp.mpf(0.2) * max(s) / sum(s) for v in s])),
    (Rule.of("direct_set", power=1.5, eps=0.2, eps_mode="relative", normalise="fro"),
     spectral(lambda s: [(v / norm(s)) ** mp.mpf(1.5) + mp.mpf(0.2) * (max(s) / norm(s)) ** mp.mpf(1.5) for v in s])),
    (Rule.of("direct_copy", eps=0.3), lambda F, H: shifted(F / norm(F), mp.mpf(0.3))),
    (Rule.of("linear_regression"), lambda F, H: H * mp.inverse(F)),
    (Rule.of("linear_regression", damping=1e-4),
     lambda F, H: H * mp.inverse(shifted(F, mp.mpf(1e-4) * sum(F[j, j] for j in range(F.rows)) / F.rows))),
    (Rule.of("neumann"), lambda F, H: 2 * H - H * F),
    (Rule.of("neumann", normalise="fro"), lambda F, H: H * (2 * mp.eye(F.rows) - F / norm(F)) / norm(F)),
    (Rule.of("visser", steps=50), lambda F, H: visser(F, 50, 1 / (2 * mp.sqrt(norm(F))))),
    (Rule.of("visser", steps=20, step=0.3, ridge=0.15),
     lambda F, H: shifted(visser(F, 20, mp.mpf(0.3)), mp.mpf(0.15))),
    (Rule.of("newton_schulz", steps=9), lambda F, H: root(F, 9)),
    (Rule.of("newton_schulz_twice", steps=7), lambda F, H: root(root(F, 7), 7)),
    (Rule.of("stiefel", steps=9), lambda F, H: polar(H, 9, "print")),
    (Rule.of("stiefel", steps=9, scale="polar"), lambda F, H: polar(H, 9, "polar")),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "again"), AGAIN, ids=[repr(rule) for rule, _ in AGAIN])
@pytest.mark.parametrize("case", ["full rank", "ill-conditioned"])
def test_the_formula_in_fifty_digits(rule, again, case):
    F, H = MATRICES[case]
    F = (F + F.T) / 2
    with mp.workdps(50):
        want = np.array(again(mp.matrix(F), mp.matrix(H)).tolist(), dtype=float)
    assert entrywise(rule(F, H), want) < 1e-10  # F's round-off is amplified by up to s^(power - 1)


def test_stiefel_as_printed_is_a_multiple_of_the_identity_whatever_the_data():
    W_p = predictors.stiefel(with_spectrum([3.0, 2.0, 1.0, 0.5]), steps=30)
    assert entrywise(W_p, W_p[0, 0] * np.eye(4)) < 1e-10


@pytest.mark.parametrize(
    "rule",
    [
        Rule.of("neumann"),
        Rule.of("visser", steps=12),
        Rule.of("newton_schulz", steps=9),
        Rule.of("newton_schulz_twice", steps=7),
        Rule.of("stiefel", steps=9),
        Rule.of("direct_copy"),
    ],
    ids=repr,
)
def test_cost_in_products(rule, monkeypatch):
    count, multiply = [0], Modes.__matmul__

    def counting(one, other):
        count[0] += 1
        return multiply(one, other)

    monkeypatch.setattr(Modes, "__matmul__", counting)
    rule.modes(np.array([1.0, 0.5]), np.array([0.5, 0.2]))
    assert count[0] == rule.products
