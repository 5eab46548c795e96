"""What holds of the figures of every paper: their claims hold, would notice a damage, and their files hold it all."""

import copy
import inspect
import json

import numpy as np

from lindyn.outputs import picture_style
from lindyn.papers import expected, figure_claims, figure_scripts
from tests import pictures
from tests.figures import wrong_theories

RNG = np.random.default_rng(0)
BROKEN = (ValueError, IndexError, KeyError, TypeError, np.linalg.LinAlgError)
"""What a script may say of numbers that are damaged."""


def by_key(figures, number, data):
    """Return the figure's claims by their key in figures.toml."""
    from lindyn.papers import expected

    keys = [entry["key"] for entry in expected(figures.paper)["figure"][str(number)]["claim"]]
    return dict(zip(keys, figures.script[number].check(data), strict=True))


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


def change(data, key, index, value):
    array = np.array(data[key])
    array[index] = value
    return {**data, key: array}


def hold(figures, number):
    """Every claim comes out as expected, and what the figure asks for is what is listed for the wrong theories."""
    assert figures.asked(number) == wrong_theories.ASKED.get((figures.paper, number), set())
    assert [claim for claim in figures.script[number].check(figures.data(number)) if not claim.as_expected] == []


def can_fail(figures, number):
    """Every claim comes out otherwise for some damage of the data."""
    data = figures.data(number)
    good = {key: claim.holds for key, claim in by_key(figures, number, data).items()}
    noticed = set()
    for bad in damaged(number, data):
        try:
            found = by_key(figures, number, bad)
        except BROKEN:
            continue
        noticed |= {key for key, claim in found.items() if claim.holds != good[key]}
    assert set(good) - noticed == set()


def notice(figures, number, key, index, value, claim):
    """A claim that holds turns false with one number changed."""
    data = figures.data(number)
    assert by_key(figures, number, data)[claim].holds
    assert not by_key(figures, number, change(data, key, index, value))[claim].holds


def are_written(figures, number, tmp_path, monkeypatch):
    """The numbers file gives the picture and the verdicts again; the picture can be read."""
    monkeypatch.setattr(picture_style, "DPI", 60)
    script, path, data = figures.script[number], figures.paths[number], figures.data(number)
    found, figure = script.check(data), script.draw(data)
    figure_scripts._write(data, found, figure, tmp_path, path.stem)
    can_be_read(figure)
    again = figure_scripts.load_numbers(tmp_path / f"{path.stem}.npz")
    assert script.check(again) == found
    assert figure_scripts._rendered(script.draw(again), ".png") == (tmp_path / f"{path.stem}.png").read_bytes()
    report = json.loads((tmp_path / f"{path.stem}.json").read_text())
    assert [row["text"] for row in report["claims"]] == [claim.text for claim in found]


def can_be_read(figure):
    """No text on another or cut off, no key on what is plotted, every line in a key, no panel empty; larger too."""
    found = [*pictures.faults(figure), *pictures.faults_when_larger(figure)]
    assert not found, found


def agree_with_their_defaults(figures):
    """The values that figures.toml calls chosen are the scripts' defaults; each claim has one rule; none is printed."""
    listed = expected(figures.paper)["figure"]
    assert sorted(map(int, listed)) == sorted(figures.paths)
    for number, entry in listed.items():
        parameters = inspect.signature(figures.script[int(number)].compute).parameters
        for name, value in entry["chosen"].items():
            assert np.array_equal(parameters[name].default, value), (number, name)
        assert entry["printed"] == {}  # of none of these figures does the paper print values
        for claim in entry["claim"]:
            assert sum(rule in claim for rule in figure_claims.RULES) == 1
            assert claim.get("fails_as_printed", False) == ("instead" in claim)
    return listed


def keep_at_full_size(paper, number, tmp_path):
    """The figure as it is published runs, keeps its claims, and its picture can be read."""
    path = figure_scripts.find(paper)[number]
    result = figure_scripts.run_figure(path, tmp_path)
    assert result.error == ""
    assert result.as_expected, [claim.text for claim in result.claims if not claim.as_expected]
    assert (tmp_path / f"{path.stem}.png").stat().st_size > 20_000
    can_be_read(figure_scripts.load(path).draw(figure_scripts.load_numbers(tmp_path / f"{path.stem}.npz")))
