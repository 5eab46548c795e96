"""simulate, sweep, phase, prove and verify: small runs of every system and every kind of picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.golden.run import Case

OUT = "--t1 5 --points 11 --out o"
SMALL = f"--n1 5 --n2 3 {OUT}"


def _case(name: str, *commands: str, **more) -> Case:
    return Case(name, commands, **more)


def _like(name: str, case: Case) -> Case:
    """Return a case that is written beside another one."""
    return case if case.name == name else replace(case, like=name)


def matrices(here: Path) -> None:
    """Write X and X' that do not commute, and a configuration."""
    rng = np.random.default_rng(0)
    half, other = rng.normal(size=(2, 4, 4))
    np.save(here / "X.npy", half @ half.T / 4)
    np.save(here / "Xa.npy", 0.1 * other @ other.T / 4)
    text = 'system = "modes"\n[hyperparameters]\neta = 0.2\nbeta = 1.5\n[state]\np = [0.4, 0.1]\ns = 0.2\n'
    (here / "run.toml").write_text(f"{text}[solve]\nt1 = 3\npoints = 7\n", encoding="utf-8")


def arrays(here: Path) -> None:
    """Write a run of gradient steps by hand, as somebody else's code would save it."""
    rng = np.random.default_rng(1)
    W, W_p = 0.4 * rng.normal(size=(3, 5)), 0.4 * rng.normal(size=(3, 3))
    W_a, X, X_aug = W.copy(), np.diag([1.0, 0.8, 0.6, 0.4, 0.2]), 0.2 * np.eye(5)
    rows, dt = [], 0.01
    for k in range(201):
        if k % 20 == 0:
            rows.append((k * dt, W.copy(), W_p.copy(), W_a.copy()))
        error = W_p @ W @ (X + X_aug) - W_a @ X
        dW, dW_p = -W_p.T @ error - 0.1 * W, -error @ W.T - 0.1 * W_p
        W_a = W_a + dt * 0.4 * (W - W_a)
        W, W_p = W + dt * dW, W_p + dt * dW_p
    t, *states = (np.array(part) for part in zip(*rows, strict=True))
    np.savez(here / "run.npz", t=t, W=states[0], W_p=states[1], W_a=states[2], X=X, X_aug=X_aug)


