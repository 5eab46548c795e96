"""Seconds from the shell to a first picture, each run in a process of its own.

python benchmarks/first_picture.py [--json FILE]
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import interleaved, report

DIFFRAX_SCRIPT = """
import sys
import diffrax, jax, jax.numpy as jnp, matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
jax.config.update("jax_enable_x64", True)
n2, n1, v = 8, 16, 1.25
def field(t, y, args):
    W, P, A = y
    G = A - v * (P @ W)
    return P.T @ G - 0.04 * W, G @ W.T - 0.04 * P, 0.4 * (W - A)
k1, k2 = jax.random.split(jax.random.key(0))
W = jax.random.normal(k1, (n2, n1)) / 4
P = jax.random.normal(k2, (n2, n2)) / 8**0.5
ts = jnp.linspace(0.0, 100.0, 201)
sol = diffrax.diffeqsolve(diffrax.ODETerm(field), diffrax.Dopri8(), 0.0, 100.0, None, (W, P, W),
    saveat=diffrax.SaveAt(ts=ts), stepsize_controller=diffrax.PIDController(1e-10, 1e-12), max_steps=100000)
F = sol.ys[0] @ jnp.swapaxes(sol.ys[0], 1, 2)
fig, ax = plt.subplots(2, 2)
ax[0, 0].semilogy(ts, jnp.linalg.eigvalsh(F))
ax[0, 1].plot(ts, jnp.linalg.eigvalsh((sol.ys[1] + jnp.swapaxes(sol.ys[1], 1, 2)) / 2))
ax[1, 0].plot(ts, jnp.linalg.norm(sol.ys[1], axis=(1, 2)))
ax[1, 1].plot(ts, jnp.linalg.norm(sol.ys[0], axis=(1, 2)))
fig.savefig(sys.argv[1])
"""


def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "with_diffrax.py"
        script.write_text(DIFFRAX_SCRIPT)
        lindyn = [sys.executable, "-m", "lindyn.cli"]
        commands = {
            "lindyn simulate": [*lindyn, "simulate", "--out", folder],
            "diffrax script": [sys.executable, str(script), str(Path(folder) / "diffrax.png")],
            "lindyn --help": [*lindyn, "--help"],
        }
        run = {name: _runner(command) for name, command in commands.items()}
        times = interleaved(run, 5)
    return [
        {"case": name, "seconds": seconds, "diffrax_over_this": times["diffrax script"] / seconds}
        for name, seconds in times.items()
    ]


def _runner(command: list[str]) -> Any:
    return lambda: subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    report("First picture", rows(), "the same system and panels; caches warm")
