"""Whatever a user's default dtype and device of torch: lindyn computes as with torch's own, and leaves them."""

import contextlib

import pytest
import torch

from lindyn.bridge import ClosedFormPredictor, TrainConfig, validate
from lindyn.bridge.torch_defaults import plain_defaults
from lindyn.bridge.training.trainer import make_trainer


@contextlib.contextmanager
def defaults(dtype=torch.float32, device="cpu"):
    torch.set_default_dtype(dtype)
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


CASES = [(torch.float16, "cpu"), (torch.bfloat16, "cpu"), (torch.float64, "cpu"), (torch.float32, "meta")]


@pytest.mark.parametrize(("dtype", "device"), CASES)
def test_the_defaults_are_plain_inside_and_the_user_s_again_outside(dtype, device):
    with defaults(dtype, device):
        with pytest.raises(KeyError), plain_defaults():
            assert torch.empty(1).dtype == torch.float32 and torch.empty(1).device.type == "cpu"
            raise KeyError
        assert torch.empty(1).dtype == dtype and torch.empty(1).device.type == device


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rule", ["paper", "linear_regression", "direct_set"])
def test_a_layer_keeps_its_statistics_in_float32(rule, dtype):
    z = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    usual = ClosedFormPredictor(6, rule=rule)(z)
    with defaults(dtype):
        layer = ClosedFormPredictor(6, rule=rule)
        assert torch.equal(layer(z), usual) and layer.F_hat.dtype == torch.float32
        assert layer(z.to(dtype)).dtype == dtype


def test_a_layer_on_the_meta_device_says_so():
    with defaults(device="meta"):
        layer = ClosedFormPredictor(4)
    with pytest.raises(ValueError, match="ClosedFormPredictor stands on the meta device"):
        layer(torch.randn(8, 4))


@pytest.mark.parametrize(("dtype", "device"), CASES)
def test_validate_finds_the_same(dtype, device, tmp_path):
    z1, z2 = (torch.randn(200, 5, generator=torch.Generator().manual_seed(k)).numpy() for k in (0, 1))
    usual = validate(features=(z1, z2))
    with defaults(dtype, device):
        found = validate(features=(z1, z2))
    assert found.headline == usual.headline
    assert [each.value for each in found.findings] == pytest.approx(
        [each.value for each in usual.findings], nan_ok=True
    )


@pytest.mark.parametrize("device", ["meta", "cuda:99", "nonsense"])
def test_a_device_that_cannot_compute_is_refused(device):
    with pytest.raises(ValueError, match="device must name one that this machine has, cpu or cuda; got"):
        validate(features=(torch.randn(20, 3).numpy(),), device=device)


@pytest.mark.parametrize(
    "changed",
    [{"run.accelerator": "tpu"}, {"run.accelerator": "hpu"}, {"run.accelerator": "nonsense"},
     {"run.accelerator": "cuda", "run.devices": 99}, {"run.accelerator": "cpu", "run.strategy": "nonsense"}],
)  # fmt: skip
def test_hardware_that_is_not_there_is_one_sentence(changed, tmp_path):
    config = TrainConfig.of({"data.name": "fake", "run.folder": str(tmp_path / "r"), **changed})
    with pytest.raises(ValueError, match="This machine cannot train as asked") as error:
        make_trainer(config, tmp_path / "r", None)
    assert "\n" not in str(error.value) and all(f"{key}={value}" in str(error.value) for key, value in changed.items())
    assert not (tmp_path / "r").exists()
