"""One line of code, four readings: every equation takes numpy, JAX and torch arrays and sympy's matrix symbols."""

import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
import torch

from lindyn import equations

N2, N1 = 2, 3
SQUARE, WIDE, DATA = (N2, N2), (N2, N1), (N1, N1)
SCALARS = (
    "alpha_p beta eta_p eta_s tau x x_aug p s D g w a r growth momentum learning_rate gamma_a q power shift h "
    "Q T kappa kappa_a pace m u v c depth size r_j c_j eta rate square decay gradient_square "
    "z_1 z_2 l N_q N_t rho q_norm t_norm other angle sine pi cut after cosine"
)
HANDED = ("trace", "inner", "rows", "product", "total", "over_nodes", "half")
"""What an array type brings: sums, products and one half; left to their defaults but in sympy's matrix symbols."""
MODES = {"halvagal.cosine", "cosine.mode_drives", "cosine.mode_target_drives", "cosine.mean_cosine"}
"""Equations of all modes of a network at once, over nodes: arrays of symbols stand for them."""
SHAPES = (
    dict.fromkeys(("W", "W_a", "G", "v", "rate", "theta"), WIDE)
    | dict.fromkeys(("W_p", "F", "H", "J", "Y", "R", "M", "A", "B", "I", "P"), SQUARE)
    | dict.fromkeys(("X", "X_aug"), DATA)
    | dict.fromkeys(SCALARS.split(), ())
)
MODULES = [m.name for m in pkgutil.iter_modules(equations.__path__)]
FUNCTIONS = {
    f"{name}.{function}": call
    for name in MODULES
    for function, call in inspect.getmembers(importlib.import_module(f"lindyn.equations.{name}"), inspect.isfunction)
    if function.islower() or "_" in function
}


OWN_SHAPES = {
    "cosine.sample_moment": {"q": (2, 1), "t": (2, 1), "v_1": (3, 1), "inverse_q": (), "inverse_t": (),
                             "cosine": (), "count": ()},
    "cosine.mean_square": {"A": WIDE},
    "cosine.overlap": {"A": WIDE},
    "cosine.closure_moment": {"A": WIDE},
    "cosine.closure_target_branch": {"A": WIDE},
    "batchnorm.variance": {"W": (1, 3)},
    "batchnorm.normalised": {"W": (1, 3), "scale": ()},
    "batchnorm.row_map": {"G": (1, 3), "W_n": (1, 3), "scale": ()},
    "batchnorm.inverse_deviation": {"D2": ()},
    "projector.layer_rate": {"above": (2, 2), "below": (3, 3), "W_l": WIDE},
    "rectified.mean_product": {"cosine": ()},
    "descent.velocity": {"v": WIDE, "rate": WIDE},
    "descent.step": {"v": WIDE},
    "halvagal.cosine": dict.fromkeys(("z_1", "z_2", "p"), (3,)),
} | {
    name: dict.fromkeys(("m", "a", "x", "x_aug"), (3,)) | dict.fromkeys(("u", "v", "weight"), (2, 1))
    for name in MODES if name.startswith("cosine")
}  # fmt: skip
POSITIVE = (
    "q",
    "shift",
    "Q",
    "T",
    "D2",
    "x",
    "x_aug",
    "alpha_p",
    "learning_rate",
    "decay",
    "u",
    "depth",
    "momentum",
    "r",
    "size",
)
"""Bases of a real power."""
ROOTED = {
    "rest.rest_spectrum",
    "projector.balanced_growth",
    "rest.angle_per_step",
    "cosine.clock",
    "batchnorm.inverse_deviation",
}
"""Equations with a real power: sympy would look for the exact root of a fraction of 30 digits."""


def numbers(call):
    """Random values for the arguments of an equation, the identity for I; what is `HANDED` is left to its default."""
    rng = np.random.default_rng(5)
    names = [name for name in inspect.signature(call).parameters if name not in HANDED]
    shapes = SHAPES | OWN_SHAPES.get(f"{call.__module__.rpartition('.')[2]}.{call.__name__}", {})
    values = {name: rng.normal(size=shapes[name]) if shapes[name] else float(rng.normal()) for name in names}
    values |= {name: abs(values[name]) for name in POSITIVE if name in values}
    if "I" in values:
        values["I"] = np.eye(N2)
    return values