SIMULATE = (
    _case("simulate-weights", f"simulate {OUT}"),
    _case("simulate-gram", f"simulate --system gram {SMALL} --x 0.8 --sigma2 0.2"),
    _case("simulate-correlation", f"simulate --system correlation {SMALL} --eta 0.1 --alpha-p 2"),
    _case("simulate-modes", f"simulate --system modes {OUT} --p 0.1,0.5 --s 0.05,0.2 --beta 0.01"),
    _case("simulate-mode-weights", f"simulate --system mode_weights {OUT} --p=-0.1,0.5 --tau0 0.5"),
    _case("simulate-parabola", f"simulate --system parabola {OUT} --p 0.2,0.6 --tau0 0.9,0.8 --eta 0.02"),
    _case("simulate-symmetrised", f"simulate --system correlation {SMALL} --predictor symmetrised --tau constant"),
    _case("simulate-simsiam", f"simulate --target online {SMALL} --eta-p 0.1 --eta-s 0.02"),
    _case("simulate-no-stop-gradient", f"simulate --target online --no-stop-gradient {SMALL}"),
    _case("simulate-frozen", f"simulate --target frozen --target-start independent --predictor identity {SMALL}"),
    _case("simulate-zero-target", f"simulate --target-start zero --scale 0.5 --scale-p 2 --seed 3 {SMALL}"),
    _case("simulate-diffrax", f"simulate --engine diffrax {SMALL}"),
    _case("simulate-direct-pred", f"simulate --predictor direct_pred --rule eps=0.1,rho=0.3 {SMALL}"),
    _case("simulate-paper-every-third", f"simulate --predictor paper --rule eps=0.2,freq=3 {SMALL}"),
    _case("simulate-rule-of-modes", f"simulate --predictor direct_set --rule power=0.25 --system modes {OUT}"),
    _case("simulate-rule-of-gram", f"simulate --predictor newton_schulz --statistics weights --system gram {SMALL}"),
    _case("simulate-rule-of-correlation", f"simulate --predictor linear_regression --system correlation {SMALL}"),
    _case("simulate-visser-steps", f"simulate --predictor visser --learning-rate 0.05 {SMALL}"),
    _case("simulate-stiefel-steps", f"simulate --predictor stiefel --learning-rate 0.05 {SMALL}"),
    _case("simulate-descent", f"simulate --learning-rate 0.05 --momentum 0.5 --batch 16 {SMALL}"),
    _case("simulate-population-descent", f"simulate --learning-rate 0.1 {SMALL}"),
    _case("simulate-blows-up", "simulate --learning-rate 5 --beta 0.01 --t1 200 --points 9 --out o"),
    _case("simulate-short", f"simulate --max-steps 20 {SMALL.replace('--t1 5', '--t1 90')}"),
    _case("simulate-collapses", "simulate --eta 0.3 --n1 5 --n2 3 --t1 60 --points 11 --verify --out o"),
    _case("simulate-verify", f"simulate --verify {SMALL}"),
    _case("simulate-matrices", f"simulate --X X.npy --X-aug-file Xa.npy --n2 2 {OUT}", given=matrices),
    _case("simulate-config", "simulate --config run.toml --eta 0.1 --out o", given=matrices),
    _case("simulate-digits", "simulate --images digits --eta 0.02 --n2 8 --t1 20 --views 2 --out o"),
    _case("simulate-digits-grey", "simulate --images digits --remove-grey --crop 0.1 --n2 4 --t1 5 --views 2 --out o"),
)
SWEEP = (
    _case("sweep-eta-beta", "sweep --eta 0:0.3:13 --beta log:1e-2:1e1:9 --out s.nc"),
    _case("sweep-store", "sweep --eta 0:0.3:10 --beta log:0.1:10:5 --tau copy,zero --p 0.4 --s parabola --points 30"
          " --out s.zarr", "sweep --eta 0:0.3:10 --beta log:0.1:10:5 --tau copy,zero --p 0.4 --s parabola --t1 100"
          " --out s.zarr"),
    _case("sweep-online", "sweep --eta 0:0.3:8 --alpha-p log:0.1:100:7 --target online --t1 80 --out s.nc"),
    _case("sweep-start", "sweep --p=-0.5:0.5:11 --s log:1e-3:1:6 --eta-p 0.02 --eta-s 0.05 --out s.nc"),
    _case("sweep-one-run", "sweep --eta 0.1 --beta 0.4 --out s.nc"),
    _case("sweep-one-axis", "sweep --x-aug 0:2:15 --target frozen --tau-mode constant --predictor identity --out s.nc"),
    _case("sweep-jax", "sweep --eta 0,0.1,0.3 --beta 0.1,1 --engine jax --t1 50 --out s.nc"),
)  # fmt: skip
DESCENT = (
    _case("sweep-normalised", "sweep --model normalised --n1 6 --n2 4 --steps 30 --seeds 2"
          " --learning-rate log:0.05:0.5:4 --depth 1,3 --out s.nc", "sweep --model normalised --batch 16 --n1 6 --n2 4"
          " --steps 20 --seeds 2 --learning-rate 0.1 --eta 0.01,0.1 --out b.nc"),
)  # fmt: skip
PHASE = (
    _case("phase-portrait", "phase --eta 0.15 --tau 0.9 --out o"),
    _case("phase-portrait-past-the-fold", "phase --eta 0.3 --alpha-p 2 --out o"),
    _case("phase-bifurcation", "phase --kind bifurcation --out o"),
    _case("phase-bifurcation-moving", "phase --kind bifurcation --beta 0.1 --sigma2 0.5 --out o"),
    _case("phase-two-parameter", "phase --kind two-parameter --out o"),
    _case("phase-two-parameter-sigma2", "phase --kind two-parameter --sigma2 0:2:7 --out o"),
    _case("phase-basin", "phase --kind basin --beta 0.1 --p=-0.5:1:12 --s 0:1:10 --count 300 --out o"),
    _case("phase-basin-held", "phase --kind basin --hold-tau --p=-0.5:1:12 --s 0:1:10 --count 300 --seed 2 --out o"),
    _case("phase-basin-eta-beta", "phase --kind basin --eta 0:0.25:9 --beta log:0.01:10:8 --p 0.3 --s 0.003 --count 200"
          " --out o"),
    _case("phase-surface", "phase --kind surface --p 0.05:0.8:5 --out o"),
)  # fmt: skip
PROVE = (
    _case("prove-all", "prove"),
    _case("prove-statements", "prove tian.theorem_1 tian.theorem_3", "prove tian.theorem_3 --damaged"),
    _case("prove-audit", "prove --audit"),
    _case("prove-latex", "prove tian.theorem_1 tian.theorem_3 --latex proofs.tex"),
)
VERIFY = (
    _case("verify-trajectory", f"simulate {SMALL}", "verify o/trajectory.nc --picture seen.png"),
    _case("verify-simsiam", f"simulate --target online {SMALL}", "verify o/trajectory.nc"),
    _case("verify-arrays", "verify run.npz --alpha-p 1 --beta 0.4 --eta 0.1", given=arrays),
    _case("verify-arrays-of-other-rates", "verify run.npz --alpha-p 1 --beta 0.4 --eta 0.1 --eta-p 0.2 --target online"
          " --picture p.png", given=arrays),
)  # fmt: skip
CASES = (
    *(_like("simulate-weights", case) for case in SIMULATE),
    *(_like("sweep-eta-beta", case) for case in SWEEP),
    *DESCENT,
    *PHASE,
    *PROVE,
    *(_like("verify-trajectory", case) for case in VERIFY),
)
