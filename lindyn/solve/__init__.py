"""From a flow and an initial state to a `Trajectory`.

ode         simulate: adaptive integration in float64 (diffrax, or scipy for a quick start)
reductions  exact, cheaper forms of the weight flow, chosen by what the data allow
finite_step descend: the finite-step twin, as in training
trajectory  the result: times, states, status in words, step counts, one file
"""
