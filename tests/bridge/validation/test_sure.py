"""Sureness is earned: what was assumed is a line, a second reading says what it changes, repeated rows count once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge import compare, read_report, validate
from lindyn.bridge.assumptions import LAWS_ONLY, NOT_TRIED, OTHER, SAME, Assumption
from lindyn.bridge.features import image_views
from lindyn.bridge.features.feature_arrays import from_arrays
from lindyn.bridge.features.row_checks import looked_at
from lindyn.bridge.laws import KnownRun, findings
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.report import page, terminal
from lindyn.bridge.report.sureness import how_sure, of_assumptions
from lindyn.bridge.second_reading import FirstReading
from lindyn.bridge.validation import _answer
from tests.bridge.validation import answers
from tests.bridge.validation.originals import FIXTURES
from tests.bridge.validation.synthetic import RATES, Aligned, Arrays, of

N, d = 600, 32
R = np.random.default_rng(0)
S = np.exp(-np.arange(d) / 8)
Q = np.linalg.qr(R.standard_normal((d, d)))[0]


def drawn(size):
    return size * (R.standard_normal((N, d)) * np.sqrt(S)) @ Q.T


SAMPLES = drawn(1.0)
A, B = SAMPLES + drawn(0.3), SAMPLES + drawn(0.3)
W_p = (Q * np.sqrt(S)) @ Q.T
HALF = np.arange(N)[:, None] < N // 2


def tiled(z, times=10):
    return np.tile(z[: N // times], (times, 1))


def repeated(z, times=10):
    return np.repeat(z[: N // times], times, axis=0)


def padded(z):
    return np.concatenate([z, np.repeat(z[-1:], 40, axis=0)])


def said(answer, about):
    return next((each for each in answer.pieces.assumptions if each.about == about), None)


def slope(tmp_path, z1, z2):
    np.savez(tmp_path / "f.npz", z1=z1, z2=z2, W_p=W_p)
    return of(validate(features=tmp_path / "f.npz").findings, "slope")


@pytest.mark.parametrize(
    ("make", "distinct"),
    [
        (repeated, 60),
        (tiled, 60),
        (lambda z: tiled(z) + 1e-5 * np.random.default_rng(1).standard_normal((N, d)), 60),
        (lambda z: tiled(z).astype("f4"), 60),
        (lambda z: 1e-25 * repeated(z, 3), 200),
        (padded, N),
        (lambda z: z, N),
        (lambda z: R.permutation(repeated(z, 3)), 200),
    ],
)
def test_distinct_rows_are_counted(make, distinct):
    found = looked_at(from_arrays(make(A)))
    assert found.source.count == found.distinct == distinct
    assert bool(found.assumptions) == (found.given is not found.source) == (len(make(A)) > distinct)
    if found.assumptions:
        assert f"{distinct} of {len(make(A))} rows are distinct; each counts once" in found.assumptions[0].words


def test_views_whose_first_alone_repeats_are_of_fewer_samples_and_a_dead_one_says_nothing():
    assert looked_at(from_arrays(tiled(A), B)).source.count == 60
    assert looked_at(from_arrays(A, tiled(B))).source.count == 60
    assert looked_at(from_arrays(A, np.tile(B[:1], (N, 1)))).source.count == N


@pytest.mark.parametrize(
    "z", [R.standard_normal((3000, 1)) * Q[0], R.standard_normal((3000, 2)) @ Q[:2], A, np.round(A, 1)]
)
def test_rows_that_are_near_by_chance_are_distinct(z):
    assert looked_at(from_arrays(z)).assumptions == ()


def test_sixty_samples_ten_times_over_do_not_fail_a_law_that_holds(tmp_path):
    whole, few = slope(tmp_path, A, B), slope(tmp_path, repeated(A), repeated(B))
    assert whole.verdict == "holds" and few.verdict != "fails"
    answer = validate(features=tmp_path / "f.npz")
    assert answer.samples == 60 and "60 rows, distinct" in answer.features
    assert "60 of 600 rows are distinct" in page.files(answer)["report.html"]
    with pytest.raises(ValueError, match="At least 80 samples are needed; got 60"):
        validate(features=A[:60])


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_half_of_the_samples_at_one_point_are_a_partial_collapse(noise):
    answer = validate(features=np.where(HALF, A[:1], A) + noise * drawn(1.0))
    assert answer.collapse.word == "partial" and "(partial: 50 % of the samples are one point" in answer.headline


def test_rows_that_repeat_in_a_source_of_ones_own_are_said():
    answer = validate(features=Arrays(tiled(A), tiled(B)))
    assert said(answer, "rows").taken == "60 of the first 600 rows are distinct; each row was counted as a sample"
    assert answer.samples == N and answer.advice[0].sure == "likely"
    assert said(validate(features=Arrays(A, B)), "rows") is None


def test_a_row_that_holds_all_of_F_is_left_out_and_said():
    z = A.copy()
    z[17] *= 1e6
    answer = validate(features=(z, B))
    line = said(answer, "outliers")
    assert "row 17" in line.taken and line.outcome == OTHER and "collapse is complete" in line.told
    assert answer.collapse.word == "none" and "; a guess)" in answer.headline and answer.advice[0].sure == "a guess"
    heavy = validate(features=A * np.exp(R.standard_normal((N, 1))))
    assert said(heavy, "outliers") is None and heavy.collapse.word == "none"


def test_rows_that_follow_each_other_are_no_independent_samples():
    turns = np.arange(N) * 2 * np.pi / N
    answer = validate(features=np.stack([np.cos(k * turns + k) for k in range(1, d + 1)], axis=1))
    assert "neighbouring rows" in said(answer, "rows").taken and answer.advice[0].sure == "likely"


SWAPPED = B.copy()
SOME = R.permutation(N)[:60]
SWAPPED[SOME] = SWAPPED[np.roll(SOME, 1)]


@pytest.mark.parametrize(
    ("arrays", "about", "words"),
    [
        ((A, A), "views", "equals it in every row"),
        ((A, np.where(HALF, A, B)), "views", "equals it in 50 % of the rows"),
        ((A, R.permutation(B)), "views", "no nearer than chance"),
        ((A, np.roll(B, 1, axis=0)), "views", "the partners stand a row later"),
        ((A, B[::-1]), "views", "the partners stand in reverse"),
        ((A, SWAPPED), "views", "in some 10 % of the rows another row's partner"),
        ((A, B, A), "target", "equals it in every row"),
        ((A, B, B), "target", "equals z2 in every row"),
        ((A, B, R.permutation(0.8 * A)), "target", "no nearer than chance"),
        ((A, B), "views", ""),
        ((A, B, 0.8 * A), "target", ""),
    ],
)
def test_views_and_targets_that_are_not_what_they_are_called_are_said(arrays, about, words):
    answer = validate(features=arrays)
    line = said(answer, about)
    assert (line is None) == (not words) and (not words or words in line.words)
    assert answer.advice[0].sure == "sure"  # the word on collapse needs no second view
    if words:
        assert f"Assumed    {'other verdicts for' if line.outcome == OTHER else 'no second'}" in terminal.summary(
            answer
        )


def test_noise_is_no_pair_and_weak_pairs_are_pairs():
    weak = SAMPLES + drawn(3.0)
    assert said(validate(features=(SAMPLES + drawn(3.0), weak)), "views") is None
    assert "no nearer" in said(validate(features=(drawn(1.0), drawn(1.0))), "views").words
    online = validate(features=(A, B, A), settings={"method.target": "online"})
    assert said(online, "target") is None


def test_a_dead_second_view_is_a_collapse():
    answer = validate(features=(A, np.tile(B[:1], (N, 1)) + 1e-6 * drawn(1.0)))
    assert answer.headline.startswith("Collapsed (complete: a point in the second view")


MODEL = Aligned.of(8, 0, 0.6)


def first_reading(predictor):
    source = MODEL.draw(3000, 0)
    pieces = replace(answers.answer().pieces, predictor=predictor, assumptions=())
    laws = lambda pieces, measured: findings(measured, KnownRun(RATES))  # noqa: E731
    measured = measure(source, predictor)
    return FirstReading(pieces, measured, laws(pieces, measured), laws, source)


def test_a_second_reading_says_whether_an_assumption_matters():
    first = first_reading(MODEL.mlp(0.1))
    again, turned, broken = MODEL.mlp(0.12), MODEL.mlp(0.1), nn.Linear(3, 3)
    turned[0].weight.data = turned[0].weight.data @ nn.init.orthogonal_(turned[0].weight.data[:8].clone())
    lines = [
        Assumption("activation", "a ReLU", "model.activation=gelu", lambda p, n=net: replace(p, predictor=n), "GELU")
        for net in (again, turned, broken)
    ]
    same, other, failed, untried = first.tried([*lines, Assumption("stem", "stride 1")])
    assert same.outcome == SAME and same.weak == "" and "with GELU the verdicts are the same" in same.words
    assert other.outcome == OTHER and "alignment fails" in other.told
    assert failed.outcome == NOT_TRIED and "could not be read" in failed.told and untried.outcome == NOT_TRIED
    sure = [how_sure(of_assumptions(each)) for each in ([same], [untried], [untried, failed], [other])]
    assert sure == ["sure", "likely", "a guess", "a guess"]
    assert of_assumptions([replace(other, reach=LAWS_ONLY)], ("everything",)) == []


LINEAR = nn.Sequential(nn.Linear(8, 8, bias=False).double())
LINEAR[0].weight.data.copy_(torch.as_tensor(MODEL.W_p))


def whole_answer(*assumptions):
    """Return the answer to the model with its own predictor, under assumptions."""
    measured = measure(MODEL.draw(3000, 0), LINEAR)
    pieces = replace(answers.answer().pieces, assumptions=assumptions)
    return _answer(pieces, measured, "features", findings(measured, KnownRun(RATES)))


def test_how_sure_is_said_in_the_headline_where_it_is_not_sure(tmp_path):
    plain, answer = whole_answer(), whole_answer(Assumption("stem", "stride 1"))
    assert {a.sure for a in plain.advice[:2]} == {"sure"} and "likely" not in plain.headline
    assert answer.headline.count("likely)") == 2 and {a.sure for a in answer.advice[:2]} == {"likely"}
    (tmp_path / "report.json").write_text(page.files(answer)["report.json"], encoding="utf-8")
    back = read_report(tmp_path)
    assert back.pieces.assumptions[0].words == "stem: stride 1" and "stem" in terminal.summary(back)
    assert any("stem: stride 1 (assumed" in each.because for each in compare(answer, back).theory)
    tried = whole_answer(Assumption("stem", "stride 1", changed="stride 2", outcome=SAME))
    assert tried.headline == plain.headline and "the same verdicts otherwise for stem" in terminal.summary(tried)
    guess = whole_answer(Assumption("stem", "stride 1", changed="stride 2", outcome=OTHER, told="slope fails"))
    assert "with stride 2 slope fails" in guess.advice[0].because and guess.headline.count("a guess)") == 2


def test_what_only_says_that_something_is_missing_claims_nothing():
    texts = [each.text for each in validate(features=A).advice if not each.sure]
    assert [text.split(" ")[0] for text in texts] == ["No", "What"]


def test_batchnorm_and_the_size_of_images_are_tried_on_a_network_of_others(monkeypatch):
    path = FIXTURES / "byol_pytorch" / "checkpoint.0.pt"
    monkeypatch.setitem(image_views.EMBEDDED, "digits", 64)
    answer = validate(path, images="digits", samples=640)
    norm, size = said(answer, "BatchNorm"), said(answer, "image size")
    assert norm.outcome in (SAME, OTHER) and norm.changed == "statistics of the batch"
    assert size.choose == "data.size=32" and size.taken.startswith("64 pixels") and size.outcome in (SAME, OTHER)
    assert said(answer, "views") is None and len(terminal.summary(answer).splitlines()) <= 40
    told = validate(path, images="digits", samples=80, settings={"data.size": 32})
    assert said(told, "image size") is None and "at 32 pixels" in told.features


def test_an_assumption_of_a_reader_is_tried_with_its_own_key():
    """The activation of a predictor on the features that were kept, BatchNorm's statistics as they were taken."""
    answer = validate(FIXTURES / "stable_pretraining.ckpt", images="digits", samples=320)
    tried = [each for each in answer.pieces.assumptions if each.about == "activation"]
    assert [each.outcome in (SAME, OTHER) for each in tried] == [True, False]
    assert "BatchNorm's statistics were taken from the images" in tried[1].told
