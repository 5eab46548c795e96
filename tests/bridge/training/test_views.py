"""Order and views: pure functions of (seed, epoch, step), shared out over processes without a trace."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lindyn.bridge.training import Order, TrainConfig, batch_augmentation, open_source
from lindyn.bridge.training.image_order import Batches, generator

DIGITS = TrainConfig.of({"data.name": "digits"})


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 3), st.integers(0, 5))
def test_an_epoch_is_a_permutation_and_processes_share_each_batch(count, batch, accumulate, epoch):
    if batch * accumulate > count:
        with pytest.raises(ValueError, match="must be at most the"):
            Order(count, batch, accumulate)
        return
    one = [step.images.tolist() for step in Order(count, batch, accumulate, 3).epoch(epoch)]
    assert len(one) % accumulate == 0 and len(one) == len(Order(count, batch, accumulate))
    seen = [index for batch in one for index in batch]
    assert len(set(seen)) == len(seen) and set(seen) <= set(range(count))
    if batch % 2 == 0:
        halves = [[s.images.tolist() for s in Order(count, batch, accumulate, 3, r, 2).epoch(epoch)] for r in (0, 1)]
        assert [a + b for a, b in zip(*halves, strict=True)] == one


def test_the_loader_goes_on_from_the_step_count():
    done = [0]
    loader = Batches(Order(50, 10, 1, 0), lambda: done[0])
    whole = [step.images.tolist() for step in loader]
    done[0] = 3
    assert [step.images.tolist() for step in loader] == whole[3:]
    done[0] = 5
    later = [step.images.tolist() for step in loader]
    assert len(later) == 5 and later != whole


def test_a_batch_that_the_processes_cannot_share_is_refused():
    with pytest.raises(ValueError, match=r"multiple of their number; got 10 for 4 devices. Use optim.batch=8"):
        Order(100, 10, world=4)


def test_views_do_not_depend_on_the_number_of_processes():
    source = open_source(DIGITS)
    whole = next(iter(Order(source.count, 64, 1, 0).epoch(2)))
    parts = [next(iter(Order(source.count, 64, 1, 0, rank, 2).epoch(2))) for rank in (0, 1)]
    v1, v2, labels = source.views(whole, "cpu", torch.float32)
    halves = [source.views(part, "cpu", torch.float32) for part in parts]
    for k, view in enumerate((v1, v2, labels)):
        assert torch.equal(view, torch.cat([half[k] for half in halves]))
    assert not torch.equal(v1, v2)
    again = source.views(next(iter(Order(source.count, 64, 1, 0).epoch(3))), "cpu", torch.float32)
    assert not torch.equal(v1, again[0])


def test_views_with_all_strengths_at_zero_are_the_images():
    still = DIGITS.changed({"data.crop": 1.0, "data.ratio": 1.0, "data.rotate": 0.0, "data.brightness": 0.0,
                            "data.contrast": 0.0, "data.blur": 0.0, "data.noise": 0.0})  # fmt: skip
    images = torch.rand(5, 1, 8, 8)
    for view in batch_augmentation.two_views(images, still.data, 5, 0, generator(0)):
        torch.testing.assert_close(view, images, atol=2e-6, rtol=0)


@given(st.floats(0.05, 1), st.floats(1, 3), st.integers(0, 10_000))
def test_crops_without_rotation_stay_inside_the_image_and_have_the_asked_area(crop, ratio, seed):
    data = DIGITS.changed({"data.crop": crop, "data.ratio": ratio, "data.rotate": 0.0}).data
    theta = batch_augmentation.draw(data, 50, (1, 8, 8), generator(seed)).affine
    w, h, x, y = theta[:, 0, 0], theta[:, 1, 1], theta[:, 0, 2], theta[:, 1, 2]
    assert (x.abs() + w <= 1 + 1e-5).all() and (y.abs() + h <= 1 + 1e-5).all()
    assert (w * h <= 1 + 1e-5).all() and (w * h >= crop / ratio - 1e-5).all()
    inside = (w < 1) & (h < 1)
    assert (w[inside] * h[inside] >= crop - 1e-5).all()


def test_mirrored_views_are_mirrored_and_rotation_turns():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 7] = 1.0
    still = {f"data.{name}": 0.0 for name in ("rotate", "noise", "blur", "brightness", "contrast")}
    data = DIGITS.changed({**still, "data.crop": 1.0, "data.ratio": 1.0, "data.flip": 1.0}).data
    view = batch_augmentation.two_views(image, data, 1, 0, generator(0))[0]
    torch.testing.assert_close(view, image.flip(-1), atol=1e-5, rtol=0)
    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    numbers = batch_augmentation.Draw(quarter, *torch.ones(1, 1), torch.zeros(1), torch.zeros(1), None)
    turned = batch_augmentation.apply(image, data, numbers)
    torch.testing.assert_close(turned, image.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_blur_keeps_flat_images_and_spreads_a_point_by_its_width():
    flat = torch.full((2, 1, 9, 9), 0.7)
    torch.testing.assert_close(batch_augmentation._blurred(flat, torch.tensor([0.5, 1.0])), flat)
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1.0
    spread = batch_augmentation._blurred(point, torch.tensor([0.6]))[0, 0]
    at = torch.arange(9) - 4.0
    assert spread.sum() == pytest.approx(1.0, abs=1e-6)
    assert (spread.sum(0) * at**2).sum() == pytest.approx(0.36, abs=0.01)


def test_gaussian_vectors_have_the_moments_they_claim():
    config = TrainConfig.of({"data.name": "gaussian", "data.size": 4, "data.noise": 0.5, "data.count": 200_000})
    source = open_source(config)
    step = next(iter(Order(200_000, 200_000).epoch(0)))
    v1, v2, _ = (v.flatten(1).numpy() if v is not None else v for v in source.views(step, "cpu", torch.float64))
    x = source.x.numpy()
    np.testing.assert_allclose(v1.T @ v2 / len(v1), np.diag(x), atol=0.012)
    np.testing.assert_allclose(v1.T @ v1 / len(v1), np.diag(x + 0.25), atol=0.012)


def test_held_out_images_are_the_same_for_every_seed_and_not_trained_on():
    a, b = (open_source(DIGITS.changed({"run.seed": seed})) for seed in (0, 1))
    assert torch.equal(a.test_images, b.test_images)
    assert len(a.images) + len(a.test_images) == 1797
    counts = torch.bincount(a.test_labels).numpy()
    assert counts.min() >= 34 and counts.max() <= 37  # a fifth of every class
