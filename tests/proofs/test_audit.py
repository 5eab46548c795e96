"""The audit of the print and the theorem x assumption table."""

import functools

import pytest

from lindyn import proofs
from lindyn.proofs import Printed, printed, theorem_table
from lindyn.proofs.letters import p, s
from lindyn.proofs.printed import compare
from lindyn.proofs.steps import ScalarIdentity


@functools.cache
def audit():
    return {found.entry.name: found for found in proofs.audit()}


@functools.cache
def table():
    return {(cell.row, cell.column): cell for cell in proofs.table()}


def test_every_difference_has_a_correction_that_is_proved_and_numbers():
    for found in audit().values():
        assert found.kind in printed.KINDS and found.kind != "undecided", found
        if found.kind != "agrees":
            assert found.entry.corrected and found.counter_example, found.entry.name


KNOWN = {
    "Lemma 1": "agrees",
    "Theorem 1": "reading of ours",
    "No predictor": "missing condition",
    "Eqs. 8-9": "agrees",
    "Eq. 9, unequal decays": "reading of ours",
    "Theorem 3, bound": "not sharp",
    "Eq. 15": "reading of ours",
    "Fixed points": "reading of ours",
    "Stability at the edge": "missing condition",
    "Eq. 17, 'iff'": "not necessary",
    "Obs. #6": "other assumptions",
    "Obs. #7": "other assumptions",
    "Obs. #8": "missing condition",
    "Multiplicative scrambling": "missing condition",
    "Scrambled subspace, rest": "not sharp",
    "Eq. 14, constant": "misprint",
    "Eq. 14, parabolas": "misprint",
    "Fig. 4, caption": "misprint",
    "Lemma 1, appendix": "missing condition",
    "Theorem 1, appendix": "missing condition",
    "Theorem 2, appendix": "missing condition",
    "No predictor, order": "misprint",
    "Theorem 3, appendix": "misprint",
    "Start of the target": "other assumptions",
    "Collapsed point, tau": "missing condition",
    "DirectPred, 77.38 %": "misprint",
    "Appendix D.1, sufficient": "not sharp",
    "Assumption 1": "reading of ours",
    "BYOL's loss": "agrees",
    "Visser's iteration": "missing condition",
    "Stiefel predictor, side": "other assumptions",
    "DirectPred, Eq. 18": "missing condition",
    "BYOL's optimal predictor": "missing condition",
    "BYOL's optimal predictor, side": "reading of ours",
    "Expected conditional variance": "agrees",
    "Conditioning lowers variance": "missing condition",
    "tau_base as beta": "reading of ours",
    "Fast predictor": "reading of ours",
}


@pytest.mark.parametrize("name", KNOWN)
def test_kind_of_difference(name):
    assert audit()[name].kind == KNOWN[name]


def test_the_kind_follows_from_what_runs():
    true, false = (lambda: [ScalarIdentity("", p, p)]), (lambda: [ScalarIdentity("p = s", p, s)])
    entry = functools.partial(Printed, "n", "s", "p")
    assert compare(entry(true)).kind == "agrees"
    assert compare(entry(false)).kind == "misprint"
    assert "against" in compare(entry(false)).counter_example
    assert compare(entry(false, with_condition=true)).kind == "missing condition"
    assert compare(entry(true, elsewhere=false)).kind == "other assumptions"
    assert compare(entry(true, weaker=true)).kind == "not sharp"
    assert compare(entry(true, correct=false)).kind == "undecided"
    assert compare(entry(true, elsewhere=false, reading=True)).kind == "reading of ours"
    assert compare(entry(true, reading=True)).kind == "agrees"


def test_what_was_not_read_in_the_text_says_so():
    """Richemond's text and the released code were not read: the audit compares our transcription of them."""
    texts = {found.entry.name: found.entry.text for found in audit().values()}
    assert set(texts.values()) == {printed.READ, printed.TRANSCRIBED}
    assert texts["Theorem 3, appendix"] == texts["Conditioning lowers variance"] == printed.READ
    assert texts["DirectPred, Eq. 18"] == texts["Visser's iteration"] == printed.TRANSCRIBED


def test_table_is_complete_and_every_failing_cell_has_numbers():
    assert len(table()) == len(proofs.THEOREMS) * len(theorem_table.COLUMNS)
    for cell in table().values():
        assert cell.verdict in ("holds", "fails", "n/a") and cell.evidence
        assert cell.verdict != "fails" or any(letter.isdigit() for letter in cell.evidence)


