"""What the words of a report mean, in the papers' symbols."""

TERMS = {
    "F, s_j, u_j": "F = E[z z^T] of the projections z that enter the predictor, not centred; s_j and u_j are its "
    "eigenvalues and eigenvectors, largest first. With N samples no more than min(N - 1, d) of them are known.",
    "W_p, p_j": "The predictor as a linear map on column vectors; p_j = u_j^T W_p u_j, paired with s_j by u_j and not "
    "by rank. Of a predictor with hidden layers three linear maps are given: the one fitted on the features, "
    "the mean Jacobian, and the product of its weights with BatchNorm folded in; 'explains' is the share of the "
    "variance of the predictor's output that the map with the best offset reproduces.",
    "alignment": "Cosine between u_j and W_p u_j, sign kept: 1 where u_j is an eigenvector of W_p with p_j > 0.",
    "slope of p against s": "Exponent of the power law p_j ~ s_j^slope by least squares in log-log over the modes of "
    "the window; 1/2 where the weights are balanced (Eq. 14) and in DirectPred (Eq. 18).",
    "tau": "Target over online weights, W_a = tau W (Assumption 1), per mode.",
    "x, x'": "Eigenvalues of X = E[xbar xbar^T], the mean view, and of X' = E Var[view], the augmentation, along a "
    "mode.",
    "alpha_p, beta, eta_p, eta_s": "Rates in flow time (learning rate x steps): learning-rate ratio predictor / "
    "online, EMA rate of the target, weight decay of predictor and of online network.",
    "p_-, p_+": "Fixed points of a mode (Eq. 16): below p_- it collapses to 0, above it grows to p_+. Above the "
    "critical decay tau^2 x^2 / (4 (x + x')) neither exists and the mode collapses.",
    "balance": "Theorem 1: W W^T - W_p^T W_p / alpha_p = exp(-2 eta t) C for equal decays.",
    "effective rank, RankMe": "exp of the entropy of F's eigenvalues (Roy and Vetterli 2007), and of the features' "
    "singular values (Garrido et al. 2023); shares are of min(N - 1, d).",
    "spread": "sqrt(d) x the mean standard deviation of l2-normalised features: 1 if isotropic, 0 if all are one "
    "vector.",
    "holds, fails, not testable": "The verdict on a law: by its whole interval (99 %, bootstrap over samples) "
    "against the value that the theory has, or why the input does not permit a test.",
    "sure, likely, a guess": "How far advice can be trusted: without a weak point, with one (an assumed rate, another "
    "loss than the theory's, a linear map that explains little, few samples, a law that fails), with more.",
}
