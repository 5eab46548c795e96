"""The house: imports go downwards only, heavy packages load late, no module shares a public function's name."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import lindyn

ROOT = Path(lindyn.__file__).parent
# A room may import those to its left and itself.
FLOORS = (
    ("equations",),
    ("_records", "_checks", "_linalg", "_threads", "_progress", "_toml", "operators"),
    ("predictors",),
    ("hyperparameters", "moments", "view_sums", "streaming", "states", "sampling", "conversions"),
    ("flows",),
    ("theory",),
    ("solve",),
    ("observables",),
    ("images", "proofs", "sweeps", "phase"),
    ("verification", "measurements", "claims", "reproduction"),
    ("plotting",),
    ("bridge",),
    ("commands",),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        if relative.parts[0] not in ("_figures", "__init__.py"):
            yield relative


def imported_rooms(path):
    """Yield (room, is at the top of the module) of every import of lindyn in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{alias.name}" if node.module == "lindyn" else node.module for alias in node.names]
        for name in names:
            parts = (name or "").split(".")
            if parts[0] == "lindyn" and len(parts) > 1 and parts[1] in LEVEL:
                yield parts[1], id(node) in top


@pytest.mark.parametrize("path", [str(path) for path in modules()])
def test_imports_go_downwards(path):
    room = Path(path).parts[0].removesuffix(".py")
    assert room in LEVEL, f"{room} has no floor: give it one in FLOORS"
    for other, top in imported_rooms(Path(path)):
        if top:
            assert LEVEL[other] <= LEVEL[room], f"{path} imports {other}, which is above it"


def test_equations_import_nothing():
    for path in (ROOT / "equations").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)], path


def test_importing_lindyn_loads_nothing_heavy():
    script = "import sys, lindyn; print(sorted({'jax', 'torch', 'matplotlib', 'scipy', 'sympy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_with_the_scipy_engine_needs_no_jax():
    script = (
        "import sys, lindyn as ld\n"
        "ld.simulate(ld.ModeFlow(ld.Hyperparameters()), ld.ModeState(0.5, 0.2), t1=1.0, engine='scipy')\n"
        "assert not {'jax', 'torch', 'matplotlib.pyplot'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_public_name_loads_and_none_is_a_module_and_a_function():
    for name in lindyn.__all__:
        value = getattr(lindyn, name)
        assert value is not None
        if callable(value):
            assert not (ROOT / f"{name}.py").exists() and not (ROOT / name).is_dir(), name


def test_no_module_is_hidden_behind_a_function_of_its_name():
    """`import lindyn.a.b` gives the module b, not a function that a's table of contents took in under the same name."""
    for path in modules():
        if path.name not in ("__init__.py", "__main__.py"):
            name = ".".join(("lindyn", *path.with_suffix("").parts))
            module = importlib.import_module(name)
            parent, leaf = name.rsplit(".", 1)
            assert getattr(sys.modules[parent], leaf) is module, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'simulat'"):
        _ = lindyn.simulat
