"""Many trajectories at once: exact solutions, the place where one leaves, points between steps."""

import numpy as np

from lindyn.phase.integration import integrate

FREQUENCY = np.array([1.0, 2.0, 5.0])


def _turning(z):
    return np.stack([z[2] * z[1], -z[2] * z[0], 0 * z[2]])  # z[2] is the frequency


def _run(room=lambda z: np.ones(z.shape[1])):
    start = np.stack([np.zeros(3), np.ones(3), FREQUENCY])
    return integrate(_turning, start, 3.0, 1e-12, np.full((3, 3), 1e-12), room)


def test_circles_are_met_at_every_time():
    run = _run()
    times = np.tile(np.linspace(0, 3, 50), (3, 1))
    z = run.at(times)
    np.testing.assert_allclose(z[0], np.sin(FREQUENCY[:, None] * times), atol=1e-10)
    np.testing.assert_array_equal(run.end, 3.0)
    lengths = [len(rows) for rows in run.steps]
    assert lengths[0] < lengths[1] < lengths[2] < 80  # each takes its own steps


def test_a_trajectory_ends_where_it_leaves():
    run = _run(lambda z: 0.5 - z[0])
    np.testing.assert_allclose(run.end, np.pi / 6 / FREQUENCY, rtol=1e-11)
    np.testing.assert_allclose(run.at(run.end[:, None])[0], 0.5, rtol=1e-11)


def test_the_tolerance_sets_the_error():
    def error(rtol):
        run = integrate(
            _turning, np.array([[0.0], [1.0], [1.0]]), 20.0, rtol, np.full((3, 1), rtol), lambda z: 1 + 0 * z[0]
        )
        return abs(run.at(np.array([[20.0]]))[0, 0, 0] - np.sin(20.0))

    errors = [error(rtol) for rtol in (1e-6, 1e-9, 1e-12)]
    assert errors[0] < 1e-4 and errors[1] < 1e-2 * errors[0] and errors[2] < 1e-2 * errors[1]
