"""The theory's rates from what is known of a run: None, with the missing keys named, where too little is."""

from typing import Any

from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.method import OVER_J, SIDES_OVER_J
from lindyn.bridge.training.networks import NO_PREDICTOR, PredictorKind
from lindyn.hyperparameters import Hyperparameters, flow_step

LOSS = ("method.loss", "method.sides")
"""The loss over J of Eq. 1: without it neither a step nor a decay has a length in flow time."""
STEP = (*LOSS, "optim.lr", "optim.momentum")
NEEDS = {
    "step_time": STEP,
    "beta": (*STEP, "method.ema"),
    "eta_s": (*LOSS, "optim.weight_decay"),
    "eta_p": (*LOSS, "optim.predictor_weight_decay"),
}
"""What each rate is made from, beside alpha_p."""
OF_STEPS = ("optim.lr", "optim.momentum", "optim.weight_decay", "optim.batch", *LOSS, "method.target")
"""What the steps of a run are made from, as they are taken one by one."""
OF_A_TRAINED_ONE = ("optim.alpha_p", "optim.predictor_weight_decay")
"""Keys that a predictor which is set by a rule has no use for."""
FLOWING = "sgd"


def rates_of(settings: Settings) -> Rates:
    """Return (alpha_p, beta, eta_s, eta_p) and the flow time of a step, as far as the settings go.

    One step is c alpha / (1 - momentum) of flow time, where the loss is c J of Eq. 1: c = 2 for 2 - 2 cos, and for
    two directions that are summed. Then beta = (1 - gamma_a) / step, eta_s = decay / c, and the predictor's
    eta_p = alpha_p decay_p / c (torch's SGD adds the decay to the gradient).

    Args:
        settings: what is known; `optim.lr` is the learning rate that acted.

    Returns:
        The rates; a rate is None where a key it is made from is not known (`missing`), or where the optimiser is no
        gradient flow (LARS, Adam: then only alpha_p stands, and `assumed` says so).

    Raises:
        ValueError: a value out of its range.

    Source: Tian, Chen, Ganguli 2021, Lemma 1 and Eqs. 2-4.
    """
    kind = PredictorKind.of(settings.get("model.predictor"))
    if kind.name == NO_PREDICTOR:
        words = ("there is no predictor, so that the theory has no rates for it",)
        return Rates(None, None, None, None, None, str(settings.get("method.target", "")), (), words)
    known, assumed = completed(settings)
    target = str(known.get("method.target", ""))
    if kind.rule:
        return _of_rule(known, target, [words for words in assumed if "predictor" not in words])
    if known.get("optim.name") != FLOWING:
        name = str(known.get("optim.name", "")).upper()
        assumed += [f"{name} is no gradient flow: it rescales every layer's step, so that decay and EMA have no rate "
                    "in flow time; alpha_p alone is told"] * bool(name)  # fmt: skip
        return Rates(
            known.get("optim.alpha_p"), None, None, None, None, target, _missing(known, target), tuple(assumed)
        )
    found = _rates(known)
    return Rates(
        found.get("alpha_p"),
        {"ema": found.get("beta"), "frozen": 0.0}.get(target),
        found.get("eta_s"),
        found.get("eta_p"),
        found.get("step_time"),
        target,
        _missing(known, target),
        tuple(assumed + _schedules(known)),
    )


def _of_rule(known: dict[str, Any], target: str, assumed: list[str]) -> Rates:
    """Return the rates of a run whose W_p is set by a rule: it has neither alpha_p nor a decay of its own."""
    known = {key: value for key, value in known.items() if key != "optim.predictor_weight_decay"}
    flows, words = known.get("optim.name") == FLOWING, tuple(assumed + _schedules(known))
    found = _rates({"optim.alpha_p": 1.0, **known}) if flows else {}
    unknown = tuple(key for key in _missing(known, target) if key not in OF_A_TRAINED_ONE)
    beta = {"ema": found.get("beta"), "frozen": 0.0 if flows else None}.get(target)
    return Rates(None, beta, found.get("eta_s"), None, found.get("step_time"), target, unknown, words)


def missing_of_steps(settings: Settings) -> tuple[str, ...]:
    """Return the keys without which the steps of a run cannot be taken.

    Args:
        settings: what is known.
    """
    known, _ = completed(settings)
    needed = [*OF_STEPS, *(["method.ema"] if known.get("method.target") == "ema" else [])]
    return tuple(key for key in needed if key not in known)


