"""A folder of images, read in batches so that it may be larger than memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lindyn.images.optional_packages import require

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class ImageFolder:
    """The images below a folder, sorted by path, as grayscale and resized to a square; only a batch is in memory.

    Args:
        folder: searched recursively; names that start with a dot are passed over.
        size: side in pixels after resizing (the aspect ratio is not kept).

    Raises:
        ValueError: no such folder, or no image in it.
    """

    folder: Path
    size: int
    independent = True

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            what = "is a file" if self.folder.exists() else "does not exist"
            raise ValueError(f"images must be an existing folder; {str(self.folder)!r} {what}. Check the path.")
        object.__setattr__(self, "paths", self._find())
        require("PIL", "a folder of images")

    def _find(self) -> list[Path]:
        found = (p for p in self.folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        paths = sorted(p for p in found if p.is_file())
        if not paths:
            raise ValueError(
                f"images must be a folder with images; none of {', '.join(SUFFIXES)} below {str(self.folder)!r}."
            )
        return paths

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name or str(self.folder)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width after resizing."""
        return self.size, self.size

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield images x size x size in [0, 1], `size` at a time.

        Raises:
            ValueError: a file that cannot be read as an image; the message names it.
        """
        paths: list[Path] = vars(self)["paths"]
        for start in range(0, len(paths), size):
            yield np.stack([_read(path, self.size) for path in paths[start : start + size]])


def _read(path: Path, side: int) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith("I"):  # 16 bit: convert("L") would cut it off at 255
                gray = Image.fromarray(np.asarray(image, dtype=np.float32) / 65535.0)
            else:
                gray = Image.fromarray(np.asarray(image.convert("L"), dtype=np.float32) / 255.0)
            pixels = np.asarray(gray.resize((side, side), Image.Resampling.BOX), dtype=np.float64)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"images: {str(path)!r} cannot be read as an image ({error}). Remove or repair it.") from error
    return np.clip(pixels, 0.0, 1.0)
