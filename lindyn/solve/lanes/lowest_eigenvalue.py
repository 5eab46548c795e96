"""The smallest eigenvalue of a symmetric matrix on a path: whether it falls below a floor, and how deep in a step."""

from lindyn.solve.lanes.tape_products import compiled


@compiled
def not_above(M, n, floor):  # type: ignore[no-untyped-def]
    """Return whether a symmetric matrix less floor I has a pivot that is not positive; M is overwritten."""
    for i in range(n):
        M[i, i] -= floor
    for j in range(n):
        if not M[j, j] > 0.0:
            return True
        for i in range(j + 1, n):
            share = M[i, j] / M[j, j]
            for k in range(j + 1, i + 1):
                M[i, k] -= share * M[k, j]
    return False


@compiled
def dip(values):  # type: ignore[no-untyped-def]
    """Return the smallest value of the quartic through five values at 0, 1/4, .., 1."""
    a, b, c, d, e = values
    one, two = (8.0 * (d - b) - (e - a)) / 12.0, (16.0 * (b + d) - 30.0 * c - (a + e)) / 24.0
    three, four = (e - a - 2.0 * (d - b)) / 12.0, (a + e - 4.0 * (b + d) + 6.0 * c) / 24.0
    lowest = min(min(a, b), min(min(c, d), e))
    for k in range(-16, 17):
        u = k / 8.0
        for _ in range(4):
            bend = 2.0 * two + u * (6.0 * three + 12.0 * u * four)
            if bend > 0.0:
                u -= (one + u * (2.0 * two + u * (3.0 * three + 4.0 * u * four))) / bend
        if -2.0 <= u <= 2.0:
            lowest = min(lowest, c + u * (one + u * (two + u * (three + u * four))))
    return lowest
