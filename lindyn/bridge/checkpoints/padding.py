"""The padding of TensorFlow and haiku ("SAME"): strided layers pad otherwise than in torch."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as fn


def same_padding(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[int]:
    """Return the padding of "SAME" in the order of `torch.nn.functional.pad`, the last axis first.

    An axis of n places gives ceil(n / stride) of them; what that needs is halved, and the odd one stands behind.

    Args:
        size: places of the axes.
        kernel: of the window, per axis.
        stride: of the window, per axis.
    """
    needed = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)]
    return list(chain.from_iterable((total // 2, total - total // 2) for total in reversed(needed)))


class SameConv2d(nn.Conv2d):
    """A convolution with this padding, of no dilation."""

    def forward(self, input: Tensor) -> Tensor:
        """Return B x channels x ceil(height / stride) x ceil(width / stride)."""
        around = same_padding(input.shape[-2:], self.kernel_size, self.stride)
        return fn.conv2d(fn.pad(input, around), self.weight, self.bias, self.stride, groups=self.groups)


class SameMaxPool2d(nn.Module):
    """The largest number of each window, with this padding.

    Args:
        kernel: side of the window.
        stride: between windows.
    """

    def __init__(self, kernel: int, stride: int):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, images: Tensor) -> Tensor:
        """Return B x channels x ceil(height / stride) x ceil(width / stride)."""
        around = same_padding(images.shape[-2:], (self.kernel,) * 2, (self.stride,) * 2)
        return fn.max_pool2d(fn.pad(images, around, value=-float("inf")), self.kernel, self.stride)


def pad_same(net: nn.Module) -> None:
    """Exchange the strided layers of a network for ones with this padding; the others pad alike in torch."""
    for name, module in list(net.named_modules()):
        parent = net.get_submodule(name.rpartition(".")[0])
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1:
            shape: Any = {
                "kernel_size": module.kernel_size,
                "stride": module.stride,
                "bias": module.bias is not None,
                "groups": module.groups,
            }
            same = SameConv2d(module.in_channels, module.out_channels, **shape)
            setattr(parent, name.rpartition(".")[2], same)
        elif isinstance(module, nn.MaxPool2d):
            window: Any = module.kernel_size, module.stride
            setattr(parent, name.rpartition(".")[2], SameMaxPool2d(*window))
