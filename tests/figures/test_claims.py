"""Each figure's claims hold, and each of them would notice if they did not."""

import copy

import numpy as np
import pytest

from tests.figures.conftest import SMALL

NUMBERS = sorted(SMALL)
RNG = np.random.default_rng(0)


def by_key(figures, number, data):
    """Return the figure's claims by their key in figures.toml."""
    from lindyn.papers import expected

    keys = [entry["key"] for entry in expected(figures.paper)["figure"][str(number)]["claim"]]
    return dict(zip(keys, figures.script[number].check(data), strict=True))


@pytest.mark.parametrize("number", NUMBERS)
def test_every_claim_comes_out_as_expected(figures, number):
    wrong = [claim for claim in figures.script[number].check(figures.data(number)) if not claim.as_expected]
    assert not wrong


def shift(value):
    return value + 0.3


def negate(value):
    return -value


def stretch(value):
    return 1.5 * value


def turn(value):
    return value[::-1].copy()


def cross(value):
    return np.swapaxes(value, 0, 1)[::-1].swapaxes(0, 1).copy()


def ends_high(value):
    out = value.copy()
    out[..., -1] = out[..., -1] + 5.0
    return out


def begins_low(value):
    out = value.copy()
    out[..., 0] = -7.0
    return out


def still(value):
    return 0 * value + value.ravel()[0]


def noise(value):
    return value + 1e-3 * RNG.standard_normal(value.shape)


def lost(value):
    out = value.copy()
    out[0] = np.nan
    return out


def renamed(value):
    return np.where(value == "stable", "unstable", "stable")


NUMERIC = (shift, negate, stretch, turn, cross, ends_high, begins_low, still, noise, lost)


def like_the_row_before(data):
    """The critical decay drawn with the fixed points of a weaker one: what the paper's inequality includes."""
    out = {key: np.array(data[key]) for key in ("zeros", "signs")}
    for array in out.values():
        array[2] = array[1]
    return {**data, **out}


def damaged(number, data):
    """Yield copies of the data, each with one array damaged in one way."""
    if "zeros" in data:
        yield like_the_row_before(data)
    for key, value in data.items():
        if key == "parameters":
            continue
        array = np.asarray(value)
        for change in (renamed,) if array.dtype.kind == "U" else NUMERIC:
            try:
                yield {**copy.copy(data), key: change(array)}
            except (ValueError, IndexError, np.exceptions.AxisError):
                continue  # a number has no axis to turn


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.filterwarnings("ignore")
def test_every_claim_can_fail(figures, number):
    data = figures.data(number)
    good = {key: claim.holds for key, claim in by_key(figures, number, data).items()}
    noticed = set()
    for bad in damaged(number, data):
        try:
            claims = by_key(figures, number, bad)
        except (ValueError, IndexError, KeyError, np.linalg.LinAlgError):
            continue
        noticed |= {key for key, claim in claims.items() if claim.holds != good[key]}
    assert set(good) - noticed == set()


def change(data, key, index, value):
    array = np.array(data[key])
    array[index] = value
    return {**data, key: array}


@pytest.mark.parametrize(
    ("number", "key", "index", "value", "claim"),
    [
        (3, "points", (1, 1, 0), 0.0102, "weak_points"),  # p_- a percent off
        (3, "stability", (1, 1), "stable", "weak_stability"),
        (3, "floor_across", 5, 0.1, "lines_stability"),  # a stable stretch of s = 0 called unstable
        (3, "p", (0, -1, 0), 0.3, "ends_no_decay"),
        (3, "p", (1, -1, 0), 0.3, "ends_decay"),
        (3, "s", (2, 50, 3), 0.5, "invariant"),
        (4, "signs", (0, 1), (-1, 1), "no_decay"),
        (4, "zeros", (1, 1), 0.13, "closed_forms"),
        (4, "p_end", (3, 2), 0.68, "ends"),  # a start survives above the critical decay
        (5, "top_p", (-1, -1, 0), 0.1, "collapse"),
        (5, "bottom_tau", (0, 10, 1), 0.9, "curriculum"),
        (7, "correlation", (0, 1, slice(None), 20), 0.85, "byol"),
        (7, "correlation", (0, 1, 3, 20), np.nan, "byol"),
        (8, "antisymmetric", (1, 0, 40), 1.0, "bound"),
        (8, "antisymmetric", (0, 1, 40), 1.0, "monotone"),
        (9, "norm", (2, 3, 30), 0.2, "never_rises"),
        (9, "norm", (0, 3, 30), 0.2, "theorem_3"),
        (10, "left_arrows", (0, 2, 2), 1.3, "arrows"),
        (10, "middle_nudged", 1, 0.5, "origin_half"),
        (10, "right_w", (-1, 4), 0.2, "right_collapse"),
    ],
)
def test_the_claim_about_a_damaged_number_turns_false(figures, number, key, index, value, claim):
    data = figures.data(number)
    assert by_key(figures, number, data)[claim].holds
    assert not by_key(figures, number, change(data, key, index, value))[claim].holds
