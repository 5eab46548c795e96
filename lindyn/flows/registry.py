"""Every flow by its name: lindyn's own, and those that other packages declare.

    [project.entry-points."lindyn.flows"]
    my_flow = "my_package.my_flow"

The entry point names a module with one flow class (a subclass of `lindyn.flows.Flow`), or the class itself; its own
name is what `lindyn simulate --system` and `flow_class` take.
"""

import importlib
import inspect
from collections.abc import Iterable

from lindyn import _checks
from lindyn._extensions import Extension, collected, declared
from lindyn.flows.from_settings import Flow

_Named = tuple[str, type[Flow] | None]
OWN = {
    "weights": ("lindyn.flows.full", "WeightFlow"),
    "gram": ("lindyn.flows.correlations", "GramFlow"),
    "correlation": ("lindyn.flows.correlations", "CorrelationFlow"),
    "modes": ("lindyn.flows.per_mode", "ModeFlow"),
    "mode_weights": ("lindyn.flows.per_mode", "ModeWeightFlow"),
    "parabola": ("lindyn.flows.per_mode", "ParabolaFlow"),
}


def names() -> tuple[str, ...]:
    """Return the names of all flows, lindyn's first; nothing is imported for it."""
    return tuple(dict.fromkeys((*OWN, *declared("lindyn.flows"))))


def flow_class(name: str) -> type[Flow]:
    """Return the flow class of a name.

    Raises:
        ValueError: an unknown name, or a package that is at fault.
    """
    if name in OWN:
        return _own(name)
    table, notes = added()
    if name not in table and name in names():
        raise ValueError(" ".join(notes))
    return table[_checks.one_of("system", name, (*OWN, *table))]


def class_named(class_name: str) -> type[Flow]:
    """Return the flow class whose own name (`WeightFlow`) is this one.

    Raises:
        ValueError: there is none; the message suggests the near one.
    """
    for name, (_, own) in OWN.items():
        if own == class_name:
            return _own(name)
    found = {flow.__name__: flow for flow in added()[0].values()}
    return found[_checks.one_of("flow", class_name, [*(own for _, own in OWN.values()), *found])]


def added() -> tuple[dict[str, type[Flow]], tuple[str, ...]]:
    """Return the flows of other packages by name, and a sentence for each that is left out."""
    own: list[_Named] = [(name, None) for name in OWN]
    table, notes = collected("lindyn.flows", "flow", own, _read, lambda pair: pair[0])
    return {name: flow for name, flow in table.values() if flow is not None}, notes


def is_own(flow: type[Flow]) -> bool:
    """Return whether a flow class is one of lindyn's."""
    return (flow.__module__, flow.__name__) in OWN.values()


def _own(name: str) -> type[Flow]:
    module, own = OWN[name]
    return getattr(importlib.import_module(module), own)  # type: ignore[no-any-return]


def _read(extension: Extension) -> Iterable[_Named]:
    value = extension.value
    found = [value] if inspect.isclass(value) else _flows_of(value) if inspect.ismodule(value) else []
    found = [flow for flow in found if issubclass(flow, Flow)]
    if len(found) > 1:
        raise ValueError(f"it holds {', '.join(flow.__name__ for flow in found)}; name one of them, module:class.")
    if found and found[0].__name__ in {own for _, own in OWN.values()}:
        raise ValueError(f"its class {found[0].__name__} has the name of one of lindyn; give it another.")
    return [(extension.name, flow) for flow in found]


def _flows_of(module: object) -> list[type]:
    """Return the flow classes that a module defines itself."""
    own = (each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__)  # type: ignore[attr-defined]
    return [each for each in own if issubclass(each, Flow)]
