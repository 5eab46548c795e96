"""Survival in the full flow beside the prediction: exact where X and X' commute, honest where they do not."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.images import image_moments, predict, study_images, survival_study
from lindyn.images.survival import least_alive

X = np.array([1.0, 0.8, 0.6, 0.5, 0.4, 0.2])
X_AUG = np.array([0.5, 0.1, 2.0, 0.1, 0.6, 0.3])  # thresholds 0.167, 0.178, 0.035, 0.104, 0.04, 0.02
HP = ld.Hyperparameters(alpha_p=1.5, beta=1.0, eta=0.05)


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


def aligned(data, hp, factor, n2=6):
    """Start with W_p and F diagonal together, on the parabola, p a multiple of p- (0.9 where there is none)."""
    x, x_aug, V = data.joint_spectrum()
    root = np.sqrt(np.maximum(x * x - 4 * hp.eta_s * (x + x_aug), 0))
    p = np.where(root > 0, np.asarray(factor) * (x - root) / (2 * (x + x_aug)), 0.9)
    U = rotation(n2, 5)
    return ld.WeightState((U * (p / np.sqrt(hp.alpha_p))) @ V.T, (U * p) @ U.T)


@pytest.fixture
def commuting():
    return ld.Moments.commuting(X, X_AUG, rotation(6, 1))


def test_commuting_data_end_exactly_where_predicted(commuting):
    study = survival_study(commuting, HP, start=aligned(commuting, HP, 1.2))
    assert study.prediction.can_live.tolist() == [True, True, False, True, False, False]
    assert study.full.survived.tolist() == study.prediction.can_live.tolist() and study.agreement == 6
    assert np.allclose(study.full.spectrum, study.predicted_spectrum, atol=1e-6)
    assert np.allclose(study.full.energy, study.prediction.s, atol=1e-6)
    assert np.allclose(study.full.share, study.prediction.can_live, atol=1e-6)
    assert study.commuting is study.full and study.full.settled and study.full.rank == 3
    assert (
        np.array_equal(study.full.trajectory.states.W[-1], study.full.W)
        and study.full.t == study.full.trajectory.ts[-1]
    )
    assert "X and X' commute" in study.summary()


def test_the_mark_between_dead_and_alive_is_half_of_the_least_a_living_mode_can_have():
    hp = ld.Hyperparameters(alpha_p=1.5, beta=1.0, eta_p=0.02, eta_s=0.05)
    x, x_aug = (g.ravel() for g in np.meshgrid(np.linspace(0.01, 1, 100), np.linspace(0, 5, 501)))
    found = predict(ld.Moments.commuting(x[::997], x_aug[::997]), hp, single=False)
    assert np.min(found.s[found.can_live]) >= 2 * least_alive(hp, 1.0, 1.0)
    edge = predict(ld.Moments(np.eye(1), (1 / 0.2 - 1 - 1e-9) * np.eye(1)), hp)  # x = 1, eta_s = 1 / (4 (1 + x'))
    assert np.isclose(edge.s[0], 2 * least_alive(hp, 1.0, 1.0), rtol=1e-3)


def test_what_is_still_dying_counts_as_dead(commuting):
    study = survival_study(commuting, HP, start=aligned(commuting, HP, 1.2), t1=170.0)
    assert study.full.spectrum[3] > 1e-12 and study.full.rank == 3


def test_a_mode_that_can_live_dies_outside_its_basin(commuting):
    study = survival_study(commuting, HP, start=aligned(commuting, HP, [1.1, 0.9, 1, 1.1, 1, 1]))
    assert study.full.survived.tolist() == [True, False, False, True, False, False]
    assert study.agreement == 5 and study.impossible == 0 and not study.in_order
    assert "1 that can live did not" in study.summary()


def test_separate_decays_set_the_size_but_not_the_threshold(commuting):
    hp = ld.Hyperparameters(alpha_p=1.5, beta=1.0, eta_p=0.1, eta_s=0.05)
    study = survival_study(commuting, hp, start=aligned(commuting, hp, 3.0))
    equal = survival_study(commuting, HP, start=aligned(commuting, HP, 1.2))
    assert study.full.rank == 3
    assert np.allclose(study.full.spectrum, 2 * equal.full.spectrum, atol=1e-6)


def test_random_starts_never_keep_what_cannot_live(commuting):
    for seed in range(4):
        study = survival_study(commuting, HP, n2=4, seed=seed, t1=3000.0)
        alive = study.full.rank
        assert study.impossible == 0 and 1 <= alive <= 3 and study.in_order
        assert np.allclose(study.full.spectrum[:alive], study.predicted_spectrum[:alive], atol=1e-6)


def test_small_output_keeps_at_most_n2_directions(commuting):
    hp = ld.Hyperparameters(alpha_p=1.5, beta=1.0, eta=0.01)
    study = survival_study(commuting, hp, start=ld.WeightState(rotation(6, 0)[:2], np.eye(2)), t1=4000.0)
    assert study.prediction.can_live.sum() == 6 and study.full.rank == 2 and len(study.predicted_spectrum) == 2
    assert study.in_order and np.allclose(study.full.spectrum, study.predicted_spectrum, atol=1e-6)
    assert "n2 = 2 of them at once" in study.summary()
    assert "4 that can live, the ones of least p, did not" in study.summary()


def crossed():
    """Noise of size 10 along (1, 1): seen from X's own axes it drowns both, yet (1, -1) is clean."""
    return ld.Moments(np.diag([1.0, 0.9]), 5.0 * np.ones((2, 2)))


