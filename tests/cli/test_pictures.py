"""Every picture that a command draws: no key on what is plotted, no text on another, every line in a key."""

import shlex

import pytest

from lindyn._systems import SYSTEMS
from lindyn.commands.phase import KINDS
from tests import pictures

QUICK = [
    "simulate --eta 0.3 --t1 60",
    "simulate --target online --no-stop-gradient --t1 60",
    "simulate --system modes --p 0.1,0.5 --s 0.05,0.2",
    "sweep --eta 0:0.3:21",
    "sweep --eta 0:0.3:9 --beta log:0.01:10:7 --s 0.01,0.1",
    "sweep --eta 0:0.3:9 --tau copy,zero",
    "phase --kind portrait",
    "phase --kind portrait --start 0.1,0.2 --start 0.5,0.1",
    "phase --kind portrait --beta 0.1 --tau 0.6 --start 0.1,0.2",
    "phase --kind bifurcation",
    "phase --kind two-parameter --tau 0.1:1:7",
    "phase --kind basin --p -0.5:1:21 --s 0:0.6:21 --hold-tau --count 200",
    "phase --kind surface --p 0.05:1:7 --tau 0.2:1.2:5",
]
MORE = [
    *(f"simulate --system {name}" for name in SYSTEMS),
    "simulate --predictor direct_pred",
    "simulate --predictor identity --target frozen",
    "simulate --learning-rate 0.05 --batch 16 --t1 3",
    "simulate --n2 24 --t1 3",
    "simulate --images digits --eta 0.02",
    "sweep --p -0.5:0.5:9 --target online",
    "sweep --p -0.5:0.5:9",
    "sweep --eta 0:0.3:9 --target frozen",
    "phase --eta 0",
    "phase --eta 0.3",
    "phase --eta-p 0.02 --eta-s 0.1",
    "phase --kind bifurcation --beta 0.4",
    "phase --kind two-parameter --sigma2 0:2:7",
    "phase --kind basin --eta 0:0.25:9 --beta log:0.01:10:9 --p 0.3",
    "phase --kind basin",
]


@pytest.mark.parametrize(
    "words",
    [
        *QUICK,
        *(pytest.param(w, marks=pytest.mark.slow if k % 4 == 0 else pytest.mark.long) for k, w in enumerate(MORE)),
    ],
)
def test_a_picture_can_be_read(words, command, monkeypatch, tmp_path):
    looked_at(words, command, monkeypatch, tmp_path / ("map.nc" if words.startswith("sweep") else ""))


def test_every_kind_of_phase_picture_is_looked_at():
    assert {words.split()[2] for words in QUICK if words.startswith("phase")} == set(KINDS)


def test_the_picture_of_a_verification_can_be_read(command, monkeypatch, tmp_path):
    assert command("simulate", "--t1", "20", "--points", "401", "--out", tmp_path)[0] == 0
    words = f"verify {tmp_path / 'trajectory.nc'}"
    looked_at(words, command, monkeypatch, None)


def looked_at(words, command, monkeypatch, out):
    """Run a command and assert that each picture it writes is free of faults."""
    where = [] if out is None else ["--out", out]
    with pictures.collected(monkeypatch) as found:
        code, _, err = command(*shlex.split(words), *where)
    assert code == 0, err
    assert found and [fault for _, faults in found for fault in faults] == []
