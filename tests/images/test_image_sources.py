"""Sources: what they hold, that folders and arrays are streamed, and what bad ones say."""

import builtins
import sys

import numpy as np
import pytest
from PIL import Image

from lindyn.images import Augmentation, image_moments, open_source
from lindyn.images import image_sources as folder_module


def all_of(source, size=1000):
    return np.concatenate(list(source.batches(size)))


def write(path, pixels, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode=mode).save(path) if mode else Image.fromarray(pixels).save(path)


@pytest.fixture
def pictures(tmp_path):
    """Seven 6 x 6 grey images in nested folders, and their values in the order of their paths."""
    pixels = np.random.default_rng(0).integers(0, 256, (7, 6, 6), dtype=np.uint8)
    for k, name in enumerate(["a/1.png", "a/2.bmp", "a/b/3.PNG", "c.png", "d.tif", "e.pgm", "f/g/h.png"]):
        write(tmp_path / name, pixels[k])
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._c.png").write_bytes(b"what some systems leave behind")
    return tmp_path, pixels / 255.0


def test_digits():
    source = open_source("digits")
    images = all_of(source)
    assert images.shape == (1797, 8, 8) and source.shape == (8, 8) and source.independent
    assert images.min() == 0.0 and images.max() == 1.0
    assert all(len(batch) <= 500 for batch in source.batches(500))


