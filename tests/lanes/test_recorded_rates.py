"""Recorded rates integrated side by side: the method's order, the flows themselves, places, neighbours, times."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.solve.lanes import eighth_order, recorded_march
from lindyn.solve.lanes.lowest_eigenvalue import dip, not_above
from lindyn.solve.lanes.recorded_rates import record
from lindyn.sweeps import matrix_kernel

ALONE = pytest.mark.slow  # a second compilation


def systems(form, count, seed=0):
    """Return random starts and rates of a form."""
    rng = np.random.default_rng(seed)
    n, columns = form.n2, form.columns
    W = rng.standard_normal((count, n, columns)) / np.sqrt(4 * columns)
    W_p = rng.standard_normal((count, n, n)) / np.sqrt(n)
    if form.predictor == "symmetrised":
        W_p = (W_p + np.swapaxes(W_p, 1, 2)) / 2
    tau = np.ones(count) if form.target == "online" else rng.uniform(0.3, 1.0, count)
    start = {
        "W": W,
        "W_p": W_p,
        "W_a": tau[:, None, None] * W,
        "F": W @ np.swapaxes(W, 1, 2),
        "tau": tau[:, None, None],
    }
    constants = {
        "alpha_p": rng.uniform(0.5, 2.0, count),
        "beta": rng.uniform(0.1, 1.0, count),
        "eta_p": rng.uniform(0.0, 0.1, count),
        "eta_s": rng.uniform(0.0, 0.1, count),
        "x": rng.uniform(0.7, 1.3, count),
        "x_aug": rng.uniform(0.1, 0.5, count),
    }
    return start, constants


def shared_data(form, seed=1):
    """Return X and X' of the form's coordinates."""
    rng = np.random.default_rng(seed)
    if form.data == "commuting":
        return {name: rng.uniform(0.3, 1.5, (1, form.columns)) for name in ("X", "X_aug")}
    factors = {name: rng.standard_normal((form.columns, form.columns)) for name in ("X", "X_aug")}
    return {name: A @ A.T / form.columns for name, A in factors.items()} if form.data == "general" else {}


def one_by_one(form, start, constants, shared, k, ts):
    """Return the states of system k by scipy on the very flow."""
    own = {name: float(values[k]) for name, values in constants.items()}
    hp = ld.Hyperparameters(own["alpha_p"], own["beta"], eta_p=own["eta_p"], eta_s=own["eta_s"])
    more = {"target": form.target, "predictor": form.predictor}
    if form.system == "correlation":
        flow = ld.CorrelationFlow(hp, own["x_aug"], own["x"], **more)
        y = ld.CorrelationState(W_p=start["W_p"][k], F=start["F"][k], tau=start["tau"][k, 0, 0])
    else:
        data = ld.Moments.isotropic(form.columns, own["x_aug"], own["x"])
        if shared:
            X, X_aug = (np.diag(M[0]) if len(M) == 1 else M for M in shared.values())
            data = ld.Moments(own["x"] * X, own["x_aug"] * X_aug)
        flow = ld.WeightFlow(hp, data, loss=form.loss, normalise=form.normalise, **more)
        y = ld.WeightState(W=start["W"][k], W_p=start["W_p"][k], W_a=start["W_a"][k])
    return ld.simulate(flow, y, ts=[0.0, *ts], engine="scipy", rtol=1e-11, reduction="printed")


FORMS = [
    matrix_kernel.SystemForm("weights", 4, 4),
    matrix_kernel.SystemForm("weights", 5, 3, target="online", predictor="symmetrised"),
    matrix_kernel.SystemForm("weights", 3, 6, "commuting", target="frozen"),
    matrix_kernel.SystemForm("weights", 3, 5, "general"),
    matrix_kernel.SystemForm("weights", 4, 4, loss="cosine"),
    matrix_kernel.SystemForm("weights", 3, 5, "general", loss="cosine", normalise="batchnorm"),
    matrix_kernel.SystemForm("weights", 4, 5, "commuting", target="online", normalise="batchnorm"),
    matrix_kernel.SystemForm("correlation", 5, 5),
    matrix_kernel.SystemForm("correlation", 3, 3, target="online", predictor="symmetrised"),
    pytest.param(matrix_kernel.SystemForm("weights", 25, 26, "commuting"), marks=ALONE),
    pytest.param(matrix_kernel.SystemForm("correlation", 27, 27), marks=ALONE),
]


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_every_form_equals_its_flow(form):
    count, ts = 10, np.array([1.5, 6.0])
    start, constants = systems(form, count)
    shared = shared_data(form)
    told, lowest, steps, status = matrix_kernel.solve(
        form, start, constants, shared, times=ts, rtol=1e-9, max_steps=10_000
    )
    assert not status.any() and np.all(np.diff(steps, axis=1) > 0)
    for k in (0, count - 1):
        run = one_by_one(form, start, constants, shared, k, ts)
        for name, values in told.items():
            wanted = np.asarray(getattr(run.states, name))[1:].reshape(values[k].shape)
            assert np.max(np.abs(values[k] - wanted)) <= 3e-8 * np.max(np.abs(wanted)), name
        if form.system == "correlation":
            fine = one_by_one(form, start, constants, shared, k, np.linspace(0, 6, 1201)[1:])
            K = ld.observables.lambda_min_K(fine)
            np.testing.assert_allclose(lowest[k], [K[:301].min(), K.min()], rtol=0, atol=2e-6)


def test_no_bit_depends_on_place_neighbours_or_threads():
    form = FORMS[0]
    start, constants = systems(form, 150)
    solve = {"times": np.array([0.5, 9.0]), "rtol": 1e-7, "max_steps": 1000}
    whole = matrix_kernel.solve(form, start, constants, {}, threads=3, **solve)
    order = np.random.default_rng(3).permutation(150)[:37]
    some = ({name: values[order] for name, values in each.items()} for each in (start, constants))
    part = matrix_kernel.solve(form, *some, {}, **solve)
    for a, b in zip([*whole[0].values(), *whole[1:]], [*part[0].values(), *part[1:]], strict=True):
        assert a[order].tobytes() == b.tobytes()


def test_a_system_that_blows_up_or_takes_too_long_harms_nobody():
    form = FORMS[0]
    start, constants = systems(form, 12)
    solve = {"times": np.array([2.0, 5.0]), "rtol": 1e-8}
    sound = matrix_kernel.solve(form, start, constants, {}, max_steps=1000, **solve)
    broken = {name: values.copy() for name, values in start.items()}
    broken["W"][3, 0, 0] = np.nan
    broken["W_p"][7] *= 1e80
    few = int(sound[2][:, 0].max())
    told, _, steps, status = matrix_kernel.solve(form, broken, constants, {}, max_steps=few, **solve)
    assert status[3].tolist() == [2, 2] and status[7].all()
    for k in set(range(12)) - {3, 7}:
        assert status[k, 0] == 0 and steps[k, 0] == sound[2][k, 0]
        assert told["W"][k, 0].tobytes() == sound[0]["W"][k, 0].tobytes()
        assert status[k, 1] == (1 if sound[2][k, 1] > few else 0)


@pytest.mark.parametrize("abreast", [True, pytest.param(False, marks=ALONE)])
def test_the_error_falls_with_the_tolerance_as_that_of_order_eight(abreast):
    """A turning plane, whose end is known: steps at most ~ tolerance^(-1/8), where order 5 takes ten times as many."""

    def turn(given):
        return {"A": given["J"] @ given["A"]}

    J = np.array([[0.0, -1.0], [1.0, 0.0]])
    made = record(turn, {"A": (2, 2)}, {"c": (1, 1), "J": (2, 2)}, abreast, eighth_order.SLOTS)
    y0, taken = made.packed({"A": np.eye(2)[None]}), []
    for rtol in (1e-7, 1e-12):
        out, _, steps, _ = recorded_march.solve(
            made, y0, {"c": np.ones((1, 1))}, {"J": J}, times=np.array([40.0]), rtol=rtol, max_steps=10_000
        )
        wanted = np.array([[np.cos(40.0), -np.sin(40.0)], [np.sin(40.0), np.cos(40.0)]])
        assert np.max(np.abs(made.unpacked(out)["A"][0, 0] - wanted)) < 100 * rtol
        taken.append(steps[0, 0])
    assert 2 < taken[1] / taken[0] < 10 ** (5 / 7.5)


def test_the_inside_of_a_step_is_of_order_seven():
    """y' = y from 1: the weights at 1/4, 1/2 and 3/4 of a step."""
    A = np.zeros((eighth_order.SLOTS, eighth_order.SLOTS))
    for stages, first in ((eighth_order.STEP, 1), (eighth_order.WITHIN, 13)):
        start, which, values = stages
        for row in range(len(start) - 1):
            if first + row < eighth_order.SLOTS:
                A[first + row, which[start[row] : start[row + 1]]] = values[start[row] : start[row + 1]]
    which, (B, *_) = eighth_order.END
    A[12, which] = B
    off = {}
    for h in (1.0, 0.5):
        k = np.zeros(eighth_order.SLOTS)
        for stage in range(eighth_order.SLOTS):
            k[stage] = 1 + h * A[stage] @ k
        inside = [1 + h * eighth_order.inside(x) @ k - np.exp(x * h) for x in eighth_order.INSIDE]
        off[h] = np.abs([1 + h * B @ k[which] - np.exp(h), *inside])
    assert np.all(off[1.0] < 2e-6) and off[1.0][0] > 2**8.5 * off[0.5][0]
    assert np.all(off[1.0] > 2**7.5 * off[0.5])


def test_the_lowest_of_five_values_is_that_of_their_quartic():
    rng = np.random.default_rng(5)
    for _ in range(200):
        power = rng.standard_normal(5)
        values = np.polyval(power, np.linspace(-2, 2, 5))
        fine = np.polyval(power, np.linspace(-2, 2, 20001)).min()
        assert dip(values) == pytest.approx(fine, abs=1e-6 * np.abs(values).max())


def test_a_pivot_that_is_not_positive_tells_the_smallest_eigenvalue_from_a_floor():
    rng = np.random.default_rng(6)
    for n in (1, 2, 5, 9):
        for _ in range(30):
            A = rng.standard_normal((n, n))
            M = A + A.T
            low = np.linalg.eigvalsh(M)[0]
            assert not not_above(M.copy(), n, low - 1e-6)
            assert not_above(M.copy(), n, low + 1e-6)
