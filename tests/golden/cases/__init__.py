"""The table of golden cases: command lines of every subcommand, by name."""

import re
from dataclasses import replace

from tests.golden.cases import library, rest, theory, validation
from tests.golden.run import Case

SINGLE = re.compile(
    r"train-(linear|direct-pred|mlp-lars|gaussian)|reproduce-study|validate-(.*digits|run.*|lindyn-.*|checkpoints|compare.*"
    r"|trace|features-of-checkpoint|implicit-var-reg|luckmatters-.*)"
)
"""Cases that run or train a network in single precision."""


def _in_single(case: Case) -> Case:
    why = "float32: another machine sums in another order, and ten steps of training multiply what that leaves"
    return replace(case, rel=0.02, why=why) if SINGLE.fullmatch(case.name) else case


CASES: dict[str, Case] = {
    case.name: _in_single(case) for module in (theory, validation, rest, library) for case in module.CASES
}
LIKES = {case.name: case.like for case in CASES.values() if case.like}
"""The case beside which another one's answer is written."""
