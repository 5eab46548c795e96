"""Presets: every row of every table is a configuration that can run, and says what the papers print."""

import re
import shutil

import pytest

from lindyn import papers
from lindyn.bridge.studies import table_presets
from lindyn.bridge.training import predictor

TABLES = [(paper, name) for paper in papers.PAPERS for name in table_presets.tables(paper)]
ROWS = list(table_presets.every_row())

# Typed from the papers' tables a second time, apart from the presets and the ledger.
PRINTED = {
    ("tian2021", "table1", "table-1-ema/N=1"): (40.67, None),
    ("tian2021", "table1", "table-1-no-ema/N=5"): (32.22, None),
    ("tian2021", "table2", "table-2/EMA no bias"): (70.62, 1.05),
    ("tian2021", "table2", "table-2/no EMA bias"): (71.37, None),
    ("tian2021", "table3", "table-3-linear/EMA sym"): (75.09, 0.48),
    ("tian2021", "table3", "table-3-linear/no EMA sym"): (36.62, 1.85),
    ("tian2021", "table3", "table-3-linear/no EMA regular"): (72.85, 0.16),
    ("tian2021", "table3", "table-3-two-layer/EMA regular"): (78.85, None),
    ("tian2021", "table3", "table-3-two-layer/no EMA sym"): (35.59, None),
    ("tian2021", "table5", "table-5-predictor/no EMA sym"): (71.12, None),
    ("tian2021", "table5", "table-5-none/no EMA sym"): (43.04, None),
    ("tian2021", "table6", "table-6-rho-0.3/0.1"): (77.86, None),
    ("tian2021", "table6", "table-6-rho-0.5/0.5"): (75.22, None),
    ("tian2021", "table7", "table-7-freq-1/0.1"): (46.57, None),
    ("tian2021", "table7", "table-7-freq-2/-0.05"): (76.83, None),
    ("tian2021", "table8", "table-8-stl10-freq5/500"): (80.28, None),
    ("tian2021", "table8", "table-8-cifar-sgd/300"): (88.57, None),
    ("tian2021", "table9", "table-9-directpred/60 epochs"): (64.4, None),
    ("tian2021", "table9", "table-9-linear/300 epochs"): (69.9, None),
    ("grill2020", "table5a", "table-5a/1"): (18.8, None),
    ("grill2020", "table5a", "table-5a/0.9"): (68.4, None),
    ("grill2020", "table5b", "table-5b/no/yes/0"): (0.2, None),
    ("grill2020", "table21", "table-21/0"): (0.01, None),
    ("grill2020", "table22", "table-22-mu-1.5/2"): (55.2, None),
    ("grill2020", "table22", "table-22-mu-10/10"): (8.3, None),
    ("grill2020", "appendix_i", "optimal-predictor-training/Top-1"): (52.5, None),
    ("richemond2023", "table100", "imagenet-100-DirectCopy/ridge 0"): (20.9, None),
    ("richemond2023", "table100", "imagenet-100-NS^2(7)/ridge .9"): (68.8, None),
    ("richemond2023", "table300", "imagenet-300-NE/ridge .15"): (71.8, None),
    ("richemond2023", "table300", "imagenet-300-trainable/Top-1"): (71.5, None),
}
NUMBER = re.compile(r"([\d.]+)(?: \+- ([\d.]+))?(?:/([\d.]+))?$")


@pytest.mark.parametrize(("paper", "name"), TABLES)
def test_every_row_is_a_configuration_whose_predictor_can_be_built(paper, name):
    for row in table_presets.table(paper, name).rows:
        for scale in ("paper",) if row.only else table_presets.SCALES:
            config = row.config(scale)
            built = predictor(config, min(config.model.dim, 16))
            assert (config.model.predictor == "identity") == (not list(built.state_dict()))


def test_the_printed_numbers_are_those_of_the_papers():
    for (paper, name, row_id), (printed, spread) in PRINTED.items():
        row = table_presets.row(paper, name, row_id)
        assert (row.printed, row.spread) == (printed, spread), row.id
    assert table_presets.row("tian2021", "table9", "table-9-directpred/300 epochs").top5 == 91.0


def test_presets_and_ledger_print_the_same_numbers_of_the_same_claims():
    ledger = {(paper, claim.id): claim.printed for paper in papers.PAPERS for claim in papers.load(paper)}
    for row in ROWS:
        if row.printed is None:
            assert row.claim in ("fig-2", "fig-6") or row.paper in ("draganov2025", "normalised")
            continue
        value, spread, top5 = NUMBER.match(ledger[row.paper, row.claim][row.name]).groups()
        assert float(value) == row.printed
        assert (spread is None or float(spread) == row.spread) and (top5 is None or float(top5) == row.top5)


def test_no_printed_row_of_these_claims_is_left_out():
    found = {(row.paper, row.claim): set() for row in ROWS}
    for row in ROWS:
        found[row.paper, row.claim].add(row.name)
    for paper in papers.PAPERS:
        for claim in papers.load(paper):
            if (paper, claim.id) in found and claim.printed:
                beta_0 = {n for n in claim.printed if n.count("/") < 2 or n.endswith("/0")}
                assert found[paper, claim.id] == beta_0, claim.id
    assert len(ROWS) == 303


