"""A training run's configuration: read from TOML and `key=value`, checked, saved, compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lindyn.bridge import sections
from lindyn.bridge.sections import (
    OPTIONS,
    SECTIONS,
    TABLE,
    DataConfig,
    MethodConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
)
from lindyn.display.brief import Brief


@dataclass(frozen=True, repr=False)
class TrainConfig(Brief):
    """Everything that decides a training run, in five sections.

        TrainConfig.read("run.toml", ["optim.lr=0.05", "model.predictor=direct_pred"])
        TrainConfig.of({"data.name": "digits", "run.epochs": 3})

    Args:
        data: which images, and how two views of one are made.
        model: backbone, projector, predictor.
        method: loss and target.
        optim: optimiser and schedules.
        run: length, seed, hardware, what is kept.

    Raises:
        ValueError: a value of the wrong kind, out of range, or two that do not go together.
    """

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        for key, value in self.flat().items():
            TABLE.convert(key, value)
        _check_together(self)

    @classmethod
    def of(cls, given: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """Return the configuration with these keys ("optim.lr", or just "lr" where it is the only one) changed.

        Data set and method bring their own defaults (`sections.GIVEN_BY_DATA`, `GIVEN_BY_METHOD`); keys that are given
        go before them.

        Args:
            given: keys and values.
            **more: the same as keyword arguments, sections joined by two underscores (optim__lr).

        Returns:
            The configuration.

        Raises:
            ValueError: an unknown key (the message suggests the near one) or a wrong value.
        """
        flat = dict(given or {}) | {name.replace("__", "."): value for name, value in more.items()}
        flat = TABLE.collected(flat)
        by_data = sections.GIVEN_BY_DATA.get(str(flat.get("data.name", "mnist")), {})
        by_method = sections.GIVEN_BY_METHOD.get(str(flat.get("method.name", "byol")), {})
        lars = {"optim.exclude_bias_norm": True} if flat.get("optim.name") == "lars" else {}
        return cls._made(TABLE.defaults | by_data | by_method | lars | flat)

    @classmethod
    def read(cls, path: str | Path | None = None, overrides: Any = ()) -> Self:
        """Return the configuration of a TOML file with `key=value` overrides on top.

        Args:
            path: TOML file; None: the defaults.
            overrides: texts "key=value", the value as in TOML (a bare word is a text).

        Returns:
            The configuration.

        Raises:
            ValueError: no such file, not TOML, an unknown key, a wrong value.
        """
        flat = {} if path is None else TABLE.read_toml(Path(path))
        return cls.of(flat | dict(map(TABLE.read_override, overrides)))

    def flat(self) -> dict[str, Any]:
        """Return every key "section.name" with its value."""
        return {key: getattr(getattr(self, option.section), option.name) for key, option in TABLE.keys.items()}

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Return this configuration with some keys changed, every other one as it is."""
        return self._made(self.flat() | TABLE.collected({OPTIONS: self.model.predictor_options, **given}))

    @classmethod
    def _made(cls, flat: Mapping[str, Any]) -> Self:
        """Return the configuration of every key's value."""
        parts: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        for key, option in TABLE.keys.items():
            parts[option.section][option.name] = flat[key]
        return cls(**{section: SECTIONS[section](**values) for section, values in parts.items()})

    def to_toml(self) -> str:
        """Return the TOML text that gives this configuration again."""
        return TABLE.to_toml(self.flat(), "Every key of the run; `lindyn train THIS_FILE` repeats it.")

    def differences(self, other: "TrainConfig") -> dict[str, tuple[Any, Any]]:
        """Return the keys that decide the result and differ: key -> (here, there)."""
        here, there = self.flat(), other.flat()
        return {
            name: (here[name], there[name])
            for name, option in TABLE.keys.items()
            if not option.free and here[name] != there[name]
        }

    @property
    def predictor_decay(self) -> float:
        """Weight decay of the predictor."""
        own = self.optim.predictor_weight_decay
        return self.optim.weight_decay if own < 0 else own

    @property
    def learning_rate(self) -> float:
        """Peak learning rate alpha of backbone and projector."""
        scale = self.optim.batch * self.optim.accumulate / 256 if self.optim.scale_lr else 1.0
        return self.optim.lr * scale


def _check_together(config: TrainConfig) -> None:
    """Raise ValueError for values that cannot stand together."""
    d, o = config.data, config.optim
    if config.model.cut == 0:
        raise ValueError(
            "model.cut must be above 0; got 0. It divides every weight at the start: 1 leaves them as drawn."
        )
    if o.momentum >= 1:
        raise ValueError(f"optim.momentum must be below 1; got {o.momentum:g}.")
    m = config.model
    if m.projector in ("linear", "none") and (m.projector_layers or m.projector_norm != "named"):
        raise ValueError(
            "model.projector_layers and model.projector_norm change a projector of layers (byol, simsiam); got "
            f"model.projector={m.projector!r}. One linear layer with a bias is model.projector=byol "
            "model.projector_layers=1."
        )
    photos = d.name in ("cifar10", "stl10", "imagefolder")
    if photos != (d.augmentation in ("byol", "simsiam")):
        fit = "byol or simsiam" if photos else "batched, noise or none"
        raise ValueError(f"data.augmentation of {d.name} must be {fit}; got {d.augmentation!r}.")
    if d.name == "gaussian" and (d.augmentation != "noise" or config.model.backbone != "linear"):
        raise ValueError(
            "data.name=gaussian draws vectors: it needs data.augmentation=noise and model.backbone=linear."
        )
    for name, value in config.model.predictor_options:
        if not isinstance(value, bool | int | float | str | list):
            raise ValueError(f"{OPTIONS}.{name} must be a number, a text or a list; got {value!r}.")
