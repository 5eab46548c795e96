"""The parser that the subcommands share, and how a table of options becomes their flags."""

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from lindyn import _options
from lindyn._option_table import OptionTable
from lindyn._options import Option

USUAL = 80  # columns of a terminal


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Texts as they are written where the terminal has the room, and broken by line where it has not."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        columns = shutil.get_terminal_size().columns
        if columns >= USUAL:  # a terminal breaks the few longer lines itself
            return super()._fill_text(text, width, indent)
        lines = (broken(indent + line, max(columns - 2, 20)) for line in text.splitlines())
        return "".join(f"{line}\n" for line in lines)


def broken(line: str, room: int) -> str:
    """Return a line of at most `room` letters, or several: those after the first stand a little further in."""
    if len(line) <= room:
        return line
    start = line[: min(len(line) - len(line.lstrip()), room // 2)]
    long = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(line.strip(), room, initial_indent=start, subsequent_indent=f"{start}    ", **long)  # type: ignore[arg-type]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, and which suggests the near flag, key or command.

    Args:
        *args: of argparse's parser.
        **kwargs: of argparse's parser.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = re.compile(r"^-\.?\d")  # `--p -0.5:1:40` is a value, not a flag
        self.words_anywhere = False
        self.keys: Callable[[], OptionTable] | None = None

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all of it; what is left over is the error of the subcommand that left it."""
        args = sys.argv[1:] if args is None else list(args)
        found, left = self.parse_known_args(args, namespace)
        if left:
            getattr(found, "parser", self).refuse(left, args)
        return found

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse what is known; where `words_anywhere`, flags may stand before, between and after the words."""
        if self.words_anywhere and args is not None:
            args = self._flags_first(list(args))
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the message as one sentence and exit with 2."""
        told = re.fullmatch(r"argument (\S+): (\1 must .*|\S+ must .*)", message, re.DOTALL)
        wrong = re.match(r"argument COMMAND: invalid choice: '([^']*)'", message)
        if told:
            message = told.group(2)
        elif wrong:
            known = list(next(a for a in self._actions if isinstance(a, argparse._SubParsersAction)).choices)
            near = _options.nearest(wrong.group(1), known)
            hint = f"Did you mean {near}?" if near else f"There are {', '.join(known)}."
            message = f"unknown command {wrong.group(1)!r}. {hint}"
        self.exit(2, f"{self.prog}: error: {message}\n")

    def refuse(self, left: Sequence[str], args: list[str]) -> NoReturn:
        """Refuse arguments that were not understood, suggesting the near flag of this subcommand or its key."""
        wrong = next((word.split("=")[0] for word in left if word.startswith("--")), "")
        near = self._near(wrong, args) if wrong else None
        hint = f"Did you mean {near}?" if near else f"See {self.prog} --help."
        self.error(f"unrecognized arguments: {' '.join(left)}. {hint}")

    def _near(self, wrong: str, args: list[str]) -> str | None:
        flags = list(self._option_string_actions)
        if self.keys is None:
            return _options.nearest(wrong, flags)
        table, name = self.keys(), wrong.removeprefix("--").replace("-", "_")
        homes = table.homes(name)
        near = None if homes else _options.nearest(wrong, flags)
        key = homes[0] if homes else None if near else table.near(name)
        return f"{key}={self._value(wrong, args)}" if key else near

    def _value(self, wrong: str, args: list[str]) -> str:
        """Return the value that was given to an unknown flag, to show it with its key."""
        for word, following in zip(args, [*args[1:], ""], strict=True):
            if word.startswith(f"{wrong}="):
                return word.partition("=")[2]
            if word == wrong and following and "=" not in following and not following.startswith("--"):
                return following
        return "..."

    def _flags_first(self, args: list[str]) -> list[str]:
        """Return the flags with their values, then the words; all that follows "--" are words."""
        flags: list[str] = []
        words: list[str] = []
        left = iter(args)
        for arg in left:
            if arg == "--":
                return [*flags, "--", *words, *left]
            if not arg.startswith("-") or arg == "-":
                words.append(arg)
                continue
            flags.append(arg)
            action = self._option_string_actions.get(arg)
            if action is not None and action.nargs is None:  # a flag with one value; store_true has nargs 0
                flags += [value for value in [next(left, None)] if value is not None]
        return flags + words


class Completion(argparse.Action):
    """`--completion SHELL`: print what lets a shell complete the command line, and end."""

    SHELLS = ("bash", "zsh", "fish")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, choices=self.SHELLS, metavar="SHELL", default=argparse.SUPPRESS)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Print the script of shtab, which reads the flags off the parser.

        Args:
            parser: the whole command line.
            namespace: of the words before.
            values: the shell.
            option_string: as it was spelled.
        """
        try:
            import shtab
        except ImportError:
            parser.error('--completion needs shtab; install it with pip install "lindyn[completion]".')
        print(shtab.complete(parser, shell=values))
        parser.exit(0)


def add_command(
    commands: Any, name: str, summary: str, description: str, table: OptionTable, run: Callable[..., int], **more: Any
) -> Parser:
    """Add a subcommand with the flags of its table.

    Args:
        commands: of the command line.
        name: of the subcommand.
        summary: one line of the top help.
        description: of its own help.
        table: its options.
        run: what it does.
        **more: `defaults` of `add_flags`, and what argparse takes.

    Returns:
        Its parser.
    """
    defaults = more.pop("defaults", True)
    kept: dict[str, Any] = {"formatter_class": HelpFormatter, "allow_abbrev": False}
    parser: Parser = commands.add_parser(name, help=summary, description=description, **kept | more)
    add_flags(table, parser, defaults)
    parser.set_defaults(func=run, parser=parser)
    return parser


def add_flags(table: OptionTable, parser: Any, defaults: bool = True) -> None:
    """Add every option as a flag; without `defaults` a flag that is not given is None, so that a file can speak."""
    groups: dict[str, Any] = {}
    for option in table.options:
        title = table.titles.get(option.section)
        if title is not None and title not in groups:
            groups[title] = parser.add_argument_group(title)
        group = parser if title is None else groups[title]
        group.add_argument(option.flag, **_argument(option, defaults))
        for name in option.same:
            same = {"dest": name, "help": f"the same as {option.flag}"}
            group.add_argument(_options.flag(name), **_argument(option, False) | same)


def _argument(option: Option, defaults: bool) -> dict[str, Any]:
    """Return the arguments of argparse's `add_argument`."""
    telling = option.default is not None and option.kind != "switch" and option.default != []
    text = option.help + (f" (default {_options.shown(option.default)})" if telling else "")
    out: dict[str, Any] = {
        "dest": option.name,
        "default": option.default if defaults and option.kind != "range" else None,
    }
    out["help"] = text.replace("%", "%%")
    if option.kind == "switch":
        return out | {"action": "store_true"}
    if option.kind is bool:
        return out | {"action": argparse.BooleanOptionalAction}
    number = "N" if option.kind in (float, int) else "VALUE"
    out["metavar"] = option.metavar or ("{" + ",".join(option.choices) + "}" if option.choices else number)
    if option.kind == "texts":
        return out | {"action": "append"}
    if option.kind == "words":
        return out | {"nargs": "+"}
    return out | {"type": _reader(option)}


def _reader(option: Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return option.read(option.flag, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read
