"""A child forked after JAX had run in its parent: one sentence instead of a hang; what needs no JAX runs."""

import subprocess
import sys

START = """
import multiprocessing, os, sys, warnings
from concurrent.futures import ProcessPoolExecutor
import numpy as np, lindyn as ld
warnings.filterwarnings("ignore")
hp = ld.Hyperparameters(1.0, 0.3, 0.01)
flow, y0 = ld.ModeFlow(hp), ld.ModeState(p=[0.4], s=[0.2])
weights = ld.WeightFlow(hp, ld.Moments.isotropic(2, 0.1)), ld.WeightState.random(2, 2)
large = ld.ModeFlow(hp), ld.ModeState(p=np.full(400, 0.4), s=np.full(400, 0.2))
grid = {"eta": [0.0, 0.1], "beta": 0.4, "t1": 2.0, "progress": False}

def diffrax(_=None): return ld.simulate(flow, y0, t1=1.0, engine="diffrax").succeeded
def auto(_=None):
    from types import SimpleNamespace
    from lindyn.solve.ode import choose_engine
    return choose_engine(*large, SimpleNamespace(ts=[0.0, 1e5], solver="auto"))
def scipy(_=None): return ld.simulate(flow, y0, t1=1.0, engine="scipy").succeeded
def lanes(_=None): return ld.sweep(**grid)["p"].size
def store(_=None): return ld.sweep(**grid, store=f"{sys.argv[1]}/{os.getpid()}.zarr")["p"].load().size
def lanes_in_jax(_=None): return ld.sweep(**grid, engine="jax")["p"].size
def descent(_=None): return ld.descend(*weights, steps=2).succeeded
def traced(_=None):
    import jax
    return jax.jit(lambda: ld.simulate(flow, y0, t1=1.0, engine="diffrax").states.p)()

def told(work):
    try: return work()
    except RuntimeError as error: return str(error)

def pool(work):
    with multiprocessing.get_context("fork").Pool(1) as pool: return pool.map(work, [0])[0]
def executor(work):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        return pool.submit(work).result()
def fork(work):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, str(told(work)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(read, 4096).decode()
def grandchild(work): return fork(lambda: fork(work))
"""


def run(script, tmp_path):
    """Run a script after `START` in a process of its own and return what it printed, line by line."""
    command = [sys.executable, "-c", START + script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_after_jax_has_run(tmp_path):
    lines = run(
        """
lanes(), store(), diffrax()
for way in (pool, executor, fork, grandchild): print(told(lambda: way(diffrax)))
for work in (lanes_in_jax, descent, traced): print(fork(work))
print(fork(scipy), pool(scipy), fork(lanes), fork(store))
print(diffrax(), auto(), fork(auto))
""",
        tmp_path,
    )
    said = "JAX would hang in this process, which was forked after JAX had run in its parent; start workers with "
    said += "multiprocessing.get_context('spawn') (or 'forkserver'), or "
    instead = ["use engine='scipy'."] * 4 + ["use engine='lanes'.", "descend before the fork.", "use engine='scipy'."]
    assert lines[:7] == [said + way for way in instead]
    assert lines[7:] == ["True True 2 2", "True diffrax scipy"]


def test_the_user_s_own_jax_counts(tmp_path):
    lines = run("import jax; jax.numpy.ones(2).sum()\nprint(fork(diffrax)); print(fork(scipy))", tmp_path)
    assert lines[0].startswith("JAX would hang") and lines[1] == "True"


def test_a_fork_before_jax_has_run_is_free_to_run_it(tmp_path):
    script = "print(fork(diffrax)); import jax, lindyn.solve.engine_diffrax; scipy(); print(fork(diffrax))"
    assert run(script, tmp_path) == ["True", "True"]