@pytest.mark.parametrize(
    ("row", "column", "verdict"),
    [
        ("Theorem 1 (balancing)", "full flow", "holds"),
        ("Theorem 1 (balancing)", "1+2+3", "fails"),
        ("trace of the balance", "1+2+3", "holds"),
        ("Theorem 2 (dW = -HW)", "target ema", "n/a"),
        ("Theorem 2 (certain decay)", "eta = 0", "fails"),
        ("Theorem 3 (printed 3 eta/2)", "eta_p != eta_s", "fails"),
        ("Theorem 3 (eta_s + eta_p/2)", "eta_p != eta_s", "holds"),
        ("Theorem 3 (eta_s + eta_p/2)", "1+2", "fails"),
        ("Eq. 14 (integral)", "eta_p != eta_s", "fails"),
        ("collapse above critical", "target frozen", "fails"),
        ("collapse above critical", "eta = 0", "n/a"),
        ("Appendix D fixed points", "eta = 0", "holds"),
        ("Eq. 17 (formula)", "1+2+3", "holds"),
        ("Eq. 17 (formula)", "eta_p != eta_s", "fails"),
        ("Eq. 17 (if: it aligns)", "1+2+3", "holds"),
        ("Eq. 17 (only if)", "1+2+3", "fails"),
        ("Eq. 17 by pairs (iff k_i + k_j > 0)", "eta_p != eta_s", "holds"),
        ("p_- rises with eta (Obs. #4)", "eta = 0", "holds"),
        ("p_- falls with tau (Obs. #10)", "eta = 0", "fails"),
        ("Obs. #6 (at a given state)", "1+2+3", "holds"),
        ("Obs. #6 (at the living point)", "1+2+3", "fails"),
        ("Obs. #7 (at the living point)", "eta_p != eta_s", "fails"),
        ("scrambling: W_p W = W P rests", "1+2", "n/a"),
        ("Theorem 1 (balancing)", "loss = cosine", "holds"),
        ("Theorem 1 (balancing)", "BatchNorm", "fails"),
        ("Theorem 1 (balancing)", "depth L", "fails"),
        ("Theorem 1 (W_L in place of W)", "depth L", "holds"),
        ("Theorem 2 (certain decay)", "loss = cosine", "fails"),
        ("Theorem 2 (certain decay)", "depth L", "fails"),
        ("closure on (W_p, F)", "loss = cosine", "holds"),
        ("Theorem 3 (eta_s + eta_p/2)", "loss = cosine", "fails"),
        ("Theorem 3 (kappa of the loss in K)", "loss = cosine", "holds"),
        ("Theorem 3 (kappa of the loss in K)", "1+2+3", "holds"),
        ("aligned stays aligned", "loss = cosine", "holds"),
        ("aligned stays aligned", "BatchNorm", "fails"),
        ("Eq. 14 (integral)", "loss = cosine", "holds"),
        ("Eq. 16 (parabola)", "loss = cosine", "fails"),
        ("collapse above critical", "loss = cosine", "n/a"),
        ("collapse above critical", "depth L", "fails"),
        ("Appendix D fixed points", "BatchNorm", "holds"),
        ("Appendix D fixed points", "depth L", "holds"),
    ],
)
def test_cells(row, column, verdict):
    assert table()[row, column].verdict == verdict, table()[row, column].evidence


def test_a_gap_in_the_machinery_is_not_passed_over():
    class Stuck:
        text = "stuck"

        def run(self):
            return type("Outcome", (), {"passed": False})()

    with pytest.raises(RuntimeError, match="neither proved nor refuted"):
        theorem_table.decide(theorem_table.Theorem("t", lambda setting: [Stuck()]), "full flow", {})


def test_prints():
    text = proofs.audit_text(tuple(audit().values()))
    assert "printed:" in text and "Agree with the derivation, read (" in text
    assert "Agree with the derivation, as transcribed (" in text
    cells = tuple(table().values())
    assert (
        "Where it fails:" in proofs.table_text(cells)
        and proofs.table_markdown(cells).count("\n") == len(proofs.THEOREMS) + 1
    )


@pytest.mark.parametrize("network", [{"loss": "cosine"}, {"normalise": "batchnorm"}, {"layers": 2}])
@pytest.mark.parametrize("stop_gradient", [True, False])
def test_the_networks_of_the_table_move_as_the_flows_do(network, stop_gradient):
    """The rates in letters, at a drawn state with kappa, 1/D and the row products that follow, against the flow."""
    import numpy as np

    import lindyn as ld
    from lindyn.proofs import letters, network_rates
    from lindyn.proofs.algebra import Algebra, evaluate, expand

    drawn = network_rates.Network(**network)
    layers = (network_rates.W_2, network_rates.W_1) if drawn.layers == 2 else (letters.W,)
    online = Algebra(rules=((letters.W_a, drawn.W),))
    assumed = letters.MOMENTS_SYMMETRIC + online + drawn.drawn(stop_gradient)
    symbols = [*layers, letters.W_p, letters.W_a, letters.X, letters.X_aug]
    rates = drawn.weight_rates(letters.eta_p, letters.eta_s, "online", stop_gradient)
    free = {letters.alpha_p, letters.eta_p, letters.eta_s, letters.beta}
    m, n = assumed.sample(symbols, free, np.random.default_rng(3))
    hp = ld.Hyperparameters(n[letters.alpha_p], 0.3, eta_p=n[letters.eta_p], eta_s=n[letters.eta_s])
    choices = {key: value for key, value in network.items() if key != "layers"}
    flow = ld.DeepFlow(hp, ld.Moments(m["X"], m["X'"]), target="online", stop_gradient=stop_gradient, **choices)
    Ws = tuple(m[letter.name] for letter in reversed(layers))
    rate = flow(0.0, ld.DeepWeightState(Ws, m["W_p"], Ws))
    for letter, moved in zip((*reversed(layers), letters.W_p), (*rate.Ws, rate.W_p), strict=True):
        value, size = evaluate(expand(rates[letter]), m, n, len(moved))
        assert np.max(np.abs(value - moved)) < 1e-12 * size, letter
