"""lindyn's own flows: the name of each system in `lindyn simulate --system`, and where its class stands."""

SYSTEMS = {
    "weights": "lindyn.flows.full:WeightFlow",
    "deep": "lindyn.flows.deep:DeepFlow",
    "gram": "lindyn.flows.correlations:GramFlow",
    "correlation": "lindyn.flows.correlations:CorrelationFlow",
    "modes": "lindyn.flows.per_mode:ModeFlow",
    "mode_weights": "lindyn.flows.per_mode:ModeWeightFlow",
    "parabola": "lindyn.flows.per_mode:ParabolaFlow",
}
CLASSES = {name: module for module, _, name in (place.partition(":") for place in SYSTEMS.values())}
"""The module of each flow class."""
