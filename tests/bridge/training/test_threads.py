"""CPU threads of a run: small layers take one, large ones are left to torch, and whoever has said so goes first."""

import json
import os
import subprocess
import sys

import pytest
import torch

from lindyn._linalg import WAITING, wait_quietly
from lindyn.bridge.training import threads
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import open_source
from lindyn.bridge.training.module import build
from lindyn.bridge.training.trainer import train

FAKE = {"data.name": "fake", "data.size": 28, "data.count": 64, "optim.batch": 32, "run.epochs": 1}


@pytest.fixture
def machine(monkeypatch):
    """A machine of 64 cores whose environment says nothing."""
    for name in threads.NAMED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)


def of(**changed):
    config = TrainConfig.of(FAKE | {key.replace("__", "."): value for key, value in changed.items()})
    return config, build(config, open_source(config))


def test_small_layers_take_one_thread_and_large_ones_are_left_to_torch(machine):
    few, many = threads.threads_of(*of()), threads.threads_of(*of(optim__batch=64, model__backbone="resnet50"))
    assert few.number == 1 and "of 64: a layer has" in few.source and "run.threads sets it" in few.source
    assert (many.number, many.source) == (64, "as torch chooses")
    assert threads.threads_of(*of(), on_cpu=False).number == 64  # what the CPU has to do beside a GPU is not known


def test_the_user_and_the_environment_go_first(machine, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert threads.threads_of(*of()) == (64, "OMP_NUM_THREADS is set")  # torch has read it
    assert threads.threads_of(*of(run__threads=3)) == (3, "run.threads")
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert threads.threads_of(*of()).number == 1


def test_the_work_of_a_layer_is_counted_and_the_module_left_as_it_is():
    _, module = of(data__name="gaussian", data__size=16, model__backbone="linear", model__projector="none")
    layer = next(one for one in module.backbone.modules() if isinstance(one, torch.nn.Linear))
    module.train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    drawn = torch.get_rng_state()
    assert threads.layer_work(module, 50) == layer.weight.numel() * 50
    assert all(one.training for one in module.modules()) and not layer._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(drawn, torch.get_rng_state())


def test_a_run_says_its_threads_and_gives_them_back(tmp_path, monkeypatch):
    for name in threads.NAMED:
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    seen = []
    limit = torch.set_num_threads
    monkeypatch.setattr(torch, "set_num_threads", lambda count: (seen.append(count), limit(count)))
    train(TrainConfig.of(FAKE | {"run.folder": str(tmp_path / "run"), "run.progress": False, "run.threads": 2}))
    assert seen[0] == 2 and seen[-1] == before == torch.get_num_threads()
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["threads"], result["threads_from"]) == (2, "run.threads")
    assert "on 2 CPU threads (run.threads)" in (tmp_path / "run" / "summary.txt").read_text()


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", *WAITING])
def test_waiting_is_quiet_unless_the_environment_says_how(monkeypatch, name):
    environment = {"PATH": "x"}
    monkeypatch.setattr(os, "environ", environment)
    wait_quietly()
    assert environment == {"PATH": "x", **WAITING}
    said = {name: "ACTIVE"}
    monkeypatch.setattr(os, "environ", said)
    wait_quietly()
    assert said == {name: "ACTIVE"}


def test_the_bridge_says_it_before_torch_is_there():
    script = (
        "import os, sys\nimport lindyn.bridge\n"
        "assert 'torch' not in sys.modules\nprint(os.environ['GOMP_SPINCOUNT'], os.environ['KMP_BLOCKTIME'])"
    )
    clean = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", *WAITING)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=clean)
    assert done.stdout.split() == list(WAITING.values())
