"""Damages of a line of code: every one of a file, and a sample of all files by a seed.

A damage is one of: an arithmetic operator, a comparison turned round, a number doubled (0 made 1), a minus sign or
`not` left out, `and` for `or`, min for max, and a name for its neighbour (eta_p for eta_s, x for x_aug, ...). Numbers
below 1e-5 and above 1e5 are tolerances and stay, so does what is text, annotation, or said where an error is raised.
"""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
AREAS = ("equations", "flows", "theory", "statistics.py", "observables.py", "predictors", "verification", "solve/lanes",
         "bridge/laws", "conversions.py", "moments.py")  # fmt: skip
"""What is damaged: a sample draws an area first, then one of its damages, so that no table of numbers fills it."""
OPERATORS: dict[type, tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.Lt: ("<", ">="),
    ast.Gt: (">", "<="), ast.LtE: ("<=", ">"), ast.GtE: (">=", "<"), ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="),
    ast.And: ("and", "or"), ast.Or: ("or", "and"),
}  # fmt: skip
PAIRS = ("eta_p eta_s", "x x_aug", "X X_aug", "W W_a", "minimum maximum", "min max", "sum mean", "F W_p", "p s", "w a",
         "s_plus s_minus", "p_plus p_minus", "decay_p decay_s", "online target", "low high", "left right")  # fmt: skip
NEIGHBOUR = {a: b for pair in PAIRS for a, b in (pair.split(), pair.split()[::-1])}


@dataclass(frozen=True)
class Damage:
    """One change of one line: columns start to end of it are replaced by `text`."""

    file: str
    line: int
    start: int
    end: int
    text: str
    before: str

    @property
    def after(self) -> str:
        """The line as damaged."""
        return self.before[: self.start] + self.text + self.before[self.end :]

    @property
    def key(self) -> str:
        """What it is called, whatever its line's number."""
        return f"{self.file}: {self.before.strip()} -> {self.after.strip()}"


def damages(path: Path) -> Iterator[Damage]:
    """Return every damage of a file."""
    source = path.read_text(encoding="utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    skipped = {id(sub) for node in ast.walk(tree) for part in _not_run(node) for sub in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        for line, start, end, text in _changes(node, lines):
            yield Damage(path.relative_to(ROOT).as_posix(), line, start, end, text, lines[line - 1])


def _not_run(node: ast.AST) -> list[ast.AST]:
    """Return what of a node is annotation or text."""
    parts = [getattr(node, name, None) for name in ("annotation", "returns")]
    parts += [node] if isinstance(node, ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom) else []
    return [part for part in parts if part is not None]


def _changes(node: Any, lines: list[str]) -> Iterator[tuple[int, int, int, str]]:
    joined: list[tuple[Any, Any, Any]] = []
    if isinstance(node, ast.BinOp):
        joined = [(node.left, node.op, node.right)]
    elif isinstance(node, ast.Compare):
        joined = list(zip([node.left, *node.comparators], node.ops, node.comparators, strict=False))
    elif isinstance(node, ast.BoolOp):
        joined = [(a, node.op, b) for a, b in zip(node.values, node.values[1:], strict=False)]
    for left, operator, right in joined:
        old, new = OPERATORS.get(type(operator), ("", ""))
        if old and left.end_lineno == right.lineno:
            at = lines[right.lineno - 1].find(old, left.end_col_offset, right.col_offset)
            if at >= 0:
                yield right.lineno, at, at + len(old), new
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not) and node.lineno == node.operand.lineno:
        yield node.lineno, node.col_offset, node.operand.col_offset, ""
    number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    if number and (node.value == 0 or 1e-5 <= abs(node.value) <= 1e5):
        yield node.lineno, node.col_offset, node.end_col_offset, repr(2 * node.value or type(node.value)(1))
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NEIGHBOUR:
        yield node.lineno, node.col_offset, node.end_col_offset, NEIGHBOUR[node.id]
    if isinstance(node, ast.Attribute) and node.attr in NEIGHBOUR and node.end_lineno == node.lineno:
        yield node.lineno, node.end_col_offset - len(node.attr), node.end_col_offset, NEIGHBOUR[node.attr]


def sample(size: int, seed: int) -> list[Damage]:
    """Return `size` different damages, an area drawn first and then one of its damages, by a seed."""
    every = {area: [one for path in files(area) for one in damages(path)] for area in AREAS}
    draw, chosen = random.Random(seed), dict[str, Damage]()
    while len(chosen) < size:
        one = draw.choice(every[draw.choice(AREAS)])
        chosen.setdefault(f"{one.file}:{one.line}:{one.start}:{one.text}", one)
    return list(chosen.values())


def files(area: str) -> list[Path]:
    """Return the files of an area."""
    path = ROOT / "lindyn" / area
    return [path] if path.suffix else sorted(path.rglob("*.py"))
