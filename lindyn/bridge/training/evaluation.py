"""How good frozen features are: k-NN, the probe trained beside, and linear evaluation."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.training.image_batches import Source

RIDGE = 1e-4  # of the logistic regression on standardised features


@torch.no_grad()
def features(
    net: Callable[[Tensor], Tensor], source: Source, part: str, device: Any, dtype: Any, most: int | None = None,
    rank: int = 0, world: int = 1,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return features (N x d, float32) and labels (N) of unaugmented images, on the device."""
    found = [
        (net(images.to(device, dtype)).float(), labels.to(device))
        for images, labels in source.labelled(part, most, rank, world)
    ]
    return torch.cat([f for f, _ in found]), torch.cat([y for _, y in found])


def knn_hits(bank: Tensor, labels: Tensor, test: Tensor, truth: Tensor, k: int, temperature: float) -> int:
    """Return how many held-out images the weighted k-NN on cosines gets right (lightly's knn_predict)."""
    from lightly.utils.benchmarking import knn_predict

    bank, test = (nn.functional.normalize(f, dim=1).nan_to_num() for f in (bank, test))
    classes = int(labels.max()) + 1
    guess = knn_predict(test, bank.T.contiguous(), labels, classes, knn_k=min(k, len(bank)), knn_t=temperature)
    return int((guess[:, 0] == truth).sum())


def linear_accuracy(train: Tensor, labels: Tensor, test: Tensor, truth: Tensor, classes: int) -> float:
    """Return the held-out accuracy of a logistic regression on standardised frozen features (L-BFGS, full batch)."""
    mean, std = train.mean(0), train.std(0)
    scale = torch.where(std > 1e-6 * std.max().clamp(min=1e-30), 1 / std.clamp(min=1e-30), torch.zeros_like(std))
    train, test = (((f - mean) * scale).double() for f in (train, test))
    W = torch.zeros(train.shape[1], classes, dtype=torch.float64, device=train.device, requires_grad=True)
    b = torch.zeros(classes, dtype=torch.float64, device=train.device, requires_grad=True)
    solver = torch.optim.LBFGS([W, b], max_iter=200, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = nn.functional.cross_entropy(train @ W + b, labels) + RIDGE * W.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        solver.step(closure)  # type: ignore[arg-type]
    return float(((test @ W + b).argmax(1) == truth).double().mean())


def evaluate(module: Any, source: Source, config: Any, untrained: bool = False) -> dict[str, float]:
    """Return linear and k-NN accuracy of the module's backbone on held-out images, as shares of one.

    Args:
        module: has the backbone as `forward`.
        source: images with labels.
        config: the run.
        untrained: set the running statistics of BatchNorm from the training images first, as a network that never
            saw any has none; the comparison would flatter training otherwise.
    """
    device, dtype, was = module.device, module.dtype, module.training
    most = None if config.data.name in ("mnist", "digits") else config.run.bank
    if untrained:
        _calibrate(module, source, device, dtype)
    module.eval()
    try:
        bank, labels = features(module, source, "train", device, dtype, most)
        test, truth = features(module, source, "test", device, dtype)
    finally:
        module.train(was)
    k = config.run.knn or 20
    hits = knn_hits(bank, labels, test, truth, k, config.run.knn_temperature)
    if not bool(torch.isfinite(bank).all()):
        return {"linear": float("nan"), "knn": hits / len(truth)}
    return {"linear": linear_accuracy(bank, labels, test, truth, source.classes), "knn": hits / len(truth)}


@torch.no_grad()
def _calibrate(module: Any, source: Source, device: Any, dtype: Any) -> None:
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    kept = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    module.train()
    for images, _ in source.labelled("train", 5000):
        module(images.to(device, dtype))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum


def on_images(module: Any, source: Any, config: Any) -> dict[str, float]:
    """Return top-1 and top-5 of lightly's linear evaluation: random crops and flips, SGD, cosine (as SimCLR has it)."""
    import copy

    import pytorch_lightning as pl
    from lightly.utils.benchmarking import LinearClassifier, MetricCallback
    from torch.utils.data import DataLoader

    train, test = source.evaluation_sets()
    batch = min(256, max(2, len(train) // 2))
    loaders = [DataLoader(part, batch, shuffle=part is train, drop_last=part is train, num_workers=config.data.workers)
               for part in (train, test)]  # fmt: skip
    head = LinearClassifier(
        copy.deepcopy(module.backbone).requires_grad_(False), batch, 0.1, module.backbone.features, source.classes,
        topk=(1, min(5, source.classes)),
    )  # fmt: skip
    seen = MetricCallback()
    trainer = pl.Trainer(
        max_epochs=config.run.evaluation_epochs, accelerator=config.run.accelerator, devices=1, callbacks=[seen],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(head, loaders[0], loaders[1])
    last = {name: values[-1] for name, values in seen.val_metrics.items()}
    return {name.replace("val_", "linear_"): float(value) for name, value in last.items() if "top" in name}
