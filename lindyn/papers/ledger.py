"""The ledger: every claim of a paper, what decides it, what came out, and its status.

`papers_repro/<paper>/claims.toml` holds the rows; a status is never written there, it follows from what runs:

    proof = "tian.theorem_1"      a statement of `lindyn.proofs`; its proof must go through
    audit = "Theorem 1"           the entry of the audit; a difference from the print makes it "holds with a correction"
    measure = "name"              a function of `lindyn.papers.measurements`; must be at most `expected`
    figure = 4                    a figure of `lindyn reproduce`, where its results are given
    kind = "training"             the studies in papers_repro/<paper>/studies: at the paper's scale they decide it, at a
                                  smaller one the order of rows was "seen", "not seen" or "undecided" there
    (none of them)                not run; `needs` says what it takes
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.papers import prediction_record, study_files
from lindyn.papers.figure_claims import resource_folder

PAPERS = ("tian2021", "grill2020", "richemond2023", "halvagal2023", "bao2023", "normalised", "draganov2025")
KINDS = ("identity", "bound", "simulation", "training")
PROVED, HOLDS, CORRECTED = "proved", "holds (numbers)", "holds with a correction"
FAILS, NOT_RUN = "fails (counter-example)", "not run"
ELSEWHERE = "checked by its figure, not here"
SEEN, NOT_SEEN, UNDECIDED = "seen (small scale)", "not seen (small scale)", "undecided (within the spread)"
STATUSES = (PROVED, HOLDS, CORRECTED, FAILS, SEEN, NOT_SEEN, UNDECIDED, ELSEWHERE, NOT_RUN)


@dataclass(frozen=True, repr=False)
class LedgerRow(Brief):
    """One row of a claims.toml.

    Args:
        id: short name, unique in its paper.
        text: the claim in one sentence.
        source: place in the paper.
        kind: one of `KINDS`.
        proof: statement that proves it.
        audit: entry of the audit that compares it with the print.
        measure: function of `lindyn.papers.measurements` that measures it.
        expected: what the measure may be at most.
        figure: number of the figure whose script decides it.
        printed: the paper's own numbers, never measured ones.
        needs: what it takes to run it.
        test: the test that guards it.
    """

    id: str
    text: str
    source: str
    kind: str
    proof: str = ""
    audit: str = ""
    measure: str = ""
    expected: float | None = None
    figure: int | None = None
    printed: dict[str, Any] = field(default_factory=dict)
    needs: str = ""
    test: str = ""


@dataclass(frozen=True, repr=False)
class MeasuredClaim(Brief):
    """What training runs measured for one printed number; never mixed with it.

    Args:
        name: of the number among the claim's printed ones.
        scale: "paper" or "small": the data and length it was run at.
        value: mean, spread and number of seeds.
        measure: of which: the linear evaluation, shares of one; the effective rank where there was none.
    """

    name: str
    scale: str
    value: study_files.Summary
    measure: str = "linear"

    @classmethod
    def of(cls, row: Mapping[str, Any], scale: str) -> "MeasuredClaim":
        """Return what a row of a study measured."""
        found = {measure: study_files.summary(row, measure) for measure in ("linear", "effective_rank")}
        measure = next((name for name, value in found.items() if value.seeds), "linear")
        return cls(row["name"], scale, found[measure], measure)

    @property
    def text(self) -> str:
        """The number with what it is of."""
        if self.measure == "linear":
            return study_files.percent(self.value)
        return f"effective rank {study_files.plain(self.value, 1)}"


@dataclass(frozen=True, repr=False)
class Judged(Brief):
    """A claim with what came out.

    Args:
        claim: the row.
        status: one of `STATUSES`; of a claim about training, at the scale it was run.
        measured: the evidence in words.
        trained: what training runs measured, if there were any.
        patterns: what became of the order that the printed numbers have.
    """

    claim: LedgerRow
    status: str
    measured: str
    trained: tuple[MeasuredClaim, ...] = ()
    patterns: tuple[study_files.Seen, ...] = ()


def folder(paper: str) -> Path:
    """Return the folder of a paper's claims, beside the package in a clone or inside an installed one.

    Raises:
        ValueError: an unknown paper; the near one is suggested.
        FileNotFoundError: the folder was not installed.
    """
    _checks.one_of("paper", paper, PAPERS)
    return resource_folder("_papers_repro", "papers_repro") / paper


def load(paper: str) -> tuple[LedgerRow, ...]:
    """Return the claims of a paper.

    Args:
        paper: one of `PAPERS`.

    Returns:
        Its rows, in the order of the file.

    Raises:
        ValueError: an unknown paper, or a row with unknown keys, kind, or a repeated id.
    """
    rows = tomllib.loads((folder(paper) / "claims.toml").read_text(encoding="utf-8"))["claim"]
    claims = []
    for row in rows:
        for key in row:
            _checks.one_of(f"key of claim {row.get('id', '?')!r}", key, LedgerRow.__dataclass_fields__)
        claims.append(LedgerRow(**row))
        _checks.one_of(f"kind of claim {claims[-1].id!r}", claims[-1].kind, KINDS)
    ids = [claim.id for claim in claims]
    repeated = sorted({one for one in ids if ids.count(one) > 1})
    if repeated:
        raise ValueError(f"The ids {', '.join(repeated)} of {paper}/claims.toml are repeated; give each claim its own.")
    return tuple(claims)


def _differences() -> dict[str, Any]:
    from lindyn.proofs import audit

    return {found.entry.name: found for found in audit()}


def judge(claim: LedgerRow, figures: Mapping[int, Any] | None = None, paper: str = "") -> Judged:
    """Run what decides a claim and return its status.

    Args:
        claim: a row.
        figures: number -> `FigureResult` of the figures that were run.
        paper: whose claim it is, for the training studies of its folder.

    Returns:
        The claim with its status and the evidence.

    Raises:
        ValueError: it names a proof, an audit entry or a measure that does not exist.
    """
    if claim.kind == "training" and paper:
        return _of_training(claim, paper)
    evidence, status = [], NOT_RUN
    if claim.proof:
        from lindyn.proofs import statement_named

        proof = statement_named(claim.proof).prove()
        status = PROVED if proof.holds else FAILS
        came = "proved" if proof.holds else "with failures"
        limits = f": {proof.limits}" if proof.limits else ""
        evidence.append(f"{claim.proof}: {len(proof.outcomes)} steps {came}, {proof.scope}{limits}")
    if claim.measure:
        from lindyn.papers import measurements
        from lindyn.proofs import small

        function = getattr(measurements, _checks.one_of("measure", claim.measure, measurements.__all__))
        value = float(function())
        if claim.expected is None:
            raise ValueError(f"claim {claim.id!r} measures {claim.measure} without saying what is expected.")
        held = value <= claim.expected
        status = FAILS if not held or status == FAILS else PROVED if status == PROVED else HOLDS
        evidence.append(f"{claim.measure}: {small(value)} (at most {claim.expected:g})")
    if claim.figure is not None and claim.figure in (figures or {}):
        status, words = _of_figure((figures or {})[claim.figure])
        evidence.append(words)
    elif claim.figure is not None and status == NOT_RUN:
        status = ELSEWHERE
        evidence.append(f"`lindyn reproduce {paper or 'PAPER'} --figure {claim.figure}` runs and checks it")
    if claim.audit:
        found = _differences()[_checks.one_of("audit entry", claim.audit, _differences())]
        status = _after_audit(status, found.kind)
        if found.kind != "agrees":
            evidence.append(
                f"printed ({found.entry.text}): {found.entry.printed}. {found.kind}; corrected: "
                f"{found.entry.corrected}. {found.counter_example}"
            )
    return Judged(claim, status, ". ".join(evidence) or (f"needs {claim.needs}" if claim.needs else ""))


def _of_training(claim: LedgerRow, paper: str) -> Judged:
    """Return a claim with what the committed studies measured for it, and the status of its printed pattern."""
    trained, seen, scales = [], [], []
    others = {key: row for other in PAPERS for key, row in study_files.others(folder(other) / "studies").items()}
    for study in study_files.committed(folder(paper)):
        mine = study_files.rows(study, claim.id)
        trained += [MeasuredClaim.of(row, study["scale"]) for row in mine]
        if mine:
            scales.append(study["scale"])
            patterns = [*study_files.patterns(study, others), *prediction_record.seen(study)]
            seen += [one for one in patterns if one.claim in ("", claim.id)]
    if not trained:
        return Judged(claim, NOT_RUN, f"needs {claim.needs}" if claim.needs else "")
    words = [
        f"{one.verdict}: {one.text} ({one.numbers})" if one.numbers else f"{one.verdict}: {one.text}" for one in seen
    ]
    where = f"at scale {', '.join(dict.fromkeys(scales))}"
    told = f"{where}: " + ("; ".join(words) or "no order of rows is claimed")
    return Judged(claim, _training_status(seen, scales), told, tuple(trained), tuple(seen))


def _training_status(seen: list[study_files.Seen], scales: list[str]) -> str:
    """Return the status of a claim that was trained: only a run at the paper's scale can say that it holds or fails."""
    whole = "paper" in scales
    verdicts = {one.verdict for one in seen} - {"not run"}
    if "not seen" in verdicts:
        return FAILS if whole else NOT_SEEN
    if verdicts == {"seen"}:
        return HOLDS if whole else SEEN
    return UNDECIDED if verdicts else NOT_RUN


def _of_figure(result: Any) -> tuple[str, str]:
    """Return status and evidence of a figure that was run: all its claims as expected, or not."""
    if result.error:
        return NOT_RUN, f"it did not run: {result.error}"
    wrong = [claim.text for claim in result.claims if not claim.as_expected]
    corrected = [claim.instead for claim in result.claims if claim.fails_as_printed]
    if wrong:
        return FAILS, "not as expected: " + "; ".join(wrong)
    words = f"{len(result.claims)} claims of its caption checked"
    return (CORRECTED, f"{words}; corrected: {'; '.join(corrected)}") if corrected else (HOLDS, words)


def _after_audit(status: str, kind: str) -> str:
    if kind in ("misprint", "undecided"):
        return FAILS
    if kind in ("agrees", "not sharp", "reading of ours"):
        return status if status != NOT_RUN else PROVED
    return status if status == FAILS else CORRECTED
