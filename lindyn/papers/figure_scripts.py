"""Figure scripts: where they lie, how one is loaded, run and written, and how all of a paper are, over a few processes.

A script is named <paper>_fig<NN>.py and has `compute(**parameters) -> data`, `check(data) -> claims` and
`draw(data) -> Figure`. `data` is a flat dict of arrays plus "parameters"; what `draw` and `check` use is all in it,
so that the numbers file alone gives the picture and the verdict again. The figure writes itself (`write`): its style is
the script's own affair.
"""

import argparse
import dataclasses
import importlib.util
import io
import json
import multiprocessing
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import lindyn
from lindyn import _checks, _files
from lindyn.papers.figure_claims import Claim, FigureResult, expected, report, resource_folder
from lindyn.stored import archives

TICK = 0.2  # seconds between two calls of `watch`
Watch = Callable[[list[int], list[FigureResult]], None]
Step = tuple[list[int], list[FigureResult]]  # the figures that are running, the results since the last step
_NAME = re.compile(r"(?P<paper>\w+)_fig(?P<number>\d+)$")


def papers() -> dict[str, dict[int, Path]]:
    """Return the figure scripts that are there: paper -> figure number -> path."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(resource_folder("_figures", "figures").glob("*_fig*.py")):
        name = _NAME.match(path.stem)
        if name:
            found.setdefault(name["paper"], {})[int(name["number"])] = path
    return found


def find(paper: str, figure: int | None = None) -> dict[int, Path]:
    """Return the scripts of a paper, or the one asked for, by figure number.

    Raises:
        ValueError: an unknown paper or figure; the message says what there is and suggests the near one.
    """
    known = papers()
    scripts = known[_checks.one_of("paper", paper, known)]
    if figure is None:
        return scripts
    if figure not in scripts:
        near = min(scripts, key=lambda number: abs(number - figure))
        listed = ", ".join(map(str, scripts))
        raise ValueError(f"figure must be one of {listed} for {paper}; got {figure}. Did you mean {near}?")
    return {figure: scripts[figure]}


def load(path: Path) -> ModuleType:
    """Import a script by its path, under a name that a worker process can use too."""
    spec = importlib.util.spec_from_file_location(f"lindyn_figures_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"Cannot load the figure script {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_figure(path: Path, out: Path, **parameters: Any) -> FigureResult:
    """Run one script: compute, check, write the numbers, and, where the claims came out as expected, the picture.

    Args:
        path: of the script.
        out: folder for its files, which exists.
        **parameters: handed to its `compute`; default the published figure.

    Returns:
        The result; an exception inside the script becomes its `error`.

    Raises:
        OSError: a file cannot be written.
        ValueError: the file is not named like a figure script.
    """
    name = _NAME.match(path.stem)
    if name is None:
        raise ValueError(f"A figure script is named <paper>_fig<NN>.py; got {path.name}.")
    paper, number, start = name["paper"], int(name["number"]), time.perf_counter()
    claims: list[Claim] = []
    figure = None
    try:
        script = load(path)
        data = script.compute(**parameters)
        claims = script.check(data)
        if all(claim.as_expected for claim in claims):
            figure = script.draw(data)
    except Exception as error:  # one broken figure must not lose the others
        words = f"{type(error).__name__}: {error}"
        return FigureResult(
            paper, number, claims, [], time.perf_counter() - start, " ".join(words.split()), traceback.format_exc()
        )
    files = _write(data, claims, figure, out, path.stem)
    return FigureResult(paper, number, claims, files, time.perf_counter() - start)


def _write(data: dict[str, Any], claims: list[Claim], figure: Any, out: Path, stem: str) -> list[Path]:
    """Write numbers, claims and picture; each file appears whole or not at all."""
    paper, number = stem.split("_fig")
    entry = expected(paper)["figure"][str(int(number))]
    report = {
        "figure": entry["title"],
        "lindyn": lindyn.__version__,
        "parameters": data["parameters"],
        "not printed in the paper, chosen here": entry.get("chosen", {}),
        "claims": [dataclasses.asdict(claim) | {"verdict": claim.verdict} for claim in claims],
    }
    numbers = io.BytesIO()
    arrays: dict[str, Any] = {key: _stored(value) for key, value in data.items()}
    np.savez_compressed(numbers, **arrays)
    contents = {".npz": numbers.getvalue(), ".json": json.dumps(report, indent=1, default=_plain).encode()}
    from lindyn.outputs import picture_style  # loads matplotlib, which a list of figures does without

    pictures = tuple(dict.fromkeys([".png", ".pdf", *(f".{ending}" for ending in picture_style.endings())]))
    if figure is not None:
        contents |= {ending: _rendered(figure, ending) for ending in pictures}
    gone = () if figure is not None else [f"{stem}{ending}" for ending in pictures]  # of an earlier run: they mislead
    with _files.together(out, gone, f"the files of {stem}") as fresh:
        for ending, content in contents.items():
            _files.write(fresh / f"{stem}{ending}", content)
    return [out / f"{stem}{ending}" for ending in contents]


def _rendered(figure: Any, ending: str) -> bytes:
    """Return the bytes of a picture; a figure that knows no style of its own is saved as matplotlib does."""
    picture = io.BytesIO()
    if hasattr(figure, "write"):
        figure.write(picture, ending[1:])
    else:
        from lindyn.outputs import picture_style

        with picture_style.settings():
            figure.savefig(picture, format=ending[1:])
    return picture.getvalue()


def _stored(value: Any) -> np.ndarray:
    return np.array(json.dumps(value, default=_plain)) if isinstance(value, dict) else np.asarray(value)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def load_numbers(path: Path) -> dict[str, Any]:
    """Return the data of a figure from its .npz file, as `compute` gave it."""
    data: dict[str, Any] = dict(archives.arrays(path))
    data["parameters"] = json.loads(str(data["parameters"]))
    return data


def main(script: str, argv: Sequence[str] | None = None) -> int:
    """Run one figure script from the command line: `python figures/tian2021_fig03.py [--out DIR]`.

    Args:
        script: the script's `__file__`.
        argv: its arguments, default those of the process.

    Returns:
        0 where every claim came out as expected, 1 otherwise, 2 where nothing could be written.
    """
    path = Path(script).resolve()
    parser = argparse.ArgumentParser(description=f"Draw and check {path.stem}.")
    parser.add_argument("--out", type=Path, default=Path("lindyn-out") / path.stem.split("_")[0], metavar="DIR")
    try:
        result = run_figure(path, _files.writable_folder(parser.parse_args(argv).out))
    except OSError as error:
        print(f"lindyn: error: {error}", file=sys.stderr)
        return 2
    print(report([result]))
    return 0 if result.as_expected else 1


def cost(paper: str, figures: Iterable[int]) -> float:
    """Return the seconds that figures of a paper take on one core, about."""
    told = expected(paper)["figure"]
    return float(sum(told[str(number)].get("cost", 0) for number in figures))


def reproduce(
    paper: str = "tian2021",
    figure: int | None = None,
    out: Path | str = "lindyn-out",
    workers: int = 1,
    watch: Watch | None = None,
) -> list[FigureResult]:
    """Draw and check the figures of a paper.

    Args:
        paper: e.g. "tian2021".
        figure: its number; default every figure there is a script for.
        out: folder for pictures, numbers and claims; made if it is not there.
        workers: processes, >= 1. With more than one, call this under `if __name__ == "__main__":`.
        watch: called now and then with the figures that are running and the results so far.

    Returns:
        One result per figure, in the figures' order; a figure that broke has its `error` set.

    Raises:
        ValueError: an unknown paper or figure.
        OSError: `out` cannot be written to.
    """
    scripts = find(paper, figure)
    folder = _files.writable_folder(out)
    order = sorted(scripts, key=lambda number: -cost(paper, [number]))  # the long ones first, so that the end is even
    results: list[FigureResult] = []
    steps = _serial if workers == 1 or len(order) == 1 else _parallel
    for running, done in steps({number: scripts[number] for number in order}, folder, workers):
        results += done
        if watch is not None:
            watch(running, results)
    return sorted(results, key=lambda result: result.number)


def _serial(scripts: dict[int, Path], out: Path, workers: int) -> Iterator[Step]:
    numbers = list(scripts)
    for k, number in enumerate(numbers):
        yield [number], []
        yield numbers[k + 1 : k + 2], [run_figure(scripts[number], out)]


def _parallel(scripts: dict[int, Path], out: Path, workers: int) -> Iterator[Step]:
    context = multiprocessing.get_context("spawn")  # JAX does not survive a fork
    pool = ProcessPoolExecutor(min(workers, len(scripts)), mp_context=context, initializer=_quiet)
    try:
        pending: dict[Future, int] = {pool.submit(run_figure, path, out): number for number, path in scripts.items()}
        while pending:
            finished, _ = wait(pending, timeout=TICK, return_when=FIRST_COMPLETED)
            done = [_result(future, scripts[pending.pop(future)]) for future in finished]
            yield list(pending.values())[:workers], done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future, path: Path) -> FigureResult:
    """Return a finished figure; where the worker process itself died, a result that says so."""
    try:
        return future.result()
    except BrokenProcessPool:
        paper, number = path.stem.split("_fig")
        return FigureResult(paper, int(number), error="its worker process was ended from outside (out of memory?)")


def _quiet() -> None:
    """Let Ctrl-C end a worker at once and without a traceback; the parent says what happened.

    Where the parent ignores the signal (a job in the background of a script), so do the workers.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
