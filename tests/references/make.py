"""Compute the references of the catalogue and store them: python -m tests.references.make [NAME ...].

Every system is integrated twice in mpmath: by Taylor series with 30 digits at order 32 and with 22 digits at order 24,
or, where it is stiff over a long time, by Gauss collocation with 25 digits on 8 stages and with 22 digits on 6. The
larger relative difference of the two (per entry for modes, per block in Frobenius norm for matrices) is stored as the
error estimate. States are stored with 20 digits, beside the inputs they belong to.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf, nstr

from tests.catalogue import CATALOGUE, System
from tests.references import collocation, printed, taylor

FILE = Path(__file__).with_name("references.json")
PRECISIONS = {"taylor": ((30, 32), (22, 24)), "collocation": ((25, 8), (22, 6))}  # digits, order or stages


def solve(system: System, digits: int, order: int, times: int | None = None) -> list[dict]:
    """Return the blocks of a system at its first `times` times, in mpf."""
    given, y0 = system.given, system.y0
    if system.kind == "gram":  # the reference is the full flow of the weights, not the n2 x n2 equations
        n1 = y0["W"].shape[1]
        given = given | {"X": given["x"] * np.eye(n1), "X_aug": given["sigma2"] * np.eye(n1)}
    kind = "weights" if system.kind == "gram" else system.kind
    with mp.workdps(digits):
        rate = getattr(printed, kind)(given, **system.choices)
        method = {"taylor": taylor, "collocation": collocation}[system.method]
        states = method.integrate(rate, y0, system.ts[:times], digits, order)
        return [_gram(state) for state in states] if system.kind == "gram" else states


def _gram(y: dict) -> dict:
    W, W_a = y["W"], y["W_a"]
    return {"W_p": y["W_p"], "F": W @ W.T, "H": W_a @ W.T, "J": W_a @ W_a.T}


def difference(system: System, one: list[dict], other: list[dict]) -> float:
    """Return the largest relative difference of two solutions, as the catalogue means it."""
    elementwise = system.kind in ("modes", "mode_weights", "parabola")
    worst = mpf(0)
    for a, b in zip(one, other, strict=True):
        for name in a:
            if elementwise:
                pairs = [(abs(u - v), abs(u)) for u, v in zip(np.ravel(a[name]), np.ravel(b[name]), strict=True)]
            else:
                pairs = [(_norm(a[name] - b[name]), _norm(a[name]))]
            worst = max([worst, *(off / size if size else off for off, size in pairs)])
    return float(worst)


def _norm(block: Any) -> Any:
    return mp.sqrt(sum(v * v for v in np.ravel(block)))


def as_text(value: Any) -> Any:
    return [as_text(v) for v in value] if isinstance(value, np.ndarray) and value.ndim else nstr(mpf(value), 20)


def as_mpf(text: Any) -> Any:
    values = np.array(text, dtype=object)
    return np.vectorize(mpf, otypes=[object])(values) if values.ndim else mpf(text)


def entry(system: System) -> dict[str, Any]:
    fine, coarse = (solve(system, *precision) for precision in PRECISIONS[system.method])
    with mp.workdps(30):
        return {
            "inputs": system.inputs(),
            "error_estimate": difference(system, fine, coarse),
            "states": [{name: as_text(value) for name, value in state.items()} for state in fine],
        }


def write(stored: dict[str, Any]) -> None:
    """Write the file with one line per system, in the order of the catalogue."""
    lines = [f"{json.dumps(name)}: {json.dumps(stored[name])}" for name in CATALOGUE if name in stored]
    about = json.dumps(" ".join((__doc__ or "").split()))
    FILE.write_text('{"about": ' + about + ',\n"systems": {\n' + ",\n".join(lines) + "\n}}\n")


def main(names: list[str]) -> None:
    stored = json.loads(FILE.read_text())["systems"] if FILE.exists() else {}
    for name in names or CATALOGUE:
        begin = time.time()
        stored[name] = entry(CATALOGUE[name]())
        print(f"{name:40s} {stored[name]['error_estimate']:.1e}  {time.time() - begin:6.1f} s", flush=True)
        write(stored)


if __name__ == "__main__":
    main(sys.argv[1:])
