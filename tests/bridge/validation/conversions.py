"""One run's tensors under the names of other people's code, key by key; what each layout adds is absorbed exactly."""

import torch

DEEPMIND_FIELDS = ("online_params", "target_params", "online_state", "target_state", "opt_state")


def part(weights, prefix):
    """Return the tensors under a prefix, without it."""
    return {name.removeprefix(prefix + "."): t for name, t in weights.items() if name.startswith(prefix + ".")}


def put(prefix, tensors):
    """Return tensors with a prefix in front."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


class Run:
    """The parts of a run of `lindyn train`, by lindyn's names."""

    def __init__(self, checkpoint):
        weights = checkpoint["state_dict"]
        self.checkpoint = checkpoint
        self.backbone, self.target_backbone = part(weights, "backbone"), part(weights, "teacher_backbone")
        self.projector = part(weights, "projection_head.layers")
        self.target_projector = part(weights, "teacher_projection_head.layers")
        head = part(weights, "prediction_head")
        self.predictor = part(head, "layers") or head
        groups = checkpoint["optimizer_states"][0]["param_groups"]
        self.groups = [{key: value for key, value in group.items() if key != "params"} for group in groups]

    def optimizer(self, *names):
        """Return an optimiser's state with the groups of these names, renamed where a pair is given."""
        chosen = []
        for name in names:
            mine, its = name if isinstance(name, tuple) else (name, name)
            group = next(g for g in self.groups if g["name"] == mine)
            chosen.append({**group, "name": its} if its else {k: v for k, v in group.items() if k != "name"})
        return {"state": {}, "param_groups": [{**group, "params": [k]} for k, group in enumerate(chosen)]}


def with_bias(head, layer, norm):
    """Give a Linear before a BatchNorm a bias: the running mean moves with it, the function stays."""
    bias = 0.01 * torch.arange(1.0, 1 + len(head[f"{norm}.running_mean"]))
    out = {}
    for name, tensor in head.items():
        out[name] = tensor + bias if name == f"{norm}.running_mean" else tensor
        if name == f"{layer}.weight":
            out[f"{layer}.bias"] = bias
    return out


def biased(head):
    """Give every Linear a bias that stands before a BatchNorm."""
    for norm in sorted({name.split(".")[0] for name in head if name.endswith("running_mean")}):
        if f"{int(norm) - 1}.bias" not in head:
            head = with_bias(head, str(int(norm) - 1), norm)
    return head


def fc_names(head):
    """Return {0,1,3} as {fc0,bn0,fc1}."""
    names = {"0": "fc0", "1": "bn0", "3": "fc1"}
    return {f"{names[key.split('.')[0]]}.{key.split('.')[1]}": tensor for key, tensor in head.items()}


def lightly(run, backbone="teacher_backbone", projector="teacher_projection_head"):
    out = put("backbone", run.backbone) | put("projection_head.layers", run.projector)
    out |= put("prediction_head.layers", run.predictor)
    return out | put(backbone, run.target_backbone) | put(f"{projector}.layers", run.target_projector)


def solo_learn(run, net="backbone"):
    out = put(net, run.backbone) | {"classifier.weight": torch.zeros(10, 16), "classifier.bias": torch.zeros(10)}
    out |= put("projector", biased(run.projector)) | put("predictor", biased(run.predictor))
    return out | put(f"momentum_{net}", run.target_backbone) | put("momentum_projector", biased(run.target_projector))


def solo_simsiam(run):
    return (
        put("backbone", run.backbone)
        | put("projector", with_bias(run.projector, "6", "7"))
        | put("predictor", run.predictor)
    )


def implicit_var_reg(run):
    out = put("backbone", run.backbone) | put("projector", biased(run.projector))
    out |= put("momentum_backbone", run.target_backbone) | put("momentum_projector", biased(run.target_projector))
    return out | {"C": run.predictor["F_hat"], "s": torch.linalg.eigvalsh(run.predictor["F_hat"])}


def simsiam(run):
    out = put("module.encoder", run.backbone) | put("module.encoder.fc", with_bias(run.projector, "6", "7"))
    return out | put("module.predictor", run.predictor)


def luckmatters(run, predictor):
    online = put("encoder", run.backbone) | put("projetion.layers", biased(run.projector))
    target = put("encoder", run.target_backbone) | put("projetion.layers", biased(run.target_projector))
    return {
        "online_network_state_dict": online,
        "target_network_state_dict": target,
        "predictor_state_dict": put("layers", predictor),
    }


def behind_batchnorm(predictor, mean, var):
    """Return a predictor's layers behind a BatchNorm of the input, numbers shifted by one, the same function."""
    scale = (var + 1e-5).sqrt()
    out = {"0.running_mean": mean, "0.running_var": var, "0.num_batches_tracked": torch.tensor(1)}
    for name, tensor in predictor.items():
        number, rest = name.split(".")
        new = tensor * scale if name == "0.weight" else tensor
        new = tensor - predictor["0.weight"] @ mean if name == "1.running_mean" else new
        out[f"{int(number) + 1}.{rest}"] = new
    return with_bias(out, "1", "2")


