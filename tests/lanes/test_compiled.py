import re
import subprocess
import sys

import numpy as np
import pytest

from lindyn.equations import modes, target
from lindyn.solve.lanes import compiled, kernel, layout, methods


def test_the_compiled_equations_are_those_of_the_library():
    for name in ("drive", "dp", "growth", "ds", "alignment_rate"):
        assert getattr(compiled.EQUATIONS, name).py_func is getattr(modes, name)
    assert compiled.EQUATIONS.dtau.py_func is target.dtau


@pytest.fixture(scope="module")
def fresh():
    """The kernel of the full equations, compiled here: from the disk it would come without its assembly."""
    kept = kernel.build(False, False, cache=False)
    space = np.zeros((1, layout.KEPT)), np.zeros((1, layout.KEPT_INTS), np.int64)
    work = np.zeros(layout.ROWS * layout.LANES), np.zeros(layout.INT_ROWS * layout.LANES, np.int64)
    kept(*space, *work, np.zeros((2, 1), np.int64), 1.0, 0, 10, 1.0)
    return kept


@pytest.mark.slow
def test_the_kernel_is_vectorised(fresh):
    """Packed arithmetic in the wide registers of the machine, and much more of it than scalar."""
    assembly = "\n".join(fresh.inspect_asm().values())
    if "ymm" not in assembly:
        pytest.skip("no 256-bit registers on this machine")
    packed = len(re.findall(r"\bv(?:f[n]?m(?:add|sub)\d+|mul|add|sub)pd\s[^\n]*%[yz]mm", assembly))
    assert packed > 600  # DOP853 and Rodas5P, 4 or 8 lanes an instruction


@pytest.mark.slow
def test_what_a_lane_keeps_is_chosen_without_branches(fresh):
    """Branches become stores under opposite masks, for which the next step's loads wait (`compiled.where`)."""
    assert "llvm.masked.store" not in "\n".join(fresh.inspect_llvm().values())


def test_an_edited_source_is_compiled_anew():
    """The key of the disk cache holds the variant and a hash of all sources."""
    keys = set()
    for variant in ((False, False), (True, False)):
        cache = compiled._StampedCache(kernel.build(False, False).py_func, variant)
        codegen = type("Codegen", (), {"magic_tuple": lambda self: ()})()
        keys.add(cache._index_key((), codegen))
        assert compiled.source_stamp() in cache._index_key((), codegen)
    assert len(keys) == 2


def test_importing_the_package_loads_neither_numba_nor_jax():
    code = "import sys, lindyn, lindyn.solve.lanes; assert not {'numba', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dop853_is_scipys():
    from scipy.integrate._ivp import dop853_coefficients as scipys

    for ours, theirs in zip(methods.DOP853_A, scipys.A[1:12], strict=True):
        np.testing.assert_array_equal(ours, theirs[theirs != 0])
    for ours, theirs in (("B", scipys.B), ("E5", scipys.E5), ("E3", scipys.E3)):
        np.testing.assert_array_equal(getattr(methods, f"DOP853_{ours}"), theirs[theirs != 0])


@pytest.mark.parametrize(("make", "order"), [(methods.make_dop853, 8), (methods.make_rodas5p, 5)])
def test_orders(make, order):
    """The order, measured: the slope of log error against log step."""
    c, y = (1.0, 0.3, 0.04, 0.05, 1.0, 0.25), (0.3, 0.2, 0.5)
    plain = compiled.types.SimpleNamespace(**{k: v.py_func for k, v in vars(compiled.EQUATIONS).items()})
    rate = methods.make_rate(plain, False, False)

    def end(make, n, t=8.0):
        step, state, k = make(rate), y, rate(y, c)
        for _ in range(n):
            state, k, *_ = step(state, k, t / n, c)
        return np.array(state)

    exact = end(methods.make_dop853, 200)
    errors = [np.abs(end(make, n) - exact).max() for n in (8, 16)]
    assert order - 0.8 < np.log2(errors[0] / errors[1]) < order + 1.5


def test_the_jacobian_is_that_of_the_equations():
    """(shift I - J) x = r solved by the complex-step factors, against sympy's derivative of the same functions."""
    sympy = pytest.importorskip("sympy")
    plain = compiled.types.SimpleNamespace(**{k: v.py_func for k, v in vars(compiled.EQUATIONS).items()})
    rate = methods.make_rate(plain, False, False)
    c, y, r, shift = (1.3, 7.0, 0.04, 0.05, 1.1, 0.25), (0.3, 1e-40, 0.5), (1.0, 2e-40, 3.0), 2.0
    symbols = sympy.symbols("p s tau")
    jacobian = sympy.Matrix(rate(symbols, c)).jacobian(symbols).subs(dict(zip(symbols, y, strict=True)))
    exact = (shift * sympy.eye(3) - jacobian).LUsolve(sympy.Matrix(r))
    factor, solve = methods.make_solver(rate)
    np.testing.assert_allclose(solve(factor(y, shift, c), r), [float(v) for v in exact], rtol=1e-13)
