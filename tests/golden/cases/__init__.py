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
ROUND_OFF = 3e-4
"""Of such a case: what is left of 1 - 1 in float32, ten steps or fifty layers later (most seen: 2.3e-4, a cosine)."""
CHECKSUMS = r'(?<=\] = )"[0-9a-f]{8}"|(?<=lines, sha256 )[0-9a-f]+'
"""Of lines and pages whose numbers are told beside them, or in the report's JSON, and compared there."""

_SMALL = {"rel": 1e-10, "why": "an eigenvalue beside others that are a hundred times as large"}
_EVENTS = {"rel": 1e-9, "why": "an event's time is Newton's last, to 1e-11 of it, and other vectors round it otherwise"}
OTHERWISE = {
    **dict.fromkeys(
        ("sweep-eta-beta", "sweep-store", "sweep-online", "sweep-start", "sweep-one-run", "sweep-one-axis"), _EVENTS
    ),
    "simulate-diffrax": {
        "unsure": r"\d+(?= steps)|(?<=accepted\\\": )\d+",
        "why": "near rest the error of a step is round-off, and the machine's round-off sets how long the next one is",
    },
    "simulate-short": {"rel": 1e-3, "why": "it stops after so many steps, and round-off decides where they end"},
    "validate-features-alone": _SMALL,
    "validate-features-with-W_p": _SMALL,
    "reproduce-gallery-1": {"rel": 1e-10, "why": "another instruction set rounds the exponentials otherwise"},
}
"""By case, what a machine with another instruction set (AVX2 beside AVX-512) was seen to answer otherwise."""


def _compared(case: Case) -> Case:
    if SINGLE.fullmatch(case.name):
        why = "float32: another machine sums in another order, and ten steps of training multiply what that leaves"
        return replace(case, rel=0.02, floor=ROUND_OFF, unsure=CHECKSUMS, why=why)
    return replace(case, **OTHERWISE.get(case.name, {}))


CASES: dict[str, Case] = {
    case.name: _compared(case) for module in (theory, validation, rest, library) for case in module.CASES
}
LIKES = {case.name: case.like for case in CASES.values() if case.like}
"""The case beside which another one's answer is written."""