def results(value):
    return value if isinstance(value, tuple) else (value,)


def assert_same(got, want):
    for one, other in zip(results(got), results(want), strict=True):
        one, other = np.asarray(one, dtype=np.float64), np.asarray(other)
        one = one.reshape(other.shape) if one.size == other.size == 1 else one
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-14 * np.max(np.abs(other)))


def exact(value, kind=sympy.Rational):
    """A number or array as sympy rationals, bit for bit."""
    return sympy.Matrix(value).applyfunc(kind) if np.ndim(value) else kind(value)


def test_every_module_is_read():
    assert set(MODULES) >= {
        "loss",
        "weights",
        "gram",
        "correlation",
        "modes",
        "parabola",
        "target",
        "matrices",
        "descent",
    }
    assert len(FUNCTIONS) >= 39


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_jax_torch_and_sympy_agree(name):
    call, values = FUNCTIONS[name], numbers(FUNCTIONS[name])
    want = call(**values)
    with jax.enable_x64(True):
        assert_same(call(**{k: jnp.asarray(v) for k, v in values.items()}), want)
    tensors = call(**{k: torch.tensor(v, dtype=torch.float64) for k, v in values.items()})
    assert_same(tuple(t.numpy() for t in results(tensors)), want)
    assert_same((arrays_of_symbols if name in MODES else symbolic)(call, values), want)


def arrays_of_symbols(call, values):
    """Apply the equation to arrays of symbols, one per mode or node, then put the numbers in."""
    symbols = {k: np.array([sympy.Symbol(f"{k}_{n}") for n in range(np.size(v))], dtype=object).reshape(np.shape(v))
               for k, v in values.items()}  # fmt: skip
    given = {
        s: sympy.Float(n, 40) for k, v in values.items() for s, n in zip(symbols[k].flat, np.ravel(v), strict=True)
    }
    half = {"half": sympy.Rational(1, 2)} if "half" in inspect.signature(call).parameters else {}
    found = np.asarray(call(**symbols, **half))
    return (np.array([float(each.subs(given)) for each in found.flat]).reshape(found.shape),)


def symbolic(call, values):
    """Apply the equation to matrix symbols and commuting scalars, then put the numbers in, exactly."""
    symbols = {k: sympy.MatrixSymbol(k, *np.shape(v)) if np.ndim(v) else sympy.Symbol(k) for k, v in values.items()}
    rooted = f"{call.__module__.rpartition('.')[2]}.{call.__name__}" in ROOTED
    given = {
        symbols[k]: exact(v, (lambda n: sympy.Float(n, 40)) if rooted else sympy.Rational) for k, v in values.items()
    }
    arguments = symbols | ({"I": sympy.Identity(N2)} if "I" in symbols else {})
    takes = inspect.signature(call).parameters
    arguments |= {"trace": sympy.Trace} if "trace" in takes else {}
    arguments |= {"inner": lambda A, B: sympy.Trace(A * B.T)} if "inner" in takes else {}
    arguments |= {"rows": lambda A, B: (A * B.T)[0, 0]} if "rows" in takes else {}
    out = []
    for expression in results(call(**arguments)):
        number = expression.subs(given).doit()
        explicit = number.as_explicit() if hasattr(number, "as_explicit") else number
        out.append(np.array(explicit.tolist(), dtype=np.float64) if hasattr(explicit, "tolist") else float(explicit))
    return tuple(out)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n.split(".")[0] in ("modes", "parabola", "target")])
def test_mode_equations_broadcast(name):
    call, values = FUNCTIONS[name], numbers(FUNCTIONS[name])
    stacked = call(**{k: v * np.array([1.0, 2.0, -3.0]) for k, v in values.items()})
    for k, factor in enumerate((1.0, 2.0, -3.0)):
        np.testing.assert_allclose(stacked[k], call(**{n: v * factor for n, v in values.items()}), rtol=1e-15)


def test_every_equation_reads_every_argument():
    for name, call in FUNCTIONS.items():
        values = numbers(call)
        before = results(call(**values))
        for argument in values.keys() - {"I"}:
            after = results(call(**values | {argument: values[argument] * 1.5}))
            assert any(not np.array_equal(a, b) for a, b in zip(after, before, strict=True)), (name, argument)
