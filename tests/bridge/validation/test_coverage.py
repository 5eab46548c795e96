"""Every statistic's interval holds the truth in at least 95 % of seeded draws from an exactly aligned model."""

import numpy as np
import pytest

from lindyn.bridge import laws
from lindyn.bridge.laws import KnownRun
from lindyn.bridge.measure import gathering, measuring
from lindyn.bridge.measure.measuring import measure
from lindyn.equations import modes
from lindyn.observables import entropy_rank
from lindyn.theory.stationary_points import branches
from tests.bridge.validation.synthetic import RATES, Aligned, Arrays, linear, of

N = 1000
ROUND_OFF = 1e-6


def truths(model, leading, shape, noise=0.0):
    """Return the true value of every law's statistic by hand; `leading` modes, a map's shape in `shape` modes."""
    s, d = model.s, len(model.s)
    p, here = model.p[:shape], model.p[:leading]
    eta = RATES.eta_s
    D = modes.drive(here, model.tau, model.rho, 1 - model.rho)
    K = np.sort(modes.alignment_rate(here, s[:leading], D, RATES.alpha_p, eta, eta, model.rho, 1 - model.rho))
    projection = max(p[:k].sum() ** 2 / k for k in range(1, shape + 1)) / np.sum(p**2)
    return {
        "alignment": 1.0,
        "commutator": 0.0,
        "symmetry": 0.0,
        "psd": 0.0,
        "slope": 0.5,
        "constant": 1.0,
        "target": model.tau / np.sqrt(model.tau**2 + noise**2),
        "isotropy": 0.0,
        "isotropy_views": 0.0,
        "eq17": K[0],
        "eq17_pairs": K[0] + K[1],
        "boundary": np.sum(here < branches(eta, model.tau, model.rho, 1 - model.rho)[0]),
        "projection": np.sqrt(1 - projection),
        "polar": np.sqrt(1 - p.sum() ** 2 / (shape * np.sum(p**2))),
        "stable_rank": np.sum(p**2) / p[0] ** 2,
        "trace": p.sum(),
        "effective_rank": entropy_rank(s) / d,
        "rankme": entropy_rank(np.sqrt(s)) / d,
    }


def covered(model, source, predictor, noise=0.0, without=()):
    """Return by law whether its interval holds the truth; NaN where the law has no interval for want of samples."""
    measured = measure(source, predictor, linear(model.V), None)
    found = laws.findings(measured, KnownRun(RATES))
    shape = measured.dim if measured.shape else measured.shape_modes
    wanted = {law: value for law, value in truths(model, measured.leading, shape, noise).items() if law not in without}
    return {law: holds(of(found, law), value) for law, value in wanted.items()}


def holds(finding, value):
    if np.isnan(finding.low):
        return np.nan
    return float(finding.low - ROUND_OFF <= value <= finding.high + ROUND_OFF)


def shares(draws, one):
    """Return by law the share of the draws with an interval that hold the truth; most draws must have one."""
    every = [one(seed) for seed in range(draws)]
    columns = {law: np.array([held[law] for held in every]) for law in every[0]}
    assert all(np.mean(np.isfinite(column)) > 0.5 for column in columns.values())
    return {law: float(np.nanmean(column)) for law, column in columns.items()}


def exact(n):
    def one(seed):
        model = Aligned.of(8, seed)
        return covered(model, model.draw(n, seed, noise=0.3), linear(model.W_p), noise=0.3)

    return one


def fitted(n):
    """The map comes from an MLP's outputs; nothing then binds the last layer to it, and p is that of the map."""

    def one(seed):
        model = Aligned.of(8, seed)
        return covered(model, model.draw(n, seed, noise=0.3), model.mlp(0.5), noise=0.3, without=("constant",))

    return one


def in_a_basis(n):
    """d = 24 by 8 leading modes only: what the bootstrap leaves out must not cost coverage."""
    whole = ("alignment", "commutator", "slope", "constant", "target", "isotropy", "isotropy_views", "eq17")
    unseen = [law for law in truths(Aligned.of(24, 0, 0.7), 8, 24) if law not in whole]

    def one(seed):
        model = Aligned.of(24, seed, 0.7)
        return covered(model, model.draw(n, seed, noise=0.3), linear(model.W_p), noise=0.3, without=unseen)

    return one


@pytest.mark.parametrize("case", [exact(N), fitted(N), exact(200)], ids=["exact", "fitted", "few samples"])
def test_intervals_hold_the_truth_in_some_draws(case):
    held = shares(20, case)
    assert min(held.values()) >= 0.9, held


DRAWS = pytest.mark.parametrize(
    "draws", [pytest.param(60, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.long)]
)


@DRAWS
@pytest.mark.parametrize(
    "case", [exact(N), fitted(N), exact(200), fitted(200)], ids=["exact", "fitted", "exact, few", "fitted, few"]
)
def test_intervals_hold_the_truth_in_95_of_100_draws(case, draws):
    held = shares(draws, case)
    assert min(held.values()) >= 0.95, held


@DRAWS
def test_intervals_hold_the_truth_when_blocks_are_kept_in_a_basis(monkeypatch, draws):
    for module in (measuring, gathering):
        monkeypatch.setattr(module, "MODES", 8)
    held = shares(draws, in_a_basis(2000))
    assert min(held.values()) >= 0.95, held


@DRAWS
def test_the_spread_of_normalised_features_is_covered(draws):
    """std has no simple truth; a million draws of the same model stand for it."""
    model = Aligned.of(8, 0)
    truth = of(laws.findings(measure(model.draw(1_000_000, 10**6)), KnownRun(RATES)), "collapse").value

    def one(seed):
        finding = of(laws.findings(measure(model.draw(400, seed)), KnownRun(RATES)), "collapse")
        return {"collapse": holds(finding, truth)}

    assert shares(draws, one)["collapse"] >= 0.95


def test_intervals_are_no_wider_than_a_few_standard_errors():
    """An interval that is always wide would cover anything: of a mean it must be 5.4 standard errors (99 %)."""
    model = Aligned.of(8, 0)
    widths, values = [], []
    for seed in range(30):
        source = model.draw(N, seed, noise=0.3)
        measured = measure(Arrays(source.z1, source.z2, source.target1), linear(model.W_p), linear(model.V))
        tau = measured.readings["tau_all"].interval()
        widths.append(tau.high - tau.low)
        values.append(tau.raw)
    assert 4.0 < np.mean(widths) / np.std(values) < 8.5
