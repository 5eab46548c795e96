"""The house: imports go downwards only, file by file, lazy ones too; no circle; no name twice; files are small.

`CIRCLES` and `UPWARD` list what is not mended yet. They may only shrink: an entry that is no longer needed fails.
"""

import ast
import collections
import functools
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import lindyn

ROOT = Path(lindyn.__file__).parent
# A room may import those to its left and itself.
FLOORS = (
    ("equations", "statistics"),
    (
        "_faces",
        "_systems",
    ),
    (
        "_extensions",
        "display",
        "_records",
        "_checks",
        "_linalg",
        "_progress",
        "_files",
        "stored",
        "outputs",
        "_options",
        "_option_table",
        "operators",
    ),
    ("predictors", "theory"),
    ("hyperparameters", "moments", "view_sums", "states", "sampling", "conversions"),
    ("flows",),
    ("solve",),
    ("observables",),
    ("images", "proofs", "sweeps", "phase"),
    ("verification",),
    ("papers", "claims", "reproduction"),
    ("plotting",),
    ("bridge",),
    ("commands", "explore"),
    ("cli",),
)
BRIDGE_FLOORS = (
    (
        "along_run",
        "records",
        "readings",
        "settings",
        "sections",
        "assumptions",
        "given_paths",
        "hub_files",
        "torch_defaults",
    ),
    ("layers",),
    ("watch",),
    ("training",),
    ("run",),
    ("prediction",),
    ("checkpoints", "features"),
    ("measure",),
    ("laws",),
    ("second_reading",),
    ("report",),
    ("validation", "studies"),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
BRIDGE_LEVEL = {room: level for level, rooms in enumerate(BRIDGE_FLOORS) for room in rooms}
MOST_FILES, MOST_LINES, MOST_LINES_OF_A_FUNCTION = 20, 350, 100
NOT_COUNTED = ("__main__.py", "claims.py", "reproduction.py")  # how python starts; former rooms that warn and go next
CIRCLES: set = set()
UPWARD: set = set()


FROM_OWN_CONTENTS: set[tuple[str, str]] = set()


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        if relative.parts[0] not in ("_figures", "__init__.py", "__main__.py"):
            yield relative


def named(path):
    """Return the module of a file without the package: "bridge.laws" for bridge/laws/__init__.py."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def tree_of(path):
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@functools.cache
def graph():
    """Return {module: modules of the package it imports, anywhere in the file}."""
    files = {named(path): path for path in modules()}
    out = collections.defaultdict(set)
    for module, path in files.items():
        for node in ast.walk(tree_of(path)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: write the whole name in imports"
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name.removeprefix("lindyn.") in files else node.module for name in whole]
            short = {name.removeprefix("lindyn.") for name in names if name.startswith("lindyn.")}
            out[module] |= {name for name in short if name in files and name != module}
    return files, out


def floors(module):
    """Return (floor, floor within the bridge); the bridge's table of contents stands above its rooms."""
    parts = module.split(".")
    assert parts[0] in LEVEL, f"{parts[0]} has no floor: give it one in FLOORS"
    if parts[0] != "bridge":
        return LEVEL[parts[0]], 0
    if len(parts) == 1:
        return LEVEL["bridge"], len(BRIDGE_FLOORS)
    assert parts[1] in BRIDGE_LEVEL, f"bridge/{parts[1]} has no floor: give it one in BRIDGE_FLOORS"
    return LEVEL["bridge"], BRIDGE_LEVEL[parts[1]]


def test_imports_go_downwards():
    files, imports = graph()
    upward = {(here, there) for here in files for there in imports[here] if floors(there) > floors(here)}
    assert upward - UPWARD == set(), "an import goes up: the lower room must not know the higher one"
    assert UPWARD - upward == set(), "mended: take it out of UPWARD"


def test_no_file_takes_from_its_own_room_s_table_of_contents():
    files, imports = graph()
    own = {(here, there) for here in files for there in imports[here] if here.startswith(there + ".")}
    assert own - FROM_OWN_CONTENTS == set(), (
        "import the file that holds the name, else the room's __init__ is in a circle"
    )
    assert FROM_OWN_CONTENTS - own == set(), "mended: take it out of FROM_OWN_CONTENTS"


def circles():
    """Return the groups of files that import each other, tables of contents left out."""
    files, imports = graph()
    plain = {name for name, path in files.items() if path.name != "__init__.py"}
    far = {}
    for start in plain:
        seen, todo = set(), [start]
        while todo:
            for there in imports[todo.pop()] & plain - seen:
                seen.add(there)
                todo.append(there)
        far[start] = seen
    return {tuple(sorted({n for n in far[name] if name in far[n]})) for name in plain if name in far[name]}


def test_no_circles():
    found = circles()
    assert found - CIRCLES == set(), "files import each other: what both need belongs below both"
    assert CIRCLES - found == set(), "mended: take it out of CIRCLES"


def test_no_base_name_and_no_public_class_stands_twice():
    stems, classes = collections.defaultdict(list), collections.defaultdict(list)
    for path in modules():
        if path.name != "__init__.py":
            stems[path.stem].append(str(path))
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(str(path))
    assert {name: where for name, where in stems.items() if len(where) > 1} == {}
    assert {name: where for name, where in classes.items() if len(where) > 1} == {}


def beside_families(stems):
    """Return the names that belong to no family: three or more files with the same first word (tian_, print_)."""
    first = collections.Counter(stem.partition("_")[0] for stem in stems if "_" in stem.strip("_"))
    return [stem for stem in stems if "_" not in stem.strip("_") or first[stem.partition("_")[0]] < 3]


def test_folders_files_and_functions_are_small():
    folders = collections.defaultdict(list)
    for path in modules():
        if str(path) not in NOT_COUNTED:
            folders[str(path.parent)].append(path.stem)
    assert {name: stems for name, stems in folders.items() if len(beside_families(stems)) > MOST_FILES} == {}
    for path in modules():
        assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < MOST_LINES_OF_A_FUNCTION, f"{path}: {node.name}"


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