def test_without_commuting_a_direction_can_live_that_its_own_numbers_forbid():
    hp = ld.Hyperparameters(alpha_p=1.0, beta=1.0, eta=0.1)
    study = survival_study(crossed(), hp, start=ld.WeightState(np.eye(2), np.eye(2)))
    assert not study.prediction.can_live.any() and study.commuting.rank == 0
    assert study.full.rank == 1 and study.impossible >= 1 and study.commutation_effect == 1.0
    single = study.prediction.single
    assert len(single.p) == 1 and np.isclose(study.full.spectrum[0], single.s[0], rtol=1e-8)
    q = study.full.W[np.argmax(np.linalg.norm(study.full.W, axis=1))]
    assert np.isclose(abs(q @ single.q[:, 0]) / np.linalg.norm(q), 1.0, rtol=1e-8)
    assert study.prediction.normal_rank == 1 and "survived though their own x, x' forbid it" in study.summary()


def test_above_the_bound_the_words_say_certain():
    data = crossed()
    hp = ld.Hyperparameters(eta=1.5 * float(predict(data, HP).bound[0]))
    study = survival_study(data, hp, 2, start=ld.WeightState(np.eye(2), np.eye(2)))
    assert study.full.rank == 0 and "collapse is certain" in study.summary() and study.full.settled


def test_decay_of_zero_keeps_the_memory_of_the_start():
    study = survival_study(crossed(), ld.Hyperparameters(eta=0.0), 2, t1=50.0)
    assert study.full.rank == 2 and "keeps the memory of its start" in study.summary() and study.undecided == 0


def test_a_run_cut_short_says_so(commuting):
    study = survival_study(commuting, HP, 4, t1=2.0)
    assert not study.full.settled and "had not come to rest at t = 2" in study.summary()


def test_a_mode_that_is_still_dying_is_not_taken_for_one_at_rest():
    """Its share of |W| is small, so that |dW|/|W| alone would look like rest."""
    data = ld.Moments.commuting([1.0, 1e-3], [0.1, 0.1])
    hp = ld.Hyperparameters(alpha_p=1.0, beta=1.0, eta=0.004)
    start = ld.WeightState(np.diag([1.0, 0.02]), np.diag([1.0, 0.02]))
    early, late = (survival_study(data, hp, start=start, t1=t1).full for t1 in (100.0, 1500.0))
    assert early.rank == 2 and not early.settled and np.isclose(early.speed, hp.eta_s, rtol=0.05)
    assert late.rank == 1 and late.settled


