"""The table of golden cases: command lines of every subcommand, by name."""

from tests.golden.cases import rest, theory, validation
from tests.golden.run import Case

CASES: dict[str, Case] = {case.name: case for module in (theory, validation, rest) for case in module.CASES}
