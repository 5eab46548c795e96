"""Predictors trained by gradient: linear, linear and symmetric, and BYOL's two-layer one."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lindyn import _checks
from lindyn.bridge.layers.predictor_base import Predictor, check_batch, square_width
from lindyn.equations import weights


class LinearPredictor(Predictor):
    """The linear predictor of the theory, z -> W_p z, by gradient (Lemma 1).

    Args:
        input_dim: d.
        hidden_dim: ignored; it stands where other prediction heads have it.
        output_dim: default d.
        bias: whether there is one; the theory has none.

    Raises:
        ValueError: a width below 1.

    Source: Tian, Chen, Ganguli 2021, Eq. 2 and Table 3.
    """

    layers: nn.Sequential

    def __init__(
        self, input_dim: int, hidden_dim: int | None = None, output_dim: int | None = None, bias: bool = False
    ) -> None:
        super().__init__()
        self.input_dim = _checks.as_whole("input_dim", input_dim)
        self.output_dim = self.input_dim if output_dim is None else _checks.as_whole("output_dim", output_dim)
        self.layers = nn.Sequential(nn.Linear(self.input_dim, self.output_dim, bias=bias))

    @property
    def W_p(self) -> Tensor:
        """The predictor's matrix, output_dim x input_dim."""
        return self._linear.weight

    @property
    def _linear(self) -> nn.Linear:
        return cast(nn.Linear, self.layers[0])

    def forward(self, z: Tensor) -> Tensor:
        """Return z W_p^T (+ bias); see `ClosedFormPredictor.forward`."""
        check_batch("z", z, self.input_dim, self.training)
        return functional.linear(z, self.W_p, self._linear.bias)


class SymmetricLinearPredictor(LinearPredictor):
    """The linear predictor kept symmetric: W_p = (V + V^T) / 2 with V the parameter (Assumption 3).

    dJ/dV = (G + G^T) / 2 with G = dJ/dW_p, so that V's gradient flow moves W_p by the symmetric part of G: Assumption 3
    with the same learning rate, no factor. V starts symmetric, and gradient, decay and momentum keep it so to the last
    bit (also Adam, entry by entry); rounding of an all-reduce that would not is taken out by the average.

    Args:
        input_dim: d.
        hidden_dim: ignored.
        output_dim: d or None.

    Raises:
        ValueError: a width below 1, or output_dim other than input_dim.

    Source: Tian, Chen, Ganguli 2021, Assumption 3, Eq. 7, Fig. 2 and Table 3.
    """

    def __init__(self, input_dim: int, hidden_dim: int | None = None, output_dim: int | None = None) -> None:
        super().__init__(square_width(input_dim, output_dim))
        with torch.no_grad():
            self._linear.weight.copy_(self.W_p)

    @property
    def W_p(self) -> Tensor:
        """The predictor's matrix, d x d, symmetric."""
        return weights.symmetric_part(self._linear.weight)


class MLPPredictor(Predictor):
    """BYOL's predictor: linear, batch normalisation, ReLU, linear.

    Names and shapes of the parameters are those of lightly's BYOLPredictionHead (`layers.{0,1,3}`; no bias before the
    batch normalisation, which subtracts it).

    Args:
        input_dim: d.
        hidden_dim: width in between, default 4096.
        output_dim: default d.
        bias: whether the last layer has one.

    Raises:
        ValueError: a width below 1.

    Source: Grill et al. 2020, Sec. 3.3; without bias Tian et al. 2021, Table 3.
    """

    layers: nn.Sequential

    def __init__(
        self, input_dim: int, hidden_dim: int | None = None, output_dim: int | None = None, bias: bool = True
    ) -> None:
        super().__init__()
        self.input_dim = _checks.as_whole("input_dim", input_dim)
        self.hidden_dim = 4096 if hidden_dim is None else _checks.as_whole("hidden_dim", hidden_dim)
        self.output_dim = self.input_dim if output_dim is None else _checks.as_whole("output_dim", output_dim)
        self.layers = nn.Sequential(
            nn.Linear(self.input_dim, self.hidden_dim, bias=False),
            nn.BatchNorm1d(self.hidden_dim),
            nn.ReLU(),
            nn.Linear(self.hidden_dim, self.output_dim, bias=bias),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Return the prediction, [..., output_dim]; all axes of z but the last are samples."""
        check_batch("z", z, self.input_dim, self.training)
        return self.layers(z.reshape(-1, self.input_dim)).reshape(*z.shape[:-1], self.output_dim)


class SymmetricMLPPredictor(MLPPredictor):
    """The two-layer predictor with its second layer kept the transpose of the first: z -> V^T relu(bn(V z)).

    V = (A + B^T) / 2 of the two layers' parameters A and B, which start so and stay so: the gradient of each is half
    that of V, so that V moves as fast as the mean of two free layers does.

    Args:
        input_dim: d.
        hidden_dim: width in between, default 4096.
        output_dim: d or None.
        bias: whether the last layer has one.

    Raises:
        ValueError: a width below 1, or output_dim other than input_dim.

    Source: Tian, Chen, Ganguli 2021, Table 3.
    """

    def __init__(
        self, input_dim: int, hidden_dim: int | None = None, output_dim: int | None = None, bias: bool = True
    ) -> None:
        super().__init__(square_width(input_dim, output_dim), hidden_dim, None, bias)
        with torch.no_grad():
            V = self.V
            self._outer[0].weight.copy_(V)
            self._outer[1].weight.copy_(V.T)

    @property
    def V(self) -> Tensor:
        """The first layer's matrix, hidden_dim x d; the second layer's is its transpose."""
        first, last = self._outer
        return (first.weight + last.weight.T) / 2

    @property
    def _outer(self) -> tuple[nn.Linear, nn.Linear]:
        return cast(nn.Linear, self.layers[0]), cast(nn.Linear, self.layers[3])

    def forward(self, z: Tensor) -> Tensor:
        """Return the prediction, [..., d]; all axes of z but the last are samples."""
        check_batch("z", z, self.input_dim, self.training)
        V = self.V
        hidden = self.layers[2](self.layers[1](functional.linear(z.reshape(-1, self.input_dim), V)))
        return functional.linear(hidden, V.T, self._outer[1].bias).reshape(*z.shape[:-1], self.output_dim)
