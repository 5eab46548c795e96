"""Views of small images, a whole batch at a time: random crop, rotation, contrast, blur, noise.

Two cores cannot afford one image at a time. Every number is drawn for the global batch from a generator that is a
function of (seed, epoch, step), and each process takes its own rows: the views depend neither on the number of
processes nor on where a run was interrupted.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lindyn.bridge.sections import DataConfig
from lindyn.display.brief import Brief


@dataclass(frozen=True, repr=False)
class Draw(Brief):
    """The random numbers of one view of a batch.

    Args:
        affine: B x 2 x 3, output coordinates to input coordinates, both in [-1, 1].
        contrast: B, factor about the image's mean.
        brightness: B, what is added.
        blur: B, width in pixels.
        noise: B x C x H x W standard Gaussian, or None.
    """

    affine: Tensor
    contrast: Tensor
    brightness: Tensor
    blur: Tensor
    noise: Tensor | None

    def rows(self, first: int, count: int) -> "Draw":
        """Return the part of one process."""
        cut = slice(first, first + count)
        noise = None if self.noise is None else self.noise[cut]
        return Draw(self.affine[cut], self.contrast[cut], self.brightness[cut], self.blur[cut], noise)


def draw(data: DataConfig, total: int, shape: tuple[int, ...], generator: torch.Generator) -> Draw:
    """Draw the numbers of one view of `total` images of this shape (C x H x W)."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(total, generator=generator)

    noise = torch.randn(total, *shape, generator=generator) if data.noise else None
    if data.augmentation == "noise":
        still = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).expand(total, 2, 3)
        return Draw(still, torch.ones(total), torch.zeros(total), torch.zeros(total), noise)
    return Draw(
        _affine(data, total, generator),
        1 + data.contrast * uniform(-1, 1),
        data.brightness * uniform(-1, 1),
        uniform(0, data.blur),
        noise,
    )


def _affine(data: DataConfig, total: int, generator: torch.Generator) -> Tensor:
    """Return crops that lie inside the image, of area crop..1 and aspect 1/ratio..ratio, rotated and mirrored."""
    u = torch.rand(6, total, generator=generator)
    area = data.crop + (1 - data.crop) * u[0]
    aspect = torch.exp(math.log(data.ratio) * (2 * u[1] - 1))
    w, h = (torch.sqrt(area * aspect).clamp(max=1.0), torch.sqrt(area / aspect).clamp(max=1.0))
    x, y = (1 - w) * (2 * u[2] - 1), (1 - h) * (2 * u[3] - 1)
    angle = math.radians(data.rotate) * (2 * u[4] - 1)
    mirror = torch.where(u[5] < data.flip, -1.0, 1.0)
    c, s = torch.cos(angle), torch.sin(angle)
    rows = [torch.stack([w * c * mirror, -w * s, x], -1), torch.stack([h * s * mirror, h * c, y], -1)]
    return torch.stack(rows, 1)


def apply(images: Tensor, data: DataConfig, numbers: Draw) -> Tensor:
    """Return the view of the images (B x C x H x W) that these numbers make."""
    if data.augmentation == "noise":
        return images if numbers.noise is None else images + data.noise * numbers.noise.to(images)
    grid = functional.affine_grid(numbers.affine.to(images), list(images.shape), align_corners=False)
    view = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if data.blur:
        view = _blurred(view, numbers.blur.to(images))
    mean = view.mean(dim=(1, 2, 3), keepdim=True)
    view = (view - mean) * _column(numbers.contrast, view) + mean + _column(numbers.brightness, view)
    return view if numbers.noise is None else view + data.noise * numbers.noise.to(images)


def _column(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like)[:, None, None, None]


def _blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Return each image convolved with its own Gaussian, rows then columns, reach of two pixels."""
    at = torch.arange(-2, 3, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (at[None, :] / sigma.clamp(min=1e-3)[:, None]) ** 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    H, W = images.shape[2:]
    padded = functional.pad(images, (2, 2, 2, 2), mode="replicate")
    rows = torch.stack([padded[:, :, k : k + H, :] for k in range(5)])
    rows = torch.einsum("bk,kbchw->bchw", kernel, rows)
    columns = torch.stack([rows[:, :, :, k : k + W] for k in range(5)])
    return torch.einsum("bk,kbchw->bchw", kernel, columns)


def two_views(
    images: Tensor, data: DataConfig, total: int, first: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return two views of this process's part of a global batch.

    Args:
        images: B x C x H x W, this process's part, in [0, 1].
        data: strengths.
        total: size of the global batch.
        first: place of this part within it.
        generator: of this step.

    Returns:
        The two views, B x C x H x W each.
    """
    if data.augmentation == "none":
        return images, images
    shape = tuple(images.shape[1:])
    parts = [draw(data, total, shape, generator).rows(first, len(images)) for _ in range(2)]
    return apply(images, data, parts[0]), apply(images, data, parts[1])
