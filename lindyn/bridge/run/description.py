"""What is known of a run, in one record: settings and their sources, predictor, loss, target, rates, last layer."""

from dataclasses import dataclass, replace

import numpy as np

from lindyn.bridge.along_run import NORMALISED, SQUARED
from lindyn.bridge.layers.stacks import LastLayer, last_layer
from lindyn.bridge.records import Pieces
from lindyn.bridge.run.rates import rates_of
from lindyn.bridge.sections import OPTIONS
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training import method
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.networks import PredictorKind
from lindyn.display.brief import Brief


@dataclass(frozen=True, repr=False)
class TrainingLoss(Brief):
    """The loss of a run, and how much faster or slower than J of Eq. 1 it moves the weights.

    A loss c J has c times J's gradient, decay and EMA have not (`over_J`, in the rates already). One of directions has
    1/tr F times that besides, |q/|q| - z/|z||^2 being |q - z|^2 / tr F where lengths vary little (`gain`): in flow time
    t / tr F everything reads as in the theory, with eta and beta times tr F.

    Args:
        name: "cosine", "negative-cosine", "l2", "" where it is not known.
        sides: "one-sided", "symmetrised", "averaged", "" where it is not known.
    """

    name: str = ""
    sides: str = ""

    @property
    def over_J(self) -> float | None:
        """C of a loss c J of unit vectors, both directions counted; None where name or sides are not known."""
        if self.name not in method.OVER_J or self.sides not in method.SIDES_OVER_J:
            return None
        return method.OVER_J[self.name] * method.SIDES_OVER_J[self.sides]

    @property
    def compares_directions(self) -> bool:
        """Whether only directions count; so it is taken where the loss is not known."""
        return self.name not in method.COMPARES_SIZES

    @property
    def theory(self) -> str:
        """Which theory speaks of it: "normalised" of a loss of directions, "squared", "" where it is not known."""
        if not self.name:
            return ""
        return NORMALISED if self.compares_directions else SQUARED

    def gain(self, F: np.ndarray) -> float:
        """Return the gradient over that of c J: 1 for the squared distance, else 1/tr F; NaN where F = 0.

        Args:
            F: E[z z^T], d x d.
        """
        if not self.compares_directions:
            return 1.0
        trace = float(np.trace(np.asarray(F, dtype=float)))
        return 1 / trace if trace > 0 else float("nan")


@dataclass(frozen=True, eq=False, repr=False)
class RunDescription(Brief):
    """What is known of a run; everything that asks about a run asks here.

    Args:
        settings: keys of `lindyn train` with their values and sources.
        predictor: what its predictor is.
        loss: its loss.
        target: "ema", "online" or "frozen", "" where it is not known.
        rates: the theory's rates, None where too little is known.
        last_layer: the last linear layer; None without a network.
    """

    settings: Settings
    predictor: PredictorKind
    loss: TrainingLoss
    target: str
    rates: Rates
    last_layer: LastLayer | None = None

    def rates_under(self, F: np.ndarray | None) -> tuple[Rates, float]:
        """Return the rates as the loss makes them for features with this F, and its gain over J.

        Decay and EMA stand beside a gradient that is `gain` times J's: in the flow time of J they are over the gain.

        Args:
            F: E[z z^T]; None: not known.

        Returns:
            The rates and the gain; the run's own and 1 where F or the loss is not known, or F = 0.
        """
        g = 1.0 if F is None or not self.loss.name else self.loss.gain(F)
        if not np.isfinite(g) or g == 1:
            return self.rates, 1.0
        decays = {name: value / g for name in ("eta_s", "eta_p", "beta")
                  if (value := getattr(self.rates, name)) is not None}  # fmt: skip
        return replace(self.rates, **decays), g


def describe(settings: Settings, pieces: Pieces | None = None) -> RunDescription:
    """Return what is known of a run.

    Args:
        settings: keys that were read or given.
        pieces: of one of its checkpoints, for the last layer.

    Returns:
        The description.

    Raises:
        ValueError: a value out of its range.
    """
    rates = rates_of(settings)
    loss = TrainingLoss(str(settings.get("method.loss", "")), str(settings.get("method.sides", "")))
    layer = None if pieces is None else last_layer(pieces.backbone, pieces.projector)
    kind = PredictorKind.of(settings.get("model.predictor"), _options(settings))
    return RunDescription(settings, kind, loss, rates.target, rates, layer)


def _options(settings: Settings) -> dict[str, object]:
    """Return the parameters of the predictor, given as one table or key by key."""
    named = {key.removeprefix(OPTIONS).lstrip("."): value for key, value in settings.values.items()
             if key.startswith(OPTIONS)}  # fmt: skip
    return dict(named.pop("", ())) | named


def settings_of(config: TrainConfig, source: str = "the checkpoint") -> Settings:
    """Return all keys of a configuration; optim.lr is the rate that acted, the predictor's decay its own."""
    values = config.flat() | {"optim.lr": config.learning_rate, "optim.predictor_weight_decay": config.predictor_decay}
    del values["optim.scale_lr"]  # it has acted
    return Settings.of(values, source)
