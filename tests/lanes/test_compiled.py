import errno
import pickle
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
    space = np.zeros((1, layout.COLUMNS)), np.zeros((1, layout.KEPT_INTS), np.int64)
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


def add_one(x):
    return x + 1.0


def from_disk(variant=("test",), wanted=2.0):
    """Compile `add_one` as a kernel, run it, and return whether it came from the disk."""
    dispatcher = compiled.compile_kernel(add_one, variant)
    assert dispatcher(1.0) == wanted
    return sum(dispatcher.stats.cache_hits.values()) == 1


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A disk cache that holds `add_one`."""
    monkeypatch.setattr(compiled.numba.core.config, "CACHE_DIR", str(tmp_path / "cache"))
    assert not from_disk() and from_disk()
    return tmp_path / "cache"


def flipped(content):
    return content[:-200] + bytes([content[-200] ^ 4]) + content[-199:]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage",
    [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"\x80\x05garbage.", lambda b: pickle.dumps(7), flipped,
     lambda b: None],
    ids=["empty", "cut", "garbage", "another pickle", "one bit", "lost"],
)  # fmt: skip
def test_a_damaged_cache_is_a_miss_and_overwritten(cache, ending, damage):
    """numba alone ends in EOFError, and runs code with a flipped bit."""
    (file,) = cache.rglob(f"*.{ending}")
    content = damage(file.read_bytes())
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert not from_disk()
    assert from_disk()


def test_the_code_of_another_variant_is_a_miss(cache):
    """Two processes that save at once may both take the first name; the index then leads to the other's code."""
    (first,) = cache.rglob("*.nbc")
    assert not from_disk(("other",))
    second = next(file for file in cache.rglob("*.nbc") if file != first)
    first.write_bytes(second.read_bytes())
    assert not from_disk()
    assert from_disk()


def test_another_numba_and_another_machine_are_misses(cache, monkeypatch):
    monkeypatch.setattr(compiled.numba, "__version__", "0.1")
    assert not from_disk()
    assert from_disk()
    monkeypatch.setattr(compiled._StampedCache, "_index_key", lambda self, sig, codegen: (sig, "another machine"))
    assert not from_disk()
    assert from_disk()


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(cache, monkeypatch, tmp_path):
    for error in (
        OSError(errno.ENOSPC, "full"),
        PermissionError(errno.EACCES, "no"),
        OSError(errno.EROFS, "read-only"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(compiled.caching.IndexDataCacheFile, "_open_for_write", _raising(error))
            assert not from_disk(("unwritable",))
            assert not from_disk(("unwritable",))
        with monkeypatch.context() as patch:  # the files of somebody else
            patch.setattr(compiled.caching.IndexDataCacheFile, "_load_index", _raising(error))
            assert not from_disk()
    (file,) = cache.rglob("*.nbi")
    file.unlink()
    file.mkdir()
    assert not from_disk() and not from_disk()
    (tmp_path / "file").write_text("in its place")
    monkeypatch.setattr(compiled.numba.core.config, "CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(compiled.caching.CacheImpl, "_locator_classes", [compiled.caching.UserProvidedCacheLocator])
    assert not from_disk() and not from_disk()  # nor is there a home or a writable package


def _raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


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
