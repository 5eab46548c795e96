"""Two gloo processes against one process with the whole batch: same W_p, and the same on every rank at every call."""

import pytest
import torch

from tests.bridge import ranks
from tests.bridge.helpers import RULES, Byol

NAMES = [*RULES, *ranks.SETTINGS, "linear", "symmetric"]
# The order of the sums differs; LRP divides by eigenvalues of F and multiplies round-off by its condition number.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
WORSE = {"linear_regression": 20.0}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    model = Byol(ranks.predictor_of("freq"))
    ranks.train(model, slice(None))
    torch.save(model.state_dict(), folder / "state.pt")
    torch.multiprocessing.spawn(ranks.work, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("share", ranks.SHARES)
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_are_one_with_the_whole_batch(both, name, share, dtype):
    zero, one = (result[name, dtype, share] for result in both)
    assert torch.equal(zero["W_p"], one["W_p"]), "ranks differ inside a step"
    assert torch.equal(zero["W"], one["W"])
    whole = ranks.run(name, dtype)
    tolerance = TOLERANCE[dtype] * WORSE.get(name, 1.0)
    torch.testing.assert_close(zero["W_p"], whole["W_p"], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(zero["W"], whole["W"], rtol=tolerance, atol=tolerance)
    assert not torch.allclose(whole["W_p"][0], whole["W_p"][-1], rtol=1e-3, atol=1e-3)


def test_buffers_sent_between_the_two_calls_of_a_step_do_no_harm(both):
    whole = ranks.one_call_a_view()
    for result in both:
        for key, value in result["one call a view"].items():
            torch.testing.assert_close(value, whole[key], rtol=1e-6, atol=1e-6)


def test_a_rank_with_nan_is_left_out_on_all(both):
    zero, one = (result["bad rank"] for result in both)
    assert torch.equal(zero["W_p"], one["W_p"]) and torch.isfinite(zero["W_p"]).all()
    assert zero["rejected"] == one["rejected"] == 1


def test_a_checkpoint_loaded_by_rank_0_alone_is_gone_on_with_by_both(both):
    zero, one = (result["resumed"] for result in both)
    model = Byol(ranks.predictor_of("freq"))
    trained = Byol(ranks.predictor_of("freq"))
    ranks.train(trained, slice(None))
    model.load_state_dict(trained.state_dict())
    whole = ranks.train(model, slice(None))
    assert torch.equal(zero["W_p"], one["W_p"])
    torch.testing.assert_close(zero["W_p"], whole["W_p"], rtol=1e-6, atol=1e-6)


def test_the_mlp_runs_in_ddp(both):
    assert torch.equal(both[0]["mlp"]["gradient"], both[1]["mlp"]["gradient"])
    assert both[0]["mlp"]["gradient"].abs().max() > 0
