"""Layouts and wrappers written here by their names: bolts, shards, averages, prefixes; other methods are named."""

import json

import pytest
import torch
from lightly.models.modules import heads as of_lightly
from safetensors.torch import save_file
from torch import nn

from lindyn.bridge import validate
from lindyn.bridge.checkpoints import inputs, matching, read_checkpoint
from lindyn.bridge.checkpoints.content import Content


def mlp(inner, outer, hidden=9):
    return nn.Sequential(nn.Linear(inner, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outer))


def mine(seed=0):
    torch.manual_seed(seed)
    return nn.ModuleDict({"projection_head": mlp(12, 8), "prediction_head": mlp(8, 8)}).eval()


def state(seed=0):
    return mine(seed).state_dict()


def under(name, net):
    return {f"{name}.{key}": value for key, value in net.state_dict().items()}


def write(folder, tree, name="last.ckpt"):
    torch.save(tree, folder / name)
    return folder / name


@torch.no_grad()
def same(pieces, net):
    z, y = torch.randn(5, 8), torch.randn(5, 12)
    torch.testing.assert_close(pieces.predictor(z), net["prediction_head"](z), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(pieces.projector(y), net["projection_head"](y), rtol=1e-5, atol=1e-6)
    return True


def about(pieces, noun):
    return [each for each in pieces.assumptions if each.about == noun]


# wrappers

PREFIXES = ("_fsdp_wrapped_module.", "_forward_module.", "_checkpoint_wrapped_module.", "module._orig_mod.", "_module.",
            "byol.", "net.", "ssl.module.", "lit.byol.", "algorithm._forward_module.", "trainer.net.byol.")  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_name_in_front_makes_no_difference(tmp_path, prefix):
    found = {f"{prefix}{key}": value for key, value in state().items()}
    pieces = read_checkpoint(write(tmp_path, {"state_dict": found}))
    assert pieces.layout == "lightly" and same(pieces, mine())
    assert not any("left out" in note for note in pieces.notes)
    beside = found | {"online_classifier.weight": torch.ones(3, 12)}
    if prefix.startswith("_") or prefix.startswith("module"):
        return
    pieces = read_checkpoint(write(tmp_path, {"state_dict": beside}))
    assert same(pieces, mine()) and any("left out: online_classifier" in note for note in pieces.notes)


def test_each_part_wrapped_by_fsdp(tmp_path):
    found = {key.replace(".", "._fsdp_wrapped_module.", 1): value for key, value in state().items()}
    assert same(read_checkpoint(write(tmp_path, found)), mine())
    with pytest.raises(ValueError, match="parameters that FSDP has flattened; save the whole state dict"):
        read_checkpoint(write(tmp_path, {"_fsdp_wrapped_module._flat_param": torch.ones(9)}))


# two sets of weights

TWO = {
    "Lightning's WeightAveraging": lambda new, old: {
        "state_dict": old, "current_model_state": new, "averaging_state": {"n_averaged": torch.tensor(7)}},
    "model_ema": lambda new, old: {
        "model": new, "model_ema": {"n_averaged": torch.tensor(7)} | {f"module.{k}": v for k, v in old.items()}},
    "state_dict_ema": lambda new, old: {"state_dict": new, "state_dict_ema": old, "epoch": 3},
    "in one state dict": lambda new, old: {"state_dict": {
        **{f"model.{k}": v for k, v in new.items()}, **{f"model_ema.module.{k}": v for k, v in old.items()}}},
    "parameters alone": lambda new, old: {
        "model": new, "ema": {k: v for k, v in old.items() if "running" not in k and "num_b" not in k}},
    "ema-pytorch": lambda new, old: {
        "initted": torch.tensor(True), "step": torch.tensor(4),
        **{f"online_model.{k}": v for k, v in new.items()}, **{f"ema_model.{k}": v for k, v in old.items()}},
}  # fmt: skip


@pytest.mark.parametrize("kind", TWO)
def test_of_two_sets_of_weights_one_is_taken_and_the_other_can_be(tmp_path, kind):
    path = write(tmp_path, TWO[kind](state(0), state(1)))
    pieces = read_checkpoint(path)
    (assumed,) = about(pieces, "weights")
    assert same(pieces, mine(0)) and assumed.choose == "model.weights=average"
    assert same(read_checkpoint(path, settings={"model.weights": "average"}), mine(1))
    assert same(assumed.instead(pieces), mine(1))


def test_averages_alone_are_read_and_said(tmp_path):
    from torch.optim.swa_utils import AveragedModel

    whole = AveragedModel(mine()).state_dict()
    for tree in (whole, {"state_dict": whole}, {"model_ema": state()}):
        pieces = read_checkpoint(write(tmp_path, tree))
        (assumed,) = about(pieces, "weights")
        assert same(pieces, mine()) and "not in the file" in assumed.taken and not assumed.choose


def test_a_target_is_no_average(tmp_path):
    online = {
        "backbone.0.weight": torch.ones(12, 3),
        **under("projector", mlp(12, 8)),
    }
    target = {f"ema.{key}": value for key, value in online.items()}
    predictor = under("predictor", mlp(8, 8))
    pieces = read_checkpoint(write(tmp_path, {"state_dict": online | target | predictor}))
    assert pieces.predictor is not None and not about(pieces, "weights")


# shards


def shard(folder, index=True):
    found, keys = state(), sorted(state())
    cut = {key: f"model-{1 + (place > 4)}-of-2.safetensors" for place, key in enumerate(keys)}
    for name in set(cut.values()):
        save_file({key: found[key] for key in keys if cut[key] == name}, folder / name)
    if index:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": cut}))
    return folder


@pytest.mark.parametrize("index", [True, False])
def test_shards_are_one_checkpoint(tmp_path, index):
    shard(tmp_path, index)
    (tmp_path / "training_args.bin").write_bytes(b"x"), write(tmp_path, {}, "optimizer.pt")
    for name in ["model-1-of-2.safetensors", "model-2-of-2.safetensors"] + INDEX * index:
        assert same(read_checkpoint(tmp_path / name), mine())
    (one,) = inputs.find(tmp_path).files
    assert same(read_checkpoint(one), mine())


INDEX = ["model.safetensors.index.json"]


@pytest.mark.parametrize(("harm", "told"), [
    (lambda f: (f / "model-2-of-2.safetensors").unlink(), "names the shard model-2-of-2.safetensors, wh"),
    (lambda f: (f / INDEX[0]).write_text("{"), "is no index of shards"),
    (lambda f: (f / INDEX[0]).write_text('{"weight_map": {}}'), "names no shard"),
    (lambda f: (f / INDEX[0]).write_text('{"weight_map": {"a": "../../x"}}'), "shards lie in the folder of"),
    (lambda f: (f / INDEX[0]).write_text('{"weight_map": {"a": "model-1-of-2.safetensors"}}'), "names a, which no"),
    (lambda f: [(f / INDEX[0]).unlink(), (f / "model-1-of-2.safetensors").unlink()], "is shard 2 of 2, and"),
])  # fmt: skip
def test_damaged_shards_are_one_sentence(tmp_path, harm, told):
    harm(shard(tmp_path))
    with pytest.raises(ValueError, match=told) as error:
        read_checkpoint(inputs.find(tmp_path).files[0])
    assert "\n" not in str(error.value)


PARALLEL = {
    "torch.distributed.checkpoint": ([".metadata", "__0_0.distcp"], "dcp_to_torch"),
    "Lightning's FSDP": (["meta.pt", ".metadata", "__0_0.distcp"], "lightning_fabric.*consolidate_checkpoint"),
    "DeepSpeed": (["zero_to_fp32.py", "latest", "global_step9/mp_rank_00_model_states.pt"], "zero_to_fp32.py"),
    "DeepSpeed's inner folder": (["mp_rank_00_model_states.pt", "zero_pp_rank_0_optim_states.pt"], "zero_"),
    "Orbax": (["_CHECKPOINT_METADATA", "manifest.ocdbt"], "Orbax"),
    "TensorFlow": (["checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001"], "TensorFlow"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PARALLEL)
def test_checkpoints_of_parallel_training_are_named_with_their_converter(tmp_path, kind):
    names, told = PARALLEL[kind]
    for home in (tmp_path / "epoch=1.ckpt", tmp_path / "run" / "epoch=1.ckpt"):
        for name in names:
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(b"x")
    for path in (tmp_path / "epoch=1.ckpt", tmp_path / "run"):
        with pytest.raises(ValueError, match=told) as error:
            validate(path)
        assert "\n" not in str(error.value)


# other layouts


def bolts(inside=False, **hyper):
    torch.manual_seed(0)
    arm = {"encoder": nn.Sequential(nn.Linear(3, 12)), "projector": nn.ModuleDict({"model": mlp(12, 8)})}
    head = {"predictor": nn.ModuleDict({"model": mlp(8, 8)})}
    online = nn.ModuleDict(arm | (head if inside else {}))
    net = nn.ModuleDict({"online_network": online, "target_network": online} | ({} if inside else head)).eval()
    return net, {"state_dict": net.state_dict(), "hyper_parameters": hyper, "epoch": 4, "global_step": 900}


@pytest.mark.parametrize("inside", [False, True])
def test_bolts(tmp_path, inside):
    net, tree = bolts(inside, initial_tau=0.99)
    pieces = read_checkpoint(write(tmp_path, tree))
    assert (pieces.layout, pieces.step) == ("bolts", 900)
    known = {"method.target": "ema", "method.ema": 0.99, "method.ema_schedule": "cosine", "method.loss": "cosine"}
    assert {key: pieces.settings.get(key) for key in known} == known
    predictor = (net["online_network"] if inside else net)["predictor"]["model"]
    z, y = torch.randn(4, 8), torch.randn(4, 12)
    assert torch.equal(pieces.predictor(z), predictor(z))
    assert torch.equal(pieces.projector(y), net["online_network"]["projector"]["model"](y))
    assert pieces.target_projector is not None and not about(pieces, "activation")


def test_the_target_of_bolts_simsiam_never_moves(tmp_path):
    pieces = read_checkpoint(write(tmp_path, bolts(predictor_hidden_dim=512)[1]))
    assert pieces.settings.get("method.target") == "frozen" and any("never moves" in note for note in pieces.notes)


ONE = torch.ones(3, 3)
OTHER_KINDS = {
    "lightly-train": ({"state_dict": {"student_embedding_model.wrapped_model._model.blocks.0.w": ONE,
                                      "student_projection_head.layers.0.weight": ONE}}, "lightly-train"),
    "dino": ({"teacher": {"backbone.cls_token": ONE, "dino_head.mlp.0.weight": ONE, "ibot_head.mlp.0.weight": ONE}},
             "DINOv2"),
    "jepa": ({"encoder": {"module.backbone.blocks.0.w": ONE}, "target_encoder": {"module.backbone.blocks.0.w": ONE},
              "predictor": {"module.backbone.predictor_embed.weight": ONE}, "epoch": 3}, "V-JEPA 2"),
    "lejepa": ({"backbone.blocks.0.w": ONE, "proj.0.weight": ONE}, "LeJEPA"),
    "lewm": ({"encoder.blocks.0.w": ONE}, "LeWM"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_networks_of_other_kinds_are_named_and_have_collapse_measures_alone(tmp_path, name):
    tree, title = OTHER_KINDS[name]
    (tmp_path / "config.json").write_text('{"model": "LeWM"}' if name == "lewm" else "{}")
    path = write(tmp_path, tree, "weights.pt")
    assert [layout.name for layout in matching(Content.of(path))] == [name]
    pieces = read_checkpoint(path)
    assert title in pieces.notes[0] and "only the collapse measures" in pieces.notes[0]
    answer = validate(path, features=torch.randn(100, 6).numpy())
    testable = {each.group for each in answer.findings if each.verdict != "not testable"}
    assert testable <= {"collapse", "assumption", "theory"} and answer.rates.alpha_p is None
    assert not [
        e for e in answer.findings if e.law in ("slope", "balance", "alignment") and e.verdict != "not testable"
    ]


@pytest.mark.parametrize(("more", "title"), [({"sigreg.t": ONE}, "LeJEPA"), ({"callbacks_modules.knn.x": ONE}, "")])
def test_stable_pretraining_s_plain_names_are_not_solo_learn_s(tmp_path, more, title):
    found = {
        "backbone.0.weight": torch.ones(12, 3),
        **under("projector", mlp(12, 8)),
    }
    pieces = read_checkpoint(write(tmp_path, {"state_dict": found | more}))
    assert pieces.layout == "stable-pretraining" and any(title in note for note in pieces.notes)
    predictor = under("predictor", mlp(8, 8))
    tree = {"state_dict": found | predictor, "hyper_parameters": {"system.working_dir": "x"}}
    pieces = read_checkpoint(write(tmp_path, tree))
    assert pieces.layout == "stable-pretraining" and pieces.predictor is not None and about(pieces, "target")
    paired = {key.replace(".", ".student.", 1): value for key, value in found.items()} | predictor
    paired |= {key.replace("student", "teacher"): value for key, value in paired.items() if "student" in key}
    pieces = read_checkpoint(write(tmp_path, {"state_dict": paired | {"backbone.ema_coefficient": torch.tensor(0.97)}}))
    assert pieces.settings.get("method.ema") == pytest.approx(0.97) and pieces.target_projector is not None


# other methods

NETS = {
    "VICReg": lambda: {"projection_head": of_lightly.VICRegProjectionHead(16, 9, 9)},
    "Barlow Twins": lambda: {"projection_head": of_lightly.BarlowTwinsProjectionHead(16, 9, 9)},
    "SimCLR": lambda: {"projection_head": of_lightly.SimCLRProjectionHead(16, 9, 9)},
    "TiCo": lambda: {"projection_head": of_lightly.TiCoProjectionHead(16, 9, 9)},
    "MoCo": lambda: {name: of_lightly.MoCoProjectionHead(16, 9, 9)
                     for name in ("projection_head", "projection_head_momentum")},
    "SwAV": lambda: {"projection_head": of_lightly.SwaVProjectionHead(16, 9, 9),
                     "prototypes": of_lightly.SwaVPrototypes(9, 5)},
    "DINO": lambda: {"student_backbone": nn.Linear(3, 16), "teacher_backbone": nn.Linear(3, 16),
                     "student_head": of_lightly.DINOProjectionHead(16, 9, 9, 9),
                     "teacher_head": of_lightly.DINOProjectionHead(16, 9, 9, 9)},
    "MSN": lambda: {name: of_lightly.MSNProjectionHead(16, 9, 9)
                    for name in ("anchor_projection_head", "projection_head")},
    "MAE": lambda: {"backbone": nn.Linear(3, 16), "decoder": nn.Linear(16, 3)},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("method", NETS)
def test_methods_without_a_predictor_are_named_and_have_neither_tau_nor_alpha_p(tmp_path, method):
    group = {"lr": 0.06, "momentum": 0.9, "weight_decay": 1e-4}
    tree = {
        "state_dict": nn.ModuleDict(NETS[method]()).eval().state_dict(),
        "optimizer_states": [{"param_groups": [group]}],
    }
    path = write(tmp_path, tree | {"global_step": 5000})
    pieces = read_checkpoint(path)
    assert any(method in note and "only the collapse measures" in note for note in pieces.notes)
    assert pieces.settings.get("method.target") == ("ema" if method in ("MoCo", "DINO") else None)
    assert not any("SimSiam): tau" in note for note in pieces.notes) and not about(pieces, "target")
    z = torch.randn(120, 9).numpy()
    answer = validate(path, features=(z, z + 0.1))
    assert (answer.rates.alpha_p, answer.rates.eta_s, answer.rates.missing) == (None, None, ())
    assert not any("alpha_p" in text for text in answer.rates.assumed)


def test_nnclr_has_simsiam_s_heads_and_it_is_said(tmp_path):
    own = {
        "projection_head": of_lightly.NNCLRProjectionHead(16, 9, 8),
        "prediction_head": of_lightly.NNCLRPredictionHead(8, 9, 8),
    }
    path = write(tmp_path, {"state_dict": nn.ModuleDict(own).eval().state_dict()})
    (assumed,) = about(read_checkpoint(path), "target")
    assert "it may be NNCLR, which is contrastive" in assumed.taken and assumed.choose == "method.target=ema"
    own = {"projection_head": of_lightly.SimSiamProjectionHead(16, 9, 8),
           "prediction_head": of_lightly.SimSiamPredictionHead(8, 9, 8)}  # fmt: skip
    (assumed,) = about(read_checkpoint(write(tmp_path, nn.ModuleDict(own).eval().state_dict())), "target")
    assert "it may be NNCLR" not in assumed.taken
    assert assumed.instead(read_checkpoint(path)).settings.get("method.target") == "ema"


@pytest.mark.parametrize(("method", "title"), [("barlow_twins", "Barlow Twins"), ("nnclr", "NNCLR"),
                                               ("mocov3", "MoCo v3"), ("vicreg", "VICReg"),
                                               ("mocov2plus", "MoCo v2 plus"), ("dino", "DINO"),
                                               ("deepclusterv2", "DeepCluster v2"), ("wmse", "W-MSE")])  # fmt: skip
def test_solo_learn_and_mmpretrain_name_their_method(tmp_path, method, title):
    found = {"backbone.0.weight": torch.ones(12, 3)}
    found |= under("projector", mlp(12, 8))
    found |= under("predictor", mlp(8, 8))
    path = write(tmp_path, {"state_dict": found, "hyper_parameters": {"method": method}})
    assert f"This file is of {title} (" in " ".join(read_checkpoint(path).notes)
    pieces = read_checkpoint(write(tmp_path, {"state_dict": found}))
    assert pieces.predictor is not None and about(pieces, "target")
    names = {"0": "fc0", "1": "bn0", "3": "fc1"}
    neck = {f"neck.{names[k[0]]}{k[1:]}": v for k, v in mlp(12, 8).state_dict().items()}
    cfg = {
        "meta": {
            "cfg": f"model = dict(type='{title.replace(' ', '').replace('-', '')}', neck=dict(type='NonLinearNeck'))"
        }
    }
    pieces = read_checkpoint(write(tmp_path, {"state_dict": neck} | cfg))
    assert pieces.layout == "mmpretrain" and f"This file is of {title} (" in " ".join(pieces.notes)


# weights that are written as products

NORMED = {
    "weight norm": nn.utils.parametrizations.weight_norm,
    "weight norm of columns": lambda layer: nn.utils.parametrizations.weight_norm(layer, dim=1),
    "weight norm of all": lambda layer: nn.utils.parametrizations.weight_norm(layer, dim=None),
    "weight norm, old": nn.utils.weight_norm,
    "spectral norm": nn.utils.parametrizations.spectral_norm,
    "spectral norm, old": nn.utils.spectral_norm,
    "pruned": lambda layer: nn.utils.prune.random_unstructured(layer, "weight", 0.3),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("norm", NORMED)
def test_products_are_multiplied_out(tmp_path, norm):
    import torch.nn.utils.prune

    torch.manual_seed(0)
    predictor = mlp(8, 8)
    for place in (0, 3):
        predictor[place] = NORMED[norm](predictor[place])
    predictor(torch.randn(9, 8))
    net = nn.ModuleDict({"projection_head": NORMED[norm](nn.Linear(12, 8)), "prediction_head": predictor}).eval()
    pieces = read_checkpoint(write(tmp_path, {"state_dict": net.state_dict()}))
    assert same(pieces, net)


@pytest.mark.parametrize("part", [nn.utils.parametrizations.orthogonal(nn.Linear(8, 8)), nn.MultiheadAttention(8, 2),
                                  nn.Sequential(nn.Linear(8, 8), nn.RMSNorm(8), nn.Linear(8, 8))])  # fmt: skip
def test_a_head_that_is_not_built_is_a_note_and_the_features_are_tested(tmp_path, part):
    net = nn.ModuleDict({"projection_head": nn.Linear(12, 8), "prediction_head": part})
    path = write(tmp_path, {"state_dict": net.state_dict()})
    answer = validate(path, features=torch.randn(100, 8).numpy())
    assert any(note.startswith("The predictor was not built: prediction_head") for note in answer.pieces.notes)
    assert not any("holds no predictor" in note for note in answer.pieces.notes)
    assert answer.pieces.settings.get("model.predictor") is None
