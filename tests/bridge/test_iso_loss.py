"""IsoLoss: the value of the usual loss, the gradient of Halvagal's equations without the eigenvalue in front."""

import numpy as np
import pytest
import torch

from lindyn.bridge import ClosedFormPredictor, IsoLoss
from lindyn.equations import halvagal

D = 5


@pytest.fixture
def views():
    """(z_1, z_2, W_p symmetric, its eigenvalues and eigenvectors), one sample a row."""
    rng = np.random.default_rng(3)
    U, p = np.linalg.qr(rng.normal(size=(D, D)))[0], rng.uniform(0.2, 1.5, D)
    z_1, z_2 = rng.normal(size=(2, 7, D))
    return z_1, z_2, (U * p) @ U.T, p, U


def gradient(kind, z_1, z_2, W_p):
    z = torch.tensor(z_1, requires_grad=True)
    loss = IsoLoss(kind)(z @ torch.tensor(W_p), torch.tensor(z_2), z)
    loss.backward()
    return float(loss.detach()), z.grad.numpy() * len(z_1)


def test_euclidean_is_the_equation_in_the_eigenbasis(views):
    z_1, z_2, W_p, p, U = views
    value, slope = gradient("euclidean", z_1, z_2, W_p)
    assert value == pytest.approx(np.mean(np.sum((z_1 @ W_p - z_2) ** 2, axis=1)))
    np.testing.assert_allclose(-slope @ U / 2, halvagal.isotropic(z_1 @ U, z_2 @ U, p), rtol=1e-12, atol=1e-13)


def test_cosine_is_the_equation_without_the_eigenvalue_in_front(views):
    z_1, z_2, W_p, p, U = views
    value, slope = gradient("cosine", z_1, z_2, W_p)
    q = z_1 @ W_p
    assert value == pytest.approx(
        -np.mean(np.sum(q * z_2, 1) / np.linalg.norm(q, axis=1) / np.linalg.norm(z_2, axis=1))
    )
    for one, other, row in zip(z_1 @ U, z_2 @ U, -slope @ U, strict=True):
        full = halvagal.cosine(one, other, p, np.linalg.norm(p * one), np.linalg.norm(other))
        np.testing.assert_allclose(row, full / p, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
def test_the_loss_itself_has_the_eigenvalue_in_front(views, kind):
    """Autodiff of the plain losses gives the equations with p in front: IsoLoss differs by just that factor."""
    z_1, z_2, W_p, p, U = views
    z = torch.tensor(z_1, requires_grad=True)
    q, t = z @ torch.tensor(W_p), torch.tensor(z_2)
    plain = -torch.nn.functional.cosine_similarity(q, t).sum() if kind == "cosine" else ((q - t) ** 2).sum() / 2
    plain.backward()
    iso = gradient(kind, z_1, z_2, W_p)[1] / (1 if kind == "cosine" else 2)
    np.testing.assert_allclose(z.grad.numpy() @ U, p * (iso @ U), rtol=1e-10, atol=1e-12)


def test_in_a_loop_with_a_closed_form_predictor():
    torch.manual_seed(0)
    net, head, criterion = torch.nn.Linear(8, D), ClosedFormPredictor(D, rule="paper"), IsoLoss()
    x = torch.randn(64, 8)
    z_1, z_2 = net(x), net(x + 0.1 * torch.randn_like(x))
    loss = (criterion(head(z_1), z_2.detach(), z_1) + criterion(head(z_2), z_1.detach(), z_2)) / 2
    loss.backward()
    assert net.weight.grad.abs().max() > 0 and torch.isfinite(net.weight.grad).all()


def test_a_zero_prediction_is_finite():
    z = torch.zeros(3, D, requires_grad=True)
    IsoLoss()(z, torch.zeros(3, D), z).backward()
    assert torch.isfinite(z.grad).all()


def test_mistakes():
    with pytest.raises(ValueError, match="kind must be one of"):
        IsoLoss("cos")
    with pytest.raises(ValueError, match="one shape"):
        IsoLoss()(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 4))
