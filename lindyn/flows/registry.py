"""Every flow by its name: lindyn's own, and those that other packages declare.

    [project.entry-points."lindyn.flows"]
    my_flow = "my_package.my_flow"

The entry point names a module with one flow class (a subclass of `lindyn.flows.Flow`), or the class itself; its own
name is what `lindyn simulate --system` and `flow_class` take.
"""

import importlib
import inspect
from collections.abc import Iterable
from types import ModuleType

from lindyn import _checks
from lindyn._extensions import Extension, collected, declared
from lindyn._systems import SYSTEMS
from lindyn.flows.from_settings import Flow

OWN: dict[str, type[Flow]] = {
    name: getattr(importlib.import_module(module), own)
    for name, (module, _, own) in ((name, place.partition(":")) for name, place in SYSTEMS.items())
}
_Named = tuple[str, type[Flow] | None]


def names() -> tuple[str, ...]:
    """Return the names of all flows, lindyn's first; nothing is imported for it."""
    return tuple(dict.fromkeys((*OWN, *declared("lindyn.flows"))))


def flow_class(name: str) -> type[Flow]:
    """Return the flow class of a name.

    Raises:
        ValueError: an unknown name, or a package that is at fault.
    """
    if name in OWN:
        return OWN[name]
    table, notes = added()
    if name not in table and name in names():
        raise ValueError(" ".join(notes))
    return table[_checks.one_of("system", name, (*OWN, *table))]


def class_named(class_name: str) -> type[Flow]:
    """Return the flow class whose own name (`WeightFlow`) is this one.

    Raises:
        ValueError: there is none; the message suggests the near one.
    """
    found = {flow.__name__: flow for flow in OWN.values()}
    if class_name not in found:
        found |= {flow.__name__: flow for flow in added()[0].values()}
    return found[_checks.one_of("flow", class_name, found)]


def added() -> tuple[dict[str, type[Flow]], tuple[str, ...]]:
    """Return the flows of other packages by name, and a sentence for each that is left out."""
    own: list[_Named] = [(name, None) for name in OWN]
    table, notes = collected("lindyn.flows", "flow", own, _read, lambda pair: pair[0])
    flows: dict[str, type[Flow]] = {}
    for name, flow in table.values():
        if flow is None:
            continue
        if flow.__name__ in {each.__name__ for each in (*OWN.values(), *flows.values()) if each is not flow}:
            notes += (
                f"The flow {name!r} of {flow.__module__} is left out: another has its class name {flow.__name__}.",
            )
        else:
            flows[name] = flow
    return flows, notes


def is_own(flow: type[Flow]) -> bool:
    """Return whether a flow class is one of lindyn's."""
    return flow in OWN.values()


def _read(extension: Extension) -> Iterable[_Named]:
    value = extension.value
    found = [value] if inspect.isclass(value) else _flows_of(value) if inspect.ismodule(value) else []
    found = [flow for flow in found if issubclass(flow, Flow)]
    if len(found) > 1:
        raise ValueError(f"it holds {', '.join(flow.__name__ for flow in found)}; name one of them, module:class.")
    return [(extension.name, flow) for flow in found]


def _flows_of(module: ModuleType) -> list[type[Flow]]:
    """Return the flow classes in a module that its own package defines."""
    package = module.__name__.partition(".")[0]
    found = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, Flow)]
    return [each for each in found if each.__module__.partition(".")[0] == package]
