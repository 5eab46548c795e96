"""The palette survives a grey print and colour blindness: simulated, every pair that means two things stays apart."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lindyn.plotting import descent_map, outcome_map, phase_portrait, style
from lindyn.plotting.law_rows import FAILS, HOLDS

# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB
SEEN_BY = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
APART = 20.0
"""Distance in CIELAB below which two areas are hard to tell."""
STEP = 6.0
"""Difference in lightness by which areas of a map differ in a grey print."""


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    x, y, z = xyz / np.array([0.9505, 1.0, 1.089])
    f = [np.cbrt(v) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one, two, seen=None):
    matrix = np.eye(3) if seen is None else np.array(SEEN_BY[seen])
    return float(np.linalg.norm(lab(matrix @ linear(one)) - lab(matrix @ linear(two))))


def lightness(colour):
    return float(lab(linear(colour))[0])


@pytest.mark.parametrize("seen", [None, *SEEN_BY])
def test_outcomes_of_a_map_stay_apart(seen):
    for colours in (outcome_map.COLOURS, descent_map.COLOURS, tuple(phase_portrait.COLOURS.values())):
        for one, two in itertools.combinations(colours, 2):
            assert distance(one, two, seen) > APART, (one, two)


def test_outcomes_of_a_map_stay_apart_in_grey():
    for colours in (outcome_map.COLOURS, descent_map.COLOURS, tuple(phase_portrait.COLOURS.values())):
        grey = sorted(lightness(colour) for colour in colours)
        assert np.diff(grey).min() > STEP, grey


@pytest.mark.parametrize("seen", [None, *SEEN_BY])
def test_lines_of_a_portrait_stay_apart_or_differ_in_shape(seen):
    """Stable and unstable differ in marker, fill and dashes too; flow, started path and ink have no shape to help."""
    for one, two in itertools.combinations((style.FLOW, phase_portrait.STARTED, style.INK), 2):
        assert distance(one, two, seen) > 12.0, (one, two)
    assert distance(HOLDS, FAILS, seen) > APART


def test_shades_of_a_family_are_ordered_in_grey():
    for n in (3, 5, 8):
        assert np.all(np.diff([lightness(colour) for colour in style.shades(n)]) > 3.0)


def test_the_test_tells_bad_colours():
    assert distance("#c8102e", "#4f7a1e", "deuteranopia") < distance("#c8102e", "#4f7a1e")
    assert distance("#d62728", "#8c6d31", "protanopia") < APART + 25
