"""A training run's configuration: read from TOML and `key=value`, checked, saved, compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from lindyn.bridge.training import sections
from lindyn.bridge.training.config_text import full_name, near_hint, read_override, read_toml, toml
from lindyn.bridge.training.sections import (
    OPTIONS,
    SECTIONS,
    DataConfig,
    MethodConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
)


@dataclass(frozen=True)
class TrainConfig:
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
        for section in SECTIONS:
            for f in fields(SECTIONS[section]):
                _check_value(section, f, getattr(getattr(self, section), f.name))
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
        flat = {full_name(name): value for name, value in flat.items()}
        by_data = sections.GIVEN_BY_DATA.get(str(flat.get("data.name", "mnist")), {})
        by_method = sections.GIVEN_BY_METHOD.get(str(flat.get("method.name", "byol")), {})
        lars = {"optim.exclude_bias_norm": True} if flat.get("optim.name") == "lars" else {}
        merged = by_data | by_method | lars | flat
        return cls(**{section: _section(section, merged) for section in SECTIONS})

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
        flat = {} if path is None else read_toml(Path(path))
        for text in overrides:
            name, value = read_override(text)
            flat[name] = value
        return cls.of(flat)

    def flat(self) -> dict[str, Any]:
        """Return every key "section.name" with its value."""
        return {f"{section}.{f.name}": getattr(getattr(self, section), f.name)
                for section, cls in SECTIONS.items() for f in fields(cls)}  # fmt: skip

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Return this configuration with some keys changed, every other one as it is."""
        flat = {full_name(name): value for name, value in given.items()}
        parts = {}
        for section, cls in SECTIONS.items():
            names = {f.name for f in fields(cls)}
            new = {n.split(".", 1)[1]: v for n, v in flat.items() if n.startswith(section + ".")}
            options = {n.removeprefix("predictor_options."): new.pop(n) for n in list(new) if n not in names}
            if options:
                new["predictor_options"] = {**dict(self.model.predictor_options), **options}
            parts[section] = replace(getattr(self, section), **_plain(section, new))
        return type(self)(**parts)

    def to_toml(self) -> str:
        """Return the TOML text that gives this configuration again."""
        lines = ["# Every key of the run; `lindyn train THIS_FILE` repeats it.", ""]
        for section, cls in SECTIONS.items():
            values = {f.name: getattr(getattr(self, section), f.name) for f in fields(cls)}
            options = dict(values.pop("predictor_options", ()))
            lines += [f"[{section}]", *(f"{name} = {toml(value)}" for name, value in values.items()), ""]
            if options:
                lines += [f"[{OPTIONS}]", *(f"{name} = {toml(value)}" for name, value in options.items()), ""]
        return "\n".join(lines)

    def differences(self, other: "TrainConfig") -> dict[str, tuple[Any, Any]]:
        """Return the keys that decide the result and differ: key -> (here, there)."""
        known, here, there = sections.keys(), self.flat(), other.flat()
        return {
            name: (here[name], there[name])
            for name in here
            if not known[name].metadata["free"] and here[name] != there[name]
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


def _section(section: str, flat: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for name, value in flat.items():
        if not name.startswith(section + "."):
            continue
        short = name.split(".", 1)[1]
        if short.startswith("predictor_options."):
            old = dict(values.get("predictor_options", ()))
            values["predictor_options"] = {**old, short.split(".", 1)[1]: value}
        else:
            values[short] = value
    return SECTIONS[section](**_plain(section, values))


def _plain(section: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values in the kinds of their fields: whole numbers as floats where floats are meant."""
    known = {f.name: f for f in fields(SECTIONS[section])}
    out = {}
    for name, value in values.items():
        default = known[name].default
        if name == "predictor_options":
            if not isinstance(value, Mapping | tuple):
                raise ValueError(f"{OPTIONS} must be a table of names and values; got {value!r}.")
            value = tuple(sorted(dict(value).items()))
        elif isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        out[name] = value
    return out


def _check_value(section: str, f: Any, value: Any) -> None:
    where, low, choices = f"{section}.{f.name}", f.metadata["low"], f.metadata["choices"]
    kind = type(f.default)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {float: "a number", int: "a whole number", str: "a text", bool: "true or false", tuple: "a table"}
        raise ValueError(f"{where} must be {words[kind]}; got {value!r}.")
    if choices and value not in choices:
        raise ValueError(f"{where} must be one of {', '.join(choices)}; got {value!r}.{near_hint(value, choices)}")
    if low is not None and not (value >= low and value < float("inf")):
        raise ValueError(f"{where} must be finite and at least {low:g}; got {value!r}.")


def _check_together(config: TrainConfig) -> None:
    """Raise ValueError for values that cannot stand together."""
    d, m, o = config.data, config.method, config.optim
    shares = {"data.test_share": d.test_share, "data.crop": d.crop, "data.flip": d.flip, "method.ema": m.ema}
    for where, value in shares.items():
        if value > 1:
            raise ValueError(f"{where} must be at most 1; got {value:g}.")
    if o.momentum >= 1:
        raise ValueError(f"optim.momentum must be below 1; got {o.momentum:g}.")
    photos = d.name in ("cifar10", "stl10", "imagefolder")
    if photos != (d.augmentation in ("byol", "simsiam")):
        fit = "byol or simsiam" if photos else "batched, noise or none"
        raise ValueError(f"data.augmentation of {d.name} must be {fit}; got {d.augmentation!r}.")
    if d.name == "gaussian" and (d.augmentation != "noise" or config.model.backbone != "linear"):
        raise ValueError(
            "data.name=gaussian draws vectors: it needs data.augmentation=noise and model.backbone=linear."
        )
    if config.run.precision not in ("32-true", "16-mixed", "bf16-mixed", "64-true"):
        raise ValueError(
            f"run.precision must be one of 32-true, 16-mixed, bf16-mixed, 64-true; got {config.run.precision!r}."
        )
    for name, value in config.model.predictor_options:
        if not isinstance(value, bool | int | float | str | list):
            raise ValueError(f"{OPTIONS}.{name} must be a number, a text or a list; got {value!r}.")
