"""Photos on disk, one image at a time: the same views whoever decodes them, and runs that go on."""

import numpy as np
import pytest
import torch
from PIL import Image

from lindyn.bridge.training import Order, TrainConfig, open_source, train
from lindyn.bridge.training.image_order import Place
from lindyn.bridge.training.photos import TwoViews, transform
from tests.bridge.training.helpers import differing, weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An ImageNet layout of two classes, reddish and bluish noise."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for part, count in (("train", 8), ("val", 4)):
        for label, channel in (("blue", 2), ("red", 0)):
            (root / part / label).mkdir(parents=True)
            for k in range(count):
                pixels = rng.integers(0, 100, (40, 48, 3), dtype=np.uint8)
                pixels[..., channel] += 120
                Image.fromarray(pixels).save(root / part / label / f"{k}.png")
    return root


def config(folder, **more):
    """A tiny run on the folder."""
    given = {"data.name": "imagefolder", "data.root": str(folder), "data.size": 32, "data.workers": 0,
             "model.backbone": "resnet18", "model.stem": "cifar", "model.hidden": 8, "model.dim": 4,
             "optim.batch": 8, "run.epochs": 2, "run.threads": 1, "run.progress": False, "run.knn": 3,
             "run.diagnostics_every": 0}  # fmt: skip
    return TrainConfig.of(given | {name.replace("__", "."): value for name, value in more.items()})


def views(source, epoch=0, start=0):
    """Return the views of an epoch's batches from one on."""
    order = Order(source.count, 8, 1, 0)
    loader = source.loader(order, lambda: epoch * len(order) + start)
    return [source.views(batch, "cpu", torch.float32) for batch in loader]


@pytest.mark.parametrize("augmentation", ["byol", "simsiam"])
def test_views_are_a_function_of_seed_epoch_and_image(folder, augmentation):
    source = open_source(config(folder, data__augmentation=augmentation))
    whole = views(source)
    state = torch.get_rng_state()
    TwoViews(source.train, transform(source.data), 0)[Place(3, 0)]
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(5)
    again = views(source)
    assert len(whole) == 2 and whole[0][0].shape == (8, 3, 32, 32)
    for a, b in zip(whole, again, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    rest = views(source, start=1)
    assert len(rest) == 1 and torch.equal(rest[0][0], whole[1][0])
    assert not torch.equal(whole[0][0], whole[0][1])
    assert not torch.equal(views(source, epoch=1)[0][0], whole[0][0])
    assert set(whole[0][2].tolist()) <= {0, 1}


@pytest.mark.slow
def test_views_are_the_same_from_worker_processes(folder):
    here, there = (views(open_source(config(folder, data__workers=workers))) for workers in (0, 2))
    for a, b in zip(here, there, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.slow
def test_a_run_on_photos_probes_evaluates_and_repeats(folder, tmp_path):
    a = train(config(folder, run__folder=str(tmp_path / "a"), run__evaluation="images", run__evaluation_epochs=3))
    assert {"probe", "knn"} <= set(a.metrics[-1])
    assert a.result["chance"] == 0.5 and {"linear", "untrained", "linear_top1"} <= set(a.result)
    assert 0 <= a.result["linear_top1"] <= 1
    b = train(config(folder, run__folder=str(tmp_path / "b"), run__evaluation="none", data__workers=2))
    assert differing(weights(a), weights(b)) == []


@pytest.mark.parametrize(
    ("workers", "loaded", "offered", "method"),
    [
        (0, True, ["fork", "forkserver"], None),
        (2, False, ["fork", "forkserver"], None),
        (2, True, ["fork", "spawn", "forkserver"], "forkserver"),
        (2, True, ["spawn"], "spawn"),  # Windows
    ],
)
def test_no_process_with_jax_in_it_is_forked(monkeypatch, workers, loaded, offered, method):
    """JAX warns that its threads may deadlock in a forked child."""
    from lindyn.bridge.training import photos

    monkeypatch.setattr(photos.sys, "modules", {"jax": None} if loaded else {})
    monkeypatch.setattr(photos.multiprocessing, "get_all_start_methods", lambda: offered)
    monkeypatch.setattr(photos.multiprocessing, "set_forkserver_preload", lambda names: None)
    assert photos.start_method(workers) == method
