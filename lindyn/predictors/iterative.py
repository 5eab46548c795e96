"""Rules by products alone: Neumann, Visser, Newton-Schulz, Newton-Schulz twice, Stiefel."""

from typing import Any

from lindyn import _checks
from lindyn.equations import closed_form
from lindyn.predictors import arrays
from lindyn.predictors.definition import closed_form_rule

SCALES = ("print", "polar")


def coupled_newton_schulz(S: Any, steps: int) -> tuple[Any, Any, Any]:
    """Return (A_n, B_n, ||S||_F) of the coupled iteration on A_0 = S / ||S||_F, B_0 = I; 3 products a step.

    A_n -> A_0^(1/2), B_n -> A_0^(-1/2). On an eigenvalue a of A_0, A_k = a^(1/2) u_k and B_k = a^(-1/2) u_k with
    u_0 = a^(1/2), u_{k+1} = u_k (3 - u_k^2)/2. So 1 - u falls quadratically, (1 - u)^2 (2 + u)/2 a step, once a is past
    about 2.25^-n; before, u grows by up to 3/2 a step.
    """
    norm, I = arrays.frobenius(S), arrays.identity(S)
    A, B = S / arrays.positive(norm), I
    for _ in range(steps):
        A, B = closed_form.newton_schulz_step(A, B, I)
    return A, B, norm


@closed_form_rule(products=1, cross="required")
def neumann(F: Any, cross: Any, *, normalise: str = "none") -> Any:
    """Set W_p = 2 H - H F (NE), the regression H F^-1 with F^-1 ~ 2 I - F.

    Cost: 1 product. Meaningful only where the eigenvalues of F lie in (0, 2); normalise="fro" takes
    F^-1 ~ (2 I - F/N)/N with N = ||F||_F, which is safe for every F and exact at F = N I.

    Args:
        F: correlation of the online outputs, E[z z^T], d x d, symmetric PSD.
        cross: H = E[z' z^T], target with online (Richemond's (Z^T Z')^T / b), d x d.
        normalise: "none" as printed, or "fro".
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d. F = 0 gives 2 H ("none"), 2 H ("fro").

    Raises:
        ValueError: a matrix not square, of another size, NaN or infinite, in half precision; F not symmetric.

    Source: Richemond et al. 2023 (P = 2 Z^T Z' - Z^T Z Z^T Z' acts on rows; W_p = P^T).
    """
    if _checks.one_of("normalise", normalise, ("none", "fro")) == "none":
        return closed_form.neumann(F, cross)
    norm = arrays.positive(arrays.frobenius(F))
    return closed_form.neumann(F / norm, cross / norm)


@closed_form_rule(per_step=1)
def visser(F: Any, *, steps: int = 50, step: float | None = None) -> Any:
    """Set W_p = P_n, P_0 = I/(2 h), P_{k+1} = P_k + h (F - P_k^2): Visser's iteration towards F^(1/2).

    Cost: 1 product a step. Converges for h sqrt(s_max) < 1 (not for every h > 0 as printed). Error of a mode with the
    default h, N = ||F||_F: 0 <= p_j - sqrt(s_j) <= sqrt(N) min((1 - r)^(n + 1), 2/(n + 2)) with r = sqrt(s_j/N), since
    it falls by the factor 1 - h (p_j + sqrt(s_j)) a step: linear convergence, largest at s_j = 0 (n = 50: 3.9 % of
    sqrt(N)).

    Args:
        F: correlation of the online outputs, d x d, symmetric PSD.
        steps: n, >= 1 ("several dozen").
        step: h > 0; default None, 1/(2 sqrt(||F||_F)), which converges for every F and starts at sqrt(||F||_F).
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d, symmetric. F = 0 gives about 2/(n + 2) I with the default h = 1/2.

    Raises:
        ValueError: F not square, not symmetric, NaN or infinite, in half precision; steps < 1, step <= 0.

    Source: Richemond et al. 2023; Visser 1937.
    """
    n, I = _checks.as_whole("steps", steps), arrays.identity(F)
    if step is None:
        h = 1 / (2 * arrays.namespace(F).sqrt(arrays.positive(arrays.frobenius(F))))
    else:
        h = _checks.as_scalar("step", step, minimum=0.0, exclusive=True)
    P = I / (2 * h)
    for _ in range(n):
        P = closed_form.visser_step(P, F, h)
    return P


