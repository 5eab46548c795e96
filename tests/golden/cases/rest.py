"""train, reproduce, the help of every command, and wrong calls with their one sentence."""

from pathlib import Path

from tests.golden.run import Case

TINY = (
    "data.name=digits model.width=4 model.hidden=16 model.dim=8 model.projector=byol optim.batch=240 run.epochs=2"
    " run.threads=1 run.progress=false run.evaluate_every=0 run.diagnostics_every=2 run.accelerator=cpu run.folder=o"
)
GAUSSIAN = (
    "data.name=gaussian data.size=6 data.count=400 model.width=8 optim.batch=200 run.epochs=3 run.threads=1"
    " run.progress=false run.accelerator=cpu run.folder=o"
)
FIRST = "o/checkpoints/step=00000000.ckpt"
COMMANDS = ("reproduce", "simulate", "sweep", "phase", "explore", "prove", "verify", "predict", "train", "validate")


def mistaken(here: Path) -> None:
    """Write configurations with a mistake each."""
    (here / "key.toml").write_text("[hyperparameters]\netta = 0.1\n", encoding="utf-8")
    (here / "place.toml").write_text("eta = 0.1\n", encoding="utf-8")
    (here / "train.toml").write_text("[optim]\nlrr = 0.1\n", encoding="utf-8")
    (here / "words.npz").write_bytes(b"no arrays")


def _case(name: str, *commands: str, **more) -> Case:
    return Case(name, commands, **more)


TRAIN = (
    _case("train-keys", "train --keys"),
    _case("train-linear", f"train {TINY} run.evaluation=none", leave=(FIRST,)),
    _case("train-direct-pred", f"train {TINY} model.predictor=direct_pred method.target=online run.seed=3",
          leave=(FIRST,), like="train-linear"),
    _case("train-mlp-lars", f"train {TINY} model.predictor=mlp model.predictor_options.hidden_dim=16"
          " optim.name=lars model.projector=simsiam"
          " run.evaluation=none", leave=(FIRST,), like="train-linear"),
    _case("train-gaussian", f"train {GAUSSIAN}", f"train {GAUSSIAN}", f"train {GAUSSIAN} --resume",
          "validate o --out v", leave=("v/*", "o/checkpoints/*")),
)  # fmt: skip
STUDIES = (
    _case("reproduce-lists", *(f"reproduce {paper} --training --list"
                               for paper in ("tian2021", "richemond2023", "grill2020")),
          "reproduce richemond2023 --training --list --table 100 --rows '*/ridge .3'"),
    _case("reproduce-study", "reproduce tian2021 --training --figure 6 --scale smoke --seeds 1 --workers 1"
          " --rows alpha_p=1 --out o", leave=("*.ckpt", "*/run.toml")),
)  # fmt: skip
FIGURES = (
    _case("reproduce-tian-4", "reproduce tian2021 --figure 4 --workers 1 --out o"),
    _case("reproduce-richemond-1", "reproduce richemond2023 --figure 1 --workers 1 --out o"),
    _case("reproduce-gallery-1", "reproduce gallery --figure 1 --workers 1 --out o"),
    _case("reproduce-grill", "reproduce grill2020 --out o"),
)
HELP = (_case("help", "--help", "--version"), *(_case(f"help-{name}", f"{name} --help") for name in COMMANDS))
WRONG = (
    _case("wrong-commands", "", "simulat", "--debugg", "simulate --sytem modes"),
    _case("wrong-simulate", "simulate --system mode", "simulate --p 0.3", "simulate --batch 32", "simulate --eta -1",
          "simulate --n1 16 --x 1,2,3", "simulate --config key.toml", "simulate --config place.toml",
          "simulate --config nowhere.toml", "simulate --images digits --sigma2 0.1", "simulate --rtol 1",
          "simulate --learning-rate 3 --beta 0.4", "simulate --no-stop-gradient", "simulate --system modes --n2 7",
          given=mistaken, leave=("lindyn-out/*",)),
    _case("wrong-sweep", "sweep --eta 0.3:0:5", "sweep --beta log:0:1:5", "sweep --eta=-0.3:0.1:3",
          "sweep --target onlin", "sweep --tau copyy", "sweep --etta 0.3", "sweep --points 0"),
    _case("wrong-phase", "phase --kind portait", "phase --eta -1", "phase --eta 0.1:0.2:1",
          "phase --kind basin --x 0:1:5", "phase --kind surface --eta 0:1:3"),
    _case("wrong-prove", "prove tian.theorem_33", "prove --latex no/such/proofs.tex"),
    _case("wrong-verify", "verify nothing.nc", "verify words.npz", "verify nothing.nc --beta 0.4", given=mistaken),
    _case("wrong-train", "train train.toml", "train optim.lrr=0.1", "train optim.lr=abc", "train a.toml b.toml",
          "train model.predictor=direct_prd", "train data.name=imagefolder", given=mistaken),
    _case("wrong-validate", "validate", "validate nothing.ckpt", "validate fixtures/solo_learn --layout solo",
          "validate fixtures/stable_pretraining.ckpt optim.lrr=3",
          "validate fixtures/stable_pretraining.ckpt optim.lr=abc",
          "validate fixtures/stable_pretraining.ckpt --images no/such",
          "validate fixtures/stable_pretraining.ckpt --predictor nothing",
          "validate fixtures/deepmind/pretrain.pkl", "validate --compare fixtures/lindyn/linear",
          "validate fixtures/byol_pytorch/checkpoint.0.pt"),
    _case("wrong-reproduce", "reproduce tian2022", "reproduce tian2021 --figure 33", "reproduce tian2021 --workers 0",
          "reproduce tian2021 --training", "reproduce tian2021 --table 3", "reproduce tian2021 --training --table 33",
          "reproduce tian2021 --training --table 3 --scale smal"),
)  # fmt: skip
CASES = (*TRAIN, *STUDIES, *FIGURES, *HELP, *WRONG)
