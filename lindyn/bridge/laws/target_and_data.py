"""Assumption 1, the target is tau times the online network; Assumption 2, X = I and X' = sigma^2 I, by projections.

The theory's W maps inputs h to z = W h, F = W (X + X') W^T and E[sym z_1 z_2^T] = W X W^T. Projections alone tell two
things of the inputs. Where W = [V b] is the projector's last layer, F^(-1/2) W W^T F^(-1/2) is a multiple of the
identity if and only if X + X' is one on the row space of W, as far as the leading modes reach (`isotropy`). Without W
only the ratio can be tested: F^(-1/2) (W X W^T) F^(-1/2) is x/(x + x') I if both are isotropic (`isotropy_views`).
"""

from dataclasses import replace

import numpy as np

from lindyn import statistics
from lindyn.bridge.laws.law_definition import FEWEST_MODES, TIAN, Judgement, KnownRun, by_limit, law, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import fixed

KEPT = "0.9 is what the linear model keeps at gamma_a = 0.996 (Fig. 7)"
ONLINE = "The target is the online network itself, so that tau = 1."


def target_features(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why the target's features cannot be compared, or nothing."""
    if "target_cosine" in measured.readings:
        return ""
    return ONLINE if run.rates.target == "online" else "The target's features were not given."


@law(
    title="target features are tau times the online ones (Assumption 1)", statistic="E[t . z] / sqrt(E|t|^2 E|z|^2)",
    source=f"{TIAN}, Assumption 1, Fig. 7", group="assumption", limit=0.9, good="above", why=KEPT,
    needs=(target_features,),
    statements=("tian.modes_without_assumption_1",),
)  # fmt: skip
def target(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    tau, low, high = measured.readings["tau"][: measured.leading].ends(together=max(measured.leading, 1))
    whole = measured.readings["tau_all"].interval()
    return by_limit(
        measured.readings["target_cosine"].interval(-1.0, 1.0), f"tau = {whole.value:.3g}",
        tau=whole.value, tau_low=whole.low, tau_high=whole.high,
        tau_per_mode=tau, tau_per_mode_low=low, tau_per_mode_high=high,
    )  # fmt: skip


def target_layers(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why the two last layers cannot be compared, or nothing."""
    V, V_a = measured.last, measured.last_target
    if V is None or V_a is None:
        lacking = "Two projectors that end in a Linear layer are needed."
        return ONLINE if run.rates.target == "online" else lacking
    return "" if V.shape == V_a.shape else f"The two last layers differ in shape, {V.shape} and {V_a.shape}."


@law(
    title="target's last layer is tau times the online one (Assumption 1)", statistic="<V_a, V> / (||V_a|| ||V||)",
    source=f"{TIAN}, Assumption 1, Fig. 7", group="assumption", limit=0.9, good="above", why=KEPT,
    needs=(target_layers,),
    statements=("tian.modes_without_assumption_1",),
)  # fmt: skip
def target_weights(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    V, V_a = measured.last, measured.last_target
    assert V is not None and V_a is not None
    product, size, other = (statistics.inner(A, B) for A, B in ((V, V_a), (V, V), (V_a, V_a)))
    cosine, tau = (
        float(np.nan_to_num(x)) for x in (statistics.cosine(product, size, other), statistics.ratio(product, size))
    )
    return by_limit(fixed(cosine), f"tau = {tau:.3g}", tau=tau)


@law(
    title="inputs of the projector's last layer isotropic (Assumption 2)",
    statistic="spread (standard deviation over mean) of the eigenvalues of F^(-1/2) V V^T F^(-1/2) in the leading "
    "modes",
    source=f"{TIAN}, Assumption 2", group="assumption", limit=0.5, good="below",
    why="0 if X + X' is a multiple of I; at 0.5 rates of modes differ by about a factor of 3",
    statements=("tian.reduction_12", "tian.reduction_gram"),
)  # fmt: skip
def isotropy(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    lacking = "The projector does not end in a Linear layer whose weights are here."
    return _spread(measured, "inputs_sq", lacking)


@law(
    title="the augmentation hits all modes alike (Assumption 2)",
    statistic="spread (standard deviation over mean) of the eigenvalues of F^(-1/2) E[sym z_1 z_2^T] F^(-1/2)",
    source=f"{TIAN}, Assumption 2", group="assumption", limit=0.5, good="below",
    why="0 if X / (X + X') is the same number in every direction; at 0.5 it differs by about a factor of 3",
    statements=("tian.reduction_12", "tian.reduction_gram"),
)  # fmt: skip
def isotropy_views(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    if "views_sq" in measured.readings and measured.X_aug is not None and not np.any(measured.X_aug):
        return untestable("The two views are the same numbers: X' = 0, and nothing is told of the augmentation.")
    found = _spread(measured, "views_sq", "There is no second view.")
    if found.verdict:
        return found
    return replace(found, details={**found.details, "rho": measured.readings["rho"].full[: measured.window]})


def _spread(measured: MeasuredNetwork, name: str, lacking: str) -> Judgement:
    square = measured.readings.get(name)
    if square is None:
        return untestable(lacking if measured.readings else "There are no features.")
    if measured.window < FEWEST_MODES:
        return untestable(f"Only {measured.window} modes stand above the noise, {FEWEST_MODES} are needed.")
    return by_limit(square.interval(0.0).root(), modes=measured.window)
