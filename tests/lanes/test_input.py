import numpy as np
import pytest

from lindyn.solve.lanes import solve_lanes

GOOD = {"alpha_p": 1, "beta": 0.4, "eta_p": 0.1, "eta_s": 0.1, "x": 1, "x_aug": 0.25, "p": 0.1, "s": 0.05, "tau": 1.0}

CASES = [
    ({"beta": -1.0}, "beta must be >= 0; got -1"),
    ({"eta_p": [-0.1, 0.2]}, "eta_p must be >= 0; got -0.1"),
    ({"s": -1e-9}, "s must be >= 0; got -1e-09"),
    ({"p": [0.1, np.nan]}, "p must be finite; got 1 NaN or infinite of 2 entries"),
    ({"beta": np.inf}, "beta must be finite"),
    ({"p": [0.1, 0.2], "s": [0.1, 0.2, 0.3]}, "must have one length .* got lengths p 2, s 3"),
    ({"p": [[0.1]]}, "p must be a number or have one axis.*ravel"),
    ({"p": "high"}, "p must be a numeric array"),
    ({"t1": 0.0}, "t1 must be finite and > 0; got 0"),
    ({"rtol": 1e-15}, "rtol must be between 1e-13 and 0.01; got 1e-15"),
    ({"rtol": 0.5}, "rtol must be between"),
    ({"rtol": -1.0}, "rtol must be finite and > 0"),
    ({"max_steps": 0}, "max_steps must be a whole number >= 1; got 0"),
    ({"threads": 0}, "threads must be a whole number >= 1; got 0"),
    ({"target": "emma"}, "target must be one of .* Did you mean 'ema'"),
    ({"tau_mode": "fixed"}, "tau_mode must be one of"),
    ({"predictor": "symmetrised"}, "predictor must be one of 'trained', 'identity'"),
    ({"predictor": "identity"}, "means p = 1"),
    ({"target": "online", "tau": 0.5}, "means tau = 1"),
]


@pytest.mark.parametrize(("change", "message"), CASES, ids=[message for _, message in CASES])
def test_bad_input_is_one_sentence(change, message):
    with pytest.raises(ValueError, match=message):
        solve_lanes(**{**GOOD, "t1": 10.0, **change})


def test_no_lanes():
    assert len(solve_lanes(**{**GOOD, "p": []}, t1=1.0)) == 0
