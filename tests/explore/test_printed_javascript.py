"""The page without a server: its right-hand side is the equations' own, in a real JavaScript engine."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import lindyn as ld
from lindyn import phase, theory
from lindyn.equations import modes, parabola, target
from lindyn.explore import explorer_options, printed_javascript, standalone_page
from lindyn.phase.system import rates

NODE = shutil.which("node") or shutil.which("nodejs")
needs_node = pytest.mark.skipif(NODE is None, reason="no JavaScript engine here: install Debian's nodejs")
ENGINE = (standalone_page.HERE / "page_engine.js").read_text(encoding="utf-8")


def run_js(code, theory_source=None, **given):
    """Return what `answer` is after the page's engine and this code have run in node."""
    source = printed_javascript.source() if theory_source is None else theory_source
    text = f"{source}\n{ENGINE}\nconst given = {json.dumps(given)};\n{code}\nconsole.log(JSON.stringify(answer));"
    done = subprocess.run([NODE, "-"], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def states(n=400, seed=0):
    rng = np.random.default_rng(seed)
    names = ("p", "s", "tau", "alpha_p", "eta_p", "eta_s", "x", "x_aug", "beta")
    low = np.array([-2, 0.0, 0.05, 0.05, 0.0, 0.0, 0.1, 0.0, 0.01])
    high = np.array([2, 3.0, 2.0, 20.0, 0.5, 0.5, 3.0, 2.0, 20.0])
    return names, rng.uniform(low, high, (n, len(names)))


def worst(got, want):
    want = np.asarray(want)
    return float(np.max(np.abs(np.asarray(got) - want) / np.maximum(1.0, np.abs(want))))


def rates_off(theory_source=None):
    names, at = states()
    held = "given.at.map(r => rates_held(r[0], r[1], ...r.slice(3, 8), r[2], 0))"
    moving = "given.at.map(r => rates_moving(r[0], r[1], r[2], ...r.slice(3, 9)))"
    found = run_js(f"const answer = [{held}, {moving}];", theory_source, at=at.tolist())
    columns = dict(zip(names, at.T, strict=True))
    return max(worst(found[0], rates(at.T[:2], columns).T), worst(found[1], rates(at.T[:3], columns).T))


@needs_node
def test_the_right_hand_side_is_numpy_s_at_random_states():
    assert rates_off() <= 1e-12


@needs_node
def test_a_damaged_right_hand_side_is_seen():
    whole = printed_javascript.source()
    damaged = re.sub(r"return \[alpha_p\*c0\*s - eta_p\*p", "return [alpha_p*c0*s - 1.000001*eta_p*p", whole)
    assert damaged != whole and rates_off(damaged) > 1e-9


@needs_node
def test_every_printed_equation_is_the_one_that_is_integrated():
    rng = np.random.default_rng(3)
    rooms = {"modes": modes, "parabola": parabola, "target": target}
    for room, (_, names) in printed_javascript.PRINTED.items():
        for name in names:
            function = getattr(rooms[room], name)
            at = rng.uniform(0.1, 2.0, (50, function.__code__.co_argcount))
            got = run_js(f"const answer = given.at.map(r => {room}_{name}(...r));", at=at.tolist())
            assert worst(got, [function(*row) for row in at]) <= 1e-12, name


@needs_node
def test_fixed_points_and_jacobian_are_those_of_the_library():
    system = phase.plane(eta=0.07, tau=0.9, alpha_p=1.7, x_aug=0.4)
    v = {"alpha_p": 1.7, "eta": 0.07, "x": 1.0, "x_aug": 0.4, "tau": 0.9, "beta": 0.4}
    found = run_js("const answer = at_rest(given.v, given.v.tau);", v=v)
    closed = theory.fixed_points(0.07, tau=0.9, x=1.0, x_aug=0.4, alpha_p=1.7)
    assert found["minus"] == pytest.approx([closed.p_minus, closed.s_minus], rel=1e-12)
    assert found["plus"] == pytest.approx([closed.p_plus, closed.s_plus], rel=1e-12)
    assert found["critical"] == pytest.approx(theory.critical_decay(0.9, 1.0, 0.4), rel=1e-14)
    got = run_js("const answer = jacobian_held(0.3, 0.2, ...args_held(given.v));", v=v)
    assert worst(got, system.jacobian(np.array([0.3, 0.2])).ravel()) <= 1e-12


@needs_node
def test_paths_and_separatrix_are_those_of_the_library():
    v = {"alpha_p": 1.0, "eta": 0.05, "x": 1.0, "x_aug": 0.25, "tau": 1.0, "beta": 0.3}
    code = """const box = [[-0.8, 1.36], [0, 1.088]], rest = at_rest(given.v, 1);
    const answer = [path(given.v, [0.1, 0.2, 0.6], true, 20, [9, 9]), separatrix(given.v, box, rest.minus)];"""
    path, curve = (np.array(part) for part in run_js(code, v=v))
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.3, 0.05), x=1.0, x_aug=0.25)
    y = ld.simulate(flow, ld.ModeState(p=np.array([0.1]), s=np.array([0.2]), tau=np.array([0.6])), t1=20.0).final
    assert path[-1] == pytest.approx([20.0, y.p[0], y.s[0], y.tau[0]], abs=1e-6)
    exact = phase.separatrix(phase.plane(eta=0.05), [(-0.8, 1.36), (0.0, 1.088)]).curve
    left = curve[curve[:, 0] < 0]
    assert np.max(np.abs(left[:, 1] - np.interp(left[:, 0], exact[:, 0], exact[:, 1]))) < 2e-3


@needs_node
@pytest.mark.parametrize("target", ["held", "moving"])
def test_the_map_is_that_of_a_sweep(target):
    v = {"alpha_p": 1.0, "eta": 0.05, "x": 1.0, "x_aug": 0.25, "tau": 1.0, "beta": 0.3, "p": 0.15, "s": 0.03}
    eta, p = np.linspace(0.0, 0.3, 31), np.linspace(0.0, 1.0, 21)
    code = "const answer = Array.from(collapse_map(given.v, 'eta', 'p', given.eta, given.p));"
    got = np.array(run_js(code, v=v | {"target": target}, eta=eta.tolist(), p=p.tolist())).reshape(21, 31)
    mode = {"tau_mode": "constant"} if target == "held" else {}
    ds = ld.sweep(**{**{n: v[n] for n in ("alpha_p", "beta", "x", "x_aug", "tau", "s")}, "eta": eta, "p": p}, **mode)
    assert np.mean(got == ds["outcome"].transpose("p0", "eta").values) > 0.98


def test_the_page_is_one_small_file_that_asks_for_nothing(tmp_path):
    path = standalone_page.write_page(tmp_path / "page.html", {"eta": 0.1, "start": ["0.2,0.1"]})
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 2_000_000
    assert not re.search(r"https?://", text) and "default-src 'none'" in text
    assert not re.search(r"<(?:link|img|script)[^>]*(?:href|src)=", text)
    assert printed_javascript.source().splitlines()[1] in text and '"starts": [[0.2, 0.1]]' in text


def test_values_of_the_page_are_checked():
    with pytest.raises(ValueError, match=r"eta must be at most 0\.5; got 7"):
        standalone_page.page_text(explorer_options.checked({"eta": 7.0}))
