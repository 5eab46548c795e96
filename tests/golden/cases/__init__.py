"""The table of golden cases: command lines of every subcommand, by name."""

from tests.golden.cases import library, rest, theory, validation
from tests.golden.run import Case

CASES: dict[str, Case] = {case.name: case for module in (theory, validation, rest, library) for case in module.CASES}
LIKES = {case.name: case.like for case in CASES.values() if case.like}
"""The case beside which another one's answer is written."""
