"""The table of every key of `lindyn train`, made from the configuration's own declarations."""


def table(markdown: bool = False) -> str:
    """Return every key with default, meaning and allowed words."""
    from lindyn.bridge.training.config_text import toml
    from lindyn.bridge.training.sections import keys

    lines = ["| key | default | meaning |", "|---|---|---|"] if markdown else []
    for name, field in keys().items():
        meaning = field.metadata["help"]
        words = [word for word in field.metadata["choices"] if word not in meaning]
        if words:
            meaning += ": " + ", ".join(field.metadata["choices"])
        default = "{}" if field.default == () else toml(field.default)
        lines.append(f"| `{name}` | `{default}` | {meaning} |" if markdown else f"{name} = {default:<12} {meaning}")
    return "\n".join(lines)
