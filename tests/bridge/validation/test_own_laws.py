"""A law of a user's own package: found by its entry point, run, and shown wherever lindyn's own are."""

import json

import numpy as np
import pytest

from lindyn.bridge import compare, validate
from lindyn.bridge.laws import LAWS, KnownRun, findings, known_laws
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.report import compare_text, page, schema, terminal
from tests.bridge.validation.synthetic import RATES, Aligned, linear, of
from tests.extensions import installed

MODEL = Aligned.of(8, 0, 0.6)
LAW = """
    from lindyn.bridge.laws import by_limit, features, law

    @law(
        title="no direction carries half of the features", statistic="largest eigenvalue of F over tr F",
        source="my notes, Eq. 3", group={group!r}, limit=0.5, good="below", why="one half of all", needs=(features,),
    )
    def {name}(measured, run):
        {body}
"""
BODY = 'return by_limit(measured.readings["concentration"].interval(0.0, 1.0))'


def own(folder, name="first_share", group="mine", body=BODY, entry="my_pkg.laws", package="my_pkg"):
    """Put a package with one law on the path for a `with`."""
    files = {f"{package}/__init__.py": "", f"{package}/laws.py": LAW.format(name=name, group=group, body=body)}
    return installed(folder, files, {"lindyn.laws": {"mine": entry}}, package)


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "views.npz"
    source = MODEL.draw(600, 0)
    np.savez(path, z1=source.z1, z2=source.z2, W_p=MODEL.W_p)
    return path


@pytest.mark.parametrize("entry", ["my_pkg.laws", "my_pkg.laws:first_share", "my_pkg.laws.first_share"])
def test_a_law_of_another_package_is_run_and_shown_everywhere(tmp_path, features, entry):
    with own(tmp_path, entry=entry):
        answer = validate(features=features)
        found = of(answer.findings, "first_share")
        assert found.verdict == "holds" and found.reason == "It is below 0.5 (one half of all)."
        assert found.value == pytest.approx(of(answer.findings, "collapse").details["concentration"])
        title = "no direction carries half of the features"
        assert (
            title in terminal.summary(answer) and title in page.page(answer) and "my notes, Eq. 3" in page.page(answer)
        )
        report = schema.as_json(answer)
        assert [one["law"] for one in report["findings"]][-1] == "first_share"  # a group of its own stands last
        found = compare(answer, answer)
        assert "first share" in compare_text.summary(found)
        assert title in compare_text.whole_page(found)
    written = tmp_path / "report.json"
    written.write_text(json.dumps(report), encoding="utf-8")
    again = schema.read_report(written)  # without the package
    assert of(again.findings, "first_share").title == title and title in terminal.summary(again)
    assert "first_share" not in known_laws()[0] and not known_laws()[1]


def test_a_law_whose_name_is_taken_is_left_out_and_told(tmp_path, features):
    with own(tmp_path, name="alignment"):
        answer = validate(features=features)
        assert known_laws()[0]["alignment"] is LAWS["alignment"]
    note = "The package my_pkg is at fault: its law 'alignment' has the name of one of lindyn and is left out."
    assert answer.pieces.notes.count(note) == 1 and len(answer.findings) == len(LAWS)


def test_two_packages_with_a_law_of_one_name_keep_the_first(tmp_path):
    with own(tmp_path / "a"), own(tmp_path / "b", entry="other_pkg.laws", package="other_pkg"):
        laws, notes = known_laws()
    assert laws["first_share"].package == "my_pkg"
    assert notes == (
        "The package other_pkg is at fault: its law 'first_share' has the name of one of my_pkg and is left out.",
    )


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "my_pkg.nowhere",
            "cannot be imported and is left out (AttributeError: module 'my_pkg' has no attribute 'nowhere').",
        ),
        ("my_pkg", "its entry point mine in lindyn.laws holds no law."),
        (
            "my_pkg.laws:features",
            "it must name a law, a function under @law(...), or a module with laws; got a function.",
        ),
    ],
)
def test_an_entry_point_without_a_law_costs_one_sentence(tmp_path, features, entry, told):
    with own(tmp_path, entry=entry):
        answer = validate(features=features)
    (note,) = (note for note in answer.pieces.notes if "at fault" in note)
    assert "The package my_pkg is at fault" in note and told in note and len(answer.findings) == len(LAWS)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return measured.nothing", "(AttributeError: 'MeasuredNetwork' object has no attribute 'nothing')"),
        ("return 0.5", "(TypeError: it must return by_limit(...), judged(...) or untestable(...); got float)"),
    ],
)
def test_a_law_that_stops_says_so_and_the_others_go_on(tmp_path, body, told):
    measured = measure(MODEL.draw(300, 0), linear(MODEL.W_p))
    with own(tmp_path, body=body):
        answer = findings(measured, KnownRun(RATES))
    found = of(answer, "first_share")
    assert found.verdict == "not testable" and told in found.reason and "package my_pkg is at fault" in found.reason
    assert of(answer, "alignment").verdict == "holds"
