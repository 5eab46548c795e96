"""The command and the Python that give what a panel shows; tests run both and compare the numbers."""

from collections.abc import Mapping
from typing import Any

from lindyn.commands import phase, simulate_options, sweep
from lindyn.explore.explorer_options import AXES, range_of

Values = Mapping[str, Any]
_SYSTEM = ("eta", "alpha_p", "x", "x_aug")
_RTOL, _POINTS = (simulate_options.TABLE.defaults[name] for name in ("rtol", "points"))


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def starts_of(values: Values) -> list[str]:
    """Return the starts of the portrait: the one of the sliders, then those that were clicked."""
    own = f"{values['p']!r},{values['s']!r}"
    return [own, *(start for start in values["start"] if start != own)]


def phase_given(values: Values, kind: str) -> dict[str, Any]:
    """Return what the flags of `lindyn phase` would give, as `phase.TABLE` names them: numbers and texts."""
    moving = values["target"] == "moving"
    names = [name for name in _SYSTEM if not (kind == "bifurcation" and name == "eta")]
    found: dict[str, Any] = {name: values[name] for name in names}
    if moving:
        found["beta"] = values["beta"]
    if not moving or kind == "portrait":
        found["tau"] = values["tau"]
    if kind == "portrait":
        found |= {n: values[f"window_{n}"] for n in "ps" if values[f"window_{n}"] is not None}
        found |= {"start": starts_of(values), "way": values["way"]}
    return found


def phase_command(values: Values, kind: str) -> str:
    """Return the `lindyn phase` of a portrait or a bifurcation diagram."""
    return phase.TABLE.command(f"lindyn phase --kind {kind}", phase_given(values, kind) | {"kind": None})


def system_python(values: Values, kind: str) -> str:
    """Return the line that makes the phase system."""
    moving = values["target"] == "moving"
    names = [name for name in _SYSTEM if not (kind == "bifurcation" and name == "eta")]
    names += ["beta"] if moving else ["tau"]
    make = "ema" if moving else "plane"
    return f"system = phase.{make}({_arguments({name: values[name] for name in names})})"


def portrait_python(values: Values) -> str:
    """Return the Python of a portrait with its trajectories."""
    moving = values["target"] == "moving"
    plane = f"system.section({values['tau']!r})" if moving else "system"
    window = "portraits.default_window(system)"
    if values["window_p"] is not None or values["window_s"] is not None:
        ends = [values[f"window_{name}"] for name in "ps"]
        parts = [
            f"{window}[{k}]" if end is None else f"({end.split(':')[0]}, {end.split(':')[1]})"
            for k, end in enumerate(ends)
        ]
        window = f"[{', '.join(parts)}]"
    tail = f", {values['tau']!r}" if moving else ""
    starts = ", ".join(f"({start.replace(',', ', ')}{tail})" for start in starts_of(values))
    return (
        f"from lindyn import phase\nfrom lindyn.phase import portraits\n\n{system_python(values, 'portrait')}\n"
        f"data = phase.portrait({plane}, {window})\n"
        f"paths = phase.started_paths(system, [{starts}], way={values['way']!r})\n"
    )


def bifurcation_python(values: Values) -> str:
    """Return the Python of a bifurcation diagram."""
    made = system_python(values, "bifurcation")
    return f"from lindyn import phase\n\n{made}\ndata = phase.bifurcation_diagram(system)\n"


def sweep_given(values: Values) -> dict[str, Any]:
    """Return the flags of `lindyn sweep` by name: numbers, and texts for the two axes."""
    axes = {values["across"]: range_of(values, "across"), values["up"]: range_of(values, "up")}
    found = {name: axes.get(name, values[name]) for name in AXES}
    if values["target"] == "held":
        found |= {"tau_mode": "constant"}
        if "beta" not in axes:
            del found["beta"]
    return found | {"t1": values["t_map"]}


