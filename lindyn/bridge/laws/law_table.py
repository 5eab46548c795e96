"""All laws in one table: what is measured, where it is printed, and what makes it hold.

A verdict compares a whole interval (99 %) with a limit: "holds" where all of it is on the good side, "fails" where none
of it is, "not testable" where the limit lies inside, so that more samples are needed. The limits are set between what
the law says and what a predictor or a target that knows nothing of the features gives.
"""

from dataclasses import dataclass

TIAN = "Tian, Chen, Ganguli 2021"
RICHEMOND = "Richemond et al. 2023"


@dataclass(frozen=True)
class Law:
    """One row of the table.

    Args:
        law: short name, stable.
        title: the law in words.
        statistic: what is measured, with its formula.
        source: paper and equation.
        group: "theory", "assumption", "richemond" or "collapse".
        limit: what the statistic is held against, None where no single reading can decide.
        good: "below" or "above" the limit.
        why: where the limit comes from.
    """

    law: str
    title: str
    statistic: str
    source: str
    group: str
    limit: float | None = None
    good: str = ""
    why: str = ""


_ALL = (
    Law(
        "alignment", "W_p and F share their eigenvectors",
        "mean over the leading modes of cos(u_j, W_p u_j), u_j the eigenvectors of F", f"{TIAN}, Theorem 3, Fig. 2",
        "theory", 0.5**0.5, "above",
        "above 0.71 more of W_p u_j lies along u_j than across it; the limit is half the way from random rotations "
        "of W_p to 1 where that is more",
    ),
    Law(
        "commutator", "W_p commutes with F",
        "||[F, W_p]|| over its root mean square for randomly rotated W_p", f"{TIAN}, Theorem 3", "theory", 0.5, "below",
        "1 for a predictor that ignores F; 0.5 is a quarter of that in squares",
    ),
    Law(
        "symmetry", "W_p is symmetric (Assumption 3)", "||W_p - W_p^T|| / ||W_p||", f"{TIAN}, Assumption 3, Fig. 2",
        "assumption", 0.5, "below",
        "1.41 for independent entries; at 0.5 the antisymmetric part holds 1/16 of ||W_p||^2",
    ),
    Law(
        "psd", "W_p has no negative eigenvalues",
        "sum of |negative eigenvalues| over sum of |eigenvalues| of W_p's symmetric part", f"{TIAN}, Eqs. 11, 18",
        "theory", 0.05, "below", "0.5 for independent entries; the limit is a tenth of that",
    ),
    Law(
        "slope", "p_j grows as the square root of s_j",
        "slope of log p_j against log s_j, p_j = u_j^T W_p u_j", f"{TIAN}, Eqs. 14, 18", "theory", 0.5, "near",
        "the interval must meet 0.5 +- 0.1 and be no wider than 0.25 to either side, half the way to 0 (p knows "
        "nothing of s) and to 1 (p = s)",
    ),
    Law(
        "constant", "p_j^2 / s_j is the learning-rate ratio alpha_p",
        "median over the leading modes of p_j^2 / (alpha_p u_j^T V V^T u_j), V the projector's last layer",
        f"{TIAN}, Theorem 1, Eq. 14", "theory", 1.5, "near",
        "1 if balanced; the interval must lie within a factor 1.5",
    ),
    Law(
        "balance", "the projector's last and the predictor's first layer balance",
        "||V V^T - W_1^T W_1 / alpha_p|| / (||V V^T|| + ||W_1^T W_1|| / alpha_p)", f"{TIAN}, Theorem 1, Eq. 5",
        "theory", 0.2, "below", "0 once the memory C exp(-2 eta t) is lost, 0.5 for independent square weights",
    ),
    Law(
        "target", "target features are tau times the online ones (Assumption 1)",
        "E[t . z] / sqrt(E|t|^2 E|z|^2)", f"{TIAN}, Assumption 1, Fig. 7", "assumption", 0.9, "above",
        "0.9 is what the linear model keeps at gamma_a = 0.996 (Fig. 7)",
    ),
    Law(
        "target_weights", "target's last layer is tau times the online one (Assumption 1)",
        "<V_a, V> / (||V_a|| ||V||)", f"{TIAN}, Assumption 1, Fig. 7", "assumption", 0.9, "above",
        "0.9 is what the linear model keeps at gamma_a = 0.996 (Fig. 7)",
    ),
    Law(
        "isotropy", "inputs of the projector's last layer isotropic (Assumption 2)",
        "spread (standard deviation over mean) of the eigenvalues of F^(-1/2) V V^T F^(-1/2) in the leading modes",
        f"{TIAN}, Assumption 2", "assumption", 0.5, "below",
        "0 if X + X' is a multiple of I; at 0.5 rates of modes differ by about a factor of 3",
    ),
    Law(
        "isotropy_views", "the augmentation hits all modes alike (Assumption 2)",
        "spread (standard deviation over mean) of the eigenvalues of F^(-1/2) E[sym z_1 z_2^T] F^(-1/2)",
        f"{TIAN}, Assumption 2", "assumption", 0.5, "below",
        "0 if X / (X + X') is the same number in every direction; at 0.5 it differs by about a factor of 3",
    ),
    Law(
        "eq17", "every leading mode stays aligned by itself",
        "smallest K_j = alpha_p (x + x') s_j / 2 - p_j (x tau - (x + x') p_j) + eta_s + eta_p / 2", f"{TIAN}, Eq. 17",
        "theory", 0.0, "above", "K_j > 0 for all modes is sufficient for alignment to be stable",
    ),
    Law(
        "eq17_pairs", "no pair of leading modes tilts out of alignment",
        "smallest K_i + K_j over pairs of leading modes", f"{TIAN}, Eqs. 8-10, 17", "theory", 0.0, "above",
        "a tilt of modes i and j changes at the rate -(K_i + K_j): positive is necessary and sufficient",
    ),
    Law(
        "boundary", "prediction: no leading mode is below the collapse boundary",
        "number of leading modes with p_j < p_-(eta, tau)", f"{TIAN}, Eq. 16, Fig. 4", "theory", 0.0, "below",
        "a mode below p_-, or any mode above the critical decay, goes to 0",
    ),
    Law(
        "projection", "W_p is a multiple of an orthogonal projection",
        "distance of W_p to the nearest multiple of an orthogonal projection, over ||W_p||", f"{RICHEMOND}, claim 5",
        "richemond", 0.5, "below", "about 0.9 for independent entries; at 0.5 three quarters of ||W_p||^2 are one",
    ),
    Law(
        "polar", "W_p is a multiple of an orthogonal matrix",
        "distance of W_p to the nearest multiple of its polar factor, over ||W_p||", f"{RICHEMOND}, claim 9",
        "richemond", 0.25, "below", "0.53 for independent entries; the limit is about half of that",
    ),
    Law(
        "stable_rank", "the stable rank of W_p grows during training", "||W_p||_F^2 / ||W_p||_2^2",
        f"{RICHEMOND}, claim 8, Fig. 1", "richemond",
    ),
    Law("trace", "the trace of W_p grows during training", "tr W_p", f"{RICHEMOND}, claim 8, Fig. 1", "richemond"),
    Law(
        "collapse", "the features have not collapsed",
        "sqrt(d) x mean standard deviation of l2-normalised features, and the largest share of tr F in one direction",
        "Chen and He 2021", "collapse", 0.1**0.5, "above",
        "the alarm's limits: spread above 0.32 and no direction with more than 0.9 of tr F",
    ),
    Law(
        "effective_rank", "the features use many directions",
        "exp of the entropy of F's eigenvalues, over min(N - 1, d)", "Roy and Vetterli 2007", "collapse",
    ),
    Law(
        "rankme", "the features use many directions (RankMe)",
        "exp of the entropy of the features' singular values, over min(N - 1, d)", "Garrido et al. 2023", "collapse",
    ),
)  # fmt: skip
LAWS = {row.law: row for row in _ALL}
