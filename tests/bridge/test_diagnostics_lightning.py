"""The pytorch_lightning callback, run by a trainer."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lindyn.bridge import DiagnosticsCallback, read_trace

pytestmark = [
    pytest.mark.filterwarnings("ignore:The .*_dataloader.* does not have many workers"),
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning"),
]


class SimSiam(pl.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Linear(12, 6)
        self.predictor = nn.Linear(6, 6)

    def training_step(self, batch, batch_index):
        z = [self.encoder(batch[0] + 0.1 * torch.randn_like(batch[0])) for _ in range(2)]
        p = [self.predictor(one) for one in z]
        return -sum(torch.cosine_similarity(p[k], z[1 - k].detach()).mean() for k in range(2)) / 2

    def validation_step(self, batch, batch_index):
        self.predictor(1000 * self.encoder(batch[0]))  # would be seen in the trace

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def fit(folder, model, callback, steps=12, checkpoint=None, **options):
    data = torch.randn(160, 12, generator=torch.Generator().manual_seed(0))
    loader = DataLoader(TensorDataset(data), batch_size=16)
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        callbacks=[callback],
        default_root_dir=folder,
        logger=CSVLogger(folder, flush_logs_every_n_steps=1),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(model, loader, loader, ckpt_path=checkpoint, **({"weights_only": True} if checkpoint else {}))
    return trainer


def test_a_few_steps_leave_a_trace_and_reach_the_logger(tmp_path):
    lines = []
    model = SimSiam()
    trainer = fit(tmp_path, model, DiagnosticsCallback(tmp_path / "trace.jsonl", every=3, tell=lines.append))
    ds = read_trace(tmp_path / "trace.jsonl")
    assert list(ds.step.values) == [3, 6, 9, 12] and set(ds.alarm.values) == {"healthy"}
    assert (ds.scale < 10).all()  # the validation's features, a thousand times as long, did not get in
    assert lines == [f"step 3: healthy (collapse: none: 6 of 6 directions live). {ds.reason.values[0]}"]
    assert not model.predictor._forward_hooks
    logged = np.genfromtxt(f"{trainer.logger.log_dir}/metrics.csv", delimiter=",", names=True, deletechars="")
    rows = logged["lindyn/rankme"][~np.isnan(logged["lindyn/rankme"])]
    np.testing.assert_allclose(rows, ds.rankme, rtol=1e-6)


def test_accumulated_gradients_are_one_step(tmp_path):
    fit(tmp_path, SimSiam(), DiagnosticsCallback(tmp_path / "t", every=2), steps=4, accumulate_grad_batches=3)
    ds = read_trace(tmp_path / "t")
    assert list(ds.step.values) == [2, 4]
    assert list(ds.samples.values) == [96, 32]  # 3 batches x 2 views x 16; the epoch of 10 ends after one more


def test_a_run_resumed_from_its_checkpoint_replaces_what_came_after_it(tmp_path):
    trainer = fit(tmp_path, SimSiam(), DiagnosticsCallback(tmp_path / "t", every=2), steps=10)
    trainer.save_checkpoint(tmp_path / "ten.ckpt")
    fit(tmp_path, SimSiam(), DiagnosticsCallback(tmp_path / "t", every=2), steps=16)  # starts at 0 again
    assert read_trace(tmp_path / "t").attrs["starts"] == 2
    fit(tmp_path, SimSiam(), DiagnosticsCallback(tmp_path / "t", every=2), steps=14, checkpoint=tmp_path / "ten.ckpt")
    ds = read_trace(tmp_path / "t")
    assert list(ds.step.values) == [2, 4, 6, 8, 10, 12, 14]
    assert ds.attrs["starts"] == 2  # going on from a checkpoint is no start: the trace is as if it had not been stopped


def test_a_network_without_predictor_is_refused_when_training_starts(tmp_path):
    model = SimSiam()
    model.q, model.validation_step = model.predictor, lambda *_: None
    del model.predictor
    with pytest.raises(ValueError, match=r"No predictor found in SimSiam: .* candidates: 'encoder', 'q'."):
        fit(tmp_path, model, DiagnosticsCallback(tmp_path / "t"))