def test_small_rows_differ_only_in_what_their_table_is_about():
    free = {"model.predictor", "model.predictor_options", "method.target", "method.target_start", "method.ema"}
    free |= {"method.sides", "optim.alpha_p", "optim.projector_multiplier", "optim.weight_decay"}
    free |= {"optim.predictor_weight_decay", "run.epochs", "model.cut", "optim.lr"}
    base = table_presets.row("tian2021", "table3", "table-3-linear/EMA regular").config("small")
    widths = {"model.width", "model.hidden", "model.dim", "model.projector_layers", "model.projector_norm"}
    both = {"normalised": {"data.name", "data.size", "data.crop", *widths}}  # two sets of images, several networks
    for row in ROWS:
        if not row.only:
            assert set(base.differences(row.config("small"))) <= free | both.get(row.paper, set()), row.id


@pytest.mark.parametrize(
    ("where", "scale", "expected"),
    [
        (("tian2021", "table3", "table-3-linear/no EMA sym"), "paper",
         {"model.predictor": "linear_symmetric", "method.target": "online", "data.name": "stl10", "optim.batch": 128}),
        (("tian2021", "table5", "table-5-predictor/EMA sym"), "paper",
         {"optim.weight_decay": 0.0, "optim.predictor_weight_decay": 4e-4}),
        (("tian2021", "table5", "table-5-predictor/EMA sym"), "small",
         {"optim.weight_decay": 0.0, "optim.predictor_weight_decay": 1e-2, "data.name": "mnist"}),
        (("tian2021", "table8", "table-8-cifar-sgd/500"), "paper", {"data.name": "cifar10", "run.epochs": 500}),
        (("tian2021", "table9", "table-9-linear/60 epochs"), "paper",
         {"optim.name": "sgd", "optim.batch": 256, "method.sides": "one-sided", "run.epochs": 60}),
        (("tian2021", "table9", "table-9-linear/300 epochs"), "paper",
         {"optim.name": "lars", "optim.batch": 4096, "method.sides": "symmetrised", "model.dim": 256}),
        (("grill2020", "table5a", "table-5a/1"), "small",
         {"method.target": "frozen", "method.target_start": "independent", "model.predictor": "mlp"}),
        (("grill2020", "table5a", "table-5a/0.999"), "small", {"method.ema": 0.999, "method.target": "ema"}),
        (("grill2020", "table22", "table-22-mu-5/10"), "paper",
         {"optim.projector_multiplier": 5.0, "optim.alpha_p": 10.0, "method.target": "online"}),
        (("richemond2023", "table300", "imagenet-300-Stiefel/ridge .6"), "paper",
         {"run.epochs": 300, "model.predictor_options": (("ridge", 0.6), ("steps", 9), ("update", "call"))}),
    ],
)  # fmt: skip
def test_rows_mean_what_the_table_says(where, scale, expected):
    flat = table_presets.row(*where).config(scale).flat()
    assert {key: flat[key] for key in expected} == expected


def test_equal_rows_of_two_tables_are_one_run():
    from lindyn.bridge.studies import Job

    rows = [table_presets.row("tian2021", *where) for where in (
        ("table2", "table-2/EMA no bias"), ("table5", "table-5-none/EMA regular"))]  # fmt: skip
    first, second = (Job(row, 0, row.config("small")) for row in rows)
    assert rows[0].printed == rows[1].printed and first.key == second.key
    assert first.key != Job(rows[0], 1, rows[0].config("small", run__seed=1)).key


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: table_presets.table("tian2021", "4"), "table of tian2021 must be one of"),
        (
            lambda: table_presets.row("tian2021", "table3", "table-3-linear/EMA reglar"),
            "Did you mean 'table-3-linear/EMA reg",
        ),
        (lambda: table_presets.tables("tian"), "Did you mean 'tian2021'"),
        (lambda: ROWS[0].config("tiny"), "scale must be one of 'paper', 'small', 'smoke'"),
        (
            lambda: table_presets.row("tian2021", "table9", "table-9-linear/300 epochs").config("small"),
            "use scale paper",
        ),
    ],
)
def test_wrong_names_are_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "EMA sym"', 'nam = "EMA sym"', "key of a row in table3.toml must be one of"),
        ("[[row]]", "[[rows]]", "Did you mean 'row'"),
        (
            '"model.predictor" = "linear_symmetric" }',
            '"model.predicter" = "linear" }',
            "Did you mean 'model.predictor'",
        ),
        ('name = "EMA regular"', 'name = "EMA sym"', "the rows table-3-linear/EMA sym"),
        ('claim = "table-3-linear"', 'claim = "table-3-line"', "Did you mean 'table-3-linear'"),
        ("title =", "title", "is not TOML"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path, monkeypatch, old, new, message):
    source = papers.folder("tian2021")
    shutil.copytree(source / "configs", tmp_path / "tian2021" / "configs")
    shutil.copy(source.parent / table_presets.SHARED, tmp_path)
    shutil.copy(source / "claims.toml", tmp_path / "tian2021")
    path = tmp_path / "tian2021" / "configs" / "table3.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 2), encoding="utf-8")
    monkeypatch.setattr(papers, "folder", lambda paper: tmp_path / paper)
    with pytest.raises(ValueError, match=message):
        table_presets._read.__wrapped__("tian2021", "table3")


def test_a_line_needs_lists_of_one_length(tmp_path):
    entry = {"claim": "x", "along": "optim.lr", "values": [1.0, 2.0], "names": ["1"], "printed": [3.0, 4.0]}
    with pytest.raises(ValueError, match="2 values, 1 names, 2 printed"):
        list(table_presets._entries(tmp_path, entry))