def sthalles(run):
    online = put("encoder", run.backbone) | put("projetion.net", biased(run.projector))
    target = put("encoder", run.target_backbone) | put("projetion.net", biased(run.target_projector))
    return {
        "online_network_state_dict": online,
        "encoder_state_dict": run.backbone,
        "target_network_state_dict": target,
    }


def mmpretrain(run):
    out = put("backbone", run.backbone) | put("neck", fc_names(biased(run.projector)))
    out |= put("head.predictor", fc_names(biased(run.predictor)))
    out |= put("target_net.module.0", run.target_backbone)
    return (
        out
        | put("target_net.module.1", fc_names(biased(run.target_projector)))
        | {"target_net.steps": torch.tensor(30)}
    )


def stable_pretraining(run):
    out = put("backbone.student", run.backbone) | put("backbone.teacher", run.target_backbone)
    out |= put("projector.student", run.projector) | put("projector.teacher", run.target_projector)
    return out | put("predictor", run.predictor)


def byol_pytorch(run):
    out = put("net", run.backbone) | put("online_encoder.net", run.backbone)
    out |= put("online_encoder.projector", biased(run.projector)) | put("online_predictor", biased(run.predictor))
    return (
        out
        | put("target_encoder.net", run.target_backbone)
        | put("target_encoder.projector", biased(run.target_projector))
    )


def deepmind(run):
    """Return the trees of haiku; its last layers have no bias, so the projector's goes into the predictor's first."""
    shift = run.predictor["0.weight"] @ run.projector["3.bias"]
    predictor = {**run.predictor, "0.bias": shift}
    trees = {name: {} for name in DEEPMIND_FIELDS}
    for side, projector in (("online", run.projector), ("target", run.target_projector)):
        for name, head in (("projector", {**projector, "0.bias": torch.zeros(16)}), ("predictor", predictor)):
            trees[f"{side}_params"] |= haiku_params(name, head)
            trees[f"{side}_state"] |= haiku_state(name, head)
        backbone = run.backbone if side == "online" else run.target_backbone
        trees[f"{side}_params"] |= haiku_resnet_params(backbone)
        trees[f"{side}_state"] |= haiku_resnet_state(backbone)
        trees[f"{side}_params"]["classifier"] = {"w": torch.zeros(16, 10), "b": torch.zeros(10)}
    return {name: {module: {k: t.numpy() for k, t in leaf.items()} for module, leaf in tree.items()}
            for name, tree in trees.items()}  # fmt: skip


def haiku_module(place):
    """Return what haiku calls a module of a ResNet."""
    if place in ("conv1", "bn1"):
        return "tiny_res_net/~/" + {"conv1": "initial_conv", "bn1": "initial_batchnorm"}[place]
    stage, block, part = place.split(".", 2)
    its = {"conv1": "conv_0", "bn1": "batchnorm_0", "conv2": "conv_1", "bn2": "batchnorm_1",
           "downsample.0": "shortcut_conv", "downsample.1": "shortcut_batchnorm"}[part]  # fmt: skip
    return f"tiny_res_net/~/block_group_{int(stage[-1]) - 1}/~/block_{block}/~/{its}"


def haiku_resnet_params(weights):
    """Return kernels as height x width x in x out, scales and offsets as 1 x 1 x 1 x channels."""
    out = {}
    for name, value in weights.items():
        place, leaf = name.rsplit(".", 1)
        if value.ndim == 4:
            out.setdefault(haiku_module(place), {})["w"] = value.permute(2, 3, 1, 0).contiguous()
        elif leaf in ("weight", "bias"):
            its = {"weight": "scale", "bias": "offset"}[leaf]
            out.setdefault(haiku_module(place), {})[its] = value[None, None, None]
    return out


def haiku_resnet_state(weights):
    out = {}
    for name, value in weights.items():
        place, leaf = name.rsplit(".", 1)
        if leaf in ("running_mean", "running_var"):
            its = {"running_mean": "mean_ema", "running_var": "var_ema"}[leaf]
            moment = {
                "average": value[None, None, None],
                "hidden": value[None, None, None],
                "counter": torch.tensor(30),
            }
            out[f"{haiku_module(place)}/~/{its}"] = moment
    return out


def haiku_params(name, head):
    return {
        f"{name}/linear": {"w": head["0.weight"].T.contiguous(), "b": head["0.bias"]},
        f"{name}/batch_norm": {"scale": head["1.weight"][None], "offset": head["1.bias"][None]},
        f"{name}/linear_1": {"w": head["3.weight"].T.contiguous()},
    }


def haiku_state(name, head):
    def moment(value):
        return {"average": value[None], "hidden": value[None], "counter": torch.tensor(30)}

    return {f"{name}/batch_norm/~/mean_ema": moment(head["1.running_mean"]),
            f"{name}/batch_norm/~/var_ema": moment(head["1.running_var"])}  # fmt: skip