def hyperparameters(config: TrainConfig, over_J: float = 1.0, share: float = 1.0) -> Hyperparameters:
    """Return (alpha_p, beta, eta_s, eta_p) of a whole configuration, in flow time.

    One step is c alpha / (1 - momentum) of flow time, with c = 2 `over_J` where both directions of the loss are summed:
    the gradient is c times that of Eq. 1, while decay and EMA are not. SGD adds the decay to the gradient, so that
    eta_s = decay / c and eta_p = alpha_p (predictor's decay) / c.

    Args:
        config: the run.
        over_J: its loss of one direction over J of Eq. 1 (`method.OVER_J` for unit vectors).
        share: of the peak learning rate.

    Raises:
        ValueError: LARS, which is no gradient flow.
    """
    o, c = config.optim, over_J * SIDES_OVER_J[config.method.sides]
    if o.name != FLOWING:
        raise ValueError(f"The linear theory is that of gradient descent; got optim.name={o.name!r}. Use sgd.")
    lr = share * config.learning_rate * c * o.projector_multiplier
    gamma_a = config.method.ema if config.method.target == "ema" else 1.0
    base = Hyperparameters.from_training(
        lr, gamma_a, o.weight_decay / c, lr * o.alpha_p / o.projector_multiplier, o.momentum, decay="sgd"
    )
    return Hyperparameters(base.alpha_p, base.beta, eta_s=base.eta_s, eta_p=base.alpha_p * config.predictor_decay / c)


def step_time(config: TrainConfig, over_J: float = 1.0, share: float = 1.0) -> float:
    """Return the flow time of one optimiser step, see `hyperparameters`."""
    o, c = config.optim, over_J * SIDES_OVER_J[config.method.sides]
    return flow_step(share * config.learning_rate * c * o.projector_multiplier, o.momentum)


def completed(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Return what is known, with the values that nearly every run leaves at their defaults, and these in words.

    Args:
        settings: keys that were read or given.
    """
    known, assumed = dict(settings.values), []
    trained = "optim.lr" in known or "optim.weight_decay" in known
    if trained and "optim.name" not in known:
        known["optim.name"] = FLOWING
        assumed.append("the optimiser is SGD")
    if trained and "optim.alpha_p" not in known:
        known["optim.alpha_p"] = 1.0
        assumed.append("the predictor has the learning rate of the others (alpha_p = 1)")
    own = known.pop("optim.predictor_weight_decay", None)
    if own is not None and not (isinstance(own, float | int) and own < 0):  # -1 means that of the others
        known["optim.predictor_weight_decay"] = own
    elif "optim.weight_decay" in known:
        known["optim.predictor_weight_decay"] = known["optim.weight_decay"]
        assumed += ["the predictor has the weight decay of the others"] * (own is None)
    if "method.target" not in known and "method.ema" in known:
        known["method.target"] = "ema"
        assumed.append("the target follows by EMA, since an EMA parameter is given")
    return known, assumed


def _rates(known: dict[str, Any]) -> dict[str, float]:
    """Return the rates whose keys are all known; the arithmetic is that of `lindyn train`'s own theory."""
    optimiser = {key: value for key, value in known.items() if key.startswith(("optim.", "method."))}
    config = TrainConfig.of(optimiser | {"optim.scale_lr": False, "optim.name": FLOWING})
    if not config.learning_rate:
        raise ValueError("optim.lr must be positive; got 0. A network that is not trained has no flow.")
    over_J = OVER_J[config.method.loss]
    hp = hyperparameters(config, over_J)
    every = {
        "step_time": step_time(config, over_J), "beta": hp.beta, "eta_s": hp.eta_s, "eta_p": hp.eta_p,
    }  # fmt: skip
    found = {name: float(value) for name, value in every.items() if all(key in known for key in NEEDS[name])}
    return found | {"alpha_p": float(known["optim.alpha_p"])}


def _missing(known: dict[str, Any], target: str) -> tuple[str, ...]:
    """Return the keys that would make the None known, in the order of the sections."""
    wanted = ["optim.alpha_p", "method.target"]
    if known.get("optim.name", FLOWING) == FLOWING:  # else no other rate would become known
        wanted += [*NEEDS["step_time"], *NEEDS["eta_s"], *NEEDS["eta_p"]] + ["method.ema"] * (target == "ema")
    told = {key for key in wanted if key not in known}
    if "optim.weight_decay" in told:
        told.discard("optim.predictor_weight_decay")  # -1, the usual, means that of the others
    return tuple(sorted(told))


def _schedules(known: dict[str, Any]) -> list[str]:
    """Return what the schedules leave only approximate."""
    found = []
    if known.get("optim.schedule", "constant") != "constant" and known.get("method.target") == "ema":
        found.append("beta is that at the peak learning rate")
    if known.get("method.ema_schedule", "constant") != "constant":
        found.append("beta is that of the first EMA parameter")
    if known.get("optim.predictor_schedule", "same") != "same":
        found.append("alpha_p is that at the peak learning rate")
    return found
