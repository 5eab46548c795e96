"""Two processes: rank 0 writes; with world=True the statistics are those of both."""

import json

import numpy as np
import torch
import torch.multiprocessing as mp
from torch import nn

from lindyn.bridge import Diagnostics, read_trace


def features(rank):
    return torch.randn(100, 4, generator=torch.Generator().manual_seed(rank)) * (rank + 1)


def work(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    layer = nn.Linear(4, 4)
    watches = {world: Diagnostics(layer, f"{folder}/{world}", every=1, world=world) for world in (False, True)}
    layer(features(rank))
    taken = {str(world): watch.step() is not None for world, watch in watches.items()}
    with open(f"{folder}/rank_{rank}.json", "w") as file:
        json.dump(taken, file)
    torch.distributed.destroy_process_group()


def test_rank_0_writes_its_own_features_or_those_of_all(tmp_path):
    mp.spawn(work, (str(tmp_path),), nprocs=2)
    for rank in (0, 1):
        taken = json.loads((tmp_path / f"rank_{rank}.json").read_text())
        assert taken == {"False": rank == 0, "True": rank == 0}
    both = torch.cat([features(0), features(1)])
    for world, z in ((False, features(0)), (True, both)):
        ds = read_trace(tmp_path / str(world))
        expected = np.linalg.eigvalsh((z.T @ z / len(z)).double().numpy())[::-1]
        np.testing.assert_allclose(ds.s[0], expected, rtol=1e-5)
        assert ds.samples[0] == len(z) and ds.attrs["starts"] == 1
