"""What each name means: one table for the help of flags, the attributes of files, the report's words and the docs."""

from dataclasses import dataclass

from lindyn._options import DESCENT, QUANTITIES, Option
from lindyn.display.brief import Brief

KINDS = ("quantity", "array", "word")


@dataclass(frozen=True, repr=False)
class Term(Brief):
    """A name and what it means.

    Args:
        name: as it is written.
        meaning: in words.
        kind: "quantity" of a flag or sweep, "array" of a file, or "word" of the report.
        unit: of a quantity.
        default: of a quantity, None where it has none.
        formula: in LaTeX, "" for none.
    """

    name: str
    meaning: str
    kind: str = "word"
    unit: str = ""
    default: float | None = None
    formula: str = ""


def _quantity(option: Option) -> Term:
    """Return the entry of a flag, whose words stand beside its type and default."""
    return Term(option.name, option.help, "quantity", option.unit, option.default)


def _array(name: str, meaning: str) -> Term:
    return Term(name, meaning, "array")


WORDS = (
    Term(
        "F, s_j, u_j",
        "F = E[z z^T] of the projections z that enter the predictor, not centred; s_j and u_j are its "
        "eigenvalues and eigenvectors, largest first. With N samples no more than min(N - 1, d) of them "
        "are known.",
        formula=r"F = \mathbb{E}\,[z z^{\top}], \qquad F u_j = s_j u_j",
    ),
    Term(
        "W_p, p_j",
        "The predictor as a linear map on column vectors; p_j = u_j^T W_p u_j, paired with s_j by u_j and "
        "not by rank. Of a predictor with hidden layers three linear maps are given: the one fitted on "
        "the features, the mean Jacobian, and the product of its weights with BatchNorm folded in; "
        "'explains' is the share of the variance of the predictor's output that the map with the best "
        "offset reproduces.",
        formula=r"p_j = u_j^{\top} W_p\, u_j",
    ),
    Term(
        "alignment",
        "Cosine between u_j and W_p u_j, sign kept: 1 where u_j is an eigenvector of W_p with p_j > 0.",
    ),
    Term(
        "slope of p against s",
        "Exponent of the power law p_j ~ s_j^slope by least squares in log-log over the modes of the "
        "window; 1/2 where the weights are balanced (Eq. 14) and in DirectPred (Eq. 18).",
        formula=r"p_j \propto s_j^{1/2}",
    ),
    Term(
        "tau",
        "Target over online weights, W_a = tau W (Assumption 1), per mode.",
    ),
    Term(
        "x, x'",
        "Eigenvalues of X = E[xbar xbar^T], the mean view, and of X' = E Var[view], the augmentation, along a mode.",
    ),
    Term(
        "alpha_p, beta, eta_p, eta_s",
        "Rates in flow time (the sum over the steps of c x learning rate / (1 - momentum), the loss being "
        "c times J of Eq. 1): learning-rate ratio predictor / online, EMA rate of the target, weight "
        "decay of predictor and of online network.",
    ),
    Term(
        "p_-, p_+",
        "Fixed points of a mode (Eq. 16): below p_- it collapses to 0, above it grows to p_+. Above the "
        "critical decay tau^2 x^2 / (4 (x + x')) neither exists and the mode collapses.",
        formula=r"p_{\pm} = \frac{\tau x \pm \sqrt{\tau^2 x^2 - 4 \eta (x + x')}}{2 (x + x')}",
    ),
    Term(
        "balance",
        "Theorem 1: W W^T - W_p^T W_p / alpha_p = exp(-2 eta t) C for equal decays.",
        formula=r"W W^{\top} - \frac{1}{\alpha_p} W_p^{\top} W_p = e^{-2 \eta t}\, C",
    ),
    Term(
        "squared theory, normalised theory",
        "Two theories of the same training, both started from the run's first checkpoint by the run's own "
        "rates, nothing fitted. Squared: the last linear layer under the squared distance, without "
        "BatchNorm (Tian et al. 2021). Normalised: all linear layers of the projector under the run's own "
        "loss, which compares directions, with BatchNorm at the end, by the run's own steps "
        "(docs/normalised.md).",
    ),
    Term(
        "error of the spectrum's shape",
        "|s - s'| over the larger of both, the eigenvalues of F in the network and in the theory scaled "
        "to one sum, averaged over the readings: 0 where the features share their variance among "
        "directions as the theory says; up to 0.1 the theory follows the run, to 0.25 describes it, to "
        "0.5 in part.",
    ),
    Term(
        "effective rank, RankMe",
        "exp of the entropy of F's eigenvalues (Roy and Vetterli 2007), and of the features' singular "
        "values (Garrido et al. 2023); shares are of min(N - 1, d).",
        formula=r"\exp\Bigl(-\sum_j q_j \ln q_j\Bigr), \qquad q_j = \frac{s_j}{\sum_k s_k}",
    ),
    Term(
        "spread",
        "sqrt(d) x the mean standard deviation of l2-normalised features: 1 if isotropic, 0 if all are one vector.",
    ),
    Term(
        "holds, fails, not testable",
        "The verdict on a law: by its whole interval (99 %, bootstrap over samples) against the value "
        "that the theory has, or why the input does not permit a test.",
    ),
    Term(
        "sure, likely, a guess",
        "How far advice can be trusted: without a weak point, with one (an assumed rate, another loss "
        "than the theory's, a linear map that explains little, few samples, a law that fails), with more.",
    ),
)
TABLE: tuple[Term, ...] = (
    *map(_quantity, (QUANTITIES | DESCENT).values()),
    _array("W", "online weights W"), _array("W_p", "predictor W_p"), _array("W_a", "target weights W_a"),
    _array("F", "correlation F = W W^T"), _array("H", "H = W_a W^T"), _array("J", "J = W_a W_a^T"),
    _array("p", "eigenvalue of the predictor"), _array("s", "eigenvalue of F = W W^T"),
    _array("tau", "target / online ratio"), _array("w", "online weight of the mode"),
    _array("a", "target weight of the mode"), _array("X", "second moment X of the mean view"),
    _array("X_aug", "covariance X' of the augmentation"), _array("x", QUANTITIES["x"].help),
    _array("x_aug", QUANTITIES["x_aug"].help),
    _array("sigma2", "variance of the augmentation, X' = sigma2 I"), *WORDS,
)  # fmt: skip
"""Every entry, in the order in which a page shows those of a kind."""


def terms(kind: str) -> tuple[Term, ...]:
    """Return the entries of a kind, see `KINDS`."""
    return tuple(term for term in TABLE if term.kind == kind)


_ARRAYS = {term.name: term.meaning for term in terms("array")}


def array_meaning(name: str, otherwise: str = "") -> str:
    """Return what an array of a file is; one of another package is called by its name, or by other words."""
    return _ARRAYS.get(name, otherwise or name)
