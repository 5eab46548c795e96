"""What the README and docs/ call from Python, where no command goes: names of the packages only, no modules below."""

from typing import Any

import numpy as np

from tests.golden.run import Case

RULES = ("direct_pred", "direct_set", "direct_copy", "linear_regression", "neumann", "visser")
MORE_RULES = ("newton_schulz", "newton_schulz_twice", "stiefel", "luckmatters", "directcopy", "richemond")


def _of_dataset(data: Any) -> dict[str, Any]:
    return {str(name): variable.values for name, variable in data.variables.items()}


def readme() -> dict[str, Any]:
    """The example of the README, with smaller systems."""
    import lindyn as ld

    hp = ld.Hyperparameters(alpha_p=1.7, beta=0.3, eta=0.01)
    data = ld.Moments.isotropic(n1=8, sigma2=0.1)
    y0 = ld.WeightState.random(n2=4, n1=8, seed=0, target="independent")
    trajectory = ld.simulate(ld.WeightFlow(hp, data), y0, ts=[0.0, 5.0, 10.0], engine="scipy")
    simsiam = ld.simulate(
        ld.WeightFlow(hp, data, target="online"), ld.WeightState(y0.W, y0.W_p), t1=10.0, engine="scipy"
    )
    sgd = ld.descend(ld.WeightFlow(hp, data), y0, learning_rate=0.01, steps=50, batch=32)
    points = ld.theory.fixed_points(eta=0.05, tau=1.0, x=1.0, x_aug=0.5)
    return {
        "status": trajectory.status,
        "spectrum_F": ld.observables.spectrum_F(trajectory),
        "alignment": ld.observables.alignment(trajectory),
        "tau_per_mode": ld.observables.tau_per_mode(trajectory),
        "simsiam": ld.observables.spectrum_F(simsiam),
        "sgd": ld.observables.spectrum_W_p(sgd),
        "fixed points": {name: getattr(points, name) for name in ("p_minus", "p_plus", "eta_critical")},
    }


def matrices() -> dict[str, Any]:
    """Sweeps of small matrix systems: the full one symmetrised, and the one under Assumption 1."""
    import lindyn as ld

    weights = ld.sweep_matrices(eta=[0.0, 0.05, 0.2], seeds=4, n1=4, n2=3, t1=20.0, threads=1, predictor="symmetrised")
    closed = ld.sweep_matrices(beta=[0.1, 1.0], seeds=3, n1=4, n2=3, t1=20.0, threads=1, system="correlation")
    return {"weights": _of_dataset(weights), "correlation": _of_dataset(closed)}


def moments() -> dict[str, Any]:
    """X and X' of views, at once and in batches, with their standard errors."""
    import lindyn as ld

    rng = np.random.default_rng(0)
    clean = rng.normal(size=(400, 5)) * np.geomspace(1, 0.2, 5)
    views = [clean + 0.3 * rng.normal(size=clean.shape) for _ in range(2)]
    found = ld.Moments.from_views(*views)
    x, x_aug, _ = found.joint_spectrum()
    return {"X": found.X, "X_aug": found.X_aug, "commute": bool(found.commute), "x": x, "x_aug": x_aug}


def _features() -> tuple[Any, Any]:
    import torch

    rng = np.random.default_rng(3)
    z = rng.normal(size=(64, 6)) * np.geomspace(1, 0.2, 6)
    noise = 0.2 * rng.normal(size=z.shape)
    return torch.tensor(z), torch.tensor(z + noise)


def layers() -> dict[str, Any]:
    """Every rule as a torch layer: what it makes of two views, and the state that it keeps."""
    import torch

    from lindyn.bridge import ClosedFormPredictor

    z1, z2 = _features()
    found = {}
    for rule in (*RULES, *MORE_RULES):
        layer = ClosedFormPredictor(6, rule=rule).double()
        with torch.no_grad():
            out = [layer(z) for z in (z1, z2, z1, z2)][-1]
        found[rule] = {"out": out, "state": dict(layer.state_dict())}
    return found


def reading() -> dict[str, Any]:
    """A diagnosis of F and W_p, and the alarm."""
    import dataclasses

    from lindyn.bridge import diagnose

    z1, z2 = _features()
    F = (z1.T @ z1 / len(z1)).numpy()
    W_p = np.linalg.cholesky(F + 0.1 * np.eye(6)) + 0.05 * (z2.T @ z1 / len(z1)).numpy()
    return {str(k): v for k, v in dataclasses.asdict(diagnose(F, W_p, samples=64)).items()}


CASES = (
    Case("library-readme", call=readme),
    Case("library-sweep-matrices", call=matrices),
    Case("library-moments", call=moments),
    Case("library-layers", call=layers),
    Case("library-reading", call=reading),
)
