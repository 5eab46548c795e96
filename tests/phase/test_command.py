"""`lindyn phase`: each picture with its reading, and the answers to mistakes."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("", "p_+ = 0.7464 (s = 0.5571, a stable node). The saddle p_- = 0.05359"),
        ("--eta 0", "fixed points fill lines"),
        ("--eta 0.2", "at the critical decay"),
        ("--eta 0.25", "above the critical decay tau^2 x^2/(4 (x + x')) = 0.2: p = s = 0 is the only fixed point"),
        ("--eta-p 0.01 --eta-s 0.1 --p -0.5:1:2", "a stable focus"),
        ("--kind bifurcation --alpha-p 3", "fold at p = 0.4"),
        ("--kind bifurcation --beta 0.3", "no pair of eigenvalues crosses the imaginary axis"),
        ("--kind two-parameter --sigma2 0:1:5", "falls with the augmentation sigma^2: 0.25 at 0, 0.125 at 1"),
        ("--kind two-parameter --tau 0.2:1:5", "rises with the target ratio tau: 0.008 at 0.2, 0.2 at 1"),
        ("--kind basin --hold-tau --count 500 --p 0:1:20 --s 0:0.1:10", "95% interval"),
        ("--kind basin --beta 0.3 --p -0.3:0.5:9 --s 0.01:0.2:9 --count 300", "followed in (p, w, a)"),
        ("--kind basin --eta 0:0.25:11 --beta log:0.1:10:6 --p 0.3 --s 0.003 --tau 0", "Of 66 points of the map"),
        ("--kind surface --p 0.02:0.8:6 --tau 0:1.2:5", "they lie in that edge"),
    ],
)  # fmt: skip
def test_every_picture_has_its_reading(flags, words, tmp_path, command):
    code, out, err = command("phase", *flags.split(), "--out", str(tmp_path))
    assert code == 0, err
    assert words in out and len(out.strip().splitlines()) == 2
    (picture,) = tmp_path.glob("*.png")
    assert picture.stat().st_size > 10_000 and str(picture) in out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--kind portrai", "Did you mean 'portrait'"),
        ("--eta=-0.1", "--eta must be >= 0; got -0.1."),
        ("--tau 0", "tau must be finite and > 0; got 0."),
        ("--eta lots", "--eta must be a number"),
        ("--kind two-parameter --tau 1:0.2:5", "reversed; write 0.2:1:5"),
        ("--kind two-parameter --tau 0.5:1:3 --sigma2 0:1:3", "takes one range besides eta"),
        ("--alpha-p 1:2:3", "alpha_p takes one number in this picture"),
        ("--p 0.3", "takes the window's range"),
        ("--kind basin --p 0:1:5", "basin takes two ranges; got 1: p"),
        ("--kind basin --hold-tau --beta 1", "exclude each other"),
        ("--kind surface --hold-tau", "--hold-tau belongs to --kind basin; got --kind surface. Leave it out."),
        ("--kind bifurcation --start 0.1,0.2", "--start belongs to --kind portrait; got --kind bifurcation."),
        ("--numbers nowhere/x.csv", "There is no folder nowhere for --numbers x.csv; make it"),
        (
            "--kind surface --eta 0.3",
            "There is no saddle, hence no separatrix: eta = 0.3 is not below the critical decay",
        ),
        ("--kin basin", "Did you mean --kind?"),
    ],
)
def test_a_mistake_is_one_sentence(flags, words, tmp_path, command):
    code, out, err = command("phase", *flags.split(), "--out", str(tmp_path))
    assert code == 2 and out == "" and words in err and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.png"))


def test_help_loads_nothing_heavy():
    script = "import sys; from lindyn.cli import main\ntry: main(['phase', '--help'])\nexcept SystemExit: pass\n"
    script += "print(sorted({'numpy', 'scipy', 'jax', 'torch', 'matplotlib', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]") and "--sigma2" in done.stdout