def test_photos_as_tiles_and_as_random_patches():
    tiles = open_source("photos", size=32)
    assert all_of(tiles).shape == (2 * (427 // 32) * (640 // 32), 32, 32) and not tiles.independent
    few, again, other = (all_of(open_source("photos", size=8, patches=51, seed=s)) for s in (1, 1, 2))
    assert few.shape == (51, 8, 8) and np.array_equal(few, again) and not np.array_equal(few, other)
    assert few.min() >= 0 and few.max() <= 1


def test_tiles_are_pieces_of_the_photos_in_luma():
    from sklearn.datasets import load_sample_image

    flower = load_sample_image("flower.jpg")[64:96, 32:64] / 255.0
    luma = flower @ [0.299, 0.587, 0.114]
    tiles = all_of(open_source("photos", size=32))
    assert np.min(np.max(np.abs(tiles - luma), axis=(1, 2))) < 1e-12


def test_folder_is_read_recursively_sorted_and_in_batches(pictures, monkeypatch):
    path, pixels = pictures
    read = []
    monkeypatch.setattr(
        folder_module, "_read", lambda p, side, real=folder_module._read: read.append(p) or real(p, side)
    )
    batches = open_source(path, size=6).batches(3)
    first = next(batches)
    assert first.shape == (3, 6, 6) and len(read) == 3  # no more than a batch was read
    images = np.concatenate([first, *batches])
    assert read == sorted(read) and np.allclose(images, pixels, atol=1e-7)


def test_folder_takes_colour_as_luma_16_bit_in_full_and_averages_when_it_shrinks(tmp_path):
    colour = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    deep = np.random.default_rng(2).integers(0, 65536, (8, 8), dtype=np.uint16)
    write(tmp_path / "1.png", colour)
    write(tmp_path / "2.png", deep)
    images = all_of(open_source(str(tmp_path), size=4))
    blocks = lambda a: a.reshape(4, 2, 4, 2).mean(axis=(1, 3))  # noqa: E731
    assert np.max(np.abs(images[0] - blocks(colour @ [0.299, 0.587, 0.114] / 255))) < 0.004  # luma rounded to 8 bit
    assert np.allclose(images[1], blocks(deep / 65535.0), atol=1e-6)


def test_folder_gives_the_moments_of_its_images(pictures):
    path, pixels = pictures
    one, two = (image_moments(source, views=3, seed=4, size=size) for source, size in ((path, 6), (pixels, None)))
    assert np.allclose(one.moments.X, two.moments.X, atol=1e-5) and np.isclose(one.factor, two.factor, rtol=1e-4)


def test_arrays_of_views_stay_on_disk(tmp_path):
    rng = np.random.default_rng(0)
    views = rng.normal(size=(2, 50, 3, 4))
    for k in (0, 1):
        np.save(tmp_path / f"v{k}.npy", views[k])
    source = open_source([tmp_path / "v0.npy", str(tmp_path / "v1.npy")])
    assert source.shape == (3, 4) and all(isinstance(a, np.memmap) for a in source.arrays)
    assert np.array_equal(all_of(source, 7), np.moveaxis(views.reshape(2, 50, 12), 0, 1))


def test_whole_numbers_are_scaled_to_the_unit_range():
    images = np.array([[[0, 255], [51, 102]]] * 2, dtype=np.uint8)
    assert np.allclose(all_of(open_source(images))[0], [[0, 1], [0.2, 0.4]])


def message(images, **options):
    with pytest.raises(ValueError) as error:
        image_moments(images, **options)
    return str(error.value)


def test_unknown_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = message("digit")
    assert "images must be one of 'digits', 'photos'; got 'digit'. Did you mean 'digits'?" in said
    assert "path of a folder" in said
    assert message(7) == "images must be a name, a path or arrays; got int."
    assert message(["digits", "photos", "digits"]) == "images must be one source or two arrays of views; got 3 entries."


def test_bad_folders(tmp_path, pictures):
    missing = str(tmp_path / "nowhere" / "x")
    assert message(missing) == f"images must be an existing folder; {missing!r} does not exist. Check the path."
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty").startswith("images must be a folder with images; none of .bmp, .gif")
    (tmp_path / "a" / "broken.png").write_bytes(b"not a picture")
    said = message(tmp_path, size=6)
    assert "a/broken.png' cannot be read as an image" in said and said.endswith("Remove or repair it.")
    file = str(tmp_path / "c.png")
    assert message(file) == f"images must be an existing folder; {file!r} is a file. Check the path."


def test_cut_off_file_is_named(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    write(tmp_path / "1.png", pixels)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    assert "2.png' cannot be read as an image" in message(tmp_path)


def test_one_image_is_too_few(tmp_path):
    write(tmp_path / "1.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert message(tmp_path) == "At least 2 images are needed to estimate X and X'; got 1."


def test_bad_arrays_of_views(tmp_path):
    a, b = str(tmp_path / "a.npy"), str(tmp_path / "b.npy")
    np.save(a, np.zeros((5, 4)))
    np.save(b, np.zeros((5, 3)))
    assert "must have the same shape; got (5, 4) and (5, 3)" in message((a, b))
    assert f"got one, {a!r}" in message(a)
    assert message((a, str(tmp_path / "c.npy"))).endswith("c.npy' does not exist. Check the path.")
    (tmp_path / "d.npy").write_bytes(b"something else")
    assert "d.npy' is no .npy array" in message((a, tmp_path / "d.npy"))
    np.save(b, np.array(["x"] * 5))
    assert "must hold one real array; got <U1" in message((a, b))
    holed = np.ones((5, 4))
    holed[2, 1] = np.nan
    np.save(b, holed)
    assert "the first in view 2 of sample 2" in message((a, b))
    np.save(b, np.zeros(5))
    np.save(a, np.zeros(5))
    assert "samples x pixels (or more axes); got shape (5,)" in message((a, b))


def test_bad_image_arrays():
    assert message(np.zeros((4, 5))) == "images must be images x height x width; got shape (4, 5)."
    assert "must lie in [0, 1]; got values from 0 to 16" in message(np.linspace(0, 16, 64).reshape(4, 4, 4))
    holed = np.zeros((4, 2, 2))
    holed[3, 0, 0] = np.nan
    assert message(holed) == "images must be finite; got NaN or infinity in image 3."
    assert message(np.full((9, 2, 2), 0.3), augmentation=Augmentation.none()).startswith("The images must differ")


def test_arguments_that_do_not_belong(tmp_path):
    assert (
        message("digits", size=16) == "size is for photos and folders; got size=16 for digits of 8 x 8. Leave it out."
    )
    assert message("digits", patches=100) == "patches is for images='photos'; got patches=100 for digits. Leave it out."
    assert message("photos", size=1) == "size must be a whole number >= 2; got 1."
    assert message("photos", size=500) == "size must be at most 427, the short side of the photos; got 500."
    assert "Choose a smaller size." in message("photos", size=65)
    assert message("digits", views=1).startswith("views must be a whole number >= 2; got 1.")


@pytest.mark.parametrize(
    ("images", "package", "known"), [("digits", "sklearn", "scikit-learn"), (".", "PIL", "pillow")]
)
def test_missing_extra_says_what_to_install(images, package, known, monkeypatch, pictures):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == package:
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    for name in [n for n in sys.modules if n.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(pictures[0])
    with pytest.raises(ImportError, match=rf'{known} is needed .* pip install "lindyn\[images\]"'):
        open_source(images)
