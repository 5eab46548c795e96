"""Machines without 512-bit vectors, or without any, take other instructions and say the same."""

import os
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = """
import sys
import numpy as np
import lindyn as ld
from lindyn.solve.lanes import compiled

modes = ld.sweep(eta=[0.0, 0.02, 0.2], beta=[0.1, 3.0], x=1.0, x_aug=0.25, t1=50.0)
matrices = ld.sweep_matrices(eta=[0.0, 0.05], n1=5, n2=5, seeds=2, t1=5.0)
steps = ld.sweep_descent(eta=[0.0, 0.01], n1=6, n2=5, depth=2, batch=24, seeds=2, steps=20)
names = [("s", modes), ("asymmetry", matrices), ("s_max", matrices), ("effective_rank", steps), ("trace", steps)]
np.savez(sys.argv[1], wide=compiled.WIDE_REGISTERS, **{name: np.asarray(ds[name]) for name, ds in names})
"""
OLDER = {
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+sse4.2,+popcnt,+bmi,+bmi2"},
    "none": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return what a process says that takes this machine for another one; `here`: for itself."""
    folder = tmp_path_factory.mktemp("older")

    def run(name):
        settings = {} if name == "here" else {**OLDER[name], "NUMBA_CACHE_DIR": str(folder / name)}
        file = folder / f"{name}.npz"
        subprocess.run([sys.executable, "-c", SCRIPT, str(file)], check=True, env={**os.environ, **settings})
        return dict(np.load(file))

    here = run("here")
    return lambda name: (here, run(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["none", pytest.param("avx2", marks=pytest.mark.long)])
def test_a_machine_without_wide_vectors_gives_the_same_results(told, name):
    here, older = told(name)
    assert not older.pop("wide")
    for key, values in older.items():
        np.testing.assert_allclose(values, here[key], rtol=1e-9, atol=1e-300, err_msg=key)
