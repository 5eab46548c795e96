"""Matrices diagonal in one basis, by their eigenvalues: the rules are written for matrices and run on these too."""

from typing import Any


class Modes:
    """Eigenvalues of matrices that share a basis: `@` multiplies them mode by mode, `.T` changes nothing.

    Args:
        values: one entry per mode (an array of any library), or a symbol.
    """

    __slots__ = ("values",)
    __array_ufunc__ = None  # numpy then leaves `2 * modes` to us

    def __init__(self, values: Any) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"Modes({self.values!r})"

    @property
    def T(self) -> "Modes":
        """The transposed matrix has the same eigenvalues."""
        return self

    def __matmul__(self, other: "Modes") -> "Modes":
        return Modes(self.values * other.values)

    def __add__(self, other: "Modes") -> "Modes":
        return Modes(self.values + other.values)

    def __sub__(self, other: "Modes") -> "Modes":
        return Modes(self.values - other.values)

    def __mul__(self, number: Any) -> "Modes":
        return Modes(self.values * number)

    __rmul__ = __mul__

    def __truediv__(self, number: Any) -> "Modes":
        return Modes(self.values / number)
