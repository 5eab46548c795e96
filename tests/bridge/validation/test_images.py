"""Features of a checkpoint's own network: its own views, its own answer, both BatchNorm modes, every image problem."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lindyn.bridge.features import FAR, from_images
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings
from lindyn.bridge.training import LinearNet, Order, open_source
from tests.bridge.validation.runs import DIGITS, measured, pieces_of, settings_of, trained


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("digits"), DIGITS | {"run.diagnostics_every": 0, "run.epochs": 2})


@pytest.fixture(scope="module")
def gaussian(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("gaussian"), run__epochs=1, run__diagnostics_every=0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Nine colourful pictures of several sizes and kinds, some of them deeper in the folder, and a text beside."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for k in range(9):
        place = folder / ["", "birds", "birds/small"][k % 3]
        place.mkdir(exist_ok=True, parents=True)
        pixels = rng.integers(0, 256, (20 + 7 * k, 40, 3), dtype=np.uint8)
        image = Image.fromarray(pixels if k else pixels[..., 0])
        image.save(place / f"{k}.{('png', 'JPG', 'bmp')[k % 3]}", format=("PNG", "JPEG", "BMP")[k % 3])
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    return folder


class Cifar(nn.Module):
    """A small stand-in for a ResNet with CIFAR stem: 3 x 3 convolution of stride 1, BatchNorm, mean over places."""

    def __init__(self, channels=3):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv1 = nn.Conv2d(channels, 6, 3, padding=1)
            self.bn1 = nn.BatchNorm2d(6)

    def forward(self, images):
        assert images.shape[-1] == 32
        return torch.relu(self.bn1(self.conv1(images))).mean((2, 3))


def foreign(channels=3, **more):
    parts = {"backbone": Cifar(channels).eval(), "projector": nn.Sequential(nn.Linear(6, 4, bias=False))} | more
    return Pieces("some.ckpt", "lightly", "lightly, Lightning", **parts)


def gathered(source, name="z1"):
    return torch.cat([getattr(batch, name) for batch in source.batches()])


@pytest.mark.parametrize("mode", ["eval", "batch"])
def test_a_run_is_fed_its_own_views_and_answers_as_its_module_does(digits, mode):
    source = from_images(pieces_of(digits), batch=300, batchnorm=mode, seed=3, device="cpu")
    own = open_source(digits.config)
    order = Order(own.count, source.batch, 1, 3)
    module = digits.module()
    module.train(mode == "batch")
    for step, batch in zip(order.epoch(FAR + 3), source.batches(), strict=True):
        v1, v2, _ = own.views(step, "cpu", torch.float32)
        with torch.no_grad():
            torch.testing.assert_close(batch.z1, module.projection_head(module(v1)))
            torch.testing.assert_close(batch.z2, module.projection_head(module(v2)))
            torch.testing.assert_close(batch.target1, module._aim(v1))
    assert source.count == 1435  # 1438 images in 5 equal batches
    assert source.dim == 8


def test_the_same_views_every_time_and_others_for_another_seed(digits):
    pieces = pieces_of(digits)
    source = from_images(pieces, device="cpu")
    np.testing.assert_array_equal(gathered(source), gathered(source))
    assert not torch.equal(gathered(source), gathered(from_images(pieces, seed=1, device="cpu")))
    assert not torch.equal(gathered(source), gathered(source, "z2"))


def test_the_mode_of_batchnorm_matters_is_said_and_leaves_the_pieces_alone(digits):
    pieces = pieces_of(digits, 0)
    before = {name: value.clone() for name, value in pieces.backbone.state_dict().items()}
    by_running, by_batch = (from_images(pieces, batchnorm=mode, device="cpu") for mode in ("eval", "batch"))
    assert not torch.allclose(gathered(by_running), gathered(by_batch), rtol=0.1)
    np.testing.assert_array_equal(gathered(by_batch), gathered(by_batch))
    assert by_running.description.count("BatchNorm by its running statistics (which have seen no batch yet)") == 1
    assert "no batch yet" not in from_images(pieces_of(digits), device="cpu").description
    assert "BatchNorm by the batch of 239" in by_batch.description
    for name, value in pieces.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not pieces.backbone.training


def test_the_linear_network_gives_the_moments_of_its_data(gaussian):
    pieces = pieces_of(gaussian)
    source = from_images(pieces, limit=40_000, device="cpu")
    assert "no BatchNorm" in source.description
    found = measured(source, pieces.predictor)
    W = pieces.backbone.linear.weight.detach().numpy()
    X, noise = np.diag(1 / np.arange(1, 7)), gaussian.config.data.noise**2
    np.testing.assert_allclose(found.X, W @ X @ W.T, atol=0.03 * np.trace(found.F))
    np.testing.assert_allclose(found.X_aug, noise * W @ W.T, atol=0.03 * np.trace(found.F))
    np.testing.assert_allclose(found.F, found.X + found.X_aug, atol=1e-12)


def test_a_limit_takes_fewer_images(digits):
    assert from_images(pieces_of(digits), limit=100, batch=64, device="cpu").count == 100
    bare = from_images(replace(pieces_of(digits), projector=None), limit=100, device="cpu")
    assert bare.dim == 16
    assert "the backbone's own features (no projector)" in bare.description
    assert "no projector" not in from_images(pieces_of(digits), limit=100, device="cpu").description
    assert len(gathered(from_images(pieces_of(digits), limit=100, batch=64, device="cpu"))) == 100


def test_a_foreign_network_sees_photos_by_byols_transform(photos):
    pieces = foreign(target_backbone=Cifar(), target_projector=nn.Sequential(nn.Linear(6, 4, bias=False)))
    source = from_images(pieces, photos, batch=4, device="cpu")
    assert (source.count, source.dim, source.batch) == (9, 4, 3)
    for words in ("9 images of", "at 32 pixels", "lightly's BYOL transform", "normalised by ImageNet's mean"):
        assert words in source.description
    z1 = gathered(source)
    np.testing.assert_array_equal(z1, gathered(source))
    assert not torch.equal(z1, gathered(source, "z2"))
    assert gathered(source, "target1").shape == z1.shape


def test_photos_decoded_in_processes_are_the_same(photos):
    pieces = foreign()
    alone, beside = (from_images(pieces, photos, batch=4, device="cpu", workers=n) for n in (0, 1))
    np.testing.assert_array_equal(gathered(alone), gathered(beside))


def test_grey_images_are_repeated_and_normalised_for_a_network_of_three_channels():
    pieces = foreign()
    source = from_images(pieces, "digits", batch=50, limit=50, device="cpu")
    order = Order(source.views.source.count, 50, 1, 0)
    v1, _, _ = source.views.source.views(next(order.epoch(FAR)), "cpu", torch.float32)
    assert v1.shape == (50, 1, 32, 32)
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        expected = pieces.projector(pieces.backbone((v1.repeat(1, 3, 1, 1) - mean) / std))
    torch.testing.assert_close(next(source.batches()).z1, expected)
    assert "grey repeated to 3 channels" in source.description
    assert "no target network" in source.description


def test_a_run_on_grey_images_takes_other_grey_images(digits):
    source = from_images(replace(pieces_of(digits), settings=Settings()), "mnist", limit=30, device="cpu")
    assert "images of mnist at 28 pixels" in source.description
    assert gathered(source).shape == (30, 8)


def broken(folder, photos, kind):
    """Return a folder of images with this problem."""
    if kind == "text only":
        (folder / "read.me").write_text("", encoding="utf-8")
    if kind == "one image":
        Image.new("RGB", (9, 9)).save(folder / "a.png")
    if kind == "torn":
        for path in photos.glob("*.png"):
            (folder / path.name).write_bytes(path.read_bytes()[: 200 if path.name == "3.png" else None])
    return folder / "absent" if kind == "absent" else folder


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text only", "holds 0 image files .*in it or below; at least 2 are needed"),
        ("one image", "holds 1 image files"),
        ("absent", "images must be a folder of image files, mnist, digits or auto; there is no folder .*absent"),
        ("torn", "3.png cannot be read as an image. Repair or remove it."),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_wrong_with_a_folder_is_said_in_one_line(tmp_path, photos, kind, text, workers):
    with pytest.raises(ValueError, match=text) as raised:
        list(from_images(foreign(), broken(tmp_path, photos, kind), device="cpu", workers=workers).batches())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("images", "pieces", "more", "text"),
    [
        ("digits", {"backbone": None}, {}, "holds no backbone to run on images. Give features instead"),
        ("auto", {}, {}, "images='auto' means those of a run of lindyn train; some.ckpt does not say"),
        ("digits", {}, {"batch": 1}, "batch must be a whole number of 2 or more; got 1"),
        ("digits", {}, {"limit": True}, "limit must be a whole number of 2 or more; got True"),
        ("digits", {}, {"batchnorm": "train"}, "batchnorm must be one of eval, batch; got 'train'"),
        ("digits", {"backbone": LinearNet(50, 6)}, {}, r"cannot take images of 1 x 8 x 8 .*trained on"),
        ("digits", {"projector": nn.Sequential(nn.Linear(7, 4))}, {}, "cannot take images"),
        ("digits", {"projector": nn.Sequential(nn.Unflatten(1, (2, 3)))}, {}, r"vector; got shape \(2, 2, 3\)"),
    ],
)
def test_what_does_not_fit_the_network_is_said(images, pieces, more, text):
    with pytest.raises(ValueError, match=text):
        from_images(foreign(**pieces), images, device="cpu", **more)


def test_colour_does_not_go_into_one_channel(photos):
    with pytest.raises(ValueError, match="takes images of 1 channel, these have 3"):
        from_images(foreign(1), photos, device="cpu")


def test_weights_that_are_no_numbers_are_said():
    pieces = foreign()
    nn.init.constant_(pieces.projector[0].weight, float("nan"))
    with pytest.raises(ValueError, match="answers batch 1 of the images with NaN or infinity"):
        list(from_images(pieces, "digits", limit=20, device="cpu").batches())


def test_the_runs_own_settings_decide_the_views(digits):
    """With augmentation "none" both views are the image: only settings that were read can make that so."""
    still = Settings.of({"data.augmentation": "none"}, "test").over(settings_of(digits))
    source = from_images(replace(pieces_of(digits), settings=still), device="cpu", limit=50)
    np.testing.assert_array_equal(gathered(source), gathered(source, "z2"))
    assert "(none)" in source.description