@closed_form_rule(per_step=3)
def newton_schulz(F: Any, *, steps: int = 9) -> Any:
    """Set W_p = A_n ||F||_F^(1/2) of the coupled Newton-Schulz iteration: towards F^(1/2) (NS).

    A_0 = F/||F||_F, B_0 = I, T = 3 I - B A, A <- A T/2, B <- T B/2. Cost: 3 products a step. Error of a mode, N =
    ||F||_F: p_j = sqrt(s_j) u_n exactly, u_0 = sqrt(s_j/N), u_{k+1} = u_k (3 - u_k^2)/2 <= 1. So modes past about
    2.25^-n N are at their root (quadratic convergence), smaller ones below it, at (3/2)^n s_j/sqrt(N); in all
    0 <= sqrt(s_j) - p_j <= 0.272 (2/3)^n sqrt(N) (n = 9: 0.71 % of sqrt(N)), largest near s_j = 0.36 2.25^-n N.

    Args:
        F: correlation of the online outputs, d x d, symmetric PSD.
        steps: n, >= 1; 9 in the tables. Past about 30 round-off in the coupled products grows where F is singular.
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d, symmetric. F = 0 gives 0.

    Raises:
        ValueError: F not square, not symmetric, NaN or infinite, in half precision; steps < 1.

    Source: Richemond et al. 2023; Higham 1997.
    """
    A, _, norm = coupled_newton_schulz(F, _checks.as_whole("steps", steps))
    return A * arrays.namespace(F).sqrt(norm)


@closed_form_rule(per_step=6)
def newton_schulz_twice(F: Any, *, steps: int = 7) -> Any:
    """Set W_p towards F^(1/4): Newton-Schulz on F, then on its result (NS^2).

    Cost: 6 products a step. Error of a mode, with u_n(.) of `newton_schulz`: q_j = sqrt(s_j) u_n(sqrt(s_j/||F||_F)),
    p_j = sqrt(q_j) u_n(sqrt(q_j/||q||)) <= s_j^(1/4), and ||q||^2 <= sqrt(d) ||F||_F. So n = 7 leaves an error of at
    most 0.075 ||F||_F^(1/4) at d = 1 and 0.093 at d = 256: a fourth root is steep at 0, and modes below 1e-2 of the
    norm are not yet there.

    Args:
        F: correlation of the online outputs, d x d, symmetric PSD.
        steps: n of each, >= 1; 7 in the tables.
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d, symmetric. F = 0 gives 0.

    Raises:
        ValueError: F not square, not symmetric, NaN or infinite, in half precision; steps < 1.

    Source: Richemond et al. 2023.
    """
    return newton_schulz.core(newton_schulz.core(F, steps=steps), steps=steps)


@closed_form_rule(products=2, per_step=3, cross="optional")
def stiefel(F: Any, cross: Any = None, *, steps: int = 9, scale: str = "print") -> Any:
    """Set W_p = B_n M / ||B_n||_F with B_n from Newton-Schulz on M M^T, M = cross: towards the polar factor of M.

    The polar factor of H = E[z' z^T] is the orthogonal W_p that predicts z' best (Procrustes). In print the rule is
    B_n Sigma^T / ||B_n||_F with Sigma = Z^T Z/b acting on rows: for that symmetric Sigma it tends to a multiple of I
    whatever the data (`cross=None`), and with Sigma = Z^T Z'/b the formula is ours for W_p, and the transpose of the
    best P on rows. ||B_n||_F is not the factor that makes it orthogonal either; scale="polar" is.
    Cost: 3 products a step and 2 more. With scale="polar" a singular value m_j of M becomes u_n(m_j/||M M^T||_F^(1/2)),
    see `newton_schulz`: directions in which M M^T is below 2.25^-n of its norm are not yet at length 1.

    Args:
        F: correlation of the online outputs, d x d; read only where `cross` is None.
        cross: H = E[z' z^T], d x d; None takes F, as printed.
        steps: n, >= 1; 9 in the tables.
        scale: "print" divides by ||B_n||_F; "polar" by ||M M^T||_F^(1/2), which gives the polar factor.
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d. M = 0 gives 0.

    Raises:
        ValueError: a matrix not square, of another size, NaN or infinite, in half precision; steps < 1.

    Source: Richemond et al. 2023.
    """
    M = F if cross is None else cross
    _checks.one_of("scale", scale, SCALES)
    _, B, norm = coupled_newton_schulz(M @ M.T, _checks.as_whole("steps", steps))
    size = arrays.frobenius(B) if scale == "print" else arrays.namespace(norm).sqrt(norm)
    return B @ M / arrays.positive(size)
