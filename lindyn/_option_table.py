"""A table of options, read as flags, as key=value, as TOML and as documentation, and TOML itself, in and out."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lindyn._options import Option, agree, did_you_mean, flag, nearest, spelled

_ANY = Option("", "any")


@dataclass(frozen=True)
class OptionTable:
    """The options of one command.

    Args:
        options: in the order of the help and of a saved file.
        titles: heading of the help by section; a section without one stands at the top.
        dotted: whether a key is "section.name" (names may repeat), or the name alone.
        ignored: sections of a TOML file that are somebody else's.
        where: where all keys are listed, for the message that has no near one.
    """

    options: tuple[Option, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    dotted: bool = False
    ignored: tuple[str, ...] = ()
    where: str = ""

    @functools.cached_property
    def keys(self) -> dict[str, Option]:
        """Every option by its key."""
        return {option.full if self.dotted else option.name: option for option in self.options}

    @functools.cached_property
    def sections(self) -> list[str]:
        """The sections, in order."""
        return list(dict.fromkeys(option.section for option in self.options))

    @property
    def defaults(self) -> dict[str, Any]:
        """Every key with its default."""
        return {key: option.default for key, option in self.keys.items()}

    def given(self, args: Any) -> dict[str, Any]:
        """Return what the flags give, by name; other spellings of a quantity under its one name.

        Raises:
            ValueError: two spellings with different values.
        """
        found: dict[str, Any] = {}
        for option in self.options:
            spelled = {name: getattr(args, name) for name in (option.name, *option.same)}
            spelled = {name: value for name, value in spelled.items() if value is not None}
            agree(spelled)
            if spelled:
                found[option.name] = next(iter(spelled.values()))
        return found

    def command(self, start: str, values: Mapping[str, Any]) -> str:
        """Return the command line that gives these values: the flags whose value is not the default.

        Options that leave the result as it is (`free`) are left out, so that equal command lines are one run.

        Args:
            start: what stands before the flags, "lindyn simulate".
            values: by key.
        """
        changed = (
            spelled(option, values[key])
            for key, option in self.keys.items()
            if not option.free and values.get(key) is not None and values[key] != option.default
        )
        line = " ".join([start, *changed]).replace("\n", r"\n")
        return line.encode("utf-8", "backslashreplace").decode()  # a file name need not be text

    # names

    def ranges(self, args: Any) -> Iterator[tuple[str, str, str]]:
        """Yield name, flag as it was spelled, and text of every range that the flags give."""
        for name, text in self.given(args).items():
            if self.keys[name].kind == "range":
                spelled = (name, *self.keys[name].same)
                yield name, flag(next(word for word in spelled if getattr(args, word) is not None)), text

    def full_name(self, name: str) -> str:
        """Return the key of a name that may have been given without its section.

        Raises:
            ValueError: an unknown key (the near one is suggested), or one that stands in several sections.
        """
        if name in self.keys or any(name.startswith(f"{key}.") for key in self._tables):
            return name
        homes = self.homes(name)
        if len(homes) == 1:
            return homes[0]
        if homes:
            raise ValueError(f"The key {name!r} stands in several sections; say which: {', '.join(homes)}.")
        near = self.near(name)
        raise ValueError(f"Unknown key {name!r}. " + (f"Did you mean {near!r}?" if near else self.where))

    def homes(self, name: str) -> list[str]:
        """Return the keys of this bare name, or other word for it."""
        return [key for key, option in self.keys.items() if name == option.name or name in option.same]

    def near(self, name: str) -> str | None:
        """Return the key that is most like a name, or None."""
        bare = {word: key for key, option in self.keys.items() for word in (option.name, *option.same)}
        word = nearest(name.split(".")[-1], bare)
        return nearest(name, self.keys) or (bare[word] if word else None)

    @functools.cached_property
    def _tables(self) -> list[str]:
        return [key for key, option in self.keys.items() if option.kind == "table"]

    # values

    def convert(self, key: str, value: Any) -> Any:
        """Return the value of a key in its kind; raise ValueError where it is wrong."""
        option = self.keys[key]
        return option.convert(key if self.dotted else f"{key} ({option.flag})", value)

    def read_override(self, text: str) -> tuple[str, Any]:
        """Return (key, value) of "key=value"; the value is TOML, or a bare word.

        Raises:
            ValueError: no "=" in it, an unknown key, or a value of another kind.
        """
        name, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"An override is key=value, e.g. optim.lr=0.05; got {text!r}.")
        key = self.full_name(name.strip())
        return key, self.keys.get(key, _ANY).read(key, value)

    def collected(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by key, each in its kind; "table.name" entries are put into their table.

        Raises:
            ValueError: an unknown key, or a wrong value.
        """
        found: dict[str, Any] = {}
        for name, value in values.items():
            key = self.full_name(name)
            if key in self.keys:
                found[key] = self.convert(key, value)
                continue
            table = next(table for table in self._tables if key.startswith(f"{table}."))
            found[table] = tuple(sorted({**dict(found.get(table, ())), key.removeprefix(f"{table}."): value}.items()))
        return found

    # TOML

    def read_toml(self, path: Path) -> dict[str, Any]:
        """Return the values of a TOML file by key, each checked to stand in its section, as they are written.

        Raises:
            ValueError: no such file, not TOML, an unknown section or key (the near one is suggested).
        """
        found: dict[str, Any] = {}
        for name, value in read_tables(path).items():
            if name in self.ignored:
                continue
            if isinstance(value, dict):
                self._known(path, f"section [{name}]", name, [section for section in self.sections if section])
                for key in value:
                    self._known(path, f"key {key!r} in [{name}]", key, self._names(name))
                found |= self.flat({name: value})
            else:
                self._known(path, f"key {name!r} outside any section", name, self._names(""))
                found[name] = value
        return found

    def flat(self, tables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of TOML tables by key."""
        return {
            f"{section}.{name}" if self.dotted else name: value
            for section, table in tables.items()
            for name, value in table.items()
        }

    def to_toml(self, values: Mapping[str, Any], first: str = "") -> str:
        """Return values by key as the text of a TOML file that gives them again; None is left out.

        Args:
            values: by key.
            first: a comment above them, of one line or more.
        """
        lines = [*(f"# {line}" for line in first.splitlines()), ""] if first else []
        for section in self.sections:
            body, tables = [], []
            for key, option in self.keys.items():
                value = values.get(key)
                if option.section != section or value is None:
                    continue
                if option.kind != "table":
                    body.append(toml_line(option.name, value))
                elif dict(value):
                    tables += [f"[{option.full}]", *(toml_line(*entry) for entry in dict(value).items()), ""]
            if body or tables:
                lines += ([f"[{_name(section)}]"] if section else []) + body + [""] + tables
        return "\n".join(lines)

    def documented(self, markdown: bool = False) -> str:
        """Return every key with default, meaning and allowed words, a line each or as a Markdown table."""
        lines = ["| key | default | meaning |", "|---|---|---|"] if markdown else []
        for key, option in self.keys.items():
            default = "{}" if option.default == () else toml_value(option.default)
            unsaid = any(word not in option.help for word in option.choices)
            meaning = option.help + (": " + ", ".join(option.choices) if unsaid else "")
            setting = f"{key} = {default}"
            lines.append(f"| `{key}` | `{default}` | {meaning} |" if markdown else f"{setting:<40} {meaning}")
        return "\n".join(lines)

    def _names(self, section: str) -> list[str]:
        return [option.name for option in self.options if option.section == section]

    def _known(self, path: Path, what: str, name: str, allowed: list[str]) -> None:
        if name in allowed:
            return
        homes = [option.section for option in self.options if option.name == name]
        hint = did_you_mean(name, allowed) or (f" It belongs in [{homes[0]}]." if homes and homes[0] else "")
        known = f" Known: {', '.join(allowed)}." if allowed else ""
        raise ValueError(f"{path} has an unknown {what}.{hint}{known}")


def read_tables(path: Path, what: str = "the configuration") -> dict[str, Any]:
    """Return what a TOML file holds.

    Args:
        path: of the file.
        what: the file is, for the message.

    Raises:
        ValueError: it cannot be read, or is not TOML.
    """
    from lindyn.stored import limits

    try:
        return limits.read_toml(limits.read_text(path, limits.TABLES))
    except OSError as error:
        raise ValueError(f"Cannot read {what} {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}.") from error


def toml_value(value: Any) -> str:
    """Return a value (a truth, a number, a text, a list, a table) as TOML writes it on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):  # JSON escapes what TOML wants escaped, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_name(name)} = {toml_value(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return repr(value)


def toml_line(name: str, value: Any) -> str:
    """Return "name = value"."""
    return f"{_name(name)} = {toml_value(value)}"


def _name(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else toml_value(name)
