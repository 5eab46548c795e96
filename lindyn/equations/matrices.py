"""The matrices of Theorems 1-3. `I` is the identity of the array type in use, passed in by the caller."""


def balance(W, W_p, alpha_p):
    """Return W W^T - W_p^T W_p / alpha_p, which equals exp(-2 eta t) C along Lemma 1's flow (Theorem 1, Eq. 5)."""
    return W @ W.T - W_p.T @ W_p / alpha_p


def H_factors(W_p, I):
    """Return the n2 x n2 factors of H = X' (x) (W_p^T W_p + I) + X (x) (W_p - I)^T (W_p - I) + eta I (Eq. 6)."""
    return W_p.T @ W_p + I, (W_p - I).T @ (W_p - I)


def H_action(W, W_p, X, X_aug, eta_s, I):
    """Return the matrix form of H vec(W), so that dW/dt = -H_action (Theorem 2; W_a = W, no stop-gradient)."""
    on_aug, on_mean = H_factors(W_p, I)
    return on_aug @ W @ X_aug + on_mean @ W @ X + eta_s * W


def K(W_p, F, tau, alpha_p, eta_p, eta_s, x, x_aug, I):
    """Return K of Theorem 3 (Eq. 9), n2 x n2 symmetric, for separate decays and general x, x_aug.

    (x + x_aug)[(alpha_p/2) F + W_p^2] - x tau W_p + (eta_s + eta_p/2) I. At x = 1, x_aug = sigma^2 and
    eta_p = eta_s this is the printed K, with 3 eta / 2 in the last term.
    """
    v = x + x_aug
    return v * (alpha_p / 2 * F + W_p @ W_p) - x * tau * W_p + (eta_s + eta_p / 2) * I


def commutator(A, B):
    """Return [A, B] = A B - B A."""
    return A @ B - B @ A
