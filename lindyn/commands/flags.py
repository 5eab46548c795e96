"""Flags between words: argparse alone takes a subcommand's words in one piece only."""

from typing import Any


def take_flags_anywhere(parser: Any) -> None:
    """Let flags, with their values, stand before, between and after the words of a parser."""
    parse = parser.parse_known_args

    def flags_first(args: Any = None, namespace: Any = None) -> Any:
        return parse(None if args is None else _sorted(parser, list(args)), namespace)

    parser.parse_known_args = flags_first


def _sorted(parser: Any, args: list[str]) -> list[str]:
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
        action = parser._option_string_actions.get(arg)
        if action is not None and action.nargs is None:  # a flag with one value; store_true has nargs 0
            flags += [value for value in [next(left, None)] if value is not None]
    return flags + words