def sweep_command(values: Values) -> str:
    """Return the `lindyn sweep` of the map."""
    return "lindyn sweep" + sweep.TABLE.command("", sweep_given(values))


def sweep_python(values: Values) -> str:
    """Return the Python of the map."""
    parts = [f"{name}={_spread(value) if isinstance(value, str) and ':' in value else repr(value)}"
             for name, value in sweep_given(values).items()]  # fmt: skip
    return f"import numpy as np\n\nimport lindyn as ld\n\nds = ld.sweep({', '.join(parts)})\n"


def _spread(text: str) -> str:
    low, high, count = text.removeprefix("log:").split(":")
    return f"np.{'geomspace' if text.startswith('log:') else 'linspace'}({low}, {high}, {count})"


def run_given(values: Values, view: str) -> dict[str, Any]:
    """Return the flags of `lindyn simulate` by name, for the views over time."""
    rates: dict[str, Any] = {name: values[name] for name in ("alpha_p", "beta", "eta")}
    found = rates | {"x": [values["x"]], "t1": values["t1"], "max_steps": values["max_steps"]}
    if view == "modes":
        found |= {"system": "modes", "x_aug": [values["x_aug"]], "p": values["modes_p"], "s": values["modes_s"]}
        return found | {"tau0": [values["tau"]], "tau": "dynamic" if values["target"] == "moving" else "constant"}
    found |= {"sigma2": values["x_aug"], "n1": values["n1"], "n2": values["n2"], "seed": values["seed"]}
    if view == "matrices":
        return found | {"target": values["network"], "stop_gradient": values["stop_gradient"]}
    chosen = {name: values[name] for name in ("depth", "loss", "normalise")}
    return found | chosen | {"system": "deep", "target": values["network"]}


def run_command(values: Values, view: str) -> str:
    """Return the `lindyn simulate` of a view over time."""
    return simulate_options.TABLE.command("lindyn simulate", run_given(values, view))


def run_python(values: Values, view: str) -> str:
    """Return the Python of a view over time."""
    rates = _arguments({name: values[name] for name in ("alpha_p", "beta", "eta")})
    lines = ["import numpy as np", "", "import lindyn as ld", "", f"hp = ld.Hyperparameters({rates})"]
    if view == "modes":
        held = "" if values["target"] == "moving" else ", tau='constant'"
        size = max(len(values["modes_p"]), len(values["modes_s"]))
        start = {"p": values["modes_p"], "s": values["modes_s"], "tau": [values["tau"]]}
        arrays = (f"{n}=np.array({v * (size if len(v) == 1 else 1)!r})" for n, v in start.items())
        lines += [f"flow = ld.ModeFlow(hp, x={values['x']!r}, x_aug={values['x_aug']!r}{held})",
                  f"y0 = ld.ModeState({', '.join(arrays)})"]  # fmt: skip
    else:
        data = f"ld.Moments.isotropic({values['n1']}, {values['x_aug']!r}, {values['x']!r})"
        sizes = f"{values['n2']}, {values['n1']}"
        if view == "matrices":
            chosen = f"target={values['network']!r}, stop_gradient={values['stop_gradient']!r}"
            lines += [f"flow = ld.WeightFlow(hp, {data}, {chosen})",
                      f"y0 = ld.WeightState.random({sizes}, seed={values['seed']})"]  # fmt: skip
        else:
            chosen = _arguments({"target": values["network"], **{n: values[n] for n in ("loss", "normalise")}})
            lines += [f"flow = ld.DeepFlow(hp, {data}, {chosen})",
                      f"y0 = ld.DeepWeightState.random({sizes}, {values['depth']}, seed={values['seed']})"]  # fmt: skip
    times = f"ts=np.linspace(0.0, {values['t1']!r}, {_POINTS})"
    lines.append(f"traj = ld.simulate(flow, y0, {times}, rtol={_RTOL!r}, max_steps={values['max_steps']}, throw=False)")
    return "\n".join(lines) + "\n"