def test_simsiam_target(commuting):
    online = ld.Hyperparameters(alpha_p=1.5, beta=0.0, eta=0.05)
    study = survival_study(commuting, online, start=aligned(commuting, HP, 1.2), target="online")
    assert np.allclose(study.full.spectrum, study.predicted_spectrum, atol=1e-6)


@pytest.fixture(scope="module")
def digits():
    return study_images("digits", ld.Hyperparameters(eta=0.04), n2=24)


def test_digits_survive_as_predicted_but_larger_since_X_and_X_aug_do_not_commute(digits):
    assert digits.prediction.can_live.sum() == digits.full.rank == digits.full.survived.sum() == 6
    assert digits.agreement == 64
    alive = slice(0, 6)
    commuting = digits.commuting.spectrum[alive] / digits.predicted_spectrum[alive]
    assert np.allclose(commuting, 1, atol=1e-6)
    assert 0.1 < digits.moments.commutation_defect < 0.3 and 0.1 < digits.commutation_effect < 0.25
    assert np.allclose(digits.full.spectrum[alive], digits.single_spectrum[alive], rtol=0.02)
    assert np.max(np.abs(digits.full.spectrum[alive] / digits.predicted_spectrum[alive] - 1)) > 0.15
    assert digits.full.rank == digits.prediction.normal_rank <= digits.prediction.largest_rank
    assert np.isclose(digits.full.share.sum(), 6) and digits.full.settled


def test_summary_of_digits_is_a_short_paragraph(digits):
    text = digits.summary()
    assert text.startswith("1797 images of 8 x 8 (digits), 4 views each")
    assert "6 of 64 directions of the data can live" in text and "6 of 24 modes of F live" in text
    assert len(text) < 1200


def test_known_errors_decide_which_directions_are_undecided():
    measured = image_moments("digits")
    threshold = float(measured.moments.joint_spectrum()[0][4])  # any number: eta is put next to a threshold below
    study = survival_study(measured, ld.Hyperparameters(eta=0.5 * threshold), 4, t1=1.0)
    theta, error = study.prediction.threshold[4], study.prediction.threshold_error[4]
    near, far = (survival_study(measured, ld.Hyperparameters(eta=theta + k * error), 4, t1=1.0) for k in (0.5, 1.5))
    assert near.undecided >= 1 and np.isclose(error, measured.errors.threshold[4])
    assert abs(far.prediction.threshold[4] - far.hp.eta_s) > error
    bare = survival_study(measured.moments, far.hp, 4, t1=1.0)  # only the errors of the matrices are known
    assert np.all(bare.prediction.threshold_error >= 0) and bare.prediction.threshold_error[4] > error


def test_strengths_reach_the_augmentation():
    hp = ld.Hyperparameters(eta=0.04)
    study = study_images("digits", hp, 4, crop=0.1, flip=0.5, noise=0.0, blur=0.3, views=3, seed=2, t1=1.0)
    augmentation = study.source.augmentation
    assert (augmentation.crop, augmentation.flip, augmentation.noise, augmentation.blur) == (0.1, 0.5, 0.0, 0.3)
    same = image_moments("digits", augmentation, seed=2, views=3)
    assert np.array_equal(study.moments.X, same.moments.X)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"hp": ld.Hyperparameters(beta=0.0)},
            "beta must be finite and > 0; got 0. A frozen target has other fixed points.",
        ),
        ({"hp": ld.Hyperparameters(alpha_p=0.0)}, "alpha_p must be finite and > 0; got 0. Without it W_p only decays."),
        ({"moments": np.eye(3)}, "moments must be Moments or ImageMoments; got ndarray."),
        ({"target": "onlin"}, "target must be one of 'ema', 'online'; got 'onlin'. Did you mean 'online'?"),
        ({"n2": 0}, "n2 must be a whole number >= 1; got 0."),
        ({"start": ld.WeightState(np.eye(2))}, "W must have n1 = 3 columns, as X has; got shape (2, 2)."),
    ],
)
def test_bad_arguments(change, said):
    arguments = {"moments": ld.Moments.isotropic(3, 0.1), "hp": HP} | change
    with pytest.raises(ValueError) as error:
        survival_study(**arguments)
    assert str(error.value) == said
