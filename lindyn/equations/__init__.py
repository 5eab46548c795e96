"""Every right-hand side of the theory, written once as plain arithmetic.

The modules of this folder import nothing and use only ``+ - * / @ .T`` on their arguments, so that one
line of code is integrated (numpy, JAX), swept (numba), proved (sympy) and compared with a layer's
gradient (torch).

    loss          J, Eq. 1
    weights       (W_p, W, W_a): Lemma 1 (Eqs. 2-4) and the flow without stop-gradient (Theorem 2)
    gram          (W_p, F, H, J): exact n2 x n2 reduction for isotropic data
    correlation   (W_p, F, tau): Assumptions 1 + 2, with and without symmetrisation (Eq. 7)
    modes         (p, s, tau) and (p, w, a), one eigen-direction at a time (Eqs. 11-13, Appendix D)
    parabola      (p, tau) on s = p^2 / alpha_p (Eqs. 15-16)
    view_correlations  what a closed-form predictor sees of the outputs
    target        tau under Assumption 1 (Eq. 13)
    matrices      H of Theorem 2, K of Theorem 3, the conserved matrix C of Theorem 1
    descent       one finite step: momentum and EMA as in training
    closed_form   closed-form predictors, line by line
    cosine        G of the cosine loss: the closure, exact per mode, of a minibatch
    batchnorm     the rows of W under BatchNorm at the end of the projector
    projector     the layers of a deep linear projector
    rest          collapse of direction: rest spectrum, transverse matrix, lifetime, clock and angle per step
    halvagal, bao the eigenvalue equations of Halvagal et al. 2023, the frozen-norm system of Bao 2025

Symbols: W online (n2 x n1), W_p predictor (n2 x n2), W_a target (n2 x n1); X, X_aug = X' data moments
(n1 x n1); F = W W^T; tau target/online ratio; p, s eigenvalues of W_p, F; alpha_p predictor learning-rate
ratio; beta EMA rate; eta_p, eta_s weight decay of predictor and online network. Time is flow time
(learning rate x steps / (1 - momentum)). Source: Tian, Chen, Ganguli 2021; equation numbers are that paper's.
"""
