"""A study: the rows of a table trained with several seeds and measured; what is finished is not run again."""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lindyn
from lindyn import _files
from lindyn.bridge import sections
from lindyn.bridge.run import training_theory
from lindyn.bridge.studies import run_prediction
from lindyn.bridge.studies.run_measures import measures_of
from lindyn.bridge.studies.table_presets import StudyRow, Table
from lindyn.bridge.training.callbacks import LossError
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import open_source
from lindyn.bridge.training.run_folder import CHECKPOINTS, Run, newest_sound
from lindyn.display.brief import Brief
from lindyn.papers import study_files
from lindyn.stored import limits, sums

RUNS, MEASURED, THEORY = "runs", "measured.json", "theory.json"
MOST_SEEDS = 8  # seeds that are looked for among finished runs, whatever is asked now


@dataclass(frozen=True, repr=False)
class Job(Brief):
    """One run: a row with a seed.

    Args:
        row: the row.
        seed: of the run.
        config: its configuration.
    """

    row: StudyRow
    seed: int
    config: TrainConfig

    @property
    def key(self) -> str:
        """Name of the run's folder: equal configurations are one run, whatever table asks for them."""
        text = json.dumps(deciding(self.config), sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def deciding(config: TrainConfig) -> dict[str, Any]:
    """Return the keys that decide a run's result, with their values."""
    known = sections.TABLE.keys
    return {name: value for name, value in config.flat().items() if not known[name].free}


@dataclass(repr=False)
class Study(Brief):
    """The rows of one table at one scale, and the file their results go into.

    Args:
        table: the table.
        scale: "paper", "small" or "smoke".
        rows: those to run.
        seeds: number of seeds, 0, 1, ...
        out: folder of the study files; runs are in its folder `runs`.
        changes: further keys for all rows.
    """

    table: Table
    scale: str
    rows: tuple[StudyRow, ...]
    seeds: int
    out: Path
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The study file."""
        return self.out / f"{self.table.paper}-{self.table.name}-{self.scale}.json"

    def jobs(self) -> list[Job]:
        """Return its runs, all rows with the first seed before any with the second."""
        return [Job(row, seed, row.config(self.scale, run__seed=seed, **self.changes))
                for seed in range(self.seeds) for row in self.rows]  # fmt: skip

    def check(self) -> None:
        """Raise ValueError if the study file holds runs of another configuration."""
        if not self.path.is_file():
            return
        file = study_files.read(self.path)
        old = {row["id"]: {**file["protocol"], **row["config"]} for row in file["rows"] if row["runs"]}
        for row in self.rows:
            mine = _plain(deciding(row.config(self.scale, run__seed=0, **self.changes)))
            younger = {k: value for k, value in _plain(sections.TABLE.defaults).items() if k in mine}
            theirs = {**younger, **old.get(row.id, mine)}  # a key that is younger than the file had its default then
            found = {k: (theirs.get(k), mine.get(k)) for k in {*mine, *theirs} if mine.get(k) != theirs.get(k)}
            if found:
                shown = "; ".join(f"{k}: {there!r} in the file, {here!r} now" for k, (there, here) in found.items())
                raise ValueError(
                    f"{self.path} holds runs of another configuration (row {row.id}: {shown}). Choose another --out, "
                    "or remove the file."
                )

    def content(self) -> dict[str, Any]:
        """Return the study as its file holds it, with every run that is finished."""
        table = self.table
        rows = [self._row(row) for row in table.at(self.scale)]
        protocol, own = study_files.split_configuration([row["config"] for row in rows])
        return {
            study_files.KEY: study_files.SCHEMA,
            "lindyn": lindyn.__version__,
            "paper": table.paper,
            "table": table.name,
            "title": table.title,
            "source": table.source,
            "scale": self.scale,
            "printed_measure": table.measure,
            "chosen": list(table.chosen),
            "measures": study_files.MEASURES,
            "patterns": list(table.patterns),
            "curves": list(table.curves),
            "protocol": protocol,
            "rows": [{**row, "config": config} for row, config in zip(rows, own, strict=True)],
        }

    def _row(self, row: StudyRow) -> dict[str, Any]:
        config = row.config(self.scale, run__seed=0, **self.changes)
        seeds = range(max(self.seeds, MOST_SEEDS))
        jobs = [Job(row, seed, config.changed({"run.seed": seed})) for seed in seeds]
        found = [measured(self.out, job) for job in jobs]
        return {
            "id": row.id,
            "claim": row.claim,
            "name": row.name,
            "text": row.text,
            "printed": row.printed,
            "printed_spread": row.spread,
            "config": _plain(deciding(config)),
            "runs": [one for one in found if one is not None],
        }

    def write(self) -> None:
        """Write the study file beside its place and move it there."""
        _files.write_json(self.path, self.content())


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(values, default=list))


def measured(out: Path, job: Job) -> dict[str, Any] | None:
    """Return what a finished run measured, with the theory's prediction; None if it is not finished."""
    found = _read(out / RUNS / job.key / MEASURED)
    if found is None:
        return None
    return {"seed": job.seed, "run": job.key, **found, "theory": _read(out / RUNS / job.key / THEORY) or {}}


def _finished(out: Path, job: Job) -> bool:
    found = measured(out, job)
    return found is not None and found["theory"].get("method") == training_theory.METHOD


def _read(path: Path) -> Any:
    """Return what a finished run wrote; None where it has not, or where it is not what was written any more."""
    return limits.read_json(path) if path.is_file() and sums.is_sound(path) is not False else None


def run_all(
    plans: list[Study], workers: int = 1, told: Callable[[Job, dict[str, Any], int, int], None] | None = None
) -> None:
    """Run what is not finished of several studies, write each study file after every run.

    Args:
        plans: the studies, all with the same `out`.
        workers: processes; each takes run after run.
        told: called after every run with (job, what it measured, number done, number of all).

    Raises:
        ValueError: a study file of another configuration, or data that are not there.
        OSError: nothing can be written.
        TrainingStopped: a run was interrupted; the same command goes on.
    """
    for plan in plans:
        plan.check()
        if plan.scale == "paper":
            _need_data(plan)
    jobs = _in_turn(plans)
    for plan in plans:
        plan.write()
    waiting = [job for job in jobs if not _finished(plans[0].out, job)]
    done = len(jobs) - len(waiting)
    for job, found in _results(plans[0].out, waiting, workers):
        done += 1
        for plan in plans:
            plan.write()
        if told is not None:
            told(job, found, done, len(jobs))


def _in_turn(plans: list[Study]) -> list[Job]:
    """Return the runs of all studies, each once, by seed."""
    jobs = {job.key: job for job in sorted((j for plan in plans for j in plan.jobs()), key=lambda j: j.seed)}
    return list(jobs.values())


def _need_data(plan: Study) -> None:
    """Raise ValueError, with the expected layout, if the data of a study are not there."""
    seen = set()
    for job in plan.jobs():
        if job.config.data not in seen:
            seen.add(job.config.data)
            open_source(job.config)


def _results(out: Path, jobs: list[Job], workers: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, execute(out, job)
        return
    kept = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    os.environ.update(dict.fromkeys(kept, "1"))
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            waiting = {pool.submit(execute, out, job): job for job in jobs}
            try:
                for future in as_completed(waiting):
                    yield waiting[future], future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def execute(out: Path, job: Job) -> dict[str, Any]:
    """Train one job to its end (going on from a checkpoint, if there is one), measure, predict, and write both.

    A loss that is no number is a result: it is written as `error`. A run that is measured is not trained again; its
    prediction is made again if the way of predicting has changed.
    """
    folder = out / RUNS / job.key
    config = job.config.changed({"run.folder": str(folder)})
    found = _read(folder / MEASURED)
    if found is None:
        found = _predicted_and_trained(config, folder) if job.row.predict else _trained(config, folder)
        _files.write_json(folder / MEASURED, found, summed=True)
    predicted = {"method": training_theory.METHOD, **_theory_of(Run(folder, config))}
    _files.write_json(folder / THEORY, predicted, summed=True)
    return {**found, "theory": predicted}


def _predicted_and_trained(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """Predict, then train; what came of the prediction stands with what was measured."""
    digest = run_prediction.predict_first(config, folder)
    found = _trained(config, folder)
    return found if "error" in found else {**found, "prediction": run_prediction.outcome(Run(folder, config), digest)}


def _trained(config: TrainConfig, folder: Path) -> dict[str, Any]:
    from lindyn.bridge.training.trainer import train

    try:
        begun = newest_sound(folder / CHECKPOINTS)[0]
    except ValueError:  # none is whole: from the start
        begun = None
    try:
        return measures_of(train(config, resume=begun is not None, overwrite=begun is None))
    except LossError as error:
        return {"error": str(error).split(";")[0], "linear": None, "knn": None}


def _theory_of(run: Run) -> dict[str, str | float]:
    """Return the linear theory's verdict from the untrained network (`training_theory.prediction`)."""
    module, source = run.module(0), open_source(run.config)
    try:
        return training_theory.prediction(run.config, module, source)
    except (ValueError, ArithmeticError) as error:
        return {"verdict": "none", "reason": str(error)}
