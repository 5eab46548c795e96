"""Every statement is proved; every damaged version of it is rejected; every identity holds in numbers."""

import pytest

from lindyn.proofs import STATEMENTS, as_latex, as_text, prove, rejections, statement_named
from lindyn.proofs.statement import WIDEST, _width, displayed
from lindyn.proofs.steps import NUMERIC, Identity

NAMES = [statement.name for statement in STATEMENTS]


@pytest.mark.parametrize("name", NAMES)
def test_statement_is_proved(name):
    (proof,) = prove(name)
    assert proof.holds, as_text(proof)
    assert proof.seconds > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_damaged_version_is_rejected(name):
    proofs = rejections(statement_named(name))
    assert len(proofs) >= 2
    assert [proof.damage.text for proof in proofs if proof.holds] == []
    for proof in proofs:
        assert all(outcome.remainder != "0" or (outcome.numeric or 0) > NUMERIC for outcome in proof.failed)


@pytest.mark.parametrize("name", NAMES)
def test_identities_hold_at_several_random_states(name):
    identities = [step for step in statement_named(name).steps() if isinstance(step, Identity) and step.numeric]
    for step in identities:
        assert max(step.residual(seed) for seed in range(3)) <= 1e-10, step.text


def test_names_are_unique_and_sources_given():
    assert len(set(NAMES)) == len(NAMES)
    assert all(statement.source and statement.text.endswith(".") for statement in STATEMENTS)


def test_unknown_name_suggests_the_near_one():
    with pytest.raises(ValueError, match=r"Did you mean 'tian.theorem_1'\?"):
        prove("tian.theorm_1")


def test_renders_to_text_and_latex():
    statement = statement_named("tian.theorem_1")
    text = as_text(statement.prove())
    assert text.startswith("proved") and "1. d/dt of the balance" in text and "Eq. 5" in text
    latex = as_latex(statement)
    assert r"\frac{d}{dt}\left[" in latex and r"\begin{gather*}" in latex and r"tian.theorem\_1" in latex
    broken = as_text(statement.prove(statement.damages[0]))
    assert broken.startswith("NOT PROVED") and "left over:" in broken and "damaged on purpose" in broken


@pytest.mark.parametrize("name", NAMES)
def test_latex_displays_keep_their_braces_paired(name):
    for step in statement_named(name).steps():
        shown = displayed(step.latex())
        for line in shown.split("\n")[1:-1]:
            assert line.count("{") - line.count(r"\{") == line.count("}") - line.count(r"\}"), line
            assert line.count(r"\left") - line.count(r"\leftarrow") == line.count(r"\right") - line.count(
                r"\rightarrow"
            )


def test_a_long_formula_is_broken_before_signs_only():
    shown = displayed(" + ".join(r"\frac{a_{1}}{b}" for _ in range(120)) + " = c")
    lines = list(shown.split("\n")[1:-1])
    assert len(lines) > 1 and all(_width(line) < 1.3 * WIDEST for line in lines)
    assert all(line.startswith(r"\fitted{{} +") for line in lines[1:])
    assert displayed("a + - b = c").count("a - b = c") == 1
