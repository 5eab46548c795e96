"""report.json: plain JSON, every number finite or null, and the same answer when it is read back."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindyn.bridge.records import Finding
from lindyn.bridge.report import schema
from lindyn.bridge.report.compare import SAME
from lindyn.bridge.validation import compare
from tests.bridge.validation import answers

STORED = Path(__file__).parent / "stored" / "report_schema_1.json"
DOCS = Path(__file__).parents[3] / "docs" / "validation.md"


@pytest.fixture(scope="module")
def whole():
    return answers.answer()


def written(answer, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(schema.text(schema.as_json(answer)), encoding="utf-8")
    return path


def test_an_answer_read_back_says_the_same(whole, tmp_path):
    path = written(whole, tmp_path)
    back = schema.read_report(path)
    here, there = schema.as_json(whole), schema.as_json(back)
    assert {m["kind"] for m in there["maps"]} == {"exact"} and back.maps[0].W_p.shape == (0, 0)
    for key in set(here) - {"maps", "versions"}:
        assert there[key] == here[key], key
    assert np.array_equal(back.diagnosis.s, whole.diagnosis.s) and back.diagnosis.slope == whole.diagnosis.slope
    assert np.array_equal(back.over_training.measured["p"], whole.over_training.measured["p"])
    assert np.array_equal(back.modes.x, whole.modes.x) and back.rates == whole.rates
    assert back.pieces.settings == whole.pieces.settings


def test_nan_and_infinity_are_null_and_come_back_as_nan(whole, tmp_path):
    broken = answers.untested("balance", details={"per_mode": np.array([1.0, np.nan, np.inf]), "c": np.float32("nan")})
    path = written(replace(whole, findings=(broken,)), tmp_path)

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    found = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)["findings"][0]
    assert found["value"] is None and found["details"] == {"per_mode": [1.0, None, None], "c": None}
    back = schema.read_report(path).findings[0]
    assert (
        math.isnan(back.value) and back.details["per_mode"][0] == 1.0 and np.isnan(back.details["per_mode"][1:]).all()
    )


def test_an_answer_without_features_predictor_or_curves_is_written_and_read(whole, tmp_path):
    bare = replace(
        whole, features="", samples=0, maps=(), diagnosis=None, findings=(), over_training=None, modes=None, advice=()
    )
    assert schema.as_json(schema.read_report(written(bare, tmp_path))) == schema.as_json(bare)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(LEAVES, lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(), part, max_size=4)))
def test_whatever_details_hold_is_written_as_json(value):
    text = json.dumps(schema.plain({"value": value}), allow_nan=False)
    assert json.loads(text) == schema.plain({"value": value})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "not JSON, or cut off"),
        (lambda text: "[1, 2]", "has no 'lindyn_validation'"),
        (lambda text: text.replace('"lindyn_validation": 2', '"lindyn_validation": 3'), "has schema 3, this lindyn"),
        (lambda text: text.replace('"lindyn_validation": 2', '"lindyn_validation": "1"'), "has schema '1'"),
        (lambda text: text.replace('"headline"', '"headlin"'), "is damaged: KeyError"),
        (lambda text: text.replace('"alpha_p"', '"alfa_p"', 1), "is damaged: TypeError"),
    ],
)
def test_a_damaged_report_is_refused_in_one_sentence(whole, tmp_path, damage, message):
    path = written(whole, tmp_path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=r"report\.json") as found:
        schema.read_report(path)
    assert message in str(found.value) and "\n" not in str(found.value)


def test_a_missing_report_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json cannot be read \(No such file or directory\)"):
        schema.read_report(tmp_path / "none.json")


def test_every_field_of_the_schema_is_documented(whole):
    text = DOCS.read_text(encoding="utf-8")
    report = schema.as_json(whole)
    names = [*report, *report["read"], *report["features"], *report["over_training"], *report["modes"]]
    names += [*report["rates"], *report["advice"][0], *(field.name for field in fields(Finding))]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_a_report_of_schema_1_is_read_under_todays_names():
    """Written by the first version: sin theta and the c of least squares become sin(theta/2) and ||F|| / ||G||."""
    old = json.loads(STORED.read_text(encoding="utf-8"))
    found = schema.read_report(STORED)
    sine, c = old["diagnosis"]["balance_residual"], old["diagnosis"]["balance_c"]
    assert old[schema.KEY] == 1 and found.diagnosis.balance_residual_fitted == pytest.approx(
        math.sin(math.asin(sine) / 2), rel=1e-12
    )
    assert found.diagnosis.balance_c == pytest.approx(c / math.cos(math.asin(sine)), rel=1e-12)
    over = found.over_training.measured
    expected = np.sin(np.arcsin(old["over_training"]["measured"]["balance_residual"]) / 2)
    np.testing.assert_allclose(over["balance_residual_fitted"], expected, rtol=1e-12)
    assert "balance_residual" not in over
    with pytest.warns(DeprecationWarning, match="is now balance_residual_fitted"):
        assert found.diagnosis.balance_residual == found.diagnosis.balance_residual_fitted
    assert {f.law: f.verdict for f in found.findings} == {f["law"]: f["verdict"] for f in old["findings"]}
    assert schema.as_json(found)[schema.KEY] == 2


def test_a_fitted_balance_of_schema_1_is_brought_to_the_smallest(tmp_path):
    old = json.loads(STORED.read_text(encoding="utf-8"))
    entry = next(f for f in old["findings"] if f["law"] == "balance")
    angle = 0.7
    entry |= {"value": math.tan(angle / 2), "low": math.tan(angle / 2), "high": None}
    entry["details"] |= {"fitted": True, "alpha_p": 2.0 / math.cos(angle)}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    found = next(f for f in schema.read_report(path).findings if f.law == "balance")
    assert (found.value, found.low) == pytest.approx((math.sin(angle / 2),) * 2) and math.isnan(found.high)
    assert found.details["alpha_p"] == pytest.approx(2.0)


def test_a_report_of_schema_1_is_compared(whole):
    rows = {row.either.law: row for row in compare(STORED, whole).rows}
    assert rows["balance"].first is not None and compare(STORED, STORED).rows[0].difference in ("-", SAME)
